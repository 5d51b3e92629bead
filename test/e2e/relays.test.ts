// Relays that crash, are told to stop, stand still or are full: what becomes of their calls and of everybody else's.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ExtraRelay } from '../support/extra-relay.ts';
import type { CallView } from '../support/roomline-client.ts';
import { useStack } from '../support/use-stack.ts';
import { graphOf, Scene, type AnsweredCall } from './scene.ts';
import {
  entriesOf,
  expectFallbackText,
  expectUnbrokenCall,
  msUntilEnd,
  relayOf,
  setFallbackText,
} from './trouble.ts';

/** How long a lost call may stay open at the provider and in the record. */
const LOST_MS_MAX = 10_000;
/** Few, so that it fills up; as a share of it one call is more than one of the other relay's. */
const CAPACITY = 2;
/** All along the small relay's clock is a day ahead, which must not matter to anything. */
const CLOCK_AHEAD = {
  NODE_OPTIONS: `--import ${join(import.meta.dirname, '../support/clock-ahead.ts')}`,
};
const HOUR_MS = 3_600_000;

const stack = useStack('relays');
let scene: Scene;
let small: ExtraRelay;
beforeAll(async () => {
  scene = await Scene.open(stack());
  await setFallbackText(stack());
  small = await ExtraRelay.start(stack(), { capacity: CAPACITY, env: CLOCK_AHEAD });
});
afterEach(async () => {
  await scene.clear();
  // Whatever a test left or took away, the next one finds relays that are complete and idle.
  const { data } = await stack().admin.request<{ data: CallView[] }>('GET', '/v1/calls');
  for (const { id, outcome } of data) if (outcome === null) await stack().admin.end(id);
  if (!stack().relay.isRunning()) await stack().startRelay();
  if (!small.child.isRunning()) await small.startAgain();
});
afterAll(() => scene?.events.close());

/** A call on each relay: an idle one is always chosen before one with a call. */
async function talkOnBoth(): Promise<{ here: AnsweredCall; there: AnsweredCall }> {
  const calls = [await scene.talk(), await scene.talk()];
  const relays = await Promise.all(
    calls.map(async ({ call }) => relayOf(await stack().admin.call(call.id))),
  );
  const [here, there] = [calls[relays.indexOf(mainId())], calls[relays.indexOf(small.id)]];
  if (!here || !there) throw new Error(`the calls are on ${relays.join(' and ')}`);
  return { here, there };
}

/** The relay that every stack has. */
const mainId = (): string => stack().credentials.relay.id;

const placedOn = async (id: string): Promise<unknown> => relayOf(await stack().admin.call(id));

/** The caller hangs up, and that is how the call ends. */
async function hangUp(answered: AnsweredCall) {
  const ended = await scene.hangUp(answered);
  expect(ended.record.outcome?.reason).toBe('caller-hung-up');
  return ended;
}

it('a relay whose clock is wrong has calls like any other', async () => {
  const { there } = await talkOnBoth();
  const { time } = JSON.parse(small.child.tail().split('\n').at(-1) ?? '') as { time: number };
  expect(time - Date.now()).toBeGreaterThan(HOUR_MS);
  const { record, report } = await hangUp(there);
  expect(graphOf(report)).toEqual(['pre_accept 200', 'accept 200']);
  expectUnbrokenCall({ record, report });
  for (const { at } of record.timeline) {
    expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(HOUR_MS);
  }
});

it.each<[how: string, isBackAtOnce: boolean]>([
  ['and started again at once', true],
  ['for good', false],
])('a relay that is killed %s loses its calls, and nobody else any', async (_how, isBackAtOnce) => {
  const { here, there } = await talkOnBoth();
  const killedAtMs = Date.now();
  await stack().relay.kill();
  if (isBackAtOnce) await stack().startRelay();

  const lost = await scene.ended(here);
  expect(lost.record.outcome).toMatchObject({ result: 'server_error', reason: 'relay-lost' });
  expect(graphOf(lost.report).at(-1)).toBe('terminate 200');
  const tookMs = msUntilEnd(lost, killedAtMs);
  expect(Math.max(tookMs.record, tookMs.provider)).toBeLessThan(LOST_MS_MAX);
  await expectFallbackText(stack(), lost.report);

  const next = await scene.talk();
  expect(await placedOn(next.call.id)).toBe(isBackAtOnce ? mainId() : small.id);
  await scene.stillTalk(there);
  for (const answered of [there, next]) expectUnbrokenCall(await hangUp(answered));
});

it('a relay that is told to stop finishes its call, takes no other, and exits', async () => {
  const { here, there } = await talkOnBoth();
  await hangUp(there);
  const { relay } = stack();
  process.kill(relay.pid, 'SIGTERM');
  await expect
    .poll(() => stateOf(mainId()), { timeout: 10_000 })
    .toMatchObject({
      is_draining: true,
    });
  const others = [await scene.ring(), await scene.ring()];
  for (const { call } of others) expect(await placedOn(call.id)).toBe(small.id);
  await scene.stillTalk(here);
  expect(relay.isRunning()).toBe(true);
  expectUnbrokenCall(await hangUp(here));
  expect(await relay.exited).toBe('code 0');
  for (const ringing of others) {
    await scene.hangUp(ringing);
  }
});

it('a relay that is told twice to stop at once ends its calls properly, and exits', async () => {
  const { here, there } = await talkOnBoth();
  const { relay } = stack();
  process.kill(relay.pid, 'SIGINT');
  await expect
    .poll(() => stateOf(mainId()), { timeout: 10_000 })
    .toMatchObject({
      is_draining: true,
    });
  process.kill(relay.pid, 'SIGINT');
  const { record, report } = await scene.ended(here);
  expect(record.outcome).toEqual({
    result: 'server_error',
    reason: 'relay-failed',
    ended_by: 'system',
    detail: 'relay stopped',
  });
  expect(graphOf(report).at(-1)).toBe('terminate 200');
  await expectFallbackText(stack(), report);
  expect(await relay.exited).toBe('code 0');
  await scene.stillTalk(there);
  expectUnbrokenCall(await hangUp(there));
});

it('a relay that stands still for seconds keeps its calls, and what it was to take goes elsewhere', async () => {
  const { here, there } = await talkOnBoth();
  const { relay } = stack();
  process.kill(relay.pid, 'SIGSTOP');
  // By its load it is the turn of the relay that stands still.
  const phone = await scene.dial();
  try {
    await scene.events.first(
      'another place',
      ({ event, call }) => event === 'placed-elsewhere' && call.provider_call_id === phone.wacid,
    );
  } finally {
    process.kill(relay.pid, 'SIGCONT');
  }
  const ringing = await scene.rings(phone);
  expect(await placedOn(ringing.call.id)).toBe(small.id);
  await Promise.all([scene.stillTalk(here), scene.stillTalk(there)]);
  await scene.hangUp(ringing);
  expectUnbrokenCall(await hangUp(there));
  const { record, report } = await hangUp(here);
  expect(entriesOf(record, 'control-lost')).toEqual([]);
  // What could not be sent meanwhile comes late or not at all, but nothing twice and nothing out of its order.
  expect(report.heard).toMatchObject({ duplicates: 0, outOfOrder: 0 });
  expect(report.heard.ssrcs).toHaveLength(1);
});

it('a relay that is full serves those who have a place; all others are told at once', async () => {
  await stack().relay.stop();
  await expect
    .poll(() => stateOf(mainId()), { timeout: 10_000 })
    .toMatchObject({
      is_connected: false,
    });
  const phones = await Promise.all(Array.from({ length: 5 * CAPACITY }, () => scene.dial()));
  const calls = await Promise.all(
    phones.map(async (phone) => ({ phone, call: await scene.callOf(phone) })),
  );
  const isServed = await Promise.all(calls.map(({ phone }) => scene.ringsOrEnds(phone)));
  const served = calls.filter((_call, index) => isServed[index]);
  const refused = calls.filter((_call, index) => !isServed[index]);
  expect(served).toHaveLength(CAPACITY);

  const talking = await Promise.all(
    served.map(async (ringing) => ({
      ...ringing,
      agent: await scene.join(scene.ana, ringing.call.id),
    })),
  );
  for (const ringing of refused) {
    const { record, report } = await scene.ended(ringing);
    expect(record.outcome).toMatchObject({ result: 'server_error', reason: 'no-relay' });
    expect(graphOf(report)).toEqual(['reject 200']);
    await expectFallbackText(stack(), report);
  }
  for (const answered of talking) {
    await scene.stillTalk(answered);
    expectUnbrokenCall(await hangUp(answered));
  }
  await hangUp(await scene.talk());
});

async function stateOf(relayId: string) {
  const { data } = await stack().admin.request<{
    data: { id: string; is_connected: boolean; is_draining: boolean }[];
  }>('GET', '/v1/relays');
  return data.find(({ id }) => id === relayId);
}
