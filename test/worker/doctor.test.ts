// The doctor: what each check says when all is well, when something is wrong, and when nobody answers.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CHECK_NAMES } from '../../worker/domain/finding.ts';
import type { NumberId } from '../../worker/domain/ids.ts';
import { examineNumber } from '../../worker/handlers/examine-number.ts';
import { ownServices } from './own-services.ts';
import { bucket, sine, wavOf } from './sounds.ts';
import { ADMIN_KEY, api, FakeRelay, request, testEnv, unique } from './support.ts';

interface Row {
  check: string;
  status: 'ok' | 'problem' | 'cannot_tell';
  why: string;
  remedy: string | null;
}

const SECRET = 'very-secret-token';
const DAY_S = 24 * 3600;

/** What a path ends with, and what it is answered; null hangs. */
type Answers = Record<string, (() => Response) | null>;
let answers: Answers;
let asked: { url: string; authorization: string | null }[];

const healthy = (): Answers => ({
  '/settings': () => Response.json({ calling: { status: 'ENABLED' } }),
  '/debug_token': () =>
    Response.json({
      data: {
        is_valid: true,
        expires_at: 0,
        scopes: ['whatsapp_business_messaging', 'whatsapp_business_management'],
      },
    }),
  '/subscriptions': () =>
    Response.json({
      data: [
        {
          object: 'whatsapp_business_account',
          callback_url: 'https://roomline.test/webhooks/whatsapp',
          active: true,
          fields: [{ name: 'calls' }, { name: 'messages' }],
        },
      ],
    }),
  '/subscribed_apps': () =>
    Response.json({ data: [{ whatsapp_business_api_data: { id: '2002', name: 'App' } }] }),
  '/ListRooms': () => Response.json({ rooms: [] }),
  '/v1/configs/webhook': () => Response.json({ url: dialogUrl }),
  '/v25.0/': () => new Response(null, { headers: { date: new Date().toUTCString() } }),
  number: () => Response.json({ whatsapp_business_manager_messaging_limit: 'TIER_2K' }),
});
let dialogUrl = '';

beforeEach(() => {
  asked = [];
  answers = healthy();
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const sent = new Request(input, init);
    const { pathname, search } = new URL(sent.url);
    asked.push({ url: sent.url, authorization: sent.headers.get('authorization') });
    const key =
      Object.keys(answers).find((end) => pathname.endsWith(end)) ??
      (search.includes('messaging_limit') ? 'number' : '');
    const answer = answers[key];
    if (answer === null) {
      return new Promise<Response>((_resolve, reject) => {
        const stop = (): void => reject(new DOMException('timed out', 'TimeoutError'));
        sent.signal.addEventListener('abort', stop);
        init?.signal?.addEventListener('abort', stop);
      });
    }
    return answer?.() ?? new Response('{}', { status: 404 });
  });
});
afterEach(() => vi.restoreAllMocks());

async function register(more: object = {}): Promise<string> {
  const { body } = await api<{ id: string; webhook_url: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('55'),
    display_phone_number: '15550109999',
    access_token: SECRET,
    business_account_id: '1001',
    app_id: '2002',
    ...more,
  });
  dialogUrl = body.webhook_url;
  return body.id;
}

async function examine(id: string): Promise<Record<string, Row>> {
  const { status, body } = await api<{ data: Row[] }>('GET', `/v1/numbers/${id}/doctor`);
  expect(status).toBe(200);
  return Object.fromEntries(body.data.map((row) => [row.check, row]));
}
const statuses = (rows: Record<string, Row>) =>
  Object.fromEntries(Object.values(rows).map(({ check, status }) => [check, status]));

it('finds nothing when nothing is wrong', async () => {
  const relay = await FakeRelay.connect(await FakeRelay.register());
  const id = await register();
  await testEnv.DB.prepare('UPDATE numbers SET webhook_at_ms = ? WHERE id = ?')
    .bind(Date.now(), id)
    .run();
  const rows = await examine(id);
  relay.close();
  const {
    'webhook-address': _,
    recording: __,
    ...expected
  } = Object.fromEntries(CHECK_NAMES.map((name) => [name, 'ok']));
  expect(statuses(rows)).toEqual(expected);
  expect(Object.values(rows).every(({ remedy }) => remedy === null)).toBe(true);
});

it('asks about the app with the credentials of the app', async () => {
  await examine(await register());
  const about = asked.find(({ url }) => url.includes('/2002/subscriptions'));
  expect(about?.authorization).toBe('Bearer 2002|old-app-secret');
});

describe('at Meta it finds', () => {
  const graphError = (status: number, code: number) => () =>
    Response.json({ error: { code, message: `(#${code}) text` } }, { status });

  it.each<[string, string, Partial<Answers>, object, Row['status'], RegExp]>([
    ['an expired token', 'token', { '/settings': graphError(401, 190) }, {}, 'problem', /190/],
    [
      'missing scopes',
      'token',
      { '/debug_token': () => Response.json({ data: { is_valid: true, scopes: [] } }) },
      {},
      'problem',
      /whatsapp_business_messaging and whatsapp_business_management/,
    ],
    [
      'a token that soon expires',
      'token',
      {
        '/debug_token': () =>
          Response.json({
            data: {
              is_valid: true,
              expires_at: Date.now() / 1000 + 9.5 * DAY_S,
              scopes: ['whatsapp_business_messaging', 'whatsapp_business_management'],
            },
          }),
      },
      {},
      'problem',
      /in 9 days/,
    ],
    [
      'a token that cannot be looked into',
      'token',
      { '/debug_token': graphError(400, 100) },
      {},
      'ok',
      /cannot be seen/,
    ],
    [
      'a messaging limit that is too low',
      'messaging-limit',
      { number: () => Response.json({ whatsapp_business_manager_messaging_limit: 'TIER_250' }) },
      {},
      'problem',
      /TIER_250/,
    ],
    [
      'no messaging limit',
      'messaging-limit',
      { number: () => Response.json({}) },
      {},
      'cannot_tell',
      /does not tell/,
    ],
    [
      'calling that is off',
      'calling-enabled',
      { '/settings': () => Response.json({ calling: { status: 'DISABLED' } }) },
      {},
      'problem',
      /off/,
    ],
    [
      'SIP mode',
      'sip-off',
      { '/settings': () => Response.json({ calling: { sip: { status: 'ENABLED' } } }) },
      {},
      'problem',
      /SIP mode/,
    ],
    [
      'a restriction',
      'restrictions',
      {
        '/settings': () =>
          Response.json({
            calling: {
              restrictions: {
                restrictions_list: [
                  { type: 'RESTRICTED_BUSINESS_INITIATED_CALLING', expiration: 4_000_000_000 },
                ],
              },
            },
          }),
      },
      {},
      'problem',
      /own calls\) until 2096/,
    ],
    [
      'a missing field',
      'webhook-fields',
      {
        '/subscriptions': () =>
          Response.json({
            data: [{ object: 'whatsapp_business_account', active: true, fields: ['calls'] }],
          }),
      },
      {},
      'problem',
      /messages/,
    ],
    [
      'webhooks that go elsewhere, without naming where exactly',
      'webhook-fields',
      {
        '/subscriptions': () =>
          Response.json({
            data: [
              {
                object: 'whatsapp_business_account',
                callback_url: 'https://front.example.com/hook/with-a-secret',
                active: true,
                fields: ['calls', 'messages'],
              },
            ],
          }),
      },
      {},
      'cannot_tell',
      /go to front\.example\.com$/,
    ],
    ['no app id', 'webhook-fields', {}, { app_id: undefined }, 'cannot_tell', /not known/],
    [
      'an app that is not subscribed',
      'account-subscription',
      { '/subscribed_apps': () => Response.json({ data: [] }) },
      {},
      'problem',
      /No app/,
    ],
    [
      'another app',
      'account-subscription',
      {
        '/subscribed_apps': () =>
          Response.json({ data: [{ whatsapp_business_api_data: { id: '3' } }] }),
      },
      {},
      'problem',
      /not subscribed/,
    ],
    [
      'a clock that is wrong',
      'clock',
      { '/v25.0/': () => new Response(null, { headers: { date: new Date(0).toUTCString() } }) },
      {},
      'problem',
      /differ by/,
    ],
    ['no clock', 'clock', { '/v25.0/': () => new Response(null) }, {}, 'cannot_tell', /time/],
    [
      'LiveKit keys that are wrong',
      'livekit',
      { '/ListRooms': () => Response.json({ code: 'unauthenticated' }, { status: 401 }) },
      {},
      'problem',
      /refuses the key/,
    ],
    [
      'a LiveKit that is down',
      'livekit',
      { '/ListRooms': () => new Response('bad gateway', { status: 502 }) },
      {},
      'problem',
      /cannot be reached/,
    ],
    ['no relay', 'relay', {}, {}, 'problem', /No relay/],
    ['that no webhook ever came', 'webhook-verified', {}, {}, 'problem', /ever/],
  ])('%s', async (_name, check, changed, fields, status, why) => {
    answers = { ...answers, ...changed } as Answers;
    const rows = await examine(await register(fields));
    expect(rows[check]).toMatchObject({ status, why: expect.stringMatching(why) });
  });

  it('a token that cannot be decrypted any more', async () => {
    const id = await register();
    await testEnv.DB.prepare('UPDATE numbers SET access_token_sealed = ? WHERE id = ?')
      .bind('lost-key:AA==:AA==', id)
      .run();
    const rows = await examine(id);
    expect(rows['token']).toMatchObject({ status: 'problem' });
    expect(rows['database']).toMatchObject({ status: 'ok' });
  });
});

describe('where every call is to be recorded', () => {
  it('says whether they are, and announced', async () => {
    const id = await register({ recording: 'always' });
    const recording = async () => (await examine(id))['recording'];
    expect(await recording()).toMatchObject({ status: 'ok', why: expect.stringMatching(/told/) });
    const response = await request('/v1/prompts?name=recorded', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'audio/wav' },
      body: wavOf(sine(440, 8_000, 800)),
    });
    const { id: promptId } = await response.json<{ id: string }>();
    await api('PATCH', `/v1/numbers/${id}`, { recording_announcement: promptId });
    expect(await recording()).toMatchObject({ status: 'ok', why: expect.stringMatching(/first/) });
    await bucket().delete(`prompts/${promptId}.ogg`);
    expect(await recording()).toMatchObject({
      status: 'problem',
      why: expect.stringMatching(/^No call is recorded: the sound/),
    });
  });

  it('finds that there is nowhere to keep recordings', async () => {
    const id = (await register({ recording: 'always' })) as NumberId;
    const services = ownServices({}, { audio: null });
    const rows = await examineNumber(services, id, () => 'https://roomline.test');
    expect(rows.find(({ check }) => check === 'recording')).toMatchObject({
      status: 'problem',
      why: expect.stringMatching(/no R2 bucket/),
    });
  });
});

it('at 360dialog checks the key and where webhooks go', async () => {
  const id = await register({ provider: '360dialog' });
  answers['/settings'] = () => Response.json({ calling: { status: 'ENABLED' } });
  expect(statuses(await examine(id))).toMatchObject({
    token: 'ok',
    'messaging-limit': 'cannot_tell',
    'calling-enabled': 'ok',
    'webhook-address': 'ok',
  });
  answers['/v1/configs/webhook'] = () => Response.json({ url: 'https://other.example.com' });
  answers['/settings'] = () => Response.json({ error: 'Invalid API key' }, { status: 401 });
  const rows = await examine(id);
  expect(rows['webhook-address']).toMatchObject({ status: 'cannot_tell' });
  expect(rows['token']).toMatchObject({
    status: 'problem',
    why: expect.stringContaining('Invalid'),
  });
  for (const absent of ['graph-version', 'webhook-fields', 'account-subscription']) {
    expect(rows).not.toHaveProperty(absent);
  }
});

it('answers in time although nobody answers it, and shows no secret', async () => {
  answers = Object.fromEntries(Object.keys(healthy()).map((key) => [key, null]));
  const id = await register();
  const startedMs = performance.now();
  const rows = await examine(id);
  expect(performance.now() - startedMs).toBeLessThan(12_000);
  expect(statuses(rows)).toMatchObject({
    token: 'cannot_tell',
    clock: 'cannot_tell',
    'calling-enabled': 'cannot_tell',
    restrictions: 'cannot_tell',
    'webhook-fields': 'cannot_tell',
    livekit: 'problem',
    'graph-version': 'ok',
    database: 'ok',
  });
  const text = JSON.stringify(rows);
  for (const secret of [SECRET, 'app-secret', 'secret-of-at-least']) {
    expect(text).not.toContain(secret);
  }
});
