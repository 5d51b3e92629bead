import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import {
  newSigningSecret,
  retryAfterMs,
  signatureHeaders,
} from '../../../../worker/adapters/signed-request.ts';

const body = JSON.stringify({ type: 'call.ended' });
const [mine, before, other] = [newSigningSecret(), newSigningSecret(), newSigningSecret()];
const message = { id: 'evt_1', body, secrets: [mine, before], atMs: Date.now() };

it.each([
  ['the secret', mine],
  ['the secret before', before],
])('is verified with %s', (_name, secret) => {
  expect(new Webhook(secret).verify(body, signatureHeaders(message))).toEqual(JSON.parse(body));
});

it.each([
  ['another secret', other, body, {}],
  ['another body', mine, `${body} `, {}],
  ['another id', mine, body, { 'webhook-id': 'evt_2' }],
  ['another time', mine, body, { 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 9) }],
])('is not verified with %s', (_name, secret, text, changed) => {
  const headers = { ...signatureHeaders(message), ...changed };
  expect(() => new Webhook(secret).verify(text, headers)).toThrow(/No matching signature/);
});

it('makes secrets that differ, of 32 bytes', () => {
  expect(new Set([mine, before, other]).size).toBe(3);
  expect(Buffer.from(mine.replace('whsec_', ''), 'base64')).toHaveLength(32);
});

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');

it.each([
  [null, null],
  ['', null],
  ['soon', null],
  ['0', 0],
  ['120', 120_000],
  ['Mon, 23 Nov 2026 12:02:00 GMT', 120_000],
  ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
])('reads the wait of %j', (header, expected) => {
  expect(retryAfterMs(header, NOW_MS)).toBe(expected);
});
