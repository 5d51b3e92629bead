import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  billedSeconds,
  chargeOf,
  tariffOf,
  type Rate,
  type Tariff,
} from '../../../../worker/domain/pricing.ts';
import { decimalFromMicros, parseRateCard } from '../../../../worker/domain/rate-card.ts';

const T0 = 1_790_000_000_000;
const tariff = (more: Partial<Tariff> = {}): Tariff => ({
  prefix: '351',
  currency: 'USD',
  tiers: [
    { tierFromMinutes: 0, microsPerMinute: 10_300 },
    { tierFromMinutes: 50_000, microsPerMinute: 9_000 },
    { tierFromMinutes: 250_000, microsPerMinute: 4_200 },
  ],
  billedBeforeS: 0,
  ...more,
});
const call = (seconds: number) => ({
  direction: 'outbound' as const,
  pickedUpAtMs: T0,
  endedAtMs: T0 + seconds * 1000,
});

describe('seconds billed', () => {
  it.each([
    [0, 0],
    [0.001, 6],
    [6, 6],
    [6.001, 12],
    [56, 60],
    [61, 66],
    [-3, 0],
  ])('%d s are billed as %d s', (seconds, billed) => {
    expect(billedSeconds(seconds * 1000)).toBe(billed);
  });

  it('are whole pulses, never less than the call and less than one pulse more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000_000 }), (ms) => {
        const billed = billedSeconds(ms);
        expect(billed % 6).toBe(0);
        expect(billed * 1000).toBeGreaterThanOrEqual(ms);
        expect(billed * 1000 - ms).toBeLessThan(6000);
      }),
    );
  });
});

describe('the charge', () => {
  it('is nothing for calls of users and calls that nobody picked up', () => {
    expect(chargeOf({ ...call(60), direction: 'inbound' }, tariff())).toEqual({ billedS: 0 });
    expect(chargeOf({ ...call(60), pickedUpAtMs: null }, tariff())).toEqual({ billedS: 0 });
  });

  it('has seconds and no cost without a rate', () => {
    expect(chargeOf(call(61), null)).toEqual({ billedS: 66 });
  });

  it.each([
    ['the first tier', 0, 61, 11_330],
    ['the last call that ends in the first tier', 50_000 * 60 - 60, 60, 10_300],
    ['a call that crosses a tier, wholly at the higher one', 50_000 * 60 - 54, 60, 9_000],
    ['a call that begins in the second tier', 50_000 * 60, 60, 9_000],
    ['a call far above', 9_000_000 * 60, 60, 4_200],
  ])('prices %s', (_name, billedBeforeS, seconds, costMicros) => {
    expect(chargeOf(call(seconds), tariff({ billedBeforeS }))).toMatchObject({
      costMicros,
      currency: 'USD',
      ratePrefix: '351',
    });
  });

  it('is a whole number of millionths, within half of one of the exact price', () => {
    fc.assert(
      fc.property(fc.nat(86_400), fc.nat(9_999_999_999), (seconds, microsPerMinute) => {
        const { billedS, costMicros = -1 } = chargeOf(
          call(seconds),
          tariff({ tiers: [{ tierFromMinutes: 0, microsPerMinute }] }),
        );
        expect(Number.isSafeInteger(costMicros)).toBe(true);
        const off = BigInt(costMicros) * 60n - BigInt(microsPerMinute) * BigInt(billedS);
        expect(off >= -30n && off <= 30n).toBe(true);
      }),
    );
  });
});

describe('the tariff', () => {
  const rate = (
    prefix: string,
    validFrom: string,
    microsPerMinute: number,
    tierFromMinutes = 0,
  ): Rate => ({
    prefix,
    tierFromMinutes,
    currency: 'USD',
    microsPerMinute,
    validFrom,
  });
  const rates = [
    rate('1', '2026-01-01', 1),
    rate('1242', '2026-01-01', 2),
    rate('1242', '2026-07-01', 4, 50_000),
    rate('1242', '2026-07-01', 3),
    rate('1242', '2027-01-01', 5),
  ];

  it.each([
    ['12125550100', '2026-06-30', '1', [1]],
    ['12425550100', '2026-06-30', '1242', [2]],
    ['12425550100', '2026-07-01', '1242', [3, 4]],
    ['12425550100', '2026-12-31', '1242', [3, 4]],
  ])('of %s on %s is that of %s', (phone, day, prefix, micros) => {
    const found = tariffOf(rates, phone, day);
    expect(found?.prefix).toBe(prefix);
    expect(found?.tiers.map(({ microsPerMinute }) => microsPerMinute)).toEqual(micros);
  });

  it('does not exist before the first day nor for other prefixes', () => {
    expect(tariffOf(rates, '12425550100', '2025-12-31')).toBeNull();
    expect(tariffOf(rates, '351910000001', '2026-06-30')).toBeNull();
  });
});

describe('the rate card', () => {
  const HEADER = 'prefix,tier_from_minutes,currency,price_per_minute,valid_from';

  it('is read as spreadsheets write it', () => {
    const csv = `\uFEFF${HEADER}\r\n+351,0,USD,0.0103,2026-07-01\r\n"351","50000","USD","1","2026-07-01"\r\n\r\n`;
    expect(parseRateCard(csv)).toEqual({
      ok: true,
      rates: [
        {
          prefix: '351',
          tierFromMinutes: 0,
          currency: 'USD',
          microsPerMinute: 10_300,
          validFrom: '2026-07-01',
        },
        {
          prefix: '351',
          tierFromMinutes: 50_000,
          currency: 'USD',
          microsPerMinute: 1_000_000,
          validFrom: '2026-07-01',
        },
      ],
    });
  });

  it.each<[string, string, number, string | null]>([
    ['a letter in the prefix', '35x,0,USD,1,2026-07-01', 3, 'prefix'],
    ['a tier that is no number', '44,-1,USD,1,2026-07-01', 3, 'tier_from_minutes'],
    ['a currency in small letters', '44,0,usd,1,2026-07-01', 3, 'currency'],
    ['a price with a comma', '44,0,USD,1;5,2026-07-01', 3, 'price_per_minute'],
    ['a seventh decimal', '44,0,USD,0.0000001,2026-07-01', 3, 'price_per_minute'],
    ['a day that does not exist', '44,0,USD,1,2026-02-29', 3, 'valid_from'],
    ['a missing field', '44,0,USD,1', 3, null],
    ['the same line again', '1,0,USD,1,2026-07-01', 3, null],
    ['a second currency', '1,50000,EUR,1,2026-07-01', 3, 'currency'],
    ['no first tier', '44,50000,USD,1,2026-07-01', 3, 'tier_from_minutes'],
  ])('is refused for %s, which is named', (_name, row, line, column) => {
    const result = parseRateCard(`${HEADER}\n1,0,USD,1,2026-07-01\n${row}\n`);
    expect(result).toMatchObject({ ok: false, problems: [{ line, column }] });
  });

  it('names every broken line and reads none', () => {
    const result = parseRateCard(
      `${HEADER}\nx,0,USD,1,2026-07-01\n1,0,USD,1,2026-07-01\n1,0,USD\n`,
    );
    expect(result.ok ? [] : result.problems.map(({ line }) => line)).toEqual([2, 4]);
  });

  it('needs its header', () => {
    expect(parseRateCard('351,0,USD,1,2026-07-01')).toMatchObject({ problems: [{ line: 1 }] });
    expect(parseRateCard('')).toMatchObject({ problems: [{ line: 1 }] });
  });

  it('keeps prices to the last digit', () => {
    fc.assert(
      fc.property(fc.nat(9_999_999_999), (micros) => {
        const price = decimalFromMicros(micros);
        const result = parseRateCard(`${HEADER}\n351,0,USD,${price},2026-07-01`);
        expect(result).toMatchObject({ rates: [{ microsPerMinute: micros }] });
      }),
    );
    expect([0, 1, 10_300, 1_500_000].map(decimalFromMicros)).toEqual([
      '0',
      '0.000001',
      '0.0103',
      '1.5',
    ]);
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (rest) => {
        parseRateCard(`${HEADER}\n${rest}`);
      }),
    );
  });
});
