// Key presses between a phone and LiveKit's own clients, over a real livekit-server.
import { RoomEvent } from '@livekit/rtc-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Participant } from './support/participant.ts';
import { Rig, type Call } from './support/rig.ts';
import { joinToken } from './support/rooms.ts';
import { until } from './support/until.ts';

const AGENT_HZ = 1_000;

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.stop());

/** One stream: every number once, every packet where the one before has ended. */
const UNBROKEN = { lost: 0, outOfOrder: 0, duplicates: 0, ptimeViolations: 0, timestampJumps: [] };

/** A call whose caller hears the agent. */
async function openCall(): Promise<{ call: Call; agent: Participant; pressed: string[] }> {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  const pressed: string[] = [];
  agent.room.on(RoomEvent.DtmfReceived, (code, digit, from) =>
    pressed.push(`${code} ${digit} ${from.identity}`),
  );
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'silence' });
  rig.open(call);
  await until('the caller hears the agent', () =>
    call.phone.heard().tones.some(({ hz }) => Math.abs(hz - AGENT_HZ) < 15),
  );
  return { call, agent, pressed };
}

const digitsAtWorker = (call: Call) =>
  rig.worker.events(call.id).flatMap((event) => (event.type === 'dtmf' ? [event.digit] : []));

it('what the caller presses reaches the worker and the room, each key once', async () => {
  const { call, pressed } = await openCall();
  call.phone.press('1590*#AD');
  await until('all keys', () => digitsAtWorker(call).length >= 8 && pressed.length >= 8);
  expect(digitsAtWorker(call).join('')).toBe('1590*#AD');
  expect(pressed).toEqual([
    '1 1 caller',
    '5 5 caller',
    '9 9 caller',
    '0 0 caller',
    '10 * caller',
    '11 # caller',
    '12 A caller',
    '15 D caller',
  ]);
});

it('a key that is held counts after two seconds', async () => {
  const { call, pressed } = await openCall();
  call.phone.press('0', 4_000);
  await until('the key', () => pressed.length > 0);
  call.phone.press('1');
  await until('the next key', () => digitsAtWorker(call).length > 1);
  expect(digitsAtWorker(call)).toEqual(['0', '1']);
});

it('what an agent presses reaches the phone in one unbroken stream, and others’ keys do not', async () => {
  const { call, agent } = await openCall();
  const stranger = await rig.join(await joinToken(rig.livekit, call.id, 'stranger'));
  await rig.worker.event(call.id, 'participant-joined', ({ identity }) => identity === 'stranger');
  await stranger.room.localParticipant?.publishDtmf(9, '9');
  for (const [code, digit] of '0123456789*#ABCD'.split('').entries())
    await agent.room.localParticipant?.publishDtmf(code, digit);
  await until('all keys', () => call.phone.heard().dtmf.length >= 16);
  await until('the last end', () => call.phone.heard().dtmf.at(-1)?.ends === 3);
  const digits = call.phone.heard().dtmf.map(({ digit }) => digit);
  expect(digits.join('')).toBe('0123456789*#ABCD');
  expect(
    call.phone.heard().dtmf.map(({ durationMs, packets, ends }) => [durationMs, packets, ends]),
  ).toEqual(Array.from({ length: 16 }, () => [100, 7, 3]));
  const afterMs = performance.timeOrigin + performance.now();
  await until('the caller hears the agent', () =>
    call.phone.heard().tones.some(({ hz, toMs }) => Math.abs(hz - AGENT_HZ) < 15 && toMs > afterMs),
  );
  expect(call.phone.heard()).toMatchObject(UNBROKEN);
  expect(call.phone.heard().ssrcs).toHaveLength(1);
});
