// Anything at all, sent to the real worker: it is taken, or refused by name. Never a 500, never half an effect.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mutatedFrom, SEED } from '../support/mutations.ts';
import { webhookShapes } from '../support/webhook-shapes.ts';
import { record, settled } from './record.ts';
import { ADMIN_KEY, api, Outside, request, signature, unique } from './support.ts';

const phoneNumberId = unique('55');
const CALL_ID = 'no-call';
const TEAM_ID = 'sales';
let numberId = '';
let contactId = '';
let agentId = '';

beforeAll(async () => {
  Outside.open();
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '15550109999',
    business_account_id: '100000000000001',
    access_token: 'token',
  });
  numberId = number.body.id;
  agentId = (await api<{ id: string }>('POST', '/v1/agents', { name: 'Ana' })).body.id;
  await api('POST', '/v1/teams', { id: TEAM_ID, name: 'Sales' });
  contactId = (await api<{ id: string }>('POST', '/v1/contacts', { phone: '351910000002' })).body
    .id;
});
afterAll(async () => {
  await settled();
  vi.restoreAllMocks();
});

interface ProblemBody {
  type?: string;
  errors?: { field: string; expected: string }[];
}

const problemOf = async (response: Response): Promise<ProblemBody | null> => {
  const isProblem = response.headers.get('content-type') === 'application/problem+json';
  const text = await response.text();
  return isProblem ? (JSON.parse(text) as ProblemBody) : null;
};

describe('a signed webhook', () => {
  const post = async (body: string): Promise<Response> =>
    request('/webhooks/whatsapp', {
      method: 'POST',
      body,
      headers: { 'x-hub-signature-256': await signature(body) },
    });

  it('of which anything was changed is taken as a whole, or refused with nothing done', async () => {
    const refused: string[] = [];
    await fc.assert(
      fc.asyncProperty(mutatedFrom(webhookShapes(phoneNumberId, unique(''))), async (payload) => {
        const body = JSON.stringify(payload);
        const response = await post(body);
        expect([200, 400, 413]).toContain(response.status);
        if (response.status === 200) return;
        expect((await problemOf(response))?.type).toMatch(/:(too-deep|too-large)$/);
        refused.push(body);
      }),
      { numRuns: 150, seed: SEED },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(refused.length).toBeGreaterThan(0);
    await settled();
    const before = await record();
    for (const body of refused) await post(body);
    expect(await record()).toEqual(before);
  });

  it('that is any text is taken or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect([200, 400]).toContain((await post(text)).status);
      }),
      { numRuns: 30, seed: SEED },
    );
  });
});

/** Every match and every kind of step. */
const RULES = {
  rules: [
    {
      name: 'vip',
      match: {
        caller: {
          phones: ['351910000001'],
          countries: ['PT'],
          list: 'vip',
          tag: 'a',
          returning: true,
        },
        hours: { schedule: 'office', is: 'open' },
        payload: { starts_with: 'order' },
        percentage: 50,
        available: { team: TEAM_ID, is: true },
      },
      steps: [
        { ring: { team: TEAM_ID, strategy: 'sticky', seconds: 20, each_s: 10, skills: [] } },
        { ai: { name: 'concierge', metadata: '', seconds: 8 } },
        { queue: { team: TEAM_ID, music: 'sound:hold', priority: 1, callback_key: '1' } },
        { menu: { prompt: 'sound:hold', keys: { '1': [{ goto: 'end' }] } } },
        { play: { prompt: 'sound:hold' } },
        { message: { text: 'Sorry' } },
        { ask: { url: 'https://example.com/route', data: { a: 'b' } } },
        { voicemail: { longest_s: 60 } },
      ],
    },
  ],
  flows: { end: [{ reject: {} }] },
  schedules: {
    office: {
      timezone: 'Europe/Lisbon',
      weekly: [{ day: 'monday', open: '0900', close: '1800' }],
      holidays: [{ date: '2030-12-25' }],
    },
  },
  lists: { vip: ['351910000001'] },
  otherwise: [{ ring: { everyone: true } }],
};

describe('a request of the API', () => {
  /** Valid bodies of every route that takes JSON. */
  const bodies = (): Readonly<Record<string, unknown[]>> => ({
    'POST /v1/calls': [
      { number_id: numberId, to: '+351910000003', connect: { room: true }, ring_seconds: 30 },
      {
        number_id: numberId,
        contact_id: contactId,
        connect: { ai: { name: 'concierge', metadata: 'order 17' } },
        ask: {
          text: 'May we call you?',
          template: { name: 't', language: 'pt_PT', parameters: ['a'] },
          wait_seconds: 600,
        },
      },
      { number_id: numberId, recipient: 'PT.1349', connect: { agent_id: 'nobody' }, ask: true },
    ],
    [`POST /v1/calls/${CALL_ID}/hold`]: [{ on: true }],
    [`POST /v1/calls/${CALL_ID}/play`]: [{ prompt_id: 'sound:hold', loop: true }],
    [`POST /v1/calls/${CALL_ID}/recording`]: [{ action: 'start' }],
    [`POST /v1/calls/${CALL_ID}/transfer`]: [
      { to: { agent_id: 'a' }, summary: 'wants a refund' },
      { to: { ai: { name: 'concierge', metadata: 'x' } } },
    ],
    [`POST /v1/calls/${CALL_ID}/consult`]: [{ to: { team: 'sales' } }],
    [`POST /v1/calls/${CALL_ID}/invite`]: [{ agent_id: 'a' }, { team: 'sales' }],
    [`POST /v1/calls/${CALL_ID}/supervise`]: [{ mode: 'whisper' }],
    [`POST /v1/calls/${CALL_ID}/notes`]: [{ text: 'called back' }],
    [`PUT /v1/calls/${CALL_ID}/tags`]: [{ tags: ['vip'] }],
    [`PUT /v1/calls/${CALL_ID}/disposition`]: [{ disposition: 'sold' }, { disposition: null }],
    'POST /v1/contacts': [{ phone: '+351 910 000 004', bsuid: 'PT.7', name: 'Ana' }],
    [`POST /v1/contacts/${contactId}/permission-request`]: [
      {
        number_id: numberId,
        text: 'May we call you?',
        template: { name: 'ask', language: 'pt_PT', parameters: ['a'] },
      },
    ],
    'POST /v1/session': [{ invitation: `rli_${'x'.repeat(43)}` }],
    'POST /v1/agents': [
      { name: 'Ana', role: 'supervisor', email: `${unique('f')}@example.com` },
      {
        name: 'Concierge',
        skills: ['refunds'],
        capacity: 5,
        ai: { name: 'concierge', metadata: '' },
      },
    ],
    [`PATCH /v1/agents/${agentId}`]: [
      { name: 'Ana', role: 'agent', email: null },
      { skills: ['refunds'], capacity: 2, ai: null },
    ],
    'PATCH /v1/settings': [{ number_masking: 'none' }],
    'POST /v1/api-keys': [
      { name: 'CRM', role: 'agent', expires_at: new Date(Date.now() + 60_000).toISOString() },
    ],
    [`PATCH /v1/contacts/${contactId}`]: [{ tags: ['vip', 'new'] }],
    [`POST /v1/calls/${CALL_ID}/follow-up`]: [{ done: true }],
    'PUT /v1/agents/me/presence': [{ status: 'away' }],
    [`PUT /v1/agents/${agentId}/presence`]: [{ status: 'available' }],
    'POST /v1/teams': [{ id: 'fuzzed', name: 'Sales', wrap_up_s: 20 }],
    [`PATCH /v1/teams/${TEAM_ID}`]: [{ name: 'Sales', wrap_up_s: 20 }],
    [`PUT /v1/teams/${TEAM_ID}/members`]: [{ agent_ids: [] }],
    'PUT /v1/rules': [{ version: 0, rules: RULES }, { rules: RULES }],
    'POST /v1/rules/check': [{ rules: RULES }],
    'POST /v1/rules/explain': [
      { number_id: numberId, from: '+351910000001', at: '2026-03-29T01:30:00Z', payload: 'order' },
      { number_id: numberId, contact_id: contactId, available_teams: [TEAM_ID], rules: RULES },
    ],
    'POST /v1/relays': [{ id: 'relay-f' }],
    'POST /v1/webhooks': [{ url: 'https://crm.example.com/calls', events: ['call.ended'] }],
    [`PATCH /v1/webhooks/${CALL_ID}`]: [
      { url: 'https://crm.example.com/', events: null, enabled: false },
    ],
    'POST /v1/numbers': [
      {
        provider: '360dialog',
        phone_number_id: '770001',
        display_phone_number: '+351 21 000 0000',
        access_token: 'token',
        webhook_secret: '0123456789abcdef',
        api_base_url: 'https://proxy.example.com/v1/',
        business_account_id: '1',
        app_id: '2',
        forward_url: 'https://other.example.com/',
      },
    ],
    [`PATCH /v1/numbers/${numberId}`]: [
      { display_phone_number: '15550109999', app_id: null, forward_url: null },
      { recording: 'always', recording_announcement: null, recording_retention_days: 30 },
    ],
    [`PATCH /v1/numbers/${numberId}/calling`]: [
      {
        enabled: true,
        icon: 'shown',
        countries: ['PT'],
        callback_permission: true,
        hours: {
          timezone: 'Europe/Lisbon',
          weekly: [{ day: 'monday', open: '09:00', close: '18:00' }],
          holidays: [{ date: '2030-12-25', open: '10:00', close: '12:00' }],
        },
      },
    ],
  });

  it('every route that takes JSON is among them', async () => {
    const { paths } = await (
      await request('/v1/openapi.json')
    ).json<{ paths: Record<string, Record<string, { requestBody?: { content: object } }>> }>();
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { requestBody }]) =>
        requestBody && 'application/json' in requestBody.content
          ? `${method.toUpperCase()} ${path}`
          : [],
      ),
    );
    const listed = Object.keys(bodies()).map((route) =>
      [numberId, contactId, agentId, CALL_ID, TEAM_ID].reduce(
        (path, id) => path.replace(`/${id}`, '/{id}'),
        route,
      ),
    );
    expect(listed.toSorted()).toEqual(documented.toSorted());
  });

  it('of which anything was changed is done, or refused with the names of the fields', async () => {
    const all = bodies();
    for (const [route, valid] of Object.entries(all)) {
      const [method = '', path = ''] = route.split(' ');
      await fc.assert(
        fc.asyncProperty(mutatedFrom(valid), async (body) => {
          const response = await request(path, {
            method,
            headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
            body: JSON.stringify(body),
          });
          const isUpstream = response.status === 502;
          expect(response.status < 500 || isUpstream).toBe(true);
          const problem = await problemOf(response);
          expect(response.status >= 400).toBe(problem !== null);
          if (problem?.type !== 'urn:roomline:problem:invalid-request') return;
          expect(problem.errors?.length).toBeGreaterThan(0);
          for (const { field, expected } of problem.errors ?? []) {
            expect([typeof field, field !== '', expected !== '']).toEqual(['string', true, true]);
          }
        }),
        { numRuns: 25, seed: SEED },
      );
    }
  });

  it('with a query or a path of anything is done, or refused with the names of the fields', async () => {
    const places: readonly ((text: string) => string)[] = [
      (text) => `/v1/calls?state=${text}`,
      (text) => `/v1/calls?cursor=${text}`,
      (text) => `/v1/calls/${text}`,
      (text) => `/v1/contacts?phone=${text}`,
      (text) => `/v1/contacts?bsuid=${text}`,
      (text) => `/v1/contacts?cursor=${text}`,
      (text) => `/v1/contacts/${text}`,
      (text) => `/v1/contacts/${contactId}/permission?number_id=${text}`,
      (text) => `/v1/forwards?cursor=${text}`,
      (text) => `/v1/webhooks/${text}`,
      (text) => `/v1/webhooks/${text}/deliveries?cursor=${text}`,
      (text) => `/v1/usage?from=${text}`,
      (text) => `/v1/usage?number_id=${text}`,
      (text) => `/v1/numbers/${text}`,
      (text) => `/v1/numbers/${text}/calling`,
      (text) => `/v1/numbers/${text}/doctor`,
      (text) => `/v1/events?after=${text}`,
      (text) => `/v1/${text}`,
    ];
    const texts = fc.oneof(
      fc
        .string({ unit: 'binary', maxLength: 40 })
        .map((text) => encodeURIComponent(wellFormed(text))),
      fc.constantFrom(
        '%',
        '%ff',
        '%00',
        '..',
        '%2e%2e%2f',
        btoa('1:'),
        'x'.repeat(5_000),
        '9'.repeat(15),
      ),
      fc.constant(Array.from({ length: 130 }, () => 'ringing').join(',')),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), texts, async (place, text) => {
        const headers = { authorization: `Bearer ${ADMIN_KEY}` };
        const response = await request(place(text), { headers });
        expect(response.status).toBeLessThan(500);
        const problem = await problemOf(response);
        expect(response.status >= 400).toBe(problem !== null);
      }),
      { numRuns: 150, seed: SEED },
    );
  });
});

/** Half a surrogate pair cannot stand in an address. */
const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, '');
