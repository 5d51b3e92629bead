// The worker is deployed anew in the middle of many calls.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LightAgent } from '../support/light-agent.ts';
import { useStack } from '../support/use-stack.ts';
import { graphOf, Scene, type RingingCall } from './scene.ts';
import { expectUnbroken, expectUnbrokenCall } from './trouble.ts';

const CALLS = 20;
/** So many are set up at once: the set-up is not what is tested here, and it takes most of the work. */
const AT_ONCE = 4;
/** How much more is to come in each direction after the restart, in packets of 20 ms. */
const AFTERWARDS = 50;

const stack = useStack('redeploy');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
});
afterAll(() => scene?.events.close());

type Talk = RingingCall & { agent: LightAgent };

/** A call that is carried like any other, with ends that do not decode it. */
async function talk(): Promise<Talk> {
  const ringing = await scene.ring({ listen: false });
  const seat = await scene.ana.claim(ringing.call.id);
  const agent = await LightAgent.join(seat, { toneHz: 1000, listen: false });
  await scene.events.state(ringing.call.id, 'active');
  return { ...ringing, agent };
}

/** Both sides receive so many packets more. */
async function goesOn({ agent, phone }: Talk, packets: number): Promise<void> {
  const before = { agent: agent.heard().packets, phone: await phonePackets(phone.id) };
  await expect
    .poll(() => agent.heard().packets - before.agent, { timeout: 15_000 })
    .toBeGreaterThan(packets);
  await expect
    .poll(async () => (await phonePackets(phone.id)) - before.phone, { timeout: 15_000 })
    .toBeGreaterThan(packets);
}

const phonePackets = async (id: string): Promise<number> =>
  (await stack().simulator.get(id)).heard.packets;

it(`${CALLS} calls lose nothing while the worker restarts, and each ends once afterwards`, async () => {
  const calls: Talk[] = [];
  while (calls.length < CALLS) {
    calls.push(...(await Promise.all(Array.from({ length: AT_ONCE }, talk))));
  }
  await stack().worker.stop();
  await Promise.all(calls.map((call) => goesOn(call, AFTERWARDS)));
  await stack().startWorker();
  await scene.reopen();
  expect(scene.events.hello?.calls.map(({ id, state }) => `${id} ${state}`).toSorted()).toEqual(
    calls.map(({ call }) => `${call.id} active`).toSorted(),
  );
  await Promise.all(calls.map((call) => goesOn(call, AFTERWARDS)));

  // Before the end, because LiveKit fills up a track that ends.
  for (const { agent } of calls) expectUnbroken(agent.heard());
  await Promise.all(calls.map(({ call }) => stack().admin.end(call.id)));
  for (const call of calls) {
    const { record, report } = await scene.ended(call);
    expect(record.outcome).toMatchObject({ result: 'success', reason: 'agent-hung-up' });
    expect(graphOf(report)).toEqual(['pre_accept 200', 'accept 200', 'terminate 200']);
    // Frames that a busy machine lost before the relay had them are no doing of the restart.
    expectUnbrokenCall({ record, report });
    expect((await call.agent.gone()).why).toBe('room-deleted');
  }
});
