import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  configOfProcess,
  describeConfig,
  environment,
  parseConfig,
} from '../../../relay/config.ts';

const env = (change: Record<string, string | undefined> = {}) => ({
  ROOMLINE_URL: 'https://calls.example',
  RELAY_ID: 'relay-1',
  RELAY_SECRET: 'a-very-secret-secret',
  ...change,
});

it('needs three variables and has a default for everything else', () => {
  const result = parseConfig(env());
  expect(result).toMatchObject({
    ok: true,
    config: {
      RELAY_UDP_PORTS: { first: 40_000, last: 40_999 },
      RELAY_CAPACITY: 50,
      LOG_LEVEL: 'info',
    },
  });
});

it('names every problem at once and never a value', () => {
  const result = parseConfig({
    ROOMLINE_URL: 'ftp://secret-value',
    RELAY_UDP_PORTS: '9-secret-value',
    RELAY_BIND_ADDRESS: 'secret-value',
    RELAY_CAPACITY: '-5',
    LOG_LEVEL: 'secret-value',
  });
  if (result.ok) throw new Error('accepted');
  expect(result.problems.map((problem) => problem.split(':')[0])).toEqual([
    'ROOMLINE_URL',
    'RELAY_ID',
    'RELAY_SECRET',
    'RELAY_UDP_PORTS',
    'RELAY_BIND_ADDRESS',
    'RELAY_CAPACITY',
    'LOG_LEVEL',
  ]);
  expect(result.problems.join('\n')).not.toContain('secret-value');
  expect(result.problems[1]).toBe('RELAY_ID: is required');
});

it('takes an empty variable for an absent one', () => {
  expect(parseConfig(env({ RELAY_LIVEKIT_URL: '', RELAY_SECRET: '' }))).toMatchObject({
    ok: false,
    problems: ['RELAY_SECRET: is required'],
  });
});

it('wants a port for every call', () => {
  expect(parseConfig(env({ RELAY_UDP_PORTS: '40000-40009', RELAY_CAPACITY: '11' }))).toMatchObject({
    ok: false,
  });
  expect(parseConfig(env({ RELAY_UDP_PORTS: '40000-40010', RELAY_CAPACITY: '11' }))).toMatchObject({
    ok: true,
  });
});

it('shows what is in force with secrets masked', () => {
  const result = parseConfig(env());
  if (!result.ok) throw new Error('refused');
  const lines = describeConfig(result.config);
  expect(lines).toContain('RELAY_UDP_PORTS=40000-40999');
  expect(lines).toContain('RELAY_SECRET=********');
  expect(lines.join('\n')).not.toContain('a-very-secret-secret');
});

it('is listed whole in the example file, whose defaults are the real ones', () => {
  const text = readFileSync(new URL('../../../relay/.env.example', import.meta.url), 'utf8');
  const listed = Object.fromEntries(
    text
      .split('\n')
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  expect(Object.keys(listed)).toEqual(Object.keys(environment.shape));
  const given = parseConfig({ ...listed, ...env() });
  const bare = parseConfig(env());
  expect(given).toEqual(bare);
});

it('gives each of several processes an id and ports of its own', () => {
  const result = parseConfig(
    env({ RELAY_UDP_PORTS: '40000-40099', RELAY_CAPACITY: '33', RELAY_HTTP_PORT: '8080' }),
    3,
  );
  if (!result.ok) throw new Error('refused');
  const own = [1, 2, 3].map((number) => configOfProcess(result.config, number, 3));
  expect(own.map(({ RELAY_ID }) => RELAY_ID)).toEqual(['relay-1.1', 'relay-1.2', 'relay-1.3']);
  expect(own.map(({ RELAY_UDP_PORTS }) => RELAY_UDP_PORTS)).toEqual([
    { first: 40_000, last: 40_032 },
    { first: 40_033, last: 40_065 },
    { first: 40_066, last: 40_098 },
  ]);
  expect(own.map(({ RELAY_HTTP_PORT }) => RELAY_HTTP_PORT)).toEqual(Array(3).fill(undefined));
  expect(own[0]).toMatchObject({ RELAY_CAPACITY: 33, RELAY_SECRET: 'a-very-secret-secret' });
});

it('wants a port for every call of every process', () => {
  expect(
    parseConfig(env({ RELAY_UDP_PORTS: '40000-40099', RELAY_CAPACITY: '34' }), 3),
  ).toMatchObject({
    ok: false,
    problems: [expect.stringMatching(/^RELAY_UDP_PORTS: .*3 processes/)],
  });
});
