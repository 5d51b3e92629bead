import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LitePhone, type AnsweringOptions } from '../local/simulator/phone.ts';
import { newCallId, Rig, type Call } from './support/rig.ts';
import { aiToken, joinToken } from './support/rooms.ts';
import { until } from './support/until.ts';

const CALLEE_HZ = 440;
const AGENT_HZ = 1_000;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

const hears = ({ phone }: Call, hz: number) =>
  phone.heard().tones.some((tone) => Math.abs(tone.hz - hz) < 15);

const reportsOf = (callId: string, type: string) =>
  rig.worker.events(callId).filter((event) => event.type === type);

it.each<AnsweringOptions>([
  { setup: 'passive' },
  { setup: 'active' },
  { setup: 'actpass' },
  { setup: 'active', shape: 'documented' },
  { setup: 'passive', ipv6: '2001:db8::10' },
])('carries both voices from the pick-up on, and nothing before: %j', async (options) => {
  const call = await rig.ringingOutside(options);
  expect(call.phone.answerWarnings).toEqual([]);
  const agent = await rig.agent(call, 'anna', [CALLEE_HZ]);
  await agent.speak(AGENT_HZ);
  // Early media of the provider's, which nobody may hear.
  call.phone.startTalking({ kind: 'tone', hz: 700 });
  await until('the phone has sent', () => call.phone.said().packets > 50);
  expect(call.phone.heard()).toMatchObject({ packets: 0, rtcpPackets: 0 });
  expect(reportsOf(call.id, 'room-joined')).toEqual([]);

  call.phone.startTalking({ kind: 'tone', hz: CALLEE_HZ });
  await rig.pickUp(call);
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'anna');
  await until('the callee hears the agent', () => hears(call, AGENT_HZ));
  await until('the agent hears the callee', () => (agent.heard.get(CALLEE_HZ) ?? 0) > 50);
  await until('a report', () => call.phone.heard().rtcpPackets > 0);
  const connector = [...agent.room.remoteParticipants.values()][0];
  expect(connector?.attributes['sip.callStatus']).toBe('active');
  const heard = call.phone.heard();
  expect(heard).toMatchObject({
    packetsBeforeAccept: 0,
    rtcpBeforeAccept: 0,
    lost: 0,
    duplicates: 0,
    ptimeViolations: 0,
    timestampJumps: [],
    payloadTypes: [111],
  });
  expect(heard.ssrcs).toHaveLength(1);
  expect(call.phone.ice()).toMatchObject({ refused: 0, pairSwitches: 0 });
  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { reason, stats } = await rig.worker.event(call.id, 'ended');
  expect(reason).toBe('closed');
  expect(stats?.from_caller.packets).toBeGreaterThan(50);
  expect(stats?.from_caller.first_audio_ms).toBeLessThan(1_000);
});

it('brings the first words after the pick-up into the room whole', async () => {
  const tones = [500, 700, 900, 1_100, 1_300, 1_500];
  const call = await rig.ringingOutside();
  const agent = await rig.agent(call, 'anna', tones);
  await agent.speak(0);
  call.phone.startTalking({ kind: 'silence' });
  await until('the phone sends', () => call.phone.said().packets > 10);
  await rig.pickUp(call);
  // From the very first frame on, 120 ms each: the first ones are over before anybody could receive them.
  for (const hz of tones) {
    const before = call.phone.said().packets;
    call.phone.startTalking({ kind: 'tone', hz });
    await until('six frames', () => call.phone.said().packets >= before + 6);
  }
  call.phone.stopTalking();
  const talked = call.phone.said().packets;
  await until('a second after the last word', () => call.phone.said().packets > talked + 50);
  // A tone of six frames fills at least four of the receiver's, which may have sped it up to catch up.
  const heardWhole = tones.filter((hz) => (agent.heard.get(hz) ?? 0) >= 4);
  expect(heardWhole).toEqual(tones);
  const order = tones.toSorted(
    (a, b) => (agent.firstHeardAtMs.get(a) ?? 0) - (agent.firstHeardAtMs.get(b) ?? 0),
  );
  expect(order).toEqual(tones);
});

it('hears an AI agent by its kind when asked for, and no other stranger', async () => {
  const call = await rig.ringingOutside();
  const ai = await rig.join(await aiToken(rig.livekit, call.id, 'assistant'));
  await ai.speak(AGENT_HZ);
  const stranger = await rig.join(await joinToken(rig.livekit, call.id, 'stranger'));
  await stranger.speak(700);
  await rig.pickUp(call);
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'stranger');
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'assistant');
  rig.worker.want(call.id, { audience: { ai: true } });
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'assistant');
  await until('the callee hears the AI', () => hears(call, AGENT_HZ));
  expect(hears(call, 700)).toBe(false);
  expect(reportsOf(call.id, 'ready')).toHaveLength(1);
});

it('hears everyone but the excluded when asked for', async () => {
  const call = await rig.ringingOutside();
  for (const [identity, hz] of [
    ['guest', AGENT_HZ],
    ['unwanted', 700],
  ] as const) {
    const person = await rig.join(await joinToken(rig.livekit, call.id, identity));
    await person.speak(hz);
  }
  await rig.pickUp(call, { everyone: true, excluded: ['unwanted'] });
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'guest');
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'unwanted');
  await until('the callee hears the guest', () => hears(call, AGENT_HZ));
  expect(hears(call, 700)).toBe(false);
});

it('takes an answer that renumbers the payload types, and understands either number', async () => {
  const { answer, ...call } = await rig.offeredCall();
  const sdp = answer.replaceAll('111', '107').replaceAll('126', '101');
  rig.worker.send({ type: 'call.apply-answer', call_id: call.id, sdp });
  await rig.worker.event(call.id, 'media-up');
  const agent = await rig.agent(call, 'anna', [CALLEE_HZ]);
  await agent.speak(AGENT_HZ);
  await rig.pickUp(call);
  call.phone.startTalking({ kind: 'tone', hz: CALLEE_HZ });
  await until('the agent hears the callee', () => (agent.heard.get(CALLEE_HZ) ?? 0) > 10);
  expect(call.phone.heard().payloadTypes).toEqual([107]);
});

it('says the same again when the worker repeats itself after a reconnect', async () => {
  const { answer, ...call } = await rig.offeredCall();
  rig.worker.send({ type: 'call.apply-answer', call_id: call.id, sdp: answer });
  await rig.worker.event(call.id, 'media-up');
  const connections = rig.worker.hellos().length;
  rig.worker.cut();
  await until('the relay is back', () => rig.worker.hellos().length > connections);
  rig.worker.send({ type: 'call.offer', call_id: call.id });
  rig.worker.send({ type: 'call.apply-answer', call_id: call.id, sdp: answer });
  rig.worker.want(call.id, {});
  await until('the offer again', () => reportsOf(call.id, 'offered').length === 2);
  const offers = reportsOf(call.id, 'offered').map((event) => 'sdp' in event && event.sdp);
  expect(new Set(offers).size).toBe(1);
  await rig.pickUp(call);
  await until('media flows', () => call.phone.heard().packets > 10);
  expect(reportsOf(call.id, 'media-up')).toHaveLength(1);
  expect(reportsOf(call.id, 'ended')).toEqual([]);
});

it('ends a call whose answer cannot be used, naming the line', async () => {
  const { answer, id } = await rig.offeredCall();
  const sdp = answer.replace(/a=fingerprint:sha-256/, 'a=fingerprint:sha-1');
  const line = sdp.split('\r\n').findIndex((text) => text.startsWith('a=fingerprint')) + 1;
  rig.worker.send({ type: 'call.apply-answer', call_id: id, sdp });
  expect(await rig.worker.event(id, 'ended')).toMatchObject({
    reason: 'unusable-answer',
    detail: `line ${line}: no sha-256 fingerprint`,
  });
});

it('refuses a call beyond its capacity, and any while draining', async () => {
  const full = await Rig.start({ RELAY_CAPACITY: '1' });
  const { id } = await full.offeredCall();
  full.worker.send({ type: 'call.offer', call_id: 'second' });
  expect(await full.worker.event('second', 'ended')).toMatchObject({ reason: 'no-capacity' });
  const drained = full.relay.drain();
  full.worker.send({ type: 'call.offer', call_id: 'third' });
  expect(await full.worker.event('third', 'ended')).toMatchObject({ detail: 'draining' });
  full.worker.send({ type: 'call.close', call_id: id });
  await drained;
  await full.stop();
});

describe('set-up', () => {
  const SETUPS = 200;
  const AT_ONCE = 10;

  it(`succeeds ${SETUPS} times out of ${SETUPS}, in every role`, { timeout: 60_000 }, async () => {
    const roles = ['passive', 'active', 'actpass'] as const;
    const failed: string[] = [];
    const oneCall = async (index: number) => {
      const setup = roles[index % roles.length];
      const id = newCallId();
      rig.worker.send({ type: 'call.offer', call_id: id });
      const { sdp } = await rig.worker.event(id, 'offered');
      const phone = await LitePhone.answering(sdp, { listen: false, ...(setup && { setup }) });
      rig.worker.send({ type: 'call.apply-answer', call_id: id, sdp: phone.answer ?? '' });
      await Promise.all([
        rig.worker.event(id, 'media-up', undefined, 5_000),
        phone.connected,
      ]).catch((error: unknown) => failed.push(`${setup}: ${String(error)}`));
      rig.worker.send({ type: 'call.close', call_id: id });
      await rig.worker.event(id, 'ended');
      phone.close();
    };
    let next = 0;
    const caller = async () => {
      while (next < SETUPS) await oneCall(next++);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    expect(failed).toEqual([]);
  });
});
