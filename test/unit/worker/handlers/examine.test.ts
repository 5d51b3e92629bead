import { expect, it } from 'vitest';
import { clock, graphVersion } from '../../../../worker/handlers/examine-verdicts.ts';

const AT_MS = Date.UTC(2026, 10, 22);

it.each([
  ['v25.0', AT_MS, 'ok'],
  ['v26.0', AT_MS, 'ok'],
  ['v21.0', Date.UTC(2026, 11, 1), 'problem'],
  ['v20.0', AT_MS, 'problem'],
  ['v14.0', AT_MS, 'problem'],
  ['v30.0', AT_MS, 'cannot_tell'],
])('version %s at %i: %s', (version, nowMs, status) => {
  expect(graphVersion(version, nowMs).status).toBe(status);
});

it.each([
  [undefined, 'cannot_tell'],
  [AT_MS, 'ok'],
  [AT_MS - 9_000, 'ok'],
  [AT_MS + 11_000, 'problem'],
])('a provider whose clock says %s: %s', (serverAtMs, status) => {
  expect(clock(serverAtMs, AT_MS).status).toBe(status);
});
