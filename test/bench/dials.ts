// Whether calls of the business end as they must: random users, phones, webhook orders and faults, through the real worker,
// relay and livekit-server, each end compared with the one that follows from the scenario.
import { mkdtemp, rm } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freeStackPorts, startStack, type Stack } from '../support/stack.ts';
import { addNumber, runScenario, type Bench, type DialNumber, type Seen } from './dial-runner.ts';
import {
  describeAttempt,
  scenariosFrom,
  type Attempt,
  type Permission,
  type Scenario,
} from './dial-scenarios.ts';
import { GraphTap } from './graph-tap.ts';
import { startUsage } from './process-usage.ts';
import { randomFrom } from './random.ts';

const COUNT = 1_000;
/** Calls at a time unless given; the relay of the local stack takes 50. */
const CONCURRENCY = 12;
const PROVIDERS = ['meta', 'meta', 'meta', '360dialog'] as const;
/** A dial that nobody confirmed may turn up for 60 s; after that no call may be left, in ms. */
const SETTLE_MS_MAX = 90_000;
const POLL_MS = 250;
const SHOWN_MAX = 20;
const PROGRESS_EVERY = 100;

type Result = Seen & { readonly attempt: Attempt; readonly permission: Permission };

/** @param args `--count` dials, 1000 unless given; `--seed` repeats an earlier choice; `--concurrency` calls at a time */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      concurrency: { type: 'string' },
    },
  });
  const count = Number(values.count ?? COUNT);
  const seed = Number(values.seed ?? randomInt(2 ** 31));
  const concurrency = Number(values.concurrency ?? CONCURRENCY);
  console.log(`seed ${seed}, ${count} dials, ${concurrency} at a time`);
  const scenarios = scenariosFrom(randomFrom(seed), count);
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-dials-'));
  const stack = await startStack({ stateFolder, ports: await freeStackPorts() });
  const tap = await GraphTap.start(stack.simulatorUrl);
  try {
    const numbers: DialNumber[] = [];
    for (const provider of PROVIDERS) numbers.push(await addNumber({ stack, tap }, provider));
    const bench: Bench = { stack, tap, numbers, events: await stack.admin.events() };
    const fromMs = performance.now();
    const stop = startUsage({ bench: process.pid, relay: stack.relay.pid });
    const results = await runAll(bench, scenarios, concurrency);
    const { idle } = stop();
    const seconds = Math.round((performance.now() - fromMs) / 1000);
    const left = await unsettled(stack);
    bench.events.close();
    console.log(
      `${results.length} dials in ${seconds} s; ${Math.round(idle)} % of the machine idle`,
    );
    return report(results, left);
  } finally {
    await tap.stop();
    await stack.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
}

/** So many scenarios at a time, in order. */
async function runAll(
  bench: Bench,
  scenarios: readonly Scenario[],
  concurrency: number,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = scenarios.entries();
  const work = async (): Promise<void> => {
    for (const [index, scenario] of waiting) {
      const user = `35193${String(index).padStart(7, '0')}`;
      const number = bench.numbers[index % bench.numbers.length] as DialNumber;
      const seen = await runScenario(bench, scenario, user, number);
      const { permission } = scenario;
      for (const [position, each] of seen.entries()) {
        results.push({ ...each, permission, attempt: scenario.attempts[position] as Attempt });
        if (results.length % PROGRESS_EVERY === 0) console.log(`${results.length} dials`);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

/** Calls that never come to rest: in the record, and at the provider. */
async function unsettled(stack: Stack): Promise<string[]> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX;
  const states = 'asking,ringing,claimed,offering,dialling,accepting,active,ending';
  for (;;) {
    const { data } = await stack.admin.request<{ data: { id: string; state: string }[] }>(
      'GET',
      `/v1/calls?state=${states}&limit=200`,
    );
    const phones = (await stack.simulator.list()).filter(({ state }) => state !== 'ended');
    const left = [
      ...data.map(({ id, state }) => `call ${id} is ${state}`),
      ...phones.map(({ wacid, state }) => `the phone of ${wacid} is ${state}`),
    ];
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function report(results: readonly Result[], left: readonly string[]): object {
  printTable(results);
  const wrong = results.filter(
    ({ end, flaws, attempt }) => end !== attempt.expected || flaws.length > 0,
  );
  for (const { end, flaws, attempt, permission, callId } of wrong.slice(0, SHOWN_MAX)) {
    const what = [
      end === attempt.expected ? '' : `${end} instead of ${attempt.expected}`,
      ...flaws,
    ];
    console.log(
      `unexpected: ${what.filter(Boolean).join('; ')} (${describeAttempt(permission, attempt)}; call ${callId ?? '-'})`,
    );
  }
  for (const line of left.slice(0, SHOWN_MAX)) console.log(`left behind: ${line}`);
  const calls = results.filter(({ callId }) => callId !== undefined);
  const requests = calls.reduce((sum, each) => sum + each.requests, 0);
  const graphPerCall = Math.round((100 * requests) / calls.length) / 100;
  const preventable = results
    .filter(({ attempt }) => attempt.expected.startsWith('refused'))
    .reduce((sum, { dials }) => sum + dials, 0);
  console.log(
    `requests to the provider per finished call: ${graphPerCall} (${calls.length} calls)`,
  );
  console.log(`dials that the ledger should have prevented: ${preventable}`);
  return {
    dials: results.length,
    unexpected: wrong.length + left.length,
    graph_per_call: graphPerCall,
    preventable,
  };
}

function printTable(results: readonly Result[]): void {
  const ends = [...new Set(results.flatMap(({ end, attempt }) => [end, attempt.expected]))];
  console.log(`\n${'outcome'.padEnd(28)}${'expected'.padStart(9)}${'seen'.padStart(9)}`);
  for (const end of ends.toSorted((a, b) => a.localeCompare(b))) {
    const expected = results.filter(({ attempt }) => attempt.expected === end).length;
    const seen = results.filter((result) => result.end === end).length;
    console.log(end.padEnd(28) + String(expected).padStart(9) + String(seen).padStart(9));
  }
  console.log('');
}
