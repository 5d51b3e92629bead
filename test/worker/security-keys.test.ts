// Keys and secrets that are changed or revoked: they open nothing any more, and nothing stays open with them.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PING, PONG } from '../../relay/protocol.ts';
import { createApp } from '../../worker/app.ts';
import type { CallView } from '../../worker/call-view.ts';
import type { Services } from '../../worker/services.ts';
import { ownServices } from './own-services.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  FakeRelay,
  Outside,
  postWebhook,
  request,
  testEnv,
  unique,
  until,
} from './support.ts';

beforeAll(() => void Outside.open());
afterAll(() => vi.restoreAllMocks());

interface NewAgent {
  id: string;
  key: string;
}
const newAgent = async (): Promise<NewAgent> =>
  (await api<NewAgent>('POST', '/v1/agents', { name: 'Ana' })).body;
const statusWith = async (key: string): Promise<number> =>
  (await api('GET', '/v1/calls', undefined, key)).status;
const send = async (method: string, path: string): Promise<number> =>
  (await request(path, { method, headers: { authorization: `Bearer ${ADMIN_KEY}` } })).status;

const connectAs = (path: string, key: string): Promise<Response> =>
  request(path, { headers: { upgrade: 'websocket', authorization: `Bearer ${key}` } });

/** An open connection, and the code with which the other side closed it. It does not close in reply, as an attacker would not. */
async function open(path: string, key: string) {
  const { webSocket, status } = await connectAs(path, key);
  if (!webSocket) throw new Error(`no WebSocket: ${status}`);
  const frames: { type: string }[] = [];
  let code: number | null = null;
  webSocket.addEventListener('close', (event) => {
    code = event.code;
  });
  webSocket.addEventListener('message', ({ data }) => {
    if (data !== PONG) frames.push(JSON.parse(String(data)) as { type: string });
  });
  webSocket.accept({ allowHalfOpen: true });
  return { socket: webSocket, frames, code: () => code };
}

describe('an agent', () => {
  it('gets another key: the one before opens nothing, and its event streams are closed', async () => {
    const [agent, other] = [await newAgent(), await newAgent()];
    const streams = await Promise.all([
      open('/v1/events', agent.key),
      open('/v1/events', other.key),
      open('/v1/events', ADMIN_KEY),
    ]);
    const { body } = await api<NewAgent>('POST', `/v1/agents/${agent.id}/key`);
    expect(body.key).toMatch(/^rla_[\w-]{43}$/);
    await until('the stream to close', () => streams[0].code() === 1008);
    expect([streams[1].code(), streams[2].code()]).toEqual([null, null]);
    expect(await statusWith(agent.key)).toBe(401);
    expect((await connectAs('/v1/events', agent.key)).status).toBe(401);
    expect(await statusWith(body.key)).toBe(200);
    expect(await statusWith(other.key)).toBe(200);
  });

  it('is removed: no key, no event stream, no calls, on no list; removing is safe to repeat', async () => {
    const agent = await newAgent();
    const stream = await open('/v1/events', agent.key);
    expect(await send('DELETE', `/v1/agents/${agent.id}`)).toBe(204);
    await until('the stream to close', () => stream.code() === 1008);
    expect(await statusWith(agent.key)).toBe(401);
    const { body } = await api<{ data: { id: string }[] }>('GET', '/v1/agents');
    expect(body.data.map(({ id }) => id)).not.toContain(agent.id);
    expect((await api('POST', `/v1/calls/x/claim?agent_id=${agent.id}`)).status).toBe(400);
    expect(await send('POST', `/v1/agents/${agent.id}/key`)).toBe(404);
    expect(await send('DELETE', `/v1/agents/${agent.id}`)).toBe(204);
    expect(await send('DELETE', '/v1/agents/nobody')).toBe(404);
  });

  it('who is removed stays on the record of the calls that they had', async () => {
    const phoneNumberId = unique('77');
    await api('POST', '/v1/numbers', {
      provider: 'meta',
      phone_number_id: phoneNumberId,
      display_phone_number: '15550109999',
      access_token: 'token',
    });
    await postWebhook(connectWebhook({ id: unique('wacid.'), phoneNumberId }));
    const { body } = await api<{ data: CallView[] }>('GET', '/v1/calls?limit=1');
    const agent = await newAgent();
    const id = body.data[0]?.id;
    await testEnv.DB.prepare('UPDATE calls SET claimed_by = ? WHERE id = ?')
      .bind(agent.id, id)
      .run();
    expect(await send('DELETE', `/v1/agents/${agent.id}`)).toBe(204);
    const row = await testEnv.DB.prepare('SELECT claimed_by FROM calls WHERE id = ?')
      .bind(id)
      .first();
    expect(row).toEqual({ claimed_by: agent.id });
  });
});

describe('a relay', () => {
  const path = ({ id }: { id: string }) => `/v1/relays/${id}/connect`;
  const hello = (id: string, instance: string) =>
    JSON.stringify({
      type: 'hello',
      relay_id: id,
      instance,
      protocol: 4,
      capacity: 5,
      draining: false,
      calls: [],
    });
  const isConnected = async (id: string): Promise<boolean | undefined> => {
    const { body } = await api<{ data: { id: string; is_connected: boolean }[] }>(
      'GET',
      '/v1/relays',
    );
    return body.data.find((relay) => relay.id === id)?.is_connected;
  };

  it('gets another secret: the one before opens nothing, and its connection is closed', async () => {
    const [relay, other] = [await FakeRelay.register(), await FakeRelay.register()];
    const [link, otherLink] = [
      await open(path(relay), relay.secret),
      await open(path(other), other.secret),
    ];
    const { body } = await api<{ secret: string }>('POST', `/v1/relays/${relay.id}/secret`);
    await until('the connection to close', () => link.code() === 1008);
    expect(otherLink.code()).toBeNull();
    expect((await connectAs(path(relay), relay.secret)).status).toBe(401);
    const again = await FakeRelay.connect({ id: relay.id, secret: body.secret });
    expect(await isConnected(relay.id)).toBe(true);
    again.close();
  });

  it('that is removed and does not close its end is not listened to any more', async () => {
    const relay = await FakeRelay.register();
    const link = await open(path(relay), relay.secret);
    link.socket.send(hello(relay.id, 'i1'));
    await until('the welcome', () => link.frames.some(({ type }) => type === 'welcome'));
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(await send('DELETE', `/v1/relays/${relay.id}`)).toBe(204);
    await until('the connection to close', () => link.code() === 1008);
    link.socket.send(hello(relay.id, 'i2'));
    link.socket.send('not a frame');
    // Frames of one socket come in order, and this one comes through the same object.
    const next = await FakeRelay.connect(await FakeRelay.register());
    expect(link.frames.map(({ type }) => type)).toEqual(['welcome']);
    expect(logged).not.toHaveBeenCalled();
    logged.mockRestore();
    next.close();
  });

  it('that is removed is on no list, and its id is free again for a new secret', async () => {
    const relay = await FakeRelay.register();
    expect(await send('DELETE', `/v1/relays/${relay.id}`)).toBe(204);
    expect((await connectAs(path(relay), relay.secret)).status).toBe(401);
    expect(await isConnected(relay.id)).toBeUndefined();
    expect(await send('POST', `/v1/relays/${relay.id}/secret`)).toBe(404);
    expect(await send('DELETE', `/v1/relays/${relay.id}`)).toBe(204);
    expect(await send('DELETE', '/v1/relays/nobody')).toBe(404);
    const { status, body } = await api<{ secret: string }>('POST', '/v1/relays', { id: relay.id });
    expect(status).toBe(201);
    expect((await connectAs(path(relay), relay.secret)).status).toBe(401);
    expect((await connectAs(path(relay), body.secret)).status).toBe(101);
  });

  it('of RELAY_SECRETS is changed there and nowhere else', async () => {
    const app = createApp(ownServices({ RELAY_SECRETS: `preset=${'ab'.repeat(32)}` }));
    for (const [method, route] of [
      ['POST', '/v1/relays'],
      ['POST', '/v1/relays/preset/secret'],
      ['DELETE', '/v1/relays/preset'],
    ] as const) {
      const response = await app.request(route, {
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        ...(route === '/v1/relays' ? { body: '{"id":"preset"}' } : {}),
      });
      expect(response.status).toBe(409);
    }
    const row = await testEnv.DB.prepare("SELECT id FROM relays WHERE id = 'preset'").first();
    expect(row).toBeNull();
  });
});

describe('a key that is revoked between its check and the connection', () => {
  /** Revokes when the connection is already on its way to the Switchboard. */
  const revokingOnTheWay = (revoke: (services: Services) => Promise<unknown>) => {
    const services = ownServices();
    const real = services.switchboard;
    const app = createApp({
      ...services,
      switchboard: () => {
        const stub = real();
        return new Proxy(stub, {
          get: (target, name) =>
            name === 'fetch'
              ? async (passed: Request) => {
                  await revoke(services);
                  return target.fetch(passed);
                }
              : // A stub makes a method of every name.
                (...args: never[]) =>
                  (target as unknown as Record<PropertyKey, (...a: never[]) => unknown>)[name]?.(
                    ...args,
                  ),
        });
      },
    });
    return async (path: string, key: string) => {
      const headers = { upgrade: 'websocket', authorization: `Bearer ${key}` };
      const { webSocket } = await app.request(path, { headers });
      if (!webSocket) throw new Error('no WebSocket');
      return new Promise<number>((resolve) => {
        webSocket.addEventListener('close', ({ code }) => resolve(code));
        webSocket.accept();
      });
    };
  };

  it('leaves no event stream open', async () => {
    const agent = await newAgent();
    const closing = revokingOnTheWay(({ directory }) => directory.revokeAgent(agent.id, 1));
    expect(await closing('/v1/events', agent.key)).toBe(1008);
  });

  it('leaves no relay connected', async () => {
    const relay = await FakeRelay.register();
    const closing = revokingOnTheWay(({ directory }) => directory.revokeRelay(relay.id, 1));
    expect(await closing(`/v1/relays/${relay.id}/connect`, relay.secret)).toBe(1008);
  });
});

it('a subscriber of events who says anything is cut off', async () => {
  const [loud, quiet] = [await open('/v1/events', ADMIN_KEY), await open('/v1/events', ADMIN_KEY)];
  quiet.socket.send(PING);
  loud.socket.send('{"type":"hello"}');
  await until('the stream to close', () => loud.code() === 1008);
  expect(quiet.code()).toBeNull();
  quiet.socket.close(1000);
});

it.each([
  ['agents', newAgent, ({ key }: NewAgent) => key],
  ['relays', () => FakeRelay.register(), ({ secret }: { secret: string }) => secret],
] as const)('secrets of %s are kept as hashes', async (table, create, secretOf) => {
  const created = await create();
  const row = await testEnv.DB.prepare(`SELECT * FROM ${table} WHERE id = ?`)
    .bind(created.id)
    .first();
  expect(row).toMatchObject({ id: created.id });
  expect(JSON.stringify(row)).not.toContain(secretOf(created as never));
});
