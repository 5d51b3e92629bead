// The rate card in D1, and how many minutes of a prefix were billed this month.
import { and, asc, eq, gte, inArray, lt, lte, sql, sum } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { calls, rates } from '../db/schema.ts';
import { tariffOf, type Rate, type Tariff } from '../domain/pricing.ts';

export type RateStore = ReturnType<typeof createRateStore>;

/** One statement takes the rows as one JSON parameter; D1 limits a parameter to 2 MB. */
const ROWS_PER_STATEMENT = 5_000;
const PREFIX_DIGITS_MAX = 15;

export function createRateStore(db: DrizzleD1Database) {
  /** Seconds billed to a prefix in the calendar month of `atMs`, before it. */
  const billedBefore = async (prefix: string, atMs: number): Promise<number> => {
    const month = new Date(atMs);
    const startMs = Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), 1);
    const [row] = await db
      .select({ billedS: sum(calls.billedS).mapWith(Number) })
      .from(calls)
      .where(
        and(
          // Also what makes the partial index usable.
          sql`rate_prefix IS NOT NULL`,
          eq(calls.ratePrefix, prefix),
          gte(calls.answeredAtMs, startMs),
          lt(calls.answeredAtMs, atMs),
        ),
      );
    return row?.billedS ?? 0;
  };

  return {
    /** Replaces the whole card, all or nothing. */
    async replace(card: readonly Rate[]): Promise<void> {
      const inserts = [];
      for (let start = 0; start < card.length; start += ROWS_PER_STATEMENT) {
        const rows = JSON.stringify(card.slice(start, start + ROWS_PER_STATEMENT));
        inserts.push(
          // In the order of the table's columns.
          db.insert(rates).select(sql`
            SELECT value ->> 'prefix', value ->> 'tierFromMinutes', value ->> 'currency',
              value ->> 'microsPerMinute', value ->> 'validFrom'
            FROM json_each(${rows})`),
        );
      }
      await db.batch([db.delete(rates), ...inserts]);
    },

    async all(): Promise<Rate[]> {
      return db
        .select()
        .from(rates)
        .orderBy(asc(rates.prefix), asc(rates.validFrom), asc(rates.tierFromMinutes));
    },

    /**
     * What a call picked up at `pickedUpAtMs` is priced by. Months and days are those of UTC. Provider: the tier follows from the
     * minutes called within the calendar month, counted as messages are, by market; Calling API pricing, read 2026-06.
     *
     * @param phone E.164 digits; null for users who hide their number, whose country is not known
     * @returns null when the card has no rate for it
     */
    async tariffFor(phone: string | null, pickedUpAtMs: number): Promise<Tariff | null> {
      if (phone === null) return null;
      const prefixes = Array.from({ length: Math.min(phone.length, PREFIX_DIGITS_MAX) }, (_, n) =>
        phone.slice(0, n + 1),
      );
      if (prefixes.length === 0) return null;
      const day = new Date(pickedUpAtMs).toISOString().slice(0, 10);
      const rows = await db
        .select()
        .from(rates)
        .where(and(inArray(rates.prefix, prefixes), lte(rates.validFrom, day)));
      const tariff = tariffOf(rows, phone, day);
      if (!tariff) return null;
      const hasTiers = tariff.tiers.length > 1;
      const billedBeforeS = hasTiers ? await billedBefore(tariff.prefix, pickedUpAtMs) : 0;
      return { ...tariff, billedBeforeS };
    },
  };
}
