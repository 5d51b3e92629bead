// A contact centre under load: callers against agents who answer, ignore, decline and vanish, through the real worker. Nothing is
// heard here; what counts is the fate of every caller, and that nobody is rung for two calls at once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { route } from '../../worker/domain/route.ts';
import { ruleSet, type RuleSet } from '../../worker/domain/rules.ts';
import { Supervisor } from '../local/processes.ts';
import type { CallView } from '../support/roomline-client.ts';
import { AckLoad } from './ack-load.ts';
import { announceCall, type AnnouncedCall } from './ack-webhooks.ts';
import { NUMBER, processesOf, startProduct, type Product } from './ack-workers.ts';
import { percentile, startUsage } from './process-usage.ts';
import { randomFrom, type Random } from './random.ts';
import { HABITS, RoutingAgent, type Figures } from './routing-agent.ts';

const CALLS = 500;
const AGENTS = 50;
const PER_SECOND = 4;
/** How long callers wait before they hang up, in ms: at least, and how much more at most. */
const PATIENCE_MS = { min: 10_000, spread: 50_000 };
/** Every call is over by then, in ms: patience, the longest conversation, and what the end may take. */
const OVER_MS_MAX = 120_000;

const TEAMS = { sales: 'Sales', support: 'Support' } as const;

/** Half of the calls are for each team; who finds nobody goes to the other one. */
const RULES = {
  rules: [
    {
      name: 'sales',
      match: { percentage: 50 },
      steps: [
        { ring: { team: 'sales', strategy: 'all', seconds: 10 } },
        { queue: { team: 'sales', each_s: 5, longest_wait_s: 30 } },
        { queue: { team: 'support', each_s: 5, longest_wait_s: 20 } },
      ],
    },
  ],
  otherwise: [
    { queue: { team: 'support', each_s: 5, longest_wait_s: 30 } },
    { queue: { team: 'sales', each_s: 5, longest_wait_s: 20 } },
  ],
};

/** @param args `--calls`, `--agents`, `--seed` */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { calls: { type: 'string' }, agents: { type: 'string' }, seed: { type: 'string' } },
  });
  const count = Number(values.calls ?? CALLS);
  const seed = Number(values.seed ?? Date.now());
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-routing-'));
  const supervisor = new Supervisor(join(stateFolder, 'logs'));
  try {
    const product = await startProduct(supervisor, join(stateFolder, 'roomline'));
    const bench = new RoutingBench(product, randomFrom(seed));
    await bench.open(Number(values.agents ?? AGENTS));
    const stop = startUsage({ ...processesOf('roomline', product), load: process.pid });
    const calls = await bench.play(count);
    const usage = stop();
    bench.close();
    return { seed, ...bench.report(calls, count), idle: round(usage.idle), ...routeTime() };
  } finally {
    await supervisor.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
}

class RoutingBench {
  readonly #product: Product;
  readonly #random: Random;
  readonly #load: AckLoad;
  readonly #agents: RoutingAgent[] = [];
  readonly #figures: Figures = {
    losersToldMs: [],
    beaten: 0,
    did: { answer: 0, ignore: 0, decline: 0, vanish: 0, 'claim and vanish': 0 },
  };
  /** Whom each call keeps busy, as the events tell it. */
  readonly #busy = new Map<string, readonly string[]>();
  #doubleRings = 0;
  #watch: Awaited<ReturnType<Product['admin']['events']>> | null = null;

  constructor(product: Product, random: Random) {
    this.#product = product;
    this.#random = random;
    this.#load = new AckLoad(() => random.next());
  }

  /** Teams, rules and agents, all of them at work. */
  async open(count: number): Promise<void> {
    const { admin, outside } = this.#product;
    const claimedAtMs = new Map<string, number>();
    const members: Record<string, string[]> = { sales: [], support: [] };
    for (const [id, name] of Object.entries(TEAMS))
      await admin.request('POST', '/v1/teams', { id, name });
    for (let index = 0; index < count; index++) {
      const { id, key } = await admin.createAgent(`Agent ${index}`);
      members[index % 2 === 0 ? 'sales' : 'support']?.push(id);
      const random = randomFrom(this.#random.below(2 ** 31));
      const agent = { id, client: admin.as(key) };
      this.#agents.push(new RoutingAgent(agent, outside, random, this.#figures, claimedAtMs));
    }
    for (const [id, agent_ids] of Object.entries(members))
      await admin.request('PUT', `/v1/teams/${id}/members`, { agent_ids });
    await admin.request('PUT', '/v1/rules', { rules: RULES });
    this.#watch = await admin.events();
    this.#watch.onNotice = ({ call }) => this.#note(call);
    for (const agent of this.#agents) await agent.start();
  }

  /** Events come in the order of the decisions, so this sees what the worker decided. */
  #note(call: CallView): void {
    const isOver = call.state === 'ending' || call.state === 'ended';
    const claimed = call.claimed_by ? [call.claimed_by.agent_id] : [];
    const before = this.#busy.get(call.id) ?? [];
    const now = isOver ? [] : [...claimed, ...(call.ringing_for ?? [])];
    this.#busy.set(call.id, now);
    const others = new Set(
      [...this.#busy].filter(([id]) => id !== call.id).flatMap(([, agents]) => agents),
    );
    for (const agent of now)
      if (!before.includes(agent) && others.has(agent)) this.#doubleRings += 1;
  }

  /** Everybody calls; who is not answered in time hangs up. */
  async play(count: number): Promise<CallView[]> {
    const { admin, appSecret, url } = this.#product;
    const webhooks = `${url}/webhooks/whatsapp`;
    const leaving: Promise<unknown>[] = [];
    await this.#load.offer(webhooks, PER_SECOND, count, (index) => {
      const call = announceCall(NUMBER, appSecret, index);
      leaving.push(this.#hangUpLater(webhooks, call));
      return call.connect;
    });
    await Promise.all(leaving);
    const endMs = performance.now() + OVER_MS_MAX;
    for (;;) {
      const calls = await allCalls(admin);
      const isOver = calls.length === count && calls.every(({ state }) => state === 'ended');
      if (isOver || performance.now() > endMs) return calls;
      await delay(1_000);
    }
  }

  /** Patience ends whether somebody speaks with the caller or not, as conversations do. */
  async #hangUpLater(url: string, call: AnnouncedCall): Promise<void> {
    await delay(PATIENCE_MS.min + this.#random.next() * PATIENCE_MS.spread);
    await this.#load.offer(url, 1_000, 1, () => call.terminate());
  }

  close(): void {
    for (const agent of this.#agents) agent.stop();
    this.#watch?.close();
    this.#load.close();
  }

  report(calls: readonly CallView[], count: number): object {
    const fates = new Map<string, number>();
    for (const { state, outcome } of calls) {
      const fate = outcome?.reason ?? `still ${state}`;
      fates.set(fate, (fates.get(fate) ?? 0) + 1);
    }
    const waitsMs = calls
      .flatMap(({ ringing_at, talked_at }) =>
        ringing_at !== null && talked_at !== null
          ? [Date.parse(talked_at) - Date.parse(ringing_at)]
          : [],
      )
      .toSorted((one, other) => one - other);
    const { losersToldMs, beaten, did } = this.#figures;
    const lost = count - calls.filter(({ state, outcome }) => state === 'ended' && outcome).length;
    console.log(`\n${count} calls, ${this.#agents.length} agents; what became of the calls:`);
    for (const [fate, number] of [...fates].toSorted((one, other) => other[1] - one[1]))
      console.log(`  ${fate.padEnd(24)}${String(number).padStart(6)}`);
    console.log(
      `rings: ${Object.keys(HABITS)
        .map((habit) => `${habit} ${did[habit as keyof typeof HABITS]}`)
        .join(', ')}`,
    );
    const figures = {
      lost,
      double_rings: this.#doubleRings,
      spoken_with: waitsMs.length,
      wait_p50_ms: round(percentile(waitsMs, 0.5)),
      wait_p95_ms: round(percentile(waitsMs, 0.95)),
      losers_told: losersToldMs.length,
      losers_told_p99_ms: round(percentile(losersToldMs, 0.99)),
      beaten,
    };
    console.log(figures);
    return { ...figures, fates: Object.fromEntries(fates) };
  }
}

async function allCalls(admin: Product['admin']): Promise<CallView[]> {
  const calls: CallView[] = [];
  for (let after = ''; ;) {
    const page = await admin.request<{ data: CallView[]; next_cursor: string | null }>(
      'GET',
      `/v1/calls?limit=100${after}`,
    );
    calls.push(...page.data);
    if (page.next_cursor === null) return calls;
    after = `&cursor=${encodeURIComponent(page.next_cursor)}`;
  }
}

/** What fits but for its last part. */
const NEARLY = [
  { caller: { countries: ['PT'] }, hours: { schedule: 'never', is: 'open' } },
  { caller: { countries: ['PT'], list: 'vip' } },
  { caller: { returning: false, tag: 'vip' } },
  { payload: { starts_with: 'order' } },
] as const;

/** How long `route` takes with as many rules as a set may have, none of which fits, in ms. */
function routeTime(): { route_p50_ms: number; route_p99_ms: number } {
  const set: RuleSet = ruleSet.parse({
    rules: Array.from({ length: 1_000 }, (_, index) => ({
      name: `rule ${index}`,
      match: { numbers: ['n'], ...NEARLY[index % NEARLY.length] },
      steps: [{ reject: {} }],
    })),
    schedules: {
      never: {
        timezone: 'Europe/Lisbon',
        weekly: [{ day: 'monday', open: '0000', close: '0001' }],
      },
    },
    lists: { vip: Array.from({ length: 1_000 }, (_, index) => `4930${1_000_000 + index}`) },
    otherwise: [{ reject: {} }],
  });
  const facts = {
    callId: 'c',
    numberId: 'n',
    phone: '351910000001',
    country: 'PT',
    tags: [],
    isReturning: false,
    payload: null,
    numberHours: null,
    availableTeams: new Set<string>(),
  };
  const timesMs: number[] = [];
  for (let turn = 0; turn < 1_000; turn++) {
    const fromMs = performance.now();
    route(set, { ...facts, callId: `c${turn}` }, Date.now());
    timesMs.push(performance.now() - fromMs);
  }
  return {
    route_p50_ms: round(percentile(timesMs, 0.5)),
    route_p99_ms: round(percentile(timesMs, 0.99)),
  };
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
