// What the media benchmark measures: something between phones and rooms, in a process of its own.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { FakeWorker } from '../relay/support/fake-worker.ts';
import { RELAY_SECRET, relayEnv } from '../relay/support/rig.ts';
import { until } from '../relay/support/until.ts';

export type Room = { readonly url: string; readonly token: string };

export type Bridge = {
  readonly name: string;
  readonly pid: number;
  /** Answers a phone's offer; it may take until then to be in the room. */
  answer: (id: string, sdp: string, room: Room) => Promise<string>;
  /** The phone has the answer: resolves when the caller is in the room and audio flows. */
  open: (id: string) => Promise<void>;
  /** Resolves when the call's connections are down. */
  close: (id: string) => Promise<void>;
  stop: () => Promise<void>;
};

/** The product's relay, told what to do by a worker that only speaks the protocol. */
export async function startRelayBridge(
  name: string,
  options: { readonly records: boolean; readonly env?: Record<string, string> },
): Promise<Bridge> {
  const worker = await FakeWorker.start(RELAY_SECRET);
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../relay/main.ts')], {
    env: {
      ...process.env,
      ...relayEnv(worker.url, { RELAY_CAPACITY: '200', LOG_LEVEL: 'warn', ...options.env }),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await until('the relay says hello', () => worker.hellos()[0]);
  const rooms = new Map<string, Room>();
  return {
    name,
    pid: child.pid ?? 0,
    answer: async (id, sdp, room) => {
      rooms.set(id, room);
      worker.send({ type: 'call.answer', call_id: id, sdp });
      return (await worker.event(id, 'answered')).sdp;
    },
    open: async (id) => {
      const room = rooms.get(id);
      worker.want(id, { connect: true, ...(room ? { room } : {}) });
      await worker.event(id, 'room-joined');
      await worker.event(id, 'media-up');
      worker.want(id, { open: true, recording: options.records ? 'on' : 'off' });
    },
    close: async (id) => {
      worker.send({ type: 'call.close', call_id: id });
      await worker.event(id, 'ended');
    },
    stop: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      await worker.stop();
    },
  };
}

/** LiveKit's Go SDK and pion, built from `bridges/go`; needs Go. */
export async function startGoBridge(): Promise<Bridge> {
  const folder = join(import.meta.dirname, 'bridges/go');
  const binary = join(import.meta.dirname, '../../node_modules/.cache/bench/go-bridge');
  const build = spawn('go', ['build', '-trimpath', '-o', binary, '.'], {
    cwd: folder,
    stdio: 'inherit',
  });
  const [code] = (await once(build, 'exit')) as [number | null];
  if (code !== 0) throw new Error('the Go bridge could not be built');
  return startLineBridge('go', binary, []);
}

/** LiveKit's Node SDK, which takes and gives PCM: audio is decoded and encoded again each way. */
export const startSdkBridge = (): Bridge =>
  startLineBridge('sdk', process.execPath, [join(import.meta.dirname, 'bridges/sdk.ts')]);

type LineReply = { id: string; sdp?: string; error?: string };

/** A program that reads requests as lines of JSON and answers each, in any order. */
function startLineBridge(name: string, command: string, args: string[]): Bridge {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(command, args, {
    // What their libraries log of every connection is nobody's news.
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const waiting = new Map<string, PromiseWithResolvers<LineReply>>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    // Native libraries write there as well.
    if (!line.startsWith('{"id"')) return;
    const reply = JSON.parse(line) as LineReply;
    waiting.get(reply.id)?.resolve(reply);
    waiting.delete(reply.id);
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error(`the bridge ${name} has ended`));
  });
  const ask = async (request: { do: string; id: string } & Partial<Room> & { sdp?: string }) => {
    const answer = Promise.withResolvers<LineReply>();
    waiting.set(request.id, answer);
    child.stdin.write(`${JSON.stringify(request)}\n`);
    const { error, sdp } = await answer.promise;
    if (error !== undefined) throw new Error(`${name}: ${error}`);
    return sdp ?? '';
  };
  return {
    name,
    pid: child.pid ?? 0,
    answer: (id, sdp, room) => ask({ do: 'call', id, sdp, ...room }),
    open: async () => undefined,
    close: async (id) => void (await ask({ do: 'close', id })),
    stop: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}
