// Webhooks with anything in them: reading never throws, and what comes out keeps within bounds.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countUpdates, describeWebhook, parseWebhook } from '../../../../worker/domain/webhook.ts';
import { mutatedFrom, oddValue, SEED } from '../../../support/mutations.ts';
import { webhookShapes } from '../../../support/webhook-shapes.ts';

const SHAPES = webhookShapes('200000000000001', 'A');

/** Longest texts of events by their member. */
const CHARS_MAX: Readonly<Record<string, number>> = {
  phoneNumberId: 64,
  providerCallId: 512,
  sdp: 16_384,
};
const CHARS_MAX_ELSE = 1_024;
/** Latest time that can be written as a date. Spec: ECMA-262, time values. */
const TIME_MS_MAX = 8.64e15;

/** Paths of members that are out of bounds; settings are kept as the provider has them. */
function excesses(value: unknown, key = ''): string[] {
  if (typeof value === 'string') {
    return value.length > (CHARS_MAX[key] ?? CHARS_MAX_ELSE) ? [key] : [];
  }
  if (typeof value === 'number') {
    return key.endsWith('AtMs') && !(Math.abs(value) <= TIME_MS_MAX) ? [key] : [];
  }
  if (typeof value !== 'object' || value === null || key === 'calling') return [];
  return Object.entries(value).flatMap(([name, member]) => excesses(member, name));
}

function read(body: unknown): void {
  const events = parseWebhook(body);
  // A list of calls and one of statuses may stand side by side.
  expect(events.length).toBeLessThanOrEqual(2 * countUpdates(body));
  const { phoneNumberIds, accountIds } = describeWebhook(body);
  const ids = [...phoneNumberIds, ...accountIds].map((phoneNumberId) => ({ phoneNumberId }));
  expect(excesses([events, ids])).toEqual([]);
}

it('the bodies that are changed are real ones: each is understood', () => {
  const types = SHAPES.flatMap((body) => parseWebhook(body).map(({ type }) => type));
  expect(types).toEqual([
    'offer',
    'terminate',
    'terminate',
    'answer',
    'answer',
    'status',
    'status',
    'message',
    'permission-reply',
    'settings',
    'account',
  ]);
});

it('a body of which anything was changed is read within bounds', () => {
  fc.assert(fc.property(mutatedFrom(SHAPES), read), { numRuns: 1_500, seed: SEED });
  expect(Object.keys(Object.prototype)).toEqual([]);
});

it('anything at all is read within bounds', () => {
  fc.assert(fc.property(oddValue, read), { numRuns: 300, seed: SEED });
});
