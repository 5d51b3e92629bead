// Business numbers: registering and changing them, their calling settings, what the provider reports about them, 360dialog's
// webhooks.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { outboundRestriction } from '../../worker/domain/restriction.ts';
import type { NumberId } from '../../worker/domain/ids.ts';
import { ownServices } from './own-services.ts';
import {
  api,
  connectWebhook,
  postWebhook,
  request,
  signature,
  testEnv,
  unique,
  until,
} from './support.ts';

interface NumberBody {
  id: string;
  provider: string;
  phone_number_id: string;
  forward_url: string | null;
  webhook_url: string;
  webhook_at: string | null;
  webhook_headers?: Record<string, string>;
}
interface ProblemBody {
  type: string;
  detail?: string;
  errors?: { field: string; expected: string }[];
  provider?: { code?: number; status?: number };
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: { calling?: Record<string, unknown> } | null;
}

/** What the worker asked outside, and what it is answered; settings that are written are read back. */
let asked: Asked[];
let calling: Record<string, unknown>;
let refusal: (() => Response) | null;

beforeEach(() => {
  asked = [];
  calling = { status: 'ENABLED' };
  refusal = null;
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const sent = new Request(input, init);
    const text = await sent.text();
    const body = text === '' ? null : (JSON.parse(text) as Asked['body']);
    asked.push({ method: sent.method, url: sent.url, headers: sent.headers, body });
    if (refusal) return refusal();
    if (!new URL(sent.url).pathname.endsWith('/settings')) return Response.json({ success: true });
    if (sent.method === 'GET') return Response.json({ calling });
    calling = { ...calling, ...body?.calling };
    return Response.json({ success: true });
  });
});
afterEach(() => vi.restoreAllMocks());

const input = (more: object = {}) => ({
  provider: 'meta',
  phone_number_id: unique('44'),
  display_phone_number: '+1 555 010 9999',
  access_token: 'very-secret-token',
  ...more,
});
const register = async (more: object = {}): Promise<NumberBody> => {
  const { status, body } = await api<NumberBody>('POST', '/v1/numbers', input(more));
  expect(status).toBe(201);
  return body;
};

describe('a number', () => {
  it('is shown and changed; what is left out stays', async () => {
    const number = await register({
      business_account_id: '1001',
      app_id: '2002',
      forward_url: 'https://inbox.example.com/hook',
    });
    expect(number).toMatchObject({
      webhook_url: 'https://roomline.test/webhooks/whatsapp',
      webhook_at: null,
    });
    expect(number.webhook_headers).toBeUndefined();
    const changed = await api('PATCH', `/v1/numbers/${number.id}`, {
      forward_url: null,
      access_token: 'another-secret',
    });
    const expected = { business_account_id: '1001', app_id: '2002', forward_url: null };
    expect(changed).toMatchObject({ status: 200, body: expected });
    expect(await api('GET', `/v1/numbers/${number.id}`)).toEqual(changed);
    await api('GET', `/v1/numbers/${number.id}/calling`);
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer another-secret');
    expect(JSON.stringify(changed)).not.toContain('secret');
  });

  it('that does not exist is 404', async () => {
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', {}],
      ['PATCH', '', { app_id: '1' }],
      ['GET', '/calling', undefined],
      ['PATCH', '/calling', {}],
      ['GET', '/doctor', undefined],
    ] as const) {
      expect((await api(method, `/v1/numbers/nope${path}`, body)).status).toBe(404);
    }
  });

  it.each([
    ['api_base_url', 'http://graph.example.com'],
    ['api_base_url', 'ftp://127.0.0.1'],
    ['forward_url', 'http://inbox.example.com'],
    ['forward_url', 'not a URL'],
    ['business_account_id', 'abc'],
    ['webhook_secret', 'short'],
  ])('with a %s of %s is refused', async (field, value) => {
    const created = await api<ProblemBody>('POST', '/v1/numbers', input({ [field]: value }));
    expect([created.status, created.body.errors?.[0]?.field]).toEqual([400, field]);
    const { id } = await register();
    const changed = await api<ProblemBody>('PATCH', `/v1/numbers/${id}`, { [field]: value });
    expect([changed.status, changed.body.errors?.[0]?.field]).toEqual([400, field]);
  });

  it.each(['https://proxy.example.com/meta/', 'http://127.0.0.1:8790', 'http://localhost:1'])(
    'may be reached at %s',
    async (api_base_url) => {
      const { id } = await register({ api_base_url });
      await api('GET', `/v1/numbers/${id}/calling`);
      expect(asked[0]?.url.startsWith(api_base_url)).toBe(true);
    },
  );

  it('remembers when it last heard of its provider', async () => {
    const { id, phone_number_id: phoneNumberId } = await register();
    await postWebhook(connectWebhook({ id: unique('wacid.'), phoneNumberId }));
    const at = await until(
      'the time',
      async () => (await api<NumberBody>('GET', `/v1/numbers/${id}`)).body.webhook_at,
    );
    expect(Date.now() - Date.parse(at)).toBeLessThan(60_000);
  });
});

describe('a number at 360dialog', () => {
  const webhook = (number: NumberBody, phoneNumberId = number.phone_number_id) =>
    JSON.stringify(connectWebhook({ id: unique('wacid.'), phoneNumberId }));
  const post = (number: NumberBody, body: string, headers: Record<string, string>) =>
    request(new URL(number.webhook_url).pathname, { method: 'POST', body, headers });
  const callsOf = async (number: NumberBody) =>
    (await api<{ data: { number_id: string }[] }>('GET', '/v1/calls')).body.data.filter(
      ({ number_id }) => number_id === number.id,
    );

  it('gets a secret header, shown once, with which its webhooks are taken', async () => {
    const number = await register({ provider: '360dialog' });
    expect(number.webhook_url).toBe(`https://roomline.test/webhooks/360dialog/${number.id}`);
    const headers = number.webhook_headers ?? {};
    expect(Object.keys(headers)).toEqual(['Authorization']);
    const shown = await api<NumberBody>('GET', `/v1/numbers/${number.id}`);
    expect(shown.body.webhook_headers).toBeUndefined();
    const row = await testEnv.DB.prepare('SELECT * FROM numbers WHERE id = ?')
      .bind(number.id)
      .first();
    expect(JSON.stringify(row)).not.toContain(headers['Authorization']?.slice(7));

    const body = webhook(number);
    expect((await post(number, body, headers)).status).toBe(200);
    expect(await callsOf(number)).toHaveLength(1);
  });

  it('is asked at its own addresses with its key', async () => {
    const number = await register({ provider: '360dialog' });
    await api('GET', `/v1/numbers/${number.id}/calling`);
    expect(asked[0]?.url).toBe('https://waba-v2.360dialog.io/calling/settings');
    expect(asked[0]?.headers.get('d360-api-key')).toBe('very-secret-token');
    expect(asked[0]?.headers.get('authorization')).toBeNull();
  });

  it.each(['', 'sha256='])('may sign its webhooks, prefix "%s"', async (prefix) => {
    const secret = 'partner-secret-0123';
    const number = await register({ provider: '360dialog', webhook_secret: secret });
    expect(number.webhook_headers).toBeUndefined();
    const body = webhook(number);
    const mac = (await signature(body, secret)).slice('sha256='.length);
    const headers = { 'x-360dialog-signature': `${prefix}${mac}` };
    expect((await post(number, `${body} `, headers)).status).toBe(401);
    expect((await post(number, body, headers)).status).toBe(200);
    expect(await callsOf(number)).toHaveLength(1);
  });

  it('refuses what does not show its own secret', async () => {
    const number = await register({ provider: '360dialog' });
    const other = await register({ provider: '360dialog' });
    const meta = await register();
    const body = webhook(number);
    const metaSignature = { 'x-hub-signature-256': await signature(body) };
    for (const headers of [
      {},
      metaSignature,
      { authorization: 'Bearer wrong' },
      { authorization: '' },
      other.webhook_headers ?? {},
      { 'x-360dialog-signature': '00' },
    ]) {
      expect((await post(number, body, headers)).status).toBe(401);
    }
    for (const id of ['nope', meta.id]) {
      const response = await request(`/webhooks/360dialog/${id}`, {
        method: 'POST',
        body,
        headers: number.webhook_headers ?? {},
      });
      expect(response.status).toBe(401);
    }
    expect(await callsOf(number)).toEqual([]);
  });

  it('speaks only of itself', async () => {
    const number = await register({ provider: '360dialog' });
    const other = await register({ provider: '360dialog' });
    const body = webhook(number, other.phone_number_id);
    expect((await post(number, body, number.webhook_headers ?? {})).status).toBe(200);
    expect([await callsOf(number), await callsOf(other)]).toEqual([[], []]);
  });

  it('cannot change what is known of another number', async () => {
    const number = await register({ provider: '360dialog' });
    const other = await register({ provider: '360dialog' });
    const settings = (phone_number_id: string) =>
      JSON.stringify({
        entry: [
          {
            id: '1',
            changes: [
              {
                field: 'account_settings_update',
                value: {
                  phone_number_settings: { phone_number_id, calling: { status: 'DISABLED' } },
                },
              },
            ],
          },
        ],
      });
    for (const { phone_number_id } of [number, other]) {
      await post(number, settings(phone_number_id), number.webhook_headers ?? {});
    }
    const known = async ({ id }: NumberBody) =>
      (await ownServices().numbers.find(id as NumberId))?.calling;
    expect([await known(number), await known(other)]).toEqual([{ status: 'DISABLED' }, null]);
  });

  it('has no challenge to answer', async () => {
    const number = await register({ provider: '360dialog' });
    expect((await request(new URL(number.webhook_url).pathname)).status).toBe(404);
  });

  it('can be given another secret', async () => {
    const number = await register({ provider: '360dialog' });
    await api('PATCH', `/v1/numbers/${number.id}`, { webhook_secret: 'replaced-secret-0' });
    const body = webhook(number);
    expect((await post(number, body, number.webhook_headers ?? {})).status).toBe(401);
    const replaced = { authorization: 'Bearer replaced-secret-0' };
    expect((await post(number, body, replaced)).status).toBe(200);
  });
});

describe('calling settings', () => {
  const hours = {
    timezone: 'Europe/Lisbon',
    weekly: [{ day: 'monday', open: '0900', close: '1800' }],
    holidays: [{ date: '2099-12-25', open: '0000', close: '2359' }],
  };

  it('are read from the provider and kept', async () => {
    const { id } = await register();
    calling = {
      status: 'DISABLED',
      sip: {
        status: 'ENABLED',
        servers: [{ hostname: 'sip.example.com', sip_user_password: 'p' }],
      },
      restrictions: {
        restrictions_list: [
          {
            type: 'RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING',
            expiration: 4_000_000_000,
          },
        ],
      },
    };
    const { status, body } = await api('GET', `/v1/numbers/${id}/calling`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      enabled: false,
      hours: null,
      sip: { enabled: true, servers: ['sip.example.com'], explanation: expect.any(String) },
      restrictions: [
        { inbound: true, outbound: true, reason: null, until: '2096-10-02T07:06:40.000Z' },
      ],
    });
    const row = await testEnv.DB.prepare('SELECT calling, restrictions FROM numbers WHERE id = ?')
      .bind(id)
      .first<{ calling: string; restrictions: string }>();
    expect(row?.calling).toContain('sip.example.com');
    expect(row?.calling).not.toContain('password');
    expect(row?.restrictions).toContain('until_ms');
  });

  it('are changed at the provider in its own words, and only what is named', async () => {
    const { id } = await register();
    const path = `/v1/numbers/${id}/calling`;
    const all = {
      enabled: true,
      icon: 'hidden',
      countries: ['PT'],
      callback_permission: true,
      hours,
      sip: 'off',
    };
    const { body } = await api('PATCH', path, all);
    expect(body).toMatchObject({ ...all, sip: { enabled: false } });
    expect(asked.find(({ method }) => method === 'POST')?.body).toEqual({
      calling: {
        status: 'ENABLED',
        call_icon_visibility: 'DISABLE_ALL',
        call_icons: { restrict_to_user_countries: ['PT'] },
        callback_permission_status: 'ENABLED',
        call_hours: {
          status: 'ENABLED',
          timezone_id: 'Europe/Lisbon',
          weekly_operating_hours: [
            { day_of_week: 'MONDAY', open_time: '0900', close_time: '1800' },
          ],
          holiday_schedule: [{ date: '2099-12-25', start_time: '0000', end_time: '2359' }],
        },
        sip: { status: 'DISABLED' },
      },
    });
    expect((await api('PATCH', path, { hours: null })).body).toMatchObject({ hours: null });
    expect(calling['call_hours']).toMatchObject({ status: 'DISABLED' });
    asked = [];
    expect((await api('PATCH', path, {})).status).toBe(200);
    expect(asked.some(({ method }) => method === 'POST')).toBe(false);
  });

  it.each<[string, object, string]>([
    [
      'a past holiday',
      { hours: { ...hours, holidays: [{ date: '2020-12-25' }] } },
      'hours.holidays.0.date',
    ],
    ['an unknown time zone', { hours: { ...hours, timezone: 'x' } }, 'hours.timezone'],
    ['no hours in a week', { hours: { ...hours, weekly: [] } }, 'hours.weekly'],
    ['an unknown country', { countries: ['Portugal'] }, 'countries.0'],
    ['an icon that is neither', { icon: 'maybe' }, 'icon'],
    ['SIP on', { sip: 'on' }, 'sip'],
  ])('with %s are refused by field, before the provider is asked', async (_name, patch, field) => {
    const { id } = await register();
    const { status, body } = await api<ProblemBody>('PATCH', `/v1/numbers/${id}/calling`, patch);
    expect([status, body.errors?.map((error) => error.field)]).toEqual([400, [field]]);
    expect(asked).toEqual([]);
  });

  it('that the provider refuses are answered with its code and text', async () => {
    const { id } = await register();
    refusal = () =>
      Response.json(
        {
          error: { code: 138015, message: 'x', error_data: { details: 'Messaging limit too low' } },
        },
        { status: 400 },
      );
    const { status, body } = await api<ProblemBody>('PATCH', `/v1/numbers/${id}/calling`, {
      enabled: true,
    });
    expect(status).toBe(502);
    expect(body).toMatchObject({
      type: 'urn:roomline:problem:upstream',
      detail: 'Messaging limit too low',
      provider: { code: 138015, status: 400 },
    });
  });

  it('are for the admin key only', async () => {
    const { id } = await register();
    const { body } = await api<{ key: string }>('POST', '/v1/agents', { name: 'Eve' });
    for (const path of ['', '/calling', '/doctor']) {
      const { status } = await api('GET', `/v1/numbers/${id}${path}`, undefined, body.key);
      expect(status).toBe(403);
    }
  });
});

describe('what the provider reports', () => {
  const report = (field: string, value: object, accountId = '0') =>
    postWebhook({ entry: [{ id: accountId, changes: [{ field, value }] }] });
  const stored = async (id: string) => {
    const number = await ownServices().numbers.find(id as NumberId);
    if (!number) throw new Error('no number');
    return number;
  };
  const restriction = (restriction_type: string, expiration: number) => ({
    event: 'ACCOUNT_RESTRICTION',
    restriction_info: [{ restriction_type, expiration }],
  });
  const SOON_S = Math.floor(Date.now() / 1000) + 3600;

  it('about settings is added to what is known', async () => {
    const { id, phone_number_id } = await register();
    calling = { status: 'ENABLED', call_icon_visibility: 'DEFAULT' };
    await api('GET', `/v1/numbers/${id}/calling`);
    const settings = (calling: object | null) => ({
      type: 'PHONE_NUMBER_SETTINGS',
      phone_number_settings: { phone_number_id, calling },
    });
    await report('account_settings_update', settings({ status: 'DISABLED' }));
    await report('account_settings_update', settings(null));
    expect((await stored(id)).calling).toEqual({
      status: 'DISABLED',
      call_icon_visibility: 'DEFAULT',
    });
  });

  it('as a restriction of one phone number forbids calls of that number until it ends', async () => {
    const display_phone_number = `1555${Date.now() % 1_000_000}`;
    const { id } = await register({ display_phone_number });
    const other = await register({ display_phone_number: '15550000000' });
    const value = restriction('RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING', SOON_S);
    await report('account_update', { ...value, phone_number: `+${display_phone_number}` });
    await report('account_update', { ...value, phone_number: `+${display_phone_number}` });
    const { restrictions } = await stored(id);
    expect(restrictions).toHaveLength(1);
    expect(outboundRestriction(restrictions, Date.now())).toMatchObject({ untilMs: SOON_S * 1000 });
    expect(outboundRestriction(restrictions, SOON_S * 1000)).toBeNull();
    expect((await stored(other.id)).restrictions).toEqual([]);
  });

  it('as a restriction of an account is about all its numbers', async () => {
    const business_account_id = unique('7');
    const numbers = [
      await register({ business_account_id }),
      await register({ business_account_id }),
    ];
    const value = restriction('RESTRICTED_BUSINESS_INITIATED_CALLING', SOON_S);
    expect((await report('account_update', value, business_account_id)).status).toBe(200);
    for (const { id } of numbers) {
      expect(outboundRestriction((await stored(id)).restrictions, Date.now())).not.toBeNull();
    }
    // Reading the settings tells what holds now.
    calling = { status: 'ENABLED', restrictions: { restrictions_list: [] } };
    const first = numbers[0]?.id ?? '';
    await api('GET', `/v1/numbers/${first}/calling`);
    expect((await stored(first)).restrictions).toEqual([]);
  });
});
