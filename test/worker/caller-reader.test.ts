// What rules may ask about a caller, as D1 tells it: of this caller alone, at once, and from indexes.
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCallReader } from '../../worker/adapters/call-reader-d1.ts';
import { createCallerReader } from '../../worker/adapters/caller-reader-d1.ts';
import { openDatabase } from '../../worker/adapters/database.ts';
import type { ContactIdentity } from '../../worker/domain/contact.ts';
import { EVERYTHING } from '../../worker/domain/sight.ts';
import { api, testEnv, unique } from './support.ts';

const db = () => openDatabase(testEnv.DB);
const reader = () => createCallerReader(db());

let numberId = '';
let agentId = '';
let contactId = '';
let identity: ContactIdentity;

beforeAll(async () => {
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('69'),
    display_phone_number: '+351 21 000-0000',
    access_token: 'very-secret-token',
  });
  numberId = number.body.id;
  agentId = (await api<{ id: string }>('POST', '/v1/agents', { name: 'Ana' })).body.id;
});
beforeEach(async () => {
  identity = { kind: 'bsuid', value: unique('PT.') };
  const contact = await api<{ id: string }>('POST', '/v1/contacts', { bsuid: identity.value });
  contactId = contact.body.id;
});

async function insert(call: {
  answeredAtMs: number | null;
  claimedBy?: string;
  talkedAtMs?: number;
  contact?: string;
}): Promise<void> {
  const { answeredAtMs, claimedBy = null, talkedAtMs, contact = contactId } = call;
  await testEnv.DB.prepare(
    `INSERT INTO calls (id, version, state, is_live, direction, number_id, contact_id, claimed_by, created_at_ms, answered_at_ms,
       result, reason, data)
     VALUES (?, 1, 'ended', 0, 'inbound', ?, ?, ?, 0, ?, 'success', 'caller-hung-up', ?)`,
  )
    .bind(
      unique('call-'),
      numberId,
      contact,
      claimedBy,
      answeredAtMs,
      JSON.stringify({ offeredAtMs: 0, ...(talkedAtMs === undefined ? {} : { talkedAtMs }) }),
    )
    .run();
}

const plansOf = async (read: () => Promise<unknown>): Promise<string[]> => {
  const prepare = vi.spyOn(testEnv.DB, 'prepare');
  await read();
  const queries = prepare.mock.calls.map(([sql]) => sql);
  prepare.mockRestore();
  return Promise.all(
    queries.map(async (sql) => {
      const params = sql
        .split('?')
        .slice(1)
        .map(() => 1);
      const { results } = await testEnv.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .bind(...params)
        .all<{ detail: string }>();
      return results.map(({ detail }) => detail).join('\n');
    }),
  );
};

describe('a caller', () => {
  it('whom nobody knows is nobody', async () => {
    expect(await reader().find([{ kind: 'bsuid', value: 'PT.nobody' }])).toBeNull();
    expect(await reader().find([])).toBeNull();
  });

  it.each<
    [
      string,
      Omit<Parameters<typeof insert>[0], 'claimedBy'> & { hasAgent?: true },
      boolean,
      boolean,
    ]
  >([
    ['a missed call', { answeredAtMs: null }, false, false],
    ['a call that nobody spoke in, such as a voicemail', { answeredAtMs: 5 }, false, false],
    ['a call with an AI agent', { answeredAtMs: 5, talkedAtMs: 6 }, true, false],
    ['a call with a person', { answeredAtMs: 5, talkedAtMs: 6, hasAgent: true }, true, true],
    ['a call of the first releases', { answeredAtMs: 5, hasAgent: true }, true, true],
  ])('after %s', async (_name, { hasAgent, ...call }, isReturning, hasLast) => {
    await insert({ ...call, ...(hasAgent ? { claimedBy: agentId } : {}) });
    expect(await reader().find([identity])).toEqual({
      id: contactId,
      tags: [],
      isReturning,
      lastAgentId: hasLast ? agentId : null,
    });
  });

  it('is told apart from others, and their last agent from earlier ones', async () => {
    const other = (await api<{ id: string }>('POST', '/v1/contacts', { bsuid: unique('PT.') }))
      .body;
    const last = (await api<{ id: string }>('POST', '/v1/agents', { name: 'Bo' })).body;
    await insert({ answeredAtMs: 90, claimedBy: agentId, contact: other.id });
    await api('PATCH', `/v1/contacts/${other.id}`, { tags: ['theirs'] });
    expect(await reader().find([identity])).toMatchObject({ tags: [], isReturning: false });
    await insert({ answeredAtMs: 5, claimedBy: agentId });
    await insert({ answeredAtMs: 7, claimedBy: last.id });
    await api('PATCH', `/v1/contacts/${contactId}`, { tags: ['vip', 'new'] });
    const known = await reader().find([identity]);
    expect(known).toMatchObject({ isReturning: true, lastAgentId: last.id });
    expect(known?.tags.toSorted()).toEqual(['new', 'vip']);
  });

  it('is read with one statement, from indexes', async () => {
    const plans = await plansOf(() => reader().find([identity]));
    expect(plans).toHaveLength(1);
    expect(plans[0]).not.toContain('SCAN');
    expect(plans[0]).toMatch(/SEARCH calls USING INDEX calls_contact/);
  });
});

it('open follow-ups come from their own index', async () => {
  const read = () => createCallReader(db(), () => 0).list({ followUp: 'open' }, EVERYTHING, 10);
  expect((await plansOf(read))[0]).toMatch(/USING INDEX calls_follow_up/);
});
