// Calls of two teams and the people in and around them, put into the record as the Switchboard writes it.
import { drizzle } from 'drizzle-orm/d1';
import { createCallStore } from '../../worker/adapters/call-store-d1.ts';
import type { Call } from '../../worker/domain/call.ts';
import type { Search } from '../../worker/domain/flow.ts';
import type { AgentId, CallId, ContactId, NumberId } from '../../worker/domain/ids.ts';
import { outcome } from '../../worker/domain/outcome.ts';
import type { Role } from '../../worker/domain/roster.ts';
import { blankCall } from '../../worker/domain/step-inbound.ts';
import { api, testEnv, unique } from './support.ts';

export interface Person {
  readonly id: AgentId;
  readonly key: string;
}

export async function newPerson(role: Role, ...teams: string[]): Promise<Person> {
  const { body } = await api<Person>('POST', '/v1/agents', { name: 'Ana', role });
  for (const team of teams) await join(team, body.id);
  return body;
}

export const newTeam = (id: string): Promise<unknown> =>
  testEnv.DB.prepare('INSERT INTO teams (id, name, created_at_ms) VALUES (?, ?, 1)')
    .bind(id, id)
    .run();

export const join = (team: string, agentId: string): Promise<unknown> =>
  testEnv.DB.prepare('INSERT INTO team_members (team_id, agent_id) VALUES (?, ?)')
    .bind(team, agentId)
    .run();

export async function newNumber(): Promise<NumberId> {
  const { body } = await api<{ id: NumberId }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('44'),
    display_phone_number: '15550109999',
    access_token: 'token',
  });
  return body.id;
}

/** After the tests. */
const LATER_MS = Date.now() + 3600_000;

const SEARCH: Search = {
  isForEverybody: false,
  team: null,
  agents: [],
  skills: [],
  strategy: 'all',
  eachMs: 15_000,
  priority: 0,
  sinceMs: 0,
  untilMs: LATER_MS,
  rung: [],
  tried: [],
};

/** A call that looks for somebody. */
export const ringing = (search: Partial<Search>): Partial<Call> => ({
  state: 'ringing',
  outcome: null,
  endedAtMs: null,
  flow: {
    version: 0,
    rule: null,
    frames: [],
    own: [],
    begun: 1,
    stage: { kind: 'ring', search: { ...SEARCH, ...search } },
  },
  // Something is left to do, so that it counts as live.
  timers: { answer: LATER_MS },
});

let order = 0;

/** Stores a call, an ended one unless `fields` say otherwise, of a contact of its own with the number `phone`. */
export async function putCall(
  numberId: NumberId,
  phone: string,
  fields: Partial<Call>,
): Promise<CallId> {
  order += 1;
  const id = unique('c') as CallId;
  const contactId = unique('contact') as ContactId;
  const atMs = 1_790_000_000_000 + order;
  const blank = blankCall(
    { id, numberId, displayPhoneNumber: '15550109999', providerCallId: `wacid.${btoa(phone)}` },
    atMs,
    atMs,
  );
  const call: Call = {
    ...blank,
    version: 1,
    state: 'ended',
    endedAtMs: atMs,
    outcome: outcome('caller-hung-up', 'caller'),
    caller: { contactId, phone },
    ...fields,
  };
  const contact = { id: contactId, name: null, identities: [{ kind: 'phone', value: phone }] };
  await createCallStore(drizzle(testEnv.DB)).commit(
    call,
    { type: 'ended' },
    atMs,
    contact as never,
  );
  return id;
}

export const claimOf = (agentId: AgentId): NonNullable<Call['claim']> => ({
  agentId,
  agentName: 'Ana',
  identity: `agent-${agentId}`,
  atMs: 1,
});
