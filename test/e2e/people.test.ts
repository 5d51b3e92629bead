// Who hears whom while people hand a call over, consult, confer and supervise. Everybody speaks with a tone of their own.
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { EventStream } from '../support/event-stream.ts';
import type { RoomlineClient } from '../support/roomline-client.ts';
import type { Seat } from '../support/test-agent.ts';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, hasHeard, Scene, type AnsweredCall } from './scene.ts';
import { entriesOf, expectUnbrokenCall } from './trouble.ts';

const BEN_HZ = 1_500;
const SUE_HZ = 2_100;
/** Another tone of the caller's and of the agent's, for what one side must not hear. */
const PRIVATE_HZ = 620;
const AGENT_LATER_HZ = 1_250;
/** The last note of relay/sounds/hold.ogg, and relay/sounds/ring-back.ogg. */
const HOLD_HZ = 784;
const RING_BACK_HZ = 425;
/** The phone looks for tones in pieces of this length, so two that follow each other may share one. */
const WINDOW_MS = 100;

const stack = useStack('people');
let scene: Scene;
let ben: { id: string; desk: RoomlineClient; events: EventStream };
let sue: RoomlineClient;
beforeAll(async () => {
  scene = await Scene.open(stack());
  const { admin } = stack();
  const { id, key } = await admin.createAgent('Ben, who is rung');
  const desk = admin.as(key);
  // Who listens to events can be rung.
  ben = { id, desk, events: await desk.events() };
  const body = { name: 'Sue', role: 'supervisor' };
  const supervisor = await admin.request<{ key: string }>('POST', '/v1/agents', body);
  sue = admin.as(supervisor.key);
});
afterEach(() => scene.clear());
afterAll(() => {
  ben?.events.close();
  scene?.events.close();
});

const tell = <T>(by: RoomlineClient, { call }: AnsweredCall, what: string, body: object = {}) =>
  by.request<T>('POST', `/v1/calls/${call.id}/${what}`, body);

/** Waits until Ben's client rings for a call that somebody else has. */
const rings = ({ call }: AnsweredCall, event: 'transferring' | 'consulting') =>
  ben.events.first(
    'ring for Ben',
    (notice) => notice.type === 'ring' && notice.event === event && notice.call.id === call.id,
  );

const entries = ({ call }: AnsweredCall, type: string, count = 1) =>
  vi.waitFor(
    async () => {
      const found = entriesOf(await stack().admin.call(call.id), type);
      expect(found.length).toBeGreaterThanOrEqual(count);
    },
    { timeout: 15_000, interval: 50 },
  );

/** Waits until the caller hears a tone, from now on. @returns when that began, by the phone's clock */
async function callerHears({ phone }: AnsweredCall, hz: number): Promise<number> {
  const afterMs = Date.now();
  const isIt = (tone: { hz: number; fromMs: number; toMs: number }) =>
    Math.abs(tone.hz - hz) < 20 && tone.toMs > afterMs + 200;
  const { heard } = await stack().simulator.waitFor(
    phone.id,
    ({ heard: { tones } }) => tones.some(isIt),
    15_000,
  );
  return heard.tones.find(isIt)?.fromMs ?? NaN;
}

/** Until when the caller has heard a tone. */
async function heardUntil({ phone }: AnsweredCall, hz: number): Promise<number> {
  const { heard } = await stack().simulator.waitFor(phone.id, () => true);
  return heard.tones.findLast((tone) => Math.abs(tone.hz - hz) < 20)?.toMs ?? 0;
}

it('a transfer: the agent is not heard from the first ring on, and the colleague is', async () => {
  const call = await scene.talk();
  const ringing = rings(call, 'transferring');
  const isRingBack = callerHears(call, RING_BACK_HZ);
  await tell(scene.ana, call, 'transfer', { to: { agent_id: ben.id }, summary: 'a refund' });
  expect((await ringing).call.summary).toBe('a refund');
  const rungMs = await isRingBack;
  await call.agent.gone();
  const agent = await scene.join(ben.desk, call.call.id, { toneHz: BEN_HZ });
  await Promise.all([agent.hears(CALLER_HZ), callerHears(call, BEN_HZ)]);
  expect(await heardUntil(call, AGENT_HZ)).toBeLessThanOrEqual(rungMs + WINDOW_MS);
  await scene.stillTalk({ ...call, agent });
  expectUnbrokenCall(await scene.hangUp(call));
});

it('a consultation: the caller hears the hold sound alone, until all three talk', async () => {
  const call = await scene.talk();
  const ringing = rings(call, 'consulting');
  const isHeld = callerHears(call, HOLD_HZ);
  await tell(scene.ana, call, 'consult', { to: { agent_id: ben.id } });
  await ringing;
  const heldMs = await isHeld;
  await stack().simulator.play(call.phone.id, { signal: { kind: 'tone', hz: PRIVATE_HZ } });
  await callerHears(call, HOLD_HZ);
  const colleague = await scene.join(ben.desk, call.call.id, { toneHz: BEN_HZ });
  for (const agent of [call.agent, colleague]) agent.listenFor(PRIVATE_HZ);
  await Promise.all([colleague.hears(AGENT_HZ), call.agent.hears(BEN_HZ)]);
  await callerHears(call, HOLD_HZ);
  expect(await heardUntil(call, AGENT_HZ)).toBeLessThanOrEqual(heldMs + WINDOW_MS);
  expect(await heardUntil(call, BEN_HZ)).toBe(0);
  for (const agent of [call.agent, colleague])
    expect(agent.heard.map(({ hz }) => hz)).not.toContain(PRIVATE_HZ);

  await stack().simulator.play(call.phone.id, { signal: { kind: 'tone', hz: CALLER_HZ } });
  await callerHears(call, HOLD_HZ);
  await tell(scene.ana, call, 'consult/merge');
  await Promise.all([colleague.hears(CALLER_HZ), call.agent.hears(CALLER_HZ)]);
  // One after the other, because a sum of tones is none.
  call.agent.speak(undefined);
  await callerHears(call, BEN_HZ);
  colleague.speak(undefined);
  call.agent.speak(AGENT_LATER_HZ);
  await callerHears(call, AGENT_LATER_HZ);
  expectUnbrokenCall(await scene.hangUp(call));
});

it('a supervisor: a whisper reaches the agent and never the caller, who hears them once they barge in', async () => {
  const call = await scene.talk();
  const { seat } = await tell<{ seat: Seat }>(sue, call, 'supervise', { mode: 'monitor' });
  const ear = await scene.sit(seat, { isListenOnly: true, toneHz: SUE_HZ });
  await Promise.all([ear.hears(CALLER_HZ), ear.hears(AGENT_HZ)]);
  const names = () => [...call.agent.room.remoteParticipants.keys()];
  expect(names()).toEqual([`caller-${call.call.id}`]);

  await tell(sue, call, 'supervise', { mode: 'whisper' });
  await entries(call, 'permissions-set');
  await ear.publish();
  await call.agent.hears(SUE_HZ);
  call.agent.speak(AGENT_LATER_HZ);
  await callerHears(call, AGENT_LATER_HZ);
  const whispered = await stack().simulator.waitFor(call.phone.id, () => true);
  expect(hasHeard(whispered, SUE_HZ)).toBe(false);

  await tell(sue, call, 'supervise', { mode: 'barge' });
  call.agent.speak(undefined);
  await callerHears(call, SUE_HZ);

  await tell(sue, call, 'supervise', { mode: 'whisper' });
  call.agent.speak(AGENT_HZ);
  const agentMs = await callerHears(call, AGENT_HZ);
  await call.agent.hears(SUE_HZ);
  expect(await heardUntil(call, SUE_HZ)).toBeLessThanOrEqual(agentMs + WINDOW_MS);
  expectUnbrokenCall(await scene.hangUp(call));
});
