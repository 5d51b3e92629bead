// Whether calls survive whatever goes wrong: random schedules of calls, people and faults against the Switchboard's core on real
// local D1 databases, judged by what the provider, the relays, LiveKit and the agents saw. And the state machine alone, on random
// walks.
import { randomInt } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import type { TestHarness } from 'wrangler';
import { anyWalk } from '../unit/worker/domain/schedules/any-walk.ts';
import { walk } from '../unit/worker/domain/schedules/walk.ts';

const ROOT = join(import.meta.dirname, '../..');
const COUNT = 10_000;
/** Each has a runtime and a database of its own; more than cores does not help. */
const PLAYERS = 2;
/** Schedules per request. */
const BATCH = 40;
const PROGRESS_EVERY = 1_000;
const SHOWN_MAX = 3;
/** A database on a disk waits for it at every commit, ten times as long as for everything else. */
const MEMORY_FOLDER = '/dev/shm';

interface Found {
  readonly seed: number;
  readonly violations: readonly { readonly kind: string; readonly callId: string }[];
}

/** As `test/worker/schedules/many.ts` sums schedules up. */
interface Summary {
  readonly schedules: number;
  readonly calls: number;
  readonly commits: number;
  readonly aloneMs: number;
  readonly happened: Readonly<Record<string, number>>;
  readonly found: readonly Found[];
}

interface Player {
  /** Plays `count` schedules from the one with this seed on. */
  play(order: {
    seed: number;
    count: number;
    control: string | undefined;
    inMemory: boolean;
  }): Promise<Summary>;
  /** The shortest schedule with the same violation, as text. */
  shrink(found: Found, control: string | undefined): Promise<string>;
  stop(): Promise<void>;
}

interface Total {
  schedules: number;
  calls: number;
  commits: number;
  aloneMs: number;
  readonly happened: Map<string, number>;
  readonly found: Found[];
}

/**
 * @param args `--count` schedules, 10000 unless given; `--seed` repeats an earlier run, with `--count 1` one schedule of it;
 * `--control` takes a part of the product out (`no-fence`, `deaf-to-lost-relays`, `dials-twice`, `silent-about-hold`, `no-alarm`);
 * `--in-memory` leaves the databases out
 */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      control: { type: 'string' },
      'in-memory': { type: 'boolean', default: false },
    },
  });
  const count = Number(values.count ?? COUNT);
  const seed = Number(values.seed ?? randomInt(2 ** 31 - COUNT));
  const { control, 'in-memory': inMemory } = values;
  console.log(`seed ${seed}, ${count} schedules${control === undefined ? '' : `, ${control}`}`);
  const walks = takeWalks(seed, count);
  useMemoryFolder();
  const players = await startPlayers(PLAYERS);
  try {
    const fromMs = performance.now();
    const total = await playAll(players, { seed, count, control, inMemory });
    const seconds = (performance.now() - fromMs) / 1000;
    const figures = report(total, seconds);
    const [player] = players;
    for (const found of player ? total.found.slice(0, SHOWN_MAX) : []) {
      console.log(`\n${await player?.shrink(found, control)}`);
    }
    return { ...figures, ...walks };
  } finally {
    await Promise.all(players.map((player) => player.stop()));
  }
}

function takeWalks(seed: number, count: number): object {
  const fromMs = performance.now();
  const details = fc.check(
    fc.property(anyWalk, (path) => {
      const wrong = walk(path);
      if (wrong.length > 0) throw new Error(wrong.join('; '));
    }),
    { seed, numRuns: count },
  );
  const perSecond = Math.round((1000 * details.numRuns) / (performance.now() - fromMs));
  console.log(`${details.numRuns} walks of the state machine alone, ${perSecond} a second`);
  if (details.failed) console.log(fc.defaultReportMessage(details));
  return {
    walks: details.numRuns,
    walks_per_second: perSecond,
    walk_violations: details.failed ? 1 : 0,
  };
}

function useMemoryFolder(): void {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK);
    process.env['TMPDIR'] = MEMORY_FOLDER;
  } catch {
    console.log(`${MEMORY_FOLDER} is not there: the databases are on disk, which is slower`);
  }
}

async function playAll(
  players: readonly Player[],
  order: { seed: number; count: number; control: string | undefined; inMemory: boolean },
): Promise<Total> {
  const total: Total = {
    schedules: 0,
    calls: 0,
    commits: 0,
    aloneMs: 0,
    happened: new Map(),
    found: [],
  };
  const batches = Array.from({ length: Math.ceil(order.count / BATCH) }, (_, index) => ({
    ...order,
    seed: order.seed + index * BATCH,
    count: Math.min(BATCH, order.count - index * BATCH),
  })).values();
  const work = async (player: Player): Promise<void> => {
    for (const batch of batches) {
      const summary = await player.play(batch);
      const before = Math.floor(total.schedules / PROGRESS_EVERY);
      total.schedules += summary.schedules;
      total.calls += summary.calls;
      total.commits += summary.commits;
      total.aloneMs = Math.max(total.aloneMs, summary.aloneMs);
      total.found.push(...summary.found);
      for (const [what, times] of Object.entries(summary.happened)) {
        total.happened.set(what, (total.happened.get(what) ?? 0) + times);
      }
      if (Math.floor(total.schedules / PROGRESS_EVERY) > before) {
        console.log(`${total.schedules} schedules, ${total.found.length} with violations`);
      }
    }
  };
  await Promise.all(players.map(work));
  return total;
}

function report(total: Total, seconds: number): object {
  const { schedules, calls, commits, happened, found, aloneMs } = total;
  const perSecond = Math.round((10 * schedules) / seconds) / 10;
  console.log(
    `\n${schedules} schedules in ${Math.round(seconds)} s, ${perSecond} a second: ${calls} calls, ${commits} decisions stored`,
  );
  console.log(
    `a connected caller heard nobody for at most ${aloneMs / 1000} s after the last fault`,
  );
  printTable('what went wrong', [...happened]);
  const kinds = new Map<string, number>();
  for (const { violations } of found) {
    for (const { kind } of violations) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  printTable('violations', [...kinds]);
  for (const { seed, violations } of found) {
    console.log(`seed ${seed}: ${[...new Set(violations.map(({ kind }) => kind))].join(', ')}`);
  }
  return {
    schedules,
    violations: [...kinds.values()].reduce((sum, times) => sum + times, 0),
    schedules_with_violations: found.length,
    per_second: perSecond,
    calls,
    decisions: commits,
    faults: [...happened.values()].reduce((sum, times) => sum + times, 0),
    alone_ms: aloneMs,
  };
}

function printTable(title: string, rows: [name: string, times: number][]): void {
  console.log(`\n${title.padEnd(32)}${'times'.padStart(9)}`);
  for (const [name, times] of rows.toSorted(([a], [b]) => a.localeCompare(b))) {
    console.log(name.padEnd(32) + String(times).padStart(9));
  }
  if (rows.length === 0) console.log('none'.padEnd(32) + '0'.padStart(9));
}

// ---- the runtimes ------------------------------------------------------------------------------------------------------------

/** Each plays on a database of its own. */
async function startPlayers(count: number): Promise<Player[]> {
  // Provider: wrangler's environment variables. With them it sends nothing and asks nothing of the network.
  process.env['CI'] = '1';
  process.env['WRANGLER_SEND_METRICS'] = 'false';
  process.env['CLOUDFLARE_CF_FETCH_ENABLED'] = 'false';
  // Only now, because it reads these when it is loaded.
  const { createTestHarness, unstable_readConfig } = await import('wrangler');
  const configPath = join(ROOT, 'wrangler.toml');
  const product = unstable_readConfig({ config: configPath }, { hideWarnings: true });
  const players: Player[] = [];
  for (let index = 0; index < count; index++) {
    const harness = createTestHarness({
      root: ROOT,
      workers: [
        {
          config: {
            name: `schedules-${index}`,
            main: join(ROOT, 'test/worker/schedules/bench-worker.ts'),
            compatibility_date: product.compatibility_date,
            compatibility_flags: product.compatibility_flags,
            d1_databases: product.d1_databases,
            send_metrics: false,
          },
        },
      ],
    });
    await harness.listen();
    await ask(harness, { migrate: migrations() });
    players.push({
      play: (order) => ask<Summary>(harness, { play: order }),
      shrink: (found, control) => ask<string>(harness, { shrink: found, control }),
      stop: () => harness.close(),
    });
  }
  return players;
}

const migrations = (): string[] =>
  readdirSync(join(ROOT, 'migrations'))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .flatMap((name) =>
      readFileSync(join(ROOT, 'migrations', name), 'utf8').split('--> statement-breakpoint'),
    )
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');

async function ask<T>(harness: TestHarness, order: object): Promise<T> {
  const response = await harness.fetch('/', { method: 'POST', body: JSON.stringify(order) });
  if (!response.ok) throw new Error(`the player failed: ${await response.text()}`);
  return (await response.json()) as T;
}
