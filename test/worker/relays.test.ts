// Relays that break, in workerd: what becomes of their calls, where new ones go, what callers are told.
import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PING, PONG, PROTOCOL_VERSION } from '../../relay/protocol.ts';
import { relayOf } from '../../worker/domain/ids.ts';
import {
  ANSWER_SDP,
  at,
  FALLBACK_TEXT,
  inState,
  InboundScene,
  show,
  switchboard,
} from './inbound-scene.ts';
import { api, FakeRelay, request, unique, until } from './support.ts';

let scene: InboundScene;

beforeAll(async () => {
  scene = await InboundScene.open();
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  await scene.reconnect();
});
afterEach(async () => {
  const ending = others.splice(0);
  for (const relay of ending) relay.close();
  for (const relay of ending) await relayIsGone(relay);
});

const others: FakeRelay[] = [];

/** A relay besides that of the scene, for one test. */
async function another(capacity = 50): Promise<FakeRelay> {
  const instance = unique('instance-');
  const relay = await FakeRelay.connect(await FakeRelay.register(), { instance, capacity });
  others.push(relay);
  return relay;
}

const knows = (id: string, type: string) =>
  until(type, async () => (await show(id)).timeline.find((entry) => entry.type === type));

/** LiveKit has the caller of a call in its room. */
const isInRoom = (id: string, isThere: boolean): void => {
  scene.outside.participants[`call-${id}`] = isThere ? [`caller-${id}`] : [];
};

const relayIsGone = (relay: FakeRelay) =>
  until('the closed connection to be noticed', async () => {
    const { body } = await api<{ data: { id: string; is_connected: boolean }[] }>(
      'GET',
      '/v1/relays',
    );
    const id = relayOf(relay.id);
    return body.data.find((listed) => listed.id === id)?.is_connected === false;
  });

describe('a relay whose connection ends', () => {
  it('has 5 s to return; then its calls are lost, the provider and the caller are told', async () => {
    const { id, wacid } = await scene.answer();
    scene.relay.close();
    await relayIsGone(scene.relay);
    await at(Date.now() + 4_000, async () => expect((await show(id)).state).toBe('active'));
    const sentBefore = scene.outside.messages.length;
    const call = await at(Date.now() + 5_001, async () => inState(id, 'ended'));
    expect(call.outcome).toMatchObject({ result: 'server_error', reason: 'relay-lost' });
    expect(scene.outside.graphActions(wacid).at(-1)).toBe('terminate');
    await knows(id, 'fallback-sent');
    expect(scene.outside.messages.slice(sentBefore)).toMatchObject([
      { to: '351910000001', type: 'text', text: { body: FALLBACK_TEXT } },
    ]);
  });

  it('keeps its calls when it is back in time', async () => {
    const { id } = await scene.answer();
    scene.relay.close();
    await relayIsGone(scene.relay);
    await scene.reconnect({ calls: [id] });
    await at(Date.now() + 60_000, async () => expect((await show(id)).state).toBe('active'));
    expect(scene.relay.last('call.want', id)).toMatchObject({ open: true });
  });

  it('is given up also by a Switchboard that has forgotten everything meanwhile', async () => {
    const { id } = await scene.answer();
    scene.relay.close();
    await relayIsGone(scene.relay);
    await evictDurableObject(switchboard());
    await at(Date.now() + 5_001, async () => inState(id, 'ended'));
  });

  it('leaves the calls of other relays alone', async () => {
    const { id } = await scene.answer();
    const other = await another();
    other.close();
    await relayIsGone(other);
    await at(Date.now() + 5_001, async () => expect((await show(id)).state).toBe('active'));
  });
});

describe('a relay that is not there when the Switchboard starts', () => {
  /** What a redeployment does: all connections and all memory go, without anybody noticing. */
  async function restart(): Promise<void> {
    await runInDurableObject(switchboard(), (_instance, state) => {
      for (const socket of state.getWebSockets()) socket.serializeAttachment(null);
    });
    await evictDurableObject(switchboard());
    await api('GET', '/v1/relays');
  }

  it('has 30 s; then LiveKit is asked, and the call goes on while the caller is in the room', async () => {
    const { id } = await scene.answer();
    scene.relay.say(id, { type: 'room-joined' });
    await knows(id, 'room-joined');
    await restart();
    isInRoom(id, true);
    await at(Date.now() + 29_000, async () => {
      expect((await show(id)).timeline.some(({ type }) => type === 'control-lost')).toBe(false);
    });
    await at(Date.now() + 30_001, async () => knows(id, 'control-checked'));
    expect(await show(id)).toMatchObject({ state: 'active', is_control_lost: true });
    await scene.reconnect({ calls: [id] });
    await knows(id, 'control-back');
    expect((await show(id)).is_control_lost).toBe(false);
    expect(scene.relay.last('call.want', id)).toMatchObject({ open: true });
  });

  it('has lost the call once LiveKit has not got the caller', async () => {
    const { id } = await scene.answer();
    scene.relay.say(id, { type: 'room-joined' });
    await knows(id, 'room-joined');
    await restart();
    isInRoom(id, false);
    const call = await at(Date.now() + 30_001, async () => inState(id, 'ended'));
    expect(call.outcome?.reason).toBe('relay-lost');
  });

  it('has lost the call after 2 minutes whatever LiveKit says', async () => {
    const { id } = await scene.answer();
    scene.relay.say(id, { type: 'room-joined' });
    await knows(id, 'room-joined');
    await restart();
    isInRoom(id, true);
    await at(Date.now() + 30_001, async () => knows(id, 'control-checked'));
    const call = await at(Date.now() + 121_000, async () => inState(id, 'ended'));
    expect(call.outcome?.reason).toBe('relay-lost');
  });
});

describe('a relay that falls silent without a close', () => {
  it('is asked after at LiveKit 30 s after its last sign, and gets no new calls', async () => {
    const { id } = await scene.answer();
    scene.relay.say(id, { type: 'room-joined' });
    await knows(id, 'room-joined');
    await scene.relay.ping(PING, PONG);
    isInRoom(id, true);
    await at(Date.now() + 25_000, async () => expect((await show(id)).state).toBe('active'));
    await at(Date.now() + 30_100, async () => knows(id, 'control-lost'));
    expect((await show(id)).state).toBe('active');
    expect((await inState((await scene.announce()).id, 'ended')).outcome?.reason).toBe('no-relay');
    await scene.reconnect({ calls: [id] });
    await knows(id, 'control-back');
  });
});

describe('new calls', () => {
  it('go to the least loaded relay that has room', async () => {
    const { id } = await scene.answer();
    const other = await another();
    const second = await scene.announce();
    await until('the other relay', () => other.last('call.answer', second.id));
    expect(scene.relay.last('call.answer', second.id)).toBeUndefined();
    expect((await show(id)).state).toBe('active');
  });

  it('five times as many as there is room for: those with a place go on, all others are told at once', async () => {
    scene.relay.close();
    await relayIsGone(scene.relay);
    const small = await another(4);
    small.answersWith = ANSWER_SDP;
    const calls = await Promise.all(Array.from({ length: 20 }, () => scene.announce()));
    const served = calls.filter(({ id }) => small.last('call.answer', id));
    expect(served).toHaveLength(4);
    for (const { id, wacid } of served) {
      await inState(id, 'ringing');
      expect(scene.outside.graphActions(wacid)).toEqual(['pre_accept']);
    }
    for (const { id } of calls.filter((call) => !served.includes(call))) {
      await knows(id, 'fallback-sent');
      expect((await show(id)).outcome?.reason).toBe('no-relay');
    }
  });

  it('are given to another relay when the first turns out to be full or draining', async () => {
    const other = await another(1);
    const { id } = await scene.announce();
    const isAsked = (relay: typeof other) => relay.last('call.answer', id) !== undefined;
    await until('one to be asked', () => isAsked(scene.relay) || isAsked(other));
    const [first, second] = isAsked(scene.relay) ? [scene.relay, other] : [other, scene.relay];
    first.say(id, { type: 'ended', reason: 'no-capacity', detail: 'draining' });
    await until('the other relay', () => second.last('call.answer', id));
    second.say(id, { type: 'answered', sdp: ANSWER_SDP });
    await inState(id, 'ringing');
    first.say(id, { type: 'answered', sdp: 'v=0 too late' });
    await until('the first to be told', () => first.last('call.close', id));
    expect((await show(id)).state).toBe('ringing');
  });

  it('do not go to a relay of a version before the last, whose calls go on', async () => {
    const { id } = await scene.answer();
    scene.relay.close();
    await relayIsGone(scene.relay);
    await scene.reconnect({ calls: [id], protocol: PROTOCOL_VERSION - 2 });
    expect((await show(id)).state).toBe('active');
    expect((await inState((await scene.announce()).id, 'ended')).outcome?.reason).toBe('no-relay');
    expect((await show(id)).state).toBe('active');
  });
});

describe('a relay whose calls use up its machine', () => {
  it('gets no new ones until it says that it takes them again; those that it has go on', async () => {
    const { id } = await scene.answer();
    scene.relay.send({ type: 'load', accepts: false });
    expect((await inState((await scene.announce()).id, 'ended')).outcome?.reason).toBe('no-relay');
    const other = await another(1);
    const next = await scene.announce();
    await until('the other relay', () => other.last('call.answer', next.id));
    expect((await show(id)).state).toBe('active');
    scene.relay.send({ type: 'load', accepts: true });
    const last = await scene.announce();
    await until('the relay', () => scene.relay.last('call.answer', last.id));
  });

  it('is known as such also by its hello', async () => {
    await scene.reconnect({ accepts: false });
    const { body } = await api<{ data: { id: string; is_overloaded: boolean }[] }>(
      'GET',
      '/v1/relays',
    );
    const listed = body.data.find((relay) => relay.id === scene.relay.id);
    expect(listed?.is_overloaded).toBe(true);
    expect((await inState((await scene.announce()).id, 'ended')).outcome?.reason).toBe('no-relay');
  });
});

describe('an event that breaks the protocol', () => {
  it('is not asked for again, and what comes after it counts', async () => {
    const { id } = await scene.answer();
    const seq = scene.relay.say(id, { type: 'dtmf', digit: 'Z' });
    const { message } = await until('the refusal', () => scene.relay.last('refused'));
    expect(message).toMatch(/^digit: /);
    await until('the acknowledgement', () => (scene.relay.last('ack')?.seq ?? 0) >= seq);
    scene.relay.say(id, { type: 'dtmf', digit: '5' });
    expect((await knows(id, 'digit')).detail).toEqual({ digit: '5' });
    expect(scene.relay.closedWith).toBeUndefined();
  });

  it.each([
    ['a reason that nobody knows', { reason: 'tired' }, 'relay-failed', 'refused: reason: '],
    [
      'figures that are none',
      { reason: 'room-lost', stats: { from_caller: 1 } },
      'room-lost',
      'refused: stats.from_caller: ',
    ],
  ])('ends the call if it is the last one: %s', async (_what, fields, reason, detail) => {
    const { id, wacid } = await scene.answer();
    const seq = scene.relay.say(id, { type: 'ended', ...fields });
    const { outcome } = await inState(id, 'ended');
    expect(outcome?.reason).toBe(reason);
    expect(outcome?.detail).toContain(detail);
    expect(scene.outside.graphActions(wacid).at(-1)).toBe('terminate');
    await until('the acknowledgement', () => (scene.relay.last('ack')?.seq ?? 0) >= seq);
  });
});

describe('two relays under one id', () => {
  it('the newer one wins: the calls of the older are ended and it is told', async () => {
    const { id } = await scene.answer();
    const older = scene.relay;
    await scene.reconnect({ instance: unique('instance-') });
    expect((await inState(id, 'ended')).outcome?.reason).toBe('relay-lost');
    await until('the older to be told', () => older.closedWith === 4001);
  });
});

describe('a relay of several processes', () => {
  interface Listed {
    readonly id: string;
    readonly is_connected: boolean;
    readonly processes: number;
    readonly capacity: number | null;
    readonly calls: number;
  }
  const listed = async (id: string): Promise<Listed | undefined> => {
    const { body } = await api<{ data: Listed[] }>('GET', '/v1/relays');
    return body.data.find((relay) => relay.id === id);
  };

  /** Both have the relay's one secret; nobody else takes calls meanwhile. */
  async function both(capacity: number) {
    scene.relay.close();
    await relayIsGone(scene.relay);
    const { id, secret } = await FakeRelay.register();
    const start = (number: number) =>
      FakeRelay.connect({ id: `${id}.${number}`, secret }, { instance: unique('i-'), capacity });
    const processes = [await start(1), await start(2)] as const;
    others.push(...processes);
    return { id, processes, start };
  }

  it('has a place for each, and is listed as one relay', async () => {
    const { id, processes } = await both(1);
    const calls = [await scene.announce(), await scene.announce()];
    for (const process of processes) {
      const [theirs] = calls.filter((call) => process.last('call.answer', call.id));
      process.say(theirs?.id ?? '', { type: 'answered', sdp: ANSWER_SDP });
      await inState(theirs?.id ?? '', 'ringing');
    }
    expect(await listed(id)).toMatchObject({
      is_connected: true,
      processes: 2,
      capacity: 2,
      calls: 2,
    });
    expect((await inState((await scene.announce()).id, 'ended')).outcome?.reason).toBe('no-relay');
  });

  it('loses the calls of the one that is started again, and no others', async () => {
    const { processes, start } = await both(1);
    const calls = [await scene.announce(), await scene.announce()];
    for (const { id } of calls) {
      const process = processes.find((relay) => relay.last('call.answer', id));
      process?.say(id, { type: 'answered', sdp: ANSWER_SDP });
      await inState(id, 'ringing');
    }
    others.push(await start(1));
    const [lost, kept] = processes.map((process) =>
      calls.find(({ id }) => process.last('call.answer', id)),
    );
    expect((await inState(lost?.id ?? '', 'ended')).outcome?.reason).toBe('relay-lost');
    expect((await show(kept?.id ?? '')).state).toBe('ringing');
    expect(processes[1].closedWith).toBeUndefined();
  });

  it('loses all its connections with its secret', async () => {
    const { id, processes } = await both(1);
    expect((await api('POST', `/v1/relays/${id}/secret`)).status).toBe(200);
    for (const process of processes) {
      await until('the connection to close', () => process.closedWith === 1008);
    }
    expect((await listed(id))?.is_connected).toBe(false);
  });

  it('lets in nobody without its secret, and no more of them than there can be', async () => {
    const { id, secret } = await FakeRelay.register();
    const status = async (process: string, shown: string) =>
      (
        await request(`/v1/relays/${process}/connect`, {
          headers: { authorization: `Bearer ${shown}` },
        })
      ).status;
    const other = await FakeRelay.register();
    expect(await status(`${id}.1`, other.secret)).toBe(401);
    // The secret is right; it is no WebSocket.
    expect(await status(`${id}.99`, secret)).toBe(426);
    for (const process of [`${id}.0`, `${id}.100`, `${id}.1.1`, `${id}.`, `${id}.x`])
      expect(await status(process, secret)).toBe(400);
  });
});

describe('a claim that comes too late', () => {
  it('is refused with the ending, also while the provider has not confirmed it', async () => {
    const { id } = await scene.ring();
    scene.outside.answers.reject = [() => Response.json({ success: false })];
    await api('POST', `/v1/calls/${id}/end`);
    const refusal = await scene.claim(id);
    expect(refusal.status).toBe(409);
    expect(refusal.body.outcome).toMatchObject({ reason: 'rejected' });
  });
});
