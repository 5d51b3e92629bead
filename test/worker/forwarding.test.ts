// A webhook address shared with others: what is passed on, to whom, and what happens when they do not take it.
import { createScheduledController } from 'cloudflare:test';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { retryForwards } from '../../worker/handlers/forward-webhook.ts';
import worker from '../../worker/index.ts';
import { ownServices } from './own-services.ts';
import { ADMIN_KEY, api, connectWebhook, signature, testEnv, unique } from './support.ts';

interface Delivered {
  readonly url: string;
  readonly bytes: Uint8Array;
  readonly headers: Headers;
}

const DEFAULT_URL = 'https://default.test/hook';
/** Meta escapes what is not ASCII, and slashes; a body that was parsed and written again looks different. */
const META_TEXT = String.raw`"caf\u00e9 \/ 1.0"`;
const HOUR_MS = 3600_000;

let delivered: Delivered[];
/** Answers per address, used up in order; 200 afterwards. */
let answers: Record<string, number[]>;
let nowMs: number;

beforeEach(async () => {
  delivered = [];
  answers = {};
  nowMs = Date.now();
  await testEnv.DB.prepare('DELETE FROM forwards').run();
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const sent = new Request(input, init);
    // Calls of the same webhooks make requests to the provider.
    if (sent.url.startsWith('https://graph.')) return Response.json({ success: true });
    const bytes = new Uint8Array(await sent.arrayBuffer());
    delivered.push({ url: sent.url, bytes, headers: sent.headers });
    return new Response(null, { status: answers[sent.url]?.shift() ?? 200 });
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function registered(forwardUrl?: string, more: object = {}): Promise<string> {
  const phoneNumberId = unique('33');
  const { status } = await api('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '15550109999',
    access_token: 'token',
    ...(forwardUrl === undefined ? {} : { forward_url: forwardUrl }),
    ...more,
  });
  expect(status).toBe(201);
  return phoneNumberId;
}

const change = (field: string, phoneNumberId: string | null, more = '') =>
  `{"field":"${field}","value":{${
    phoneNumberId === null ? '' : `"metadata":{"phone_number_id":"${phoneNumberId}"},`
  }"text":${META_TEXT}${more}}}`;
const bodyOf = (...changes: string[]) =>
  `{"object":"whatsapp_business_account",  "entry":[{"id":"100000000000001","changes":[${changes.join()}]}]}`;

function setUp(settings: Record<string, string> = { DEFAULT_FORWARD_URL: DEFAULT_URL }) {
  const services = ownServices(settings, { now: () => nowMs });
  const app = createApp(services);
  const post = async (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    app.request('/webhooks/whatsapp', {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-hub-signature-256': await signature(body),
        ...headers,
      },
    });
  const rows = async () => (await testEnv.DB.prepare('SELECT * FROM forwards').all()).results;
  return { services, app, post, rows };
}

const urls = () => delivered.map(({ url }) => url);

describe('what is passed on', () => {
  it('is the body as it came, byte for byte, with its type and signature', async () => {
    const { services, post, rows } = setUp();
    const body = bodyOf(change('messages', '999'));
    expect((await post(body)).status).toBe(200);
    await services.settled();
    expect(delivered).toHaveLength(1);
    const [one] = delivered;
    expect(new TextDecoder().decode(one?.bytes)).toBe(body);
    expect(one?.url).toBe(DEFAULT_URL);
    expect(one?.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(one?.headers.get('x-hub-signature-256')).toBe(await signature(body));
    expect(await rows()).toEqual([]);
  });

  it('is whole when only a part of it is for somebody else', async () => {
    const { services, post } = setUp();
    const phoneNumberId = await registered('https://own.test/a');
    const call = connectWebhook({ id: unique('wacid.'), phoneNumberId }).entry[0]?.changes[0];
    const body = bodyOf(JSON.stringify(call), change('messages', phoneNumberId));
    expect((await post(body)).status).toBe(200);
    await services.settled();
    expect(urls()).toEqual(['https://own.test/a']);
    const copy = delivered.find(({ url }) => url === 'https://own.test/a');
    expect(new TextDecoder().decode(copy?.bytes)).toBe(body);
  });

  it('is nothing that is solely about our calls', async () => {
    const { services, post } = setUp();
    const phoneNumberId = await registered('https://own.test/a');
    const body = JSON.stringify(connectWebhook({ id: unique('wacid.'), phoneNumberId }));
    expect((await post(body)).status).toBe(200);
    await services.settled();
    expect(urls()).toEqual([]);
  });

  it.each<[string, (ours: string) => string]>([
    ['calls of a number that is not registered', () => change('calls', '999', ',"calls":[{}]')],
    ['calls that others started', (ours) => change('calls', ours, `,"statuses":[${STATUS}]`)],
    ['events that nobody knows', (ours) => change('calls', ours, ',"calls":[{"event":"new"}]')],
    ['reports of deliveries', (ours) => change('messages', ours, ',"statuses":[{}]')],
    ['other fields', (ours) => change('flows', ours)],
  ])('holds %s', async (_name, part) => {
    const { services, post } = setUp();
    const ours = await registered();
    expect((await post(bodyOf(part(ours)))).status).toBe(200);
    await services.settled();
    expect(urls()).toEqual([DEFAULT_URL]);
  });

  const STATUS = '{"id":"wacid.theirs","timestamp":"1","type":"call","status":"RINGING"}';
});

describe('it goes', () => {
  it('once to each address of the numbers that it names', async () => {
    const { services, post } = setUp();
    const ids = [
      await registered('https://own.test/a'),
      await registered('https://own.test/b'),
      await registered('https://own.test/a'),
      await registered(),
    ];
    await post(bodyOf(...ids.map((id) => change('messages', id))));
    await services.settled();
    expect(urls().toSorted()).toEqual(['https://own.test/a', 'https://own.test/b']);
  });

  it('to the addresses of an account when it names no number', async () => {
    const { services, post } = setUp();
    await registered('https://own.test/account', { business_account_id: '100000000000001' });
    await post(bodyOf(change('message_template_status_update', null)));
    await services.settled();
    expect(urls()).toEqual(['https://own.test/account']);
    await testEnv.DB.prepare('UPDATE numbers SET business_account_id = NULL').run();
  });

  it('nowhere when nobody wants it', async () => {
    const { services, post, rows } = setUp({});
    expect((await post(bodyOf(change('messages', '999')))).status).toBe(200);
    await services.settled();
    expect([urls(), await rows()]).toEqual([[], []]);
  });

  it('never round in circles', async () => {
    const { services, post } = setUp();
    await post(bodyOf(change('messages', '999')), { 'x-roomline-forwarded': '1' });
    await services.settled();
    expect(urls()).toEqual([]);
    await post(bodyOf(change('messages', '999')));
    await services.settled();
    expect(delivered[0]?.headers.get('x-roomline-forwarded')).toBe('1');
  });

  it('nowhere without a good signature', async () => {
    const { services, post, rows } = setUp();
    const response = await post(bodyOf(change('messages', '999')), {
      'x-hub-signature-256': `sha256=${'0'.repeat(64)}`,
    });
    expect(response.status).toBe(401);
    await services.settled();
    expect([urls(), await rows()]).toEqual([[], []]);
  });
});

describe('when the receiver does not take it', () => {
  it('it is stored before the provider has its answer, and tried again at once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    answers[DEFAULT_URL] = [503, 500];
    const { services, post, rows } = setUp();
    const body = bodyOf(change('messages', '999'));
    expect((await post(body)).status).toBe(200);
    expect(await rows()).toHaveLength(1);
    const settled = services.settled();
    await vi.waitFor(() => expect(delivered).toHaveLength(1));
    await advanceUntil(async () => delivered.length === 3 && (await rows()).length === 0);
    await settled;
    expect(delivered.map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual([
      body,
      body,
      body,
    ]);
  });

  it('it is tried ever less often, given up after 24 h, and can be sent by hand', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    answers[DEFAULT_URL] = Array.from({ length: 200 }, () => 500);
    const { services, app, post, rows } = setUp();
    const body = bodyOf(change('messages', '999'));
    await post(body);
    const settled = services.settled();
    await advanceUntil(() => delivered.length === 3);
    vi.useRealTimers();
    await settled;
    const startedAtMs = nowMs;
    while (nowMs < startedAtMs + 25 * HOUR_MS) {
      nowMs += 10 * 60_000;
      await retryForwards(services);
    }
    const tried = delivered.length;
    expect(tried).toBeGreaterThan(20);
    expect(tried).toBeLessThan(40);
    expect((await rows()).map(({ next_at_ms, last_error }) => [next_at_ms, last_error])).toEqual([
      [null, 'HTTP 500'],
    ]);

    const call = async (method: string, path: string) =>
      (
        await app.request(path, { method, headers: { authorization: `Bearer ${ADMIN_KEY}` } })
      ).json<{
        data: { id: string; is_dead: boolean; attempts: number; body_bytes: number }[];
        is_delivered: boolean;
      }>();
    const { data } = await call('GET', '/v1/forwards?dead=true');
    expect(data).toMatchObject([{ is_dead: true, attempts: tried, body_bytes: body.length }]);
    expect((await call('GET', '/v1/forwards?dead=false')).data).toEqual([]);
    const path = `/v1/forwards/${data[0]?.id}/retry`;
    expect(await call('POST', path)).toMatchObject({
      is_delivered: false,
      forward: { is_dead: true },
    });
    answers[DEFAULT_URL] = [];
    expect(await call('POST', path)).toEqual({ is_delivered: true, forward: null });
    expect(new TextDecoder().decode(delivered.at(-1)?.bytes)).toBe(body);
    expect(await call('POST', path)).toMatchObject({ status: 404 });
  });

  it('one receiver does not keep it from the other', async () => {
    const { services, post, rows } = setUp();
    const ids = [await registered('https://down.test/'), await registered('https://up.test/')];
    answers['https://down.test/'] = Array.from({ length: 9 }, () => 500);
    await post(bodyOf(...ids.map((id) => change('messages', id))));
    await vi.waitFor(async () => expect(await rows()).toHaveLength(1));
    expect(urls()).toContain('https://up.test/');
    await services.forwards.trim(nowMs, 0);
    await services.settled();
  });

  it('two senders never have the same row', async () => {
    const services = ownServices({}, { now: () => nowMs });
    const items = Array.from({ length: 20 }, (_, index) => ({
      url: `https://x.test/${index}`,
      body: new Uint8Array([1]).buffer,
      headers: {},
    }));
    await services.forwards.add(items, nowMs, nowMs);
    await Promise.all([retryForwards(services), retryForwards(services)]);
    expect(urls().toSorted()).toEqual(items.map(({ url }) => url).toSorted());
  });
});

it('the every-minute trigger sends what is due', async () => {
  const { forwards } = ownServices();
  const one = { url: 'https://x.test/', body: new ArrayBuffer(1), headers: {} };
  await forwards.add([one], nowMs, nowMs);
  await forwards.add([one], nowMs, nowMs + HOUR_MS);
  await worker.scheduled(createScheduledController(), testEnv);
  expect(urls()).toEqual(['https://x.test/']);
  expect(await forwards.list({}, 10)).toHaveLength(1);
});

describe('bounds', () => {
  it('a body of more than D1 takes is passed on before the answer, and not acknowledged if that fails', async () => {
    const { post, rows } = setUp();
    const body = bodyOf(change('messages', '999', `,"long":"${'x'.repeat(2_000_000)}"`));
    expect((await post(body)).status).toBe(200);
    expect(delivered[0]?.bytes.length).toBe(body.length);
    answers[DEFAULT_URL] = [500];
    expect((await post(body)).status).toBe(500);
    expect(await rows()).toEqual([]);
  });

  it('a body just below that is stored and comes out unchanged', async () => {
    const services = ownServices({}, { now: () => nowMs });
    const body = crypto.getRandomValues(new Uint8Array(65_536));
    const large = new Uint8Array(1_900_000).map((_, index) => body[index % body.length] ?? 0);
    const [id] = await services.forwards.add(
      [{ url: 'https://x.test/', body: large.buffer, headers: { a: 'b' } }],
      nowMs,
      nowMs,
    );
    const found = await services.forwards.find(id ?? 0);
    expect(found?.headers).toEqual({ a: 'b' });
    expect(new Uint8Array(found?.body ?? new ArrayBuffer(0))).toEqual(large);
  });

  it('old dead letters and the oldest of too many rows are forgotten', async () => {
    const { forwards } = ownServices({}, { now: () => nowMs });
    const one = { url: 'https://x.test/', body: new ArrayBuffer(1), headers: {} };
    const [dead] = await forwards.add([one], 1_000, 0);
    await forwards.failed(dead ?? 0, 'x', null);
    const ids = await forwards.add([one, one, one], 1_000, nowMs);
    expect(await forwards.trim(2_000, 2)).toBe(2);
    expect((await forwards.list({}, 10)).map(({ id }) => id)).toEqual(ids.slice(1).toReversed());
  });

  it('pages are followed by their cursor', async () => {
    const { app, services } = setUp();
    const one = { url: 'https://x.test/', body: new ArrayBuffer(1), headers: {} };
    const ids = await services.forwards.add([one, one, one, one, one], nowMs, nowMs + HOUR_MS);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const response = await app.request(`/v1/forwards?limit=2${query}`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      const page: { data: { id: string }[]; next_cursor: string | null } = await response.json();
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(ids.toReversed().map(String));
  });
});

async function advanceUntil(isDone: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isDone())) {
    await vi.advanceTimersByTimeAsync(500);
    // Lets the database answer: the fake clock alone never does.
    await testEnv.DB.prepare('SELECT 1').run();
  }
}
