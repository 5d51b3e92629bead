// How calls are going, counted by D1 in one batch. Every statement walks an index over the rows that it counts.
import { and, asc, count, desc, gte, isNotNull, notInArray, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { calls, numbers } from '../db/schema.ts';
import type { Call, CallState } from '../domain/call.ts';
import type { NumberId } from '../domain/ids.ts';
import type { Outcome } from '../domain/outcome.ts';
import { selectTeams, teamStatsFromRows, type TeamStats } from './team-stats-d1.ts';

export type LiveState = Exclude<CallState, 'tombstone' | 'ending' | 'ended'>;

/** Calls of one direction that have ended. */
export interface DirectionStats {
  readonly calls: number;
  readonly answered: number;
  /** From the announcement or request to the answer, nearest rank; null without an answered call. */
  readonly waitMs: { readonly p50: number; readonly p95: number } | null;
}

export interface OutcomeCount extends Pick<Call, 'direction'>, Pick<Outcome, 'result' | 'reason'> {
  readonly calls: number;
}

/** Calls that began from `fromMs` on and have ended. */
export interface PeriodStats {
  readonly fromMs: number;
  readonly inbound: DirectionStats;
  readonly outbound: DirectionStats;
  /** The most frequent first. */
  readonly outcomes: readonly OutcomeCount[];
  readonly teams: readonly TeamStats[];
}

export interface Stats {
  readonly live: readonly { readonly state: LiveState; readonly calls: number }[];
  /** Calls that are over, which the provider has not confirmed yet. */
  readonly unconfirmedEnds: number;
  /** In the order in which they were asked for. */
  readonly periods: readonly [PeriodStats, PeriodStats];
  /** Any number of the business; null when none is registered. */
  readonly numberId: NumberId | null;
}

/** @param periodsFromMs where each period begins, epoch ms; all of them last until now */
export async function readStats(
  db: DrizzleD1Database,
  periodsFromMs: readonly [number, number],
): Promise<Stats> {
  const [first, second] = periodsFromMs;
  const [live, [number], outcomes1, waits1, teams1, outcomes2, waits2, teams2] = await db.batch([
    selectLive(db),
    db.select({ id: numbers.id }).from(numbers).limit(1),
    selectOutcomes(db, first),
    selectWaits(db, first),
    selectTeams(db, first),
    selectOutcomes(db, second),
    selectWaits(db, second),
    selectTeams(db, second),
  ]);
  return {
    live: live.filter(({ state }) => state !== 'ending') as Stats['live'],
    unconfirmedEnds: live.find(({ state }) => state === 'ending')?.calls ?? 0,
    periods: [
      { ...period(first, outcomes1, waits1), teams: teamStatsFromRows(teams1) },
      { ...period(second, outcomes2, waits2), teams: teamStatsFromRows(teams2) },
    ],
    numberId: (number?.id ?? null) as NumberId | null,
  };
}

const selectLive = (db: DrizzleD1Database) =>
  db
    .select({ state: calls.state, calls: count() })
    .from(calls)
    // As a literal: SQLite takes the partial index for no parameter.
    .where(and(sql`is_live = 1`, notInArray(calls.state, ['tombstone', 'ended'])))
    .groupBy(calls.state);

const selectOutcomes = (db: DrizzleD1Database, fromMs: number) =>
  db
    .select({
      direction: calls.direction,
      result: calls.result,
      reason: calls.reason,
      calls: count(),
      answered: count(calls.answeredAtMs),
    })
    .from(calls)
    .where(and(gte(calls.createdAtMs, fromMs), isNotNull(calls.reason)))
    .groupBy(calls.direction, calls.result, calls.reason)
    .orderBy(desc(count()), asc(calls.direction), asc(calls.reason));

/** The offer's time is the provider's, in whole seconds, so it may lie after an answer of the same second. */
const waitMs = sql<number>`max(0, ${calls.answeredAtMs} - json_extract(${calls.data}, '$.offeredAtMs'))`;

function selectWaits(db: DrizzleD1Database, fromMs: number) {
  const waits = db
    .select({
      direction: calls.direction,
      waitMs: waitMs.as('wait_ms'),
      place: sql<number>`row_number() OVER (PARTITION BY ${calls.direction} ORDER BY ${waitMs})`.as(
        'place',
      ),
      total: sql<number>`count(*) OVER (PARTITION BY ${calls.direction})`.as('total'),
    })
    .from(calls)
    .where(
      and(gte(calls.createdAtMs, fromMs), isNotNull(calls.reason), isNotNull(calls.answeredAtMs)),
    )
    .as('waits');
  /** Nearest rank, in whole numbers: the first place that has this percentage of all at or before it. */
  const rank = (percent: number) =>
    sql<number>`min(CASE WHEN ${waits.place} * 100 >= ${waits.total} * ${percent} THEN ${waits.waitMs} END)`;
  return (
    db
      // Named, because a batch tells columns apart by their names alone.
      .select({ direction: waits.direction, p50: rank(50).as('p50'), p95: rank(95).as('p95') })
      .from(waits)
      .groupBy(waits.direction)
  );
}

type OutcomeRow = Awaited<ReturnType<typeof selectOutcomes>>[number];
type WaitRow = Awaited<ReturnType<typeof selectWaits>>[number];

function period(
  fromMs: number,
  outcomes: readonly OutcomeRow[],
  waits: readonly WaitRow[],
): Omit<PeriodStats, 'teams'> {
  const of = (direction: Call['direction']): DirectionStats => {
    const rows = outcomes.filter((row) => row.direction === direction);
    const wait = waits.find((row) => row.direction === direction);
    return {
      calls: total(rows.map((row) => row.calls)),
      answered: total(rows.map((row) => row.answered)),
      waitMs: wait ? { p50: wait.p50, p95: wait.p95 } : null,
    };
  };
  return {
    fromMs,
    inbound: of('inbound'),
    outbound: of('outbound'),
    // Rows are written by `rowFromCall` alone, which is what makes the cast sound.
    outcomes: outcomes.map(({ answered: _answered, ...row }) => row as OutcomeCount),
  };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
