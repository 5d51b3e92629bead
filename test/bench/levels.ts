// N two-way calls at once through a bridge and a real livekit-server, against the same load without a bridge in between.
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentToken, callerToken, joinToken } from '../relay/support/rooms.ts';
import type { LiveKit } from '../support/livekit-server.ts';
import type { Bridge } from './bridge.ts';
import type { LoadReply, LoadRequest, LoadResult } from './load-messages.ts';
import { percentile, rssMbOf, startUsage, type Usage } from './process-usage.ts';

const WARM_UP_MS = 2_000;
const MEASURE_MS = 10_000;
/** Under this share of idle time the processes waited for the CPU and the figures mean nothing, in percent. */
const IDLE_MIN = 15;

export type Level = {
  bridge: string;
  calls: number;
  cpu_per_call: number;
  rss_mb: number;
  sent: number;
  lost: number;
  /** Packets that overtook others on the way. */
  reordered: number;
  /** Packets that arrived without the sender's stamp, because they were encoded anew. */
  encoded_anew: number;
  added_p50_ms: number;
  added_p95_ms: number;
  added_p99_ms: number;
  idle: number;
  void: boolean;
};

export class Load {
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

export type LoadedRooms = { readonly livekit: LiveKit; readonly load: Load };

let levels = 0;

/** Measures `calls` calls at once; `direct` is what `measureDirect` gave for as many. */
export async function measureLevel(
  rooms: LoadedRooms,
  bridge: Bridge,
  calls: number,
  direct: LoadResult,
): Promise<Level> {
  const { result, usage, rssMb } = await measureBridged(rooms, bridge, calls);
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
    `${bridge.name}, ${calls} calls: ${cores.join(', ')} of a core each; idle ${round(usage.idle)} % of the machine`,
  );
  return {
    bridge: bridge.name,
    calls,
    cpu_per_call: round((usage.cores[bridge.name] ?? NaN) / calls),
    rss_mb: round(rssMb),
    sent: result.sent,
    lost: result.sent - result.received,
    reordered: result.reordered,
    encoded_anew: result.unstamped,
    added_p50_ms: added(0.5),
    added_p95_ms: added(0.95),
    added_p99_ms: added(0.99),
    idle: round(usage.idle),
    void: usage.idle < IDLE_MIN,
  };
}

/** Two participants a call, one in the caller's place. */
export async function measureDirect(
  { livekit, load }: LoadedRooms,
  calls: number,
): Promise<LoadResult> {
  const level = (levels += 1);
  for (let index = 0; index < calls; index++) {
    const id = `direct-${level}-${index}`;
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

async function measureBridged(
  { livekit, load }: LoadedRooms,
  bridge: Bridge,
  calls: number,
): Promise<{ result: LoadResult; usage: Usage; rssMb: number }> {
  const level = (levels += 1);
  const ids: string[] = [];
  for (let index = 0; index < calls; index++) {
    const id = await connect({ livekit, load }, bridge, `bridged-${level}-${index}`);
    ids.push(id);
    await bridge.open(id);
    const token = await agentToken(livekit, id, 'agent');
    await load.ask({ do: 'join', id, side: 'agent', url: livekit.url, token, hears: 'caller' });
  }
  await load.ask({ do: 'start' });
  await delay(WARM_UP_MS);
  const stop = startUsage({
    [bridge.name]: bridge.pid,
    load: load.process.pid ?? 0,
    ...(livekit.child ? { livekit: livekit.child.pid } : {}),
    bench: process.pid,
  });
  const result = await load.measure();
  const usage = stop();
  const rssMb = rssMbOf(bridge.pid);
  for (const id of ids) await bridge.close(id);
  await load.ask({ do: 'clear' });
  return { result, usage, rssMb };
}

/**
 * A phone that the bridge has answered. Observed with node-datachannel 0.33 now and then: the phone refuses an answer ("Got a remote
 * candidate without ICE transport"); another phone takes its place.
 */
async function connect(
  { livekit, load }: LoadedRooms,
  bridge: Bridge,
  id: string,
): Promise<string> {
  const { sdp = '' } = await load.ask({ do: 'phone', id });
  const room = { url: livekit.url, token: await callerToken(livekit, id) };
  const answer = await bridge.answer(id, sdp, room);
  try {
    await load.ask({ do: 'answer', id, sdp: answer });
    return id;
  } catch (error) {
    console.log(`${bridge.name}: ${String(error)}`);
    await bridge.close(id);
    await load.ask({ do: 'drop', id });
    return connect({ livekit, load }, bridge, `${id}-again`);
  }
}

export const round = (value: number): number => Math.round(value * 100) / 100;

export function printLevels(measured: readonly Level[]): void {
  console.log(
    '\nbridge            calls  CPU/call  RSS       packets  lost  added p50 / p95 / p99        idle',
  );
  for (const level of measured) {
    const added = [level.added_p50_ms, level.added_p95_ms, level.added_p99_ms];
    const isStamped = level.encoded_anew === 0;
    console.log(
      [
        level.bridge.padEnd(17),
        String(level.calls).padEnd(6),
        `${level.cpu_per_call} %`.padEnd(9),
        `${level.rss_mb} MB`.padEnd(9),
        String(level.sent).padEnd(8),
        (isStamped ? String(level.lost) : '-').padEnd(5),
        (isStamped ? added.map((value) => `${value} ms`).join(' / ') : '-').padEnd(28),
        `${level.idle} %${level.void ? ' VOID: the machine was busy' : ''}`,
      ].join(' '),
    );
  }
}
