import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { mosOf, ratingOf } from '../../../../relay/domain/mos.ts';

// ITU-T G.107 annex B, table B.1, which rounds up, and the rating of a connection that nothing impairs.
it.each([
  [93.2, 4.41],
  [90, 4.34],
  [80, 4.03],
  [70, 3.6],
  [60, 3.1],
  [50, 2.58],
  [0, 1],
  [-5, 1],
  [100, 4.5],
])('rates %d as a score of %d', (rating, mos) => {
  expect(Math.abs(mosOf(rating) - mos)).toBeLessThan(0.01);
});

const path = (change: Partial<Parameters<typeof ratingOf>[0]> = {}) => ({
  lossShare: 0,
  burstPackets: 1,
  delayMs: 0,
  ...change,
});

it('does not rate a delay that nobody notices', () => {
  expect(ratingOf(path({ delayMs: 100 }))).toBe(93.2);
});

// Idd by hand: X is 1 at twice, 2 at four times the 100 ms that are noticed.
it.each([
  [200, 25 * (2 ** (1 / 6) - 3 * (1 + 3 ** -6) ** (1 / 6) + 2)],
  [400, 25 * (65 ** (1 / 6) - 3 * (1 + (2 / 3) ** 6) ** (1 / 6) + 2)],
])('takes the impairment of clause 7.4 for a delay of %d ms', (delayMs, impairment) => {
  expect(93.2 - ratingOf(path({ delayMs }))).toBeCloseTo(impairment, 6);
});

it('takes the impairment of clause 7.5 for losses, which is larger where they come in bursts', () => {
  // Ie-eff = 95 * 5 / (5 + 20)
  expect(93.2 - ratingOf(path({ lossShare: 0.05 }))).toBeCloseTo(19, 6);
  // BurstR = 4 * 0.95
  const bursts = path({ lossShare: 0.05, burstPackets: 4 });
  expect(93.2 - ratingOf(bursts)).toBeCloseTo((95 * 5) / (5 / 3.8 + 20), 6);
});

it('is never better for more loss, more delay or longer bursts, and never outside the scale', () => {
  const paths = fc.record({
    lossShare: fc.double({ min: 0, max: 1, noNaN: true }),
    burstPackets: fc.double({ min: 1, max: 500, noNaN: true }),
    delayMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
  });
  fc.assert(
    fc.property(paths, fc.constantFrom('lossShare', 'burstPackets', 'delayMs'), (given, worse) => {
      const before = ratingOf(given);
      const factor =
        worse === 'lossShare' ? Math.min(1, given.lossShare * 1.5) : given[worse] * 1.5;
      expect(ratingOf({ ...given, [worse]: factor })).toBeLessThanOrEqual(before + 1e-9);
      expect(mosOf(before)).toBeGreaterThanOrEqual(1);
      expect(mosOf(before)).toBeLessThanOrEqual(4.5);
    }),
  );
});
