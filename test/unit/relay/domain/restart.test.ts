import { expect, it } from 'vitest';
import { restartAfter } from '../../../../relay/domain/restart.ts';

it('waits longer from one early death to the next, half a minute at most', () => {
  let deaths = 0;
  const pauses = Array.from({ length: 9 }, () => {
    const next = restartAfter(1_000, deaths);
    ({ deaths } = next);
    return next.pauseMs;
  });
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

it('begins anew after a process that ran for a minute', () => {
  expect(restartAfter(59_999, 4)).toEqual({ pauseMs: 4_000, deaths: 5 });
  expect(restartAfter(60_000, 4)).toEqual({ pauseMs: 250, deaths: 0 });
});
