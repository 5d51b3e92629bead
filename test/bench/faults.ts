// Whether every call ends as it must when things go wrong: calls of both directions through the real worker, relay and
// livekit-server, with faults of the provider, of people, of media and, now and then, of whole processes. Each call is looked at
// afterwards from outside: the provider's view of it, the record, LiveKit, the relay.
import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { waitUntil } from '../local/ports.ts';
import type { RoomlineClient } from '../support/roomline-client.ts';
import { freeStackPorts, startStack, type Stack } from '../support/stack.ts';
import { addNumber, runScenario, type Bench, type DialNumber } from './dial-runner.ts';
import { scenarioFrom, type Attempt, type Permission, type Scenario } from './dial-scenarios.ts';
import { CALLS_PER_ROUND, PROCESS_FAULTS, strikeCalls } from './fault-processes.ts';
import { FaultRunner, NO_TRACE, unplayed, type Fate } from './fault-runner.ts';
import { inboundScenario, type InboundScenario } from './fault-scenarios.ts';
import { GraphTap } from './graph-tap.ts';
import { startUsage } from './process-usage.ts';
import { randomFrom, type Random } from './random.ts';

const COUNT = 200;
/** Calls at a time. */
const CONCURRENCY = 4;
const PROVIDERS = ['meta', '360dialog'] as const;
/** After the last call of a part, in ms: a dial that nobody confirmed may turn up for 60 s. */
const QUIET_MS_MAX = 90_000;
const SHOWN_MAX = 20;
const FOREIGN = "another app's call";
const ALLOWED = new Set<Permission>(['permanent-unknown', 'temporary-unknown', 'granted-by-reply']);

/** One thing to do: a call of a user, calls of the business to one user, or a call of another app. */
type Item = { inbound: InboundScenario } | { outbound: Scenario } | 'foreign';

/** @param args `--count` calls, 200 unless given; `--seed` repeats an earlier choice */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { count: { type: 'string' }, seed: { type: 'string' } },
  });
  const count = Number(values.count ?? COUNT);
  const seed = Number(values.seed ?? randomInt(2 ** 31));
  console.log(`seed ${seed}, ${count} calls, ${CONCURRENCY} at a time`);
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-faults-'));
  const stack = await startStack({ stateFolder, ports: await freeStackPorts() });
  const tap = await GraphTap.start(stack.simulatorUrl);
  try {
    const stop = startUsage({ bench: process.pid });
    const fates = await new FaultBench(stack, tap).run(count, randomFrom(seed));
    console.log(`${Math.round(stop().idle)} % of the machine idle`);
    return report(fates, seed);
  } finally {
    await tap.stop();
    await stack.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
}

class FaultBench {
  readonly #stack: Stack;
  readonly #tap: GraphTap;
  readonly #runner: FaultRunner;
  #users = 0;

  constructor(stack: Stack, tap: GraphTap) {
    this.#stack = stack;
    this.#tap = tap;
    this.#runner = new FaultRunner(stack);
  }

  /** Calls in as many parts as there are faults of processes, one of which comes after each part. */
  async run(count: number, random: Random): Promise<Fate[]> {
    const numbers: DialNumber[] = [];
    for (const provider of PROVIDERS) {
      numbers.push(await addNumber({ stack: this.#stack, tap: this.#tap }, provider));
    }
    const desks: RoomlineClient[] = [];
    for (let index = 0; index < CONCURRENCY; index++) {
      desks.push(await this.#stack.agent(`Agent ${index}`));
    }
    const faults = Object.keys(PROCESS_FAULTS);
    const fates: Fate[] = [];
    for (const [index, fault] of faults.entries()) {
      const until = Math.round(((index + 1) * count) / faults.length) - CALLS_PER_ROUND;
      fates.push(...(await this.#mixed(itemsFrom(random, until - fates.length), numbers, desks)));
      fates.push(...(await this.#leftBehind()));
      fates.push(...(await strikeCalls(this.#runner, fault, desks[0] as RoomlineClient)));
      fates.push(...(await this.#leftBehind()));
      console.log(`${fates.length} calls`);
    }
    return fates;
  }

  async #mixed(
    items: readonly Item[],
    numbers: DialNumber[],
    desks: readonly RoomlineClient[],
  ): Promise<Fate[]> {
    const events = await this.#stack.admin.events();
    const bench: Bench = { stack: this.#stack, tap: this.#tap, numbers, events };
    const fates: Fate[] = [];
    const waiting = items.values();
    const work = async (desk: RoomlineClient): Promise<void> => {
      for (const item of waiting) {
        const played = this.#play(item, bench, desk);
        fates.push(...(await played.catch((error: unknown) => [unplayed(nameOf(item), error)])));
      }
    };
    await Promise.all(desks.map(work));
    events.close();
    return fates;
  }

  async #play(item: Item, bench: Bench, desk: RoomlineClient): Promise<Fate[]> {
    const user = `35196${String(this.#users++).padStart(7, '0')}`;
    if (item === 'foreign') return [await this.#foreign(user)];
    if ('inbound' in item) {
      const call = { from: user, ...item.inbound.inbound.call };
      const inbound = { ...item.inbound.inbound, call };
      return [await this.#runner.inbound({ ...item.inbound, inbound }, desk)];
    }
    const number = bench.numbers[this.#users % bench.numbers.length] as DialNumber;
    const seen = await runScenario(bench, item.outbound, user, number);
    const fates: Fate[] = [];
    for (const [index, { end, flaws, callId }] of seen.entries()) {
      const attempt = item.outbound.attempts[index] as Attempt;
      const call = { fault: `outbound: ${faultOf(attempt)}`, expected: [attempt.expected], end };
      fates.push({ ...call, ...(await this.#afterDial(callId, flaws)) });
    }
    return fates;
  }

  /** A call of the business that is over, seen from outside. */
  async #afterDial(
    callId: string | undefined,
    seen: readonly string[],
  ): Promise<Pick<Fate, 'flaws' | 'truthMs' | 'callId'>> {
    if (callId === undefined) return { flaws: seen, truthMs: undefined };
    const call = await this.#stack.admin.call(callId);
    // One that nobody confirmed is still being looked for.
    if (call.state !== 'ended') return { flaws: seen, truthMs: undefined, callId };
    const wacid = call.provider_call_id as string | null;
    const report = wacid === null ? undefined : await this.#stack.simulator.get(wacid);
    const flaws = [...seen, ...(await this.#runner.flawsOf(call, report))];
    const isTheirs = report?.ended?.by === 'callee' || report?.ended?.by === 'platform';
    const truthMs =
      isTheirs && call.ended_at !== null && report?.endedAtMs != null
        ? // A status such as REJECTED tells of the end before the provider ends the call.
          Math.max(0, Date.parse(call.ended_at) - report.endedAtMs)
        : undefined;
    return { flaws, truthMs, callId };
  }

  /** Another app of the account calls somebody; its webhooks come to everybody. */
  async #foreign(to: string): Promise<Fate> {
    const phone = await this.#stack.simulator.foreignCall({ to, ring_ms: 150, talk_ms: 300 });
    const what = { fault: FOREIGN, expected: [], decidedAtMs: undefined };
    return this.#runner.settle(phone, { ...what, placedAtMs: Date.now() });
  }

  /** Calls that never come to rest, places at the relay that stay taken: one fate each, and none when all is well. */
  async #leftBehind(): Promise<Fate[]> {
    const { admin, simulator } = this.#stack;
    const left = async (): Promise<string[]> => {
      const states = 'asking,offered,preparing,ringing,claimed,offering,dialling,accepting,active';
      const { data } = await admin.request<{ data: { id: string; state: string }[] }>(
        'GET',
        `/v1/calls?state=${states},ending&limit=200`,
      );
      const phones = (await simulator.list()).filter(({ state }) => state !== 'ended');
      const held = await this.#runner.heldByRelays();
      return [
        ...data.map(({ id, state }) => `call ${id} is ${state}`),
        ...phones.map(({ wacid, state }) => `the phone of ${wacid} is ${state}`),
        ...(held > 0 ? [`${held} places at the relay are taken`] : []),
      ];
    };
    const isQuiet = async () => (await left()).length === 0;
    await waitUntil('quiet', QUIET_MS_MAX, isQuiet).catch(() => undefined);
    return (await left()).map((flaw) => ({
      fault: 'left behind',
      expected: [],
      end: NO_TRACE,
      truthMs: undefined,
      flaws: [flaw],
    }));
  }
}

/** Calls that the user allows; what is refused beforehand is the subject of `dials`. */
function allowedScenario(random: Random): Scenario {
  for (;;) {
    const scenario = scenarioFrom(random);
    if (ALLOWED.has(scenario.permission)) return scenario;
  }
}

/** Makes up things to do with so many calls in all. */
function itemsFrom(random: Random, calls: number): Item[] {
  const items: Item[] = [];
  for (let left = calls; left > 0;) {
    const kind = random.pick({ inbound: 55, outbound: 41, foreign: 4 });
    if (kind === 'outbound') {
      const scenario = allowedScenario(random);
      const outbound = { ...scenario, attempts: scenario.attempts.slice(0, left) };
      items.push({ outbound });
      left -= outbound.attempts.length;
    } else {
      items.push(kind === 'foreign' ? kind : { inbound: inboundScenario(random) });
      left -= 1;
    }
  }
  return items;
}

const nameOf = (item: Item): string => {
  if (item === 'foreign') return FOREIGN;
  return 'inbound' in item ? item.inbound.fault : 'outbound';
};

const faultOf = ({ fault, order, phone }: Attempt): string => {
  if (fault !== 'none') return fault;
  return order === 'in-order' ? `phone ${phone}` : `webhooks ${order}`;
};

const isUnexpected = ({ end, expected, flaws }: Fate): boolean =>
  flaws.length > 0 || !(expected.length === 0 ? end === NO_TRACE : expected.includes(end));

function report(fates: readonly Fate[], seed: number): object {
  printTable(fates);
  const wrong = fates.filter(isUnexpected);
  for (const { fault, expected, end, flaws, callId } of wrong.slice(0, SHOWN_MAX)) {
    const wanted = expected.length === 0 ? NO_TRACE : expected.join(' or ');
    const what = [`${end}, expected ${wanted}`, ...flaws].join('; ');
    console.log(`unexpected: ${fault}: ${what} (call ${callId ?? '-'})`);
  }
  const times = fates.flatMap(({ truthMs }) => truthMs ?? []);
  return {
    calls: fates.filter(({ fault }) => fault !== 'left behind').length,
    unexpected: wrong.length,
    seed,
    longest_ms: Math.round(Math.max(0, ...times)),
  };
}

function printTable(fates: readonly Fate[]): void {
  const line = (fault: string, expected: string, seen: string, longest: string) =>
    console.log(`${fault.padEnd(39)} ${expected.padEnd(40)} ${seen.padEnd(43)} ${longest}`);
  console.log('');
  line('fault', 'expected', 'seen', 'longest');
  const faults = [...new Set(fates.map(({ fault }) => fault))];
  for (const fault of faults.toSorted((a, b) => a.localeCompare(b))) {
    const these = fates.filter((fate) => fate.fault === fault);
    const expected = [...new Set(these.flatMap(({ expected }) => [...expected]))];
    const seen = Object.entries(Object.groupBy(these, ({ end }) => end)).map(
      ([end, some]) => `${end} ${some?.length ?? 0}`,
    );
    const times = these.flatMap(({ truthMs }) => truthMs ?? []);
    const longest = times.length === 0 ? '' : `${Math.round(Math.max(...times))} ms`;
    // Calls of the business differ in what phone and user do as well.
    const wanted = expected.length > 2 ? 'each its own' : expected.join(', ') || NO_TRACE;
    line(fault, wanted, seen.join(', '), longest);
  }
  console.log('');
}
