// What operators see: how calls are going, why one ended, and a line in the log for every request.
import { drizzle } from 'drizzle-orm/d1';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readStats } from '../../worker/adapters/stats-reader-d1.ts';
import type { CallView } from '../../worker/call-view.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  FakeRelay,
  Outside,
  postWebhook,
  request,
  terminateWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

interface Period {
  from: string;
  inbound: Record<string, number | null>;
  outbound: Record<string, number | null>;
  outcomes: { direction: string; result: string; reason: string; calls: number }[];
}
interface Shown {
  at: string;
  live: { calls: number; by_state: Record<string, number> };
  unconfirmed_ends: number;
  last_hour: Period;
  today: Period;
  relays: {
    id: string;
    calls: number;
    capacity: number;
    is_draining: boolean;
    is_overloaded: boolean;
  }[];
  commit_ms: number | null;
  ignored: Record<string, number>;
}
type Details = CallView & {
  explanation: string | null;
  likely_cause: string | null;
  quote: string | null;
};

const phoneNumberId = unique('77');
let outside: Outside;
let relay: FakeRelay;
let numberId: string;
let agent: { id: string; key: string };

const stats = async (): Promise<Shown> => {
  const { status, body } = await api<Shown>('GET', '/v1/stats');
  expect(status).toBe(200);
  return body;
};
const show = async (id: string): Promise<Details> =>
  (await api<Details>('GET', `/v1/calls/${id}`)).body;

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
  agent = (await api<typeof agent>('POST', '/v1/agents', { name: 'Ana' })).body;
  relay = await FakeRelay.connect(await FakeRelay.register(), { capacity: 7 });
});
afterAll(() => {
  relay.close();
  vi.restoreAllMocks();
});

const inState = (id: string, state: CallView['state']): Promise<Details> =>
  until(`state ${state}`, async () => {
    const call = await show(id);
    return call.state === state ? call : null;
  });

async function ring(): Promise<{ id: string; wacid: string }> {
  const wacid = unique('wacid.');
  await postWebhook(connectWebhook({ id: wacid, phoneNumberId }));
  const frame = await until('call.answer', () => {
    const last = relay.last('call.answer');
    return last?.sdp.includes(wacid) ? last : null;
  });
  const id = frame.call_id;
  relay.say(id, { type: 'answered', sdp: 'v=0\r\n' });
  await inState(id, 'ringing');
  return { id, wacid };
}

async function answer(): Promise<{ id: string; wacid: string }> {
  const call = await ring();
  const seat = await api<{ identity: string }>('POST', `/v1/calls/${call.id}/claim`, {}, agent.key);
  relay.say(call.id, { type: 'ready', identity: seat.body.identity });
  await inState(call.id, 'active');
  return call;
}

/** The provider says that a call is over; the relay then reports how much of each voice there was. */
async function hangUp(
  { id, wacid }: { id: string; wacid: string },
  packets: { from: number; to: number },
  more: object = {},
): Promise<Details> {
  await postWebhook(terminateWebhook({ id: wacid, phoneNumberId }, { start_time: '1', ...more }));
  await inState(id, 'ended');
  const direction = (count: number) => ({ packets: count, lost: 0, jitter_ms: 1, filled: 0 });
  relay.say(id, {
    type: 'ended',
    reason: 'closed',
    stats: { from_caller: direction(packets.from), to_caller: direction(packets.to) },
  });
  return until('the figures', async () => {
    const call = await show(id);
    return call.quality ? call : null;
  });
}

describe('GET /v1/stats', () => {
  it('counts calls while they ring and are active, on their relay too', async () => {
    const before = await stats();
    const active = await answer();
    const ringing = await ring();
    const now = await stats();
    expect(now.live.calls).toBe(before.live.calls + 2);
    expect(now.live.by_state).toMatchObject({ active: 1, ringing: 1 });
    expect(now.relays).toContainEqual({
      id: relay.id,
      calls: 2,
      capacity: 7,
      is_draining: false,
      is_overloaded: false,
    });
    expect(now.commit_ms).toBeGreaterThanOrEqual(0);
    expect(Date.parse(now.last_hour.from)).toBe(Date.parse(now.at) - 3600_000);
    expect(now.today.from).toBe(`${now.at.slice(0, 10)}T00:00:00.000Z`);

    await postWebhook(terminateWebhook({ id: ringing.wacid, phoneNumberId }));
    await hangUp(active, { from: 100, to: 100 });
    const after = await stats();
    expect(after.live.calls).toBe(before.live.calls);
    const outcomes = after.last_hour.outcomes.map(({ reason, calls }) => [reason, calls]);
    expect(outcomes).toEqual(
      expect.arrayContaining([
        ['caller-hung-up', 1],
        ['caller-gave-up', 1],
      ]),
    );
    expect(after.last_hour.inbound).toMatchObject({ calls: 2, answered: 1, answered_share: 0.5 });
    expect(after.last_hour.outbound).toEqual({
      calls: 0,
      answered: 0,
      answered_share: null,
      wait_p50_ms: null,
      wait_p95_ms: null,
    });
  });

  it('shows an end that the provider has not confirmed, and not as a live call', async () => {
    const call = await answer();
    const before = await stats();
    outside.answers['terminate'] = Array.from(
      { length: 50 },
      () => () => new Response('{}', { status: 500 }),
    );
    await api('POST', `/v1/calls/${call.id}/end`);
    const during = await stats();
    expect(during.unconfirmed_ends).toBe(before.unconfirmed_ends + 1);
    expect(during.live.calls).toBe(before.live.calls - 1);
    await postWebhook(terminateWebhook({ id: call.wacid, phoneNumberId }, { start_time: '1' }));
    await inState(call.id, 'ended');
    delete outside.answers['terminate'];
    expect((await stats()).unconfirmed_ends).toBe(before.unconfirmed_ends);
  });

  it('is for the admin key', async () => {
    expect((await api('GET', '/v1/stats', undefined, agent.key)).status).toBe(403);
  });
});

describe('the figures', () => {
  // Years ahead, so that no other call lies in these periods.
  const FROM_MS = Date.UTC(2040, 0, 1);
  const db = () => drizzle(testEnv.DB);

  async function insert(call: {
    atMs: number;
    direction?: 'inbound' | 'outbound';
    waitMs?: number;
    reason?: string;
    result?: string;
    state?: string;
    teamId?: string;
    talkedAfterMs?: number;
    endedBy?: string;
  }): Promise<void> {
    const { atMs, direction = 'inbound', waitMs, state = 'ended', talkedAfterMs } = call;
    const isEnded = state === 'ended';
    await testEnv.DB.prepare(
      `INSERT INTO calls (id, version, state, is_live, direction, number_id, created_at_ms, answered_at_ms, result, reason, team_id,
         ended_by, data)
       VALUES (?, 1, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
      .bind(
        unique('call-'),
        state,
        direction,
        numberId,
        atMs,
        waitMs === undefined ? null : atMs + waitMs,
        isEnded ? (call.result ?? 'success') : null,
        isEnded ? (call.reason ?? 'caller-hung-up') : null,
        call.teamId ?? null,
        call.endedBy ?? null,
        JSON.stringify({
          offeredAtMs: atMs,
          ...(talkedAfterMs === undefined ? {} : { talkedAtMs: atMs + talkedAfterMs }),
        }),
      )
      .run();
  }

  beforeEach(async () => {
    await testEnv.DB.prepare('DELETE FROM calls WHERE created_at_ms >= ?').bind(FROM_MS).run();
  });

  it('are waits by nearest rank, for each direction by itself', async () => {
    // 1 s to 20 s, in no order; half of 20 is the tenth, 95 of 100 the nineteenth.
    for (let index = 0; index < 20; index++) {
      await insert({ atMs: FROM_MS + index, waitMs: 1_000 * (((index * 7) % 20) + 1) });
    }
    await insert({ atMs: FROM_MS, direction: 'outbound', waitMs: 60_000 });
    await insert({ atMs: FROM_MS, direction: 'outbound' });
    const { periods } = await readStats(db(), [FROM_MS, FROM_MS + 1]);
    expect(periods[0].inbound).toEqual({
      calls: 20,
      answered: 20,
      waitMs: { p50: 10_000, p95: 19_000 },
    });
    expect(periods[0].outbound).toEqual({
      calls: 2,
      answered: 1,
      waitMs: { p50: 60_000, p95: 60_000 },
    });
    expect(periods[1].inbound.calls).toBe(19);
    expect(periods[1].outbound).toEqual({ calls: 0, answered: 0, waitMs: null });
  });

  it('are never negative, though the provider rounds its seconds', async () => {
    await insert({ atMs: FROM_MS, waitMs: -400 });
    const { periods } = await readStats(db(), [FROM_MS, FROM_MS]);
    expect(periods[0].inbound.waitMs).toEqual({ p50: 0, p95: 0 });
  });

  it('count outcomes, the most frequent first, and no call that goes on', async () => {
    await insert({ atMs: FROM_MS, reason: 'no-answer', result: 'client_error' });
    await insert({ atMs: FROM_MS, waitMs: 5 });
    await insert({ atMs: FROM_MS, waitMs: 5 });
    await insert({ atMs: FROM_MS, waitMs: 5, state: 'active' });
    const { periods } = await readStats(db(), [FROM_MS, FROM_MS]);
    expect(periods[0].outcomes).toEqual([
      { direction: 'inbound', result: 'success', reason: 'caller-hung-up', calls: 2 },
      { direction: 'inbound', result: 'client_error', reason: 'no-answer', calls: 1 },
    ]);
  });

  it('of teams tell who waited how long until somebody spoke with them, and who left before', async () => {
    for (let index = 0; index < 20; index++) {
      const talkedAfterMs = 1_000 * (((index * 7) % 20) + 1);
      await insert({ atMs: FROM_MS, teamId: 'sales', talkedAfterMs, endedBy: 'caller' });
    }
    const missed = { atMs: FROM_MS, reason: 'abandoned', result: 'client_error' };
    await insert({ ...missed, teamId: 'sales', endedBy: 'caller' });
    await insert({ ...missed, teamId: 'sales', reason: 'no-answer', endedBy: 'system' });
    await insert({ ...missed, teamId: 'support', endedBy: 'caller' });
    await insert({ ...missed, endedBy: 'caller' });
    await insert({ atMs: FROM_MS, direction: 'outbound', teamId: 'sales', talkedAfterMs: 1 });
    await insert({ atMs: FROM_MS, state: 'active', teamId: 'sales', talkedAfterMs: 1 });
    const { periods } = await readStats(db(), [FROM_MS, FROM_MS + 1]);
    expect(periods[0].teams).toEqual([
      {
        teamId: 'sales',
        calls: 22,
        talked: 20,
        abandoned: 1,
        waitMs: { p50: 10_000, p95: 19_000 },
      },
      { teamId: 'support', calls: 1, talked: 0, abandoned: 1, waitMs: null },
    ]);
    expect(periods[1].teams).toEqual([]);
  });

  it('come from indexes', async () => {
    const prepare = vi.spyOn(testEnv.DB, 'prepare');
    await readStats(db(), [FROM_MS, FROM_MS]);
    const queries = prepare.mock.calls.map(([sql]) => sql);
    prepare.mockRestore();
    const ofCalls = queries.filter((sql) => sql.includes('from "calls"'));
    expect(ofCalls).toHaveLength(7);
    for (const sql of ofCalls) {
      const params = sql
        .split('?')
        .slice(1)
        .map(() => FROM_MS);
      const { results } = await testEnv.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .bind(...params)
        .all<{ detail: string }>();
      const plan = results.map(({ detail }) => detail).join('\n');
      expect(plan).toMatch(/(SCAN|SEARCH) calls USING (COVERING )?INDEX calls_(live|created)/);
    }
  });
});

describe('GET /v1/calls/:id', () => {
  it('says nothing about the end of a call that goes on', async () => {
    const call = await answer();
    expect(await show(call.id)).toMatchObject({
      explanation: null,
      likely_cause: null,
      quote: null,
    });
    await hangUp(call, { from: 100, to: 100 });
  });

  it('explains an end of the provider with its code, the timeline and what was counted', async () => {
    const errors = [{ code: 138021, title: 'Media receive timeout' }];
    const dark = await hangUp(await answer(), { from: 0, to: 0 }, { errors });
    expect(dark).toMatchObject({
      outcome: { reason: 'provider-ended' },
      likely_cause: 'media-stopped',
      quote: dark.provider_call_id,
    });
    expect(dark.explanation).toMatch(/^WhatsApp ended the call/);
  });

  it('blames nobody for a caller who hangs up', async () => {
    const call = await hangUp(await answer(), { from: 100, to: 100 });
    expect(call).toMatchObject({ likely_cause: 'none', quote: null });
  });

  it('sees in the timeline that somebody had taken the call', async () => {
    const { id, wacid } = await ring();
    await api('POST', `/v1/calls/${id}/claim`, {}, agent.key);
    await postWebhook(terminateWebhook({ id: wacid, phoneNumberId }));
    const call = await inState(id, 'ended');
    expect(call).toMatchObject({ outcome: { reason: 'caller-gave-up' } });
    expect(call.likely_cause).toBe('nobody-answered');
  });
});

describe('the log of requests', () => {
  const lines: unknown[][] = [];
  let spy: { mockRestore: () => void };
  beforeEach(() => {
    lines.length = 0;
    spy = vi.spyOn(console, 'log').mockImplementation((...line: unknown[]) => {
      lines.push(line);
    });
  });
  afterEach(() => spy.mockRestore());

  const logged = () =>
    lines.filter(([event]) => event === 'request.done').map(([, fields]) => fields);

  it.each([
    ['a call', 'GET', '/v1/calls/wacid.secret?x=secret', '/v1/calls/:id', 404],
    ['a wrong field', 'GET', '/v1/calls?limit=secret', '/v1/calls', 400],
    ['a body that is not signed', 'POST', '/webhooks/whatsapp', '/webhooks/whatsapp', 401],
    ['nothing that exists', 'GET', '/v1/secret', '/v1/*', 404],
    ['nothing at all', 'GET', '/secret', '/*', 404],
  ])(
    'has one line for %s, with the route and not the path',
    async (_name, method, path, route, status) => {
      const response = await request(path, {
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
      expect(response.status).toBe(status);
      expect(logged()).toEqual([{ method, route, status, ms: expect.any(Number) }]);
      expect(JSON.stringify(lines)).not.toContain('secret');
    },
  );

  it('has one for a key that is wrong', async () => {
    await request('/v1/calls/wacid.secret', { headers: { authorization: 'Bearer secret' } });
    expect(logged()).toEqual([
      { method: 'GET', route: '/v1/calls/:id', status: 401, ms: expect.any(Number) },
    ]);
  });
});
