// What a call costs the relay and how much time it adds: N two-way calls through the real relay process and a real
// livekit-server, against the same load without a relay in between.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FakeWorker } from '../relay/support/fake-worker.ts';
import { RELAY_SECRET, relayEnv } from '../relay/support/rig.ts';
import { agentToken, callerToken, joinToken } from '../relay/support/rooms.ts';
import { until } from '../relay/support/until.ts';
import { startLiveKit, type LiveKit } from '../support/livekit-server.ts';
import type { LoadReply, LoadRequest, LoadResult } from './load-messages.ts';
import { percentile, rssMbOf, startUsage, type Usage } from './process-usage.ts';
import { measureSetUps, type SetUps } from './set-ups.ts';

const LEVELS = [1, 10, 25, 50];
const WARM_UP_MS = 2_000;
const MEASURE_MS = 10_000;
/** Under this share of idle time the processes waited for the CPU and the figures mean nothing, in percent. */
const IDLE_MIN = 15;

type Level = {
  calls: number;
  cpu_per_call: number;
  rss_mb: number;
  sent: number;
  lost: number;
  added_p50_ms: number;
  added_p95_ms: number;
  added_p99_ms: number;
  idle: number;
  void: boolean;
};

class Load {
  readonly process: ChildProcess = fork(join(import.meta.dirname, 'load.ts'));

  /** One request at a time. */
  async ask(request: LoadRequest): Promise<Extract<LoadReply, { ok: true }>> {
    const reply = await new Promise<LoadReply>((resolve) => {
      this.process.once('message', (message) => resolve(message as LoadReply));
      this.process.send(request);
    });
    if (!reply.ok) throw new Error(reply.error);
    return reply;
  }

  async measure(): Promise<LoadResult> {
    const { result } = await this.ask({ do: 'measure', ms: MEASURE_MS });
    if (!result) throw new Error('no result');
    return result;
  }
}

type Bench = { livekit: LiveKit; worker: FakeWorker; relay: ChildProcess; load: Load };

/** @param args levels other than the usual ones, such as `1 50` */
export async function run(args: string[]): Promise<object> {
  const levels = args.length > 0 ? args.map(Number) : LEVELS;
  const livekit = await startLiveKit();
  const worker = await FakeWorker.start(RELAY_SECRET);
  const relay = spawn(process.execPath, [join(import.meta.dirname, '../../relay/main.ts')], {
    env: {
      ...process.env,
      ...relayEnv(worker.url, { RELAY_CAPACITY: '200', LOG_LEVEL: 'warn' }),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const load = new Load();
  const results: Level[] = [];
  try {
    await until('the relay says hello', () => worker.hellos()[0]);
    for (const calls of levels) {
      results.push(await measureLevel({ livekit, worker, relay, load }, calls));
    }
  } finally {
    load.process.disconnect();
    relay.kill('SIGTERM');
    await worker.stop();
    await livekit.stop();
  }
  printLevels(results);
  const setUps = await measureSetUps();
  printSetUps(setUps);
  const top = results.at(-1);
  return {
    calls_per_core: round(100 / (top?.cpu_per_call ?? NaN)),
    lost: results.reduce((sum, { lost }) => sum + lost, 0),
    added_p99_ms: top?.added_p99_ms,
    void: results.some((level) => level.void),
    levels: results,
    set_ups: setUps,
  };
}

async function measureLevel(bench: Bench, calls: number): Promise<Level> {
  const direct = await measureDirect(bench, calls);
  const { result, usage, rssMb } = await measureRelayed(bench, calls);
  const added = (share: number) =>
    round(
      (percentile(result.toAgentMs, share) -
        percentile(direct.toAgentMs, share) +
        percentile(result.toCallerMs, share) -
        percentile(direct.toCallerMs, share)) /
        2,
    );
  const cores = Object.entries(usage.cores).map(([name, share]) => `${name} ${round(share)} %`);
  console.log(
    `${calls} calls: ${cores.join(', ')} of a core each; idle ${round(usage.idle)} % of the machine`,
  );
  return {
    calls,
    cpu_per_call: round((usage.cores['relay'] ?? NaN) / calls),
    rss_mb: Math.round(rssMb),
    sent: result.sent,
    lost: result.sent - result.received,
    added_p50_ms: added(0.5),
    added_p95_ms: added(0.95),
    added_p99_ms: added(0.99),
    idle: round(usage.idle),
    void: usage.idle < IDLE_MIN,
  };
}

/** Two participants a call, one in the caller's place. */
async function measureDirect({ livekit, load }: Bench, calls: number): Promise<LoadResult> {
  for (let index = 0; index < calls; index++) {
    const id = `direct-${calls}-${index}`;
    for (const [side, hears] of [
      ['caller', 'agent'],
      ['agent', 'caller'],
    ] as const) {
      const token = await joinToken(livekit, id, side);
      await load.ask({ do: 'join', id, side, url: livekit.url, token, hears });
    }
  }
  await load.ask({ do: 'start' });
  await delay(WARM_UP_MS);
  const result = await load.measure();
  await load.ask({ do: 'clear' });
  return result;
}

async function measureRelayed(
  { livekit, worker, relay, load }: Bench,
  calls: number,
): Promise<{ result: LoadResult; usage: Usage; rssMb: number }> {
  const ids = Array.from({ length: calls }, (_, index) => `relayed-${calls}-${index}`);
  for (const id of ids) {
    const { sdp = '' } = await load.ask({ do: 'phone', id });
    worker.send({ type: 'call.answer', call_id: id, sdp });
    await load.ask({ do: 'answer', id, sdp: (await worker.event(id, 'answered')).sdp });
    const room = { url: livekit.url, token: await callerToken(livekit, id) };
    worker.want(id, { connect: true, room });
    await worker.event(id, 'room-joined');
    await worker.event(id, 'media-up');
    const token = await agentToken(livekit, id, 'agent');
    await load.ask({ do: 'join', id, side: 'agent', url: livekit.url, token, hears: 'caller' });
    worker.want(id, { open: true });
  }
  await load.ask({ do: 'start' });
  await delay(WARM_UP_MS);
  const stop = startUsage({
    relay: relay.pid ?? 0,
    load: load.process.pid ?? 0,
    ...(livekit.child ? { livekit: livekit.child.pid } : {}),
    bench: process.pid,
  });
  const result = await load.measure();
  const usage = stop();
  const rssMb = rssMbOf(relay.pid ?? 0);
  for (const id of ids) worker.send({ type: 'call.close', call_id: id });
  for (const id of ids) await worker.event(id, 'ended');
  await load.ask({ do: 'clear' });
  return { result, usage, rssMb };
}

const round = (value: number): number => Math.round(value * 100) / 100;

function printLevels(levels: readonly Level[]): void {
  console.log('\ncalls  relay CPU/call  RSS     packets  lost  added p50 / p95 / p99        idle');
  for (const level of levels) {
    const added = [level.added_p50_ms, level.added_p95_ms, level.added_p99_ms];
    console.log(
      [
        String(level.calls).padEnd(6),
        `${level.cpu_per_call} %`.padEnd(15),
        `${level.rss_mb} MB`.padEnd(7),
        String(level.sent).padEnd(8),
        String(level.lost).padEnd(5),
        added
          .map((value) => `${value} ms`)
          .join(' / ')
          .padEnd(28),
        `${level.idle} %${level.void ? ' VOID: the machine was busy' : ''}`,
      ].join(' '),
    );
  }
}

function printSetUps({
  webhook_to_pre_accept_ms,
  claim_to_heard_ms,
  published_to_heard_ms,
  calls,
}: SetUps): void {
  const line = (values: readonly number[]) =>
    [0.5, 0.95]
      .map((share) => `p${share * 100} ${Math.round(percentile(values, share))} ms`)
      .join(', ');
  console.log(`\n${calls} calls through the whole stack, one after the other:`);
  console.log(`  webhook sent -> pre_accept received     ${line(webhook_to_pre_accept_ms)}`);
  console.log(`  claim -> caller hears the agent         ${line(claim_to_heard_ms)}`);
  console.log(`  microphone published -> caller hears it ${line(published_to_heard_ms)}`);
}
