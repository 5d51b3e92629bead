import { expect, it } from 'vitest';
import {
  DISABLE_AFTER_MS,
  endOfEndpoint,
  nextDeliveryAtMs,
  RETRY_MS,
  type Attempt,
} from '../../../../worker/domain/webhook-delivery.ts';

const DAY_MS = 24 * 3600_000;
const failed = (change: Partial<Attempt> = {}): Attempt => ({
  status: 500,
  error: 'HTTP 500',
  retryAfterMs: null,
  ...change,
});

it('waits longer each time, and gives up after the eighth attempt', () => {
  const waits = RETRY_MS.map((_, i) => nextDeliveryAtMs(i + 1, failed(), 0));
  expect(waits).toEqual(RETRY_MS);
  expect(nextDeliveryAtMs(RETRY_MS.length + 1, failed(), 0)).toBeNull();
});

it.each([
  ['a longer wait', 60_000, 60_000],
  ['a shorter wait', 1_000, 5_000],
  ['a wait beyond reason', 400 * DAY_MS, DAY_MS],
])('does as the receiver asks for %s, within bounds', (_name, retryAfterMs, expected) => {
  expect(nextDeliveryAtMs(1, failed({ retryAfterMs }), 0)).toBe(expected);
});

it.each([
  ['just failed', failed(), 0, null],
  ['failed for less than 5 days', failed(), DISABLE_AFTER_MS - 1, null],
  ['failed for 5 days', failed({ status: null }), DISABLE_AFTER_MS, 'failing'],
  ['is gone', failed({ status: 410 }), 0, 'gone'],
] as const)('an endpoint that %s', (_name, attempt, forMs, expected) => {
  expect(endOfEndpoint(attempt, 1_000, 1_000 + forMs)).toBe(expected);
});
