// Who may do what: every route with every kind of credential. A route that is not listed here fails.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { ACCESS, FOR_PEOPLE, type Access } from '../support/access.ts';
import { ROLES, type Role } from '../../worker/domain/roster.ts';
import { ask, signIn, type SignedIn } from './browser.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, FakeRelay, Outside, request, testEnv, unique } from './support.ts';

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
  'POST /v1/calls/:id/supervise': { mode: 'monitor' },
  'POST /v1/calls/:id/transfer': { to: { team: 'nope' } },
  'POST /v1/calls/:id/consult': { to: { team: 'nope' } },
  'POST /v1/calls/:id/invite': { team: 'nope' },
  'POST /v1/calls/:id/notes': { text: 'nope' },
  'PUT /v1/calls/:id/tags': { tags: ['nope'] },
  'PUT /v1/calls/:id/disposition': { disposition: 'nope' },
  'POST /v1/calls/:id/play': { prompt_id: 'nope' },
  'POST /v1/calls/:id/recording': { action: 'start' },
  'POST /v1/prompts': 'no WAV',
  'PUT /v1/relays/:id/recordings/:callId': 'no Ogg',
  'POST /v1/contacts': { phone: '+351910000001' },
  'POST /v1/contacts/:id/permission-request': { number_id: 'nope', text: 'hello' },
  'POST /v1/session': { invitation: 'nope' },
  'POST /v1/agents': { name: 'Ana' },
  'PATCH /v1/agents/:id': { name: 'Ana' },
  'PATCH /v1/settings': { number_masking: 'none' },
  'POST /v1/api-keys': { name: 'CRM', role: 'agent' },
  'PATCH /v1/contacts/:id': { tags: ['vip'] },
  'POST /v1/calls/:id/follow-up': { done: true },
  'PUT /v1/agents/me/presence': { status: 'away' },
  'PUT /v1/agents/:id/presence': { status: 'away' },
  'POST /v1/teams': { id: 'sales', name: 'Sales' },
  'PATCH /v1/teams/:id': { name: 'Sales' },
  'PUT /v1/teams/:id/members': { agent_ids: [] },
  // What holds without rules, as the calls of other tests need it.
  'PUT /v1/rules': { rules: { rules: [], otherwise: [{ ring: { everyone: true } }] } },
  'POST /v1/rules/explain': { number_id: 'nope' },
  'POST /v1/rules/check': { rules: { rules: [], otherwise: [{ reject: {} }] } },
  'POST /v1/relays': { id: 'relay-9' },
  'POST /v1/numbers': NUMBER,
  'PATCH /v1/numbers/:id': { display_phone_number: '15550109998' },
  'PATCH /v1/numbers/:id/calling': { enabled: true },
  'POST /v1/webhooks': { url: 'https://hooks.example.com/roomline' },
  'PATCH /v1/webhooks/:id': { enabled: false },
  'PUT /v1/rates':
    'prefix,tier_from_minutes,currency,price_per_minute,valid_from\n351,0,USD,0.01,2026-07-01',
};

/** Whose key or session opens what a role may, and which role. */
const ROLE_OF = {
  agent: 'agent',
  supervisor: 'supervisor',
  admin: 'admin',
  'program of the role agent': 'agent',
  'program of the role admin': 'admin',
  'session of an agent': 'agent',
  'session of an admin': 'admin',
  'session of an admin without CSRF token': 'admin',
  ADMIN_API_KEY: 'admin',
} as const satisfies Record<string, Role>;
const CREDENTIALS = [
  'none',
  'wrong',
  'revoked agent',
  'revoked program',
  'expired program',
  'session that is over',
  'relay',
  'other relay',
  'revoked relay',
  ...(Object.keys(ROLE_OF) as (keyof typeof ROLE_OF)[]),
] as const;
type Credential = (typeof CREDENTIALS)[number];

const roleOf = (credential: Credential): Role | null =>
  (ROLE_OF as Partial<Record<Credential, Role>>)[credential] ?? null;

const keys: Partial<Record<Credential, string>> = {};
const browsers: Partial<Record<Credential, SignedIn>> = {};
/** Of those who can sign out and in again. */
const agentIds: Partial<Record<Credential, string>> = {};
let relayId = '';

beforeAll(async () => {
  Outside.open();
  const newAgent = async (role: Role) =>
    (await api<{ id: string; key: string }>('POST', '/v1/agents', { name: 'Ana', role })).body;
  const newProgram = async (role: Role, more: object = {}) =>
    (await api<{ id: string; key: string }>('POST', '/v1/api-keys', { name: 'CRM', role, ...more }))
      .body;
  const [agent, revoked] = [await newAgent('agent'), await newAgent('agent')];
  const [supervisor, admin] = [await newAgent('supervisor'), await newAgent('admin')];
  const [program, expired] = [await newProgram('admin'), await newProgram('admin')];
  const [relay, other] = [await FakeRelay.register(), await FakeRelay.register()];
  // The revoked secret is of the same relay, or it would prove nothing.
  const renewed = await api<{ secret: string }>('POST', `/v1/relays/${relay.id}/secret`);
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  await request(`/v1/agents/${revoked.id}`, { method: 'DELETE', headers });
  await request(`/v1/api-keys/${program.id}`, { method: 'DELETE', headers });
  await testEnv.DB.prepare('UPDATE api_keys SET expires_at_ms = 1 WHERE id = ?')
    .bind(expired.id)
    .run();
  relayId = relay.id;
  const session = await signIn(admin.id);
  const over = await signIn(admin.id);
  await ask(over, 'DELETE', '/v1/session');
  Object.assign(agentIds, {
    'session of an agent': agent.id,
    'session of an admin': admin.id,
  } satisfies typeof agentIds);
  Object.assign(browsers, {
    'session of an agent': await signIn(agent.id),
    'session of an admin': session,
    'session of an admin without CSRF token': { ...session, csrfToken: '' },
    'session that is over': over,
  } satisfies typeof browsers);
  Object.assign(keys, {
    wrong: `rla_${'x'.repeat(43)}`,
    ADMIN_API_KEY: ADMIN_KEY,
    admin: admin.key,
    supervisor: supervisor.key,
    agent: agent.key,
    'program of the role agent': (await newProgram('agent')).key,
    'program of the role admin': (await newProgram('admin')).key,
    'revoked agent': revoked.key,
    'revoked program': program.key,
    'expired program': expired.key,
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

/** Signing out would be the end of it for the others. */
async function browserFor(route: string, credential: Credential): Promise<SignedIn | undefined> {
  const id = agentIds[credential];
  return route === 'DELETE /v1/session' && id !== undefined ? signIn(id) : browsers[credential];
}

async function statusOf(route: string, credential: Credential): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  const body = BODIES[route];
  const ids: Record<string, string> = {
    ':id':
      accessOf(route) === 'relay' ? relayId : /forwards|deliveries/.test(path) ? '999' : 'nope',
    ':numberId': unique('n'),
    ':promptId': 'nope',
    ':callId': 'nope',
    ':version': '0',
  };
  const query = path.endsWith('/permission') ? '?number_id=nope' : '?name=x';
  const key = keys[credential];
  const browser = await browserFor(route, credential);
  const response = await request(path.replaceAll(/:\w+/g, (name) => ids[name] ?? '') + query, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(browser ? { cookie: browser.cookie, 'x-csrf-token': browser.csrfToken } : {}),
      'content-type': typeof body === 'string' ? 'text/csv' : 'application/json',
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Nobody else is meant by `me`. */
const FOR_ONESELF = 'PUT /v1/agents/me/presence';
const OF_NOBODY: ReadonlySet<Credential> = new Set([
  'program of the role agent',
  'program of the role admin',
  'ADMIN_API_KEY',
]);

/** 403 is for those who are known and may not. */
function expectedOf(route: string, access: Access, credential: Credential): 'in' | 401 | 403 {
  if (access === 'anyone') return 'in';
  const role = roleOf(credential);
  if (access === 'agent' || access === 'supervisor' || access === 'admin') {
    if (!role) return 401;
    const isForeign =
      credential === 'session of an admin without CSRF token' && !route.startsWith('GET ');
    if (route === FOR_ONESELF && OF_NOBODY.has(credential)) return 403;
    if (FOR_PEOPLE.has(route) && credential === 'program of the role agent') return 403;
    const isEnough = ROLES.indexOf(role) >= ROLES.indexOf(access);
    return isEnough && !isForeign ? 'in' : 403;
  }
  if (access === 'relay' && credential === 'relay') return 'in';
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
    const access = accessOf(route);
    expect([route, needsKey]).toEqual([route, (ROLES as readonly string[]).includes(access)]);
  }
});

describe.each(Object.keys(ACCESS))('%s', (route) => {
  it.each(CREDENTIALS)('with the credential: %s', async (credential) => {
    const expected = expectedOf(route, accessOf(route), credential);
    const status = await statusOf(route, credential);
    const isIn = status !== 401 && status !== 403 && status < 500;
    expect(isIn ? 'in' : status).toBe(expected);
  });
});
