import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HELD_MS, KeyReader, KEYS, LOST_END_MS } from '../../../../relay/domain/dtmf.ts';
import { emptyRtpView, readRtp } from '../../../../relay/domain/rtp.ts';

type Event = { digit: string; ticks: number; isEnd?: boolean };
type Packet = { timestamp: number; events: Event[]; marker?: boolean; ssrc?: number };

function rtp({ timestamp, events, marker = false, ssrc = 9 }: Packet): Uint8Array {
  const packet = Buffer.alloc(12 + 4 * events.length);
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8((marker ? 0x80 : 0) | 126, 1);
  packet.writeUInt32BE(timestamp >>> 0, 4);
  packet.writeUInt32BE(ssrc, 8);
  for (const [index, { digit, ticks, isEnd = false }] of events.entries()) {
    packet.writeUInt8(digit === 'flash' ? 16 : '0123456789*#ABCD'.indexOf(digit), 12 + 4 * index);
    packet.writeUInt8((isEnd ? 0x80 : 0) | 10, 13 + 4 * index);
    packet.writeUInt16BE(ticks, 14 + 4 * index);
  }
  return packet;
}

function rig() {
  const keys: { digit: string; atMs: number }[] = [];
  let nowMs = 0;
  const reader = new KeyReader((digit) => keys.push({ digit, atMs: nowMs }));
  const view = emptyRtpView();
  return {
    keys,
    digits: () => keys.map(({ digit }) => digit).join(''),
    take: (packet: Packet) => {
      const bytes = rtp(packet);
      readRtp(bytes, 0, view);
      reader.packet(bytes, view, nowMs);
    },
    /** Lets the time pass in ticks of 10 ms. */
    wait: (ms: number) => {
      for (const untilMs = nowMs + ms; nowMs < untilMs;) {
        nowMs += 10;
        reader.tick(nowMs);
      }
    },
    get nowMs() {
      return nowMs;
    },
  };
}

type Rig = ReturnType<typeof rig>;

/** The packets of one key: one every 20 ms, the end three times. */
function press(digit: string, timestamp: number, ms = 100): Packet[] {
  const frames = Math.floor(ms / 20);
  return Array.from({ length: frames + 2 }, (_, index) => ({
    timestamp,
    marker: index === 0,
    events: [{ digit, ticks: Math.min(index + 1, frames) * 160, isEnd: index + 1 >= frames }],
  }));
}

/** Sends them in the pace of a phone. */
const send = (rig: Rig, packets: readonly Packet[]): void => {
  for (const packet of packets) {
    rig.take(packet);
    if (!packet.events.at(-1)?.isEnd) rig.wait(20);
  }
};

it('tells of every key once, with its end', () => {
  for (const digit of KEYS) {
    const phone = rig();
    send(phone, press(digit, 48_000));
    expect(phone.keys).toEqual([{ digit, atMs: 80 }]);
    phone.wait(10_000);
    expect(phone.digits()).toBe(digit);
  }
});

it('tells of keys one after the other, also of the same one twice', () => {
  const phone = rig();
  for (const [index, digit] of '11*2200#'.split('').entries()) {
    send(phone, press(digit, index * 9_600));
    phone.wait(100);
  }
  expect(phone.digits()).toBe('11*2200#');
});

it('tells of each key of which any packet comes, in order, whatever is lost or doubled', () => {
  const digits = fc.array(fc.constantFrom(...KEYS.split('')), { minLength: 1, maxLength: 8 });
  const fates = fc.array(fc.constantFrom(0, 1, 1, 2), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(
      digits,
      fc.array(fates, { minLength: 8, maxLength: 8 }),
      fc.nat(),
      (digits, fates, start) => {
        const phone = rig();
        const heard: string[] = [];
        for (const [index, digit] of digits.entries()) {
          const packets = press(digit, (start + index * 9_600) >>> 0);
          const copies = packets.map((_, at) => fates[index]?.[at] ?? 1);
          if (copies.some((count) => count > 0)) heard.push(digit);
          for (const [at, packet] of packets.entries()) {
            for (let copy = 0; copy < (copies[at] ?? 1); copy++) phone.take(packet);
            phone.wait(20);
          }
          phone.wait(60);
        }
        phone.wait(LOST_END_MS);
        expect(phone.digits()).toBe(heard.join(''));
      },
    ),
  );
});

it('tells of the same keys when packets overtake each other', () => {
  // Up to three places late, which is 60 ms.
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 28, maxLength: 28 }), (delays) => {
      const phone = rig();
      const sent = '4711'.split('').flatMap((digit, index) => press(digit, index * 9_600));
      const order = sent
        .map((packet, place) => ({ packet, at: place + (delays[place] ?? 0) }))
        .toSorted((one, other) => one.at - other.at);
      for (const { packet } of order) {
        phone.take(packet);
        phone.wait(20);
      }
      phone.wait(LOST_END_MS);
      expect(phone.digits()).toBe('4711');
    }),
  );
});

describe('a key whose end is lost', () => {
  it('is let go when nothing more of it comes', () => {
    const phone = rig();
    send(phone, press('5', 0).slice(0, 3));
    phone.wait(LOST_END_MS - 30);
    expect(phone.digits()).toBe('');
    phone.wait(30);
    expect(phone.digits()).toBe('5');
  });

  it('is let go when the next one is pressed', () => {
    const phone = rig();
    send(phone, press('5', 0).slice(0, 3));
    phone.take({ timestamp: 9_600, events: [{ digit: '6', ticks: 160 }] });
    expect(phone.digits()).toBe('5');
  });

  it('is not told of again when its packets go on after a stall', () => {
    const phone = rig();
    const packets = press('5', 0, 1_000);
    send(phone, packets.slice(0, 10));
    phone.wait(5_000);
    send(phone, packets.slice(10));
    expect(phone.digits()).toBe('5');
  });
});

describe('a key that is held', () => {
  it('is told of after two seconds, once', () => {
    const phone = rig();
    send(phone, press('0', 0, 5_000));
    phone.wait(1_000);
    expect(phone.keys).toEqual([{ digit: '0', atMs: HELD_MS }]);
  });

  it.each([
    // Spec: RFC 4733 section 2.5.1.3, timestamps of the audio and durations at 8 kHz.
    ['as the standard says', 160, 0xffff * 6],
    ['by durations in RTP ticks, as libwebrtc does beside Opus', 960, 0xffff],
    ['by the timestamp of its frame, as libwebrtc does', 960, 69 * 960],
  ])('goes on under another timestamp, %s', (_how, ticksPerFrame, step) => {
    const phone = rig();
    let timestamp = 1_000;
    let ticks = 0;
    for (let frame = 0; frame < 1_500; frame++) {
      ticks += ticksPerFrame;
      if (ticks > 0xffff) {
        phone.take({ timestamp, events: [{ digit: '7', ticks: 0xffff }] });
        timestamp += step;
        ticks -= 0xffff;
      }
      phone.take({ timestamp, marker: frame === 0, events: [{ digit: '7', ticks }] });
      phone.wait(20);
    }
    phone.take({ timestamp, events: [{ digit: '7', ticks, isEnd: true }] });
    phone.wait(1_000);
    expect(phone.digits()).toBe('7');
  });

  it('is another key when it was let go before, however long it was held', () => {
    const phone = rig();
    phone.take({ timestamp: 0, events: [{ digit: '7', ticks: 0xffff, isEnd: true }] });
    phone.take({ timestamp: 0xffff * 6, events: [{ digit: '7', ticks: 160 }] });
    phone.wait(LOST_END_MS);
    expect(phone.digits()).toBe('77');
  });

  it('is another key when that one is marked as such', () => {
    const phone = rig();
    phone.take({ timestamp: 0, events: [{ digit: '7', ticks: 0xffff }] });
    phone.take({ timestamp: 0xffff * 6, marker: true, events: [{ digit: '7', ticks: 160 }] });
    phone.wait(LOST_END_MS);
    expect(phone.digits()).toBe('77');
  });
});

it('reads several keys in one packet, and its copies', () => {
  const phone = rig();
  const events = '123'.split('').map((digit) => ({ digit, ticks: 400, isEnd: true }));
  for (let copy = 0; copy < 3; copy++) phone.take({ timestamp: 77, events });
  expect(phone.digits()).toBe('123');
});

it('takes a lower timestamp of another stream, or long after, for another key', () => {
  const phone = rig();
  send(phone, press('1', 5_000_000));
  phone.take({ timestamp: 10, ssrc: 10, events: [{ digit: '2', ticks: 160, isEnd: true }] });
  expect(phone.digits()).toBe('12');
  phone.wait(5_000);
  phone.take({
    timestamp: 0xf000_0000,
    ssrc: 10,
    events: [{ digit: '3', ticks: 160, isEnd: true }],
  });
  expect(phone.digits()).toBe('123');
});

it('passes over what is no key', () => {
  const phone = rig();
  phone.take({ timestamp: 1, events: [{ digit: 'flash', ticks: 800, isEnd: true }] });
  phone.take({ timestamp: 2, events: [] });
  phone.wait(1_000);
  expect(phone.digits()).toBe('');
});

it('tells of no more keys than anybody presses', () => {
  const phone = rig();
  for (let n = 0; n < 1_000; n++) {
    phone.take({ timestamp: n * 960, events: [{ digit: '1', ticks: 160, isEnd: true }] });
    phone.wait(20);
  }
  // Twenty at once, and ten a second for 20 s.
  expect(phone.keys.length).toBeLessThanOrEqual(220);
  expect(phone.keys.length).toBeGreaterThan(200);
});

it('takes any bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 12, maxLength: 40 })), (packets) => {
      const keys: string[] = [];
      const reader = new KeyReader((digit) => keys.push(digit));
      const view = emptyRtpView();
      for (const [index, bytes] of packets.entries())
        if (readRtp(bytes, 0, view)) reader.packet(bytes, view, index);
      expect(keys.every((digit) => digit.length === 1 && KEYS.includes(digit))).toBe(true);
    }),
  );
});
