// Whatever takes the product's longer limits to be noticed: a relay, an agent or a caller of whom nothing is heard any more. All at
// once, because every test mostly waits.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CuttablePath } from '../support/cuttable-path.ts';
import { ExtraRelay } from '../support/extra-relay.ts';
import { useStack } from '../support/use-stack.ts';
import { dialWithOffer } from './odd-offer.ts';
import { AGENT_HZ, graphOf, Scene, type AnsweredCall } from './scene.ts';
import {
  entriesOf,
  expectFallbackText,
  expectUnbrokenCall,
  relayOf,
  setFallbackText,
  textsTo,
} from './trouble.ts';

/** Longer than any limit here; the limits themselves are judged by the times of the record. */
const WAIT_MS_MAX = 90_000;
/** By how much a limit may come early: the clocks of several processes. */
const EARLY_MS = 500;
const SILENCE_MS = 30_000;

const stack = useStack('long-waits');
let scene: Scene;
let path: CuttablePath;
/** Has room for one call, which `distant` is. */
let relay: ExtraRelay;
let distant: AnsweredCall;
beforeAll(async () => {
  scene = await Scene.open(stack());
  await setFallbackText(stack());
  path = await CuttablePath.start(stack().options.ports.worker);
  relay = await ExtraRelay.start(stack(), { capacity: 1, workerUrl: path.url });
  distant = await talkOn(relay);
});
afterAll(async () => {
  scene?.events.close();
  await scene?.clear();
  await path?.close();
});

/** A call on this relay: of two idle ones either may be chosen, of an idle and a busy one the idle one. */
async function talkOn({ id }: ExtraRelay): Promise<AnsweredCall> {
  const first = await scene.talk();
  if (relayOf(await stack().admin.call(first.call.id)) === id) return first;
  const second = await scene.talk();
  await scene.hangUp(first);
  return second;
}

/** Calls are set up one after the other: all at once they would starve each other. */
let turn: Promise<unknown> = Promise.resolve();
function inTurn<T>(setUp: () => Promise<T>): Promise<T> {
  const mine = turn.then(setUp);
  turn = mine.catch(() => {});
  return mine;
}

const sinceMs = (at: string | null | undefined, fromMs: number): number =>
  Date.parse(at ?? '') - fromMs;

describe.concurrent('nothing is heard', () => {
  it('of a relay that is cut off from the worker: its call goes on, and control comes back', async () => {
    const event = (type: string) =>
      scene.events.first(
        type,
        ({ event, call }) => event === type && call.id === distant.call.id,
        WAIT_MS_MAX,
      );
    path.cut();
    const cutAtMs = Date.now();
    await event('control-checked');
    await scene.stillTalk(distant);
    path.mend();
    await event('control-back');
    await scene.stillTalk(distant, { agentHz: 800, callerHz: 500 });
    await stack().admin.end(distant.call.id);
    const { record, report } = await scene.ended(distant);
    expect(record.outcome?.reason).toBe('agent-hung-up');
    const [lost, ...others] = entriesOf(record, 'control-lost');
    expect(others).toEqual([]);
    // Counted from its last sign, which is up to 10 s older than the cut.
    expect(sinceMs(lost?.at, cutAtMs)).toBeGreaterThan(SILENCE_MS - 10_000 - EARLY_MS);
    expect(graphOf(report)).toEqual(['pre_accept 200', 'accept 200', 'terminate 200']);
    expectUnbrokenCall({ record, report });
    expect(await textsTo(stack(), report.userId)).toEqual([]);
  });

  it('of an agent whose machine is gone: 15 s after LiveKit has noticed, the call ends', async () => {
    const ringing = await inTurn(() => scene.ring());
    const agent = await stack().supervisor.start({
      name: 'agent',
      command: process.execPath,
      args: [join(import.meta.dirname, '../support/agent-process.ts')],
      env: {
        AGENT_API_URL: scene.ana.baseUrl,
        AGENT_API_KEY: scene.ana.key,
        AGENT_CALL_ID: ringing.call.id,
        AGENT_TONE_HZ: String(AGENT_HZ),
      },
    });
    await scene.phoneHears(ringing.phone.id, AGENT_HZ);
    await agent.kill();
    const { record, report } = await scene.ended(ringing, WAIT_MS_MAX);
    expect(record.outcome).toMatchObject({
      result: 'client_error',
      reason: 'agent-connection-lost',
      ended_by: 'agent',
    });
    const [left] = entriesOf(record, 'agent-left');
    expect(left?.detail?.['why']).toBe('lost');
    expect(sinceMs(record.ended_at, Date.parse(left?.at ?? ''))).toBeGreaterThan(15_000 - EARLY_MS);
    expectUnbrokenCall({ record, report });
    await expectFallbackText(stack(), report);
  });

  it('of the provider’s media from the start: the call ends after 20 s', async () => {
    // Nothing listens there.
    const nowhere = (sdp: string) => sdp.replace(/^(a=candidate:.* )\d+ typ/gm, '$19 typ');
    const ringing = await inTurn(async () => {
      const phone = await dialWithOffer(scene, nowhere, { first_media_limit_ms: 60_000 });
      const { call } = await scene.rings(phone);
      await scene.join(scene.ana, call.id);
      return { call, phone };
    });
    const { record, report } = await scene.ended(ringing, WAIT_MS_MAX);
    expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'media-failed' });
    const rangAtMs = Date.parse(record.ringing_at ?? '');
    expect(sinceMs(record.ended_at, rangAtMs)).toBeGreaterThan(20_000 - EARLY_MS);
    expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
    await expectFallbackText(stack(), report);
  });

  it('of the provider’s media any more: the call ends after 30 s', async () => {
    const answered = await inTurn(() => scene.talk());
    const stoppedAtMs = Date.now();
    await stack().simulator.play(answered.phone.id, { send: 'nothing' });
    const { record, report } = await scene.ended(answered, WAIT_MS_MAX);
    expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'media-lost' });
    expect(sinceMs(record.ended_at, stoppedAtMs)).toBeGreaterThan(SILENCE_MS - EARLY_MS);
    expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
    expectUnbrokenCall({ record, report });
    await expectFallbackText(stack(), report);
  });

  it('of a caller whose end the provider never tells: the call ends by itself', async () => {
    const faults = { webhooks: { drop: ['terminate' as const] } };
    const answered = await inTurn(() => scene.talk({ faults }));
    await stack().simulator.hangUp(answered.phone.id);
    const { record, report } = await scene.ended(answered, WAIT_MS_MAX);
    expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'media-lost' });
    expect(report.graph.map(({ action }) => action)).toEqual(['pre_accept', 'accept', 'terminate']);
    await answered.agent.gone();
  });

  it('of a caller’s voice, while the provider still reports: the call goes on, and its figures show it', async () => {
    const answered = await inTurn(() => scene.talk());
    await stack().simulator.play(answered.phone.id, { send: 'reports' });
    await delay(SILENCE_MS + 5_000);
    answered.agent.speak(700);
    await scene.phoneHears(answered.phone.id, 700);
    const { record, report } = await scene.hangUp(answered);
    expect(record.outcome?.reason).toBe('caller-hung-up');
    const { from_caller: from, to_caller: to } = record.quality ?? {};
    expect((to?.packets ?? 0) * 20).toBeGreaterThan(SILENCE_MS);
    expect((from?.packets ?? 0) * 20).toBeLessThan((to?.packets ?? 0) * 20 - SILENCE_MS);
    expectUnbrokenCall({ record, report });
  });
});
