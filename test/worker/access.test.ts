// People who come through Cloudflare Access: its token names them, and nothing else does.
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { ORIGIN } from './browser.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, unique } from './support.ts';

const TEAM = 'example.cloudflareaccess.com';
const AUDIENCE = 'ab'.repeat(32);
let key: CryptoKey;
let isAway = false;

beforeAll(async () => {
  const pair = await generateKeyPair('RS256');
  key = pair.privateKey;
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'RS256' }];
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
    expect(String(input instanceof Request ? input.url : input)).toBe(
      `https://${TEAM}/cdn-cgi/access/certs`,
    );
    return isAway ? new Response(null, { status: 502 }) : Response.json({ keys });
  });
});
afterAll(() => vi.restoreAllMocks());

const app = () => createApp(ownServices({ ACCESS_TEAM_DOMAIN: TEAM, ACCESS_AUD: AUDIENCE }));
const tokenOf = (email: string, audience = AUDIENCE): Promise<string> =>
  new SignJWT({ email })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setIssuer(`https://${TEAM}`)
    .setAudience(audience)
    .setExpirationTime('1h')
    .sign(key);
const ask = async (
  at: ReturnType<typeof app>,
  token: string,
  method = 'GET',
  headers: Record<string, string> = {},
  path = '/v1/session',
) =>
  at.request(`${ORIGIN}${path}`, {
    method,
    headers: { 'cf-access-jwt-assertion': token, 'content-type': 'application/json', ...headers },
    ...(method === 'POST' ? { body: JSON.stringify({ phone: '+351910000010' }) } : {}),
  });

it('the address in the token names the person, whatever its capitals', async () => {
  const email = `${unique('ana')}@example.com`;
  const { body } = await api<{ id: string }>('POST', '/v1/agents', {
    name: 'Ana',
    email,
    role: 'supervisor',
  });
  const response = await ask(app(), await tokenOf(email.toUpperCase()));
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ agent: { id: body.id }, role: 'supervisor' });
});

it('whoever is no agent is told so', async () => {
  const response = await ask(app(), await tokenOf('stranger@example.com'));
  expect(response.status).toBe(403);
  expect(await response.json()).toMatchObject({
    detail: 'No agent has the e-mail address that you signed in with',
  });
});

it('a token for another application opens nothing, nor does any where none is expected', async () => {
  const email = `${unique('ana')}@example.com`;
  await api('POST', '/v1/agents', { name: 'Ana', email });
  expect((await ask(app(), await tokenOf(email, 'cd'.repeat(32)))).status).toBe(401);
  expect((await ask(createApp(ownServices()), await tokenOf(email))).status).toBe(401);
});

it('pages of others change nothing with it', async () => {
  const email = `${unique('ana')}@example.com`;
  await api('POST', '/v1/agents', { name: 'Ana', email });
  const at = app();
  const token = await tokenOf(email);
  const post = (headers: Record<string, string>) => ask(at, token, 'POST', headers, '/v1/contacts');
  expect((await post({})).status).toBe(403);
  expect((await post({ origin: 'https://evil.example' })).status).toBe(403);
  const session = await ask(at, token);
  const { csrf_token: csrfToken } = await session.json<{ csrf_token: string }>();
  expect((await post({ 'x-csrf-token': csrfToken, origin: ORIGIN })).status).toBe(201);
});

it('while the keys of Access cannot be read nobody gets in with it, and keys still do', async () => {
  isAway = true;
  const at = app();
  const response = await ask(at, await tokenOf('ana@example.com'));
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  expect((await ask(at, 'nonsense', 'GET', headers)).status).toBe(200);
  isAway = false;
});
