// What the parts of Roomline write down in the course of calls that go well and badly: nothing secret, nobody's name or number.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { freePorts } from '../local/ports.ts';
import { startChild } from '../local/processes.ts';
import { leaksIn } from '../support/leaks.ts';
import { ApiError } from '../support/roomline-client.ts';
import { newCaller, useStack } from '../support/use-stack.ts';
import { OutboundScene } from './outbound-scene.ts';
import { CALLER_HZ } from './scene.ts';

// Every line of the worker, as its platform keeps them.
process.env['WORKER_LOG_LEVEL'] = 'log';

const stack = useStack('logs');
let out: OutboundScene;
beforeAll(async () => {
  out = await OutboundScene.open(stack());
});
afterAll(() => out?.scene.events.close());

const NAMES = { user: 'Zbigniewa', agent: 'Thelonious', text: 'marzipan-order-4711' };
/** Whatever must not be written down, and what it is. */
const known = new Map<string, string>();
const know = <T extends string>(what: string, value: T): T => {
  known.set(value, what);
  return value;
};

/** The lines of our own programs so far; a part that is started again begins its file anew. */
const logs = new Map<string, string>();
function keepLogs(name: string): void {
  const text = readFileSync(join(stack().supervisor.logFolder, `${name}.log`), 'utf8');
  // The development server's own notes of requests; in production the platform makes none of them.
  const lines = text.split('\n').filter((line) => !/\| \[wrangler/.test(line));
  logs.set(name, (logs.get(name) ?? '') + lines.join('\n'));
}

/** Calls of users: answered, given up, refused by the provider while it rings, cut off with the relay. */
async function callsOfUsers(): Promise<void> {
  const { scene } = out;
  const { simulator, admin } = stack();
  const agent = await admin.createAgent(know('name of an agent', NAMES.agent));
  const desk = admin.as(know('agent key', agent.key));
  const ring = () =>
    scene.ring({
      from: know('number of a user', newCaller()),
      name: know('name of a user', NAMES.user),
      cta_payload: know('text', NAMES.text),
    });

  const answered = await ring();
  const seat = await scene.join(desk, answered.call.id);
  await Promise.all([seat.hears(CALLER_HZ), scene.events.state(answered.call.id, 'active')]);
  await simulator.hangUp(answered.phone.id);
  await scene.ended(answered);

  const givenUp = await ring();
  await simulator.hangUp(givenUp.phone.id);
  await scene.ended(givenUp);

  const refused = await ring();
  const details = `call ${refused.phone.wacid} of ${answered.call.contact?.phone ?? ''}`;
  await simulator.addFaults({ graph: [{ action: 'reject', kind: 'error', code: 100, details }] });
  await desk.end(refused.call.id);
  await scene.events.state(refused.call.id, 'ended');
  await simulator.hangUp(refused.phone.id);

  const cutOff = await ring();
  const other = await scene.join(desk, cutOff.call.id);
  await Promise.all([other.hears(CALLER_HZ), scene.events.state(cutOff.call.id, 'active')]);
  await stack().relay.kill();
  keepLogs('relay');
  await stack().startRelay();
  await scene.ended(cutOff);
}

/** Calls of the business: refused, with a token that expired, not permitted, permitted and picked up. */
async function callsOfTheBusiness(): Promise<void> {
  const { simulator } = stack();
  const start = async (user: { phone?: object; isWriter?: boolean } = {}) => {
    const { phone = {}, isWriter = false } = user;
    const to = know('number of a user', await out.user(phone, { mayBeCalled: !isWriter }));
    if (isWriter) await simulator.userMessage({ user: to, text: NAMES.text });
    const { id } = await out.start({ to, ...(isWriter ? { ask: { text: NAMES.text } } : {}) });
    return { id, to };
  };
  const to = know('number of a user', await out.user());
  await out.nextDial({ kind: 'error', code: 138_001, details: `${to} cannot be reached` });
  await out.ended((await out.start({ to })).id);
  await out.nextDial({ kind: 'token-expired' });
  await out.ended((await start()).id);
  await out.nextDial({ kind: 'act-then-drop' });
  const unsure = await start({ phone: { behaviour: 'reject' } });
  await out.ended(unsure.id);
  const declines = await start({
    phone: { permission_reply: { response: 'reject' } },
    isWriter: true,
  });
  await out.ended(declines.id);
  const talks = await start({
    phone: { permission_reply: { response: 'accept' } },
    isWriter: true,
  });
  await out.talks(talks.id, await out.joinRoom(talks.id));
  await out.hungUp(talks.id);
}

/** Announcements that are signed and cannot be used: calls that the provider does not know, with half an SDP. */
async function unusableCalls(): Promise<void> {
  const { simulator, number } = stack();
  const from = know('number of a user', newCaller());
  const password = know('password of an offer', 'password-of-the-offer');
  for (const [index, sdp] of [
    `v=0\r\no=${from} 1 1 IN IP4 0.0.0.0\r\na=ice-pwd:${password}\r\n`,
    `a=ice-pwd:${password}\r\nv=0\r\n`,
    password,
  ].entries()) {
    const call = {
      id: `wacid.unusable-${String(index)}`,
      from,
      event: 'connect',
      timestamp: String(Math.floor(Date.now() / 1000)),
      direction: 'USER_INITIATED',
      session: { sdp_type: 'offer', sdp },
    };
    const metadata = { phone_number_id: number.phoneNumberId };
    const body = { entry: [{ changes: [{ field: 'calls', value: { metadata, calls: [call] } }] }] };
    expect((await simulator.sendWebhook({ body })).status).toBe(200);
    const { id } = await out.scene.callOf({ wacid: call.id });
    await out.scene.events.state(id, 'ending');
  }
}

/** Strangers and mistakes: webhooks that are no webhooks, keys that are no keys, requests that cannot be done. */
async function strangers(): Promise<void> {
  const { simulator, admin, secrets, options, number } = stack();
  const phone = know('number of a user', newCaller());
  const bodies = [
    '{',
    `["${NAMES.text}"`,
    '['.repeat(100),
    JSON.stringify({ entry: [{ changes: [{ field: 'calls', value: { from: phone } }] }] }),
    JSON.stringify({
      entry: [
        {
          changes: [
            {
              field: 'calls',
              value: {
                metadata: { phone_number_id: number.phoneNumberId },
                calls: [{ event: 'connect', id: `wacid.${phone}`, session: { sdp: 'v=0' } }],
              },
            },
          ],
        },
      ],
    }),
  ];
  const signature = know(
    'webhook signature',
    createHmac('sha256', 'wrong').update('x').digest('hex'),
  );
  for (const text of bodies) {
    await simulator.sendWebhook({ text });
    expect((await simulator.sendWebhook({ text, signature: `sha256=${signature}` })).status).toBe(
      401,
    );
  }
  expect((await simulator.verifyWebhook()).verified).toBe(true);

  const wrong = admin.as(know('wrong key', `rla_${'wrongwrong'.repeat(4)}abc`));
  const refused: readonly [method: string, path: string, body?: object][] = [
    ['GET', `/v1/calls/wacid.${phone}`],
    ['GET', `/v1/contacts/${phone}`],
    ['GET', `/v1/numbers/${phone}/doctor`],
    ['POST', '/v1/calls', { number_id: phone, to: NAMES.text, connect: {} }],
    ['POST', '/v1/contacts', { phone: NAMES.user }],
    ['POST', '/v1/numbers', { access_token: secrets.META_ACCESS_TOKEN }],
    ['POST', `/v1/agents/${NAMES.agent}/key`],
  ];
  await expect(wrong.request('GET', '/v1/calls')).rejects.toThrow(ApiError);
  for (const request of refused) await expect(admin.request(...request)).rejects.toThrow(ApiError);
  await admin.request('GET', `/v1/contacts?phone=${phone}`);
  await admin.request('POST', '/v1/contacts', { phone, name: NAMES.user });
  await relayWithWrongSecret(`ws://127.0.0.1:${options.ports.worker}`);
}

/** A relay that was revoked, one whose secret is wrong, and one that talks nonsense. */
async function relayWithWrongSecret(url: string): Promise<void> {
  const { admin } = stack();
  const { id, secret } = await admin.createRelay('relay-of-a-stranger');
  know('relay secret', secret);
  const closed = (key: string, frame?: string) =>
    new Promise<void>((resolve) => {
      const socket = new WebSocket(`${url}/v1/relays/${id}/connect`, {
        headers: { authorization: `Bearer ${key}` },
      });
      socket.on('open', () => frame !== undefined && socket.send(frame));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
  await closed(know('wrong key', 'rls_wrong-secret-of-a-relay-that-nobody-knows'));
  await closed(
    secret,
    JSON.stringify({ type: 'answered', sdp: 7, call_id: `wacid.${NAMES.text}` }),
  );
  await admin.request('DELETE', `/v1/relays/${id}`);
  await closed(secret);
}

const ROOT = join(import.meta.dirname, '../..');
/** worker, simulator, agent page, relay, three of livekit-server, eight for media. */
const PORTS_OF_LAUNCHER = 15;

/** The key of LiveKit and the id of a relay are names; secrets are longer than names. */
const isSecret = (value: string): boolean => value.length > 16;
const textsIn = (value: unknown): string[] =>
  typeof value === 'string' ? [value] : Object.values(Object(value) as object).flatMap(textsIn);

it('a whole day in half a minute leaves nothing secret and nobody in any log', async () => {
  const { secrets, credentials, number } = stack();
  // The key of LiveKit is a name; its secret is the secret.
  const { LIVEKIT_API_KEY: _, ...others } = secrets;
  for (const [name, value] of Object.entries(others)) {
    for (const part of [value, ...value.split(':')].filter(({ length }) => length > 8))
      know(name, part);
  }
  know('relay secret', credentials.relay.secret);
  know('agent key', credentials.agent.key);
  know('number of the business', number.displayPhoneNumber);

  await callsOfUsers();
  await callsOfTheBusiness();
  await unusableCalls();
  await strangers();

  for (const name of ['worker', 'relay']) keepLogs(name);
  expect(logs.get('worker')).toContain('call.ended');
  expect(logs.get('relay')).toContain('call.ended');
  expect([...logs].flatMap(([name, text]) => leaksIn(name, text, known))).toEqual([]);
});

it('the launcher says nothing secret while it shows a call', async () => {
  const first = await freePorts(PORTS_OF_LAUNCHER);
  const folder = join(ROOT, '.state', String(first));
  const child = await startChild(
    {
      name: 'start',
      command: process.execPath,
      args: [join(ROOT, 'test/local/run.mjs'), 'test/local/start.ts', '--once'],
      env: {
        PORT: String(first),
        SIMULATOR_PORT: String(first + 1),
        AGENT_PORT: String(first + 2),
        RELAY_HTTP_PORT: String(first + 3),
        LIVEKIT_PORT: String(first + 4),
        RELAY_UDP_PORTS: `${first + 7}-${first + 14}`,
      },
    },
    join(folder, 'start'),
  );
  try {
    expect(await child.exited).toBe('code 0');
    const own = new Map<string, string>();
    for (const file of ['secrets.json', 'credentials.json']) {
      for (const value of textsIn(JSON.parse(readFileSync(join(folder, file), 'utf8')))) {
        if (isSecret(value)) own.set(value, file);
      }
    }
    expect(own.size).toBeGreaterThan(6);
    const written = [
      child.logPath,
      ...['worker', 'relay'].map((name) => join(folder, 'logs', `${name}.log`)),
    ];
    const found = written.flatMap((path) => leaksIn(path, readFileSync(path, 'utf8'), own));
    expect(found).toEqual([]);
  } finally {
    await child.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

it('would find each of them', () => {
  const lines = [...known.keys()].map((value) => `x | call.ended { detail: '${value}' }`);
  const found = lines.filter((line) => leaksIn('worker', line, known).length === 0);
  expect(found).toEqual([]);
  for (const text of [
    'v=0',
    'a=ice-pwd:x',
    'ice-ufrag',
    'AB:CD:EF:01:23:45:67:89',
    'eyJhbGciOiJIUzI1NiJ9',
  ]) {
    expect(leaksIn('worker', text, new Map())).toHaveLength(1);
  }
});
