// Many schedules on one database, several at a time; what they found, in sum.
import fc from 'fast-check';
import type { CallStore } from '../../../worker/ports.ts';
import type { Violation } from './judge.ts';
import { anyPlan, planOf } from './plan.ts';
import { play, type Played } from './schedule.ts';
import type { Control } from './world.ts';

/** While one schedule waits for the database, others compute. */
const AT_A_TIME = 8;
const SHRINK_MS_MAX = 60_000;

export interface Found {
  /** The schedule's own seed; it repeats it alone. */
  readonly seed: number;
  readonly violations: readonly Violation[];
}

export interface Summary {
  readonly schedules: number;
  readonly calls: number;
  readonly commits: number;
  /** Longest time that a connected caller heard nobody while nothing was wrong any more, in ms. */
  readonly aloneMs: number;
  /** How often each fault really happened. */
  readonly happened: Readonly<Record<string, number>>;
  readonly found: readonly Found[];
}

let runs = 0;

/** Ids of calls that no other run uses, even of the same seed. */
const prefixOf = (seed: number): string => `s${seed}r${++runs}-`;

/** @param seed of the first schedule; the others have those that follow */
export async function playMany(
  store: CallStore,
  seed: number,
  count: number,
  control?: Control,
): Promise<Summary> {
  const played: { seed: number; result: Played }[] = [];
  const waiting = Array.from({ length: count }, (_, index) => seed + index).values();
  const work = async (): Promise<void> => {
    for (const each of waiting) {
      const options = { prefix: prefixOf(each), store, control };
      played.push({ seed: each, result: await play(planOf(each), options) });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  const happened: Record<string, number> = {};
  for (const { result } of played) {
    for (const [what, times] of result.happened) happened[what] = (happened[what] ?? 0) + times;
  }
  const sum = (of: (result: Played) => number): number =>
    played.reduce((total, { result }) => total + of(result), 0);
  return {
    schedules: played.length,
    calls: sum(({ calls }) => calls),
    commits: sum(({ commits }) => commits),
    aloneMs: Math.max(0, ...played.map(({ result }) => result.aloneMs)),
    happened,
    found: played
      .filter(({ result }) => result.violations.length > 0)
      .map(({ seed: of, result }) => ({ seed: of, violations: result.violations })),
  };
}

/** The shortest schedule that shows the same kind of violation, with what happened in it, as text. */
export async function shrink(
  store: CallStore,
  { seed, violations }: Found,
  control?: Control,
): Promise<string> {
  const kind = violations[0]?.kind;
  const playOnce = (plan: Parameters<typeof play>[0]): Promise<Played> =>
    play(plan, { prefix: prefixOf(seed), store, control });
  const details = await fc.check(
    fc.asyncProperty(anyPlan, async (plan) => {
      const { violations: now } = await playOnce(plan);
      return now.every((violation) => violation.kind !== kind);
    }),
    { seed, numRuns: 1, interruptAfterTimeLimit: SHRINK_MS_MAX },
  );
  const plan = details.counterexample?.[0] ?? planOf(seed);
  const { transcript, violations: left } = await playOnce(plan);
  return [
    `seed ${seed}: ${JSON.stringify(plan)}`,
    ...transcript,
    ...left.map(({ kind: what, callId, atMs, detail }) => `${atMs} ${callId}: ${what} (${detail})`),
  ].join('\n');
}
