// Teams through the API: who is in them, and what is refused.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ADMIN_KEY, api, Outside, request, unique } from './support.ts';

interface TeamView {
  id: string;
  name: string;
  wrap_up_s: number;
  agent_ids: string[];
}
interface ProblemBody {
  type: string;
  errors?: { field: string }[];
}

let id = '';

const newAgent = async () =>
  (await api<{ id: string; key: string }>('POST', '/v1/agents', { name: 'Ana' })).body;
const shown = async (): Promise<TeamView> => (await api<TeamView>('GET', `/v1/teams/${id}`)).body;
const remove = (path: string) =>
  request(path, { method: 'DELETE', headers: { authorization: `Bearer ${ADMIN_KEY}` } });

beforeAll(() => void Outside.open());
beforeEach(async () => {
  id = unique('team-');
  await api('POST', '/v1/teams', { id, name: 'Sales', wrap_up_s: 20 });
});
afterAll(() => vi.restoreAllMocks());

describe('a team', () => {
  it('is added once, listed, changed and deleted', async () => {
    expect(await shown()).toMatchObject({ id, name: 'Sales', wrap_up_s: 20, agent_ids: [] });
    expect((await api('POST', '/v1/teams', { id, name: 'Others' })).status).toBe(409);
    const changed = await api<TeamView>('PATCH', `/v1/teams/${id}`, { name: 'Support' });
    expect(changed.body).toMatchObject({ name: 'Support', wrap_up_s: 20 });
    const { body } = await api<{ data: TeamView[] }>('GET', '/v1/teams');
    expect(body.data).toContainEqual(changed.body);
    expect((await remove(`/v1/teams/${id}`)).status).toBe(204);
    expect((await remove(`/v1/teams/${id}`)).status).toBe(404);
  });

  it('has the members that were named last', async () => {
    const [one, two] = [await newAgent(), await newAgent()];
    const members = `/v1/teams/${id}/members`;
    await api('PUT', members, { agent_ids: [one.id, two.id, one.id] });
    expect((await shown()).agent_ids).toEqual([one.id, two.id].toSorted());
    await api('PUT', members, { agent_ids: [two.id] });
    expect((await shown()).agent_ids).toEqual([two.id]);
    await remove(`/v1/agents/${two.id}`);
    expect((await shown()).agent_ids).toEqual([]);
  });

  it('keeps its members when one of the new ones is nobody', async () => {
    const { id: agentId } = await newAgent();
    const members = `/v1/teams/${id}/members`;
    await api('PUT', members, { agent_ids: [agentId] });
    const { status, body } = await api<ProblemBody>('PUT', members, {
      agent_ids: [agentId, 'nobody'],
    });
    expect([status, body.errors?.map(({ field }) => field)]).toEqual([400, ['agent_ids.1']]);
    expect((await shown()).agent_ids).toEqual([agentId]);
  });

  it.each([
    [{ id: 'a b', name: 'x' }, 'id'],
    [{ id: 'ok', name: ' ' }, 'name'],
    [{ id: 'ok', name: 'x', wrap_up_s: 3_601 }, 'wrap_up_s'],
  ])('%j is refused by field', async (body, field) => {
    const answer = await api<ProblemBody>('POST', '/v1/teams', body);
    expect([answer.status, answer.body.errors?.[0]?.field]).toEqual([400, field]);
  });

  it('that does not exist is 404', async () => {
    expect((await api('GET', '/v1/teams/nope')).status).toBe(404);
    expect((await api('PATCH', '/v1/teams/nope', { name: 'x' })).status).toBe(404);
    expect((await api('PUT', '/v1/teams/nope/members', { agent_ids: [] })).status).toBe(404);
  });
});
