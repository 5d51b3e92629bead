import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWebhook } from '../../../../worker/domain/webhook.ts';

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
const webhook = (value: object) => ({
  object: 'whatsapp_business_account',
  entry: [{ id: '1', changes: [{ field: 'calls', value: { metadata, ...value } }] }],
});

describe('an announcement', () => {
  it('is read with the caller that its ids name, wherever the contact stands', () => {
    const contacts = [
      { profile: { name: 'Zoe' }, wa_id: '999' },
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

  it('of a call that a business started is not ours', () => {
    const call = { ...connect, direction: 'BUSINESS_INITIATED' };
    const answer = {
      ...connect,
      direction: undefined,
      session: { ...session, sdp_type: 'answer' },
    };
    expect(parseWebhook(webhook({ calls: [call, answer] }))).toEqual([
      { type: 'ignored', why: 'foreign-call' },
      { type: 'ignored', why: 'foreign-call' },
    ]);
  });
});

describe('an end', () => {
  it.each<[string, object, object]>([
    ['that was picked up', { start_time: '1790000001', duration: 4 }, { wasPickedUp: true }],
    ['that was not', {}, { wasPickedUp: false }],
    [
      'with an error in the call',
      { errors: [{ code: 138021, message: 'No media' }] },
      { error: '138021: No media' },
    ],
    ['with an error without code', { errors: [{ title: 'Odd' }] }, { error: 'Odd' }],
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

it('reads every entry, change and call of a batch', () => {
  const one = webhook({ calls: [connect, { ...terminate, id: 'wacid.B' }] }).entry[0];
  const ids = parseWebhook({ entry: [one, one] }).map((event) =>
    event.type === 'ignored' ? event.why : event.providerCallId,
  );
  expect(ids).toEqual(['wacid.A', 'wacid.B', 'wacid.A', 'wacid.B']);
});

it('never throws, whatever comes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (junk) => {
      parseWebhook(junk);
      parseWebhook({ entry: [{ changes: [{ field: 'calls', value: junk }] }] });
      parseWebhook(webhook({ calls: [junk], contacts: junk, errors: junk }));
    }),
  );
});
