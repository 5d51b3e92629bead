// People who sign in with an invitation: it works once, the session ends, and no page of somebody else can use it.
import { expect, it, describe } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { SESSION_IDLE_MS, SESSION_MS } from '../../worker/domain/session.ts';
import {
  ask,
  cookieOf,
  invite,
  openStream,
  ORIGIN,
  signIn,
  useInvitation,
  type SignedIn,
} from './browser.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, request, testEnv, unique, until } from './support.ts';

interface NewAgent {
  id: string;
  key: string;
}
const newAgent = async (fields: object = {}): Promise<NewAgent> =>
  (await api<NewAgent>('POST', '/v1/agents', { name: 'Ana', ...fields })).body;
const problemOf = async (response: Response): Promise<string> =>
  (await response.json<{ type: string }>()).type.replace('urn:roomline:problem:', '');

describe('an invitation', () => {
  it('signs in once', async () => {
    const agent = await newAgent({ role: 'supervisor' });
    const invitation = await invite(agent.id);
    const first = await useInvitation(invitation);
    expect(first.status).toBe(200);
    expect(await first.json()).toMatchObject({
      agent: { id: agent.id, name: 'Ana' },
      role: 'supervisor',
      teams: null,
    });
    const again = await useInvitation(invitation);
    expect([again.status, cookieOf(again)]).toEqual([401, '']);
  });

  it('of several at once signs one in', async () => {
    const invitation = await invite((await newAgent()).id);
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await useInvitation(invitation)).status),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 401)).toHaveLength(4);
  });

  it('works no more once a newer one was made', async () => {
    const agent = await newAgent();
    const [older, newer] = [await invite(agent.id), await invite(agent.id)];
    expect((await useInvitation(older)).status).toBe(401);
    expect((await useInvitation(newer)).status).toBe(200);
  });

  it('works for 72 h, on the address that made it', async () => {
    const agent = await newAgent();
    const { status, body } = await api<{ url: string; expires_at: string }>(
      'POST',
      `/v1/agents/${agent.id}/invitation`,
    );
    expect(status).toBe(201);
    expect(body.url).toMatch(/^https:\/\/roomline\.test\/\?invitation=rli_[\w-]{43}$/);
    const overMs = Date.parse(body.expires_at);
    expect(Math.round((overMs - Date.now()) / 3600_000)).toBe(72);
    const app = createApp(ownServices({}, { now: () => overMs }));
    const response = await app.request('/v1/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ invitation: new URL(body.url).searchParams.get('invitation') }),
    });
    expect(response.status).toBe(401);
  });

  it('of somebody who was removed, or is not there, is none', async () => {
    const agent = await newAgent();
    const invitation = await invite(agent.id);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    await request(`/v1/agents/${agent.id}`, { method: 'DELETE', headers });
    expect((await useInvitation(invitation)).status).toBe(401);
    expect((await api('POST', `/v1/agents/${agent.id}/invitation`)).status).toBe(404);
  });

  it('and sessions are kept as hashes', async () => {
    const agent = await newAgent();
    const invitation = await invite(agent.id);
    const { cookie } = await signIn(agent.id);
    for (const table of ['invitations', 'sessions']) {
      const { results } = await testEnv.DB.prepare(`SELECT * FROM ${table}`).all();
      expect(results.length).toBeGreaterThan(0);
      expect(JSON.stringify(results)).not.toContain(invitation);
      expect(JSON.stringify(results)).not.toContain(cookie.split('=')[1]);
    }
  });
});

describe('a session', () => {
  it('tells who it is of; its cookie is for this host and its own pages', async () => {
    const agent = await newAgent();
    const response = await useInvitation(await invite(agent.id));
    const [cookie = ''] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^__Host-roomline_session=rls_[\w-]{43}; /);
    expect(cookie.split('; ').slice(1).toSorted()).toEqual([
      'HttpOnly',
      `Max-Age=${SESSION_MS / 1000}`,
      'Path=/',
      'SameSite=Strict',
      'Secure',
    ]);
    const { csrf_token: csrfToken } = await response.json<{ csrf_token: string }>();
    const shown = await ask({ cookie: cookieOf(response), csrfToken }, 'GET', '/v1/session');
    expect(await shown.json()).toMatchObject({ agent: { id: agent.id }, csrf_token: csrfToken });
  });

  it('needs no https on this machine, where its cookie has no prefix', async () => {
    const agent = await newAgent();
    const app = createApp(ownServices());
    const response = await app.request('http://127.0.0.1:8787/v1/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://127.0.0.1:8787' },
      body: JSON.stringify({ invitation: await invite(agent.id) }),
    });
    const [cookie = ''] = response.headers.getSetCookie();
    expect(cookie).toMatch(/^roomline_session=/);
    expect(cookie).not.toContain('Secure');
    const headers = { cookie: cookieOf(response) };
    const shown = await app.request('http://127.0.0.1:8787/v1/session', { headers });
    expect(shown.status).toBe(200);
  });

  it('is over after 12 h without a request, and after 7 days in any case', async () => {
    const { cookie } = await signIn((await newAgent()).id);
    let nowMs = Date.now();
    const endMs = nowMs + SESSION_MS;
    const services = ownServices({}, { now: () => nowMs });
    const app = createApp(services);
    const status = async () => {
      const response = await app.request(`${ORIGIN}/v1/session`, { headers: { cookie } });
      await services.settled();
      return response.status;
    };
    for (; nowMs < endMs - SESSION_IDLE_MS; nowMs += SESSION_IDLE_MS - 60_000) {
      expect(await status()).toBe(200);
    }
    nowMs = endMs + 1;
    expect(await status()).toBe(401);

    const { cookie: other } = await signIn((await newAgent()).id);
    nowMs = Date.now() + SESSION_IDLE_MS + 1;
    const headers = { cookie: other };
    expect((await app.request(`${ORIGIN}/v1/session`, { headers })).status).toBe(401);
  });

  it('ends with signing out: the cookie opens nothing, and its event streams are closed', async () => {
    const agent = await newAgent();
    const [one, other] = [await signIn(agent.id), await signIn(agent.id)];
    const streamOf = (browser: SignedIn) => openStream({ cookie: browser.cookie, origin: ORIGIN });
    const streams = [await streamOf(one), await streamOf(other)];
    expect(streams.map(({ status }) => status)).toEqual([101, 101]);
    const response = await ask(one, 'DELETE', '/v1/session');
    expect(response.status).toBe(204);
    expect(response.headers.getSetCookie()[0]).toMatch(/^__Host-roomline_session=; Max-Age=0/);
    await until('the stream to close', () => streams[0]?.closed() === 1008);
    expect(streams[1]?.closed()).toBeNull();
    expect((await ask(one, 'GET', '/v1/calls')).status).toBe(401);
    expect((await ask(other, 'GET', '/v1/calls')).status).toBe(200);
  });

  it('ends when the agent is removed, and follows their role', async () => {
    const agent = await newAgent();
    const browser = await signIn(agent.id);
    expect((await ask(browser, 'GET', '/v1/numbers')).status).toBe(403);
    const change = await api('PATCH', `/v1/agents/${agent.id}`, { role: 'admin' });
    expect(change.status).toBe(200);
    expect((await ask(browser, 'GET', '/v1/numbers')).status).toBe(200);
    const stream = await openStream({ cookie: browser.cookie, origin: ORIGIN });
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    await request(`/v1/agents/${agent.id}`, { method: 'DELETE', headers });
    await until('the stream to close', () => stream.closed() === 1008);
    expect((await ask(browser, 'GET', '/v1/calls')).status).toBe(401);
  });
});

describe('a page of somebody else', () => {
  it.each<[what: string, change: Record<string, string>]>([
    ['without the token', { 'x-csrf-token': '' }],
    ['with the token of another session', { 'x-csrf-token': 'f'.repeat(64) }],
    ['with the origin of another page', { origin: 'https://evil.example' }],
    ['with no origin that is known', { origin: 'null' }],
    ['of the same name without encryption', { origin: 'http://roomline.test' }],
  ])('changes nothing: %s', async (_what, change) => {
    const agent = await newAgent({ role: 'admin' });
    const { cookie, csrfToken } = await signIn(agent.id);
    const name = unique('CRM ');
    const response = await request('/v1/api-keys', {
      method: 'POST',
      headers: {
        cookie,
        origin: ORIGIN,
        'x-csrf-token': csrfToken,
        'content-type': 'application/json',
        ...change,
      },
      body: JSON.stringify({ name, role: 'admin' }),
    });
    expect([response.status, await problemOf(response)]).toEqual([403, 'foreign-page']);
    const { body } = await api<{ data: { name: string }[] }>('GET', '/v1/api-keys');
    expect(body.data.map((key) => key.name)).not.toContain(name);
  });

  it('opens no event stream with the cookie, and neither does whoever names no page', async () => {
    const { cookie } = await signIn((await newAgent()).id);
    expect((await openStream({ cookie })).status).toBe(403);
    expect((await openStream({ cookie, origin: 'https://evil.example' })).status).toBe(403);
    expect((await openStream({ cookie, origin: ORIGIN })).status).toBe(101);
  });

  it('signs nobody in', async () => {
    const invitation = await invite((await newAgent()).id);
    const foreign = await useInvitation(invitation, { origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
    expect((await useInvitation(invitation, { origin: ORIGIN })).status).toBe(200);
  });

  it('may not read what a cookie opened: no credentials are allowed across origins', async () => {
    const { cookie } = await signIn((await newAgent()).id);
    const origin = 'https://evil.example';
    const preflight = await request('/v1/session', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'x-csrf-token',
      },
    });
    const answers = [preflight, await request('/v1/session', { headers: { cookie, origin } })];
    for (const { headers } of answers) {
      // Spec: Fetch standard, CORS check: with credentials neither `*` nor a missing `true` will do.
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  it('with a key of its own is let in as before, whatever cookie comes along', async () => {
    const agent = await newAgent();
    const { cookie } = await signIn((await newAgent({ role: 'admin' })).id);
    const headers = {
      cookie,
      origin: 'https://crm.example',
      authorization: `Bearer ${agent.key}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ phone: '+351910000009' });
    expect((await request('/v1/contacts', { method: 'POST', headers, body })).status).toBe(201);
    expect((await request('/v1/numbers', { headers })).status).toBe(403);
    const wrong = { ...headers, authorization: 'Bearer nobody' };
    expect((await request('/v1/session', { headers: wrong })).status).toBe(401);
  });
});

describe('people', () => {
  it('have a role and an e-mail address, which nobody else has', async () => {
    const email = `${unique('Ana')}@Example.com`;
    const created = await api<NewAgent>('POST', '/v1/agents', { name: 'Ana', email });
    expect(created).toMatchObject({
      status: 201,
      body: { role: 'agent', email: email.toLowerCase() },
    });
    const again = await api('POST', '/v1/agents', { name: 'Rui', email: email.toUpperCase() });
    expect(again.status).toBe(409);
    const other = await newAgent();
    expect((await api('PATCH', `/v1/agents/${other.id}`, { email })).status).toBe(409);
    const kept = await api('PATCH', `/v1/agents/${created.body.id}`, { email, name: 'Ana Lima' });
    expect(kept.body).toMatchObject({ name: 'Ana Lima', role: 'agent' });
    expect((await api('PATCH', '/v1/agents/nobody', { name: 'X' })).status).toBe(404);
    // Whoever was removed may come back.
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    await request(`/v1/agents/${created.body.id}`, { method: 'DELETE', headers });
    expect((await api('PATCH', `/v1/agents/${other.id}`, { email })).status).toBe(200);
  });

  it('are changed by nothing that is not known', async () => {
    const { id } = await newAgent();
    for (const body of [{ role: 'root' }, { email: 'no address' }, { admin: true }, { name: '' }]) {
      expect((await api('PATCH', `/v1/agents/${id}`, body)).status).toBe(400);
    }
  });
});
