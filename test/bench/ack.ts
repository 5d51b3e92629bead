// How long the provider waits for its 200: signed announcements of calls to the real worker, against a worker that makes one
// empty call to a Durable Object and one insert into D1. Both take turns in short slices, so that noise hits both.
//
// On one machine the runtime does everything on one thread, the database as well, which elsewhere has many. So what follows an
// announcement (the relay's answer, the room) is held back until its slice is over, and measured along with it only at last.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { waitUntil } from '../local/ports.ts';
import { Supervisor } from '../local/processes.ts';
import { AckLoad, type Answers } from './ack-load.ts';
import { announceCall, type AnnouncedCall } from './ack-webhooks.ts';
import {
  NUMBER,
  processesOf,
  startBaseline,
  startProduct,
  type Host,
  type Product,
} from './ack-workers.ts';
import { percentile, startUsage, type Usage } from './process-usage.ts';

/** Announcements a second. */
const LEVELS = [20, 50, 100];
/** Announcements per level and worker: 20 of them lie above the 99th percentile. */
const SAMPLES = 2_000;
/** Shorter than the 5 s for which the worker waits for an answer that is held back. */
const SLICE_S = 3;
const WARM_UP = 200;
/** The load between slices, which ends the calls of the slice, in webhooks a second. */
const CLEAR_PER_S = 50;
const CLEAR_MS_MAX = 60_000;
/** Under this share of idle time the processes waited for the CPU and the figures mean nothing, in percent. */
const IDLE_MIN = 15;

type Figures = { p50_ms: number; p95_ms: number; p99_ms: number; late: number; failed: number };
/** Whether what follows an announcement waits until the slice is over, or happens at once. */
type Follow = 'held' | 'at-once';
type Level = {
  per_second: number;
  follow: Follow;
  samples: number;
  roomline: Figures;
  baseline: Figures;
  ratio_p50: number;
  ratio_p95: number;
  ratio_p99: number;
  idle: number;
  void: boolean;
};

/** @param args levels other than the usual ones, such as `20 50`; `--samples` per level and worker */
export async function run(args: string[]): Promise<object> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { samples: { type: 'string' } },
  });
  const samples = Number(values.samples ?? SAMPLES);
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-ack-'));
  const supervisor = new Supervisor(join(stateFolder, 'logs'));
  const levels: Level[] = [];
  try {
    const baseline = await startBaseline(supervisor, join(stateFolder, 'baseline'));
    const product = await startProduct(supervisor, join(stateFolder, 'roomline'));
    const bench = new AckBench(product, baseline);
    await bench.warmUp();
    const rates = positionals.length > 0 ? positionals.map(Number) : LEVELS;
    for (const perSecond of rates) levels.push(await bench.measure(perSecond, samples, 'held'));
    levels.push(await bench.measure(rates[0] ?? NaN, samples, 'at-once'));
    bench.close();
  } finally {
    await supervisor.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
  printLevels(levels);
  const [first, whole] = [levels[0], levels.at(-1)];
  return {
    ratio_p95: first?.ratio_p95,
    ratio_p99: first?.ratio_p99,
    whole_ratio_p95: whole?.ratio_p95,
    whole_ratio_p99: whole?.ratio_p99,
    per_second: first?.per_second,
    void: levels.some((level) => level.void),
    levels,
  };
}

class AckBench {
  readonly #product: Product;
  readonly #baseline: Host;
  readonly #load = new AckLoad();
  #announced = 0;

  constructor(product: Product, baseline: Host) {
    this.#product = product;
    this.#baseline = baseline;
  }

  close(): void {
    this.#load.close();
  }

  async warmUp(): Promise<void> {
    await this.#askBaseline(CLEAR_PER_S, WARM_UP);
    await this.#askProduct(CLEAR_PER_S, WARM_UP, 'at-once');
  }

  async measure(perSecond: number, samples: number, follow: Follow): Promise<Level> {
    const perSlice = Math.min(samples, perSecond * SLICE_S);
    const roomline = newAnswers();
    const baseline = newAnswers();
    const stop = startUsage(this.#processes());
    for (let left = samples; left > 0; left -= perSlice) {
      const count = Math.min(left, perSlice);
      add(baseline, await this.#askBaseline(perSecond, count));
      add(roomline, await this.#askProduct(perSecond, count, follow));
    }
    const usage = stop();
    printUsage(`${perSecond}/s, ${follow}`, usage);
    const ratio = (share: number) =>
      round(percentile(roomline.latenciesMs, share) / percentile(baseline.latenciesMs, share));
    return {
      per_second: perSecond,
      samples,
      follow,
      roomline: figuresOf(roomline),
      baseline: figuresOf(baseline),
      ratio_p50: ratio(0.5),
      ratio_p95: ratio(0.95),
      ratio_p99: ratio(0.99),
      idle: round(usage.idle),
      void: usage.idle < IDLE_MIN,
    };
  }

  #askBaseline(perSecond: number, count: number): Promise<Answers> {
    return this.#load.offer(this.#baseline.url, perSecond, count, () => this.#announce().connect);
  }

  /** One slice of calls, which are over when this resolves, so that none of them is left to the next slice. */
  async #askProduct(perSecond: number, count: number, follow: Follow): Promise<Answers> {
    const { outside } = this.#product;
    if (follow === 'held') await outside.ask({ do: 'hold' });
    const url = `${this.#product.url}/webhooks/whatsapp`;
    const calls: AnnouncedCall[] = [];
    const answers = await this.#load.offer(url, perSecond, count, () => {
      const call = this.#announce();
      calls.push(call);
      return call.connect;
    });
    await outside.ask({ do: 'release' });
    // One that cannot be ended rings until its limit.
    await this.#load.offer(url, CLEAR_PER_S, count, (index) =>
      (calls[index] as AnnouncedCall).terminate(),
    );
    await waitUntil('the end of all calls', CLEAR_MS_MAX, () => this.#isQuiet());
    return answers;
  }

  #announce(): AnnouncedCall {
    return announceCall(NUMBER, this.#product.appSecret, this.#announced++);
  }

  async #isQuiet(): Promise<boolean> {
    const states = 'offered,preparing,ringing,ending';
    const { data } = await this.#product.admin.request<{ data: unknown[] }>(
      'GET',
      `/v1/calls?state=${states}&limit=1`,
    );
    return data.length === 0;
  }

  #processes(): Record<string, number> {
    return {
      ...processesOf('roomline', this.#product),
      ...processesOf('baseline', this.#baseline),
      outside: this.#product.outside.process.pid ?? 0,
      load: process.pid,
    };
  }
}

const newAnswers = (): Answers => ({ latenciesMs: [], late: 0, failed: 0 });

function add(all: Answers, { latenciesMs, late, failed }: Answers): void {
  all.latenciesMs.push(...latenciesMs);
  all.late += late;
  all.failed += failed;
}

const round = (value: number): number => Math.round(value * 100) / 100;

const figuresOf = ({ latenciesMs, late, failed }: Answers): Figures => ({
  p50_ms: round(percentile(latenciesMs, 0.5)),
  p95_ms: round(percentile(latenciesMs, 0.95)),
  p99_ms: round(percentile(latenciesMs, 0.99)),
  late,
  failed,
});

function printUsage(what: string, { cores, idle }: Usage): void {
  const shares = Object.entries(cores).map(([name, share]) => `${name} ${round(share)} %`);
  console.log(`${what}: ${shares.join(', ')} of a core each; idle ${round(idle)} % of the machine`);
}

function printLevels(levels: readonly Level[]): void {
  const columns = [7, 9, 10, 26, 6, 7];
  const line = (...cells: string[]) =>
    console.log(cells.map((cell, index) => cell.padEnd(columns[index] ?? 0)).join(' '));
  console.log('');
  line('per s', 'follow', 'worker', 'p50 / p95 / p99 in ms', 'late', 'failed', 'idle');
  for (const level of levels) {
    for (const name of ['baseline', 'roomline'] as const) {
      const { p50_ms, p95_ms, p99_ms, late, failed } = level[name];
      line(
        String(level.per_second),
        level.follow,
        name,
        `${p50_ms} / ${p95_ms} / ${p99_ms}`,
        String(late),
        String(failed),
        `${level.idle} %${level.void ? ' VOID: the machine was busy' : ''}`,
      );
    }
    const { per_second, follow, ratio_p50, ratio_p95, ratio_p99 } = level;
    line(String(per_second), follow, 'ratio', `${ratio_p50} / ${ratio_p95} / ${ratio_p99}`);
  }
}
