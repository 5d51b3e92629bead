// How much was called and what it cost, added up by D1 in whole seconds and millionths; how calls are going.
import { and, asc, eq, gte, isNotNull, isNull, lt, ne, sql, type SQL } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { calls } from '../db/schema.ts';
import type { NumberId } from '../domain/ids.ts';
import { readStats, type Stats } from './stats-reader-d1.ts';

export type UsageReader = ReturnType<typeof createUsageReader>;

export interface Usage {
  readonly numberId: NumberId;
  readonly direction: 'inbound' | 'outbound';
  readonly calls: number;
  readonly answered: number;
  /** From pickup to end, of calls that ended. */
  readonly seconds: number;
  readonly billedS: number;
  /** Billed calls for which the rate card had nothing. */
  readonly withoutRate: number;
  readonly cost: readonly { readonly currency: string; readonly micros: number }[];
}

export interface UsageFilter {
  /** Calls created from here on, and before `toMs`. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly numberId?: NumberId | undefined;
}

/** SQL's sum of nothing is null. */
const total = (value: SQL) => sql<number>`coalesce(sum(${value}), 0)`.mapWith(Number);

export function createUsageReader(db: DrizzleD1Database) {
  return {
    /** One entry per number and direction that had calls. */
    async read({ fromMs, toMs, numberId }: UsageFilter): Promise<Usage[]> {
      const chosen = and(
        gte(calls.createdAtMs, fromMs),
        lt(calls.createdAtMs, toMs),
        ne(calls.state, 'tombstone'),
        numberId === undefined ? undefined : eq(calls.numberId, numberId),
      );
      const key = { numberId: calls.numberId, direction: calls.direction };
      const isBilled = sql`${calls.billedS} > 0 AND ${isNull(calls.costMicros)}`;
      const [groups, costs] = await db.batch([
        db
          .select({
            ...key,
            calls: sql<number>`count(*)`.mapWith(Number),
            answered: sql<number>`count(${calls.answeredAtMs})`.mapWith(Number),
            durationMs: total(sql`${calls.endedAtMs} - ${calls.answeredAtMs}`),
            billedS: total(sql`${calls.billedS}`),
            withoutRate: total(sql`${isBilled}`),
          })
          .from(calls)
          .where(chosen)
          .groupBy(calls.numberId, calls.direction)
          .orderBy(asc(calls.numberId), asc(calls.direction)),
        db
          .select({
            ...key,
            currency: sql<string>`${calls.costCurrency}`,
            micros: total(sql`${calls.costMicros}`),
          })
          .from(calls)
          .where(and(chosen, isNotNull(calls.costCurrency)))
          .groupBy(calls.numberId, calls.direction, calls.costCurrency)
          .orderBy(asc(calls.costCurrency)),
      ]);
      return groups.map(({ durationMs, ...group }) => ({
        ...group,
        numberId: group.numberId as NumberId,
        seconds: Math.floor(durationMs / 1000),
        cost: costs
          .filter((row) => row.numberId === group.numberId && row.direction === group.direction)
          .map(({ currency, micros }) => ({ currency, micros })),
      }));
    },

    /** How calls are going; `readStats` says what of. */
    stats: (periodsFromMs: readonly [number, number]): Promise<Stats> =>
      readStats(db, periodsFromMs),
  };
}
