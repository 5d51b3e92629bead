// Recordings of calls over real media, as the worker gets them.
import { readdirSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { loopOf } from '../local/simulator/signals.ts';
import { readRecording, type ReadRecording } from '../support/recording-reader.ts';
import { RECORDINGS_FOLDER, Rig, type Call } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(async () => {
  await rig.stop();
  rmSync(RECORDINGS_FOLDER, { recursive: true, force: true });
});
afterEach(() => {
  rig.worker.refuseRecordingsWith = undefined;
});

/** Waits for a call's recording. */
async function brought({ id }: Call): Promise<ReadRecording> {
  const { headers, file } = await until('the recording is brought', () =>
    rig.worker.recordings.get(id),
  );
  const read = readRecording(file);
  expect(headers).toMatchObject({
    'content-type': 'audio/ogg',
    'content-length': String(file.length),
    'x-roomline-audio-sha256': read.sha256,
    'x-roomline-duration-ms': String(Math.round(read.durationMs)),
  });
  return read;
}

const files = () => readdirSync(RECORDINGS_FOLDER, { recursive: true }).map(String);

/** A frame of 20 ms that carries its number. */
function numbered(number: number): Buffer {
  const frame = Buffer.alloc(40, 0x55);
  frame[0] = 0x48;
  frame.writeUInt32LE(number, 1);
  return frame;
}
const numberOf = (frame: Buffer) => (frame.length === 40 ? frame.readUInt32LE(1) : undefined);

it('holds the caller on the left, byte for byte, and what the caller was sent on the right', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'tone', hz: 440 });
  rig.worker.want(call.id, { recording: 'on' });
  rig.open(call);
  await until('two seconds', () => call.phone.heard().packets > 100);
  rig.worker.send({ type: 'call.close', call_id: call.id });
  await rig.worker.event(call.id, 'ended');
  const { left, right } = await brought(call);
  const spoken = new Set(loopOf({ kind: 'tone', hz: 440 }).map((frame) => frame.toString('hex')));
  const said = left.filter((frame) => spoken.has(frame.toString('hex')));
  expect(said.length).toBeGreaterThan(80);
  const sent = call.phone.heard();
  // The phone may not have heard the last of them.
  expect(right.length).toBeGreaterThanOrEqual(sent.packets);
  expect(right.length - sent.packets).toBeLessThan(10);
  // An encoder's tone is loud; silence has three bytes.
  expect(right.filter((frame) => frame.length > 20).length).toBeGreaterThan(80);
});

it('what is lost on the way stays lost, at its place', async () => {
  const isLost = (n: number) => n % 9 === 4 || (n % 50 > 30 && n % 50 < 36);
  const call = await rig.ringingCall({ onWay: (_frame, n) => (isLost(n) ? null : numbered(n)) });
  rig.worker.want(call.id, { recording: 'on' });
  rig.open(call);
  call.phone.startTalking();
  await until('three seconds', () => call.phone.said().packets > 150);
  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { left } = await brought(call);
  const found = left.flatMap((frame, slot) => {
    const number = numberOf(frame);
    return number === undefined ? [] : [{ slot, number }];
  });
  expect(found.length).toBeGreaterThan(80);
  expect(found.filter(({ number }) => isLost(number))).toEqual([]);
  // A machine that stands still may make the recorder put its idea of the caller's clock right once.
  expect(new Set(found.map(({ slot, number }) => slot - number)).size).toBeLessThanOrEqual(2);
  const [first, last] = [found[0]?.slot ?? 0, found.at(-1)?.slot ?? 0];
  const between = left.slice(first, last).filter((frame) => numberOf(frame) === undefined);
  expect(between.every((frame) => frame.toString('hex') === '48')).toBe(true);
});

it('a pause is silence in both voices', async () => {
  const call = await rig.ringingCall({ onWay: (_frame, n) => numbered(n) });
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  rig.worker.want(call.id, { recording: 'on' });
  rig.open(call);
  call.phone.startTalking();
  const talk = async () => {
    const before = call.phone.heard().packets;
    await until('a second', () => call.phone.heard().packets > before + 50);
  };
  await talk();
  rig.worker.want(call.id, { recording: 'paused' });
  await talk();
  rig.worker.want(call.id, { recording: 'on' });
  await talk();
  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { left, right } = await brought(call);
  const isSilent = (frame: Buffer | undefined) => frame?.toString('hex') === 'f8fffe';
  const spoken = (frame: Buffer) => numberOf(frame) !== undefined;
  const first = left.findIndex(spoken);
  const from = first + left.slice(first).findIndex(isSilent);
  const to = from + left.slice(from).findIndex(spoken);
  expect(to - from).toBeGreaterThan(30);
  // After the pause the caller's next packet may be some slots later than the agent's.
  const rightAgain = right.slice(from).findIndex((frame) => !isSilent(frame));
  expect(rightAgain).toBeGreaterThan(to - from - 10);
  expect(left.slice(to).filter(spoken).length).toBeGreaterThan(30);
});

it('a relay that is told to stop brings what it has recorded before it goes', async () => {
  const other = await Rig.start();
  try {
    other.worker.refuseRecordingsWith = 503;
    const call = await other.ringingCall();
    other.worker.want(call.id, { recording: 'on' });
    other.open(call);
    await until('a second', () => call.phone.heard().packets > 50);
    const drained = other.relay.drain();
    other.worker.send({ type: 'call.close', call_id: call.id });
    await until('the file', () => files().some((file) => file.endsWith(`${call.id}.ogg`)));
    other.worker.refuseRecordingsWith = undefined;
    await drained;
    expect(other.worker.recordings.has(call.id)).toBe(true);
  } finally {
    await other.stop();
  }
});

it('is kept here until the worker takes it', async () => {
  rig.worker.refuseRecordingsWith = 503;
  const call = await rig.ringingCall();
  rig.worker.want(call.id, { recording: 'on' });
  rig.open(call);
  await until('a second', () => call.phone.heard().packets > 50);
  rig.worker.send({ type: 'call.close', call_id: call.id });
  await until('the file', () => files().some((file) => file.endsWith(`${call.id}.ogg`)));
  rig.worker.refuseRecordingsWith = undefined;
  await brought(call);
  await until('the file is gone', () => !files().some((file) => file.endsWith('.ogg')));
});
