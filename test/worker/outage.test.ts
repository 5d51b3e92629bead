// The record out of reach: nothing is acknowledged that was not stored, and the next delivery finds a Switchboard that works.
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import {
  api,
  connectWebhook,
  FakeRelay,
  Outside,
  postWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

const phoneNumberId = unique('44');
let credentials: { id: string; secret: string };
let relay: FakeRelay;

beforeAll(async () => {
  Outside.open();
  await api('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '15550109999',
    access_token: 'token',
    api_base_url: 'https://graph.test',
  });
  credentials = await FakeRelay.register();
});
beforeEach(async () => {
  relay = await FakeRelay.connect(credentials);
});
afterAll(() => vi.restoreAllMocks());

/** Writes of decisions fail while this runs. */
async function withoutRecord(then: () => Promise<void>): Promise<void> {
  await testEnv.DB.exec('ALTER TABLE call_events RENAME TO call_events_away');
  try {
    await then();
  } finally {
    await testEnv.DB.exec('ALTER TABLE call_events_away RENAME TO call_events');
  }
}

const findCall = async (wacid: string): Promise<CallView | undefined> => {
  const { body } = await api<{ data: CallView[] }>('GET', '/v1/calls');
  return body.data.find((call) => call.provider_call_id === wacid);
};

it('a webhook that could not be stored is not acknowledged; its next delivery is', async () => {
  const wacid = unique('wacid.');
  const webhook = connectWebhook({ id: wacid, phoneNumberId });
  await withoutRecord(async () => {
    expect((await postWebhook(webhook)).status).toBe(503);
    expect(relay.last('call.answer')).toBeUndefined();
  });
  expect(await findCall(wacid)).toBeUndefined();
  expect((await postWebhook(webhook)).status).toBe(200);
  const call = await until('the call', () => findCall(wacid));
  await until('call.answer', () => relay.last('call.answer', call.id));
});

it("a relay's event is acknowledged only once it is stored, after the record is back", async () => {
  const wacid = unique('wacid.');
  await postWebhook(connectWebhook({ id: wacid, phoneNumberId }));
  const { id } = await until('the call', () => findCall(wacid));
  let seq = 0;
  await withoutRecord(async () => {
    seq = relay.say(id, { type: 'answered', sdp: 'v=0' });
    // The Switchboard answers this after the event, so an acknowledgement would be here by now.
    await api('GET', '/v1/relays');
    expect(relay.last('ack')).toBeUndefined();
  });
  await until('the acknowledgement', () => (relay.last('ack')?.seq ?? 0) >= seq);
  await until('ringing', async () => (await findCall(wacid))?.state === 'ringing');
});
