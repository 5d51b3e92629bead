import { expect, it } from 'vitest';
import {
  forwardTargets,
  GIVE_UP_AFTER_MS,
  nextAttemptAtMs,
  passedHeaders,
} from '../../../../worker/domain/forwarding.ts';

it.each<[string, (string | null)[], string | null, string[]]>([
  ['once to each address of the numbers', ['a', 'b', 'a'], 'd', ['a', 'b']],
  ['to the default when no number has one', [null, null], 'd', ['d']],
  ['to the default when no number is ours', [], 'd', ['d']],
  ['nowhere without either', [null], null, []],
])('goes %s', (_name, urls, byDefault, expected) => {
  expect(forwardTargets(urls, byDefault)).toEqual(expected);
});

it('tries ever less often, at least hourly, and gives up after 24 h', () => {
  let nowMs = 0;
  const waits: number[] = [];
  for (let attempts = 1; ; attempts++) {
    const nextMs = nextAttemptAtMs(attempts, 0, nowMs);
    if (nextMs === null) break;
    waits.push(nextMs - nowMs);
    nowMs = nextMs;
  }
  expect(waits.slice(0, 4)).toEqual([30_000, 60_000, 120_000, 240_000]);
  expect(Math.max(...waits)).toBe(3600_000);
  expect(nowMs).toBeGreaterThan(GIVE_UP_AFTER_MS - 3600_000);
});

it('passes on what the receiver checks, and nothing else', () => {
  const headers = new Headers({
    'Content-Type': 'application/json',
    'X-Hub-Signature-256': 'sha256=00',
    Authorization: 'Bearer ours',
    Cookie: 'x',
  });
  expect(passedHeaders((name) => headers.get(name))).toEqual({
    'content-type': 'application/json',
    'x-hub-signature-256': 'sha256=00',
    'x-roomline-forwarded': '1',
  });
});
