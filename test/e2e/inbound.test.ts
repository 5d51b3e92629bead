// Calls from WhatsApp to people, through the real worker, relay and livekit-server.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, graphOf, hasHeard, Scene } from './scene.ts';

const stack = useStack('inbound');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

it('caller and agent hear each other, and the record says what happened', async () => {
  const answered = await scene.talk({ name: 'Maria Fonseca', cta_payload: 'order-17' });
  await stack().simulator.hangUp(answered.phone.id);
  const { record, report } = await scene.ended(answered);

  expect(record.outcome).toEqual({
    result: 'success',
    reason: 'caller-hung-up',
    ended_by: 'caller',
  });
  expect(record.contact?.name).toBe('Maria Fonseca');
  expect(record).toMatchObject({ direction: 'inbound', payload: 'order-17' });
  expect(record.claimed_by?.name).toBe('Ana');
  expect(graphOf(report)).toEqual(['pre_accept 200', 'accept 200']);
  expect(report.violations).toEqual([]);
  await answered.agent.gone();
});

it('accepts with the SDP of the pre-accept, byte for byte', async () => {
  const answered = await scene.talk();
  const { graph } = await stack().simulator.get(answered.phone.id);
  const [preAccept, accept] = graph.map(
    ({ body }) => (JSON.parse(body) as { session: { sdp: string; sdp_type: string } }).session,
  );
  expect(accept).toEqual(preAccept);
  expect(accept?.sdp_type).toBe('answer');
  await scene.ana.end(answered.call.id);
  await scene.ended(answered);
});

it('keeps what the agent said just before the caller was connected', async () => {
  const ringing = await scene.ring({
    faults: { graph: [{ action: 'accept', kind: 'slow', delay_ms: 600 }] },
  });
  const agent = await scene.join(scene.ana, ringing.call.id, { toneHz: 700 });
  // The accept is under way and not answered yet: what is said now is said before the path opens.
  await stack().simulator.waitFor(ringing.phone.id, ({ graph }) =>
    graph.some(({ action }) => action === 'accept'),
  );
  agent.speak(AGENT_HZ);
  await scene.events.state(ringing.call.id, 'active');
  agent.speak(undefined);
  await scene.phoneHears(ringing.phone.id, AGENT_HZ);
  await stack().simulator.hangUp(ringing.phone.id);
  await scene.ended(ringing);
});

it('the agent ends the call by the API: WhatsApp is told and the room goes', async () => {
  const answered = await scene.talk();
  await scene.ana.end(answered.call.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome).toMatchObject({ result: 'success', reason: 'agent-hung-up' });
  expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
  await answered.agent.gone();
});

it('an agent who leaves and does not come back ends the call after the grace', async () => {
  const answered = await scene.talk();
  const leftAtMs = Date.now();
  await answered.agent.leave();
  const { record, report } = await scene.ended(answered);
  expect(record.outcome).toMatchObject({ reason: 'agent-left', ended_by: 'agent' });
  expect(report.ended?.by).toBe('business');
  // Not before 5 s: a page that is reloaded looks the same. The later bound is the timeout of `ended`.
  expect(Date.parse(record.ended_at ?? '') - leftAtMs).toBeGreaterThan(4_500);
});

it('an agent who comes back within the grace goes on with the call', async () => {
  const answered = await scene.talk();
  await answered.agent.leave();
  await scene.events.first(
    'agent left',
    ({ event, call }) => event === 'agent-left' && call.id === answered.call.id,
  );
  const returned = await scene.join(scene.ana, answered.call.id, { toneHz: 700 });
  await Promise.all([
    returned.hears(CALLER_HZ),
    scene.phoneHears(answered.phone.id, 700),
    scene.events.first(
      'agent returned',
      ({ event, call }) => event === 'agent-returned' && call.id === answered.call.id,
    ),
  ]);
  await stack().simulator.hangUp(answered.phone.id);
  const { record } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
});

it('a call rejected while it rings is rejected at WhatsApp', async () => {
  const ringing = await scene.ring();
  await stack().admin.end(ringing.call.id);
  const { record, report } = await scene.ended(ringing);
  expect(record.outcome).toMatchObject({ result: 'client_error', reason: 'rejected' });
  expect(report.ended).toEqual({ by: 'business', reason: 'reject' });
});

it('a call that nobody answers is rejected before WhatsApp gives up', async () => {
  // Announced 22 s late, so that the answer limit comes soon.
  const ringing = await scene.ring({ faults: { webhooks: { timestamp_age_s: 22 } } });
  const { record, report } = await scene.ended(ringing);
  expect(record.outcome).toMatchObject({ reason: 'no-answer', ended_by: 'system' });
  expect(report.ended).toEqual({ by: 'business', reason: 'reject' });
});

it('a caller who gives up while it rings stops the ringing', async () => {
  const ringing = await scene.ring();
  await stack().simulator.hangUp(ringing.phone.id);
  const { record, report } = await scene.ended(ringing);
  expect(record.outcome).toMatchObject({ reason: 'caller-gave-up', ended_by: 'caller' });
  expect(graphOf(report)).toEqual(['pre_accept 200']);
  await expect(scene.ana.claim(ringing.call.id)).rejects.toMatchObject({ status: 409 });
});

it('a claim that never becomes ready is taken back, and another agent answers', async () => {
  const ringing = await scene.ring();
  const silent = await scene.join(scene.ana, ringing.call.id, { isListenOnly: true });
  const again = await scene.events.first(
    'second ring',
    ({ event, call }) => event === 'claim-released' && call.id === ringing.call.id,
  );
  expect(again).toMatchObject({ type: 'ring', call: { state: 'ringing', claimed_by: null } });
  await silent.gone();
  const agent = await scene.join(scene.ben, ringing.call.id, { toneHz: 700 });
  await Promise.all([agent.hears(CALLER_HZ), scene.phoneHears(ringing.phone.id, 700)]);
  await stack().simulator.hangUp(ringing.phone.id);
  const { record, report } = await scene.ended(ringing);
  expect(record.claimed_by?.name).toBe('Ben');
  expect(hasHeard(report, AGENT_HZ)).toBe(false);
});

it('of two claims at once one wins, and the other is told who', async () => {
  const ringing = await scene.ring();
  const [ana, ben] = await Promise.allSettled([
    scene.ana.claim(ringing.call.id),
    scene.ben.claim(ringing.call.id),
  ]);
  const [won, lost, winner] = ana.status === 'fulfilled' ? [ana, ben, 'Ana'] : [ben, ana, 'Ben'];
  expect(won).toMatchObject({ status: 'fulfilled', value: { call_id: ringing.call.id } });
  expect(lost).toMatchObject({
    status: 'rejected',
    reason: { status: 409, problem: { claimed_by: { name: winner } } },
  });
  await stack().simulator.hangUp(ringing.phone.id);
  await scene.ended(ringing);
});
