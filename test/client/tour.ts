// A back-end program that uses Roomline's API through its types. It is compiled, and run, by the tests.
import createClient from 'openapi-fetch';
import type { components, paths } from '../../.cache/roomline-api.ts';

type Call = components['schemas']['Call'];
type CallEvent = components['schemas']['CallEvent'];

/** What the program found out. */
export interface Tour {
  readonly agentId: string;
  readonly contactPhone: string | null;
  readonly calls: readonly Pick<Call, 'id' | 'state' | 'outcome'>[];
  readonly webhookEvents: readonly CallEvent['type'][] | null;
  readonly secret: string;
  readonly refusedField: string | undefined;
  readonly missing: number;
}

export async function tour(baseUrl: string, key: string): Promise<Tour> {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${key}` } });

  const agent = await client.POST('/v1/agents', { body: { name: 'Ana' } });
  const contact = await client.POST('/v1/contacts', { body: { phone: '+351 910 000 001' } });
  const calls = await client.GET('/v1/calls', { params: { query: { state: 'ended', limit: 5 } } });
  const webhook = await client.POST('/v1/webhooks', {
    body: { url: 'https://crm.example.com/roomline', events: ['call.answered', 'call.ended'] },
  });
  if (!agent.data || !contact.data || !calls.data || !webhook.data) throw new Error('refused');

  const refused = await client.POST('/v1/webhooks', { body: { url: 'http://crm.example.com/' } });
  const missing = await client.GET('/v1/calls/{id}', { params: { path: { id: 'none' } } });
  return {
    agentId: agent.data.id,
    contactPhone: contact.data.phone,
    calls: calls.data.data.map(({ id, state, outcome }) => ({ id, state, outcome })),
    webhookEvents: webhook.data.events,
    secret: webhook.data.secret,
    refusedField: refused.error?.errors?.[0]?.field,
    missing: missing.response.status,
  };
}

/** What the types do not let pass. Never called. */
export async function mistakes(): Promise<void> {
  const client = createClient<paths>({ baseUrl: 'https://roomline.example.com' });
  // @ts-expect-error There is no such route.
  await client.GET('/v1/cals');
  // @ts-expect-error An agent has a name.
  await client.POST('/v1/agents', { body: {} });
  // @ts-expect-error There is no such type of events.
  await client.POST('/v1/webhooks', { body: { url: 'https://a.example/', events: ['call.lost'] } });
  const { data } = await client.GET('/v1/calls/{id}', { params: { path: { id: 'x' } } });
  // @ts-expect-error A call may have no outcome yet.
  console.log(data?.outcome.reason);
}
