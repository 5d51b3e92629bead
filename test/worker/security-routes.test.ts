// Who may do what: every route with every kind of credential. A route that is not listed here fails.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, FakeRelay, Outside, request, unique } from './support.ts';

/**
 * `anyone` needs no credential; `agent` a key of an agent or the admin key; `admin` the admin key; `relay` the secret of the relay
 * in the path; `provider` what only the provider has.
 */
type Access = 'anyone' | 'agent' | 'admin' | 'relay' | 'provider';

const NUMBER = {
  provider: 'meta',
  phone_number_id: '66000001',
  display_phone_number: '15550109999',
  access_token: 'token',
};
const CARD =
  'prefix,tier_from_minutes,currency,price_per_minute,valid_from\n351,0,USD,0.01,2026-07-01';

/** With a body that is valid, so that nothing but the credential can be wrong. */
const ROUTES: Readonly<Record<string, Access | readonly [Access, body: unknown]>> = {
  'GET /healthz': 'anyone',
  'GET /docs': 'anyone',
  'GET /v1/openapi.json': 'anyone',

  'GET /webhooks/whatsapp': 'provider',
  'POST /webhooks/whatsapp': ['provider', { entry: [] }],
  'POST /webhooks/360dialog/:numberId': ['provider', { entry: [] }],
  'GET /v1/relays/:id/connect': 'relay',

  'GET /v1/calls': 'agent',
  'GET /v1/calls/:id': 'agent',
  'POST /v1/calls': ['agent', { number_id: 'nope', to: '+351910000001', connect: { room: true } }],
  'POST /v1/calls/:id/claim': 'agent',
  'POST /v1/calls/:id/join': 'agent',
  'POST /v1/calls/:id/end': 'agent',
  'GET /v1/events': 'agent',
  'GET /v1/contacts': 'agent',
  'POST /v1/contacts': ['agent', { phone: '+351910000001' }],
  'GET /v1/contacts/:id': 'agent',
  'GET /v1/contacts/:id/permission': 'agent',
  'POST /v1/contacts/:id/permission-request': ['agent', { number_id: 'nope', text: 'hello' }],

  'GET /v1/agents': 'admin',
  'POST /v1/agents': ['admin', { name: 'Ana' }],
  'POST /v1/agents/:id/key': 'admin',
  'DELETE /v1/agents/:id': 'admin',
  'GET /v1/relays': 'admin',
  'POST /v1/relays': ['admin', { id: 'relay-9' }],
  'POST /v1/relays/:id/secret': 'admin',
  'DELETE /v1/relays/:id': 'admin',
  'GET /v1/numbers': 'admin',
  'POST /v1/numbers': ['admin', NUMBER],
  'GET /v1/numbers/:id': 'admin',
  'PATCH /v1/numbers/:id': ['admin', { display_phone_number: '15550109998' }],
  'GET /v1/numbers/:id/calling': 'admin',
  'PATCH /v1/numbers/:id/calling': ['admin', { enabled: true }],
  'GET /v1/numbers/:id/doctor': 'admin',
  'GET /v1/forwards': 'admin',
  'POST /v1/forwards/:id/retry': 'admin',
  'GET /v1/rates': 'admin',
  'PUT /v1/rates': ['admin', CARD],
  'GET /v1/stats': 'admin',
  'GET /v1/usage': 'admin',
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

const accessOf = (route: string): { access: Access; body: unknown } => {
  const listed = ROUTES[route];
  if (listed === undefined) throw new Error(`${route} is not listed`);
  return typeof listed === 'string'
    ? { access: listed, body: undefined }
    : { access: listed[0], body: listed[1] };
};

async function ask(route: string, credential: Credential): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const { access, body } = accessOf(route);
  const ids: Record<string, string> = {
    ':id': access === 'relay' ? relayId : path.includes('forwards') ? '999' : 'nope',
    ':numberId': unique('n'),
  };
  const query = path.endsWith('/permission') ? '?number_id=nope' : '';
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
  expect(Object.keys(ROUTES).toSorted()).toEqual([...new Set(routes)].toSorted());
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
    expect([route, needsKey]).toEqual([route, ['agent', 'admin'].includes(accessOf(route).access)]);
  }
});

describe.each(Object.keys(ROUTES))('%s', (route) => {
  it.each(CREDENTIALS)('with the credential: %s', async (credential) => {
    const expected = expectedOf(route, accessOf(route).access, credential);
    const status = await ask(route, credential);
    const isIn = status !== 401 && status !== 403 && status < 500;
    expect(isIn ? 'in' : status).toBe(expected);
  });
});
