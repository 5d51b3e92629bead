import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOpen } from '../../local/simulator/call-hours.ts';
import type { AccountUpdate } from '../../local/simulator/control-schemas.ts';
import { DAY_MS } from '../../local/simulator/clock.ts';
import { BusinessPeer } from './business-peer.ts';
import { POLL, Scene, USER } from './scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.close());

const write = (calling: unknown) => scene.graph('POST', 'settings', { calling });
const read = async (query = '') => (await scene.graph('GET', `settings${query}`)).body.calling;

/** Values of all webhooks of a field. */
const told = (field: string) =>
  scene.receiver.arrived
    .map(
      ({ text }) =>
        JSON.parse(text) as { entry?: { changes: { field: string; value: object }[] }[] },
    )
    .flatMap(({ entry = [] }) => entry.flatMap(({ changes }) => changes))
    .filter((change) => change.field === field)
    .map(({ value }) => value);

const DAY = { day_of_week: 'MONDAY', open_time: '0900', close_time: '1800' };
const HOURS = {
  status: 'ENABLED',
  timezone_id: 'Europe/Lisbon',
  weekly_operating_hours: [DAY],
};

describe('settings', () => {
  it('keep everything that can be set, and hours are replaced as a whole', async () => {
    const all = {
      call_icon_visibility: 'DISABLE_ALL',
      call_icons: { restrict_to_user_countries: ['BR', 'IN'] },
      callback_permission_status: 'ENABLED',
      call_hours: {
        ...HOURS,
        holiday_schedule: [{ date: '2099-12-25', start_time: '0000', end_time: '2359' }],
      },
      srtp_key_exchange_protocol: 'DTLS',
      audio: { additional_codecs: ['PCMU'] },
      voicemail: { status: 'ENABLED', triggers: ['REJECT', 'TIMEOUT'] },
    };
    expect((await write(all)).body).toEqual({ success: true });
    expect(await read()).toEqual({ status: 'ENABLED', ...all });
    await write({ call_hours: HOURS });
    expect(await read()).toMatchObject({ call_hours: HOURS, voicemail: all.voicemail });
    expect((await read())?.['call_hours']).not.toHaveProperty('holiday_schedule');
  });

  it.each<[name: string, calling: unknown, details: RegExp]>([
    ['nothing', undefined, /calling/],
    ['an unknown status', { status: 'ON' }, /calling\.status/],
    ['a visibility of the FAQ', { call_icon_visibility: 'HIDE_IN_CHAT' }, /call_icon_visibility/],
    ['what can only be read', { restrictions: {} }, /restrictions/],
    ['a country by name', { call_icons: { restrict_to_user_countries: ['Brazil'] } }, /countries/],
    ['an unknown codec', { audio: { additional_codecs: ['G722'] } }, /codecs/],
    ['a bad time zone', { call_hours: { ...HOURS, timezone_id: 'Mars/Base' } }, /timezone_id/],
    ['an empty week', { call_hours: { ...HOURS, weekly_operating_hours: [] } }, /not be empty/],
    [
      'three ranges a day',
      { call_hours: { ...HOURS, weekly_operating_hours: [DAY, DAY, DAY] } },
      /more than 2/,
    ],
    [
      'overlapping ranges',
      {
        call_hours: {
          ...HOURS,
          weekly_operating_hours: [DAY, { ...DAY, open_time: '1700', close_time: '1900' }],
        },
      },
      /overlap/,
    ],
    [
      'a range that ends before it starts',
      { call_hours: { ...HOURS, weekly_operating_hours: [{ ...DAY, close_time: '0800' }] } },
      /before close_time/,
    ],
    [
      'a time with a colon',
      { call_hours: { ...HOURS, weekly_operating_hours: [{ ...DAY, open_time: '09:00' }] } },
      /HHMM/,
    ],
    [
      'a past holiday',
      {
        call_hours: {
          ...HOURS,
          holiday_schedule: [{ date: '2020-12-25', start_time: '0000', end_time: '2359' }],
        },
      },
      /past/,
    ],
    [
      'a holiday that is no date',
      {
        call_hours: {
          ...HOURS,
          holiday_schedule: [{ date: 'Easter', start_time: '0000', end_time: '2359' }],
        },
      },
      /YYYY-MM-DD/,
    ],
    [
      'two SIP servers',
      { sip: { servers: [{ hostname: 'a.test' }, { hostname: 'b.test' }] } },
      /one server/,
    ],
  ])('refuse %s and stay as they were', async (_name, calling, details) => {
    const before = await read();
    const { status, body } = await write(calling);
    expect([status, body.error?.code]).toEqual([400, 100]);
    expect(body.error?.error_data.details).toMatch(details);
    expect(await read()).toEqual(before);
  });

  it('cannot be enabled below the messaging limit, except for a test number', async () => {
    await write({ status: 'DISABLED' });
    await scene.client.changeNumber(scene.id, { messaging_limit: 250 });
    expect((await write({ status: 'ENABLED' })).body.error?.code).toBe(138015);
    await scene.client.changeNumber(scene.id, { sandbox: true });
    expect((await write({ status: 'ENABLED' })).status).toBe(200);
  });

  it('cannot be enabled without a subscription, except with SIP', async () => {
    await scene.client.changeNumber(scene.id, { subscribed_fields: ['messages'] });
    expect((await write({ status: 'ENABLED' })).body.error?.code).toBe(138018);
    const sip = { status: 'ENABLED', servers: [{ hostname: 'sip.example.com' }] };
    expect((await write({ status: 'ENABLED', sip })).status).toBe(200);
  });

  it.each(['phone_number_settings', 'PHONE_NUMBER_SETTINGS'] as const)(
    'announce what changed, as %s',
    async (type) => {
      await scene.client.changeNumber(scene.id, { settings_event_type: type });
      await write({ callback_permission_status: 'ENABLED' });
      await write({ callback_permission_status: 'ENABLED' });
      await write({ audio: { additional_codecs: ['PCMU'] } });
      await write({ status: 'DISABLED' });
      await expect.poll(() => told('account_settings_update').length, POLL).toBe(2);
      expect(told('account_settings_update')).toMatchObject([
        {
          type,
          phone_number_settings: {
            phone_number_id: scene.id,
            calling: { status: 'ENABLED', callback_permission_status: 'ENABLED' },
          },
        },
        { phone_number_settings: { calling: { status: 'DISABLED' } } },
      ]);
    },
  );

  it('that disable calling stop users, the business, and permission requests', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent', window: 'open' });
    await write({ status: 'DISABLED' });
    await expect(scene.client.call()).rejects.toThrow(/409.*calling is disabled/);
    const peer = await BusinessPeer.offering();
    expect((await scene.connect(peer.offer)).body.error?.code).toBe(138000);
    await peer.close();
    expect((await scene.askPermission()).body.error?.code).toBe(138000);
    const query = `call_permissions?user_wa_id=${USER}`;
    expect((await scene.graph('GET', query)).body.error?.code).toBe(138000);
  });

  it('with SIP take calls elsewhere, and show its password only when asked', async () => {
    await write({ sip: { status: 'ENABLED', servers: [{ hostname: 'sip.example.com' }] } });
    await expect(scene.client.call()).rejects.toThrow(/SIP/);
    const answer = await scene.connect('');
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 131055 } } });
    expect(JSON.stringify(await read())).not.toContain('sip_user_password');
    const asked = await read('?include_sip_credentials=true');
    expect(asked?.['sip']).toMatchObject({
      servers: [{ port: 5061, sip_user_password: expect.any(String) }],
    });
  });
});

describe('call hours', () => {
  // 2026-11-23 is a Monday; Lisbon is on UTC then.
  const at = (time: string) => Date.parse(`2026-11-23T${time}Z`);
  it.each([
    ['08:59', false],
    ['09:00', true],
    ['17:59', true],
    ['18:00', false],
  ])('at %s the business is open: %s', (time, open) => {
    expect(isOpen(HOURS, at(time))).toBe(open);
  });

  it('a holiday replaces the hours of its day, and disabled hours close nothing', () => {
    const holiday = { date: '2026-11-23', start_time: '2000', end_time: '2100' };
    const hours = { ...HOURS, holiday_schedule: [holiday] };
    expect(isOpen(hours, at('10:00'))).toBe(false);
    expect(isOpen(hours, at('20:30'))).toBe(true);
    expect(isOpen({ ...hours, status: 'DISABLED' }, at('03:00'))).toBe(true);
    expect(isOpen(undefined, at('03:00'))).toBe(true);
  });
});

describe('account updates', () => {
  const restricted = (type: NonNullable<AccountUpdate['restrictions']>[number]['type']) =>
    scene.client.accountUpdate(scene.id, {
      event: 'ACCOUNT_RESTRICTION',
      restrictions: [{ type }],
    });
  const dialCode = async () => {
    const peer = await scene.peer();
    return (await scene.connect(peer.offer)).body.error?.code;
  };

  it.each([
    ['RESTRICTED_BUSINESS_INITIATED_CALLING', true, false],
    ['RESTRICTED_USER_INITIATED_CALLING', false, true],
    ['RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING', true, true],
    ['RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN', false, false],
    ['LOW_CALLING_QUALITY', false, false],
  ] as const)(
    '%s is told and blocks the business: %s, and users: %s',
    async (type, out, inbound) => {
      await scene.client.setPermission({ user: USER, window: 'open' });
      await restricted(type);
      expect(told('account_update')).toMatchObject([
        {
          event: 'ACCOUNT_RESTRICTION',
          phone_number: '15550109999',
          restriction_info: [{ restriction_type: type, expiration: expect.any(Number) }],
        },
      ]);
      expect(await read()).toMatchObject({ restrictions: { restrictions_list: [{ type }] } });
      expect(await dialCode()).toBe(out ? 138014 : 138006);
      expect((await scene.askPermission()).body.error?.code).toBe(out ? 138014 : undefined);
      const call = scene.client.call();
      if (inbound) await expect(call).rejects.toThrow(type);
      else await call;
    },
  );

  it('restrictions end after seven days, or when they are lifted', async () => {
    await restricted('RESTRICTED_BUSINESS_INITIATED_CALLING');
    expect(await dialCode()).toBe(138014);
    await scene.client.advanceClock(7 * DAY_MS);
    expect(await dialCode()).toBe(138006);
    await restricted('RESTRICTED_BUSINESS_INITIATED_CALLING');
    await scene.client.liftRestrictions(scene.id);
    expect(await dialCode()).toBe(138006);
    expect(await read()).not.toHaveProperty('restrictions');
  });

  it('a hidden button comes back when the business shows it', async () => {
    await restricted('RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN');
    await write({ call_icon_visibility: 'DEFAULT' });
    expect(await read()).not.toHaveProperty('restrictions');
  });

  it('violations and price tiers are told, also with an array at the top', async () => {
    const violation_type = 'USER_INITIATED_CALLS_LOW_PICKUP_RATE';
    const remediation = 'answer more calls';
    await scene.client.accountUpdate(scene.id, {
      event: 'ACCOUNT_VIOLATION',
      violation_type,
      remediation,
    });
    await scene.client.accountUpdate(scene.id, {
      event: 'VOLUME_BASED_PRICING_TIER_UPDATE',
      shape: 'array',
    });
    const [first, second] = scene.receiver.arrived.map(({ text }) => JSON.parse(text) as unknown);
    expect(first).toMatchObject({
      entry: [
        { id: '0', changes: [{ value: { violation_info: { violation_type, remediation } } }] },
      ],
    });
    expect(second).toMatchObject([{ entry: [{ changes: [{ field: 'account_update' }] }] }]);
  });

  it('without a payment method a user gets no call, and the business an error', async () => {
    await scene.client.changeNumber(scene.id, { has_payment_method: false });
    await expect(scene.client.call()).rejects.toThrow(/payment/);
    await expect.poll(() => told('calls'), POLL).toMatchObject([{ errors: [{ code: 131044 }] }]);
  });

  it('nothing is told to an app that is not subscribed', async () => {
    await scene.client.changeNumber(scene.id, { subscribed_fields: ['messages'] });
    const { id } = await scene.client.call();
    await scene.client.hangUp(id);
    const { timeline, webhooks } = await scene.client.get(id);
    expect(timeline.map(({ what }) => what)).toContain('connect withheld');
    expect(webhooks).toEqual([]);
  });
});

describe('what a set-up check asks', () => {
  const APP = 'app-secret-is-not-a-token';
  const asApp = '300000000000001|simulated-app-secret';

  it('tells the token, its scopes and its end', async () => {
    await scene.client.changeNumber(scene.id, { token_scopes: ['whatsapp_business_messaging'] });
    const path = '/debug_token?input_token=simulated-access-token';
    const { body } = await scene.graph('GET', path, undefined, asApp);
    expect(body.data).toMatchObject({
      is_valid: true,
      app_id: '300000000000001',
      scopes: ['whatsapp_business_messaging'],
    });
    const unknown = await scene.graph('GET', '/debug_token?input_token=x', undefined, asApp);
    expect(unknown.body.data).toMatchObject({ is_valid: false });
    expect((await scene.graph('GET', path, undefined, APP)).body.error?.code).toBe(190);
  });

  it('a token that is no longer valid is refused everywhere', async () => {
    await scene.client.changeNumber(scene.id, { token_is_valid: false });
    expect(await scene.graph('GET', 'settings')).toMatchObject({
      status: 401,
      body: { error: { code: 190 } },
    });
  });

  it('tells the fields of a number that were asked for', async () => {
    await scene.client.changeNumber(scene.id, { messaging_limit: 10_000, quality_rating: 'RED' });
    const fields = 'display_phone_number,quality_rating,messaging_limit_tier,webhook_configuration';
    const { body } = await scene.graph('GET', `/${scene.id}?fields=${fields}`);
    expect(body).toMatchObject({
      id: scene.id,
      display_phone_number: '+15550109999',
      quality_rating: 'RED',
      messaging_limit_tier: 'TIER_10K',
      webhook_configuration: { application: expect.stringMatching(/^http:/) },
    });
    expect(body).not.toHaveProperty('verified_name');
  });

  it('tells and changes the subscriptions of account and app', async () => {
    const account = `/${scene.simulator.number.wabaId}/subscribed_apps`;
    expect((await scene.graph('GET', account)).body.data).toMatchObject([
      { whatsapp_business_api_data: { id: '300000000000001' } },
    ]);
    await scene.graph('DELETE', account);
    expect((await scene.graph('GET', account)).body.data).toEqual([]);
    await scene.graph('POST', account);
    const app = '/300000000000001/subscriptions';
    expect((await scene.graph('GET', app)).body.error?.code).toBe(15);
    const { body } = await scene.graph('GET', app, undefined, asApp);
    expect(body.data).toMatchObject([
      {
        object: 'whatsapp_business_account',
        fields: expect.arrayContaining([{ name: 'calls', version: 'v23.0' }]),
      },
    ]);
  });

  it('verifies a new address before it takes it', async () => {
    const app = '/300000000000001/subscriptions';
    const subscription = {
      object: 'whatsapp_business_account',
      callback_url: `${(await scene.client.number(scene.id)).webhookUrl}`,
      verify_token: 'wrong',
      fields: 'calls,messages',
    };
    expect((await scene.graph('POST', app, subscription, asApp)).status).toBe(400);
    const right = { ...subscription, verify_token: 'simulated-verify-token' };
    expect((await scene.graph('POST', app, right, asApp)).body).toEqual({ success: true });
  });
});
