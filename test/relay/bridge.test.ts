import { RoomEvent, type RemoteParticipant } from '@livekit/rtc-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

const CALLER_HZ = 440;
const AGENT_HZ = 1_000;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

const hears = (call: { phone: { heard: () => { tones: { hz: number }[] } } }, hz: number) =>
  call.phone.heard().tones.some((tone) => Math.abs(tone.hz - hz) < 15);

it('carries both voices once the path is open, and not one packet to the provider before', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna', [CALLER_HZ]);
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'anna');
  call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  await until('the phone has talked', () => call.phone.said().packets > 25);
  expect(call.phone.heard()).toMatchObject({ packets: 0, rtcpPackets: 0 });
  expect(agent.heard.size).toBe(0);

  rig.open(call);
  await until('the caller hears the agent', () => hears(call, AGENT_HZ));
  await until('the agent hears the caller', () => (agent.heard.get(CALLER_HZ) ?? 0) > 50);
  await until('a report', () => call.phone.heard().rtcpPackets > 0);
  const caller = [...agent.room.remoteParticipants.values()][0];
  await until('the call shows as active', () => caller?.attributes['sip.callStatus'] === 'active');

  const heard = call.phone.heard();
  expect(heard).toMatchObject({
    packetsBeforeAccept: 0,
    rtcpBeforeAccept: 0,
    lost: 0,
    duplicates: 0,
    outOfOrder: 0,
    ptimeViolations: 0,
    timestampJumps: [],
    payloadTypes: [111],
  });
  expect(heard.ssrcs).toHaveLength(1);

  const left = new Promise<RemoteParticipant>((resolve) =>
    agent.room.once(RoomEvent.ParticipantDisconnected, resolve),
  );
  rig.worker.send({ type: 'call.close', call_id: call.id });
  const ended = await rig.worker.event(call.id, 'ended');
  expect(ended.reason).toBe('closed');
  expect(ended.stats?.from_caller.packets).toBeGreaterThan(50);
  expect(ended.stats?.to_caller.packets).toBeGreaterThan(50);
  expect(ended.stats?.to_caller.first_audio_ms).toBeLessThan(200);
  const gone = await left;
  expect(gone.attributes['sip.callStatus']).toBe('hangup');
  // CLIENT_INITIATED is what ends an agent's session; the enum of this client numbers it 1 as the protocol does.
  expect(gone.disconnectReason).toBe(1);
});

it('shows the caller as speaking only while the caller speaks', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna', [CALLER_HZ]);
  await agent.speak(0);
  await rig.worker.event(call.id, 'ready');
  const speaking = () =>
    [...agent.room.remoteParticipants.values()].some(({ identity }) => speakers.has(identity));
  let speakers = new Set<string>();
  let everSpoke = false;
  agent.room.on(RoomEvent.ActiveSpeakersChanged, (now) => {
    speakers = new Set(now.map(({ identity }) => identity));
    everSpoke ||= speaking();
  });
  rig.open(call);
  // The encoder of a phone that has nothing to code says so as well.
  call.phone.startTalking({ kind: 'silence' });
  await until('two seconds of silence', () => call.phone.said().packets > 100);
  expect(everSpoke).toBe(false);
  call.phone.startTalking({ kind: 'speech' });
  await until('the caller shows as speaking', speaking);
  call.phone.stopTalking();
  await until('the caller shows as silent', () => !speaking());
});

it('plays what was said in the last second before the opening', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  // Half a second of another tone, over before the path opens.
  agent.setTone(600);
  await new Promise((resolve) => setTimeout(resolve, 500));
  agent.setTone(0);
  await new Promise((resolve) => setTimeout(resolve, 150));
  rig.open(call);
  const openedAtMs = performance.timeOrigin + performance.now();
  const tone = await until('the early words', () =>
    call.phone
      .heard()
      .tones.find(({ hz, toMs, fromMs }) => Math.abs(hz - 600) < 15 && toMs - fromMs >= 150),
  );
  expect(tone.fromMs - openedAtMs).toBeLessThan(700);
  expect(call.phone.heard()).toMatchObject({ packetsBeforeAccept: 0, timestampJumps: [], lost: 0 });
});

it('goes on without a gap when the agent mutes', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  rig.open(call);
  await until('the caller hears the agent', () => hears(call, AGENT_HZ));
  await agent.unpublish();
  const before = call.phone.heard().packets;
  await until('silence goes on', () => call.phone.heard().packets > before + 100);
  expect(call.phone.heard()).toMatchObject({ lost: 0, outOfOrder: 0, timestampJumps: [] });
});

it.each([
  { name: 'the documented offer', options: { shape: 'documented' as const } },
  { name: 'an IPv6 candidate that leads nowhere', options: { ipv6: '2001:db8::10' } },
])('connects with $name', async ({ options }) => {
  const call = await rig.answeredCall(options);
  rig.worker.want(call.id, { connect: true });
  const up = await rig.worker.event(call.id, 'media-up');
  // Says which way the media takes, for whoever looks after the network.
  expect(up).toMatchObject({
    path: { local: expect.stringMatching(/^127\.0\.0\.1:\d+$/), remote: expect.any(String) },
  });
  await call.phone.connected;
  expect(call.phone.answerWarnings).toEqual([]);
});

it('sends no connectivity check before it is told to connect', async () => {
  const call = await rig.answeredCall();
  await until('two answers of the same text', () => {
    rig.worker.send({ type: 'call.answer', call_id: call.id, sdp: call.phone.offer });
    return rig.worker.events(call.id).filter(({ type }) => type === 'answered').length > 20;
  });
  expect(call.phone.ice()).toMatchObject({ early: 0, answered: 0 });
  const sdps = rig.worker
    .events(call.id)
    .flatMap((event) => (event.type === 'answered' ? [event.sdp] : []));
  expect(new Set(sdps).size).toBe(1);
});

it('ends a call whose offer cannot be used, naming the line', async () => {
  const call = await rig.answeredCall();
  const sdp = call.phone.offer.replace(/a=fingerprint:sha-256/, 'a=fingerprint:sha-1');
  const line = sdp.split('\r\n').findIndex((text) => text.startsWith('a=fingerprint')) + 1;
  rig.worker.send({ type: 'call.answer', call_id: `${call.id}-bad`, sdp });
  expect(await rig.worker.event(`${call.id}-bad`, 'ended')).toMatchObject({
    reason: 'unusable-offer',
    detail: `line ${line}: no sha-256 fingerprint`,
  });
});

it('ignores a wanted state that is not newer, and says which one is in force', async () => {
  const call = await rig.answeredCall();
  const wanted = rig.worker.want(call.id, { connect: true });
  await rig.worker.event(call.id, 'media-up');
  rig.worker.send({ ...wanted, rev: wanted.rev - 1, open: true });
  const reports = () =>
    rig.worker.frames.flatMap((frame) =>
      frame.type === 'call.is' && frame.call_id === call.id ? [frame.rev] : [],
    );
  await until('two reports', () => reports().length === 2);
  expect(reports()).toEqual([wanted.rev, wanted.rev]);
  expect(call.phone.heard().packets).toBe(0);
});

it('refuses a call beyond its capacity and ends an unknown one', async () => {
  const full = await Rig.start({ RELAY_CAPACITY: '1' });
  try {
    const call = await full.answeredCall();
    full.worker.send({ type: 'call.answer', call_id: 'second', sdp: call.phone.offer });
    expect(await full.worker.event('second', 'ended')).toMatchObject({ reason: 'no-capacity' });
    full.worker.want('unheard-of', { connect: true });
    expect(await full.worker.event('unheard-of', 'ended')).toMatchObject({ reason: 'internal' });
    full.worker.send({ type: 'call.close', call_id: 'never-existed' });
    full.worker.send({ type: 'call.close', call_id: call.id });
    expect(await full.worker.event(call.id, 'ended')).toMatchObject({ reason: 'closed' });
    expect(full.worker.events('never-existed')).toEqual([]);
  } finally {
    await full.stop();
  }
});
