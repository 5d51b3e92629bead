// Whether a relay that has carried many calls is as it was before: short calls, one after the other and several at a time, through
// one real relay process and a real livekit-server. In between, with no call up, its memory is looked at after a collection, and
// what it holds of the system.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LitePhone } from '../local/simulator/phone.ts';
import { FakeWorker } from '../relay/support/fake-worker.ts';
import { RELAY_SECRET, relayEnv } from '../relay/support/rig.ts';
import { agentToken, callerToken, roomService } from '../relay/support/rooms.ts';
import { until } from '../relay/support/until.ts';
import { LightAgent } from '../support/light-agent.ts';
import { startLiveKit, type LiveKit } from '../support/livekit-server.ts';
import { handlesOf } from '../support/process-handles.ts';
import { round } from './levels.ts';
import type { MemoryAnswer } from './soak-probe.ts';

const CALLS = 10_000;
const CONCURRENCY = 8;
/** Memory is looked at so many times. */
const LOOKS = 20;
/** The relay is warm after so many calls: code is compiled, pools have their size. */
const WARM_UP = 40;
/** What each side hears before the call ends: half a second. */
const PACKETS_HEARD = 25;
const HEARD_MS_MAX = 20_000;
/** Connections that have ended are taken down within this, in ms. */
const SETTLE_MS_MAX = 10_000;
const MB = 1024 * 1024;

type Look = {
  calls: number;
  rssMb: number;
  heapMb: number;
  externalMb: number;
  fds: number;
  threads: number;
  udpPorts: number;
};

type Bench = {
  readonly livekit: LiveKit;
  readonly worker: FakeWorker;
  readonly relay: ChildProcess;
};

/** @param args `--calls`, 10000 unless given; `--concurrency` calls at a time */
export async function run(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { calls: { type: 'string' }, concurrency: { type: 'string' } },
  });
  const count = Number(values.calls ?? CALLS);
  const concurrency = Number(values.concurrency ?? CONCURRENCY);
  const bench = await start();
  const fromMs = performance.now();
  let failed = await runCalls(bench, WARM_UP, concurrency);
  const looks = [await look(bench, 0)];
  for (let step = 1; step <= LOOKS; step++) {
    const target = Math.round((count * step) / LOOKS);
    const done = looks.at(-1)?.calls ?? 0;
    failed += await runCalls(bench, target - done, concurrency);
    looks.push(await look(bench, target));
  }
  const seconds = Math.round((performance.now() - fromMs) / 1000);
  await stop(bench);
  return report(looks, { count, failed, seconds });
}

async function start(): Promise<Bench> {
  const livekit = await startLiveKit();
  const worker = await FakeWorker.start(RELAY_SECRET);
  const relay = fork(join(import.meta.dirname, '../../relay/main.ts'), [], {
    execArgv: ['--expose-gc', '--import', join(import.meta.dirname, 'soak-probe.ts')],
    env: { ...process.env, ...relayEnv(worker.url, { LOG_LEVEL: 'warn' }) },
  });
  await until('the relay says hello', () => worker.hellos()[0]);
  return { livekit, worker, relay };
}

async function stop({ livekit, worker, relay }: Bench): Promise<void> {
  relay.kill('SIGTERM');
  await once(relay, 'exit');
  await worker.stop();
  await livekit.stop();
}

/** @returns how many failed */
async function runCalls(bench: Bench, count: number, concurrency: number): Promise<number> {
  let begun = 0;
  let failed = 0;
  const lane = async () => {
    while (begun < count) {
      begun += 1;
      try {
        await runCall(bench);
      } catch (error) {
        failed += 1;
        console.error(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return failed;
}

let calls = 0;

/** One call from its offer to its end, in which both sides hear each other. */
async function runCall({ livekit, worker }: Bench): Promise<void> {
  const id = `soak-${(calls += 1)}`;
  const rooms = roomService(livekit);
  const phone = await LitePhone.create({ listen: false });
  let agent: LightAgent | undefined;
  try {
    await rooms.createRoom({ name: id, emptyTimeout: 60 });
    worker.send({ type: 'call.answer', call_id: id, sdp: phone.offer });
    await phone.applyAnswer((await worker.event(id, 'answered')).sdp);
    const room = { url: livekit.url, token: await callerToken(livekit, id, `caller-${id}`) };
    worker.want(id, { connect: true, room });
    await worker.event(id, 'media-up');
    const token = await agentToken(livekit, id, 'agent');
    const seat = { call_id: id, livekit_url: livekit.url, token, room: id, identity: 'agent' };
    agent = await LightAgent.join(seat, { toneHz: 1_000, listen: false });
    const joined = agent;
    await worker.event(id, 'ready');
    phone.markAccepted();
    phone.startTalking();
    worker.want(id, { open: true });
    await until(
      `${id}: both hear each other`,
      () => phone.heard().packets >= PACKETS_HEARD && joined.heard().packets >= PACKETS_HEARD,
      HEARD_MS_MAX,
    );
  } finally {
    worker.send({ type: 'call.close', call_id: id });
    phone.close();
    await Promise.all([worker.event(id, 'ended'), agent?.leave(), rooms.deleteRoom(id)]);
    worker.forget(id);
  }
}

/** Looks at the relay once the connections of its last calls are down. */
async function look({ relay, worker }: Bench, callsBefore: number): Promise<Look> {
  const pid = relay.pid ?? 0;
  // A port that is left behind shows in the table.
  await until('no port is held', () => handlesOf(pid).udpPorts.length === 0, SETTLE_MS_MAX).catch(
    (error: unknown) => console.error(String(error)),
  );
  const answer = once(relay, 'message') as Promise<[MemoryAnswer]>;
  relay.send('memory');
  const [{ rss, heapUsed, external }] = await answer;
  const { fds, threads, udpPorts } = handlesOf(pid);
  if (worker.hellos().length > 1) throw new Error('the relay lost its worker meanwhile');
  return {
    calls: callsBefore,
    rssMb: rss / MB,
    heapMb: heapUsed / MB,
    externalMb: external / MB,
    fds,
    threads,
    udpPorts: udpPorts.length,
  };
}

function report(
  looks: readonly Look[],
  { count, failed, seconds }: { count: number; failed: number; seconds: number },
): object {
  console.log(`${count} calls after ${WARM_UP} to warm up, ${seconds} s, ${failed} failed\n`);
  console.log('| calls | RSS | heap | external | files | threads | UDP ports |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const { calls, rssMb, heapMb, externalMb, fds, threads, udpPorts } of looks) {
    const mb = [rssMb, heapMb, externalMb].map((value) => `${value.toFixed(1)} MB`).join(' | ');
    console.log(`| ${calls} | ${mb} | ${fds} | ${threads} | ${udpPorts} |`);
  }
  const slope = (of: (look: Look) => number) => round(slopePerThousand(looks, of));
  const slopes = {
    rss_mb_per_1000: slope(({ rssMb }) => rssMb),
    // What the collection leaves, whatever the allocator keeps for later.
    heap_mb_per_1000: slope(({ heapMb }) => heapMb),
    external_mb_per_1000: slope(({ externalMb }) => externalMb),
  };
  console.log(`\nslopes in MB per 1000 calls: ${JSON.stringify(slopes)}`);
  const [first, last] = [looks[0], looks.at(-1)];
  return {
    calls: count,
    failed,
    rss_start_mb: round(first?.rssMb ?? NaN),
    rss_end_mb: round(last?.rssMb ?? NaN),
    fds_start: first?.fds,
    fds_end: last?.fds,
    threads_start: first?.threads,
    threads_end: last?.threads,
    udp_ports_end: last?.udpPorts,
    ...slopes,
  };
}

/** By least squares over all looks but the first, which still shows how the process grew to its working size. */
function slopePerThousand(looks: readonly Look[], of: (look: Look) => number): number {
  const points = looks.slice(1).map((item) => [item.calls / 1000, of(item)] as const);
  const mean = (index: 0 | 1) =>
    points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const across = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return across / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
