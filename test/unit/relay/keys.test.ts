// Key presses, both ways: what the caller presses reaches the worker and the room, and what the room presses reaches the phone.
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WAITING_KEYS_MAX } from '../../../relay/domain/dtmf-write.ts';
import { KeyReader, KEYS } from '../../../relay/domain/dtmf.ts';
import { FRAME_TICKS } from '../../../relay/domain/opus.ts';
import { emptyRtpView, readRtp } from '../../../relay/domain/rtp.ts';
import { Pump } from '../../../relay/pump.ts';
import { joined, wireOffer } from './domain/offers.ts';
import { HOLD, offer, openCall, place, rig, RTP, want } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** The end of one key, as the caller's phone sends it. */
const keyPacket = (digit: string, sequence: number, payloadType = 126): Uint8Array =>
  Uint8Array.of(
    ...RTP.subarray(0, 1),
    payloadType,
    0,
    sequence,
    0,
    0,
    sequence,
    0,
    ...RTP.subarray(8, 12),
    KEYS.indexOf(digit),
    0x8a,
    3,
    32,
  );

const keysOf = (events: readonly { type: string }[]) =>
  events.flatMap((event) => (event.type === 'dtmf' && 'digit' in event ? [event.digit] : []));

describe('a key of the caller’s', () => {
  it('is reported, and told to the room, also while a prompt is played or the recording pauses', async () => {
    const call = await openCall();
    call.leg().onPacket(keyPacket('4', 1));
    call.session.want(want(3, { connect: true, open: true, recording: 'paused' }));
    call.leg().onPacket(keyPacket('#', 2));
    call.session.want(
      want(4, { connect: true, open: true, playing: { id: 1, prompt: 'p', loop: true } }),
    );
    call.leg().onPacket(keyPacket('D', 3));
    expect(keysOf(call.events)).toEqual(['4', '#', 'D']);
    expect(call.calls.filter((told) => told.startsWith('key'))).toEqual([
      'key 4',
      'key #',
      'key D',
    ]);
    call.session.close('closed');
  });

  it('is reported, but not told to the room, while the caller is on hold', async () => {
    const call = await openCall();
    call.session.want(want(3, { connect: true, open: true, hold: true }));
    call.leg().onPacket(keyPacket('4', 1));
    expect(keysOf(call.events)).toEqual(['4']);
    expect(call.calls.filter((told) => told.startsWith('key'))).toEqual([]);
    call.session.close('closed');
  });

  it('is reported while the room is away', async () => {
    const call = await openCall();
    call.room().onEnded({ why: 'lost', detail: 'signalling closed' });
    call.leg().onPacket(keyPacket('4', 1));
    expect(keysOf(call.events)).toEqual(['4']);
    call.session.close('closed');
  });

  it('counts for nothing before the path is open', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    call.leg().onUp(undefined);
    call.leg().onPacket(keyPacket('4', 1));
    vi.advanceTimersByTime(1_000);
    expect(keysOf(call.events)).toEqual([]);
    call.session.close('closed');
  });

  it('is no audio: the room hears the frames around it, and nothing is lost', async () => {
    const call = await openCall();
    call.room().onCallerHeard();
    vi.advanceTimersByTime(20);
    const mark = call.toRoom.length;
    for (let sequence = 10; sequence < 20; sequence++) {
      const packet = RTP.slice();
      packet[3] = sequence;
      call.leg().onPacket(sequence === 15 ? keyPacket('1', sequence) : packet);
      vi.advanceTimersByTime(20);
    }
    expect(call.toRoom.slice(mark).filter((packet) => packet.length > 40)).toHaveLength(9);
    call.session.close('closed');
    expect(call.ends()).toMatchObject([{ stats: { from_caller: { packets: 10, lost: 0 } } }]);
  });

  it.each([
    ['the number of the offer', 101, 101],
    ['126 without a number in the offer', undefined, 126],
  ])('comes under %s', async (_what, offered, sent) => {
    const call = rig();
    const lines = wireOffer().map((line) =>
      line.replace(/^(m=audio .*) 126$/, offered === undefined ? '$1' : `$1 ${offered}`),
    );
    const sdp = joined(
      offered === undefined
        ? lines.filter((line) => !line.includes('telephone-event'))
        : lines.map((line) => line.replace('rtpmap:126', `rtpmap:${offered}`)),
    );
    await call.session.answer(sdp);
    call.session.want(want(1, { connect: true, open: true }));
    call.leg().onUp(undefined);
    call.leg().onPacket(keyPacket('9', 1, sent));
    expect(keysOf(call.events)).toEqual(['9']);
    call.session.close('closed');
  });
});

/** A stream toward a phone that takes key presses under 126, or none, on a clock of its own. */
function stream({ takesKeys = true } = {}) {
  let nowMs = 0;
  const sent: (ReturnType<typeof emptyRtpView> & { atMs: number; payload: Uint8Array })[] = [];
  const pump = new Pump({ sequence: 65_530, timestamp: 0xffff_f000 }, (packet) => {
    const view = emptyRtpView();
    readRtp(packet, 0, view);
    sent.push({ ...view, atMs: nowMs, payload: packet.slice(view.payloadStart, view.payloadEnd) });
  });
  pump.start(
    {
      ssrc: 5,
      payloadType: 111,
      eventType: takesKeys ? 126 : undefined,
      audioLevelId: 0,
      cname: 'c',
    },
    0,
  );
  pump.open(0);
  let said = 0;
  return {
    pump,
    sent,
    events: () => sent.filter(({ payloadType }) => payloadType === 126),
    /** Time passes; somebody in the room speaks in frames of 20 ms, or nobody does. */
    run(ms: number, isSpeaking = true) {
      for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 10) {
        if (isSpeaking && nowMs % 20 === 0) {
          said += 1;
          const packet = RTP.slice();
          [packet[2], packet[3]] = [said >> 8, said & 0xff];
          if (pump.receive(packet, 0)) pump.pass(1, packet, nowMs);
        }
        pump.tick(nowMs);
      }
    },
    /** Frames that are lost on their way. */
    lose(frames: number) {
      said += frames;
    },
  };
}

/** Every number once; timestamps of audio go up by 20 ms for each slot, those of a key's packets are its first slot's. */
function expectContinuous({ sent, events }: ReturnType<typeof stream>): void {
  const [first] = sent;
  for (const [index, { sequence, ssrc }] of sent.entries()) {
    expect(sequence).toBe(((first?.sequence ?? 0) + index) & 0xffff);
    expect(ssrc).toBe(5);
  }
  let due = first?.timestamp ?? 0;
  for (const { payloadType, timestamp, payload, marker } of sent) {
    if (payloadType !== 126) {
      expect(timestamp).toBe(due);
      due = (due + FRAME_TICKS) >>> 0;
      continue;
    }
    const frames = (((payload[2] ?? 0) << 8) | (payload[3] ?? 0)) / 160;
    expect(marker).toBe(frames === 1);
    if (frames === 1) expect(timestamp).toBe(due);
    // A duration of 160 ticks of 8 kHz is a slot of the stream.
    due = (timestamp + frames * FRAME_TICKS) >>> 0;
  }
  expect(events().every(({ payload }) => payload.length === 4)).toBe(true);
}

describe('a key of the room’s', () => {
  it('is 100 ms of telephone-event in the place of audio, its end three times', () => {
    const phone = stream();
    phone.run(200);
    phone.pump.press('5');
    phone.run(400);
    const events = phone.events();
    expect(events.map(({ payload }) => Buffer.from(payload).toString('hex'))).toEqual([
      '050a00a0',
      '050a0140',
      '050a01e0',
      '050a0280',
      '058a0320',
      '058a0320',
      '058a0320',
    ]);
    expect(new Set(events.map(({ timestamp }) => timestamp)).size).toBe(1);
    expect(events.map(({ marker }) => marker)).toEqual([true, ...Array<boolean>(6).fill(false)]);
    const [first, , , , last] = events;
    expect((last?.atMs ?? 0) - (first?.atMs ?? 0)).toBe(80);
    expectContinuous(phone);
    // 30 slots of 20 ms: one key of five, and audio.
    expect(phone.sent.length - events.length).toBe(25);
  });

  it('follows the one before after a pause of 100 ms, in which the caller hears the room', () => {
    const phone = stream();
    phone.pump.press('1');
    phone.pump.press('1');
    phone.run(600);
    const starts = phone.events().filter(({ marker }) => marker);
    expect(starts).toHaveLength(2);
    const [one, other] = starts.map(({ timestamp }) => timestamp);
    // In slots: five of the key and five of the pause.
    expect((((other ?? 0) - (one ?? 0)) >>> 0) / FRAME_TICKS).toBe(10);
    expectContinuous(phone);
  });

  it('is read again as it was pressed, whoever speaks meanwhile and whenever', () => {
    const steps = fc.array(
      fc.record({
        ms: fc.nat(400),
        keys: fc.array(fc.constantFrom(...KEYS.split('')), { maxLength: 3 }),
        isSpeaking: fc.boolean(),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(steps, (steps) => {
        const phone = stream();
        for (const { ms, keys, isSpeaking } of steps) {
          for (const key of keys) phone.pump.press(key);
          phone.run(Math.ceil(ms / 20) * 20, isSpeaking);
        }
        const pressed = steps.flatMap(({ keys }) => keys);
        phone.run(pressed.length * 220 + 100);
        const read: string[] = [];
        const reader = new KeyReader((digit) => read.push(digit));
        for (const { payload, atMs, ...view } of phone.events())
          reader.packet(payload, { ...view, payloadStart: 0, payloadEnd: 4 }, atMs);
        expect(read).toEqual(pressed);
        expectContinuous(phone);
      }),
      { numRuns: 50 },
    );
  });

  it('leaves no hole where audio was lost in its time', () => {
    const phone = stream();
    phone.run(100);
    phone.pump.press('5');
    phone.run(40);
    phone.lose(3);
    phone.run(60, false);
    phone.run(200);
    expectContinuous(phone);
  });

  it('is passed over where the phone takes none, and where too many wait', () => {
    const deaf = stream({ takesKeys: false });
    deaf.pump.press('1');
    deaf.run(500);
    expect(deaf.events()).toEqual([]);
    const phone = stream();
    for (let n = 0; n < WAITING_KEYS_MAX + 10; n++) phone.pump.press('1');
    phone.run((WAITING_KEYS_MAX + 10) * 220, false);
    expect(phone.events().filter(({ marker }) => marker)).toHaveLength(WAITING_KEYS_MAX);
    phone.pump.press('x');
    phone.pump.press('12');
    const before = phone.events().length;
    phone.run(500);
    expect(phone.events()).toHaveLength(before);
  });

  it('is let go at once when it must not be heard any more, and those that wait are forgotten', () => {
    const phone = stream();
    phone.pump.press('1');
    phone.pump.press('2');
    phone.run(40);
    phone.pump.clearKeys(40);
    phone.run(600);
    const ticks = phone.events().map(({ payload }) => Buffer.from(payload).toString('hex'));
    expect(ticks).toEqual(['010a00a0', '010a0140', '018a0140', '018a0140', '018a0140']);
    expectContinuous(phone);
  });

  it.each([
    ['reaches the caller', {}, 7],
    ['does not reach a caller who is on hold', { hold: true }, 0],
    [
      'does not reach a caller who is played a prompt',
      { playing: { id: 1, prompt: 'p', loop: true } },
      0,
    ],
  ])('%s', async (_what, change, packets) => {
    const call = rig({ loadPrompt: async () => ({ ok: true, sound: [RTP.slice(12)] }) });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    call.leg().onUp(undefined);
    call.room().onJoined();
    call.session.want(want(2, { connect: true, open: true, ...change }));
    await vi.advanceTimersByTimeAsync(100);
    call.room().onKey('8');
    await vi.advanceTimersByTimeAsync(400);
    expect(call.toProvider.filter((packet) => ((packet[1] ?? 0) & 0x7f) === 126)).toHaveLength(
      packets,
    );
    call.session.close('closed');
  });

  it('is cut off by hold, whose sound is heard in the next frame', async () => {
    const call = await openCall();
    call.room().onKey('8');
    call.room().onKey('9');
    vi.advanceTimersByTime(45);
    const mark = call.toProvider.length;
    call.session.want(want(3, { connect: true, open: true, hold: true }));
    vi.advanceTimersByTime(400);
    const types = call.toProvider.slice(mark).map((packet) => (packet[1] ?? 0) & 0x7f);
    expect(types.slice(0, 3)).toEqual([126, 126, 126]);
    expect(types.slice(3).filter((type) => type === 126)).toEqual([]);
    const held = call.toProvider.slice(mark + 3).filter((packet) => packet[1] !== 200);
    expect(held.length).toBeGreaterThanOrEqual(19);
    expect(held.every((packet) => packet.length === 12 + HOLD.length)).toBe(true);
    call.session.close('closed');
  });

  it('does not reach a provider that named no number for it', async () => {
    const call = rig();
    const lines = wireOffer().filter((line) => !line.includes('telephone-event'));
    await call.session.answer(
      joined(lines.map((line) => line.replace(/^(m=audio .*) 126$/, '$1'))),
    );
    call.session.want(want(1, { connect: true, room: place, open: true }));
    call.leg().onUp(undefined);
    call.room().onJoined();
    call.room().onKey('8');
    vi.advanceTimersByTime(400);
    expect(call.toProvider.filter((packet) => ((packet[1] ?? 0) & 0x7f) === 126)).toEqual([]);
    call.session.close('closed');
  });
});
