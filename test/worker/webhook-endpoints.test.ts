// Events sent to endpoints of users: what, to whom, signed by what, again when, and what people may do about it.
import { createScheduledController } from 'cloudflare:test';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareDeliveries, sendDeliveries } from '../../worker/handlers/deliver-events.ts';
import { iso } from '../../worker/call-view.ts';
import worker from '../../worker/index.ts';
import { happened, isVerified, ownDeliveries, Receivers } from './endpoints.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  FakeRelay,
  postWebhook,
  request,
  terminateWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Endpoint {
  id: string;
  url: string;
  secret: string;
  enabled: boolean;
  disabled_because: string | null;
  failing_since: string | null;
  previous_secret_until: string | null;
  events: string[] | null;
}
interface Delivery {
  id: string;
  webhook_id: string;
  type: string;
  status: string;
  attempts: number;
  next_attempt_at: string | null;
  last_status: number | null;
  last_error: string | null;
}

const phoneNumberId = unique('66');
let callId = '';
let receivers: Receivers;

const newCall = async (wacid = unique('wacid.')): Promise<string> => {
  expect((await postWebhook(connectWebhook({ id: wacid, phoneNumberId }))).status).toBe(200);
  const row = await testEnv.DB.prepare('SELECT id FROM calls WHERE provider_call_id = ?')
    .bind(wacid)
    .first<{ id: string }>();
  return row?.id ?? '';
};

const shown = async (id: string): Promise<Endpoint> =>
  (await api<Endpoint>('GET', `/v1/webhooks/${id}`)).body;
const logOf = async (id: string, query = ''): Promise<Delivery[]> =>
  (await api<{ data: Delivery[] }>('GET', `/v1/webhooks/${id}/deliveries${query}`)).body.data;
const fails =
  (status: number, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response(null, { status, headers });

beforeAll(async () => {
  receivers = new Receivers();
  await api('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '15550109999',
    access_token: 'token',
  });
  callId = await newCall();
});
beforeEach(async () => {
  vi.restoreAllMocks();
  receivers = new Receivers();
  await testEnv.DB.batch([
    testEnv.DB.prepare('DELETE FROM webhook_deliveries'),
    testEnv.DB.prepare('DELETE FROM webhook_endpoints'),
  ]);
});
afterEach(() => vi.useRealTimers());
afterAll(() => vi.restoreAllMocks());

describe('an event', () => {
  it('reaches the endpoints that want it moments after it happened, signed', async () => {
    const all = await api<Endpoint>('POST', '/v1/webhooks', { url: 'https://all.receiver.test/x' });
    const ends = await api<Endpoint>('POST', '/v1/webhooks', {
      url: 'https://ends.receiver.test/',
      events: ['call.ended'],
    });
    const relay = await FakeRelay.connect(await FakeRelay.register());
    const wacid = unique('wacid.');
    const id = await newCall(wacid);
    await postWebhook(terminateWebhook({ id: wacid, phoneNumberId }));
    relay.close();
    await until('the end at both', () =>
      [all, ends].every(({ body: { url } }) =>
        receivers.at(url).some(({ event }) => event.type === 'call.ended'),
      ),
    );
    const [first, ...rest] = receivers.at('https://all.receiver.test/x');
    expect(first?.event.type).toBe('call.offered');
    expect(first?.event.data.call.id).toBe(id);
    expect(first?.event.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(first?.headers.get('content-type')).toBe('application/json');
    expect(first?.redirect).toBe('manual');
    const at = [first, ...rest].map((one) => Number(one?.id.replace('evt_', '')));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(receivers.at('https://ends.receiver.test/').map(({ event }) => event.type)).toEqual([
      'call.ended',
    ]);
    for (const { body } of [all, ends]) {
      for (const one of receivers.at(body.url)) {
        expect(isVerified(one, body.secret)).toBe(true);
        expect(isVerified({ ...one, body: `${one.body} ` }, body.secret)).toBe(false);
        expect(isVerified(one, body === all.body ? ends.body.secret : all.body.secret)).toBe(false);
      }
    }
  });

  it('shows the call as the API does, with its phone number, and the detail of the timeline', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { url } = await endpoint();
    await happened(callId, 'digit');
    await everyMinute();
    const [one] = receivers.at(url);
    const { timeline: _, ...call } = (
      await api<{ timeline: unknown }>('GET', `/v1/calls/${callId}`)
    ).body as Record<string, unknown> & { timeline: unknown };
    expect(call).toMatchObject(one?.event.data.call ?? { state: 'never' });
    expect(one?.event.data.call).toMatchObject({ contact: { phone: '351910000001' } });
    expect(one?.event.data.detail).toMatchObject({ seq: expect.any(Number) as number });
  });

  it('that happened before the endpoint was there, or means nothing outside, is not sent', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    await happened(callId, 'answered');
    const { url } = await endpoint();
    await happened(callId, 'room-created', 'held', 'media-up');
    await everyMinute();
    expect(receivers.at(url).map(({ event }) => event.type)).toEqual(['call.held']);
  });

  it('is sent by the trigger of every minute when nobody did so before', async () => {
    const { endpoint } = ownDeliveries();
    const { url } = await endpoint();
    await happened(callId, 'answered');
    await worker.scheduled(createScheduledController(), testEnv);
    expect(receivers.at(url)).toHaveLength(1);
  });

  it('is made into one delivery by however many do so at once, and is there after a crash', async () => {
    const { services, endpoint, everyMinute } = ownDeliveries();
    const { id, url } = await endpoint();
    await happened(callId, 'answered', 'held', 'taken-off-hold');
    await Promise.all([1, 2, 3].map(() => prepareDeliveries(services)));
    expect(receivers.at(url)).toEqual([]);
    expect((await logOf(id)).map(({ status }) => status)).toEqual(Array(3).fill('pending'));
    await Promise.all([everyMinute(), everyMinute()]);
    expect(receivers.at(url).map(({ event }) => event.type)).toEqual([
      'call.answered',
      'call.held',
      'call.unheld',
    ]);
  });

  it('is among 500 sent once each, those of a call in their order', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const [one, other] = [await endpoint(), await endpoint()];
    const callIds = await Promise.all(Array.from({ length: 10 }, () => newCall()));
    const { results } = await testEnv.DB.prepare('SELECT max(id) AS id FROM call_events').all();
    for (let round = 0; round < 25; round++) {
      for (const id of callIds) await happened(id, 'held', 'taken-off-hold');
    }
    await everyMinute();
    for (const { url } of [one, other]) {
      const written = receivers.at(url).filter(({ id }) => evt(id) > Number(results[0]?.['id']));
      const sent = written.filter(({ event }) => event.type.endsWith('held'));
      expect(sent).toHaveLength(500);
      expect(new Set(sent.map(({ id }) => id)).size).toBe(500);
      for (const callId of callIds) {
        const ids = sent
          .filter(({ event }) => event.data.call.id === callId)
          .map(({ id }) => evt(id));
        expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      }
    }
  });
});

const evt = (id: string): number => Number(id.replace('evt_', ''));

describe('an event that is not taken', () => {
  it('is sent again after 5 s with the same id and a new time, and does not hold up later ones', async () => {
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { url, secret, id } = await endpoint();
    receivers.answers[url] = [fails(503)];
    await happened(callId, 'held', 'taken-off-hold');
    const startedAtMs = clock.ms;
    await everyMinute();
    const types = receivers.at(url).map(({ event }) => event.type);
    expect(types).toEqual(['call.held', 'call.unheld', 'call.held']);
    const [first, , again] = receivers.at(url);
    expect(again?.id).toBe(first?.id);
    const atS = (one = first) => Number(one?.headers.get('webhook-timestamp'));
    expect(atS(again) - atS()).toBe(5);
    expect(clock.ms - startedAtMs).toBe(5_000);
    expect(isVerified(again ?? (first as never), secret)).toBe(true);
    expect(await logOf(id)).toMatchObject([
      { status: 'delivered', attempts: 1 },
      { status: 'delivered', attempts: 2, last_status: 200, last_error: null },
    ]);
  });

  it('is tried eight times with growing pauses and then given up', async () => {
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { url, id } = await endpoint();
    const atMs: number[] = [];
    receivers.answers[url] = Array.from({ length: 20 }, () => () => {
      atMs.push(clock.ms);
      return new Response('x'.repeat(100_000), { status: 500 });
    });
    await happened(callId, 'held');
    for (let next: string | null = iso(clock.ms); next !== null;) {
      clock.ms = Date.parse(next);
      await everyMinute();
      next = (await logOf(id))[0]?.next_attempt_at ?? null;
    }
    const waits = atMs.slice(1).map((ms, i) => (ms - (atMs[i] ?? 0)) / 1000);
    expect(waits).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400]);
    expect(await logOf(id, '?status=failed')).toMatchObject([
      {
        status: 'failed',
        attempts: 8,
        last_status: 500,
        last_error: 'HTTP 500',
        next_attempt_at: null,
      },
    ]);
    expect((await shown(id)).enabled).toBe(true);
  });

  it.each([
    ['asks for a pause', fails(429, { 'retry-after': '900' }), 'HTTP 429', 15],
    ['asks for one until a date', () => fails(503, { 'retry-after': later() })(), 'HTTP 503', 15],
    ['redirects', fails(302, { location: 'https://else.receiver.test/' }), 'HTTP 302', 5 / 60],
    ['does not answer', () => Promise.reject(timedOut), 'no reply (TimeoutError)', 5 / 60],
    ['refuses', fails(401), 'HTTP 401', 5 / 60],
  ])('by a receiver that %s is noted and repeated', async (_name, answer, error, minutes) => {
    const { clock, endpoint, services } = ownDeliveries(START_MS);
    const { url, id } = await endpoint();
    receivers.answers[url] = [answer];
    await happened(callId, 'held');
    await prepareDeliveries(services);
    // Nobody waits for the second attempt.
    const stop = new Error('no time to wait');
    await sendDeliveries(services, id, () => Promise.reject(stop));
    const [one] = await logOf(id);
    expect(one).toMatchObject({ status: 'pending', attempts: 1, last_error: error });
    expect(Date.parse(one?.next_attempt_at ?? '')).toBe(clock.ms + minutes * MINUTE_MS);
    expect(receivers.received).toHaveLength(1);
  });

  const START_MS = Date.parse('2026-11-23T12:00:00Z');
  const later = (): string => new Date(START_MS + 15 * MINUTE_MS).toUTCString();
  const timedOut = new DOMException('The operation timed out', 'TimeoutError');

  it('at an endpoint that fails for 5 days is its last', async () => {
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { url, id } = await endpoint();
    receivers.answers[url] = Array.from({ length: 1_000 }, () => fails(500));
    const startMs = clock.ms;
    while ((await shown(id)).enabled && clock.ms < startMs + 7 * DAY_MS) {
      await happened(callId, 'held');
      await everyMinute();
      clock.ms += 6 * HOUR_MS;
    }
    expect((clock.ms - startMs) / DAY_MS).toBeCloseTo(5, 0);
    expect(await shown(id)).toMatchObject({ enabled: false, disabled_because: 'failing' });
    expect(await logOf(id, '?status=pending')).toEqual([]);
    expect(errors.mock.calls.map(([name]) => name as string)).toContain('webhook.disabled');
    const tried = receivers.at(url).length;
    await happened(callId, 'held');
    await everyMinute();
    expect(receivers.at(url)).toHaveLength(tried);
  });

  it('does not count when another one was taken since', async () => {
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { url, id } = await endpoint();
    for (let day = 0; day < 8; day++) {
      receivers.answers[url] = [fails(500)];
      await happened(callId, 'held');
      await everyMinute();
      clock.ms += DAY_MS;
    }
    expect(await shown(id)).toMatchObject({ enabled: true, failing_since: null });
  });

  it('and answered 410 is the last one there', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { url, id } = await endpoint();
    receivers.answers[url] = [fails(410)];
    await happened(callId, 'held', 'taken-off-hold');
    await everyMinute();
    expect(receivers.at(url)).toHaveLength(1);
    expect(await shown(id)).toMatchObject({ enabled: false, disabled_because: 'gone' });
    expect(await logOf(id)).toMatchObject([
      { status: 'failed', attempts: 0, last_error: 'the endpoint was switched off' },
      { status: 'failed', attempts: 1 },
    ]);
  });

  it('keeps nothing from another endpoint', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const [down, up] = [await endpoint(), await endpoint()];
    receivers.answers[down.url] = Array.from({ length: 9 }, () => fails(500));
    await happened(callId, 'held');
    await everyMinute();
    expect(receivers.at(up.url)).toHaveLength(1);
  });
});

describe('an endpoint', () => {
  const create = async (url = 'https://one.receiver.test/'): Promise<Endpoint> => {
    const { status, body } = await api<Endpoint>('POST', '/v1/webhooks', { url });
    expect(status).toBe(201);
    return body;
  };

  it('shows its secret once', async () => {
    const { secret, ...rest } = await create();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(await shown(rest.id)).toEqual(rest);
    expect((await api('GET', '/v1/webhooks')).body).toEqual({ data: [rest] });
    const rows = await testEnv.DB.prepare('SELECT * FROM webhook_endpoints').all();
    expect(JSON.stringify(rows.results)).not.toContain(secret.slice(6));
  });

  it('with another secret signs with the one before as well, for 24 h', async () => {
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { id, url, secret } = await endpoint();
    const { body } = await api<Endpoint>('POST', `/v1/webhooks/${id}/secret`);
    expect(Date.parse(body.previous_secret_until ?? '')).toBeGreaterThan(clock.ms + 23 * HOUR_MS);
    await happened(callId, 'held');
    await everyMinute();
    clock.ms += DAY_MS + MINUTE_MS;
    await happened(callId, 'held');
    await everyMinute();
    const verified = receivers
      .at(url)
      .map((one) => [isVerified(one, secret), isVerified(one, body.secret)]);
    expect(verified).toEqual([
      [true, true],
      [false, true],
    ]);
  });

  it('that is switched off gets nothing; switched on again, what happens then', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { id, url } = await endpoint();
    await api('PATCH', `/v1/webhooks/${id}`, { enabled: false });
    expect(await shown(id)).toMatchObject({ enabled: false, disabled_because: 'by-hand' });
    await happened(callId, 'held');
    await everyMinute();
    const on = await api<Endpoint>('PATCH', `/v1/webhooks/${id}`, { enabled: true });
    expect(on.body).toMatchObject({ enabled: true, disabled_because: null });
    await happened(callId, 'taken-off-hold');
    await everyMinute();
    expect(receivers.at(url).map(({ event }) => event.type)).toEqual(['call.unheld']);
  });

  it('can get another address and other types', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { id } = await endpoint();
    const url = 'https://moved.receiver.test/';
    const { body } = await api<Endpoint>('PATCH', `/v1/webhooks/${id}`, {
      url,
      events: ['call.held', 'call.held'],
    });
    expect(body).toMatchObject({ url, events: ['call.held'] });
    await happened(callId, 'held', 'taken-off-hold');
    await everyMinute();
    expect(receivers.received.map((one) => [one.url, one.event.type])).toEqual([
      [url, 'call.held'],
    ]);
  });

  it('that is deleted goes with its deliveries', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { id, url } = await endpoint();
    await happened(callId, 'held');
    await everyMinute();
    expect(
      (await testEnv.DB.prepare('SELECT 1 FROM webhook_deliveries').all()).results,
    ).toHaveLength(1);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    expect((await request(`/v1/webhooks/${id}`, { method: 'DELETE', headers })).status).toBe(204);
    expect((await api('GET', `/v1/webhooks/${id}`)).status).toBe(404);
    expect((await api('DELETE', `/v1/webhooks/${id}`)).status).toBe(404);
    await happened(callId, 'held');
    await everyMinute();
    expect(receivers.at(url)).toHaveLength(1);
    for (const table of ['webhook_deliveries', 'webhook_endpoints']) {
      expect((await testEnv.DB.prepare(`SELECT 1 FROM ${table}`).all()).results).toEqual([]);
    }
  });

  it.each([
    [{ url: 'http://crm.example.com/' }, 'url'],
    [{ url: 'https://127.0.0.1/' }, 'url'],
    [{ url: 'http://127.0.0.1:8080/' }, 'url'],
    [{ url: 'https://crm.local/' }, 'url'],
    [{ url: 'https://me:secret@crm.example.com/' }, 'url'],
    [{}, 'url'],
    [{ url: 'https://crm.example.com/', events: [] }, 'events'],
    [{ url: 'https://crm.example.com/', events: ['call.exploded'] }, 'events.0'],
    [{ url: 'https://crm.example.com/', secret: 'mine' }, '(body)'],
  ])('of %j is refused by the name of the field', async (input, field) => {
    const { status, body } = await api<{ errors: { field: string }[] }>(
      'POST',
      '/v1/webhooks',
      input,
    );
    expect(status).toBe(400);
    expect(body.errors.map((error) => error.field)).toEqual([field]);
    expect((await api<{ data: unknown[] }>('GET', '/v1/webhooks')).body.data).toEqual([]);
  });

  it('keeps its address when the new one is refused', async () => {
    const { id, url } = await create();
    const change = { url: 'https://10.0.0.1/', events: ['call.ended'], enabled: false };
    expect((await api('PATCH', `/v1/webhooks/${id}`, change)).status).toBe(400);
    expect(await shown(id)).toMatchObject({ url, events: null, enabled: true });
  });

  it('is the twentieth at most', async () => {
    for (let i = 0; i < 20; i++) await create(`https://n${i}.receiver.test/`);
    const { status } = await api('POST', '/v1/webhooks', { url: 'https://n21.receiver.test/' });
    expect(status).toBe(409);
  });
});

describe('the log of an endpoint', () => {
  it('is paged from the newest event on, and asked by status', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { id, url } = await endpoint();
    receivers.answers[url] = [fails(500), fails(500), fails(500)];
    await happened(callId, 'held', 'digit', 'digit', 'digit', 'taken-off-hold');
    await everyMinute();
    const seen: Delivery[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = await api<{ data: Delivery[]; next_cursor: string | null }>(
        'GET',
        `/v1/webhooks/${id}/deliveries?limit=2${query}`,
      );
      seen.push(...page.body.data);
      cursor = page.body.next_cursor;
    }
    expect(seen.map(({ type }) => type)).toEqual([
      'call.unheld',
      ...Array<string>(3).fill('call.key_pressed'),
      'call.held',
    ]);
    expect(seen).toEqual(await logOf(id));
    expect(await logOf(id, '?status=delivered')).toEqual(
      seen.filter(({ status }) => status === 'delivered'),
    );
    expect((await api('GET', `/v1/webhooks/${id}/deliveries?status=lost`)).status).toBe(400);
    expect((await api('GET', `/v1/webhooks/${id}/deliveries?cursor=x`)).status).toBe(400);
  });

  it('lets an event be sent once more, whatever became of it', async () => {
    const { endpoint, everyMinute } = ownDeliveries();
    const { id, url } = await endpoint();
    await happened(callId, 'held');
    await everyMinute();
    const [sent] = await logOf(id);
    const replay = () =>
      api<{ is_delivered: boolean; delivery: Delivery }>(
        'POST',
        `/v1/webhooks/deliveries/${sent?.id}/replay`,
      );
    receivers.answers[url] = [fails(500)];
    expect((await replay()).body).toMatchObject({
      is_delivered: false,
      delivery: { status: 'delivered', attempts: 2, last_error: 'HTTP 500' },
    });
    expect((await replay()).body).toMatchObject({
      is_delivered: true,
      delivery: { status: 'delivered', attempts: 3, last_error: null },
    });
    expect(new Set(receivers.at(url).map(({ id, body }) => `${id} ${body}`)).size).toBe(1);
    await api('PATCH', `/v1/webhooks/${id}`, { enabled: false });
    expect((await replay()).status).toBe(409);
    expect((await api('POST', '/v1/webhooks/deliveries/999999999/replay')).status).toBe(404);
  });

  it('is kept for 30 days', async () => {
    const { clock, endpoint, everyMinute } = ownDeliveries();
    const { id } = await endpoint();
    await happened(callId, 'held');
    await everyMinute();
    clock.ms += 29 * DAY_MS;
    await everyMinute();
    expect(await logOf(id)).toHaveLength(1);
    clock.ms += 2 * DAY_MS;
    await everyMinute();
    expect(await logOf(id)).toEqual([]);
  });
});
