// The connection to the room breaks, the call goes on: with a real livekit-server that is killed, restarted or cut off.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Participant } from './support/participant.ts';
import { Rig, type Call } from './support/rig.ts';
import { callerToken, roomService } from './support/rooms.ts';
import { TcpProxy } from './support/tcp-proxy.ts';
import { until } from './support/until.ts';

const CALLER_HZ = 440;
const AGENT_HZ = 1_000;
/** Notes of relay/sounds/hold.ogg. */
const HOLD_HZ = [523, 659, 784];

/** An agent's client finds out by itself that the server is back, which takes it a second or a few. */
const AGENT_BACK_MS_MAX = 15_000;

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.stop());

const nowMs = () => performance.timeOrigin + performance.now();

/** Whether the caller has heard a tone after a time, in ms since the epoch. */
const hears = ({ phone }: Call, hz: number, afterMs = 0) =>
  phone.heard().tones.some((tone) => Math.abs(tone.hz - hz) < 15 && tone.toMs > afterMs);

const reports = (call: Call, type: string) =>
  rig.worker.events(call.id).filter((event) => event.type === type);

/** One stream: every number once, every packet 20 ms after the one before. */
const UNBROKEN = { lost: 0, outOfOrder: 0, duplicates: 0, ptimeViolations: 0, timestampJumps: [] };

/** A call whose agent and caller hear each other. */
async function talkingCall(): Promise<{ call: Call; agent: Participant }> {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna', [CALLER_HZ]);
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  rig.open(call);
  await bothHear(call, agent, 0);
  return { call, agent };
}

async function bothHear(call: Call, agent: Participant, afterMs: number): Promise<void> {
  const before = agent.heard.get(CALLER_HZ) ?? 0;
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, afterMs));
  await until('the agent hears the caller', () => (agent.heard.get(CALLER_HZ) ?? 0) > before + 20);
}

/** The agent once it is heard again. @param times how often it was ready by then */
async function agentBack(call: Call, agent: Participant, times: number): Promise<Participant> {
  const isReady = () => reports(call, 'ready').length === times;
  try {
    await until('ready again', isReady, AGENT_BACK_MS_MAX);
    return agent;
  } catch {
    // Observed: @livekit/rtc-node 1.1.0, on a busy machine, is now and then back in the room without its track, for ever.
    const another = await rig.agent(call, 'anna', [CALLER_HZ]);
    await another.speak(AGENT_HZ);
    await until('ready again', isReady);
    return another;
  }
}

describe.skipIf(process.env['LIVEKIT_URL'] !== undefined)('a server of our own', () => {
  it(
    'that is killed and started again leaves the caller on hold, then with the agent',
    { timeout: 60_000 },
    async () => {
      const { call, agent } = await talkingCall();
      await rig.killLiveKit();
      await rig.worker.event(call.id, 'room-away');
      const awayFromMs = nowMs();
      await until('the hold sound', () => HOLD_HZ.some((hz) => hears(call, hz, awayFromMs)));
      await rig.restartLiveKit();
      await until('the relay is back', () => reports(call, 'room-joined').length === 2);
      await bothHear(call, await agentBack(call, agent, 2), nowMs());
      expect(reports(call, 'room-away')).toHaveLength(1);
      expect(reports(call, 'ended')).toEqual([]);
      expect(call.phone.heard()).toMatchObject(UNBROKEN);
      expect(call.phone.heard().ssrcs).toHaveLength(1);
    },
  );

  it('that shuts down and comes back with other keys lets the relay in with the token that the worker sends', async () => {
    const { call } = await talkingCall();
    await rig.livekit.child?.stop();
    expect(await rig.worker.event(call.id, 'room-away')).toMatchObject({
      detail: expect.stringMatching(/SERVER_SHUTDOWN|signalling closed/),
    });
    await rig.restartLiveKit({ apiSecret: 'another-secret-of-at-least-32-characters' });
    const room = { url: rig.livekit.url, token: await callerToken(rig.livekit, call.id) };
    rig.worker.want(call.id, { room });
    await until('the relay is back', () => reports(call, 'room-joined').length === 2);
    // The agent's own token is of the server before; it is reported as lost and may come back with another one.
    await rig.worker.event(call.id, 'participant-left', (left) => left.why === 'lost');
    const again = await rig.agent(call, 'anna', [CALLER_HZ]);
    await again.speak(AGENT_HZ);
    await bothHear(call, again, nowMs());
    expect(call.phone.heard()).toMatchObject(UNBROKEN);
  });

  it('that stays away ends the call as room-lost after 10 s, on hold until then', async () => {
    const { call } = await talkingCall();
    await rig.killLiveKit();
    const away = await rig.worker.event(call.id, 'room-away');
    const ended = await rig.worker.event(call.id, 'ended', undefined, 15_000);
    expect(ended).toMatchObject({
      reason: 'room-lost',
      detail: expect.stringMatching(/^signalling closed.*; not back within 10 s: join: /),
    });
    expect(ended.at_ms - away.at_ms).toBeGreaterThan(9_900);
    expect(HOLD_HZ.some((hz) => hears(call, hz, away.at_ms + 8_000))).toBe(true);
    expect(call.phone.heard()).toMatchObject(UNBROKEN);
  });
});

it('comes back when only the signalling was cut, in the place of the participant that is still there', async () => {
  const proxy = await TcpProxy.start(rig.livekit.url);
  try {
    const call = await rig.answeredCall();
    await roomService(rig.livekit).createRoom({ name: call.id, emptyTimeout: 60 });
    const room = { url: proxy.url, token: await callerToken(rig.livekit, call.id) };
    rig.worker.want(call.id, { connect: true, room });
    await rig.worker.event(call.id, 'room-joined');
    const agent = await rig.agent(call, 'anna', [CALLER_HZ]);
    await agent.speak(AGENT_HZ);
    await rig.worker.event(call.id, 'ready');
    call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
    rig.open(call);
    await bothHear(call, agent, 0);
    for (const time of [2, 3]) {
      proxy.cut();
      await until('the relay is back', () => reports(call, 'room-joined').length === time);
      await until('ready again', () => reports(call, 'ready').length === time);
      await bothHear(call, agent, nowMs());
    }
    const types = rig.worker.events(call.id).map(({ type }) => type);
    expect(types.filter((type) => type === 'room-away')).toHaveLength(2);
    // The agent was there all the time.
    expect(types.filter((type) => type.startsWith('participant'))).toEqual(['participant-joined']);
    expect(types).not.toContain('ended');
    const people = await roomService(rig.livekit).listParticipants(call.id);
    expect(people.map(({ identity }) => identity).toSorted()).toEqual(['anna', 'caller']);
    expect(call.phone.heard()).toMatchObject(UNBROKEN);
    await roomService(rig.livekit).deleteRoom(call.id);
    expect(await rig.worker.event(call.id, 'ended')).toMatchObject({ reason: 'room-deleted' });
  } finally {
    await proxy.stop();
  }
});

it('reports who left meanwhile as lost', async () => {
  const proxy = await TcpProxy.start(rig.livekit.url);
  try {
    const call = await rig.answeredCall();
    const room = { url: proxy.url, token: await callerToken(rig.livekit, call.id) };
    rig.worker.want(call.id, { connect: true, room });
    await rig.worker.event(call.id, 'room-joined');
    const agent = await rig.agent(call, 'anna');
    await rig.worker.event(call.id, 'participant-joined');
    proxy.isClosed = true;
    proxy.cut();
    await rig.worker.event(call.id, 'room-away');
    await agent.leave();
    proxy.isClosed = false;
    expect(await rig.worker.event(call.id, 'participant-left')).toMatchObject({
      identity: 'anna',
      why: 'lost',
    });
    const types = rig.worker.events(call.id).map(({ type }) => type);
    expect(types.slice(-3)).toEqual(['room-away', 'room-joined', 'participant-left']);
  } finally {
    await proxy.stop();
  }
});
