// Calls of the business inside workerd: real D1, real Durable Object; the provider, LiveKit and the relay answer as told.
import { evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import {
  api,
  FakeRelay,
  Outside,
  outboundWebhook,
  postWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

type Shown = CallView & { timeline: { type: string }[]; seat?: { token: string } | null };

const OFFER = 'v=0\r\na=offer of the relay\r\n';
const ANSWER = 'v=0\r\na=answer of the provider\r\n';
const phoneNumberId = unique('22');
let numberId = '';
let outside: Outside;
let credentials: { id: string; secret: string };
let relay: FakeRelay;
const agents: { id: string; key: string; name: string }[] = [];

const switchboard = () => testEnv.SWITCHBOARD.get(testEnv.SWITCHBOARD.idFromName('switchboard'));

beforeAll(async () => {
  outside = Outside.open();
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '+1 555 010 9999',
    access_token: 'token',
    api_base_url: 'https://graph.test',
  });
  numberId = number.body.id;
  credentials = await FakeRelay.register();
  for (const name of ['Bea', 'Carl']) {
    agents.push((await api<(typeof agents)[number]>('POST', '/v1/agents', { name })).body);
  }
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  relay = await FakeRelay.connect(credentials);
});

let users = 0;
/** A phone number that no other test calls. */
const user = (): string => `35191${String(++users).padStart(7, '0')}`;

const show = async (id: string): Promise<Shown> =>
  (await api<Shown>('GET', `/v1/calls/${id}`)).body;
const inState = (id: string, state: CallView['state']): Promise<Shown> =>
  until(`state ${state}`, async () => {
    const call = await show(id);
    return call.state === state ? call : null;
  });

const start = (body: object, key?: string, headers: Record<string, string> = {}) =>
  api<Shown & { reason?: string; errors?: { field: string }[] }>(
    'POST',
    '/v1/calls',
    { number_id: numberId, connect: { room: true }, ...body },
    key,
    headers,
  );

/** The provider's id of the next dial. */
function willDial(wacid = unique('wacid.')): string {
  outside.answers.connect = [
    () => Response.json({ messaging_product: 'whatsapp', calls: [{ id: wacid }] }),
  ];
  return wacid;
}

/** A call up to the moment at which the provider has been asked to dial. */
async function dial(body: object = {}): Promise<{ id: string; wacid: string; to: string }> {
  const to = user();
  const wacid = willDial();
  const { status, body: call } = await start({ to, ...body });
  expect(status).toBe(201);
  await until('call.offer', () => relay.last('call.offer', call.id));
  relay.say(call.id, { type: 'offered', sdp: OFFER });
  await until('the dial', () => outside.graph.find(({ to: dialled }) => dialled === to));
  await until('the name', async () => (await show(call.id)).provider_call_id === wacid);
  return { id: call.id, wacid, to };
}

const say = (id: string, wacid: string, to: string) => ({
  answer: () =>
    postWebhook(outboundWebhook({ phoneNumberId, wacid, to, opaque: id, answer: ANSWER })),
  status: (status: string) =>
    postWebhook(outboundWebhook({ phoneNumberId, wacid, to, opaque: id, status })),
  terminate: (more: object = {}) =>
    postWebhook(outboundWebhook({ phoneNumberId, wacid, to, opaque: id, terminate: more })),
});

describe('a call of the business', () => {
  it('is dialled with our offer and id, answered, opened at the pickup and billed', async () => {
    const { id, wacid, to } = await dial();
    expect(outside.graph.find((request) => request.to === to)).toMatchObject({
      action: 'connect',
      session: { sdp_type: 'offer', sdp: OFFER },
      biz_opaque_callback_data: id,
    });
    const provider = say(id, wacid, to);
    await provider.answer();
    const applied = await until('the answer', () => relay.last('call.apply-answer', id));
    expect(applied.sdp).toBe(ANSWER);
    await provider.status('RINGING');
    expect(relay.last('call.want', id)).toMatchObject({ open: false });
    expect(relay.last('call.want', id)?.room).toBeUndefined();
    await provider.status('ACCEPTED');
    await inState(id, 'active');
    const want = await until(
      'the opening',
      () => relay.last('call.want', id)?.open && relay.last('call.want', id),
    );
    expect(want.room).toBeDefined();
    expect(want.audience).toMatchObject({ everyone: true });

    await provider.terminate({ start_time: '1790000000', end_time: '1790000061', duration: 61 });
    const ended = await inState(id, 'ended');
    expect(ended.outcome).toMatchObject({ result: 'success', reason: 'callee-hung-up' });
    const billed = await until('the bill', async () => {
      const call = await show(id);
      return call.billed_seconds === null ? null : call;
    });
    expect(billed).toMatchObject({ billed_seconds: 66, estimated_cost: null });
    expect(outside.graphActions(wacid)).toEqual([]);
  });

  it('rings the chosen agent, waits for them in the room, then dials', async () => {
    const to = user();
    const wacid = willDial();
    const { body: call } = await start({ to, connect: { agent_id: agents[0]?.id } });
    expect(call.state).toBe('ringing');
    expect(outside.graph.some((request) => request.to === to)).toBe(false);
    const other = await api('POST', `/v1/calls/${call.id}/claim`, undefined, agents[1]?.key);
    expect(other.status).toBe(403);
    outside.participants[`call-${call.id}`] = [`agent-${agents[0]?.id}`];
    const seat = await api('POST', `/v1/calls/${call.id}/claim`, undefined, agents[0]?.key);
    expect(seat.status).toBe(200);
    await until('call.offer', () => relay.last('call.offer', call.id));
    relay.say(call.id, { type: 'offered', sdp: OFFER });
    await until('the dial', () => outside.graph.some((request) => request.to === to));
    await until('the name', async () => (await show(call.id)).provider_call_id === wacid);
  });

  it('gives an agent who calls a seat at once', async () => {
    const { status, body } = await start(
      { to: user(), connect: { agent_id: agents[0]?.id } },
      agents[0]?.key,
    );
    expect([status, body.state]).toEqual([201, 'claimed']);
    expect(body.seat?.token).toBeTruthy();
    await api('POST', `/v1/calls/${body.id}/end`, undefined, agents[0]?.key);
    expect((await inState(body.id, 'ended')).outcome?.reason).toBe('cancelled');
  });

  it('dispatches an AI agent when the phone rings and hears it', async () => {
    const { id, wacid, to } = await dial({ connect: { ai: { name: 'concierge', metadata: 'x' } } });
    const provider = say(id, wacid, to);
    await provider.answer();
    const dispatches = () =>
      outside.rooms.filter(
        ({ method, body }) => method === 'CreateDispatch' && body.room === `call-${id}`,
      );
    expect(dispatches()).toEqual([]);
    await provider.status('RINGING');
    await until('the dispatch', () => dispatches().length === 1);
    await provider.status('ACCEPTED');
    await until('the opening', () => relay.last('call.want', id)?.open);
    expect(relay.last('call.want', id)?.audience).toMatchObject({ ai: true, everyone: false });
  });

  it('is cancelled while the phone rings', async () => {
    const { id, wacid, to } = await dial();
    await say(id, wacid, to).status('RINGING');
    await api('POST', `/v1/calls/${id}/end`);
    const call = await inState(id, 'ended');
    expect(call.outcome).toMatchObject({ reason: 'cancelled', ended_by: 'api' });
    expect(outside.graphActions(wacid)).toEqual(['terminate']);
  });
});

describe('nobody is called twice', () => {
  it('by a repeated request with the same Idempotency-Key', async () => {
    const body = { to: user() };
    const headers = { 'idempotency-key': unique('key-') };
    const [first, second] = await Promise.all([
      start(body, undefined, headers),
      start(body, undefined, headers),
    ]);
    expect(first.body.id).toBe(second.body.id);
    const other = await start({ to: user() }, undefined, headers);
    expect(other.status).toBe(422);
  });

  it('by a second request while a call with the user is under way', async () => {
    const { to } = await dial();
    const { status, body } = await start({ to });
    expect([status, (body as { type?: string }).type]).toEqual([
      409,
      'urn:roomline:problem:user-in-call',
    ]);
  });

  it('when the reply to the dial is lost: the webhook is taken for it', async () => {
    const to = user();
    outside.answers.connect = [() => Response.json({}, { status: 504 })];
    const { body: call } = await start({ to });
    await until('call.offer', () => relay.last('call.offer', call.id));
    relay.say(call.id, { type: 'offered', sdp: OFFER });
    await until('the doubt', async () =>
      (await show(call.id)).timeline.some(({ type }) => type === 'dial-unsure'),
    );
    const wacid = unique('wacid.');
    const provider = say(call.id, wacid, to);
    await provider.answer();
    await provider.status('ACCEPTED');
    await inState(call.id, 'active');
    expect(outside.graph.filter((request) => request.to === to)).toHaveLength(1);
  });

  it('across the Switchboard vanishing from memory between any two steps', async () => {
    const evict = () => evictDurableObject(switchboard());
    const to = user();
    const wacid = willDial();
    const { body: call } = await start({ to });
    await until('call.offer', () => relay.last('call.offer', call.id));
    await evict();
    relay.say(call.id, { type: 'offered', sdp: OFFER });
    await until('the name', async () => (await show(call.id)).provider_call_id === wacid);
    const provider = say(call.id, wacid, to);
    for (const step of [
      provider.answer,
      () => provider.status('RINGING'),
      () => provider.status('ACCEPTED'),
    ]) {
      await evict();
      await step();
    }
    await inState(call.id, 'active');
    expect(outside.graph.filter((request) => request.to === to)).toHaveLength(1);
  });
});

describe('refusals', () => {
  it('carry their own outcome, the text of the provider and what to do next', async () => {
    const to = user();
    outside.answers.connect = [
      () =>
        Response.json(
          { error: { code: 138006, message: 'No approved call permission' } },
          { status: 401 },
        ),
    ];
    const { body: call } = await start({ to });
    await until('call.offer', () => relay.last('call.offer', call.id));
    relay.say(call.id, { type: 'offered', sdp: OFFER });
    const ended = await inState(call.id, 'ended');
    expect(ended.outcome).toMatchObject({
      reason: 'no-permission',
      detail: expect.stringContaining('138006'),
    });
    expect(ended.outcome?.remedy).toContain('permission');
    // What the provider said is remembered: the next request does not bother it.
    const again = await until('the ledger', async () => {
      const answer = await start({ to });
      return answer.status === 409 ? answer : null;
    });
    expect((again.body as { type?: string }).type).toBe('urn:roomline:problem:call-forbidden');
    expect(outside.graph.filter((request) => request.to === to)).toHaveLength(1);
  });

  it('name the field', async () => {
    const fieldsOf = async (body: object) =>
      (await start(body)).body.errors?.map(({ field }) => field);
    expect(await fieldsOf({})).toEqual(['to']);
    expect(await fieldsOf({ to: 'abc' })).toEqual(['to']);
    expect(await fieldsOf({ to: user(), recipient: 'PT.1' })).toEqual(['to']);
    expect(await fieldsOf({ to: user(), connect: {} })).toEqual(['connect']);
    expect(await fieldsOf({ to: user(), number_id: 'nope' })).toEqual(['number_id']);
    expect(await fieldsOf({ to: user(), connect: { agent_id: 'nope' } })).toEqual([
      'connect.agent_id',
    ]);
  });
});

describe('time', () => {
  async function at<T>(ms: number, then: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      vi.setSystemTime(ms);
      await runDurableObjectAlarm(switchboard());
      return await then();
    } finally {
      vi.useRealTimers();
    }
  }

  it('a phone that rings too long is let go', async () => {
    const { id, wacid, to } = await dial({ ring_seconds: 10 });
    await say(id, wacid, to).status('RINGING');
    const call = await at(Date.now() + 10_001, async () => inState(id, 'ended'));
    expect(call.outcome).toMatchObject({ reason: 'callee-no-answer', ended_by: 'system' });
    expect(outside.graphActions(wacid)).toEqual(['terminate']);
  });
});

it('calls of somebody else are counted and left alone', async () => {
  const wacid = unique('wacid.');
  const before = outside.graph.length;
  const response = await postWebhook(
    outboundWebhook({ phoneNumberId, wacid, to: user(), opaque: 'another-app', answer: ANSWER }),
  );
  expect(response.status).toBe(200);
  await until('the count', async () => {
    const { body } = await api<{ ignored: Record<string, number> }>('GET', '/v1/stats');
    return body.ignored['foreign-call'];
  });
  expect(outside.graph.length).toBe(before);
});
