// Agents through the API: what calls may ask of them, their teams, and AI agents among them.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PresenceView } from '../../worker/front-desk.ts';
import { api, Outside, unique } from './support.ts';

interface AgentView {
  id: string;
  key: string | null;
  role: string;
  skills: string[];
  capacity: number;
  ai: { name: string; metadata: string } | null;
  teams: string[];
}
interface ProblemBody {
  type: string;
  errors?: { field: string }[];
}

const hire = async <T = AgentView>(fields: object = {}) =>
  api<T>('POST', '/v1/agents', { name: 'Ana', ...fields });
const listed = async (id: string) => {
  const { body } = await api<{ data: AgentView[] }>('GET', '/v1/agents');
  return body.data.find((agent) => agent.id === id);
};

beforeAll(() => void Outside.open());
afterAll(() => vi.restoreAllMocks());

describe('an agent', () => {
  it('has skills, a capacity and teams', async () => {
    const { body: ana } = await hire({ skills: ['greek'], capacity: 2 });
    expect(ana).toMatchObject({ skills: ['greek'], capacity: 2, ai: null, teams: [] });
    const team = unique('team-');
    await api('POST', '/v1/teams', { id: team, name: 'Team' });
    await api('PUT', `/v1/teams/${team}/members`, { agent_ids: [ana.id] });
    const changed = await api<AgentView>('PATCH', `/v1/agents/${ana.id}`, { skills: [] });
    expect(changed.body).toMatchObject({ skills: [], capacity: 2, teams: [team] });
    expect(await listed(ana.id)).toEqual(changed.body);
  });

  it.each([
    [{ skills: [''] }, 'skills.0'],
    [{ capacity: 0 }, 'capacity'],
    [{ ai: {} }, 'ai.name'],
    [{ ai: { name: 'x' }, role: 'admin' }, 'role'],
    [{ ai: { name: 'x' }, email: 'x@example.com' }, 'email'],
  ])('with %j is refused by field', async (fields, field) => {
    const { status, body } = await hire<ProblemBody>(fields);
    expect([status, body.errors?.[0]?.field]).toEqual([400, field]);
  });
});

it('is sent away and called back by supervisors of their team, and by those of no team', async () => {
  const { body: ana } = await hire();
  const [own, other] = [unique('team-'), unique('team-')];
  const supervisorOf = async (team: string | null) => {
    const { body } = await hire({ role: 'supervisor' });
    if (team !== null) {
      await api('POST', '/v1/teams', { id: team, name: 'Team' });
      const agent_ids = team === own ? [ana.id, body.id] : [body.id];
      await api('PUT', `/v1/teams/${team}/members`, { agent_ids });
    }
    return body.key ?? '';
  };
  const keys = [await supervisorOf(own), await supervisorOf(null), await supervisorOf(other)];
  const set = (key: string, id: string) =>
    api('PUT', `/v1/agents/${id}/presence`, { status: 'away' }, key);
  const statuses = [];
  for (const key of keys) statuses.push((await set(key, ana.id)).status);
  expect(statuses).toEqual([200, 200, 404]);
  expect((await set(keys[0] ?? '', 'nobody')).status).toBe(404);
  expect((await set(ana.key ?? '', ana.id)).status).toBe(403);
});

describe('an AI agent', () => {
  it('has no key, and is always there', async () => {
    const { body: bot } = await hire({ ai: { name: 'concierge' }, capacity: 50 });
    expect(bot).toMatchObject({ key: null, ai: { name: 'concierge', metadata: '' } });
    expect((await api('POST', `/v1/agents/${bot.id}/key`)).status).toBe(409);
    expect((await api('POST', `/v1/agents/${bot.id}/invitation`)).status).toBe(409);
    const { body } = await api<{ data: PresenceView[] }>('GET', '/v1/agents/presence');
    expect(body.data.find(({ agent_id }) => agent_id === bot.id)).toMatchObject({
      is_ai: true,
      presence: 'available',
      calls: 0,
    });
    const away = await api<PresenceView>('PUT', `/v1/agents/${bot.id}/presence`, {
      status: 'away',
    });
    expect(away.body.presence).toBe('away');
  });

  it('stays one, and a person stays a person', async () => {
    const [bot, ana] = [(await hire({ ai: { name: 'concierge' } })).body, (await hire()).body];
    const renamed = await api<AgentView>('PATCH', `/v1/agents/${bot.id}`, {
      ai: { name: 'greeter', metadata: 'shop 7' },
    });
    expect(renamed.body.ai).toEqual({ name: 'greeter', metadata: 'shop 7' });
    for (const [id, change] of [
      [bot.id, { ai: null }],
      [ana.id, { ai: { name: 'concierge' } }],
    ] as const) {
      const { status, body } = await api<ProblemBody>('PATCH', `/v1/agents/${id}`, change);
      expect([status, body.errors?.[0]?.field]).toEqual([400, 'ai']);
    }
    expect((await listed(ana.id))?.ai).toBeNull();
  });
});
