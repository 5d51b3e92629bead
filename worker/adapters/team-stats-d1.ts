// How calls of each team went, counted by D1.
import { and, asc, count, eq, gte, isNotNull, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { calls } from '../db/schema.ts';

/** Calls of users that were last routed to a team, began in the period and have ended. */
export interface TeamStats {
  readonly teamId: string;
  readonly calls: number;
  /** Somebody spoke with the caller. */
  readonly talked: number;
  /** The caller left before. */
  readonly abandoned: number;
  /** From the announcement until somebody spoke with the caller, nearest rank; null where nobody did. */
  readonly waitMs: { readonly p50: number; readonly p95: number } | null;
}

const talkedAtMs = sql`json_extract(${calls.data}, '$.talkedAtMs')`;

/** The offer's time is the provider's, in whole seconds. */
const waitMs = sql<number>`max(0, ${talkedAtMs} - json_extract(${calls.data}, '$.offeredAtMs'))`;

/** A statement for a batch; its rows are for `teamStatsFromRows`. */
export function selectTeams(db: DrizzleD1Database, fromMs: number) {
  const one = db
    .select({
      teamId: calls.teamId,
      isTalked: sql<number>`${talkedAtMs} IS NOT NULL`.as('is_talked'),
      isAbandoned: sql<number>`${talkedAtMs} IS NULL AND ${calls.endedBy} = 'caller'`.as(
        'is_abandoned',
      ),
      waitMs: waitMs.as('wait_ms'),
      place:
        sql<number>`row_number() OVER (PARTITION BY ${calls.teamId}, ${talkedAtMs} IS NULL ORDER BY ${waitMs})`.as(
          'place',
        ),
      total: sql<number>`count(*) OVER (PARTITION BY ${calls.teamId}, ${talkedAtMs} IS NULL)`.as(
        'total',
      ),
    })
    .from(calls)
    .where(
      and(
        gte(calls.createdAtMs, fromMs),
        isNotNull(calls.reason),
        isNotNull(calls.teamId),
        eq(calls.direction, 'inbound'),
      ),
    )
    .as('one');
  /** The first place that has this percentage of those who were spoken with at or before it. */
  const rank = (percent: number) =>
    sql<
      number | null
    >`min(CASE WHEN ${one.isTalked} AND ${one.place} * 100 >= ${one.total} * ${percent} THEN ${one.waitMs} END)`;
  return (
    db
      // Named, because a batch tells columns apart by their names alone.
      .select({
        teamId: one.teamId,
        calls: count().as('calls'),
        talked: sql<number>`sum(${one.isTalked})`.as('talked'),
        abandoned: sql<number>`sum(${one.isAbandoned})`.as('abandoned'),
        p50: rank(50).as('p50'),
        p95: rank(95).as('p95'),
      })
      .from(one)
      .groupBy(one.teamId)
      .orderBy(asc(one.teamId))
  );
}

export const teamStatsFromRows = (
  rows: Awaited<ReturnType<typeof selectTeams>>,
): readonly TeamStats[] =>
  rows.map(({ teamId, p50, p95, ...counted }) => ({
    ...counted,
    teamId: teamId ?? '',
    waitMs: p50 === null || p95 === null ? null : { p50, p95 },
  }));
