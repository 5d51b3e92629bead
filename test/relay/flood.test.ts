// A worker that has lost its mind: the relay's calls go on.
import { afterEach, expect, it } from 'vitest';
import { FRAME_BYTES_MAX } from '../../relay/protocol.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

it('leaves a running call alone when frames pour in, of every kind and size', async () => {
  rig = await Rig.start();
  const { worker } = rig;
  const call = await rig.ringingCall();
  rig.open(call);
  await until('media flows', () => call.phone.heard().packets > 10);

  const room = { url: 'ws://127.0.0.1:9', token: 'x' };
  for (let n = 0; n < 1_000; n++) {
    worker.sendText('x'.repeat(5 * n));
    worker.sendText('['.repeat(5 * n));
    worker.sendText(JSON.stringify({ type: 'ack', seq: -n }));
    worker.send({ type: 'call.close', call_id: `unknown-${n}` });
    worker.want(`stranger-${n % 100}`, { connect: true, open: true, room });
    worker.want(call.id, { audience: { named: [`guest-${n}`] } });
  }
  const { rev } = worker.want(call.id, { audience: { everyone: true } });
  await until('the last frame is in force', () =>
    worker.frames.some((frame) => frame.type === 'call.is' && frame.rev === rev),
  );
  worker.sendText(JSON.stringify({ type: 'call.close', call_id: 'x'.repeat(FRAME_BYTES_MAX) }));
  await until('the relay dials again', () => worker.hellos().length === 2);
  expect(worker.hellos()[1]?.calls).toEqual([call.id]);
  const { packets } = call.phone.heard();
  await until('the call goes on', () => call.phone.heard().packets > packets + 50);
  const types = worker.events(call.id).map(({ type }) => type);
  expect(types).not.toContain('ended');
  expect(types).not.toContain('room-away');
});

it('takes no more calls than it has room for, and refuses every other by name', async () => {
  rig = await Rig.start({ RELAY_CAPACITY: '5' });
  const { worker } = rig;
  const { id, phone } = await rig.answeredCall();
  for (let n = 0; n < 1_000; n++)
    worker.send({ type: 'call.answer', call_id: `flood-${n}`, sdp: phone.offer });
  await until('every one is answered or refused', () => worker.events().length === 1 + 1_000);
  const refused = worker.events().filter(({ type }) => type === 'ended');
  expect(refused).toHaveLength(1_000 - 4);
  for (const event of refused) expect(event).toMatchObject({ reason: 'no-capacity' });
  worker.want(id, { connect: true });
  await worker.event(id, 'media-up');
});
