import { expect, it } from 'vitest';
import {
  mergeRestrictions,
  outboundRestriction,
  type Restriction,
} from '../../../../worker/domain/restriction.ts';

const NOW_MS = 1_790_000_000_000;
const DAY_MS = 24 * 3600_000;
const restriction = (type: string, more: Partial<Restriction> = {}): Restriction => ({
  type,
  at_ms: NOW_MS - DAY_MS,
  until_ms: NOW_MS + DAY_MS,
  ...more,
});

it.each<[string, Restriction[], number | null]>([
  ['none', [], null],
  ['of calls of users only', [restriction('RESTRICTED_USER_INITIATED_CALLING')], null],
  ['of our calls', [restriction('RESTRICTED_BUSINESS_INITIATED_CALLING')], NOW_MS + DAY_MS],
  [
    'of both',
    [restriction('RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING')],
    NOW_MS + DAY_MS,
  ],
  ['of the older name', [restriction('LOW_CALLING_QUALITY')], NOW_MS + DAY_MS],
  [
    'that is over',
    [restriction('RESTRICTED_BUSINESS_INITIATED_CALLING', { until_ms: NOW_MS })],
    null,
  ],
  [
    'without an end lasts 7 days',
    [restriction('RESTRICTED_BUSINESS_INITIATED_CALLING', { until_ms: undefined })],
    NOW_MS + 6 * DAY_MS,
  ],
  [
    'several: the last end counts',
    [
      restriction('RESTRICTED_BUSINESS_INITIATED_CALLING'),
      restriction('LOW_CALLING_QUALITY', { until_ms: NOW_MS + 3 * DAY_MS }),
    ],
    NOW_MS + 3 * DAY_MS,
  ],
])('%s', (_name, restrictions, untilMs) => {
  expect(outboundRestriction(restrictions, NOW_MS)?.untilMs ?? null).toBe(untilMs);
});

it('a new report replaces the one of its type and drops what is over', () => {
  const known = [
    restriction('A'),
    restriction('B', { until_ms: NOW_MS - 1 }),
    restriction('C', { reason: 'kept' }),
  ];
  const merged = mergeRestrictions(known, [restriction('A', { reason: 'new' })], NOW_MS);
  expect(merged.map(({ type, reason }) => [type, reason])).toEqual([
    ['C', 'kept'],
    ['A', 'new'],
  ]);
});
