import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../../worker/domain/token-bucket.ts';

const rate = { perSecond: 2, burst: 3 };

const takenOf = (bucket: TokenBucket, tries: number, nowMs: number): number =>
  Array.from({ length: tries }, () => bucket.take(nowMs)).filter(Boolean).length;

describe('a token bucket', () => {
  it('gives its burst at once, then so many a second, and never more than its burst after a pause', () => {
    const bucket = new TokenBucket(rate, 0);
    expect(takenOf(bucket, 5, 0)).toBe(3);
    expect(takenOf(bucket, 5, 499)).toBe(0);
    expect(takenOf(bucket, 5, 500)).toBe(1);
    expect(takenOf(bucket, 9, 60_000)).toBe(3);
  });

  it('tells how long until there is one', () => {
    const bucket = new TokenBucket(rate, 0);
    expect(bucket.waitMs(0)).toBe(0);
    takenOf(bucket, 3, 0);
    expect(bucket.waitMs(100)).toBe(400);
    expect(bucket.take(100 + 400)).toBe(true);
  });

  it('takes back what was not needed, up to its burst', () => {
    const bucket = new TokenBucket(rate, 0);
    takenOf(bucket, 3, 0);
    bucket.giveBack();
    expect(takenOf(bucket, 5, 0)).toBe(1);
    for (let i = 0; i < 9; i++) bucket.giveBack();
    expect(takenOf(bucket, 9, 0)).toBe(3);
  });

  it('whatever the clock does, gives no more than its burst and what the clock went forward', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5_000, max: 5_000 })), (stepsMs) => {
        const bucket = new TokenBucket(rate, 0);
        let nowMs = 0;
        let forwardMs = 0;
        let taken = 0;
        for (const stepMs of stepsMs) {
          nowMs += stepMs;
          forwardMs += Math.max(0, stepMs);
          if (bucket.take(nowMs)) taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(rate.burst + (forwardMs / 1000) * rate.perSecond);
      }),
      { numRuns: 300 },
    );
  });
});
