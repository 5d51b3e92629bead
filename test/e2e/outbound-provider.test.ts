// What WhatsApp's side does late, twice, in an odd order or not at all while the business calls.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PhoneDescription } from '../local/simulator/client.ts';
import { useStack } from '../support/use-stack.ts';
import { OutboundScene } from './outbound-scene.ts';
import { graphOf } from './scene.ts';

type WebhookFaults = NonNullable<NonNullable<PhoneDescription['faults']>['webhooks']>;

const stack = useStack('outbound-provider');
let out: OutboundScene;
beforeAll(async () => {
  out = await OutboundScene.open(stack());
});
afterEach(() => out.clear());
afterAll(() => out?.scene.events.close());

describe('is connected once, and ends once, although', () => {
  it.each<[name: string, webhooks: WebhookFaults]>([
    ['every webhook comes three times', { duplicates: 2 }],
    ['the answer comes only as the deprecated connection', { sdp_in: 'connection' }],
    ['the answer comes after RINGING', { connect_after: 'ringing' }],
    ['the answer comes after ACCEPTED', { connect_after: 'accepted' }],
    ['RINGING comes after ACCEPTED', { delay_ms: { ringing: 900 } }],
    ['RINGING never comes', { drop: ['ringing'] }],
    ['statuses come without their frame', { omit_object: true }],
    ['nothing tells the number of the user', { contacts: 'no_phone' }],
    ['webhooks hold what nobody knows', { unknown_fields: true, contacts: 'omit' }],
    [
      'everything comes late, twice and in another order',
      { duplicates: 1, delay_ms: { connect: 800, ringing: 600, accepted: 100, terminate: 300 } },
    ],
  ])('%s', async (_name, webhooks) => {
    const to = await out.user({ ring_ms: 200, faults: { webhooks } });
    const { id } = await out.start({ to });
    await out.talks(id, await out.joinRoom(id));
    const { record, report } = await out.hungUp(id);
    expect(record.outcome).toMatchObject({ result: 'success', reason: 'callee-hung-up' });
    expect(graphOf(report)).toEqual(['connect 200']);
    expect(await out.dialsTo(to)).toBe(1);
  });

  it('webhooks are faster than the reply to the dial', async () => {
    await out.nextDial({ kind: 'slow', delay_ms: 1_500 });
    const { id } = await out.start({ to: await out.user({ connect_ms: 0, ring_ms: 0 }) });
    await out.talks(id, await out.joinRoom(id));
    expect((await out.hungUp(id)).record.outcome?.reason).toBe('callee-hung-up');
  });

  it('the reply to the dial is lost', async () => {
    await out.nextDial({ kind: 'act-then-drop' });
    const to = await out.user({ connect_ms: 300 });
    const { id } = await out.start({ to });
    await out.entry(id, 'dial-unsure');
    await out.talks(id, await out.joinRoom(id));
    expect((await out.hungUp(id)).record.outcome?.reason).toBe('callee-hung-up');
    expect(await out.dialsTo(to)).toBe(1);
  });

  it('our end is not confirmed at first', async () => {
    const faults = { graph: [{ action: 'terminate', kind: 'server-error', times: 2 }] } as const;
    const { id } = await out.start({ to: await out.user({ faults: faults as never }) });
    await out.scene.events.state(id, 'active');
    await stack().admin.end(id);
    const { record, report } = await out.ended(id);
    expect(record.outcome?.reason).toBe('agent-hung-up');
    expect(graphOf(report!)).toEqual([
      'connect 200',
      'terminate 500',
      'terminate 500',
      'terminate 200',
    ]);
  });
});

describe('ends', () => {
  it.each<[name: string, phone: PhoneDescription, reason: string]>([
    [
      'as declined: the end comes before the answer',
      { behaviour: 'reject', faults: { webhooks: { terminate_before_connect: true } } },
      'callee-rejected',
    ],
    [
      'as declined: REJECTED twice, before RINGING',
      {
        behaviour: 'reject',
        ring_ms: 100,
        faults: { webhooks: { duplicates: 1, delay_ms: { ringing: 500 } } },
      },
      'callee-rejected',
    ],
    [
      'as not answered: the end is all that is said of a refusal',
      { behaviour: 'reject', faults: { webhooks: { drop: ['rejected'] } } },
      'callee-no-answer',
    ],
    [
      'as hung up: ACCEPTED never came, the end tells of the pickup',
      { talk_ms: 1_200, faults: { webhooks: { drop: ['accepted'] } } },
      'callee-hung-up',
    ],
  ])('%s', async (_name, phone, reason) => {
    const { id } = await out.start({ to: await out.user(phone) });
    const { record, report } = await out.ended(id);
    expect(record.outcome?.reason).toBe(reason);
    expect(graphOf(report!)).toEqual(['connect 200']);
  });

  it('with what failed at the provider', async () => {
    const { id } = await out.start({ to: await out.user({ behaviour: 'ignore' }) });
    await stack().simulator.hangUp((await out.rings(id)).id, { error_code: 138020 });
    const { record } = await out.ended(id);
    expect(record.outcome).toMatchObject({
      result: 'upstream_error',
      reason: 'callee-set-up-failed',
      ended_by: 'provider',
    });
  });

  it.each([
    ['too many requests', { kind: 'rate-limit' }, 'upstream_error', 'rate-limited'],
    ['an expired token', { kind: 'token-expired' }, 'client_error', 'token-rejected'],
    ['too many calls', { kind: 'error', code: 138_002 }, 'upstream_error', 'provider-busy'],
    ['no payment', { kind: 'error', code: 131_044 }, 'client_error', 'payment-missing'],
    ['no such country', { kind: 'error', code: 138_013 }, 'client_error', 'country-not-available'],
  ] as const)(
    'at once for %s, and nobody is called again',
    async (_name, fault, result, reason) => {
      await out.nextDial(fault);
      const to = await out.user();
      const { id } = await out.start({ to });
      expect((await out.ended(id)).record.outcome).toMatchObject({ result, reason });
      expect(await out.dialsTo(to)).toBe(0);
    },
  );

  it.each([
    ['the provider fails', { kind: 'server-error' }],
    ['the provider says that it did not succeed', { kind: 'success-false' }],
    ['the provider cuts the request off before it acts', { kind: 'drop' }],
  ] as const)('as unconfirmed when %s and nothing more is heard', async (_name, fault) => {
    await out.nextDial(fault);
    const to = await out.user();
    const { id } = await out.start({ to, ring_seconds: 5 });
    await out.scene.events.first('outcome', ({ call }) => call.id === id && call.outcome !== null);
    // Nobody knows whether the phone rang, so nobody may say that it was not answered, and it is not dialled again.
    expect((await stack().admin.call(id)).outcome).toMatchObject({
      result: 'indeterminate',
      reason: 'dial-unconfirmed',
    });
    expect(await out.dialsTo(to)).toBe(0);
  });
});

it("leaves another app's calls to users alone", async () => {
  const { simulator, admin } = stack();
  const to = await out.user();
  const foreign = await simulator.foreignCall({ to, ring_ms: 100, talk_ms: 200 });
  const report = await simulator.waitFor(
    foreign.id,
    ({ webhooks }) =>
      webhooks.some(({ event }) => event === 'terminate') &&
      webhooks.every(({ status }) => status === 200),
  );
  expect(report.graph).toEqual([]);
  const { data } = await admin.request<{ data: { provider_call_id: string }[] }>(
    'GET',
    '/v1/calls?limit=200',
  );
  expect(data.map((call) => call.provider_call_id)).not.toContain(foreign.wacid);
  expect(out.scene.events.seen.some(({ call }) => call.provider_call_id === foreign.wacid)).toBe(
    false,
  );
});

it('an end of another app that carries no name does not end our call with the same user', async () => {
  const { simulator } = stack();
  const to = await out.user({ behaviour: 'ignore' });
  const { id } = await out.start({ to });
  await out.rings(id);
  const body = {
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '100000000000001',
        changes: [
          {
            field: 'calls',
            value: {
              messaging_product: 'whatsapp',
              metadata: {
                display_phone_number: stack().number.displayPhoneNumber,
                phone_number_id: stack().number.phoneNumberId,
              },
              calls: [
                {
                  id: 'wacid.of-another-app',
                  from: stack().number.displayPhoneNumber,
                  to,
                  event: 'terminate',
                  direction: 'BUSINESS_INITIATED',
                  timestamp: String(Math.floor(Date.now() / 1000)),
                  status: 'COMPLETED',
                },
              ],
            },
          },
        ],
      },
    ],
  };
  expect((await simulator.sendWebhook({ body })).status).toBe(200);
  expect((await stack().admin.call(id)).outcome).toBeNull();
  await stack().admin.end(id);
  expect((await out.ended(id)).record.outcome?.reason).toBe('cancelled');
});
