// Every operation of the API, asked as its document shows: the worker takes the example, and answers as the document says.
import { Validator, type Schema } from '@cfworker/json-schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EXAMPLE_IDS } from '../../worker/http/examples.ts';
import { inState, InboundScene, show } from './inbound-scene.ts';
import { sentReply, permissionReply } from './permission-world.ts';
import { sine, wavOf } from './sounds.ts';
import {
  ADMIN_KEY,
  api,
  postWebhook,
  request,
  terminateWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

interface Operation {
  readonly parameters?: { name: string; in: string; example?: unknown }[];
  readonly requestBody?: { content: Record<string, { example?: unknown }> };
  readonly responses: Record<
    string,
    { content?: Record<string, { schema: Schema; example?: unknown }> }
  >;
}

let document: { paths: Record<string, Record<string, Operation>>; components: object };
let scene: InboundScene;
/** What was made here, by the id that the examples have. */
const known = new Map<string, string>();
const asked: string[] = [];

const operationOf = (route: string): Operation => {
  const [method = '', path = ''] = route.split(' ');
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the document has no ${route}`);
  return operation;
};

/** Replaces the ids of examples by those of this test. */
const here = (text: string): string =>
  [...known].reduce((changed, [example, actual]) => changed.replaceAll(example, actual), text);

interface Asked {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Sender {
  readonly key?: string;
  readonly headers?: Record<string, string>;
  /** Instead of the example. */
  readonly raw?: BodyInit;
}

/** Sends the example of an operation and compares the answer with the document. */
async function ask(
  route: string,
  { key = ADMIN_KEY, headers = {}, raw }: Sender = {},
): Promise<Asked> {
  asked.push(route);
  const operation = operationOf(route);
  const [method = '', template = ''] = route.split(' ');
  const { parameters = [], requestBody } = operation;
  const missing = parameters.filter((one) => one.in === 'path' && one.example === undefined);
  expect(missing, route).toEqual([]);
  const shown = parameters.filter(({ example }) => example !== undefined);
  const query = new URLSearchParams(
    shown.flatMap((one) => (one.in === 'query' ? [[one.name, here(String(one.example))]] : [])),
  );
  const path = shown.reduce(
    (changed, { name, example }) =>
      changed.replace(`{${name}}`, encodeURIComponent(here(String(example)))),
    template,
  );
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const example = content?.example;
  if (content && raw === undefined) expect(example, `${route} has no example`).toBeDefined();
  const text = typeof example === 'string' ? example : here(JSON.stringify(example ?? null));
  const sent = raw ?? (content ? text : undefined);
  const response = await request(`${path}${query.size > 0 ? `?${query.toString()}` : ''}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(type === undefined ? {} : { 'content-type': type }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const answer = response.headers.get('content-type')?.includes('json')
    ? await response.json<Record<string, unknown>>()
    : {};
  expect(response.status, `${route} ${JSON.stringify(answer)}`).toBeLessThan(300);
  const documented = operation.responses[response.status];
  expect(documented, `${route} answered ${response.status}`).toBeDefined();
  const { schema, example: sample } = documented?.content?.['application/json'] ?? {};
  if (schema) {
    const validator = new Validator({ ...schema, components: document.components }, '2020-12');
    expect(validator.validate(answer), route).toEqual({ valid: true, errors: [] });
    const hint = `${route} needs a sample in worker/http/answers.json like ${JSON.stringify(answer)}`;
    expect(sample, hint).toBeDefined();
    expect(validator.validate(sample), hint).toEqual({ valid: true, errors: [] });
  }
  return { status: response.status, body: answer };
}

const { CALL, CONTACT, NUMBER, AGENT, COLLEAGUE, PROMPT, ENDPOINT, API_KEY } = EXAMPLE_IDS;
const keys = { ana: '', bea: '', sue: '' };
let bea = '';
let ana = '';

/** The provider: knows settings and permissions, takes messages and calls. */
function openProvider(): void {
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const sent = new Request(input, init);
    const { pathname } = new URL(sent.url);
    if (pathname.endsWith('/ListParticipants')) {
      const identities = [`agent-${ana}`, `agent-${bea}`];
      const tracks = [{ source: 'MICROPHONE' }];
      return Response.json({ participants: identities.map((identity) => ({ identity, tracks })) });
    }
    if (pathname.startsWith('/twirp/')) return Response.json({});
    if (pathname.endsWith('/settings') && sent.method === 'GET') {
      return Response.json({ calling: { status: 'ENABLED' } });
    }
    if (pathname.endsWith('/call_permissions')) {
      return permissionReply(
        { status: 'temporary', expiration_time: 2_000_000_000 },
        { canCall: true },
      );
    }
    if (pathname.endsWith('/messages')) return sentReply(unique('wamid.'));
    return Response.json({ messaging_product: 'whatsapp', success: true });
  });
}

beforeAll(async () => {
  scene = await InboundScene.open();
  await scene.reconnect({ protocol: 4 });
  vi.restoreAllMocks();
  openProvider();
  document = await (await request('/v1/openapi.json')).json();
});
afterAll(() => vi.restoreAllMocks());

const listen = async (key: string): Promise<void> => {
  const headers = { upgrade: 'websocket', authorization: `Bearer ${key}` };
  (await request('/v1/events', { headers })).webSocket?.accept();
};
const say = (event: { type: string; [name: string]: unknown }) =>
  scene.relay.say(known.get(CALL) ?? '', event);
/** A call that rings, which the examples mean from now on. */
async function ring(): Promise<string> {
  const { id } = await scene.ring();
  known.set(CALL, id);
  return id;
}
/** A call that Ana has. */
async function talk(): Promise<string> {
  const id = await ring();
  await ask('POST /v1/calls/{id}/claim', { key: keys.ana });
  say({ type: 'ready', identity: `agent-${ana}` });
  await inState(id, 'active');
  return id;
}
const end = () => ask('POST /v1/calls/{id}/end', { key: ADMIN_KEY });
/** The colleague takes the call for which they are rung, and is in the room. */
async function colleagueComes(id: string): Promise<void> {
  await ask('POST /v1/calls/{id}/claim', { key: keys.bea });
  say({ type: 'participant-joined', identity: `agent-${bea}` });
  await until('the colleague', async () =>
    (await show(id)).people.find(({ agent_id, there }) => agent_id === bea && there),
  );
}

describe('the examples of the document are taken, and answered as it says', () => {
  it('numbers and relays', async () => {
    const created = await ask('POST /v1/numbers');
    known.set(NUMBER, String(created.body['id']));
    await ask('GET /v1/numbers');
    await ask('GET /v1/numbers/{id}');
    await ask('PATCH /v1/numbers/{id}');
    await ask('GET /v1/numbers/{id}/calling');
    await ask('PATCH /v1/numbers/{id}/calling');
    await ask('GET /v1/numbers/{id}/doctor');
    await ask('POST /v1/relays');
    await ask('GET /v1/relays');
    await ask('POST /v1/relays/{id}/secret');
    await ask('DELETE /v1/relays/{id}');
  });

  it('people, teams and keys', async () => {
    const first = await ask('POST /v1/agents');
    ana = String(first.body['id']);
    known.set(AGENT, ana);
    const second = await api<{ id: string; key: string }>('POST', '/v1/agents', { name: 'Bea' });
    bea = second.body.id;
    known.set(COLLEAGUE, bea);
    const third = await api<{ key: string }>('POST', '/v1/agents', {
      name: 'Sue',
      role: 'supervisor',
    });
    Object.assign(keys, { bea: second.body.key, sue: third.body.key });
    await ask('GET /v1/agents');
    await ask('PATCH /v1/agents/{id}');
    keys.ana = String((await ask('POST /v1/agents/{id}/key')).body['key']);
    await Promise.all([keys.ana, keys.bea].map(listen));
    await ask('GET /v1/agents/presence');
    await ask('PUT /v1/agents/me/presence', { key: keys.ana });
    await ask('PUT /v1/agents/{id}/presence');
    await ask('POST /v1/teams');
    await ask('GET /v1/teams');
    await ask('GET /v1/teams/{id}');
    await ask('PATCH /v1/teams/{id}');
    await ask('PUT /v1/teams/{id}/members');
    const { url } = (await ask('POST /v1/agents/{id}/invitation')).body;
    const invitation = new URL(String(url)).searchParams.get('invitation') ?? '';
    await ask('POST /v1/session', { raw: JSON.stringify({ invitation }) });
    await ask('GET /v1/session', { key: keys.ana });
    await ask('DELETE /v1/session', { key: keys.ana });
    known.set(API_KEY, String((await ask('POST /v1/api-keys')).body['id']));
    await ask('GET /v1/api-keys');
    await ask('DELETE /v1/api-keys/{id}');
  });

  it('contacts', async () => {
    known.set(CONTACT, String((await ask('POST /v1/contacts')).body['id']));
    await ask('GET /v1/contacts');
    await ask('GET /v1/contacts/{id}');
    await ask('PATCH /v1/contacts/{id}');
    await ask('GET /v1/contacts/{id}/permission');
    await ask('POST /v1/contacts/{id}/permission-request');
  });

  it('prompts and a rate card', async () => {
    const file = wavOf(sine(440, 8_000, 8_000));
    const uploaded = await ask('POST /v1/prompts', {
      raw: file as BodyInit,
      headers: { 'content-type': 'audio/wav' },
    });
    known.set(PROMPT, String(uploaded.body['id']));
    await ask('GET /v1/prompts');
    await ask('GET /v1/prompts/{id}');
    await ask('GET /v1/prompts/{id}/audio');
    await ask('PUT /v1/rates');
    await ask('GET /v1/rates');
    await ask('GET /v1/usage');
    await ask('GET /v1/stats');
    await ask('GET /v1/settings');
    await ask('PATCH /v1/settings');
    await ask('GET /v1/audit');
  });

  it('rules', async () => {
    await ask('POST /v1/rules/check');
    await ask('PUT /v1/rules');
    await ask('GET /v1/rules');
    await ask('GET /v1/rules/{version}');
    await ask('POST /v1/rules/explain');
  });

  it('a call that is answered', async () => {
    const id = await talk();
    await ask('GET /v1/calls');
    await ask('GET /v1/calls/{id}');
    await ask('POST /v1/calls/{id}/play', { key: keys.ana });
    await ask('POST /v1/calls/{id}/play/stop', { key: keys.ana });
    await ask('POST /v1/calls/{id}/recording', { key: keys.ana });
    await ask('POST /v1/calls/{id}/hold', { key: keys.ana });
    await ask('POST /v1/calls/{id}/notes', { key: keys.ana });
    await ask('PUT /v1/calls/{id}/tags', { key: keys.ana });
    await ask('PUT /v1/calls/{id}/disposition', { key: keys.ana });
    await ask('POST /v1/calls/{id}/supervise', { key: keys.sue });
    await end();
    await inState(id, 'ended');
    const { id: relay, secret } = scene.credentials;
    const audio = new Uint8Array(1_000);
    const kept = await request(`/v1/relays/${relay}/recordings/${id}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${secret}`,
        'content-type': 'audio/ogg',
        'content-length': String(audio.length),
        'x-roomline-duration-ms': '1000',
        'x-roomline-audio-sha256': 'a1'.repeat(32),
      },
      body: audio,
    });
    expect(kept.status).toBe(200);
    await ask('GET /v1/calls/{id}/recording');
    await ask('DELETE /v1/calls/{id}/recording');
  });

  it('a call that is transferred', async () => {
    await talk();
    await ask('POST /v1/calls/{id}/transfer', { key: keys.ana });
    await ask('POST /v1/calls/{id}/transfer/cancel', { key: keys.ana });
    await end();
  });

  it('calls with a colleague', async () => {
    for (const close of ['cancel', 'complete', 'merge'] as const) {
      const id = await talk();
      await ask('POST /v1/calls/{id}/consult', { key: keys.ana });
      await colleagueComes(id);
      await ask(`POST /v1/calls/{id}/consult/${close}`, { key: keys.ana });
      await end();
      await inState(id, 'ended');
    }
    const id = await talk();
    await ask('POST /v1/calls/{id}/invite', { key: keys.ana });
    await colleagueComes(id);
    await ask('DELETE /v1/calls/{id}/participants/{identity}', { key: keys.ana });
    await end();
  });

  it('a call that nobody takes', async () => {
    await api('PUT', '/v1/rules', {
      rules: { rules: [], otherwise: [{ ring: { team: 'sales' } }] },
    });
    // She has just had a call, and would be left alone for a while.
    await ask('PUT /v1/agents/{id}/presence');
    const { id, wacid } = await scene.ring();
    known.set(CALL, id);
    await until('the ring', async () => (await show(id)).ringing_for?.includes(ana));
    await ask('POST /v1/calls/{id}/decline', { key: keys.ana });
    await postWebhook(terminateWebhook(scene.fields(wacid)));
    await inState(id, 'ended');
    await ask('POST /v1/calls/{id}/follow-up');
  });

  it('calls of the business', async () => {
    const started = await ask('POST /v1/calls');
    known.set(CALL, String(started.body['id']));
    await end();
    const room = await api<{ id: string }>('POST', '/v1/calls', {
      number_id: known.get(NUMBER),
      to: '+351910000005',
      connect: { room: true },
    });
    known.set(CALL, room.body.id);
    await ask('POST /v1/calls/{id}/join', { key: keys.ana });
    await end();
  });

  it('endpoints and webhooks that are passed on', async () => {
    known.set(ENDPOINT, String((await ask('POST /v1/webhooks')).body['id']));
    await ask('GET /v1/webhooks');
    await ask('GET /v1/webhooks/{id}');
    await ask('PATCH /v1/webhooks/{id}');
    const { wacid } = await scene.ring();
    await postWebhook(terminateWebhook(scene.fields(wacid)));
    const delivery = await until('a delivery', () =>
      testEnv.DB.prepare('SELECT id FROM webhook_deliveries').first<{ id: number }>(),
    );
    await ask('GET /v1/webhooks/{id}/deliveries');
    known.set('1', String(delivery.id));
    await ask('POST /v1/webhooks/deliveries/{id}/replay');
    await ask('POST /v1/webhooks/{id}/secret');
    await ask('DELETE /v1/webhooks/{id}');
    await testEnv.DB.prepare(
      "INSERT INTO forwards (id, url, body, headers, attempts, next_at_ms, created_at_ms) VALUES (1, 'https://x.test/', x'00', '{}', 1, NULL, 1)",
    ).run();
    known.delete('1');
    await ask('GET /v1/forwards');
    await ask('POST /v1/forwards/{id}/retry');
  });

  it('what goes at last', async () => {
    await ask('DELETE /v1/prompts/{id}');
    await api('PUT', '/v1/rules', {
      rules: { rules: [], otherwise: [{ ring: { everyone: true } }] },
    });
    await ask('DELETE /v1/teams/{id}');
    await ask('DELETE /v1/agents/{id}');
  });

  it('and those are all operations, but for the one that speaks WebSocket', () => {
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const others = all.filter((route) => route !== 'GET /v1/events');
    expect([...new Set(asked)].toSorted()).toEqual(others.toSorted());
  });
});
