// Tokens of Cloudflare Access against keys that a server on loopback publishes.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  generateKeyPair,
  SignJWT,
  UnsecuredJWT,
  type CryptoKey,
  type JWTPayload,
} from 'jose';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createAccessTokens, openAccess } from '../../../../worker/adapters/access-tokens.ts';
import type { Config } from '../../../../worker/config.ts';

const AUDIENCE = 'ab'.repeat(32);
const NOW_MS = Date.UTC(2026, 10, 23, 10);
const NOW_S = NOW_MS / 1000;

let server: Server;
let issuer = '';
/** Addresses that were asked for, and what is answered. */
let asked: string[] = [];
let status = 200;
let ours: CryptoKey;
let theirs: CryptoKey;

beforeAll(async () => {
  const [own, foreign] = [await generateKeyPair('RS256'), await generateKeyPair('RS256')];
  [ours, theirs] = [own.privateKey, foreign.privateKey];
  const keys = [{ ...(await exportJWK(own.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }];
  server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked = [];
  status = 200;
});

const good = (): JWTPayload => ({
  iss: issuer,
  aud: [AUDIENCE],
  iat: NOW_S - 60,
  nbf: NOW_S - 60,
  exp: NOW_S + 3600,
  sub: '7335d417-61da-459d-899c-0a01c76a2f94',
  email: 'Ana@Example.com',
});
const signed = (
  payload: JWTPayload,
  {
    key = ours,
    kid = 'k1',
    alg = 'RS256',
  }: { key?: CryptoKey | Uint8Array; kid?: string; alg?: string } = {},
): Promise<string> => new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key);
const without = (claim: string): JWTPayload =>
  Object.fromEntries(Object.entries(good()).filter(([name]) => name !== claim));
const tokens = () => createAccessTokens(issuer, AUDIENCE, () => NOW_MS);

it('a token says who signed in, and until when', async () => {
  expect(await tokens().verify(await signed(good()))).toEqual({
    email: 'ana@example.com',
    expiresAtMs: NOW_MS + 3600_000,
  });
  expect(asked).toEqual(['/cdn-cgi/access/certs']);
});

it('the keys are asked for once, however many tokens there are', async () => {
  const access = tokens();
  for (let i = 0; i < 5; i++) await access.verify(await signed(good()));
  expect(asked).toHaveLength(1);
});

it.each<[what: string, token: () => Promise<string> | string]>([
  ['forged with a key of somebody else', () => signed(good(), { key: theirs })],
  ['of a key that is not published', () => signed(good(), { kid: 'k2', key: theirs })],
  ['that has expired', () => signed({ ...good(), exp: NOW_S - 1 })],
  ['that never expires', () => signed(without('exp'))],
  ['that does not hold yet', () => signed({ ...good(), nbf: NOW_S + 60 })],
  ['for another application', () => signed({ ...good(), aud: ['cd'.repeat(32)] })],
  ['for no application', () => signed(without('aud'))],
  ['of another team', () => signed({ ...good(), iss: 'https://other.cloudflareaccess.com' })],
  ['that nobody signed', () => new UnsecuredJWT(good()).encode()],
  [
    'signed with the published key as a shared secret',
    () => signed(good(), { alg: 'HS256', key: new TextEncoder().encode('k1'.repeat(32)) }),
  ],
  ['that is no token', () => 'nonsense'],
  ['that is empty', () => ''],
])('a token %s says nothing', async (_what, token) => {
  expect(await tokens().verify(await token())).toBe('invalid');
});

it('a token whose payload was changed says nothing', async () => {
  const [head, , signature] = (await signed(good())).split('.');
  const payload = btoa(JSON.stringify({ ...good(), email: 'boss@example.com' })).replaceAll(
    '=',
    '',
  );
  expect(await tokens().verify(`${head}.${payload}.${signature}`)).toBe('invalid');
});

it('a token of a program is nobody', async () => {
  const token = await signed({ ...good(), email: undefined, common_name: 'crm.access' });
  expect(await tokens().verify(token)).toBe('nobody');
});

it('while the keys cannot be read nobody knows', async () => {
  status = 503;
  const access = tokens();
  const token = await signed(good());
  expect(await access.verify(token)).toBe('unknown');
  status = 200;
  expect(await access.verify(token)).toMatchObject({ email: 'ana@example.com' });
});

it('is there when it is configured', () => {
  const config = { ACCESS_TEAM_DOMAIN: '', ACCESS_AUD: '' } as Config;
  expect(openAccess(config, () => NOW_MS)).toBeNull();
  const team = 'example.cloudflareaccess.com';
  expect(openAccess({ ...config, ACCESS_TEAM_DOMAIN: team }, () => NOW_MS)).not.toBeNull();
});
