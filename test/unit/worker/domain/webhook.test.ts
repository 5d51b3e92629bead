import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWebhook, parseWebhook } from '../../../../worker/domain/webhook.ts';

const metadata = { display_phone_number: '15550109999', phone_number_id: '200000000000001' };
const session = { sdp_type: 'offer', sdp: 'v=0\r\n' };
const connect = {
  id: 'wacid.A',
  from: '351910000001',
  from_user_id: 'PT.1',
  event: 'connect',
  timestamp: '1790000000',
  direction: 'USER_INITIATED',
  session,
};
const terminate = { ...connect, event: 'terminate', session: undefined };
const webhook = (value: object, field = 'calls') => ({
  object: 'whatsapp_business_account',
  entry: [{ id: '100000000000001', changes: [{ field, value: { metadata, ...value } }] }],
});

describe('an announcement', () => {
  it('is read with the caller that its ids name, wherever the contact stands', () => {
    const contacts = [
      { profile: { name: 'Zoe' }, wa_id: '999' },
      null,
      { profile: { name: 'Ana' }, wa_id: '351910000001', parent_user_id: 'PT.ENT.1' },
    ];
    expect(
      parseWebhook(webhook({ contacts, calls: [{ ...connect, cta_payload: 'spring' }] })),
    ).toEqual([
      {
        type: 'offer',
        phoneNumberId: '200000000000001',
        providerCallId: 'wacid.A',
        atMs: 1_790_000_000_000,
        caller: { phone: '351910000001', bsuid: 'PT.1', parentBsuid: 'PT.ENT.1', name: 'Ana' },
        payload: 'spring',
        sdp: 'v=0\r\n',
      },
    ]);
  });

  it.each<[string, object]>([
    ['without contacts', {}],
    ['with contacts that are not a list', { contacts: 'none' }],
    ['with a phone that is missing', { calls: [{ ...connect, from: undefined }] }],
    ['without a direction', { calls: [{ ...connect, direction: undefined }] }],
    ['with a timestamp that is a number', { calls: [{ ...connect, timestamp: 1_790_000_000 }] }],
    ['with fields that nobody knows', { calls: [{ ...connect, surprise: { a: 1 } }] }],
  ])('is read %s', (_name, value) => {
    expect(parseWebhook(webhook({ calls: [connect], ...value }))).toMatchObject([
      { type: 'offer', providerCallId: 'wacid.A' },
    ]);
  });

  it('that contradicts itself is malformed', () => {
    const calls = [
      { ...connect, session: { ...session, sdp_type: 'answer' } },
      { ...connect, direction: 'BUSINESS_INITIATED' },
      { ...connect, session: undefined },
    ];
    expect(parseWebhook(webhook({ calls }))).toEqual(
      calls.map(() => ({ type: 'ignored', why: 'malformed-event' })),
    );
  });
});

describe("the provider's answer to a call that we started", () => {
  const answer = {
    id: 'wacid.B',
    from: '15550109999',
    to: '351910000001',
    to_user_id: 'PT.1',
    event: 'connect',
    timestamp: '1790000001',
    direction: 'BUSINESS_INITIATED',
    biz_opaque_callback_data: 'attempt-1',
    session: { sdp_type: 'answer', sdp: 'v=0\r\nanswer' },
  };
  const expected = {
    type: 'answer',
    phoneNumberId: '200000000000001',
    providerCallId: 'wacid.B',
    atMs: 1_790_000_001_000,
    opaque: 'attempt-1',
    user: { phone: '351910000001', bsuid: 'PT.1' },
    sdp: 'v=0\r\nanswer',
  };

  it.each<[string, object, object]>([
    ['as documented', {}, {}],
    ['without a direction, told by its SDP', { direction: undefined }, {}],
    ['without what we gave along', { biz_opaque_callback_data: undefined }, { opaque: null }],
    ['without the phone', { to: undefined }, { user: { bsuid: 'PT.1' } }],
    [
      'with its SDP only in the deprecated place',
      {
        session: undefined,
        connection: { webrtc: { sdp: JSON.stringify({ sdp: 'v=0\r\nold', type: 'answer' }) } },
      },
      { sdp: 'v=0\r\nold' },
    ],
    [
      'with both, the documented place first',
      { connection: { webrtc: { sdp: JSON.stringify({ sdp: 'v=0\r\nold', type: 'answer' }) } } },
      {},
    ],
  ])('is read %s', (_name, fields, changed) => {
    expect(parseWebhook(webhook({ calls: [{ ...answer, ...fields }] }))).toEqual([
      { ...expected, ...changed },
    ]);
  });

  it.each([{ webrtc: { sdp: 'not JSON' } }, { webrtc: { sdp: '{"sdp":""}' } }, 'text', null])(
    'without any SDP is malformed: %j',
    (connection) => {
      const calls = [{ ...answer, session: undefined, connection }];
      expect(parseWebhook(webhook({ calls }))).toEqual([
        { type: 'ignored', why: 'malformed-event' },
      ]);
    },
  );
});

describe('a status', () => {
  const status = {
    id: 'wacid.B',
    timestamp: '1790000020',
    type: 'call',
    status: 'ACCEPTED',
    recipient_id: '351910000001',
    biz_opaque_callback_data: 'attempt-1',
  };

  it.each<[string, object, object]>([
    ['pickup', {}, { status: 'accepted', opaque: 'attempt-1' }],
    ['ringing', { status: 'RINGING' }, { status: 'ringing' }],
    ['rejection', { status: 'Rejected' }, { status: 'rejected' }],
    [
      'with a parent id under the documented name',
      { recipient_id: undefined, recipient_parent_user_id: 'PT.ENT.1' },
      { user: { parentBsuid: 'PT.ENT.1' } },
    ],
    [
      'with a parent id under the other name',
      { recipient_id: undefined, parent_recipient_user_id: 'PT.ENT.2' },
      { user: { parentBsuid: 'PT.ENT.2' } },
    ],
  ])('of %s is read', (_name, fields, expected) => {
    const { object: _, ...body } = webhook({ statuses: [{ ...status, ...fields }] });
    expect(parseWebhook(body)).toMatchObject([
      { type: 'status', providerCallId: 'wacid.B', atMs: 1_790_000_020_000, ...expected },
    ]);
  });

  it('that nobody knows is counted', () => {
    const statuses = [{ ...status, status: 'TERMINATED' }, { status: 'RINGING' }];
    expect(parseWebhook(webhook({ statuses }))).toEqual([
      { type: 'ignored', why: 'unknown-event' },
      { type: 'ignored', why: 'malformed-event' },
    ]);
  });
});

describe('an end', () => {
  it.each<[string, object, object]>([
    [
      'that was picked up',
      { start_time: '1790000001', end_time: '1790000005', duration: 4 },
      { wasPickedUp: true, startedAtMs: 1_790_000_001_000, endedAtMs: 1_790_000_005_000 },
    ],
    [
      'that was not, although it is called completed',
      { status: 'COMPLETED' },
      { wasPickedUp: false },
    ],
    ['with a status that is a list', { status: ['Failed', 'Completed'] }, { wasPickedUp: false }],
    [
      'with an error in the call',
      { errors: [{ code: 138021, message: 'No media' }] },
      { errorCode: 138021, error: '138021: No media' },
    ],
    ['with an error without code', { errors: [{ title: 'Odd' }] }, { error: 'Odd' }],
    [
      'of a user’s call',
      {},
      { direction: 'inbound', user: { phone: '351910000001', bsuid: 'PT.1' } },
    ],
    [
      'of our own call',
      {
        direction: 'BUSINESS_INITIATED',
        from: '15550109999',
        from_user_id: undefined,
        to: '351910000002',
        biz_opaque_callback_data: 'attempt-1',
      },
      { direction: 'outbound', user: { phone: '351910000002' }, opaque: 'attempt-1' },
    ],
    [
      'without a direction: the user is whoever is not our number',
      { direction: undefined, from: '15550109999', from_user_id: undefined, to: '351910000002' },
      { direction: null, user: { phone: '351910000002' } },
    ],
  ])('%s', (_name, fields, expected) => {
    expect(parseWebhook(webhook({ calls: [{ ...terminate, ...fields }] }))).toMatchObject([
      { type: 'terminate', ...expected },
    ]);
  });

  it('with the error beside the call', () => {
    expect(
      parseWebhook(webhook({ calls: [terminate], errors: [{ code: 1, title: 'T' }] })),
    ).toMatchObject([{ type: 'terminate', error: '1: T' }]);
  });
});

describe('an answer to a permission request', () => {
  const reply = (fields: object, message: object = {}) =>
    webhook(
      {
        contacts: [{ profile: { name: 'Ana' }, wa_id: '351910000001', user_id: 'PT.1' }],
        messages: [
          {
            from: '351910000001',
            id: 'wamid.REPLY',
            timestamp: '1790000000',
            type: 'interactive',
            context: { from: '15550109999', id: 'wamid.REQUEST' },
            interactive: { type: 'call_permission_reply', call_permission_reply: fields },
            ...message,
          },
        ],
      },
      'messages',
    );
  const temporary = {
    response: 'accept',
    is_permanent: false,
    expiration_timestamp: '1790604800',
    response_source: 'user_action',
  };

  it.each<[string, object, object, object]>([
    [
      'granted for a time',
      temporary,
      {},
      {
        isGranted: true,
        isPermanent: false,
        expiresAtMs: 1_790_604_800_000,
        isAutomatic: false,
        contextId: 'wamid.REQUEST',
        messageId: 'wamid.REPLY',
      },
    ],
    [
      'with an expiry that is a number',
      { ...temporary, expiration_timestamp: 1_790_604_800 },
      {},
      { expiresAtMs: 1_790_604_800_000 },
    ],
    [
      'granted for good',
      { response: 'accept', is_permanent: true, response_source: 'user_action' },
      {},
      { isGranted: true, isPermanent: true, expiresAtMs: null },
    ],
    [
      'granted for good in the profile',
      { response: 'accept', is_permanent: true, response_source: 'user_action' },
      { context: undefined },
      { isPermanent: true, contextId: null },
    ],
    [
      'declined',
      { response: 'reject', response_source: 'user_action' },
      {},
      { isGranted: false, isPermanent: false, expiresAtMs: null },
    ],
    [
      'granted by the provider after the user called',
      { ...temporary, response_source: 'automatic' },
      { context: { id: 'wacid.THEIRS' } },
      { isGranted: true, isAutomatic: true, contextId: 'wacid.THEIRS' },
    ],
    [
      'revoked by the provider',
      { response: 'reject', response_source: 'automatic' },
      { context: undefined },
      { isGranted: false, isAutomatic: true, contextId: null },
    ],
    ['without a type', temporary, { type: undefined }, { isGranted: true }],
    [
      'without the phone',
      temporary,
      { from: undefined, from_user_id: 'PT.1' },
      { user: { phone: '351910000001', bsuid: 'PT.1', name: 'Ana' } },
    ],
  ])('%s', (_name, fields, message, expected) => {
    expect(parseWebhook(reply(fields, message))).toMatchObject([
      {
        type: 'permission-reply',
        phoneNumberId: '200000000000001',
        atMs: 1_790_000_000_000,
        ...expected,
      },
    ]);
  });

  it.each([{}, { response: 'maybe' }, 'accept', null])('that cannot be read: %j', (fields) => {
    expect(parseWebhook(reply(fields as object))).toEqual([
      { type: 'ignored', why: 'malformed-event' },
    ]);
  });
});

describe('a message', () => {
  const message = { from: '351910000001', id: 'wamid.1', timestamp: '1790000000', type: 'text' };
  const parsed = (fields: object) =>
    parseWebhook(webhook({ messages: [{ ...message, ...fields }] }, 'messages'));

  it('tells only who wrote and when', () => {
    expect(parsed({ text: { body: 'Hello' } })).toEqual([
      {
        type: 'message',
        phoneNumberId: '200000000000001',
        atMs: 1_790_000_000_000,
        user: { phone: '351910000001' },
      },
    ]);
  });

  it('of the provider itself is not one of the user', () => {
    expect(parsed({ type: 'system' })).toEqual([{ type: 'ignored', why: 'other-field' }]);
  });

  it('report of a delivery is not a message', () => {
    const body = webhook({ statuses: [{ id: 'wamid.1', status: 'sent' }] }, 'messages');
    expect(parseWebhook(body)).toEqual([{ type: 'ignored', why: 'other-field' }]);
  });
});

describe('changed settings', () => {
  const settings = (value: object) => ({
    entry: [{ id: '1', changes: [{ field: 'account_settings_update', value }] }],
  });

  it.each(['phone_number_settings', 'PHONE_NUMBER_SETTINGS'])('are read, type %s', (type) => {
    const phone_number_settings = { phone_number_id: '2', calling: { status: 'ENABLED' } };
    expect(parseWebhook(settings({ type, phone_number_settings }))).toEqual([
      { type: 'settings', phoneNumberId: '2', calling: { status: 'ENABLED' } },
    ]);
  });

  it('that are not about calling have none', () => {
    const phone_number_settings = { phone_number_id: '2', calling: null };
    expect(parseWebhook(settings({ phone_number_settings }))).toMatchObject([{ calling: null }]);
  });
});

describe('news of an account', () => {
  const account = (value: object, id = '100000000000001') => ({
    entry: [{ id, time: 1, changes: [{ field: 'account_update', value }] }],
  });
  const restricted = (restriction_type: string, more: object = {}) => ({
    phone_number: '+1 555 010 9999',
    event: 'ACCOUNT_RESTRICTION',
    restriction_info: [{ restriction_type, ...more }],
  });

  it.each<[string, object]>([
    ['RESTRICTED_BUSINESS_INITIATED_CALLING', { inbound: false, outbound: true }],
    ['RESTRICTED_USER_INITIATED_CALLING', { inbound: true, outbound: false }],
    ['RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN', { inbound: true, outbound: false }],
    ['RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING', { inbound: true, outbound: true }],
    ['LOW_CALLING_QUALITY', { inbound: false, outbound: true }],
  ])('reads the restriction %s', (name, directions) => {
    expect(parseWebhook(account(restricted(name, { expiration: 1_790_000_000 })))).toEqual([
      {
        type: 'account',
        displayPhoneNumber: '15550109999',
        accountId: '100000000000001',
        event: 'ACCOUNT_RESTRICTION',
        restrictions: [{ name, ...directions, untilMs: 1_790_000_000_000 }],
        warning: null,
      },
    ]);
  });

  it('reads a warning', () => {
    const value = {
      event: 'ACCOUNT_VIOLATION',
      violation_info: { violation_type: 'USER_INITIATED_CALLS_LOW_PICKUP_RATE' },
    };
    expect(parseWebhook(account(value, '0'))).toMatchObject([
      {
        warning: 'USER_INITIATED_CALLS_LOW_PICKUP_RATE',
        displayPhoneNumber: null,
        accountId: null,
        restrictions: [],
      },
    ]);
  });

  it('reads lists at the top level and in the value', () => {
    const value = restricted('RESTRICTED_USER_INITIATED_CALLING');
    const one = { type: 'account', restrictions: [{ untilMs: null }] };
    expect(parseWebhook([account(value)])).toMatchObject([one]);
    expect(parseWebhook(account([value, value]))).toMatchObject([one, one]);
  });

  it('leaves what is not about calling to others', () => {
    const values = [
      restricted('RESTRICTED_ADD_PHONE_NUMBER_ACTION'),
      { event: 'VOLUME_BASED_PRICING_TIER_UPDATE' },
    ];
    for (const value of values) {
      expect(parseWebhook(account(value))).toEqual([{ type: 'ignored', why: 'other-field' }]);
    }
  });
});

it('reads every entry, change and call of a batch', () => {
  const one = webhook({ calls: [connect, { ...terminate, id: 'wacid.B' }] }).entry[0];
  const ids = parseWebhook({ entry: [one, one] }).map((event) =>
    'providerCallId' in event ? event.providerCallId : event.type,
  );
  expect(ids).toEqual(['wacid.A', 'wacid.B', 'wacid.A', 'wacid.B']);
});

describe('what a body is about', () => {
  it.each<[string, unknown, object]>([
    ['calls', webhook({ calls: [connect] }), { isCallsOnly: true }],
    ['messages', webhook({ messages: [] }, 'messages'), { isCallsOnly: false }],
    ['nothing', { entry: [] }, { isCallsOnly: true, phoneNumberIds: [] }],
    ['something unknown', 'text', { isCallsOnly: false, phoneNumberIds: [], accountIds: [] }],
    [
      'an account',
      { entry: [{ id: '0', changes: [{ field: 'account_update', value: {} }] }] },
      { isCallsOnly: false, phoneNumberIds: [], accountIds: [] },
    ],
    [
      'several numbers, one of them twice',
      {
        entry: [
          webhook({ calls: [connect] }).entry[0],
          webhook({}, 'messages').entry[0],
          webhook({ metadata: { phone_number_id: 7 } }, 'flows').entry[0],
        ],
      },
      {
        isCallsOnly: false,
        phoneNumberIds: ['200000000000001', '7'],
        accountIds: ['100000000000001'],
      },
    ],
  ])('%s', (_name, body, expected) => {
    expect(describeWebhook(body)).toMatchObject(expected);
  });
});

it('never throws, whatever comes', () => {
  const fields = ['calls', 'messages', 'account_update', 'account_settings_update'];
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...fields), (junk, field) => {
      parseWebhook(junk);
      describeWebhook(junk);
      parseWebhook({ entry: [{ id: junk, changes: [{ field, value: junk }] }] });
      parseWebhook(webhook({ calls: [junk], contacts: junk, errors: junk, statuses: [junk] }));
      parseWebhook(webhook({ messages: [junk], contacts: [junk] }, 'messages'));
      parseWebhook(webhook({ event: 'x', restriction_info: [junk] }, field));
    }),
  );
});
