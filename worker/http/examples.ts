// What a request of each operation looks like, for whoever reads the API's document. A test sends each of them to the worker.

/** Ids as they look; in the test, what was made there stands in their place. */
const CALL = '4381c7f8fae49d9667da2293';
const CONTACT = '6a0671f2939b17cab6950015';
const NUMBER = '79e27f6c-9bb7-4961-945f-0e4749bda562';
const AGENT = '2da7fcb0-b7bc-4eaf-8212-44bd8e83bb89';
const COLLEAGUE = '9c1f5e0a-3a3b-4a52-8f2e-6f4f0b9f7d10';
const PROMPT = '0b9a3c52-54d1-4d0b-9a3f-5a1f2f6f4c11';
const ENDPOINT = 'eb69dac1-71e6-4b16-b301-8342aa5f9c12';
const API_KEY = '5f3a9d3e-8a9c-4c39-9d0e-2b0a6d1f7e13';

export const EXAMPLE_IDS = { CALL, CONTACT, NUMBER, AGENT, COLLEAGUE, PROMPT, ENDPOINT, API_KEY };

export interface Example {
  /** Parameters of path and query. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** As its content type has it: JSON as a value. */
  readonly body?: unknown;
}

const call = { parameters: { id: CALL } };
const relay = { parameters: { id: 'relay-lisbon' } };
const number = { parameters: { id: NUMBER } };
const agent = { parameters: { id: AGENT } };
const contact = { parameters: { id: CONTACT } };
const prompt = { parameters: { id: PROMPT } };
const endpoint = { parameters: { id: ENDPOINT } };
const team = { parameters: { id: 'sales' } };
const rules = {
  rules: [
    {
      name: 'Orders, in office hours',
      match: { payload: { starts_with: 'order' }, hours: { schedule: 'office', is: 'open' } },
      steps: [{ ring: { team: 'sales', strategy: 'longest-idle' } }, { voicemail: {} }],
    },
  ],
  schedules: {
    office: {
      timezone: 'Europe/Lisbon',
      weekly: [{ day: 'monday', open: '0900', close: '1800' }],
    },
  },
  otherwise: [{ ring: { everyone: true } }],
};

/** By method and path. */
export const EXAMPLES: Readonly<Record<string, Example>> = {
  'POST /v1/session': { body: { invitation: 'rli_K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDNHpI4E0' } },
  'GET /v1/session': {},
  'DELETE /v1/session': {},
  'POST /v1/api-keys': { body: { name: 'CRM', role: 'agent', expires_at: '2030-01-01T00:00:00Z' } },
  'GET /v1/api-keys': {},
  'DELETE /v1/api-keys/{id}': { parameters: { id: API_KEY } },

  'POST /v1/relays': { body: { id: 'relay-lisbon' } },
  'GET /v1/relays': {},
  'POST /v1/relays/{id}/secret': relay,
  'DELETE /v1/relays/{id}': relay,

  'POST /v1/numbers': {
    body: {
      provider: 'meta',
      phone_number_id: '106540352242922',
      display_phone_number: '+351 21 000 0000',
      access_token: 'EAAJB...',
      business_account_id: '102290129340398',
      fallback_text: 'Sorry, we could not take your call. Write to us here, or call again.',
    },
  },
  'GET /v1/numbers': {},
  'GET /v1/numbers/{id}': number,
  'PATCH /v1/numbers/{id}': { ...number, body: { forward_url: 'https://inbox.example.com/hook' } },
  'GET /v1/numbers/{id}/calling': number,
  'PATCH /v1/numbers/{id}/calling': { ...number, body: { enabled: true, icon: 'shown' } },
  'GET /v1/numbers/{id}/doctor': number,

  'POST /v1/agents': { body: { name: 'Ana', role: 'agent', email: 'ana@example.com' } },
  'GET /v1/agents': {},
  'PATCH /v1/agents/{id}': { ...agent, body: { name: 'Ana Sousa', skills: ['refunds'] } },
  'POST /v1/agents/{id}/invitation': agent,
  'POST /v1/agents/{id}/key': agent,
  'DELETE /v1/agents/{id}': agent,
  'GET /v1/agents/presence': {},
  'PUT /v1/agents/me/presence': { body: { status: 'away' } },
  'PUT /v1/agents/{id}/presence': { ...agent, body: { status: 'available' } },

  'POST /v1/teams': { body: { id: 'sales', name: 'Sales', wrap_up_s: 20 } },
  'GET /v1/teams': {},
  'GET /v1/teams/{id}': team,
  'PATCH /v1/teams/{id}': { ...team, body: { name: 'Sales Lisbon' } },
  'PUT /v1/teams/{id}/members': { ...team, body: { agent_ids: [AGENT, COLLEAGUE] } },
  'DELETE /v1/teams/{id}': team,

  'PUT /v1/rules': { body: { rules } },
  'GET /v1/rules': {},
  'GET /v1/rules/{version}': { parameters: { version: '1' } },
  'POST /v1/rules/check': { body: { rules } },
  'POST /v1/rules/explain': {
    body: {
      number_id: NUMBER,
      from: '+351910000001',
      at: '2026-11-23T09:30:00Z',
      payload: 'order-17',
    },
  },

  'POST /v1/contacts': { body: { phone: '+351 910 000 001', name: 'Rui' } },
  'GET /v1/contacts': { parameters: { phone: '351910000001' } },
  'GET /v1/contacts/{id}': contact,
  'PATCH /v1/contacts/{id}': { ...contact, body: { tags: ['vip'] } },
  'GET /v1/contacts/{id}/permission': { parameters: { id: CONTACT, number_id: NUMBER } },
  'POST /v1/contacts/{id}/permission-request': {
    ...contact,
    body: { number_id: NUMBER, template: { name: 'may_we_call', language: 'pt_PT' } },
  },

  'POST /v1/prompts': { parameters: { name: 'Welcome' } },
  'GET /v1/prompts': {},
  'GET /v1/prompts/{id}': prompt,
  'GET /v1/prompts/{id}/audio': prompt,
  'DELETE /v1/prompts/{id}': prompt,

  'GET /v1/calls': { parameters: { state: 'ringing,active', limit: '20' } },
  'POST /v1/calls': {
    body: {
      number_id: NUMBER,
      to: '+351 910 000 002',
      connect: { agent_id: COLLEAGUE },
      ring_seconds: 30,
    },
  },
  'GET /v1/calls/{id}': call,
  'POST /v1/calls/{id}/claim': call,
  'POST /v1/calls/{id}/join': call,
  'POST /v1/calls/{id}/decline': call,
  'POST /v1/calls/{id}/end': call,
  'POST /v1/calls/{id}/follow-up': { ...call, body: { done: true } },
  'POST /v1/calls/{id}/hold': { ...call, body: { on: true } },
  'POST /v1/calls/{id}/play': { ...call, body: { prompt_id: PROMPT } },
  'POST /v1/calls/{id}/play/stop': call,
  'POST /v1/calls/{id}/recording': { ...call, body: { action: 'start' } },
  'GET /v1/calls/{id}/recording': call,
  'DELETE /v1/calls/{id}/recording': call,
  'POST /v1/calls/{id}/transfer': {
    ...call,
    body: { to: { agent_id: COLLEAGUE }, summary: 'Wants a refund for order 17' },
  },
  'POST /v1/calls/{id}/transfer/cancel': call,
  'POST /v1/calls/{id}/consult': { ...call, body: { to: { agent_id: COLLEAGUE } } },
  'POST /v1/calls/{id}/consult/merge': call,
  'POST /v1/calls/{id}/consult/complete': call,
  'POST /v1/calls/{id}/consult/cancel': call,
  'POST /v1/calls/{id}/invite': { ...call, body: { agent_id: COLLEAGUE } },
  'DELETE /v1/calls/{id}/participants/{identity}': {
    parameters: { id: CALL, identity: `agent-${COLLEAGUE}` },
  },
  'POST /v1/calls/{id}/supervise': { ...call, body: { mode: 'whisper' } },
  'POST /v1/calls/{id}/notes': { ...call, body: { text: 'Wants a refund for order 17' } },
  'PUT /v1/calls/{id}/tags': { ...call, body: { tags: ['refund'] } },
  'PUT /v1/calls/{id}/disposition': { ...call, body: { disposition: 'refunded' } },

  'GET /v1/events': { parameters: { after: '0' } },
  'POST /v1/webhooks': {
    body: { url: 'https://crm.example.com/roomline', events: ['call.answered', 'call.ended'] },
  },
  'GET /v1/webhooks': {},
  'GET /v1/webhooks/{id}': endpoint,
  'PATCH /v1/webhooks/{id}': { ...endpoint, body: { events: null } },
  'POST /v1/webhooks/{id}/secret': endpoint,
  'DELETE /v1/webhooks/{id}': endpoint,
  'GET /v1/webhooks/{id}/deliveries': { parameters: { id: ENDPOINT, status: 'delivered' } },
  'POST /v1/webhooks/deliveries/{id}/replay': { parameters: { id: '1' } },

  'GET /v1/forwards': { parameters: { dead: 'true' } },
  'POST /v1/forwards/{id}/retry': { parameters: { id: '1' } },
  'PUT /v1/rates': {
    body: 'prefix,tier_from_minutes,currency,price_per_minute,valid_from\n351,0,USD,0.0103,2026-07-01',
  },
  'GET /v1/rates': {},
  'GET /v1/usage': { parameters: { from: '2026-11-01', to: '2026-12-01' } },
  'GET /v1/stats': {},
  'GET /v1/settings': {},
  'PATCH /v1/settings': { body: { number_masking: 'none' } },
  'GET /v1/audit': { parameters: { target: AGENT, limit: '20' } },
};
