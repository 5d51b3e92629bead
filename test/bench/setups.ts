// Whether call set-ups queue when the database is a network hop away: 20 a second for a minute, with 30 ms added to everything
// that is asked of D1. Latency that grows, or that is more than the sequence of D1 requests explains, is a queue.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { unstable_readConfig } from 'wrangler';
import { Supervisor } from '../local/processes.ts';
import { AckLoad, type Answers } from './ack-load.ts';
import { announceCall, type AnnouncedCall } from './ack-webhooks.ts';
import { NUMBER, processesOf, ROOT, startProduct, type Product } from './ack-workers.ts';
import { percentile, startUsage, type Usage } from './process-usage.ts';

const PER_SECOND = 20;
const SECONDS = 60;
const D1_DELAY_MS = 30;
const WARM_UP_S = 5;
/** How long callers wait before they give up, in ms: their calls ring by then. */
const PATIENCE_MS = 3_000;
/** The last quarter may be slower than the first by this much, in ms: a queue would add seconds within the minute. */
const NOISE_MS = D1_DELAY_MS / 2;
/** Under this share of idle time the processes waited for the CPU and the figures mean nothing, in percent. */
const IDLE_MIN = 15;

/** One request to D1; see baseline/slow-record.js. */
type Trip = { statements: string[]; fromMs: number; untilMs: number };

/** @param args `--seconds`, `--per-second` */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { seconds: { type: 'string' }, 'per-second': { type: 'string' } },
  });
  const perSecond = Number(values['per-second'] ?? PER_SECOND);
  const count = perSecond * Number(values.seconds ?? SECONDS);
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-setups-'));
  const supervisor = new Supervisor(join(stateFolder, 'logs'));
  try {
    const product = await startProduct(
      supervisor,
      join(stateFolder, 'roomline'),
      await slowConfig(stateFolder),
      { D1_DELAY_MS: String(D1_DELAY_MS) },
    );
    const bench = new SetUpBench(product);
    const tripMs = await bench.oneTripMs();
    console.log(`one request to D1 takes ${round(tripMs)} ms, ${D1_DELAY_MS} ms of it added`);
    if (tripMs < D1_DELAY_MS) throw new Error('the delay is not in force');
    await bench.offer(perSecond, perSecond * WARM_UP_S);
    const sequence = await bench.sequenceOfOne();
    const stop = startUsage(processes(product));
    const answers = await bench.offer(perSecond, count);
    const usage = stop();
    bench.close();
    return report(answers, usage, sequence);
  } finally {
    await supervisor.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
}

/** The product's own configuration, but for its entry. */
async function slowConfig(stateFolder: string): Promise<string> {
  const { name, compatibility_date, compatibility_flags, ...config } = unstable_readConfig(
    { config: join(ROOT, 'wrangler.toml') },
    { hideWarnings: true },
  );
  const folder = join(stateFolder, 'slow');
  const path = join(folder, 'wrangler.json');
  await mkdir(folder);
  await symlink(join(ROOT, 'migrations'), join(folder, 'migrations'));
  await writeFile(
    path,
    JSON.stringify({
      name,
      main: join(import.meta.dirname, 'baseline/slow-record.js'),
      compatibility_date,
      compatibility_flags,
      build: { command: config.build.command, cwd: ROOT },
      assets: { ...config.assets, directory: join(ROOT, config.assets?.directory ?? '') },
      d1_databases: config.d1_databases,
      durable_objects: config.durable_objects,
      migrations: config.migrations,
    }),
  );
  return path;
}

class SetUpBench {
  readonly #product: Product;
  readonly #load = new AckLoad();
  #announced = 0;

  constructor(product: Product) {
    this.#product = product;
  }

  close(): void {
    this.#load.close();
  }

  /** Calls that are announced, ring, and are given up. */
  async offer(perSecond: number, count: number): Promise<Answers> {
    const url = `${this.#product.url}/webhooks/whatsapp`;
    const calls: AnnouncedCall[] = [];
    const announced = this.#load.offer(url, perSecond, count, () => {
      const call = announceCall(NUMBER, this.#product.appSecret, this.#announced++);
      calls.push(call);
      return call.connect;
    });
    await delay(PATIENCE_MS);
    const ended = this.#load.offer(url, perSecond, count, (index) =>
      (calls[index] as AnnouncedCall).terminate(),
    );
    const [answers, { failed }] = await Promise.all([announced, ended]);
    return { ...answers, failed: answers.failed + failed };
  }

  async oneTripMs(): Promise<number> {
    const fromMs = performance.now();
    await this.#trips('POST');
    return performance.now() - fromMs;
  }

  /** The requests to D1 that one announcement waits for, one after the other; those at once are joined with ` + `. */
  async sequenceOfOne(): Promise<string[]> {
    const { outside } = this.#product;
    await this.#quiet();
    // What follows the announcement asks D1 as well, and is not waited for.
    await outside.ask({ do: 'hold' });
    await this.#trips('GET');
    const call = announceCall(NUMBER, this.#product.appSecret, this.#announced++);
    const url = `${this.#product.url}/webhooks/whatsapp`;
    await this.#load.offer(url, 1_000, 1, () => call.connect);
    const trips = await this.#trips('GET');
    await outside.ask({ do: 'release' });
    await this.#load.offer(url, 1_000, 1, () => call.terminate());
    return inSequence(trips);
  }

  /** Waits until nothing has asked D1 for a while, such as the clean-up of calls that are over. */
  async #quiet(): Promise<void> {
    const quietMs = 1_500;
    do {
      await this.#trips('GET');
      await delay(quietMs);
    } while ((await this.#trips('GET')).length > 0);
  }

  async #trips(method: 'GET' | 'POST'): Promise<Trip[]> {
    const response = await fetch(`${this.#product.url}/bench/trips`, { method });
    return (await response.json()) as Trip[];
  }
}

/** Groups requests that overlap in time. */
function inSequence(trips: readonly Trip[]): string[] {
  const groups: { untilMs: number; names: string[] }[] = [];
  for (const { statements, fromMs, untilMs } of trips.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = groups.at(-1);
    if (last && fromMs < last.untilMs) {
      last.names.push(nameOf(statements));
      last.untilMs = Math.max(last.untilMs, untilMs);
    } else {
      groups.push({ untilMs, names: [nameOf(statements)] });
    }
  }
  return groups.map(({ names }) => names.join(' + '));
}

/** What a request is about: the verb and the table of each of its statements. */
const nameOf = (statements: readonly string[]): string =>
  statements
    .map((sql) => {
      const [, verb = sql, table = ''] =
        /^(\w+)\b.*?\b(?:from|into|update) "(\w+)"/s.exec(sql) ?? [];
      return `${verb} ${table}`;
    })
    .join(', ');

const processes = (product: Product): Record<string, number> => ({
  ...processesOf('roomline', product),
  outside: product.outside.process.pid ?? 0,
  load: process.pid,
});

const round = (value: number): number => Math.round(value * 100) / 100;

function report(
  { latenciesMs, late, failed }: Answers,
  { cores, idle }: Usage,
  sequence: readonly string[],
): object {
  const shares = Object.entries(cores).map(([name, share]) => `${name} ${round(share)} %`);
  console.log(`${shares.join(', ')} of a core each; idle ${round(idle)} % of the machine`);
  const k = sequence.length;
  console.log(`\nrequests to D1 before the 200, one after the other: ${k}`);
  for (const [index, names] of sequence.entries()) console.log(`  ${index + 1}. ${names}`);
  const quarter = Math.floor(latenciesMs.length / 4);
  const first = latenciesMs.slice(0, quarter);
  const last = latenciesMs.slice(-quarter);
  const figures = {
    p50_first: round(percentile(first, 0.5)),
    p50_last: round(percentile(last, 0.5)),
    p95_first: round(percentile(first, 0.95)),
    p95_last: round(percentile(last, 0.95)),
  };
  console.log(`\n${'webhook to 200, in ms'.padEnd(24)}${'p50'.padStart(8)}${'p95'.padStart(9)}`);
  const line = (name: string, p50: number, p95: number) =>
    console.log(name.padEnd(24) + String(p50).padStart(8) + String(p95).padStart(9));
  line('first quarter', figures.p50_first, figures.p95_first);
  line('last quarter', figures.p50_last, figures.p95_last);
  console.log(`${k} x ${D1_DELAY_MS} ms = ${k * D1_DELAY_MS} ms; late ${late}, failed ${failed}`);
  const isGrowing =
    figures.p50_last > figures.p50_first + NOISE_MS ||
    figures.p95_last > figures.p95_first + NOISE_MS;
  // Room for one more request to D1 is what everything else may take.
  const isExplained = figures.p50_last < (k + 1) * D1_DELAY_MS;
  return {
    ...figures,
    k,
    sequence,
    late,
    failed,
    queueing: isGrowing || !isExplained || failed > 0,
    idle: round(idle),
    void: idle < IDLE_MIN,
  };
}
