// What happens to running calls when a part of the system is restarted, or goes away for good.
import { waitUntil } from '../local/ports.ts';
import type { RoomlineClient } from '../support/roomline-client.ts';
import { startLiveKit } from '../support/livekit-server.ts';
import type { Stack } from '../support/stack.ts';
import { TestAgent } from '../support/test-agent.ts';
import { AGENT_HZ, unplayed, type Fate, type FaultRunner, type Phone } from './fault-runner.ts';

type ProcessFault = {
  /** Takes the part away, and brings it back unless calls must end without it. */
  readonly strike: (stack: Stack) => Promise<void>;
  /** Brings back what is missing. */
  readonly mend?: (stack: Stack) => Promise<void>;
  /** The only outcome of calls that were running. */
  readonly expected: 'relay-lost' | 'caller-hung-up';
  /** Agents join anew, as a page does whose room is gone. */
  readonly isRoomGone?: boolean;
};

/** By what goes wrong. */
export const PROCESS_FAULTS: Readonly<Record<string, ProcessFault>> = {
  'relay is killed and restarted': {
    strike: async (stack) => {
      await stack.relay.kill();
      await stack.startRelay();
    },
    expected: 'relay-lost',
  },
  'relay is killed and stays away': {
    strike: (stack) => stack.relay.kill(),
    mend: (stack) => stack.startRelay(),
    expected: 'relay-lost',
  },
  'worker is restarted': {
    strike: async (stack) => {
      await stack.worker.stop();
      await stack.startWorker();
    },
    expected: 'caller-hung-up',
  },
  'livekit-server is restarted': {
    strike: restartLiveKit,
    expected: 'caller-hung-up',
    isRoomGone: true,
  },
};

/** Calls in one round: all but the last are talking, the last one rings. */
export const CALLS_PER_ROUND = 4;
/** Longest wait for sound to come back, in ms. */
const BACK_MS_MAX = 20_000;

async function restartLiveKit({ livekit, options, supervisor }: Stack): Promise<void> {
  const { apiKey, apiSecret } = livekit;
  await livekit.stop();
  await startLiveKit({ port: options.ports.livekit, apiKey, apiSecret, supervisor });
}

type Running = { phone: Phone; agent: TestAgent | undefined };

/** Lets calls run, strikes, and follows every one of them to its end. */
export async function strikeCalls(
  runner: FaultRunner,
  fault: string,
  desk: RoomlineClient,
): Promise<Fate[]> {
  const { strike, mend, expected, isRoomGone = false } = PROCESS_FAULTS[fault] as ProcessFault;
  const { stack } = runner;
  const running: Running[] = [];
  for (let index = 0; index < CALLS_PER_ROUND - 1; index++) running.push(await talk(runner, desk));
  running.push({ phone: await ring(runner), agent: undefined });
  const struckAtMs = Date.now();
  await strike(stack);
  const follow = async ({ phone, agent }: Running): Promise<Fate> => {
    const isOver = expected === 'relay-lost';
    // Otherwise two of the same identity would put each other out.
    if (isRoomGone) await agent?.leave();
    const stayed = isOver ? agent : await goOn(runner, desk, phone, isRoomGone ? undefined : agent);
    const decidedAtMs = isOver ? struckAtMs : await hangUp(stack, phone);
    const what = { fault, expected: [expected], placedAtMs: struckAtMs, decidedAtMs };
    const fate = await runner.settle(phone, what);
    await Promise.all([agent?.leave(), stayed?.leave()]);
    return fate;
  };
  const fates = await Promise.all(
    running.map((call) => follow(call).catch((error: unknown) => unplayed(fault, error))),
  );
  await mend?.(stack);
  return fates;
}

async function ring(runner: FaultRunner): Promise<Phone> {
  const phone = await runner.dial({});
  await runner.until(phone, ({ state }) => state === 'ringing');
  return phone;
}

/** A call in which the caller hears the agent. */
async function talk(runner: FaultRunner, desk: RoomlineClient): Promise<Running> {
  const phone = await ring(runner);
  return { phone, agent: await goOn(runner, desk, phone, undefined) };
}

/** Joins a call unless the agent is in it already, and waits until the caller hears the agent from now on. */
async function goOn(
  runner: FaultRunner,
  desk: RoomlineClient,
  phone: Phone,
  present: TestAgent | undefined,
): Promise<TestAgent> {
  const call = await runner.until(phone, ({ state }) => state === 'ringing' || state === 'active');
  if (!call || call.outcome) throw new Error(`the call is over: ${call?.outcome?.reason}`);
  const agent = present ?? (await TestAgent.join(await desk.claim(call.id), { toneHz: AGENT_HZ }));
  const fromMs = Date.now();
  await waitUntil('the caller to hear the agent', BACK_MS_MAX, async () => {
    const { heard } = await runner.stack.simulator.get(phone.id);
    return heard.tones.some(({ hz, toMs }) => Math.abs(hz - AGENT_HZ) < 20 && toMs > fromMs);
  });
  return agent;
}

async function hangUp(stack: Stack, phone: Phone): Promise<number> {
  const { endedAtMs } = await stack.simulator.hangUp(phone.id);
  return endedAtMs ?? Date.now();
}
