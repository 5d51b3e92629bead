import { expect, it } from 'vitest';
import { ConfigError, isSafeUrl, parseConfig } from '../../../worker/config.ts';

const good = {
  META_APP_SECRET: 'a, b',
  META_VERIFY_TOKEN: 'v',
  ADMIN_API_KEY: '0123456789abcdef',
  TOKEN_ENCRYPTION_KEYS: `k2:${btoa('x'.repeat(32))},k1:${btoa('y'.repeat(32))}`,
  LIVEKIT_URL: 'wss://livekit.example.com',
  LIVEKIT_API_KEY: 'k',
  LIVEKIT_API_SECRET: 's',
};

const problemsOf = (env: Record<string, unknown>): string => {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
};

it('reads a complete configuration', () => {
  const config = parseConfig(good);
  expect(config.META_APP_SECRET).toEqual(['a', 'b']);
  expect(config.TOKEN_ENCRYPTION_KEYS.map(({ id }) => id)).toEqual(['k2', 'k1']);
});

it('names every variable that is missing, all at once', () => {
  const problems = problemsOf({});
  for (const name of Object.keys(good)) expect(problems).toContain(`${name} is not set`);
});

it.each([
  ['ADMIN_API_KEY', 'short-secret'],
  ['ADMIN_API_KEY', 'a secret of several words'],
  // Anybody can sign with an empty secret.
  ['META_APP_SECRET', 'new-secret,'],
  ['META_APP_SECRET', ' , '],
  ['TOKEN_ENCRYPTION_KEYS', 'k1:dG9vIHNob3J0'],
  ['TOKEN_ENCRYPTION_KEYS', 'no-colon'],
  ['RELAY_SECRETS', 'relay-1=not-a-hash'],
  ['LIVEKIT_URL', 'livekit.example.com'],
  ['GRAPH_VERSION', 'twenty-five'],
  ['DEFAULT_FORWARD_URL', 'http://inbox.example.com'],
  ['ACCESS_TEAM_DOMAIN', 'https://team.example.com'],
  ['ACCESS_AUD', 'no tag'],
  ['ALLOW_LOOPBACK', 'certainly'],
])('names a malformed %s and never shows its value', (name, value) => {
  const problems = problemsOf({ ...good, [name]: value });
  expect(problems).toContain(name);
  expect(problems).not.toContain(value);
});

it('takes an empty address for none', () => {
  expect(parseConfig({ ...good, DEFAULT_FORWARD_URL: '' }).DEFAULT_FORWARD_URL).toBeNull();
});

it('lets endpoints be on this machine only where LiveKit is, too', () => {
  const allowed = { ...good, ALLOW_LOOPBACK: '1' };
  for (const url of ['ws://127.0.0.1:7880', 'http://localhost:7880', 'ws://[::1]:7880']) {
    expect(parseConfig({ ...allowed, LIVEKIT_URL: url }).ALLOW_LOOPBACK).toBe(true);
  }
  expect(problemsOf(allowed)).toContain('ALLOW_LOOPBACK: expected 0 unless LIVEKIT_URL');
  expect(problemsOf({ ...allowed, LIVEKIT_URL: 'wss://127.example.com' })).toContain('LOOPBACK');
  for (const value of [undefined, '', '0']) {
    expect(parseConfig({ ...good, ALLOW_LOOPBACK: value }).ALLOW_LOOPBACK).toBe(false);
  }
});

it.each([
  ['https://example.com/hook', true],
  ['http://127.0.0.1:8790', true],
  ['http://[::1]:1/', true],
  ['http://localhost', true],
  ['http://example.com', false],
  ['http://127.example.com', false],
  ['http://localhost.example.com', false],
  ['ftp://localhost', false],
  ['example.com', false],
])('sends data to %s: %s', (url, expected) => {
  expect(isSafeUrl(url)).toBe(expected);
});

it('takes the Access application as a whole', () => {
  const [team, tag] = [{ ACCESS_TEAM_DOMAIN: 'a.cloudflareaccess.com' }, { ACCESS_AUD: 'ab' }];
  expect(problemsOf({ ...good, ...team })).toContain('ACCESS_AUD');
  expect(problemsOf({ ...good, ...tag })).toContain('ACCESS_AUD');
  expect(problemsOf({ ...good, ...team, ...tag })).toBe('');
});
