// Whom a call rings for, with the clients of agents at their event streams: rules, order, presence, after-call work.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { at, InboundScene, inState, show } from './inbound-scene.ts';
import {
  callIn,
  Colleague,
  newTeam,
  removeAgent,
  ringingFor,
  rule,
  talk,
} from './routing-scene.ts';
import { api, postWebhook, terminateWebhook, until } from './support.ts';

let scene: InboundScene;
let ana: Colleague;
let bo: Colleague;
let cy: Colleague;
let team: string;

beforeAll(async () => {
  scene = await InboundScene.open();
});
beforeEach(async () => {
  [ana, bo, cy] = [await Colleague.hire(), await Colleague.hire(), await Colleague.hire()];
  team = await newTeam([ana, bo]);
});
afterEach(async () => {
  for (const agent of [ana, bo, cy]) {
    agent.leave();
    await removeAgent(agent.id);
  }
});
afterAll(() => vi.restoreAllMocks());

const hangUp = async (wacid: string, id: string): Promise<void> => {
  await postWebhook(terminateWebhook(scene.fields(wacid)));
  await inState(id, 'ended');
};
const typesOf = async (id: string) => (await show(id)).timeline.map(({ type }) => type);

describe('a call', () => {
  it('rings only for those whom its rule names', async () => {
    for (const agent of [ana, bo, cy]) await agent.listen();
    await rule({ steps: [{ ring: { team } }] });
    const { id, wacid } = await callIn(scene);
    const call = await ringingFor(id, [ana.id, bo.id]);
    expect(call).toMatchObject({ rule: 'rule 0', step: 'ring', team_id: team });
    await until('rings', () => ana.ringsOf(id).length > 0 && bo.ringsOf(id).length > 0);
    expect(cy.ringsOf(id)).toEqual([]);
    expect(cy.frames.filter(({ type, call }) => type === 'ring' && call?.id === id)).toEqual([]);
    await hangUp(wacid, id);
  });

  it('rings for whoever has been idle longest, then for the next, and widens', async () => {
    await ana.listen();
    await bo.listen();
    const ring = { team, strategy: 'longest-idle', seconds: 20, each_s: 5 };
    await rule({ steps: [{ ring }] });
    const first = await callIn(scene);
    const rung = await until('one rung', async () => (await show(first.id)).ringing_for);
    const [one] = rung;
    const [idle, next] = one === ana.id ? [ana, bo] : [bo, ana];
    await ringingFor(first.id, [idle.id]);
    expect((await idle.decline(first.id)).status).toBe(200);
    await ringingFor(first.id, [next.id]);
    expect(await typesOf(first.id)).toContain('ring-ended');
    await talk(scene, next, first.id);
    await hangUp(first.wacid, first.id);

    // Whoever has just had a call has been idle for a shorter time.
    const second = await callIn(scene);
    await ringingFor(second.id, [idle.id]);
    // One more at once for each who did not answer: the next one, and the same one again as nobody else is left.
    await at(Date.now() + 6_000, () => ringingFor(second.id, [next.id, idle.id]));
    await hangUp(second.wacid, second.id);
  });

  it('that was declined by everybody goes on to the next step', async () => {
    for (const agent of [ana, bo, cy]) await agent.listen();
    await rule({ steps: [{ ring: { team } }, { ring: { agents: [cy.id] } }] });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, [ana.id, bo.id]);
    await ana.decline(id);
    await bo.decline(id);
    await ringingFor(id, [cy.id]);
    await hangUp(wacid, id);
  });

  it('never rings for somebody who is rung for another', async () => {
    await ana.listen();
    await rule({ steps: [{ queue: { team } }] });
    const [one, two] = [await callIn(scene), await callIn(scene)];
    await ringingFor(one.id, [ana.id]);
    await ringingFor(two.id, []);
    await hangUp(one.wacid, one.id);
    await ringingFor(two.id, [ana.id]);
    expect(await ana.isShown('busy')).toMatchObject({ calls: 1 });
    await hangUp(two.wacid, two.id);
  });

  it('rings for the next one when the client of whom it rings for is gone', async () => {
    await ana.listen();
    await bo.listen();
    await rule({ steps: [{ ring: { agents: [ana.id] } }, { ring: { agents: [bo.id] } }] });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, [ana.id]);
    ana.leave();
    await ringingFor(id, [bo.id]);
    expect(await ana.isShown('offline')).toMatchObject({ calls: 0 });
    await hangUp(wacid, id);
  });

  it('keeps the rules that it began with', async () => {
    for (const agent of [ana, cy]) await agent.listen();
    await rule({ steps: [{ ring: { agents: [ana.id] } }, { ring: { agents: [cy.id] } }] });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, [ana.id]);
    await rule({ steps: [{ reject: {} }] });
    await ana.decline(id);
    await ringingFor(id, [cy.id]);
    await hangUp(wacid, id);
  });
});

describe('agents', () => {
  it('who are away are not rung, and are as soon as they are back', async () => {
    await ana.listen();
    await rule({ steps: [{ queue: { team } }] });
    expect((await ana.setPresence('away')).body).toMatchObject({ presence: 'away' });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, []);
    const claimed = await ana.claim(id);
    expect([claimed.status, claimed.body.type]).toEqual([409, 'urn:roomline:problem:not-on-duty']);
    expect((await show(id)).claimed_by).toBeNull();
    await ana.setPresence('available');
    await ringingFor(id, [ana.id]);
    await hangUp(wacid, id);
  });

  it('who go away while it rings send the call on', async () => {
    await ana.listen();
    await bo.listen();
    await rule({ steps: [{ ring: { agents: [ana.id] } }, { ring: { agents: [bo.id] } }] });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, [ana.id]);
    await api('PUT', `/v1/agents/${ana.id}/presence`, { status: 'away' });
    await ringingFor(id, [bo.id]);
    await ana.setPresence('available');
    await hangUp(wacid, id);
  });

  it('finish the work of a call before the next one rings', async () => {
    const slow = await newTeam([ana], { wrap_up_s: 30 });
    await ana.listen();
    await rule({ steps: [{ queue: { team: slow } }] });
    const first = await callIn(scene);
    await ringingFor(first.id, [ana.id]);
    await talk(scene, ana, first.id);
    await hangUp(first.wacid, first.id);
    await ana.isShown('wrap-up');
    const second = await callIn(scene);
    await ringingFor(second.id, []);
    await at(Date.now() + 31_000, () => ringingFor(second.id, [ana.id]));
    await hangUp(second.wacid, second.id);
  });

  it('are told why they cannot have a call of their team that does not ring for them', async () => {
    for (const agent of [ana, bo, cy]) await agent.listen();
    await rule({ steps: [{ ring: { team, strategy: 'longest-idle' } }] });
    const { id, wacid } = await callIn(scene);
    const [one] = await until('one rung', async () => (await show(id)).ringing_for);
    const [rung, other] = one === ana.id ? [ana, bo] : [bo, ana];
    const typesOfBoth = async () => {
      const [claimed, declined] = [await other.claim(id), await other.decline(id)];
      expect([claimed.status, declined.status]).toEqual([409, 409]);
      return [claimed.body.type, declined.body.type].map((type) => type?.split(':').at(-1));
    };
    expect(await typesOfBoth()).toEqual(['not-rung', 'call-not-ringing']);
    await other.setPresence('away');
    expect(await typesOfBoth()).toEqual(['not-on-duty', 'call-not-ringing']);
    await other.setPresence('available');
    other.leave();
    await other.isShown('offline');
    expect(await typesOfBoth()).toEqual(['not-on-duty', 'call-not-ringing']);
    // Whoever is in no team of the call does not learn that there is one.
    expect((await cy.claim(id)).status).toBe(404);
    await ringingFor(id, [rung.id]);
    await talk(scene, rung, id);
    expect(await typesOfBoth()).toEqual(['call-taken', 'call-not-ringing']);
    await hangUp(wacid, id);
    expect(await typesOfBoth()).toEqual(['call-over', 'call-over']);
  });

  it('with a call too many are busy', async () => {
    await ana.listen();
    await rule({ steps: [{ queue: { team } }] });
    const first = await callIn(scene);
    await ringingFor(first.id, [ana.id]);
    await talk(scene, ana, first.id);
    const second = await callIn(scene);
    const claimed = await ana.claim(second.id);
    expect(claimed.body.type).toBe('urn:roomline:problem:agent-busy');
    await api('PATCH', `/v1/agents/${ana.id}`, { capacity: 2 });
    await ringingFor(second.id, [ana.id]);
    await hangUp(first.wacid, first.id);
    await hangUp(second.wacid, second.id);
  });

  it('have skills that a rule can ask for', async () => {
    for (const agent of [ana, bo]) await agent.listen();
    await api('PATCH', `/v1/agents/${bo.id}`, { skills: ['greek'] });
    await rule({ steps: [{ ring: { team, skills: ['greek'] } }] });
    const { id, wacid } = await callIn(scene);
    await ringingFor(id, [bo.id]);
    await hangUp(wacid, id);
  });

  it('hear who is at work, at first and whenever it changes', async () => {
    await ana.listen();
    await bo.listen();
    const presenceOf = (about: Colleague) =>
      ana.frames
        .flatMap(({ agents = [] }) => agents)
        .findLast(({ agent_id }) => agent_id === about.id)?.presence;
    await until('available', () => presenceOf(bo) === 'available');
    await bo.setPresence('away');
    await until('away', () => presenceOf(bo) === 'away');
    bo.leave();
    await until('offline', () => presenceOf(bo) === 'offline');
    // They share no team.
    expect(ana.frames[0]?.agents?.map(({ agent_id }) => agent_id)).not.toContain(cy.id);
    await bo.setPresence('available');
  });
});

describe('rules know of a caller', () => {
  const rung = async (from: string) => {
    const { id, wacid } = await callIn(scene, { from });
    const { rule: name } = await show(id);
    await hangUp(wacid, id);
    return name;
  };
  const ring = () => [{ ring: { agents: [ana.id], strategy: 'sticky' } }];

  it('the country and the tags', async () => {
    await ana.listen();
    await rule(
      { name: 'vip', match: { caller: { tag: 'vip' } }, steps: ring() },
      { name: 'Portugal', match: { caller: { countries: ['PT'] } }, steps: ring() },
      { name: 'others', steps: ring() },
    );
    expect(await rung('351910000071')).toBe('Portugal');
    expect(await rung('5511987654321')).toBe('others');
    const { body } = await api<{ data: { id: string }[] }>(
      'GET',
      '/v1/contacts?phone=351910000071',
    );
    const tagged = await api<{ tags: string[] }>('PATCH', `/v1/contacts/${body.data[0]?.id}`, {
      tags: ['vip', 'new', 'vip'],
    });
    expect(tagged.body.tags).toEqual(['new', 'vip']);
    expect(await rung('351910000071')).toBe('vip');
    expect(await rung('5511987654321')).toBe('others');
  });

  it('whether they have spoken with somebody, and with whom last', async () => {
    await ana.listen();
    await bo.listen();
    await rule(
      {
        name: 'again',
        match: { caller: { returning: true } },
        steps: [{ ring: { team, strategy: 'sticky' } }],
      },
      { name: 'first', steps: [{ ring: { agents: [bo.id] } }] },
    );
    const from = '351910000072';
    // Missed calls do not count, and those of others.
    expect(await rung(from)).toBe('first');
    expect(await rung(from)).toBe('first');
    const talked = await callIn(scene, { from });
    await ringingFor(talked.id, [bo.id]);
    await talk(scene, bo, talked.id);
    await hangUp(talked.wacid, talked.id);
    const { id, wacid } = await callIn(scene, { from });
    const call = await ringingFor(id, [bo.id]);
    expect(call.rule).toBe('again');
    await hangUp(wacid, id);
  });
});

it('missed callers are on a list until somebody got back to them', async () => {
  await ana.listen();
  await rule({ steps: [{ ring: { team } }] });
  const { id, wacid } = await callIn(scene);
  await ringingFor(id, [ana.id]);
  await hangUp(wacid, id);
  const open = async (query = '') => {
    const { body } = await api<{ data: { id: string }[] }>(
      'GET',
      `/v1/calls?follow_up=open&limit=200${query}`,
    );
    return body.data.map((call) => call.id);
  };
  expect(await open()).toContain(id);
  expect(await open(`&team_id=${team}`)).toEqual([id]);
  expect(await open('&team_id=nope')).toEqual([]);
  const done = await api<{ follow_up: string; followed_up_at: string }>(
    'POST',
    `/v1/calls/${id}/follow-up`,
    { done: true },
    ana.key,
  );
  expect(done.body.follow_up).toBe('missed');
  expect(Date.parse(done.body.followed_up_at)).not.toBeNaN();
  expect(await open()).not.toContain(id);
  const again = await api('POST', `/v1/calls/${id}/follow-up`, { done: true });
  expect(again.body).toEqual(done.body);
  await api('POST', `/v1/calls/${id}/follow-up`, { done: false });
  expect(await open()).toContain(id);

  const answered = await callIn(scene);
  await talk(scene, ana, answered.id);
  await hangUp(answered.wacid, answered.id);
  expect((await api('POST', `/v1/calls/${answered.id}/follow-up`, { done: true })).status).toBe(
    409,
  );
});

it('the statistics tell who waits for which team, who is at work, and how long callers waited', async () => {
  interface Stats {
    queues: { team_id: string; waiting: number; longest_wait_ms: number }[];
    agents: Record<string, number>;
    today: { teams: { team_id: string; calls: number; talked: number; abandoned: number }[] };
  }
  const stats = async () => (await api<Stats>('GET', '/v1/stats')).body;
  await ana.listen();
  await rule({ steps: [{ queue: { team } }] });
  const taken = await callIn(scene);
  await ringingFor(taken.id, [ana.id]);
  await talk(scene, ana, taken.id);
  const [one, two] = [await callIn(scene), await callIn(scene)];
  const during = await stats();
  expect(during.queues).toEqual([
    { team_id: team, waiting: 2, longest_wait_ms: expect.any(Number) as number },
  ]);
  expect(during.queues[0]?.longest_wait_ms).toBeGreaterThanOrEqual(0);
  expect(during.agents).toMatchObject({ busy: 1, 'wrap-up': 0 });
  expect(during.agents['offline']).toBeGreaterThanOrEqual(2);
  for (const { id, wacid } of [one, two, taken]) await hangUp(wacid, id);
  const after = await stats();
  expect(after.queues).toEqual([]);
  expect(after.today.teams.find(({ team_id }) => team_id === team)).toMatchObject({
    calls: 3,
    talked: 1,
    abandoned: 2,
  });
});
