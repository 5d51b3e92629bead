// AI agents through the real Switchboard: what LiveKit is asked, what the relay is told, what people see of it.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { inState, show } from './inbound-scene.ts';
import { RoutedScene } from './routed-scene.ts';
import { api, until } from './support.ts';

let floor: RoutedScene;

beforeAll(async () => {
  floor = await RoutedScene.open();
});
afterAll(() => vi.restoreAllMocks());
beforeEach(() => floor.reconnect());
afterEach(() => floor.clear());

const step = { ai: { name: 'concierge', metadata: '{"tone":"warm"}', seconds: 30 } };

/** Waits until LiveKit was asked for an AI agent. @returns the identity that it comes with */
async function sent(id: string, name = 'concierge') {
  const dispatches = () => floor.scene.outside.dispatches[`call-${id}`] ?? [];
  return until(`${name} to be sent for`, () =>
    dispatches().find(({ agentName }) => agentName === name),
  );
}

async function talks(id: string): Promise<string> {
  const { identity } = await sent(id);
  floor.scene.relay.say(id, { type: 'ready', identity, ai_name: 'concierge' });
  await inState(id, 'active');
  return identity;
}

it('is sent for while the phone rings, and has the call once it is heard', async () => {
  await floor.rules([step]);
  const { id, wacid } = await floor.call();
  expect(await sent(id)).toMatchObject({ metadata: '{"tone":"warm"}' });
  expect(floor.wanted(id)).toMatchObject({ open: false, audience: { ai: true, named: [] } });
  expect(await show(id)).toMatchObject({ state: 'ringing', step: 'ai', ai: null });
  const identity = await talks(id);
  expect(await show(id)).toMatchObject({ step: null, claimed_by: null, ai: { name: 'concierge' } });
  await until('the path to be open', () => floor.wanted(id)?.open);
  expect(floor.wanted(id)?.audience).toMatchObject({ ai: false, named: [identity] });
  expect(floor.scene.outside.graphActions(wacid)).toEqual(['pre_accept', 'accept']);
});

it('hands over to a person, who reads why before they take the call', async () => {
  await floor.rules([step]);
  const ana = await floor.work(0);
  const frames: { type: string; call?: { summary: string | null } }[] = [];
  ana.addEventListener('message', ({ data }) => frames.push(JSON.parse(String(data)) as never));
  const { id } = await floor.call();
  const identity = await talks(id);
  const request = { to: { team: 'sales' }, summary: 'wants a quote' };
  floor.scene.relay.say(id, { type: 'transfer-asked', identity, request });
  const ring = await until('the ring', () => frames.find(({ type }) => type === 'ring'));
  expect(ring.call?.summary).toBe('wants a quote');
  expect(floor.wanted(id)).toMatchObject({ transfer: 'ringing', audience: { named: [identity] } });

  const { body: seat } = await floor.scene.claim(id, 0);
  floor.scene.relay.say(id, { type: 'ready', identity: seat.identity });
  await until('the agent to be unheard', () => floor.wanted(id)?.audience.named.length === 0);
  expect(floor.wanted(id)).toMatchObject({ transfer: null, audience: { excluded: [identity] } });
  expect(await show(id)).toMatchObject({ ai: null, claimed_by: { name: 'Bea' } });
  const { outside } = floor.scene;
  await until('it to be taken back', () => outside.dispatches[`call-${id}`]?.length === 0);
  const removed = outside.rooms.filter(({ method }) => method === 'RemoveParticipant');
  expect(removed.map(({ body }) => body.identity)).toContain(identity);
  ana.close(1000);
});

it('is told when nobody can be had, and keeps the call', async () => {
  await floor.rules([step]);
  const { id } = await floor.call();
  const identity = await talks(id);
  const request = { to: { team: 'sales' } };
  floor.scene.relay.say(id, { type: 'transfer-asked', identity, request });
  await until('the word of it', () => floor.wanted(id)?.transfer === 'failed');
  expect(await show(id)).toMatchObject({ state: 'active', ai: { identity } });
});

it('as a member of a team is taken back when a person was faster', async () => {
  const ai = { name: 'concierge', metadata: 'm' };
  const { body: bot } = await api<{ id: string }>('POST', '/v1/agents', { name: 'Bot', ai });
  await api('POST', '/v1/teams', { id: 'mixed', name: 'Mixed' });
  const agent_ids = [bot.id, floor.scene.agents[0]?.id];
  await api('PUT', '/v1/teams/mixed/members', { agent_ids });
  const ana = await floor.work(0);
  await floor.rules([{ ring: { team: 'mixed', seconds: 20 } }]);
  const { id } = await floor.call();
  const { identity } = await sent(id);
  expect(new Set((await show(id)).ringing_for)).toEqual(new Set(agent_ids));
  await floor.scene.claim(id, 0);
  await until('it to be taken back', () => {
    const { dispatches } = floor.scene.outside;
    return dispatches[`call-${id}`]?.length === 0;
  });
  floor.scene.relay.say(id, { type: 'ready', identity, ai_name: 'concierge' });
  floor.scene.relay.say(id, {
    type: 'ready',
    identity: `agent-${floor.scene.agents[0]?.id ?? ''}`,
  });
  expect(await inState(id, 'active')).toMatchObject({ ai: null, claimed_by: { name: 'Bea' } });
  ana.close(1000);
});
