// What WhatsApp's side does wrong or in an odd order, seen through the whole product.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { useStack } from '../support/use-stack.ts';
import { dialWithOffer } from './odd-offer.ts';
import { graphOf, Scene } from './scene.ts';

const stack = useStack('provider');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

it('copies of a webhook that come at once make one call', async () => {
  const answered = await scene.talk({ faults: { webhooks: { duplicates: 5 } } });
  await stack().simulator.hangUp(answered.phone.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
  expect(graphOf(report)).toEqual(['pre_accept 200', 'accept 200']);
  const known = scene.events.seen.filter(
    ({ call }) => call.provider_call_id === answered.phone.wacid,
  );
  expect(new Set(known.map(({ call }) => call.id)).size).toBe(1);
  expect(known.filter(({ type }) => type === 'ring')).toHaveLength(1);
});

it('an end that comes before its beginning rings nobody', async () => {
  const phone = await scene.dial({
    faults: { webhooks: { terminate_before_connect: true } },
    hang_up_after_ms: 50,
  });
  const call = await scene.callOf(phone);
  const { record, report } = await scene.ended({ call, phone });
  expect(record.outcome?.reason).toBe('caller-gave-up');
  expect(graphOf(report)).toEqual([]);
});

it('a webhook with a wrong signature is refused and leaves no trace', async () => {
  const { simulator } = stack();
  const before = scene.events.seen.length;
  const answer = await simulator.sendWebhook({
    body: { object: 'whatsapp_business_account', entry: [] },
    signature: `sha256=${'0'.repeat(64)}`,
  });
  expect(answer.status).toBe(401);
  expect(scene.events.seen).toHaveLength(before);
});

it('a call to a number that is not registered here is acknowledged and left alone', async () => {
  const phone = await scene.dial({
    faults: { webhooks: { foreign_number_id: '999999999999999' } },
    hang_up_after_ms: 400,
  });
  const report = await stack().simulator.waitFor(
    phone.id,
    ({ webhooks }) => webhooks.filter(({ status }) => status === 200).length === 2,
  );
  expect(report.graph).toEqual([]);
  expect(scene.events.seen.some(({ call }) => call.provider_call_id === phone.wacid)).toBe(false);
});

it('an offer that cannot be used is rejected, and the record names what is wrong with it', async () => {
  const phone = await dialWithOffer(scene, (sdp) => sdp.replace(/opus\/48000\/2/gi, 'PCMA/8000'));
  const call = await scene.callOf(phone);
  const { record, report } = await scene.ended({ call, phone });
  expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'unusable-offer' });
  expect(record.outcome?.detail).toMatch(/opus/i);
  expect(report.ended).toEqual({ by: 'business', reason: 'reject' });
});

it('an accept that fails with 5xx is repeated, and the call is connected', async () => {
  const answered = await scene.talk({
    faults: { graph: [{ action: 'accept', kind: 'server-error', times: 2 }] },
  });
  await stack().simulator.hangUp(answered.phone.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
  const statuses = graphOf(report).filter((line) => line.startsWith('accept'));
  expect(statuses).toHaveLength(3);
  expect(statuses.at(-1)).toBe('accept 200');
});

it('an accept that acts and then breaks off is taken for done', async () => {
  const answered = await scene.talk({
    faults: { graph: [{ action: 'accept', kind: 'act-then-drop' }] },
  });
  await stack().simulator.hangUp(answered.phone.id);
  const { record } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
});

it('an end that WhatsApp does not confirm is asked for again', async () => {
  const answered = await scene.talk({
    faults: { graph: [{ action: 'terminate', kind: 'success-false' }] },
  });
  await scene.ana.end(answered.call.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('agent-hung-up');
  expect(report.graph.filter(({ action }) => action === 'terminate')).toHaveLength(2);
});

it('works with the offer of the documentation and with an IPv6 candidate', async () => {
  for (const options of [{ shape: 'documented' as const }, { ipv6: '2001:db8::1' }]) {
    const answered = await scene.talk(options);
    await stack().simulator.hangUp(answered.phone.id);
    const { record } = await scene.ended(answered);
    expect(record.outcome?.reason).toBe('caller-hung-up');
    await scene.clear();
  }
});

it('two calls in one webhook are two calls', async () => {
  const faults = { webhooks: { batch: true } };
  const calls = await Promise.all([scene.ring({ faults }), scene.ring({ faults })]);
  expect(calls[0].call.id).not.toBe(calls[1].call.id);
  for (const ringing of calls) {
    await stack().simulator.hangUp(ringing.phone.id);
    const { record } = await scene.ended(ringing);
    expect(record.outcome?.reason).toBe('caller-gave-up');
  }
});
