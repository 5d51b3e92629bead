import { expect, it } from 'vitest';
import { parseRetryAt } from '../../../../worker/adapters/retry-at.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 12, 0);

it.each<[string, string, string | null, number | null]>([
  ['nothing is said', 'Limit reached', null, null],
  ['Unix seconds', `next call at ${NOW_MS / 1000 + 60}`, null, NOW_MS + 60_000],
  ['ISO', 'allowed after 2026-11-23T08:00:00Z.', null, Date.UTC(2026, 10, 23, 8)],
  ['ISO as Graph writes it', 'at 2026-11-23T08:00:00+0200', null, Date.UTC(2026, 10, 23, 6)],
  ['a time without a zone is UTC', 'at 2026-11-23 08:00', null, Date.UTC(2026, 10, 23, 8)],
  ['a duration', 'try again in 3 hours', null, NOW_MS + 3 * 3600_000],
  ['the header', 'busy', '30', NOW_MS + 30_000],
  ['the text before the header', 'in 2 minutes', '30', NOW_MS + 120_000],
  ['a time that is past', 'since 2026-11-21T08:00:00Z', null, null],
  ['a phone number is no time', 'user 3519100000', null, null],
  ['not in the near future', 'at 2027-11-23T08:00:00Z', null, null],
])('%s', (_name, text, header, expected) => {
  expect(parseRetryAt(text, header, NOW_MS)).toBe(expected);
});
