// Guesses at keys: few of them reach the database, and nobody is locked out for the guesses of others.
import { expect, it } from 'vitest';
import { createApp } from '../../worker/app.ts';
import type { NumberId } from '../../worker/domain/ids.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api } from './support.ts';

interface NewAgent {
  id: string;
  key: string;
}
const newAgent = async (): Promise<NewAgent> =>
  (await api<NewAgent>('POST', '/v1/agents', { name: 'Ana' })).body;

/** The app with a clock that stands still, and the look-ups of keys that reached the database. */
function guarded() {
  let nowMs = 1_790_000_000_000;
  const services = ownServices({}, { now: () => nowMs });
  const lookUps: string[] = [];
  const counting =
    <T>(name: string, lookUp: (value: string) => Promise<T>) =>
    (value: string) => {
      lookUps.push(name);
      return lookUp(value);
    };
  const { directory, rights, numbers } = services;
  const app = createApp({
    ...services,
    directory: {
      ...directory,
      findRelaySecretHash: counting('relay', (id) => directory.findRelaySecretHash(id)),
    },
    rights: { ...rights, byKey: counting('agent', (hash) => rights.byKey(hash)) },
    numbers: {
      ...numbers,
      findWebhookSecret: counting('number', (id) => numbers.findWebhookSecret(id as NumberId)),
    },
  });
  const ask = (path: string, key: string, source = '192.0.2.1', init: RequestInit = {}) =>
    app.request(path, {
      ...init,
      headers: { authorization: `Bearer ${key}`, 'cf-connecting-ip': source },
    });
  return { ask, lookUps, pass: (ms: number) => (nowMs += ms) };
}
const wrong = (i: number): string => `rla_${String(i).padStart(43, 'x')}`;
/** Where a key is looked up: of agents, of relays, of numbers. */
const doors = [
  (i: number) => ({ method: 'GET', path: '/v1/calls', key: wrong(i) }),
  (i: number) => ({ method: 'GET', path: `/v1/relays/r${i}/connect`, key: wrong(i) }),
  (i: number) => ({ method: 'POST', path: `/webhooks/360dialog/n${i}`, key: wrong(i) }),
];

it('guessing from one address reaches the database a hundred times, and then once in 5 s', async () => {
  const { ask, lookUps, pass } = guarded();
  const statuses: number[] = [];
  for (let i = 0; i < 50; i++) {
    for (const door of doors) {
      const { method, path, key } = door(i);
      statuses.push((await ask(path, key, '192.0.2.1', { method })).status);
    }
  }
  expect(new Set(lookUps)).toEqual(new Set(['agent', 'relay', 'number']));
  expect(lookUps).toHaveLength(100);
  expect(statuses.filter((status) => status === 401)).toHaveLength(100);
  expect(statuses.slice(100)).toEqual(Array.from({ length: 50 }, () => 429));
  const refused = await ask('/v1/calls', wrong(998));
  expect(refused.headers.get('retry-after')).toBe('5');
  pass(5_000);
  expect((await ask('/v1/calls', wrong(999))).status).toBe(401);
  expect(lookUps).toHaveLength(101);
  // Somebody else has nothing to do with it.
  expect((await ask('/v1/calls', wrong(997), '192.0.2.2')).status).toBe(401);
});

it('guessing from many addresses reaches it 500 times, and then 50 times a second', async () => {
  const { ask, lookUps, pass } = guarded();
  const from = (i: number) => `2001:db8:0:${i.toString(16)}::${i}`;
  for (let i = 0; i < 520; i++) await ask('/v1/calls', wrong(i), from(i));
  expect(lookUps).toHaveLength(500);
  pass(1_000);
  for (let i = 600; i < 700; i++) await ask('/v1/calls', wrong(i), from(i));
  expect(lookUps).toHaveLength(550);
});

it('guessing counts a whole IPv6 network of 64 bits as one address', async () => {
  const { ask, lookUps } = guarded();
  for (let i = 0; i < 120; i++) await ask('/v1/calls', wrong(i), `2001:db8::a:${i}`);
  expect(lookUps).toHaveLength(100);
});

it('guessing with the same wrong key reaches it once a minute, and nobody else waits for that', async () => {
  const { ask, lookUps, pass } = guarded();
  for (let i = 0; i < 300; i++) expect((await ask('/v1/calls', wrong(1))).status).toBe(401);
  expect(lookUps).toHaveLength(1);
  pass(60_000);
  await ask('/v1/calls', wrong(1));
  expect(lookUps).toHaveLength(2);
});

it('guessing locks nobody out who was in, and lets nobody stay who was revoked', async () => {
  const { ask } = guarded();
  const agent = await newAgent();
  expect((await ask('/v1/calls', agent.key)).status).toBe(200);
  expect((await ask('/v1/calls', ADMIN_KEY)).status).toBe(200);
  for (let i = 0; i < 120; i++) await ask('/v1/calls', wrong(i));
  expect((await ask('/v1/calls', wrong(500))).status).toBe(429);
  expect((await ask('/v1/calls', agent.key)).status).toBe(200);
  expect((await ask('/v1/calls', ADMIN_KEY)).status).toBe(200);
  await ownServices().directory.revokeAgent(agent.id, 1);
  expect((await ask('/v1/calls', agent.key)).status).toBe(401);
});

it('150 agents whose keys are right come in from one office', async () => {
  const { ask } = guarded();
  const agents = await Promise.all(Array.from({ length: 150 }, newAgent));
  const responses = [];
  for (const { key } of agents) responses.push((await ask('/v1/calls', key)).status);
  expect(new Set(responses)).toEqual(new Set([200]));
});

it('a key that is longer than any is not even looked at', async () => {
  const { ask, lookUps } = guarded();
  expect((await ask('/v1/calls', 'x'.repeat(513))).status).toBe(401);
  expect((await ask('/v1/relays/r1/connect', 'x'.repeat(513))).status).toBe(401);
  expect(lookUps).toEqual([]);
});
