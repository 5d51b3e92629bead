// Who may do what: every route with every kind of credential. A route that is not listed here fails.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { ACCESS, type Access } from '../support/access.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, FakeRelay, Outside, request, unique } from './support.ts';

const NUMBER = {
  provider: 'meta',
  phone_number_id: '66000001',
  display_phone_number: '15550109999',
  access_token: 'token',
};

/** Bodies that are valid, so that nothing but the credential can be wrong. */
const BODIES: Readonly<Record<string, unknown>> = {
  'POST /webhooks/whatsapp': { entry: [] },
  'POST /webhooks/360dialog/:numberId': { entry: [] },
  'POST /v1/calls': { number_id: 'nope', to: '+351910000001', connect: { room: true } },
  'POST /v1/calls/:id/hold': { on: true },
  'POST /v1/calls/:id/play': { prompt_id: 'nope' },
  'POST /v1/calls/:id/recording': { action: 'start' },
  'POST /v1/prompts': 'no WAV',
  'PUT /v1/relays/:id/recordings/:callId': 'no Ogg',
  'POST /v1/contacts': { phone: '+351910000001' },
  'POST /v1/contacts/:id/permission-request': { number_id: 'nope', text: 'hello' },
  'POST /v1/agents': { name: 'Ana' },
  'POST /v1/relays': { id: 'relay-9' },
  'POST /v1/numbers': NUMBER,
  'PATCH /v1/numbers/:id': { display_phone_number: '15550109998' },
  'PATCH /v1/numbers/:id/calling': { enabled: true },
  'PUT /v1/rates':
    'prefix,tier_from_minutes,currency,price_per_minute,valid_from\n351,0,USD,0.01,2026-07-01',
};

const CREDENTIALS = [
  'none',
  'wrong',
  'admin',
  'agent',
  'revoked agent',
  'relay',
  'other relay',
  'revoked relay',
] as const;
type Credential = (typeof CREDENTIALS)[number];

const IN: Readonly<Record<Access, readonly Credential[]>> = {
  anyone: CREDENTIALS,
  agent: ['agent', 'admin'],
  admin: ['admin'],
  relay: ['relay'],
  provider: [],
};

const keys: Partial<Record<Credential, string>> = {};
let relayId = '';

beforeAll(async () => {
  Outside.open();
  const newAgent = async () =>
    (await api<{ id: string; key: string }>('POST', '/v1/agents', { name: 'Ana' })).body;
  const [agent, revoked] = [await newAgent(), await newAgent()];
  const [relay, other] = [await FakeRelay.register(), await FakeRelay.register()];
  // The revoked secret is of the same relay, or it would prove nothing.
  const renewed = await api<{ secret: string }>('POST', `/v1/relays/${relay.id}/secret`);
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  await request(`/v1/agents/${revoked.id}`, { method: 'DELETE', headers });
  relayId = relay.id;
  Object.assign(keys, {
    wrong: `rla_${'x'.repeat(43)}`,
    admin: ADMIN_KEY,
    agent: agent.key,
    'revoked agent': revoked.key,
    relay: renewed.body.secret,
    'other relay': other.secret,
    'revoked relay': relay.secret,
  } satisfies typeof keys);
});
afterAll(() => vi.restoreAllMocks());

const accessOf = (route: string): Access => {
  const access = ACCESS[route];
  if (access === undefined) throw new Error(`${route} is not listed in test/support/access.ts`);
  return access;
};

async function ask(route: string, credential: Credential): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const body = BODIES[route];
  const ids: Record<string, string> = {
    ':id': accessOf(route) === 'relay' ? relayId : path.includes('forwards') ? '999' : 'nope',
    ':numberId': unique('n'),
    ':promptId': 'nope',
    ':callId': 'nope',
  };
  const query = path.endsWith('/permission') ? '?number_id=nope' : '?name=x';
  const key = keys[credential];
  const response = await request(path.replaceAll(/:\w+/g, (name) => ids[name] ?? '') + query, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      'content-type': typeof body === 'string' ? 'text/csv' : 'application/json',
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Whom a stranger is; 403 is for agents whose key is good and not enough. */
function expectedOf(route: string, access: Access, credential: Credential): 'in' | 401 | 403 {
  if (IN[access].includes(credential)) return 'in';
  if (access === 'admin' && credential === 'agent') return 403;
  // The request that verifies a webhook subscription shows a token, and no token is a wrong one.
  return route === 'GET /webhooks/whatsapp' ? 403 : 401;
}

it('every route is listed, and nothing else is', () => {
  const app = createApp(ownServices());
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path}`);
  expect(Object.keys(ACCESS).toSorted()).toEqual([...new Set(routes)].toSorted());
});

it('middleware for all methods stands only where everything is meant', () => {
  const app = createApp(ownServices());
  const paths = app.routes.filter(({ method }) => method === 'ALL').map(({ path }) => path);
  expect(new Set(paths)).toEqual(new Set(['/*', '/v1/*', '/v1/rates']));
});

it('the documentation says that a key is needed exactly where it is', async () => {
  const { paths } = await (
    await request('/v1/openapi.json')
  ).json<{ paths: Record<string, Record<string, { security?: object[] }>> }>();
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [] }]) => ({
      route: `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
      needsKey: security.length > 0,
    })),
  );
  expect(documented.length).toBeGreaterThan(20);
  for (const { route, needsKey } of documented) {
    expect([route, needsKey]).toEqual([route, ['agent', 'admin'].includes(accessOf(route))]);
  }
});

describe.each(Object.keys(ACCESS))('%s', (route) => {
  it.each(CREDENTIALS)('with the credential: %s', async (credential) => {
    const expected = expectedOf(route, accessOf(route), credential);
    const status = await ask(route, credential);
    const isIn = status !== 401 && status !== 403 && status < 500;
    expect(isIn ? 'in' : status).toBe(expected);
  });
});
