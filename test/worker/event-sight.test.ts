// What subscribers of events are told of calls, by what they may see of them now and might see before.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStream } from './browser.ts';
import { InboundScene } from './inbound-scene.ts';
import { newPerson, newTeam, type Person } from './sight-scene.ts';
import { ADMIN_KEY, api, until } from './support.ts';

let scene: InboundScene;
let sales: Person;
let other: Person;

interface Stream {
  frames: Record<string, unknown>[];
  closed: () => number | null;
}
const streamOf = (key: string): Promise<Stream> => openStream({ authorization: `Bearer ${key}` });
const callIds = ({ frames }: Stream): (string | undefined)[] =>
  frames.map(({ call }) => (call as { id?: string } | undefined)?.id);
const has = (stream: Stream, id: string, event: string): boolean =>
  stream.frames.some((frame) => frame.event === event && (frame.call as { id?: string }).id === id);
const rings = ({ frames }: Stream, id: string): boolean =>
  frames.some(({ type, call }) => type === 'ring' && (call as { id?: string }).id === id);
const hellos = ({ frames }: Stream) =>
  frames.filter(({ type }) => type === 'hello') as { calls: { id: string }[] }[];

const rules = (ring: object) => ({
  rules: [],
  flows: {},
  schedules: {},
  lists: {},
  otherwise: [{ ring: { strategy: 'all', seconds: 20, ...ring } }],
});
async function save(ring: object): Promise<void> {
  const { status, body } = await api('PUT', '/v1/rules', { rules: rules(ring) });
  expect([status, body]).toMatchObject([200, {}]);
}

beforeAll(async () => {
  scene = await InboundScene.open();
  await newTeam('sales');
  sales = await newPerson('agent', 'sales');
  other = await newPerson('agent');
  await api('PATCH', `/v1/agents/${other.id}`, { name: 'Other' });
});
afterAll(() => vi.restoreAllMocks());

describe('calls of a team', () => {
  it('are told to its members, and to nobody else but who sees all: live, first, and again', async () => {
    await save({ team: 'sales' });
    const streams = [
      await streamOf(sales.key),
      await streamOf(other.key),
      await streamOf(ADMIN_KEY),
    ];
    const { id } = await scene.ring();
    await until('the ring', () => streams[0] && rings(streams[0], id));
    await until('the operator', () => streams[2] && rings(streams[2], id));
    expect(callIds(streams[1] as Stream)).not.toContain(id);

    const late = [await streamOf(sales.key), await streamOf(other.key)];
    await until('hellos', () => late.every((stream) => hellos(stream).length === 1));
    const first = late.map((stream) => hellos(stream)[0]?.calls.map((call) => call.id));
    expect(first[0]).toContain(id);
    expect(first[1]).not.toContain(id);

    const replays = await Promise.all(
      [sales.key, other.key].map((key) =>
        openStream({ authorization: `Bearer ${key}` }, '?after=0'),
      ),
    );
    await until('the replay', () => replays[0] && rings(replays[0], id));
    await until('hello', () => replays[1] && hellos(replays[1]).length === 1);
    expect(callIds(replays[1] as Stream)).not.toContain(id);
    await api('POST', `/v1/calls/${id}/end`);
  });
});

describe('a call that rings for somebody', () => {
  it('is told to them, and that it rings no more, even if they do not see it then', async () => {
    await save({ agents: [other.id, sales.id] });
    const streams = [await streamOf(other.key), await streamOf(sales.key)];
    const { id } = await scene.ring();
    for (const stream of streams) await until('the ring', () => rings(stream, id));
    const claim = await api<{ identity: string }>(
      'POST',
      `/v1/calls/${id}/claim`,
      undefined,
      sales.key,
    );
    expect(claim.status).toBe(200);
    await until('that it was taken', () => streams[0] && has(streams[0], id, 'claimed'));
    scene.relay.say(id, { type: 'ready', identity: claim.body.identity });
    await until('the call', () => streams[1] && has(streams[1], id, 'ready'));
    await api('POST', `/v1/calls/${id}/end`);
    await until('the end', () => streams[1] && has(streams[1], id, 'ending'));
    expect(has(streams[0] as Stream, id, 'ending')).toBe(false);
    expect((await api('GET', `/v1/calls/${id}`, undefined, other.key)).status).toBe(404);
  });
});

describe('whoever joins or leaves a team', () => {
  /** A call of the team that one of its members has. */
  const ofSales = async (): Promise<string> => {
    await save({ team: 'sales' });
    const stream = await streamOf(sales.key);
    await until('hello', () => hellos(stream).length === 1);
    const { id } = await scene.ring();
    const path = `/v1/calls/${id}/claim`;
    const claim = await api<{ identity: string }>('POST', path, undefined, sales.key);
    scene.relay.say(id, { type: 'ready', identity: claim.body.identity });
    await until('the call', () => has(stream, id, 'ready'));
    return id;
  };
  const helloOf = async (stream: Stream, index: number): Promise<string[]> => {
    await until('hello', () => hellos(stream).length === index + 1);
    return hellos(stream)[index]?.calls.map((call) => call.id) ?? [];
  };

  it('is told anew what there is, on the stream that is open; others are not', async () => {
    const id = await ofSales();
    const newcomer = await newPerson('agent');
    const [stream, own] = [await streamOf(newcomer.key), await streamOf(sales.key)];
    expect(await helloOf(stream, 0)).not.toContain(id);
    expect(await helloOf(own, 0)).toContain(id);
    const put = (agentIds: string[]) =>
      api('PUT', '/v1/teams/sales/members', { agent_ids: agentIds });
    expect((await put([sales.id, newcomer.id])).status).toBe(200);
    expect(await helloOf(stream, 1)).toContain(id);
    expect((await put([sales.id])).status).toBe(200);
    expect(await helloOf(stream, 2)).not.toContain(id);
    expect(stream.closed()).toBeNull();
    expect(hellos(own)).toHaveLength(1);
    await api('POST', `/v1/calls/${id}/end`);
  });

  it('or gets another role sees what that role sees', async () => {
    const id = await ofSales();
    const person = await newPerson('agent');
    const stream = await streamOf(person.key);
    expect(await helloOf(stream, 0)).not.toContain(id);
    await api('PATCH', `/v1/agents/${person.id}`, { role: 'admin' });
    expect(await helloOf(stream, 1)).toContain(id);
    await api('POST', `/v1/calls/${id}/end`);
  });
});

it('who is at work is told to those who share a team, and to who sees all', async () => {
  const streams = [await streamOf(sales.key), await streamOf(ADMIN_KEY)];
  const agentIds = ({ frames }: Stream): string[] =>
    frames.flatMap(({ agents = [] }) => (agents as { agent_id: string }[]).map((a) => a.agent_id));
  for (const stream of streams) await until('hello', () => hellos(stream).length === 1);
  expect(agentIds(streams[0] as Stream)).toContain(sales.id);
  expect(agentIds(streams[0] as Stream)).not.toContain(other.id);
  expect(agentIds(streams[1] as Stream)).toContain(other.id);
  const isAway = ({ frames }: Stream, id: string) =>
    frames.some(
      ({ type, agents = [] }) =>
        type === 'presence' &&
        (agents as { agent_id: string; presence: string }[]).some(
          (agent) => agent.agent_id === id && agent.presence !== 'available',
        ),
    );
  const goAway = (key: string) => api('PUT', '/v1/agents/me/presence', { status: 'away' }, key);
  await streamOf(other.key);
  await goAway(other.key);
  await goAway(sales.key);
  await until('both', () => [other.id, sales.id].every((id) => isAway(streams[1] as Stream, id)));
  await until('oneself', () => isAway(streams[0] as Stream, sales.id));
  expect(agentIds(streams[0] as Stream)).not.toContain(other.id);
});

it('a stream ends with the key that opened it', async () => {
  const { body } = await api<{ id: string; key: string }>('POST', '/v1/api-keys', {
    name: 'CRM',
    role: 'admin',
    expires_at: new Date(Date.now() + 3600_000).toISOString(),
  });
  const stream = await streamOf(body.key);
  await until('hello', () => hellos(stream).length === 1);
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    vi.setSystemTime(Date.now() + 3600_001);
    await api('PATCH', '/v1/settings', { number_masking: 'agents' });
    await scene.announce();
    await until('the stream to close', () => stream.closed() === 1008);
  } finally {
    vi.useRealTimers();
  }
});
