// What a call's figures say of its voices, from the packets that come to what is reported at the end.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { CallStats } from '../../../relay/protocol.ts';
import { offer, openCall, place, rig, RTP, want } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

type Call = Awaited<ReturnType<typeof openCall>>;

type PacketParts = { ssrc?: number; bytes?: number; type?: number };

function packet(sequence: number, { ssrc = 9, bytes = 31, type = 111 }: PacketParts = {}) {
  const packet = new Uint8Array(12 + bytes).fill(1);
  packet.set(RTP.subarray(0, Math.min(13, packet.length)));
  const view = new DataView(packet.buffer);
  packet[1] = type;
  view.setUint16(2, sequence & 0xffff);
  view.setUint32(4, sequence * 960);
  view.setUint32(8, ssrc);
  return packet;
}

function endOf(call: Call): CallStats {
  call.session.close('closed');
  const [end] = call.ends();
  if (!end?.stats) throw new Error('the call has no figures');
  return end.stats;
}

/** A call that rings: its media and its room are up. */
async function ringing(): Promise<Call> {
  const call = rig();
  await call.session.answer(offer);
  call.session.want(want(1, { connect: true, room: place }));
  call.leg().onUp(undefined);
  call.room().onJoined();
  return call;
}

/** The numbers of what the provider was sent. */
const numbersSent = (call: Call) =>
  call.toProvider
    .filter((bytes) => (bytes[1] ?? 0) !== 200)
    .map((bytes) => new DataView(bytes.buffer).getUint16(2));

it('are those of what is heard: of what a track carried before the opening what is played counts', async () => {
  const call = await ringing();
  for (const n of [10, 12, 13, 20]) {
    call.room().onAudio(1, packet(n));
    vi.advanceTimersByTime(20);
  }
  call.session.want(want(2, { connect: true, open: true }));
  for (const n of [21, 22, 24]) {
    call.room().onAudio(1, packet(n));
    vi.advanceTimersByTime(20);
  }
  expect(endOf(call).to_caller).toMatchObject({ packets: 7, lost: 8, gaps: 1, longest_gap: 1 });
});

it('take packets without payload for what they are: neither audio nor a loss', async () => {
  const call = await openCall();
  for (let n = 0; n < 50; n++) {
    call.room().onAudio(1, packet(n, n % 10 === 5 ? { bytes: 0 } : {}));
    vi.advanceTimersByTime(20);
  }
  expect(endOf(call).to_caller).toMatchObject({ packets: 50, lost: 0 });
  // The caller's phone sees none of them missing either.
  const numbers = numbersSent(call);
  expect(numbers).toEqual(numbers.map((_, index) => ((numbers[0] ?? 0) + index) & 0xffff));
});

it('are those of all tracks, each by its own numbers, whoever of them is heard', async () => {
  const call = await openCall();
  for (let n = 0; n < 100; n++) {
    call.room().onAudio(1, packet(n, { ssrc: 1 }));
    if (n !== 50) call.room().onAudio(2, packet(40_000 + n, { ssrc: 2 }));
    if (n === 70) call.room().onSourceGone(1);
    vi.advanceTimersByTime(20);
  }
  expect(endOf(call).to_caller).toMatchObject({ packets: 199, lost: 1, duplicates: 0 });
});

it('count a packet that came twice once, and pass it on once', async () => {
  const call = await openCall();
  call.room().onCallerHeard();
  for (const n of [1, 2, 2, 3, 3, 3]) call.leg().onPacket(packet(n));
  vi.advanceTimersByTime(20);
  const { from_caller: figures } = endOf(call);
  expect(figures).toMatchObject({ packets: 3, lost: 0, duplicates: 3, late: 0 });
});

it('count what came too late to be passed on', async () => {
  const call = await openCall();
  call.room().onCallerHeard();
  vi.advanceTimersByTime(20);
  call.leg().onPacket(packet(1));
  vi.advanceTimersByTime(200);
  call.leg().onPacket(packet(10));
  call.leg().onPacket(packet(5));
  expect(endOf(call).from_caller).toMatchObject({ packets: 3, lost: 7, reordered: 1, late: 1 });
});

it('have no jitter of key presses, whose time stands still', async () => {
  const call = await openCall();
  for (let n = 0; n < 60; n++) {
    const isKey = n >= 20 && n < 30;
    const bytes = packet(n, isKey ? { type: 126, bytes: 4 } : {});
    if (isKey) new DataView(bytes.buffer).setUint32(4, 20 * 960);
    call.leg().onPacket(bytes);
    vi.advanceTimersByTime(20);
  }
  expect(endOf(call).from_caller).toMatchObject({ packets: 60, lost: 0, jitter_ms: 0 });
});

/** A report that answers one of ours. @param ms for how long the receiver kept it */
function answerTo(report: Uint8Array, lost: number, ms: number): Uint8Array {
  const own = new DataView(report.buffer, report.byteOffset);
  const answer = new DataView(new ArrayBuffer(32));
  answer.setUint32(0, 0x81c90007);
  answer.setUint32(8, own.getUint32(4));
  answer.setUint32(12, lost);
  answer.setUint32(20, 480);
  answer.setUint32(24, own.getUint32(10));
  answer.setUint32(28, (ms / 1000) * 65_536);
  return new Uint8Array(answer.buffer);
}

it('tell what both receivers say of what they were sent, and how long the way is', async () => {
  const call = await openCall();
  vi.advanceTimersByTime(3_000);
  const isReport = (bytes: Uint8Array) => bytes[1] === 200;
  const [toPhone, toRoom] = [call.toProvider.find(isReport), call.toRoom.find(isReport)];
  if (!toPhone || !toRoom) throw new Error('no report was sent');
  vi.advanceTimersByTime(580);
  const sentMs = 2_500;
  call.leg().onPacket(answerTo(toPhone, 4, 1_000));
  call.room().onReport(answerTo(toRoom, 0, 1_070));
  const { to_caller: toCaller, from_caller: fromCaller } = endOf(call);
  expect(toCaller.receiver).toMatchObject({ lost: 4, jitter_ms: 10 });
  expect(toCaller.receiver?.rtt_ms).toBeCloseTo(3_580 - sentMs - 1_000, -1);
  expect(fromCaller.receiver).toMatchObject({ lost: 0 });
  expect(fromCaller.receiver?.rtt_ms).toBeCloseTo(3_580 - sentMs - 1_070, -1);
});

it('let the provider know the round trip, too: our report names its last one', async () => {
  const call = await openCall();
  call.leg().onPacket(packet(1));
  const report = new DataView(new ArrayBuffer(28));
  report.setUint32(0, 0x80c80006);
  report.setUint32(8, 0x1234abcd);
  report.setUint32(12, 0xef560000);
  vi.advanceTimersByTime(1_000);
  call.leg().onPacket(new Uint8Array(report.buffer));
  vi.advanceTimersByTime(2_000);
  const ours = call.toProvider.find((bytes) => bytes[1] === 200);
  const view = new DataView(ours?.buffer ?? new ArrayBuffer(0));
  expect(view.getUint32(28 + 16)).toBe(0xabcdef56);
  expect(view.getUint32(28 + 20) / 65_536).toBeCloseTo(1.5, 1);
});
