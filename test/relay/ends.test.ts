import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig } from './support/rig.ts';
import { callerToken, joinToken, roomService } from './support/rooms.ts';
import { until } from './support/until.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

const endsOf = (callId: string) => rig.worker.events(callId).filter(({ type }) => type === 'ended');

it('ends with room-deleted when the room is deleted', async () => {
  const call = await rig.ringingCall();
  rig.open(call);
  await until('media flows', () => call.phone.heard().packets > 10);
  await roomService(rig.livekit).deleteRoom(call.id);
  expect(await rig.worker.event(call.id, 'ended')).toMatchObject({ reason: 'room-deleted' });
  rig.worker.send({ type: 'call.close', call_id: call.id });
  rig.worker.want(call.id, { open: true });
  const next = await rig.answeredCall();
  expect(endsOf(call.id)).toHaveLength(1);
  expect(rig.worker.events(call.id).map(({ type }) => type)).not.toContain('room-away');
  expect(endsOf(next.id)).toHaveLength(0);
});

it('ends with removed-from-room when the caller is removed', async () => {
  const call = await rig.ringingCall();
  await roomService(rig.livekit).removeParticipant(call.id, 'caller');
  expect(await rig.worker.event(call.id, 'ended')).toMatchObject({ reason: 'removed-from-room' });
});

it('ends with room-failed at once when the token is refused', async () => {
  const call = await rig.answeredCall();
  const room = { url: rig.livekit.url, token: 'not-a-token' };
  rig.worker.want(call.id, { connect: true, room });
  const ended = await rig.worker.event(call.id, 'ended', undefined, 3_000);
  expect(ended).toMatchObject({ reason: 'room-failed', detail: expect.stringContaining('401') });
  expect(JSON.stringify(ended)).not.toContain('not-a-token');
});

it('ends with room-failed after a few seconds when the server cannot be reached', async () => {
  const call = await rig.answeredCall();
  const token = await callerToken(rig.livekit, call.id);
  // Port 9 (discard) refuses on every machine without that service.
  rig.worker.want(call.id, { connect: true, room: { url: 'ws://127.0.0.1:9', token } });
  expect(await rig.worker.event(call.id, 'ended', undefined, 8_000)).toMatchObject({
    reason: 'room-failed',
  });
});

it('ends as removed, not by fighting, when somebody joins as the caller', async () => {
  const call = await rig.ringingCall();
  await rig.join(await joinToken(rig.livekit, call.id, 'caller'));
  expect(await rig.worker.event(call.id, 'ended')).toMatchObject({ reason: 'removed-from-room' });
});

it('closes cleanly at every stage of a call', async () => {
  const stages: ((callId: string) => Promise<unknown>)[] = [
    async () => undefined,
    async (id) => rig.worker.event(id, 'media-up'),
    async (id) => rig.worker.event(id, 'room-joined'),
  ];
  for (const stage of stages) {
    const call = await rig.answeredCall();
    const room = { url: rig.livekit.url, token: await callerToken(rig.livekit, call.id) };
    rig.worker.want(call.id, { connect: true, room });
    await stage(call.id);
    rig.worker.send({ type: 'call.close', call_id: call.id });
    rig.worker.send({ type: 'call.close', call_id: call.id });
    await rig.worker.event(call.id, 'ended');
    expect(endsOf(call.id)).toHaveLength(1);
  }
});
