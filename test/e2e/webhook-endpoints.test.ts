// Events from the worker in its real runtime to endpoints on this machine, over real connections.
import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../local/ports.ts';
import { Receiver, type Delivered } from '../support/receiver.ts';
import { RoomlineClient } from '../support/roomline-client.ts';
import { useWorker } from '../support/use-worker.ts';

const PHONE_NUMBER_ID = '106540352242922';
const WAIT_MS = 30_000;
/** How long the worker waits for an endpoint, and how long one who has died keeps others from sending there; with room. */
const SLOW_MS = 60_000;

const worker = useWorker('webhook-endpoints');
let receiver: Receiver;
let admin: RoomlineClient;
let calls = 0;

beforeAll(async () => {
  receiver = await Receiver.open();
  const { url, adminKey } = worker();
  admin = new RoomlineClient(url, adminKey);
  await admin.ensureNumber({
    provider: 'meta',
    phone_number_id: PHONE_NUMBER_ID,
    display_phone_number: '15550109999',
    access_token: 'token',
    api_base_url: `${receiver.url}/graph`,
  });
});
afterAll(() => receiver.close());

/** An endpoint for the ends of calls. */
function endpoint(path: string): Promise<{ id: string; secret: string }> {
  return admin.request('POST', '/v1/webhooks', {
    url: `${receiver.url}${path}`,
    events: ['call.ended'],
  });
}

/** Switches an endpoint off when its test is over. */
const off = (id: string) => admin.request('PATCH', `/v1/webhooks/${id}`, { enabled: false });

/** Users call; without a relay each call is over at once. */
async function usersCall(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `wacid.${(calls += 1)}`);
  const timestamp = String(Math.floor(Date.now() / 1000));
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '15550109999', phone_number_id: PHONE_NUMBER_ID },
    calls: ids.map((id) => ({
      id,
      timestamp,
      from: '351910000001',
      to: '15550109999',
      event: 'connect',
      direction: 'USER_INITIATED',
      session: { sdp_type: 'offer', sdp: 'v=0\r\n' },
    })),
  };
  const body = JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'calls', value }] }],
  });
  const { url, secrets } = worker();
  const hmac = createHmac('sha256', secrets.META_APP_SECRET).update(body).digest('hex');
  const headers = { 'x-hub-signature-256': `sha256=${hmac}` };
  const { status } = await fetch(`${url}/webhooks/whatsapp`, { method: 'POST', body, headers });
  expect(status).toBe(200);
  return ids;
}

/** What Cloudflare does every minute. Observed: wrangler 4.156 does so for this address. */
const aMinutePasses = () => fetch(`${worker().url}/cdn-cgi/handler/scheduled`);

const wacidOf = ({ body }: Delivered): string =>
  (JSON.parse(body) as { data: { call: { provider_call_id: string } } }).data.call.provider_call_id;

interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly last_error: string | null;
  readonly attempts: number;
}
const logOf = async (id: string) =>
  (await admin.request<{ data: Delivery[] }>('GET', `/v1/webhooks/${id}/deliveries`)).data;

it('arrive signed, so that whoever has the secret knows whose they are', async () => {
  const [mine, other] = [await endpoint('/mine'), await endpoint('/other')];
  const [wacid] = await usersCall(1);
  await waitUntil('both', WAIT_MS, () =>
    Promise.resolve([...receiver.at('/mine'), ...receiver.at('/other')].length === 2),
  );
  const [one] = receiver.at('/mine');
  const verify = (secret: string) =>
    new Webhook(secret).verify(one?.body ?? '', one?.headers ?? {});
  expect(verify(mine.secret)).toMatchObject({
    type: 'call.ended',
    data: { call: { provider_call_id: wacid, contact: { phone: '351910000001' } } },
  });
  expect(() => verify(other.secret)).toThrow(/No matching signature/);
  await Promise.all([off(mine.id), off(other.id)]);
});

it('arrive again when they were not taken, and can be asked for once more', async () => {
  const { id } = await endpoint('/again');
  receiver.answers.set('/again', (response) => {
    receiver.answers.delete('/again');
    response.writeHead(503).end('x'.repeat(200_000));
  });
  await usersCall(1);
  await waitUntil('the second attempt', WAIT_MS, async () =>
    (await logOf(id)).some(({ status }) => status === 'delivered'),
  );
  const [log] = await logOf(id);
  expect(log).toMatchObject({ attempts: 2, last_error: null });
  await admin.request('POST', `/v1/webhooks/deliveries/${log?.id}/replay`);
  const ids = receiver.at('/again').map(({ headers }) => headers['webhook-id']);
  expect(ids).toHaveLength(3);
  expect(new Set(ids).size).toBe(1);
  await off(id);
});

it('do not follow redirects, and do not wait for ever', async () => {
  const [moved, slow] = [await endpoint('/moved'), await endpoint('/slow')];
  receiver.answers.set('/moved', (response) => {
    response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end();
  });
  receiver.answers.set('/slow', () => {});
  await usersCall(1);
  await waitUntil('both attempts', SLOW_MS, async () => {
    const logs = await Promise.all([logOf(moved.id), logOf(slow.id)]);
    return logs.every(([log]) => log?.last_error !== null && log !== undefined);
  });
  expect((await logOf(moved.id))[0]?.last_error).toBe('HTTP 307');
  expect((await logOf(slow.id))[0]?.last_error).toBe('no reply (TimeoutError)');
  expect(receiver.at('/elsewhere')).toEqual([]);
  await Promise.all([off(moved.id), off(slow.id)]);
});

it('all arrive, 500 of them, at two endpoints', { timeout: 10 * SLOW_MS }, async () => {
  const endpoints = [await endpoint('/many'), await endpoint('/as-many')];
  const wacids: string[] = [];
  for (let round = 0; round < 10; round++) wacids.push(...(await usersCall(50)));
  for (const path of ['/many', '/as-many']) {
    const seen = () => new Set(receiver.at(path).map(wacidOf));
    await waitUntil('all of them', 4 * SLOW_MS, async () => {
      await aMinutePasses();
      return seen().size >= 500;
    });
    expect([...seen()].toSorted()).toEqual(wacids.toSorted());
  }
  await Promise.all(endpoints.map(({ id }) => off(id)));
});

it('arrive although the worker is started again in between', async () => {
  const { id } = await endpoint('/later');
  // Nothing is taken before the restart.
  receiver.answers.set('/later', () => {});
  const wacids = await usersCall(20);
  await waitUntil('an attempt', WAIT_MS, () => Promise.resolve(receiver.at('/later').length > 0));
  await worker().restart();
  receiver.answers.delete('/later');
  const before = receiver.at('/later').length;
  const taken = () => new Set(receiver.at('/later').slice(before).map(wacidOf));
  await waitUntil('all of them', 2 * SLOW_MS, async () => {
    await aMinutePasses();
    return taken().size === 20;
  });
  expect([...taken()].toSorted()).toEqual(wacids.toSorted());
  await off(id);
});
