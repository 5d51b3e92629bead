// Every request about a call, failing in every way that the provider has: the call becomes what it would have been anyway.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultRequest } from '../local/simulator/client.ts';
import { LightAgent } from '../support/light-agent.ts';
import { ApiError } from '../support/roomline-client.ts';
import { useStack } from '../support/use-stack.ts';
import { graphOf, Scene, type RingingCall } from './scene.ts';
import { expectFallbackText, setFallbackText, textsTo } from './trouble.ts';

type GraphFault = NonNullable<FaultRequest['graph']>[number];

/** More than Roomline waits for a reply. */
const TOO_LATE_MS = 6_000;
/** The call itself is not what is looked at here; see `LightAgent`. */
const QUIET = { listen: false };

const stack = useStack('provider-faults');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
  await setFallbackText(stack());
});
afterAll(() => scene?.events.close());

const ring = (...graph: GraphFault[]): Promise<RingingCall> =>
  scene.ring({ ...QUIET, faults: { graph } });

/** Ana takes a call. */
async function take({ call }: RingingCall): Promise<LightAgent> {
  return LightAgent.join(await scene.ana.claim(call.id), { toneHz: 1000, ...QUIET });
}

async function answer(ringing: RingingCall): Promise<void> {
  await take(ringing);
  await scene.events.state(ringing.call.id, 'active');
}

const statusesOf = (lines: readonly string[], action: string): string[] =>
  lines.filter((line) => line.startsWith(`${action} `)).map((line) => line.split(' ')[1] ?? '');

/** How a request can fail and still be worth repeating, and what its statuses are then at the provider. */
const FAULTS: [name: string, fault: Omit<GraphFault, 'action'>][] = [
  ['5xx', { kind: 'server-error', times: 2 }],
  ['429', { kind: 'rate-limit', times: 2 }],
  ['an expired token', { kind: 'token-expired', times: 2 }],
  ['success: false', { kind: 'success-false', times: 2 }],
  ['a connection cut before it acts', { kind: 'drop' }],
  ['a connection cut after it acts', { kind: 'act-then-drop' }],
  ['no reply in time before it acts', { kind: 'drop', delay_ms: TOO_LATE_MS }],
  ['no reply in time after it acts', { kind: 'slow', delay_ms: TOO_LATE_MS }],
];

describe.concurrent.each(FAULTS)('the provider answers with %s', (_name, fault) => {
  it('to pre_accept: the call rings, it is asked again, and the call is answered', async () => {
    const ringing = await ring({ ...fault, action: 'pre_accept' });
    await stack().simulator.waitFor(
      ringing.phone.id,
      ({ graph }) => graph.filter(({ action }) => action === 'pre_accept').length > 1,
      15_000,
    );
    await answer(ringing);
    const { record, report } = await scene.hangUp(ringing);
    expect(record.outcome?.reason).toBe('caller-hung-up');
    expect(statusesOf(graphOf(report), 'accept')).toEqual(['200']);
  });

  it('to accept: the call is connected', async () => {
    const ringing = await ring({ ...fault, action: 'accept' });
    await answer(ringing);
    const { record } = await scene.hangUp(ringing);
    expect(record.outcome?.reason).toBe('caller-hung-up');
  });

  it('to reject: it is asked again until the call is over', async () => {
    const ringing = await ring({ ...fault, action: 'reject' });
    await stack().admin.end(ringing.call.id);
    const { record, report } = await scene.ended(ringing);
    expect(record.outcome?.reason).toBe('rejected');
    expect(report.ended).toEqual({ by: 'business', reason: 'reject' });
  });

  it('to terminate: it is asked again until the call is over', async () => {
    const ringing = await ring({ ...fault, action: 'terminate' });
    await answer(ringing);
    await stack().admin.end(ringing.call.id);
    const { record, report } = await scene.ended(ringing);
    expect(record.outcome?.reason).toBe('agent-hung-up');
    expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
  });
});

describe.concurrent('the caller hangs up while accept is under way', () => {
  it.each<[taken: string, fault: GraphFault, reason: string]>([
    ['has accepted', { action: 'accept', kind: 'slow', delay_ms: 2_000 }, 'caller-hung-up'],
    ['has not', { action: 'accept', kind: 'drop', delay_ms: 2_000 }, 'caller-gave-up'],
  ])('and the provider %s: one end, nothing asked afterwards', async (_taken, fault, reason) => {
    const ringing = await ring(fault);
    const agent = await take(ringing);
    await stack().simulator.waitFor(ringing.phone.id, ({ graph }) =>
      graph.some(({ action }) => action === 'accept'),
    );
    await stack().simulator.hangUp(ringing.phone.id);
    const { record, report } = await scene.ended(ringing);
    expect(record.outcome).toMatchObject({ reason, ended_by: 'caller' });
    expect(report.graph.map(({ action }) => action)).toEqual(['pre_accept', 'accept']);
    expect((await agent.gone()).why).toBe('room-deleted');
    expect(await textsTo(stack(), report.userId)).toEqual([]);
  });
});

describe.concurrent('the provider refuses', () => {
  const refusal = { kind: 'error', code: 138008, details: 'SDP Validation error' } as const;

  it('pre_accept: the call is rejected with its words, and the caller is told', async () => {
    const faults = { graph: [{ ...refusal, action: 'pre_accept' as const }] };
    const phone = await scene.dial({ ...QUIET, faults });
    const { record, report } = await scene.ended({ call: await scene.callOf(phone), phone });
    expect(record.outcome).toMatchObject({
      result: 'upstream_error',
      reason: 'pre-accept-refused',
      detail: '138008: SDP Validation error',
    });
    expect(graphOf(report)).toEqual(['pre_accept 400', 'reject 200']);
    await expectFallbackText(stack(), report);
  });

  it('accept: the call is ended with its words, and the caller is told', async () => {
    const ringing = await ring({ ...refusal, action: 'accept' });
    await take(ringing);
    const { record, report } = await scene.ended(ringing);
    expect(record.outcome).toMatchObject({
      result: 'upstream_error',
      reason: 'accept-failed',
      detail: '138008: SDP Validation error',
    });
    await expectFallbackText(stack(), report);
  });
});

it.concurrent(
  'a claim while the end is not confirmed yet is refused with how the call ended',
  async () => {
    const ringing = await ring({ action: 'reject', kind: 'server-error', times: 3 });
    await stack().admin.end(ringing.call.id);
    const refused = await scene.ana.claim(ringing.call.id).catch((error: unknown) => error);
    expect((await stack().admin.call(ringing.call.id)).state).toBe('ending');
    expect(refused).toBeInstanceOf(ApiError);
    expect(refused).toMatchObject({ status: 409, problem: { outcome: { reason: 'rejected' } } });
    await scene.ended(ringing);
  },
);
