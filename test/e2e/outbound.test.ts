// Calls of the business to WhatsApp users, through the real worker, relay and livekit-server.
import { AgentDispatchClient } from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PhoneDescription } from '../local/simulator/client.ts';
import { useStack } from '../support/use-stack.ts';
import { AgentWorker } from './agent-worker.ts';
import { OutboundScene, type OwnNumber } from './outbound-scene.ts';
import { CALLER_HZ, graphOf } from './scene.ts';

const stack = useStack('outbound');
let out: OutboundScene;
beforeAll(async () => {
  out = await OutboundScene.open(stack());
});
afterEach(() => out.clear());
afterAll(() => out?.scene.events.close());

describe.each(['active', 'passive', 'actpass'] as const)('a provider that answers %s', (setup) => {
  it('is connected: both sides hear each other, nothing is sent before the pickup', async () => {
    const { id } = await out.start({ to: await out.user({ answer_setup: setup, ring_ms: 600 }) });
    await out.talks(id, await out.joinRoom(id));
    const { record, report } = await out.hungUp(id);
    expect(record.outcome).toMatchObject({ result: 'success', reason: 'callee-hung-up' });
    expect(graphOf(report)).toEqual(['connect 200']);
  });
});

describe('an agent', () => {
  it('is rung, the user is dialled once they are in the room, and the first words arrive', async () => {
    const to = await out.user({ ring_ms: 400 });
    const { id, state } = await out.start({ to, connect: { agent_id: await out.agentId('Ana') } });
    expect(state).toBe('ringing');
    expect(await out.dialsTo(to)).toBe(0);
    const agent = await out.scene.join(out.scene.ana, id);
    await out.talks(id, agent);
    await agent.leave();
    const { record, report } = await out.ended(id);
    expect(record.outcome).toMatchObject({ reason: 'agent-left', ended_by: 'agent' });
    expect(graphOf(report!)).toEqual(['connect 200', 'terminate 200']);
  });

  it('who places the call has a seat at once', async () => {
    const connect = { agent_id: await out.agentId('Ana') };
    const { id, seat } = await out.start({ to: await out.user(), connect }, out.scene.ana);
    await out.talks(id, await out.seat(seat!));
    await out.scene.ana.end(id);
    const { record } = await out.ended(id);
    expect(record.outcome).toMatchObject({ reason: 'agent-hung-up', ended_by: 'agent' });
  });

  it('who is not the chosen one cannot take the call', async () => {
    const to = await out.user();
    const { id } = await out.start({ to, connect: { agent_id: await out.agentId('Ana') } });
    await expect(out.scene.ben.claim(id)).rejects.toMatchObject({ status: 403 });
    await stack().admin.end(id);
    expect((await out.ended(id)).record.outcome?.reason).toBe('cancelled');
    expect(await out.dialsTo(to)).toBe(0);
  });
});

describe('an AI agent', () => {
  let worker: AgentWorker;
  beforeAll(async () => {
    worker = await AgentWorker.register(stack().livekit, 'receptionist');
  });
  afterAll(() => worker?.close());

  const ai = { ai: { name: 'receptionist', metadata: '{"order":17}' } };
  const join = async (id: string) => {
    const { token } = await worker.job(`call-${id}`);
    return out.seat({ livekit_url: stack().livekit.url, token });
  };

  it('is dispatched when the phone rings, is alone until the pickup, and then both hear each other', async () => {
    const { id } = await out.start({ to: await out.user({ behaviour: 'ignore' }), connect: ai });
    const agent = await join(id);
    const phone = await out.rings(id);
    const { url, apiKey, apiSecret } = stack().livekit;
    const dispatches = new AgentDispatchClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    // LiveKit lists one without a name for every room: that of agents who join all rooms.
    const listed = await dispatches.listDispatch(`call-${id}`);
    expect(listed.filter(({ agentName }) => agentName !== '')).toMatchObject([
      { agentName: 'receptionist', metadata: '{"order":17}' },
    ]);
    expect(await worker.job(`call-${id}`)).toMatchObject({ metadata: '{"order":17}' });
    // Agents greet whom they see join, so the user must not be there before the pickup.
    expect([...agent.room.remoteParticipants.keys()]).toEqual([]);
    await stack().simulator.pickUp(phone.id);
    await out.talks(id, agent);
    const { record } = await out.hungUp(id);
    expect(record.outcome?.reason).toBe('callee-hung-up');
    const types = record.timeline.map(({ type }) => type);
    expect(types.indexOf('agent-dispatched')).toBeGreaterThan(types.indexOf('alerting'));
    expect(worker.countOf(`call-${id}`)).toBe(1);
    await agent.gone();
  });

  it('who leaves ends the call at once', async () => {
    const { id } = await out.start({ to: await out.user(), connect: ai });
    const agent = await join(id);
    await out.talks(id, agent);
    await agent.leave();
    const { record, report } = await out.ended(id);
    expect(record.outcome).toMatchObject({ reason: 'agent-left', ended_by: 'agent' });
    expect(report?.ended).toEqual({ by: 'business', reason: 'terminate' });
    expect(record.timeline.map(({ type }) => type)).not.toContain('agent-left');
  });

  it('is let go when the user declines', async () => {
    const { id } = await out.start({ to: await out.user({ behaviour: 'ignore' }), connect: ai });
    const agent = await join(id);
    await stack().simulator.decline((await out.rings(id)).id);
    expect((await out.ended(id)).record.outcome?.reason).toBe('callee-rejected');
    await agent.gone();
  });
});

describe('ends', () => {
  it.each<[name: string, phone: PhoneDescription, reason: string]>([
    ['declined', { behaviour: 'reject' }, 'callee-rejected'],
    ['busy', { behaviour: 'busy' }, 'callee-rejected'],
    ['not picked up', { behaviour: 'ignore', ring_ms: 500 }, 'callee-no-answer'],
    ['a phone that is off', { behaviour: 'offline', ring_ms: 500 }, 'callee-no-answer'],
    ['not on WhatsApp', { behaviour: 'uncallable' }, 'callee-not-reachable'],
  ])('%s', async (_name, phone, reason) => {
    const { id } = await out.start({ to: await out.user(phone) });
    const { record } = await out.ended(id);
    expect(record.outcome?.reason).toBe(reason);
  });

  it('the ring limit', async () => {
    const to = await out.user({ behaviour: 'ignore' });
    const { id } = await out.start({ to, ring_seconds: 5 });
    const { record, report } = await out.ended(id);
    expect(record.outcome).toMatchObject({ reason: 'callee-no-answer', ended_by: 'system' });
    expect(report?.ended).toEqual({ by: 'business', reason: 'terminate' });
  });

  it('cancelled while it rings', async () => {
    const { id } = await out.start({ to: await out.user({ behaviour: 'ignore' }) });
    await out.rings(id);
    await stack().admin.end(id);
    const { record, report } = await out.ended(id);
    expect(record.outcome?.reason).toBe('cancelled');
    expect(graphOf(report!)).toEqual(['connect 200', 'terminate 200']);
  });

  it('cancelled while the provider is still being asked to dial', async () => {
    await out.nextDial({ kind: 'slow', delay_ms: 1_000 });
    // No webhook names the call either, so only the late reply does.
    const drop = ['connect', 'ringing'] as ('connect' | 'ringing')[];
    const to = await out.user({ behaviour: 'ignore', faults: { webhooks: { drop } } });
    const { id } = await out.start({ to });
    await out.entry(id, 'offer-made');
    await stack().admin.end(id);
    const { record, report } = await out.ended(id);
    expect(record.outcome?.reason).toBe('cancelled');
    expect(report?.ended).toEqual({ by: 'business', reason: 'terminate' });
  });

  it('nobody joins after the pickup: the user does not listen to silence for ever', async () => {
    const { id } = await out.start({
      to: await out.user(),
      connect: { ai: { name: 'nobody-registered-this' } },
    });
    const { record, report } = await out.ended(id, 30_000);
    expect(record.outcome?.reason).toBe('agent-did-not-join');
    expect(report?.ended).toEqual({ by: 'business', reason: 'terminate' });
  });
});

describe.each(['meta', '360dialog'] as const)('the contract with %s', (provider) => {
  let number: OwnNumber;
  beforeAll(async () => {
    const style = provider === '360dialog' ? { error_style: 'string' } : {};
    number = await out.number(provider, { ...style, permission_error_status: 400 });
  });
  const started = async (phone: PhoneDescription, mayBeCalled = true) => {
    const atProvider = number.atProvider.phoneNumberId;
    const to = await out.user(phone, { mayBeCalled, number: atProvider });
    return { to, ...(await out.start({ to, number_id: number.id })) };
  };

  it('answered', async () => {
    const { id } = await started({});
    const agent = await out.joinRoom(id);
    const phone = await out.talks(id, agent);
    expect(phone).toMatchObject({
      numberId: number.atProvider.phoneNumberId,
      direction: 'outbound',
    });
    const { record, report } = await out.hungUp(id);
    expect(record.outcome).toMatchObject({ result: 'success', reason: 'callee-hung-up' });
    expect(graphOf(report)).toEqual(['connect 200']);
    expect(agent.heard.some(({ hz }) => hz === CALLER_HZ)).toBe(true);
  });

  it('rejected', async () => {
    const { id } = await started({ behaviour: 'reject' });
    const { record, report } = await out.ended(id);
    expect(record.outcome).toMatchObject({ reason: 'callee-rejected', ended_by: 'caller' });
    expect(report?.ended).toMatchObject({ by: 'callee', reason: 'reject' });
  });

  it('no permission: the provider is asked once, and not again', async () => {
    const { id, to } = await started({}, false);
    const { record, report } = await out.ended(id);
    expect(record.outcome).toMatchObject({ result: 'client_error', reason: 'no-permission' });
    expect(report).toBeUndefined();
    await out.learnt(id);
    const again = await out.refused({ to, number_id: number.id });
    expect(again).toMatchObject({ status: 409, problem: { reason: 'no-permission' } });
  });
});
