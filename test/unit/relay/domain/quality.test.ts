import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReceiveQuality } from '../../../../relay/domain/quality.ts';

/** Feeds packets 20 ms apart; `sequences` as received, `lateMs` by index. */
function hear(
  sequences: readonly number[],
  lateMs: (index: number) => number = () => 0,
): ReceiveQuality {
  const quality = new ReceiveQuality();
  sequences.forEach((sequence, index) => {
    quality.packet(1, sequence & 0xffff, (sequence * 960) >>> 0, index * 20 + lateMs(index));
  });
  return quality;
}

const from = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => first + index);

describe('loss', () => {
  it.each<[name: string, sequences: number[], lost: number]>([
    ['none in an unbroken stream', from(100, 50), 0],
    ['what never came', from(100, 50).filter((n) => n !== 110 && n !== 111), 2],
    ['nothing for a swapped pair', [1, 2, 4, 3, 5], 0],
    ['nothing for one that came before the first', [2, 1, 3], 0],
    ['what lies between the first and one from before', [9, 5, 10], 3],
    ['across the wrap of the sequence number', from(65_530, 20).filter((n) => n !== 65_536), 1],
  ])('counts %s', (_name, sequences, lost) => {
    const quality = hear(sequences);
    expect(quality.counts()).toMatchObject({ lost, packets: sequences.length });
  });

  it('keeps the count when the source changes, and takes the change for no loss', () => {
    const quality = hear([1, 2, 4]);
    quality.packet(2, 9_000, 0, 100);
    quality.packet(2, 9_001, 960, 120);
    quality.packet(2, 9_003, 2_880, 160);
    expect(quality.counts()).toMatchObject({ lost: 2, gaps: 2, longestGap: 1 });
  });

  it('reports the share lost since the report before', () => {
    const quality = hear(from(0, 10).filter((n) => n !== 5));
    expect(quality.report()).toMatchObject({
      fractionLost: 25,
      cumulativeLost: 1,
      highestSequence: 9,
    });
    quality.packet(1, 10, 9_600, 200);
    expect(quality.report()).toMatchObject({ fractionLost: 0, cumulativeLost: 1 });
    expect(new ReceiveQuality().report()).toBeUndefined();
  });
});

describe('order', () => {
  it('tells what came twice from what was overtaken, whatever the loss', () => {
    const quality = hear([1, 2, 2, 5, 4, 4, 1, 9]);
    expect(quality.counts()).toEqual({
      packets: 5,
      lost: 4,
      duplicates: 3,
      reordered: 1,
      gaps: 2,
      longestGap: 3,
    });
  });

  it('says of each packet whether it is new', () => {
    const quality = new ReceiveQuality();
    const isNew = [7, 8, 8, 6, 6, 7].map((n) => quality.packet(1, n, n * 960, n * 20));
    expect(isNew).toEqual([true, true, false, true, false, false]);
  });

  it('counts as the numbers say, under any loss, doubling and disorder within the window', () => {
    const fate = fc.record({ copies: fc.nat(2), delay: fc.nat(40) });
    fc.assert(
      fc.property(
        fc.nat(0xffff),
        fc.array(fate, { minLength: 1, maxLength: 300 }),
        (first, fates) => {
          const arrivals = fates
            .flatMap(({ copies, delay }, n) =>
              Array.from({ length: copies }, (_, copy) => ({
                n,
                at: n + (copy === 0 ? delay : 40),
              })),
            )
            .toSorted((one, other) => one.at - other.at)
            .map(({ n }) => n);
          const come = new Set(arrivals);
          const quality = hear(arrivals.map((n) => first + n));
          const numbers = [...come];
          const span = come.size === 0 ? 0 : Math.max(...numbers) - Math.min(...numbers) + 1;
          const runs = Array.from({ length: span }, (_, index) => Math.min(...numbers) + index)
            .map((n) => (come.has(n) ? ' ' : 'x'))
            .join('')
            .split(' ')
            .filter((run) => run !== '');
          let highest = -1;
          let overtaken = 0;
          const seen = new Set<number>();
          for (const n of arrivals) {
            if (!seen.has(n) && n < highest) overtaken += 1;
            seen.add(n);
            highest = Math.max(highest, n);
          }
          expect(quality.counts()).toEqual({
            packets: come.size,
            lost: span - come.size,
            duplicates: arrivals.length - come.size,
            reordered: overtaken,
            gaps: runs.length,
            longestGap: Math.max(0, ...runs.map((run) => run.length)),
          });
        },
      ),
    );
  });
});

describe('jitter', () => {
  it('is none for an even stream', () => {
    expect(hear(from(0, 200)).jitterMs).toBeLessThan(0.001);
  });

  it('settles at the mean change of transit time', () => {
    // Every other packet 8 ms late: each transit differs from the one before by 8 ms.
    expect(hear(from(0, 400), (index) => (index % 2) * 8).jitterMs).toBeCloseTo(8, 1);
  });

  it('does not jump when the timestamp wraps', () => {
    const quality = new ReceiveQuality();
    const first = 0xffff_ffff - 960 * 2;
    for (const index of from(0, 10))
      quality.packet(1, index, (first + index * 960) >>> 0, index * 20);
    expect(quality.jitterMs).toBeLessThan(0.001);
  });
});
