import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Recording } from '../../../../relay/domain/recording.ts';
import { readRecording } from '../../../support/recording-reader.ts';

const SILENCE = 'f8fffe';
const FRAME_MS = 20;

/** A recording into memory, with virtual time. */
function open(startMs = 0) {
  const pages: Uint8Array[] = [];
  const recording = new Recording(0xdead_beef, (page) => pages.push(page.slice()));
  recording.want('on', startMs);
  recording.open(startMs);
  const heard = (n: number, atMs: number, bytes = numbered(n)) =>
    recording.heard(bytes, 0, bytes.length, (n * 960) >>> 0, atMs);
  const sent = (n: number, atMs: number, bytes = numbered(n)) =>
    recording.sent(bytes, 0, bytes.length, (n * 960) >>> 0, atMs, atMs);
  const close = (atMs: number) => {
    if (!recording.close(atMs)) return undefined;
    return readRecording(Buffer.concat(pages));
  };
  return { recording, pages, heard, sent, close };
}

/** 20 ms of SILK at 16 kHz that carries a number, and `extra` bytes more. */
function numbered(n: number, extra = 40): Buffer {
  const packet = Buffer.alloc(5 + extra, 0x55);
  packet[0] = 0x48;
  packet.writeUInt32LE(n, 1);
  return packet;
}

/** The number of a packet, `lost` or `silence`. */
function nameOf(packet: Buffer): number | string {
  if (packet.toString('hex') === SILENCE) return 'silence';
  return packet.length === 1 ? 'lost' : packet.readUInt32LE(1);
}

const names = (voice: Buffer[]) => voice.map(nameOf);

describe('both voices', () => {
  it('lie side by side, byte for byte, the caller on the left', () => {
    const { heard, sent, close } = open();
    for (let n = 0; n < 200; n++) {
      heard(n, n * FRAME_MS);
      sent(n + 1000, n * FRAME_MS);
    }
    const read = close(200 * FRAME_MS);
    expect(read?.left).toEqual(Array.from({ length: 200 }, (_, n) => numbered(n)));
    expect(read?.right).toEqual(Array.from({ length: 200 }, (_, n) => numbered(n + 1000)));
    expect(read).toMatchObject({ vendor: 'Roomline', preSkip: 312, durationMs: 4000 - 6.5 });
  });

  it('come in pages of a second', () => {
    const { sent, close } = open();
    for (let n = 0; n < 175; n++) sent(n, n * FRAME_MS);
    const { pages = [] } = close(175 * FRAME_MS) ?? {};
    expect(pages.map(({ packets }) => packets)).toEqual([1, 1, 50, 50, 50, 25]);
  });

  it('begin with the first packet; the other voice is silent until its own', () => {
    const { heard, sent, close } = open(10_000);
    for (let n = 0; n < 20; n++) sent(n, 10_400 + n * FRAME_MS);
    for (let n = 0; n < 10; n++) heard(n, 10_600 + n * FRAME_MS);
    const read = close(10_800);
    expect(names(read?.right ?? [])).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(names(read?.left ?? [])).toEqual([
      ...Array<string>(10).fill('silence'),
      ...Array.from({ length: 10 }, (_, n) => n),
    ]);
  });

  it('are no file when nothing came', () => {
    const { recording, pages, close } = open();
    recording.tick(5_000);
    expect(close(10_000)).toBeUndefined();
    expect(pages).toEqual([]);
  });
});

describe('what was said before the path opened', () => {
  it('is there: a second of the caller, and all that is kept of others, where it was said', () => {
    const pages: Uint8Array[] = [];
    const recording = new Recording(1, (page) => pages.push(page.slice()));
    const heard = (n: number) => recording.heard(numbered(n), 0, 45, n * 960, n * FRAME_MS);
    for (let n = 0; n < 1_000; n++) heard(n);
    const openedMs = 20_000;
    recording.want('on', openedMs);
    recording.open(openedMs);
    // Five seconds of an agent, sent at twice the pace. In the middle of them is a pause of a second that is not sent.
    let n = 0;
    for (let nowMs = openedMs; nowMs < openedMs + 4_000; nowMs += 10) {
      const dueMs = openedMs - 6_000 + n * FRAME_MS + (n < 125 ? 0 : 1_000);
      if (dueMs <= nowMs) {
        recording.sent(numbered(5_000 + n), 0, 45, n * 960, dueMs, nowMs);
        n += 1;
      }
      if (nowMs % 20 === 0) heard(nowMs / FRAME_MS);
      recording.tick(nowMs);
    }
    recording.close(openedMs + 4_000);
    const { left, right } = readRecording(Buffer.concat(pages));
    expect(names(left)).toEqual([
      ...Array<string>(250).fill('silence'),
      ...Array.from({ length: 250 }, (_, n) => 950 + n),
    ]);
    expect(names(right).slice(0, n + 50)).toEqual([
      ...Array.from({ length: 125 }, (_, n) => 5_000 + n),
      ...Array<string>(50).fill('lost'),
      ...Array.from({ length: n - 125 }, (_, n) => 5_125 + n),
    ]);
  });

  it('is not there when it was said before recording was wanted', () => {
    const { recording, heard, close } = open();
    recording.want('off', 0);
    for (let n = 0; n < 10; n++) heard(n, n * FRAME_MS);
    recording.want('on', 200);
    recording.sent(numbered(7), 0, 45, 0, 100, 200);
    heard(10, 200);
    const read = close(240);
    expect([names(read?.left ?? [])[0], names(read?.right ?? [])[0]]).toEqual([10, 'silence']);
  });
});

describe('losses and disorder', () => {
  it('what never came stays lost, in the mode of what came before', () => {
    const { heard, close } = open();
    for (let n = 0; n < 100; n++) if (n % 7 !== 3 && !(n > 40 && n < 60)) heard(n, n * FRAME_MS);
    const { left = [] } = close(100 * FRAME_MS) ?? {};
    expect(names(left)).toEqual(
      Array.from({ length: 100 }, (_, n) => (n % 7 !== 3 && !(n > 40 && n < 60) ? n : 'lost')),
    );
    expect(left[3]?.toString('hex')).toBe('48');
  });

  it('packets up to a second late take their places, later ones and repeated ones none', () => {
    const { heard, close } = open();
    for (let n = 0; n < 200; n++) if (n !== 60 && n !== 70) heard(n, n * FRAME_MS);
    const late = open();
    for (let n = 0; n < 200; n++) {
      if (n !== 60 && n !== 70) late.heard(n, n * FRAME_MS);
      if (n === 100) late.heard(60, n * FRAME_MS);
      if (n === 180) late.heard(70, n * FRAME_MS);
      late.heard(n, n * FRAME_MS, numbered(999));
    }
    const before = names(close(4_000)?.left ?? []);
    const after = names(late.close(4_000)?.left ?? []);
    expect([before[60], before[70]]).toEqual(['lost', 'lost']);
    expect(after.slice(61, 70)).toEqual(before.slice(61, 70));
    expect([after[60], after[70]]).toEqual([999, 999]);
  });

  it('any loss, jitter and disorder below the wait: every packet that came is in its place', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ isLost: fc.boolean(), lateMs: fc.integer({ min: 0, max: 800 }) }), {
          minLength: 60,
          maxLength: 400,
        }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (fates, start) => {
          const { recording, sent, close } = open();
          const arrivals = fates
            .map(({ isLost, lateMs }, n) => ({ n, isLost, atMs: n * FRAME_MS + lateMs }))
            // The first tells where all others belong, and now and then one must be in time.
            .map((one) =>
              one.n % 50 === 0 ? { ...one, isLost: false, atMs: one.n * FRAME_MS } : one,
            )
            .toSorted((a, b) => a.atMs - b.atMs);
          for (let n = 0; n < fates.length; n++) {
            for (const { n: of, isLost, atMs } of arrivals)
              if (!isLost && atMs >= n * FRAME_MS && atMs < (n + 1) * FRAME_MS)
                recording.heard(numbered(of), 0, 45, (start + of * 960) >>> 0, atMs);
            sent(n, n * FRAME_MS);
          }
          const end = fates.length;
          for (const { n, isLost, atMs } of arrivals)
            if (!isLost && atMs >= end * FRAME_MS)
              recording.heard(numbered(n), 0, 45, (start + n * 960) >>> 0, atMs);
          const read = close(end * FRAME_MS + 800);
          expect(names(read?.left ?? []).slice(0, end)).toEqual(
            fates.map(({ isLost }, n) => (isLost && n % 50 !== 0 ? 'lost' : n)),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('clocks', () => {
  it.each([-200, -20, 0, 20, 200])(
    'a caller whose clock is %i ppm off is within 20 ms of what they were sent after an hour',
    (ppm) => {
      const pages: Uint8Array[] = [];
      const recording = new Recording(1, (page) => pages.push(page.slice()));
      recording.want('on', 0);
      recording.open(0);
      // Both voices are numbered by when they were said.
      const step = FRAME_MS / (1 + ppm / 1e6);
      const hourMs = 3600_000;
      let random = 1;
      const jitterMs = () => {
        random = (random * 48_271) % 0x7fff_ffff;
        return random % 15;
      };
      let callerMs = 0;
      let n = 0;
      for (let atMs = 0; atMs < hourMs; atMs += FRAME_MS) {
        for (; callerMs < atMs + FRAME_MS; callerMs += step, n++) {
          const bytes = numbered(Math.round(callerMs), 40 + (n % 3));
          recording.heard(bytes, 0, bytes.length, (n * 960) >>> 0, callerMs + jitterMs());
        }
        recording.sent(numbered(atMs), 0, 45, (atMs * 48) >>> 0, atMs, atMs);
      }
      recording.close(hourMs);
      const { left, right, durationMs } = readRecording(Buffer.concat(pages));
      expect(durationMs).toBe(hourMs - 6.5);
      let worstMs = 0;
      let lost = 0;
      right.forEach((packet, slot) => {
        expect(nameOf(packet)).toBe(slot * FRAME_MS);
        const said = nameOf(left[slot] as Buffer);
        if (typeof said === 'number') worstMs = Math.max(worstMs, Math.abs(said - slot * FRAME_MS));
        else lost += 1;
      });
      expect(worstMs).toBeLessThanOrEqual(20);
      // 200 ppm are 720 ms in an hour: 36 slots too many, or too few.
      expect(lost).toBeLessThanOrEqual(ppm < 0 ? 40 : 3);
    },
    60_000,
  );

  it('a stream that begins anew goes on where the clock is', () => {
    const { heard, close } = open();
    for (let n = 0; n < 50; n++) heard(n, n * FRAME_MS);
    for (let n = 0; n < 50; n++) heard(700_000 + n, (60 + n) * FRAME_MS);
    expect(names(close(110 * FRAME_MS)?.left ?? [])).toEqual([
      ...Array.from({ length: 50 }, (_, n) => n),
      ...Array<string>(10).fill('lost'),
      ...Array.from({ length: 50 }, (_, n) => 700_000 + n),
    ]);
  });
});

describe('pause', () => {
  /** Both voices all the time, and these states at these times. */
  function call(states: [atMs: number, state: 'off' | 'on' | 'paused'][], endMs: number) {
    const { recording, heard, sent, close } = open();
    for (let n = 0; n * FRAME_MS < endMs; n++) {
      for (const [atMs, state] of states) if (atMs === n * FRAME_MS) recording.want(state, atMs);
      heard(n, n * FRAME_MS);
      // 100 ms ahead of the clock.
      recording.sent(numbered(n + 5), 0, 45, n * 960, n * FRAME_MS + 100, n * FRAME_MS);
      recording.tick(n * FRAME_MS);
    }
    return { ...close(endMs), sent };
  }

  it('is silence in both voices, nothing more, and the time line goes on', () => {
    const { left = [], right = [] } = call(
      [
        [2_000, 'paused'],
        [5_000, 'on'],
      ],
      8_000,
    );
    expect(names(left)).toEqual(
      Array.from({ length: 405 }, (_, n) =>
        n >= 400 ? 'lost' : n >= 100 && n < 250 ? 'silence' : n,
      ),
    );
    expect(names(right.slice(0, 250))).toEqual(
      Array.from({ length: 250 }, (_, n) => (n < 5 || n >= 100 ? 'silence' : n)),
    );
    expect(nameOf(right[260] as Buffer)).toBe(260);
  });

  it('that lasts until the end lasts until the end', () => {
    const { left = [] } = call([[2_000, 'paused']], 4_000);
    expect(names(left).slice(100)).toEqual(Array<string>(100).fill('silence'));
  });

  it('switched off, the file ends there; switched on again, silence lies between', () => {
    expect(call([[2_000, 'off']], 4_000).left).toHaveLength(100);
    const { left = [] } = call(
      [
        [2_000, 'off'],
        [3_000, 'on'],
      ],
      4_000,
    );
    expect(names(left).slice(100, 150)).toEqual(Array<string>(50).fill('silence'));
    expect(names(left).slice(150, 200)).toEqual(Array.from({ length: 50 }, (_, n) => n + 150));
  });

  it('nothing said before it was switched on is there', () => {
    const { left = [] } = call(
      [
        [0, 'off'],
        [1_000, 'on'],
      ],
      2_000,
    );
    expect(nameOf(left[0] as Buffer)).toBe(50);
  });
});

describe('other packets than 20 ms of mono', () => {
  it('of several frames are cut, byte for byte', () => {
    const { recording, close } = open();
    // Spec: RFC 6716 section 3.2.5: three frames of 20 ms with lengths 3 and 300, and two bytes of padding.
    const frames = [1, 2, 3].map((n) => Buffer.alloc(n === 2 ? 300 : 3, n));
    const packet = Buffer.concat([
      Buffer.from([0x4b, 0xc3, 2, 3, 252, 12]),
      ...frames,
      Buffer.alloc(2),
    ]);
    recording.heard(packet, 0, packet.length, 0, 0);
    // Two frames of 10 ms in code 1 stay one packet of 20 ms.
    const twins = Buffer.from([0x41, 7, 7, 8, 8]);
    recording.heard(twins, 0, twins.length, 3 * 960, 60);
    const { left = [] } = close(80) ?? {};
    expect(left.slice(0, 3)).toEqual(
      frames.map((frame) => Buffer.concat([Buffer.from([0x48]), frame])),
    );
    expect(left[3]?.toString('hex')).toBe('43820207070808');
  });

  it('that cannot be cut are lost, and counted', () => {
    const { recording, heard, close } = open();
    heard(0, 0);
    const sixty = Buffer.from([0x58, 1, 2, 3]);
    recording.heard(sixty, 0, 4, 960, 20);
    const ten = Buffer.from([0x40, 1, 2, 3]);
    recording.heard(ten, 0, 4, 2 * 960, 40);
    recording.heard(Buffer.alloc(0), 0, 0, 3 * 960, 60);
    heard(4, 80);
    expect(recording.leftOut).toEqual({ unfit: 3, dropped: 0 });
    expect(names(close(100)?.left ?? [])).toEqual([0, 'lost', 'lost', 'lost', 4]);
  });

  it('whatever bytes come, the file is whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 0, maxLength: 1_700 }), {
          minLength: 1,
          maxLength: 80,
        }),
        (packets) => {
          const { recording, sent, close } = open();
          packets.forEach((bytes, n) => {
            recording.heard(bytes, 0, bytes.length, n * 960, n * FRAME_MS);
            sent(n, n * FRAME_MS, numbered(n, 1_200));
          });
          const read = close(packets.length * FRAME_MS);
          expect(read?.right.slice(0, packets.length)).toEqual(
            packets.map((_, n) => numbered(n, 1_200)),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});
