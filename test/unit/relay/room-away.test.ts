// What a call does while its room is away.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SILENCE_FRAME } from '../../../relay/domain/opus.ts';
import { HOLD, offer, openCall, place, rig, RTP, want } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

type Call = ReturnType<typeof rig>;

/** One packet of an agent's: a header without extension, then 20 ms of Opus. */
const agentPacket = (number: number): Uint8Array => {
  const packet = RTP.slice();
  packet[3] = number;
  return packet.fill(9, 13);
};

/** Says 20 ms frames that carry their number, for `ms`. */
function talk(call: Call, from: number, ms: number): number {
  for (let n = 0; n < ms / 20; n++) {
    const packet = RTP.slice();
    const number = from + n;
    [packet[2], packet[3], packet[20]] = [number >> 8, number & 0xff, number & 0xff];
    call.leg().onPacket(packet);
    vi.advanceTimersByTime(20);
  }
  return from + ms / 20;
}

const payloads = (packets: readonly Uint8Array[]) =>
  packets
    .filter((packet) => packet[1] !== 200)
    .map((packet) => Buffer.from(packet.subarray(12)).toString('hex'));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Sequence number and timestamp of every RTP packet that went to the caller. */
const numbers = (call: Call) =>
  call.toProvider
    .filter((packet) => packet[1] !== 200)
    .map((packet) => {
      const view = new DataView(packet.buffer);
      return [view.getUint16(2), view.getUint32(4), view.getUint32(8)] as const;
    });

const lose = (call: Call, detail = 'signalling closed') =>
  call.room().onEnded({ why: 'lost', detail });

it('is reported with the reason, once for each loss, and so is the return', async () => {
  const call = await openCall();
  lose(call);
  call.room().onJoined();
  vi.advanceTimersByTime(5_000);
  lose(call, 'x'.repeat(600));
  expect(call.events.slice(-3)).toEqual([
    { type: 'room-away', call_id: 'c1', detail: 'signalling closed' },
    { type: 'room-joined', call_id: 'c1' },
    { type: 'room-away', call_id: 'c1', detail: 'x'.repeat(500) },
  ]);
  expect(call.calls.filter((name) => name === 'status active')).toHaveLength(2);
  call.session.close('closed');
});

it('has agents told again what becomes of the transfer that one of them has asked for', async () => {
  const call = await openCall();
  const request = { to: { team: 'sales' } };
  expect(call.room().onTransferAsked('assistant', request)).toBe(true);
  expect(call.events.at(-1)).toMatchObject({ type: 'transfer-asked', request });
  call.session.want(want(10, { connect: true, open: true, transfer: 'ringing' }));
  lose(call);
  call.session.want(want(11, { connect: true, open: true, transfer: 'failed' }));
  call.room().onJoined();
  call.session.want(want(12, { connect: true, open: true }));
  const states = call.calls.filter((name) => name.startsWith('transfer'));
  expect(states).toEqual(['transfer asked', 'transfer ringing', 'transfer failed', 'transfer ']);
  const again = Array.from({ length: 30 }, () => call.room().onTransferAsked('assistant', request));
  expect(again.filter(Boolean)).toHaveLength(19);
  call.session.close('closed');
});

it('leaves the caller’s stream whole: hold sound in it, one number and 20 ms a packet', async () => {
  const call = await openCall();
  call.room().onReady('anna');
  for (let n = 0; n < 50; n++) {
    call.room().onAudio(1, agentPacket(n));
    vi.advanceTimersByTime(20);
  }
  lose(call);
  vi.advanceTimersByTime(3_000);
  call.room().onParticipantJoined('anna');
  call.room().onJoined();
  vi.advanceTimersByTime(500);
  call.room().onReady('anna');
  for (let n = 0; n < 50; n++) {
    call.room().onAudio(2, agentPacket(200 + n));
    vi.advanceTimersByTime(20);
  }
  const sent = numbers(call);
  const first = sent[0] ?? [];
  for (const [index, [sequence, timestamp, ssrc]] of sent.entries()) {
    expect([sequence, timestamp, ssrc]).toEqual([
      ((first[0] ?? 0) + index) & 0xffff,
      ((first[1] ?? 0) + index * 960) >>> 0,
      first[2],
    ]);
  }
  const heard = payloads(call.toProvider);
  const voice = hex(agentPacket(0).subarray(12));
  expect(heard.lastIndexOf(voice)).toBeGreaterThan(heard.lastIndexOf(hex(HOLD)));
  // From half a second after the loss until somebody is heard again.
  const holds = heard.filter((payload) => payload === hex(HOLD)).length;
  expect(holds).toBeGreaterThanOrEqual(3_000 / 20 - 2);
  expect(holds).toBeLessThanOrEqual(3_000 / 20 + 2);
  const silent = heard.slice(heard.indexOf(hex(HOLD))).filter((p) => p === hex(SILENCE_FRAME));
  expect(silent.length).toBeLessThanOrEqual(2);
  call.session.close('closed');
});

it('is silence to the caller when we are back within half a second', async () => {
  const call = await openCall();
  lose(call);
  vi.advanceTimersByTime(490);
  call.room().onJoined();
  vi.advanceTimersByTime(3_000);
  expect(payloads(call.toProvider)).not.toContain(hex(HOLD));
  call.session.close('closed');
});

it('keeps the hold sound on until somebody who was heard before is heard again', async () => {
  const call = await openCall();
  call.room().onReady('anna');
  lose(call);
  vi.advanceTimersByTime(1_000);
  call.room().onJoined();
  const back = call.toProvider.length;
  vi.advanceTimersByTime(1_000);
  expect(new Set(payloads(call.toProvider.slice(back)))).toEqual(new Set([hex(HOLD)]));
  // Somebody else is heard first.
  call.room().onAudio(5, agentPacket(1));
  vi.advanceTimersByTime(1_000);
  expect(payloads(call.toProvider).at(-1)).toBe(hex(SILENCE_FRAME));
  call.session.close('closed');
});

it('ends the hold sound also for somebody who is back and says nothing', async () => {
  const call = await openCall();
  call.room().onReady('anna');
  lose(call);
  vi.advanceTimersByTime(1_000);
  call.room().onJoined();
  call.room().onReady('anna');
  vi.advanceTimersByTime(1_000);
  expect(new Set(payloads(call.toProvider.slice(-40)))).toEqual(new Set([hex(SILENCE_FRAME)]));
  call.session.close('closed');
});

it('sends the provider nothing while it rings, and holds a caller who is answered meanwhile', async () => {
  const call = rig();
  await call.session.answer(offer);
  call.session.want(want(1, { connect: true, room: place }));
  call.leg().onUp(undefined);
  call.room().onJoined();
  lose(call);
  vi.advanceTimersByTime(2_000);
  expect(call.toProvider).toEqual([]);
  call.session.want(want(2, { connect: true, open: true }));
  vi.advanceTimersByTime(1_000);
  const holds = payloads(call.toProvider).filter((payload) => payload === hex(HOLD));
  expect(holds.length).toBeGreaterThan(40);
  // Not what it would have been since the loss.
  expect(holds.length).toBeLessThanOrEqual(1_000 / 20 + 1);
  call.session.close('closed');
});

it('ends after 10 s as room-lost, with the media on until then', async () => {
  const call = await openCall();
  lose(call);
  vi.advanceTimersByTime(9_990);
  const before = call.toProvider.length;
  expect(before).toBeGreaterThan(490);
  expect(call.ends()).toEqual([]);
  vi.advanceTimersByTime(10);
  expect(call.ends()).toMatchObject([
    { reason: 'room-lost', detail: expect.stringContaining('signalling closed') },
  ]);
  expect(call.calls).toContain('leg.close');
});

it('ends like any other call when it is closed meanwhile', async () => {
  const call = await openCall();
  lose(call);
  call.session.close('closed');
  await call.session.closed;
  vi.advanceTimersByTime(20_000);
  expect(call.types().slice(-2)).toEqual(['room-away', 'ended']);
});

/** Numbers of what the caller said that have reached the room since a mark. */
const wordsSince = (call: Call, mark: number) =>
  call.toRoom.slice(mark).flatMap((packet) => (packet.length > 40 ? [packet[28] ?? -1] : []));

/** The stream that the room has got since a mark is one of its own: nothing is missing in it. */
function expectWhole(call: Call, mark: number): void {
  const views = call.toRoom
    .slice(mark)
    .filter((packet) => packet[1] !== 200)
    .map((packet) => new DataView(packet.buffer));
  const first = views[0]?.getUint16(2) ?? 0;
  expect(views.map((view) => view.getUint16(2))).toEqual(
    views.map((_, index) => (first + index) & 0xffff),
  );
}

it.each([4_000, 1_500])(
  'lets nobody in the room hear more than the last second of what was said in its absence of %i ms',
  async (awayMs) => {
    const call = await openCall();
    call.room().onCallerHeard();
    let next = talk(call, 0, 1_000);
    expect(wordsSince(call, 0)).toHaveLength(50);
    lose(call);
    const mark = call.toRoom.length;
    next = talk(call, next, awayMs);
    expect(call.toRoom).toHaveLength(mark);
    call.room().onJoined();
    call.room().onCallerHeard();
    const first = next - 50;
    next = talk(call, next, 2_000);
    expect(wordsSince(call, mark)).toEqual(
      Array.from({ length: 50 + 100 }, (_, index) => (first + index) & 0xff),
    );
    expectWhole(call, mark);
    call.session.close('closed');
    expect(call.ends()).toMatchObject([{ stats: { from_caller: { packets: next, lost: 0 } } }]);
  },
);

it('holds what was said until somebody in the room receives it again', async () => {
  const call = await openCall();
  call.room().onCallerHeard();
  let next = talk(call, 0, 200);
  lose(call);
  const mark = call.toRoom.length;
  next = talk(call, next, 200);
  call.room().onJoined();
  next = talk(call, next, 1_500);
  expect(wordsSince(call, mark)).toEqual([]);
  expect(call.toRoom.length).toBeGreaterThan(mark + 20);
  call.room().onCallerHeard();
  next = talk(call, next, 5_000);
  expect(wordsSince(call, mark)).toEqual(
    Array.from({ length: next - 10 }, (_, index) => (10 + index) & 0xff),
  );
  expectWhole(call, mark);
  call.session.close('closed');
});
