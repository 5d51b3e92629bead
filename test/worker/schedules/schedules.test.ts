// Random schedules of calls, people and faults on a real D1, judged by what the outside saw. `npm run bench -- schedules` plays
// thousands.
import { beforeAll, expect, it } from 'vitest';
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

const SEED = 1;
/** A schedule on the real D1 takes about 60 ms, one in memory a tenth of that. */
const COUNT = 150;
const COUNT_IN_MEMORY = 400;
const store = createCallStore(openDatabase(testEnv.DB));

beforeAll(() => prepare(testEnv.DB));

/** Fails with the shortest schedule that shows what is wrong. */
async function expectNothing({ found }: Summary, record: CallStore): Promise<void> {
  const [first] = found;
  expect(first && (await shrink(record, first))).toBeUndefined();
}

it('no call is lost, made up, stuck or ended twice, whatever goes wrong', async () => {
  await expectNothing(await playMany(store, SEED, COUNT), store);
}, 120_000);

it('nor is any while the record is in memory, which is faster', async () => {
  const memory = createMemoryStore();
  const summary = await playMany(memory, SEED + COUNT, COUNT_IN_MEMORY);
  await expectNothing(summary, memory);
  // Schedules in which nothing goes wrong would prove nothing.
  expect(EVERYTHING.filter((what) => !summary.happened[what])).toEqual([]);
}, 60_000);

it('a schedule repeats exactly', async () => {
  const [one, other] = [
    await play(planOf(SEED), { prefix: 's1a-', store }),
    await play(planOf(SEED), { prefix: 's1b-', store }),
  ];
  const withoutPrefix = (lines: readonly string[]) =>
    lines.map((line) => line.replaceAll(/s1[ab]-/g, ''));
  expect(withoutPrefix(other.transcript)).toEqual(withoutPrefix(one.transcript));
});
