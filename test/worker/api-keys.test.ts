// Keys of programs: what their role allows, until they expire or are revoked.
import { expect, it } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { openStream } from './browser.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, request, testEnv, until } from './support.ts';

interface NewKey {
  id: string;
  key: string;
}
const newKey = async (role: string, more: object = {}): Promise<NewKey> =>
  (await api<NewKey>('POST', '/v1/api-keys', { name: 'CRM', role, ...more })).body;
const statusWith = async (key: string, path = '/v1/calls'): Promise<number> =>
  (await api('GET', path, undefined, key)).status;

it('a program may do what its role may', async () => {
  const [agent, admin] = [await newKey('agent'), await newKey('admin')];
  expect(agent.key).toMatch(/^rlk_[\w-]{43}$/);
  expect(await statusWith(agent.key)).toBe(200);
  expect(await statusWith(agent.key, '/v1/numbers')).toBe(403);
  expect(await statusWith(admin.key, '/v1/numbers')).toBe(200);
});

it('a program is nobody: it takes no call, and what is for a person it is refused', async () => {
  const { key } = await newKey('agent');
  const { status, body } = await api<{ type: string }>('POST', '/v1/calls/x/claim', undefined, key);
  expect([status, body.type]).toEqual([403, 'urn:roomline:problem:forbidden']);
});

it('only admins make keys, so that none has more rights than who made it', async () => {
  const { key } = await newKey('supervisor');
  const made = await api('POST', '/v1/api-keys', { name: 'x', role: 'agent' }, key);
  expect(made.status).toBe(403);
});

it('is listed without the key, with its last use to the minute', async () => {
  const { id, key } = await newKey('agent');
  const find = async () => {
    const { body } = await api<{ data: { id: string; last_used_at: string | null }[] }>(
      'GET',
      '/v1/api-keys',
    );
    expect(JSON.stringify(body)).not.toContain(key);
    return body.data.find((item) => item.id === id);
  };
  expect(await find()).toMatchObject({ name: 'CRM', role: 'agent', last_used_at: null });
  await statusWith(key);
  await until('the use to be noted', async () => (await find())?.last_used_at);

  let writes = 0;
  let nowMs = Date.now() + 3600_000;
  const services = ownServices({}, { now: () => nowMs });
  const counted = {
    ...services,
    apiKeys: {
      ...services.apiKeys,
      noteUse: (...use: [string, number]) => {
        writes += 1;
        return services.apiKeys.noteUse(...use);
      },
    },
  };
  const app = createApp(counted);
  for (let i = 0; i < 5; i++) {
    await app.request('/v1/calls', { headers: { authorization: `Bearer ${key}` } });
    await services.settled();
  }
  expect(writes).toBe(1);
  nowMs += 60_000;
  await app.request('/v1/calls', { headers: { authorization: `Bearer ${key}` } });
  expect(writes).toBe(2);
});

it('is kept as a hash', async () => {
  const { id, key } = await newKey('agent');
  const row = await testEnv.DB.prepare('SELECT * FROM api_keys WHERE id = ?').bind(id).first();
  expect(row).toMatchObject({ id });
  expect(JSON.stringify(row)).not.toContain(key);
});

it('opens nothing from the moment on that it expires', async () => {
  const expiresAtMs = Date.now() + 3600_000;
  const { key } = await newKey('agent', { expires_at: new Date(expiresAtMs).toISOString() });
  const statusAt = async (nowMs: number) => {
    const app = createApp(ownServices({}, { now: () => nowMs }));
    const headers = { authorization: `Bearer ${key}` };
    return (await app.request('/v1/calls', { headers })).status;
  };
  expect(await statusAt(expiresAtMs - 1)).toBe(200);
  expect(await statusAt(expiresAtMs)).toBe(401);
  const past = { name: 'x', role: 'agent', expires_at: '2020-01-01T00:00:00Z' };
  expect((await api('POST', '/v1/api-keys', past)).status).toBe(400);
});

it('that is revoked opens nothing, and its event streams are closed; revoking is safe to repeat', async () => {
  const [revoked, other] = [await newKey('agent'), await newKey('agent')];
  const streams = await Promise.all(
    [revoked, other].map(({ key }) => openStream({ authorization: `Bearer ${key}` })),
  );
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const revoke = async (id: string) =>
    (await request(`/v1/api-keys/${id}`, { method: 'DELETE', headers })).status;
  expect(await revoke(revoked.id)).toBe(204);
  await until('the stream to close', () => streams[0]?.closed() === 1008);
  expect(streams[1]?.closed()).toBeNull();
  expect(await statusWith(revoked.key)).toBe(401);
  expect(await statusWith(other.key)).toBe(200);
  expect(await revoke(revoked.id)).toBe(204);
  expect(await revoke('nobody')).toBe(404);
});
