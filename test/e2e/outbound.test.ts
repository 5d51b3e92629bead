// Calls of the business to WhatsApp users, through the real worker, relay and livekit-server.
import { RoomServiceClient } from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CallView as PhoneView, PhoneDescription } from '../local/simulator/client.ts';
import { ApiError, type CallDetails, type Claim } from '../support/roomline-client.ts';
import { TestAgent } from '../support/test-agent.ts';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, graphOf, hasHeard, Scene } from './scene.ts';

type Started = CallDetails & { seat: Claim | null };

const stack = useStack('outbound');
let scene: Scene;
let numberId = '';
beforeAll(async () => {
  scene = await Scene.open(stack());
  const { data } = await stack().admin.request<{ data: { id: string }[] }>('GET', '/v1/numbers');
  numberId = data[0]?.id ?? '';
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

let users = 0;
/** A user whom no other test calls, with permission unless told otherwise. */
async function user(phone: PhoneDescription = {}, mayBeCalled = true): Promise<string> {
  const to = `35192${String(++users).padStart(7, '0')}`;
  await stack().simulator.setPhone({ play: { kind: 'tone', hz: CALLER_HZ }, ...phone }, to);
  if (mayBeCalled) await stack().simulator.setPermission({ user: to, status: 'permanent' });
  return to;
}

const start = (body: object, desk = stack().admin): Promise<Started> =>
  desk.request<Started>('POST', '/v1/calls', {
    number_id: numberId,
    connect: { room: true },
    ...body,
  });

/** The phone's side of a call, once it was dialled. */
async function phoneOf(id: string): Promise<PhoneView> {
  const { provider_call_id: wacid } = await expect
    .poll(() => stack().admin.call(id), { timeout: 10_000, interval: 25 })
    .toMatchObject({ provider_call_id: expect.any(String) })
    .then(() => stack().admin.call(id));
  return stack().simulator.get(wacid);
}

/** Ends are final, told to everybody, and leave no room behind. */
async function ended(id: string, timeoutMs = 20_000): Promise<CallDetails> {
  await scene.events.state(id, 'ended', timeoutMs);
  const { url, apiKey, apiSecret } = stack().livekit;
  const rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  await expect
    .poll(() => rooms.listRooms([`call-${id}`]), { timeout: 10_000, interval: 50 })
    .toEqual([]);
  return stack().admin.call(id);
}

const joinRoom = async (id: string): Promise<TestAgent> => {
  const seat = await scene.ana.request<Claim>('POST', `/v1/calls/${id}/join`);
  return TestAgent.join(seat, { toneHz: AGENT_HZ });
};

describe.each(['active', 'passive', 'actpass'] as const)('a provider that answers %s', (setup) => {
  it('is connected: both sides hear each other, nothing is sent before the pickup', async () => {
    const to = await user({ answer_setup: setup, ring_ms: 600 });
    const { id } = await start({ to });
    const agent = await joinRoom(id);
    await scene.events.state(id, 'active');
    const phone = await phoneOf(id);
    await Promise.all([agent.hears(CALLER_HZ), scene.phoneHears(phone.id, AGENT_HZ)]);
    await stack().simulator.hangUp(phone.id);
    const record = await ended(id);
    expect(record.outcome).toMatchObject({ result: 'success', reason: 'callee-hung-up' });
    const report = await phoneOf(id);
    expect(report.violations).toEqual([]);
    expect(report.heard.packetsBeforeAccept).toBe(0);
    expect(graphOf(report)).toEqual(['connect 200']);
    await agent.leave();
  });
});

it('takes an answer that comes only as the deprecated connection', async () => {
  const to = await user({ faults: { webhooks: { sdp_in: 'connection' } } });
  const { id } = await start({ to });
  const agent = await joinRoom(id);
  await scene.events.state(id, 'active');
  await agent.hears(CALLER_HZ);
  await stack().admin.end(id);
  expect((await ended(id)).outcome?.reason).toBe('agent-hung-up');
  await agent.leave();
});

it('rings the chosen agent, dials once they are in the room, and the first words arrive', async () => {
  const to = await user({ ring_ms: 400 });
  const { agents } = await stack()
    .admin.request<{ data: { id: string; name: string }[] }>('GET', '/v1/agents')
    .then(({ data }) => ({ agents: data }));
  const ana = agents.find(({ name }) => name === 'Ana');
  const { id, state } = await start({ to, connect: { agent_id: ana?.id } });
  expect(state).toBe('ringing');
  const agent = await scene.join(scene.ana, id);
  await scene.events.state(id, 'active');
  const phone = await phoneOf(id);
  await Promise.all([agent.hears(CALLER_HZ), scene.phoneHears(phone.id, AGENT_HZ)]);
  await agent.leave();
  const record = await ended(id);
  expect(record.outcome).toMatchObject({ reason: 'agent-left', ended_by: 'agent' });
  expect(graphOf(await phoneOf(id))).toEqual(['connect 200', 'terminate 200']);
});

describe('ends', () => {
  it.each<[name: string, phone: PhoneDescription, reason: string]>([
    ['declined', { behaviour: 'reject' }, 'callee-rejected'],
    ['busy', { behaviour: 'busy' }, 'callee-rejected'],
    ['not picked up', { behaviour: 'ignore', ring_ms: 500 }, 'callee-no-answer'],
    ['not on WhatsApp', { behaviour: 'uncallable' }, 'callee-not-reachable'],
  ])('%s', async (_name, phone, reason) => {
    const { id } = await start({ to: await user(phone) });
    const record = await ended(id);
    expect(record.outcome?.reason).toBe(reason);
  });

  it('cancelled while it rings', async () => {
    const { id } = await start({ to: await user({ behaviour: 'ignore' }) });
    await scene.events.first(
      'ringing',
      ({ call, event }) => call.id === id && event === 'alerting',
    );
    await stack().admin.end(id);
    expect((await ended(id)).outcome?.reason).toBe('cancelled');
    expect(graphOf(await phoneOf(id))).toEqual(['connect 200', 'terminate 200']);
  });

  it('without permission the provider is asked once, and not again', async () => {
    const to = await user({}, false);
    const { id } = await start({ to });
    const record = await ended(id);
    expect(record.outcome).toMatchObject({ result: 'client_error', reason: 'no-permission' });
    const again = await start({ to }).catch((error: unknown) => error);
    expect(again).toBeInstanceOf(ApiError);
    expect((again as ApiError).status).toBe(409);
  });
});

it.each([
  ['the reply to the dial is lost', { graph: [{ action: 'connect', kind: 'act-then-drop' }] }],
  ['every webhook comes twice', { webhooks: { duplicates: 1 } }],
] as const)('is connected once although %s', async (_name, faults) => {
  const to = await user({ faults: faults as PhoneDescription['faults'] });
  const { id } = await start({ to });
  const agent = await joinRoom(id);
  await scene.events.state(id, 'active');
  await agent.hears(CALLER_HZ);
  const phone = await phoneOf(id);
  await stack().simulator.hangUp(phone.id);
  expect((await ended(id)).outcome?.reason).toBe('callee-hung-up');
  const calls = await stack().simulator.list();
  expect(calls.filter((call) => call.to === to || call.from === to)).toHaveLength(1);
  await agent.leave();
});

it('asks for permission, waits for the grant, then dials', async () => {
  const to = await user({ permission_reply: { response: 'accept' } }, false);
  await stack().simulator.setPermission({ user: to, window: 'open' });
  await stack().simulator.userMessage({ user: to });
  const { id } = await start({ to, ask: { text: 'May we call you?' } });
  await scene.events.state(id, 'active');
  await stack().admin.end(id);
  expect((await ended(id)).outcome?.reason).toBe('agent-hung-up');
});

it('calls through 360dialog beside a number at Meta', async () => {
  const added = await stack().simulator.addNumber({ provider: '360dialog' });
  const number = await stack().admin.request<{
    id: string;
    webhook_url: string;
    webhook_headers: Record<string, string>;
  }>('POST', '/v1/numbers', {
    provider: '360dialog',
    phone_number_id: added.phoneNumberId,
    display_phone_number: added.displayPhoneNumber,
    access_token: added.apiKey,
    api_base_url: added.apiBaseUrl,
  });
  const configured = await fetch(`${added.apiBaseUrl}/v1/configs/webhook`, {
    method: 'POST',
    headers: { 'd360-api-key': added.apiKey ?? '', 'content-type': 'application/json' },
    body: JSON.stringify({ url: number.webhook_url, headers: number.webhook_headers }),
  });
  expect(configured.status).toBe(200);
  const to = await user({}, false);
  await stack().simulator.setPermission({
    user: to,
    status: 'permanent',
    number: added.phoneNumberId,
  });
  const { id } = await start({ to, number_id: number.id });
  const agent = await joinRoom(id);
  await scene.events.state(id, 'active');
  await agent.hears(CALLER_HZ);
  const phone = await phoneOf(id);
  expect(hasHeard(await scene.phoneHears(phone.id, AGENT_HZ), AGENT_HZ)).toBe(true);
  await stack().simulator.hangUp(phone.id);
  expect((await ended(id)).outcome?.reason).toBe('callee-hung-up');
  await agent.leave();
});
