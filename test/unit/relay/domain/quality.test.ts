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
    ['across the wrap of the sequence number', from(65_530, 20).filter((n) => n !== 65_536), 1],
  ])('counts %s', (_name, sequences, lost) => {
    const quality = hear(sequences);
    expect(quality.lost).toBe(lost);
    expect(quality.packets).toBe(sequences.length);
  });

  it('keeps the count when the source changes, and takes the change for no loss', () => {
    const quality = hear([1, 2, 4]);
    quality.packet(2, 9_000, 0, 100);
    quality.packet(2, 9_001, 960, 120);
    quality.packet(2, 9_003, 2_880, 160);
    expect(quality.lost).toBe(2);
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
