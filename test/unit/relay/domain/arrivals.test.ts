import { expect, it } from 'vitest';
import { Arrivals } from '../../../../relay/domain/arrivals.ts';
import { emptyRtpView } from '../../../../relay/domain/rtp.ts';

/** Feeds packets of sources in this order, 20 ms apart. */
function hear(packets: readonly (readonly [source: number, sequence: number])[]): Arrivals {
  const arrivals = new Arrivals();
  packets.forEach(([source, sequence], index) => {
    const view = { ...emptyRtpView(), ssrc: 100 + source, sequence, timestamp: index * 960 };
    arrivals.packet(source, view, true, index * 20);
  });
  return arrivals;
}

it('counts every source by its own numbers, however they alternate', () => {
  const turns = Array.from({ length: 100 }, (_, n) => [
    [1, 1_000 + n] as const,
    [2, 60_000 + n] as const,
  ]).flat();
  const arrivals = hear(turns.filter(([, sequence]) => sequence !== 1_050 && sequence !== 60_070));
  expect(arrivals.figures()).toMatchObject({ packets: 198, lost: 2, gaps: 2, longestGap: 1 });
});

it('keeps the figures of a source that is gone', () => {
  const arrivals = hear([
    [1, 5],
    [1, 8],
    [2, 70],
  ]);
  const before = arrivals.figures();
  arrivals.forget(1);
  arrivals.forget(1);
  expect(arrivals.figures()).toEqual(before);
  expect(before).toMatchObject({ packets: 3, lost: 2, gaps: 1, longestGap: 2 });
});

it('weighs the jitter of sources by their packets', () => {
  const arrivals = new Arrivals();
  const view = emptyRtpView();
  for (let n = 0; n < 600; n++) {
    const packet = { ...view, sequence: n, timestamp: n * 960 };
    arrivals.packet(1, { ...packet, ssrc: 1 }, true, n * 20);
    // Every other one 8 ms late; a third as many.
    if (n < 200) arrivals.packet(2, { ...packet, ssrc: 2 }, true, n * 20 + (n % 2) * 8);
  }
  expect(arrivals.figures().jitterMs).toBeCloseTo(2, 1);
});

it('takes no jitter from a packet whose time says nothing', () => {
  const arrivals = new Arrivals();
  for (let n = 0; n < 50; n++) {
    const isKey = n >= 20 && n < 30;
    const timestamp = (isKey ? 20 : n) * 960;
    arrivals.packet(0, { ...emptyRtpView(), sequence: n, timestamp }, !isKey, n * 20);
  }
  expect(arrivals.figures()).toMatchObject({ packets: 50, lost: 0 });
  expect(arrivals.figures().jitterMs).toBeLessThan(0.001);
});
