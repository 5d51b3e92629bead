// What happens to rooms, and to the server that has them.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useStack } from '../support/use-stack.ts';
import { Scene } from './scene.ts';
import {
  entriesOf,
  expectFallbackText,
  expectUnbrokenCall,
  setFallbackText,
  textsTo,
} from './trouble.ts';

/** Relay and worker try for 10 s to get the room back; the last attempt may be a little before. */
const REJOIN_MS_MIN = 9_000;
/** Until an agent's client has found out by itself that the server is there again. */
const RETURN_MS_MAX = 40_000;
/** A server that somebody else runs is not ours to stop. */
const isOthers = process.env['LIVEKIT_URL'] !== undefined;

const stack = useStack('rooms');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
  await setFallbackText(stack());
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

it('a room that somebody deletes ends its call, and everybody is told', async () => {
  const answered = await scene.talk();
  await scene.rooms.deleteRoom(answered.call.room);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome).toMatchObject({
    result: 'success',
    reason: 'room-deleted',
    ended_by: 'livekit',
  });
  expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
  await answered.agent.gone();
  expect(await textsTo(stack(), report.userId)).toEqual([]);
});

it('a caller whom somebody removes from the room is not connected any more', async () => {
  const answered = await scene.talk();
  const { id, room } = answered.call;
  await scene.rooms.removeParticipant(room, `caller-${id}`);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome).toMatchObject({ result: 'success', reason: 'removed-from-room' });
  expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
});

describe.skipIf(isOthers)('livekit-server', () => {
  it('that is killed and started again: the call goes on', async () => {
    const answered = await scene.talk();
    await stack().livekit.child?.kill();
    await stack().startLiveKit();
    await scene.stillTalk(answered, { withinMs: RETURN_MS_MAX });
    const { record, report } = await scene.hangUp(answered);
    expect(record.outcome?.reason).toBe('caller-hung-up');
    expect(entriesOf(record, 'room-away')).not.toEqual([]);
    expectUnbrokenCall({ record, report });
  });

  it('that is gone for good: the call ends after 10 s, and the caller is told', async () => {
    const answered = await scene.talk();
    const killedAtMs = Date.now();
    await stack().livekit.child?.kill();
    await scene.events.state(answered.call.id, 'ended', 30_000);
    await stack().startLiveKit();
    const { record, report } = await scene.ended(answered);
    expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'room-lost' });
    expect(Date.parse(record.ended_at ?? '') - killedAtMs).toBeGreaterThan(REJOIN_MS_MIN);
    expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
    expectUnbrokenCall({ record, report });
    await expectFallbackText(stack(), report);
  });

  it('whose keys are not the worker’s: calls are rejected at once, and the callers told', async () => {
    await stack().worker.stop();
    await stack().startWorker({ LIVEKIT_API_SECRET: 'not-the-secret-of-this-server-at-all' });
    await scene.reopen();
    const phone = await scene.dial();
    const call = await scene.callOf(phone);
    const { record, report } = await scene.ended({ call, phone });
    expect(record.outcome).toMatchObject({ result: 'upstream_error', reason: 'room-failed' });
    expect(report.ended).toEqual({ by: 'business', reason: 'reject' });
    await expectFallbackText(stack(), report);
  });
});
