// The whole worker inside workerd: real D1, real Durable Object; the provider, LiveKit and the relay answer as told.
import { evictDurableObject } from 'cloudflare:test';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ANSWER_SDP,
  at,
  findCall,
  inState,
  InboundScene,
  show,
  switchboard,
} from './inbound-scene.ts';
import {
  api,
  connectWebhook,
  FakeRelay,
  Outside,
  postWebhook,
  terminateWebhook,
  unique,
  until,
} from './support.ts';

let scene: InboundScene;
let outside: Outside;
let relay: FakeRelay;

beforeAll(async () => {
  scene = await InboundScene.open();
  ({ outside } = scene);
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  relay = await scene.reconnect();
});

const fields = (id?: string) => scene.fields(id);
const ring = (wacid?: string) => scene.ring(wacid);
const claim = (id: string, agent?: number) => scene.claim(id, agent);
const answer = () => scene.answer();

describe('an inbound call', () => {
  it('is pre-accepted, rung, claimed, accepted with the identical SDP, opened and ended once', async () => {
    const { id, wacid } = await ring();
    await until('the room', () => outside.rooms.find(({ body }) => body.name === `call-${id}`));
    await until('checks to start', () => relay.last('call.want', id)?.connect);
    expect(relay.last('call.want', id)).toMatchObject({ connect: true, open: false });

    const seat = await claim(id);
    expect(seat.status).toBe(200);
    expect(seat.body).toMatchObject({ livekit_url: 'ws://livekit.test', room: `call-${id}` });
    relay.say(id, { type: 'ready', identity: seat.body.identity });
    await inState(id, 'active');
    await until('the path to open', () => relay.last('call.want', id)?.open);

    const [preAccept, accept] = outside.graph.filter(({ call_id }) => call_id === wacid);
    expect(preAccept).toMatchObject({ action: 'pre_accept', session: { sdp: ANSWER_SDP } });
    expect(accept).toMatchObject({ action: 'accept', session: { sdp: ANSWER_SDP } });

    await postWebhook(terminateWebhook(fields(wacid), { start_time: '1', duration: 3 }));
    const ended = await inState(id, 'ended');
    expect(ended.outcome).toMatchObject({ result: 'success', reason: 'caller-hung-up' });
    await until('the relay to be told', () => relay.last('call.close', id));
    relay.say(id, { type: 'ended', reason: 'closed' });
    await until('the room to be deleted', () =>
      outside.rooms.find(
        ({ method, body }) => method === 'DeleteRoom' && body.room === `call-${id}`,
      ),
    );
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'accept']);
  });

  it('is hung up by the API: the provider is told once and the outcome written once', async () => {
    const { id, wacid } = await answer();
    await api('POST', `/v1/calls/${id}/end`);
    await api('POST', `/v1/calls/${id}/end`);
    await postWebhook(terminateWebhook(fields(wacid), { start_time: '1' }));
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({ reason: 'agent-hung-up', ended_by: 'api' });
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'accept', 'terminate']);
    expect(call.timeline.filter(({ type }) => type === 'ending' || type === 'ended')).toHaveLength(
      1,
    );
  });

  it('is rejected by the API while it rings', async () => {
    const { id, wacid } = await ring();
    await api('POST', `/v1/calls/${id}/end`, undefined, scene.agents[0]?.key);
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({ reason: 'rejected', ended_by: 'agent' });
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'reject']);
  });

  it('is recorded and rejected when no relay is there', async () => {
    relay.send({ type: 'draining' });
    const wacid = unique('wacid.');
    await postWebhook(connectWebhook(fields(wacid)));
    const { id } = await until('the call', () => findCall(wacid));
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({ result: 'server_error', reason: 'no-relay' });
    expect(outside.graphActions(wacid)).toEqual(['reject']);
  });

  it('that cannot be used is rejected with an outcome that names the line', async () => {
    const wacid = unique('wacid.');
    await postWebhook(connectWebhook(fields(wacid)));
    const { id } = await until('the call', () => findCall(wacid));
    relay.say(id, { type: 'ended', reason: 'unusable-offer', detail: 'line 7: no fingerprint' });
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({
      reason: 'unusable-offer',
      detail: 'line 7: no fingerprint',
    });
    expect(outside.graphActions(wacid)).toEqual(['reject']);
  });
});

describe('delivery in any order and number', () => {
  it('takes ten copies of one announcement for one call', async () => {
    const wacid = unique('wacid.');
    const copies = Array.from({ length: 10 }, () => postWebhook(connectWebhook(fields(wacid))));
    expect((await Promise.all(copies)).map(({ status }) => status)).toEqual(copies.map(() => 200));
    const { id } = await until('the call', () => findCall(wacid));
    const call = await show(id);
    expect(call.timeline.filter(({ type }) => type === 'offered')).toHaveLength(1);
    expect(
      relay.frames.filter((frame) => frame.type === 'call.answer' && frame.call_id === id),
    ).toHaveLength(1);
  });

  it('rings no ghost when the end comes before the announcement', async () => {
    const wacid = unique('wacid.');
    await postWebhook(terminateWebhook(fields(wacid)));
    expect(await findCall(wacid)).toBeUndefined();
    await postWebhook(connectWebhook(fields(wacid)));
    const call = await until('the call', () => findCall(wacid));
    expect(call).toMatchObject({ state: 'ended', outcome: { reason: 'caller-gave-up' } });
    expect(relay.last('call.answer', call.id)).toBeUndefined();
    expect(outside.graphActions(wacid)).toEqual([]);
  });

  it('lets one of two claims win and names the winner to the other', async () => {
    const { id } = await ring();
    const claims = await Promise.all([claim(id, 0), claim(id, 1)]);
    expect(claims.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    const winner = claims.findIndex(({ status }) => status === 200);
    const loser = claims.find(({ status }) => status === 409);
    expect(loser?.body.claimed_by?.name).toBe(scene.agents[winner]?.name);
  });

  it('acknowledges events of the relay once they are stored, and applies a repeated one once', async () => {
    const { id } = await ring();
    const { identity } = (await claim(id)).body;
    const seq = relay.say(id, { type: 'ready', identity });
    await until('the acknowledgement', () => (relay.last('ack')?.seq ?? 0) >= seq);
    relay.send({ type: 'ready', call_id: id, seq, at_ms: 0, identity });
    const call = await inState(id, 'active');
    expect(call.timeline.filter(({ type }) => type === 'ready')).toHaveLength(1);
  });

  it('ignores a relay that speaks of a call on another relay', async () => {
    const { id } = await ring();
    const other = await FakeRelay.connect(await FakeRelay.register());
    const seq = other.say(id, { type: 'ended', reason: 'internal' });
    await until('the acknowledgement', () => (other.last('ack')?.seq ?? 0) >= seq);
    expect((await show(id)).state).toBe('ringing');
    other.close();
  });
});

describe('the Switchboard vanishing from memory', () => {
  it('between any two steps loses nothing', async () => {
    const evict = () => evictDurableObject(switchboard());
    const wacid = unique('wacid.');
    await postWebhook(connectWebhook(fields(wacid)));
    const { id } = await until('the call', () => findCall(wacid));
    await until('the room', async () =>
      (await show(id)).timeline.some(({ type }) => type === 'room-created'),
    );
    await evict();
    relay.say(id, { type: 'answered', sdp: ANSWER_SDP });
    await inState(id, 'ringing');
    await evict();
    const { identity } = (await claim(id)).body;
    await evict();
    relay.say(id, { type: 'ready', identity });
    await inState(id, 'active');
    await evict();
    await postWebhook(terminateWebhook(fields(wacid), { start_time: '1' }));
    const call = await inState(id, 'ended');
    expect(call.outcome?.reason).toBe('caller-hung-up');
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'accept']);
  });

  it('ends the calls of a relay process that is gone for good', async () => {
    const { id, wacid } = await answer();
    relay.close();
    await FakeRelay.connect(scene.credentials, { instance: 'instance-2' });
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({ result: 'server_error', reason: 'relay-lost' });
    expect(outside.graphActions(wacid).at(-1)).toBe('terminate');
  });

  it('tells a relay that returns what its calls should be like', async () => {
    const { id } = await answer();
    relay.close();
    const again = await FakeRelay.connect(scene.credentials, { calls: [id, 'unknown-call'] });
    const want = await until('call.want', () => again.last('call.want', id));
    expect(want).toMatchObject({ open: true, connect: true });
    expect(again.last('call.close', 'unknown-call')).toBeDefined();
    expect(again.last('call.close', id)).toBeUndefined();
  });
});

describe('time', () => {
  it('takes back a claim that is not ready after 5 s and lets somebody else answer', async () => {
    const { id } = await ring();
    const { identity } = (await claim(id, 0)).body;
    await at(Date.now() + 5_001, async () => inState(id, 'ringing'));
    expect(relay.last('call.want', id)?.audience.excluded).toEqual([identity]);
    expect((await claim(id, 1)).status).toBe(200);
  });

  it('rejects at the answer limit when nobody answers', async () => {
    const { id, wacid } = await ring();
    const { answer_by: answerBy } = await show(id);
    const call = await at(Date.parse(answerBy) + 1, async () => inState(id, 'ended'));
    expect(call.outcome).toMatchObject({ result: 'client_error', reason: 'no-answer' });
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'reject']);
  });

  it('ends a call 5 s after the agent left, and not if they return', async () => {
    const { id, identity } = await answer();
    relay.say(id, { type: 'participant-left', identity, why: 'left' });
    relay.say(id, { type: 'participant-joined', identity });
    await until('the return', async () =>
      (await show(id)).timeline.some(({ type }) => type === 'agent-returned'),
    );
    await at(Date.now() + 20_000, async () => expect((await show(id)).state).toBe('active'));
    relay.say(id, { type: 'participant-left', identity, why: 'left' });
    await until('the leaving', async () => (await show(id)).timeline.at(-1)?.type === 'agent-left');
    const call = await at(Date.now() + 5_001, async () => inState(id, 'ended'));
    expect(call.outcome).toMatchObject({ reason: 'agent-left', ended_by: 'agent' });
  });

  it('does not ring for an announcement that is too old', async () => {
    const wacid = unique('wacid.');
    const timestampS = Math.floor(Date.now() / 1000) - 40;
    await postWebhook(connectWebhook({ ...fields(wacid), timestampS }));
    const { id } = await until('the call', () => findCall(wacid));
    expect((await inState(id, 'ended')).outcome?.reason).toBe('offer-too-old');
  });
});

describe('the provider failing', () => {
  const error = (status: number, code: number, message: string) => () =>
    Response.json({ error: { code, message } }, { status });

  it('repeats an accept that went unanswered with the same SDP and takes "already" for success', async () => {
    const { id, wacid } = await ring();
    outside.answers.accept = [
      () => Response.json({}, { status: 503 }),
      error(400, 100, 'Call was already accepted'),
    ];
    const { identity } = (await claim(id)).body;
    relay.say(id, { type: 'ready', identity });
    await until('the retry to be due', async () =>
      (await show(id)).timeline.some(({ type }) => type === 'action-failed'),
    );
    await inState(id, 'active');
    expect(outside.graphActions(wacid)).toEqual(['pre_accept', 'accept', 'accept']);
  });

  it('ends the call when the accept is refused, with the code and text of the provider', async () => {
    const { id } = await ring();
    outside.answers.accept = [error(400, 138008, 'SDP Validation error')];
    const { identity } = (await claim(id)).body;
    relay.say(id, { type: 'ready', identity });
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({
      result: 'upstream_error',
      reason: 'accept-failed',
      detail: '138008: SDP Validation error',
    });
  });

  it('keeps asking when a terminate is answered with success: false', async () => {
    const { id, wacid } = await answer();
    outside.answers.terminate = [() => Response.json({ success: false })];
    await api('POST', `/v1/calls/${id}/end`);
    const call = await inState(id, 'ended');
    expect(outside.graphActions(wacid).filter((action) => action === 'terminate')).toHaveLength(2);
    expect(call.outcome?.reason).toBe('agent-hung-up');
  });
});
