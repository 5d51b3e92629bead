// A call over networks that are not kind: that it comes about, is heard both ways, and that its figures tell what the network did.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RelayEvent } from '../../relay/protocol.ts';
import type { LitePhoneOptions } from '../local/simulator/phone.ts';
import type { Participant } from '../relay/support/participant.ts';
import { Rig, type Call } from '../relay/support/rig.ts';
import { until } from '../relay/support/until.ts';
import { HardPath, type Hardness } from './hard-path.ts';
import { AGENT_HZ, CALLER_HZ, HEARD_MS, toneMs } from './messages.ts';

const FRAME_MS = 20;
/** Enough for the figures to settle: jitter forgets with every 16 packets. */
const PACKETS = 200;
/** Handshakes that lose their packets are repeated after 1 s, 2 s and so on. */
const WITHIN_MS = 40_000;

let rig: Rig;
let path: HardPath | undefined;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());
afterEach(async () => {
  await path?.close();
  path = undefined;
});

/** A phone behind a path of its own. */
async function phoneBehind(hardness: Hardness, options: LitePhoneOptions = {}): Promise<Call> {
  path = await HardPath.start(hardness);
  const call = await rig.answeredCall({ ...options, offeredPort: path.port });
  path.leadTo(call.phone.port);
  return call;
}

/** Sets the call up to its end, with an agent in the room. */
async function talk(call: Call): Promise<{
  up: Extract<RelayEvent, { type: 'media-up' }>;
  stats: NonNullable<Extract<RelayEvent, { type: 'ended' }>['stats']>;
}> {
  await rig.enter(call, {}, WITHIN_MS);
  const up = await rig.worker.event(call.id, 'media-up');
  const agent = await rig.agent(call, 'anna', [CALLER_HZ]);
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  rig.open(call);
  await until('the caller hears the agent', () => hearsAgent(call), WITHIN_MS);
  await until('the agent hears the caller', () => hearsCaller(agent), WITHIN_MS);
  await until('enough was said', () => call.phone.said().packets > PACKETS, WITHIN_MS);
  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { stats } = await rig.worker.event(call.id, 'ended');
  if (!stats) throw new Error('a call that was up has figures');
  return { up, stats };
}

const hearsCaller = (agent: Participant) => (agent.heard.get(CALLER_HZ) ?? 0) * FRAME_MS > HEARD_MS;

const hearsAgent = ({ phone }: Call) => toneMs(phone.heard().tones, AGENT_HZ) > HEARD_MS;

describe('a path', () => {
  it('that loses 5 %: every loss is in the figures', async () => {
    const call = await phoneBehind({ loss: 0.05 });
    const { stats } = await talk(call);
    const { toRelay, toPhone } = path as HardPath;
    expect(toRelay.lost).toBeGreaterThan(0);
    // What is lost at the very beginning or end leaves no gap that could be counted.
    expect(Math.abs(stats.from_caller.lost - toRelay.lost)).toBeLessThanOrEqual(2);
    expect(Math.abs(call.phone.heard().lost - toPhone.lost)).toBeLessThanOrEqual(2);
  });

  it('whose delay varies by 30 ms, so that packets overtake each other: nothing counts as lost', async () => {
    const call = await phoneBehind({ delayMs: 50, jitterMs: 30 });
    const { stats } = await talk(call);
    // The mean difference of two normally distributed delays is 1.13 standard deviations.
    expect(stats.from_caller.jitter_ms).toBeGreaterThan(15);
    expect(stats.from_caller.jitter_ms).toBeLessThan(80);
    expect(stats.from_caller.lost).toBeLessThanOrEqual(5);
    expect(stats.from_caller.reordered).toBeGreaterThan(0);
    expect(call.phone.heard().outOfOrder).toBeGreaterThan(0);
  });

  it('on which every tenth packet is overtaken by two others', async () => {
    const call = await phoneBehind({ reordered: 0.1 });
    const { stats } = await talk(call);
    expect(stats.from_caller.lost).toBeLessThanOrEqual(3);
    expect(stats.from_caller.reordered).toBeGreaterThan(0);
    expect(call.phone.heard()).toMatchObject({ duplicates: 0 });
    expect(call.phone.heard().outOfOrder).toBeGreaterThan(0);
  });

  it('of 100 ms each way', async () => {
    const { stats } = await talk(await phoneBehind({ delayMs: 100 }));
    expect(stats.from_caller.lost).toBe(0);
  });

  it('through a NAT that admits only answers: the figures name the mapped address', async () => {
    const call = await phoneBehind({});
    const { up } = await talk(call);
    const { local, local_type: type, remote } = up.path ?? {};
    expect(type).toBe('prflx');
    expect(await path?.mappedPorts()).toEqual([Number(local?.split(':').at(-1))]);
    expect(remote).toBe(`127.0.0.1:${path?.port}`);
  });
});

describe('ICE', () => {
  it('comes about on IPv4 when the offered IPv6 address, which goes first, leads nowhere', async () => {
    const { up } = await talk(await phoneBehind({ delayMs: 20 }, { ipv6: '2001:db8::10' }));
    expect(up.path?.remote).toBe(`127.0.0.1:${path?.port}`);
  });

  it('comes about when checks are not answered before the provider has our answer', async () => {
    const call = await rig.deafCall();
    rig.worker.want(call.id, { connect: true });
    await until('checks that nobody answers', () => call.phone.ice().early >= 2);
    await call.phone.applyAnswer((await rig.worker.event(call.id, 'answered')).sdp);
    await talk(call);
  });

  it('comes about when the first check is refused as a role conflict', async () => {
    const call = await phoneBehind({}, { roleConflicts: 1 });
    await talk(call);
    expect(call.phone.ice().refused).toBeGreaterThanOrEqual(1);
  });
});
