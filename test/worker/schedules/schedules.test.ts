// Random schedules of calls, people and faults on a real D1, judged by what the outside saw. `npm run bench -- schedules` plays
// thousands.
import { beforeAll, describe, expect, it } from 'vitest';
import { createCallStore } from '../../../worker/adapters/call-store-d1.ts';
import { openDatabase } from '../../../worker/adapters/database.ts';
import type { CallStore } from '../../../worker/ports.ts';
import { testEnv } from '../support.ts';
import { prepare } from './database.ts';
import { EVERYTHING } from './faults.ts';
import { playMany, shrink, type Summary } from './many.ts';
import { createMemoryStore } from './memory-store.ts';
import { planOf } from './plan.ts';
import { play } from './schedule.ts';

/** A schedule on the real D1 takes about 60 ms, one in memory a tenth of that. */
const SCHEDULES = { onD1: 70, inMemory: 300 };
const FIXED_SEED = 1;
const OWN_SEED = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
/** Slow machines only wait longer. */
const TIMEOUT_MS = 300_000;
const store = createCallStore(openDatabase(testEnv.DB));

beforeAll(() => prepare(testEnv.DB));

/** Fails with the shortest schedule that shows what is wrong. */
async function expectNothing({ found }: Summary, record: CallStore): Promise<void> {
  const [first] = found;
  expect(first && (await shrink(record, first))).toBeUndefined();
}

describe.each([
  ['the same seed as always', FIXED_SEED],
  ['a seed of its own', OWN_SEED % 2 ** 30],
])('with %s (%i)', (_name, seed) => {
  it(
    'no call is lost, made up, stuck or ended twice, whatever goes wrong',
    async () => {
      await expectNothing(await playMany(store, seed, SCHEDULES.onD1), store);
    },
    TIMEOUT_MS,
  );

  it(
    'nor is any while the record is in memory, which is faster',
    async () => {
      const memory = createMemoryStore();
      const summary = await playMany(memory, seed + SCHEDULES.onD1, SCHEDULES.inMemory);
      await expectNothing(summary, memory);
      if (seed !== FIXED_SEED) return;
      // Schedules in which nothing goes wrong would prove nothing.
      expect(EVERYTHING.filter((what) => !summary.happened[what])).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

it('a schedule repeats exactly', async () => {
  const [one, other] = [
    await play(planOf(FIXED_SEED), { prefix: 's1a-', store }),
    await play(planOf(FIXED_SEED), { prefix: 's1b-', store }),
  ];
  const withoutPrefix = (lines: readonly string[]) =>
    lines.map((line) => line.replaceAll(/s1[ab]-/g, ''));
  expect(withoutPrefix(other.transcript)).toEqual(withoutPrefix(one.transcript));
});
