// Whether a user may be called at all: permission, and what the provider forbids a number.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { useStack } from '../support/use-stack.ts';
import { OutboundScene } from './outbound-scene.ts';

const HOUR_S = 3600;

const stack = useStack('outbound-permission');
let out: OutboundScene;
beforeAll(async () => {
  out = await OutboundScene.open(stack());
});
afterEach(() => out.clear());
afterAll(() => out?.scene.events.close());

/** A user without permission who has just written, so that free-form messages are possible. */
async function writer(reply: 'accept' | 'reject' | undefined): Promise<string> {
  const answer = reply === undefined ? {} : { permission_reply: { response: reply } };
  const to = await out.user(answer, { mayBeCalled: false });
  await stack().simulator.userMessage({ user: to });
  return to;
}

it('asks for permission, waits for the grant, then dials', async () => {
  const to = await writer('accept');
  const { id, state } = await out.start({ to, ask: { text: 'May we call you?' } });
  expect(state).toBe('asking');
  await out.talks(id, await out.joinRoom(id));
  await stack().admin.end(id);
  expect((await out.ended(id)).record.outcome?.reason).toBe('agent-hung-up');
  const messages = await stack().simulator.messages();
  const { permission, requests } = await stack().simulator.permission(to);
  expect(requests).toHaveLength(1);
  expect(permission.kind).toBe('temporary');
  expect(JSON.stringify(messages.at(-1)?.body)).toContain('May we call you?');
});

it('a user who declines is not dialled, and not until they change their mind', async () => {
  const to = await writer('reject');
  const { id } = await out.start({ to, ask: true });
  const { record } = await out.ended(id);
  expect(record.outcome).toMatchObject({ reason: 'permission-not-granted', ended_by: 'caller' });
  expect(await out.refused({ to })).toMatchObject({ status: 409, problem: { reason: 'declined' } });
  expect(await out.dialsTo(to)).toBe(0);
  // The request that they have stays open for a week.
  await stack().simulator.replyPermission({ user: to, response: 'accept', is_permanent: true });
  const again = await out.start({ to });
  await out.talks(again.id, await out.joinRoom(again.id));
  expect((await out.hungUp(again.id)).record.outcome?.reason).toBe('callee-hung-up');
});

it('a call that waits for the permission can be cancelled, and a late grant dials nobody', async () => {
  const to = await writer(undefined);
  const { id } = await out.start({ to, ask: true });
  await out.entry(id, 'action-done');
  await stack().admin.end(id);
  expect((await out.ended(id)).record.outcome?.reason).toBe('cancelled');
  await stack().simulator.replyPermission({ user: to });
  expect(await out.dialsTo(to)).toBe(0);
});

it('four unanswered calls in a row take the permission away, and the fifth is not dialled', async () => {
  const to = await out.user({ behaviour: 'ignore', ring_ms: 200 });
  for (const reason of ['no-answer', 'rejected', 'no-answer', 'no-answer']) {
    const behaviour = reason === 'rejected' ? 'reject' : 'ignore';
    await stack().simulator.setPhone({ behaviour }, to);
    const { id } = await out.start({ to });
    expect((await out.ended(id)).record.outcome?.reason).toBe(`callee-${reason}`);
    await out.learnt(id);
  }
  expect((await stack().simulator.permission(to)).permission.kind).toBe('none');
  expect(await out.refused({ to })).toMatchObject({ status: 409, problem: { reason: 'revoked' } });
  expect(await out.dialsTo(to)).toBe(4);
});

it('a permission that is over is asked for anew', async () => {
  const { simulator, admin } = stack();
  const to = await out.user({}, { mayBeCalled: false });
  await simulator.setPermission({ user: to, status: 'temporary', expires_in_s: 6 });
  const contact = await admin.request<{ id: string }>('POST', '/v1/contacts', { phone: to });
  const query = `/v1/contacts/${contact.id}/permission?number_id=${out.numberId}`;
  const status = async () => (await admin.request<{ status: string }>('GET', query)).status;
  expect(await status()).toBe('temporary');
  await expect.poll(status, { timeout: 15_000, interval: 100 }).toBe('expired');
  expect(await out.refused({ to })).toMatchObject({ status: 409, problem: { reason: 'expired' } });
  expect(await out.dialsTo(to)).toBe(0);
});

it('a number that the provider restricts refuses with the date on which that ends', async () => {
  const number = await out.number('meta');
  const { phoneNumberId } = number.atProvider;
  const to = await out.user({}, { number: phoneNumberId });
  const untilMs = Date.now() + HOUR_S * 1000;
  await stack().simulator.accountUpdate(phoneNumberId, {
    event: 'ACCOUNT_RESTRICTION',
    restrictions: [{ type: 'RESTRICTED_BUSINESS_INITIATED_CALLING', expires_in_s: HOUR_S }],
  });
  const { status, problem } = await out.refused({ to, number_id: number.id });
  expect(status).toBe(409);
  expect(problem['restriction']).toBe('RESTRICTED_BUSINESS_INITIATED_CALLING');
  // The provider tells whole seconds.
  expect(Math.abs(Date.parse(String(problem['retry_at'])) - untilMs)).toBeLessThan(3_000);
  expect(await out.dialsTo(to)).toBe(0);
});

it('a number whose calling is switched off refuses, and calls again once it is on', async () => {
  const number = await out.number('meta');
  const { phoneNumberId } = number.atProvider;
  const to = await out.user({}, { number: phoneNumberId });
  const calling = `/v1/numbers/${number.id}/calling`;
  await stack().admin.request('PATCH', calling, { enabled: false });
  expect(await out.refused({ to, number_id: number.id })).toMatchObject({
    status: 409,
    problem: { type: expect.stringContaining('calling-disabled') },
  });
  expect(await out.dialsTo(to)).toBe(0);
  await stack().admin.request('PATCH', calling, { enabled: true });
  const { id } = await out.start({ to, number_id: number.id });
  await out.talks(id, await out.joinRoom(id));
  expect((await out.hungUp(id)).record.outcome?.reason).toBe('callee-hung-up');
});

it('of two calls to one user at once one is made', async () => {
  const to = await out.user({ behaviour: 'ignore' });
  const results = await Promise.allSettled([out.start({ to }), out.start({ to })]);
  const started = results.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value.id] : [],
  );
  expect(started).toHaveLength(1);
  expect(results).toContainEqual(
    expect.objectContaining({ reason: expect.objectContaining({ status: 409 }) }),
  );
  const [id = ''] = started;
  await out.rings(id);
  expect(await out.dialsTo(to)).toBe(1);
  await stack().admin.end(id);
  expect((await out.ended(id)).record.outcome?.reason).toBe('cancelled');
});
