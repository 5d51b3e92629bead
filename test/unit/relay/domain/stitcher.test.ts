import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SILENCE_FRAME } from '../../../../relay/domain/opus.ts';
import { LAST_SECOND_PACKETS } from '../../../../relay/domain/early-words.ts';
import { LATE_MS, LEAD_MS, Stitcher } from '../../../../relay/domain/stitcher.ts';

type Sent = {
  atMs: number;
  sequence: number;
  timestamp: number;
  marker: boolean;
  tag: number | 'silence';
};

/** Opus packets of 20 ms (TOC 0xb8: CELT wideband) that say who they are in their second byte. */
const frame = (tag: number, toc = 0xb8, bytes = 40): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(7);
  packet[0] = toc;
  packet[1] = tag;
  return packet;
};

/** A stitcher on a virtual clock that ticks every 10 ms, as the relay's does. */
function rig(first = { sequence: 65_530, timestamp: 0xffff_f000 }) {
  let nowMs = 0;
  const sent: Sent[] = [];
  const stitcher = new Stitcher(
    (bytes, start, _end, sequence, timestamp, marker) => {
      const tag = bytes === SILENCE_FRAME ? 'silence' : (bytes[start + 1] ?? 0);
      sent.push({ atMs: nowMs, sequence, timestamp, marker, tag });
    },
    first.sequence,
    first.timestamp,
  );
  return {
    stitcher,
    sent,
    runTo: (untilMs: number) => {
      for (let next = Math.floor(nowMs / 10) * 10 + 10; next <= untilMs; next += 10) {
        nowMs = next;
        stitcher.tick(nowMs);
      }
      nowMs = untilMs;
    },
    say: (sequence: number, tag = sequence & 0xff, source = 1, toc = 0xb8, level = -1) => {
      const bytes = frame(tag, toc);
      const isCounted = stitcher.isOpen;
      stitcher.push(
        {
          source,
          sequence: sequence & 0xffff,
          bytes,
          start: 0,
          end: bytes.length,
          level,
          isCounted,
        },
        nowMs,
      );
    },
    start: () => stitcher.start(nowMs),
    open: () => stitcher.open(nowMs),
    tags: () => sent.filter(({ tag }) => tag !== 'silence').map(({ tag }) => tag),
    silences: () => sent.filter(({ tag }) => tag === 'silence').length,
  };
}

/** Numbers and times step by exactly one frame from packet to packet. */
function expectUnbroken(sent: readonly Sent[]): void {
  for (let index = 1; index < sent.length; index++) {
    const [before, after] = [sent[index - 1], sent[index]];
    if (!before || !after) continue;
    expect((after.sequence - before.sequence) & 0xffff).toBe(1);
    expect((after.timestamp - before.timestamp) >>> 0).toBe(960);
  }
}

it('counts what is missing of what was said before the opening, and takes no probe for a loss', () => {
  const { stitcher, sent, say, runTo, open } = rig();
  for (let n = 0; n < 40; n++) {
    runTo(n * 20);
    if (n === 20) open();
    if (n === 8 || n === 22) stitcher.skip(1, n);
    else if (n !== 15 && n !== 24) say(n);
  }
  const said = sent.filter(({ tag }) => tag !== 'silence');
  const steps = said.map(({ sequence }, at) => (sequence - (said[at - 1]?.sequence ?? 0)) & 0xffff);
  expect(said.map(({ tag }) => tag)).toEqual(
    Array.from({ length: 40 }, (_, n) => n).filter((n) => ![8, 15, 22, 24].includes(n)),
  );
  expect(steps.slice(1).filter((step) => step !== 1)).toEqual([2, 2]);
  expect(stitcher.uncounted).toEqual({ passed: 18, lost: 1 });
});

it('says nothing before it is opened, whatever happens', () => {
  const { sent, say, runTo } = rig();
  for (let n = 0; n < 200; n++) {
    say(n);
    runTo(n * 20);
  }
  expect(sent).toEqual([]);
});

it('carries silence for ever, one frame per 20 ms, over every wrap', () => {
  const { sent, runTo, open } = rig();
  open();
  runTo(60_000);
  expectUnbroken(sent);
  expect(sent.length).toBeGreaterThanOrEqual((60_000 - LATE_MS) / 20 - 1);
  expect(sent.length).toBeLessThanOrEqual(60_000 / 20);
});

it('passes an even stream on at once and inserts nothing', () => {
  const { sent, say, runTo, open, tags } = rig();
  open();
  for (let n = 0; n < 500; n++) {
    runTo(5 + n * 20);
    say(n);
    expect(sent.at(-1)).toMatchObject({ atMs: 5 + n * 20, tag: n & 0xff });
  }
  expectUnbroken(sent);
  expect(tags()).toHaveLength(500);
});

it('marks the first packet after silence and no other', () => {
  const { sent, say, runTo, open } = rig();
  open();
  runTo(500);
  for (let n = 0; n < 10; n++) {
    runTo(500 + n * 20);
    say(n);
  }
  expect(sent.filter(({ marker, tag }) => marker && tag !== 'silence')).toHaveLength(1);
  expect(sent.find(({ tag }) => tag === 0)?.marker).toBe(true);
});

it('inserts no silence for jitter, wherever the stream starts on the grid', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 400 }),
      fc.array(fc.integer({ min: 0, max: 19 }), { minLength: 100, maxLength: 100 }),
      (startMs, delays) => {
        const { say, runTo, open, silences, sent, tags } = rig();
        open();
        runTo(startMs);
        say(0);
        const before = silences();
        delays.forEach((delay, index) => {
          runTo(startMs + (index + 1) * 20 + delay);
          say(index + 1);
        });
        expect(silences()).toBe(before);
        expect(tags()).toHaveLength(101);
        expectUnbroken(sent);
      },
    ),
  );
});

it('fills a pause and goes on without a gap when the source is back', () => {
  const { sent, say, runTo, open } = rig();
  open();
  for (let n = 0; n < 50; n++) {
    runTo(n * 20);
    say(n);
  }
  runTo(3_000);
  // A muted track stops without a loss: its numbers go on where they were.
  for (let n = 0; n < 50; n++) {
    runTo(3_000 + n * 20);
    say(50 + n);
  }
  expectUnbroken(sent);
  const gaps = sent.slice(1).map(({ atMs }, index) => atMs - (sent[index]?.atMs ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(LATE_MS + 20 + 10);
  expect(sent.length).toBeLessThanOrEqual(200 + LEAD_MS / 20);
});

it('never drifts: after an hour of a source whose clock is 100 ppm off nothing was dropped or inserted', () => {
  for (const periodMs of [20.002, 19.998]) {
    const { stitcher, say, runTo, open } = rig();
    open();
    runTo(100);
    say(0);
    const filled = stitcher.filled;
    for (let n = 1; n < 180_000; n++) {
      runTo(100 + n * periodMs);
      say(n);
    }
    expect(stitcher.filled).toBe(filled);
    expect(stitcher.dropped).toBe(0);
  }
});

it('does not let a burst after a stall run into the future, and keeps the stream unbroken', () => {
  const { stitcher, sent, say, runTo, open } = rig();
  open();
  for (let n = 0; n < 50; n++) {
    runTo(n * 20);
    say(n);
  }
  runTo(1_500);
  for (let n = 50; n < 75; n++) say(n);
  for (let n = 75; n < 100; n++) {
    runTo(n * 20);
    say(n);
  }
  expectUnbroken(sent);
  const aheadMs = ((stitcher.timestampAt(0) - (sent[0]?.timestamp ?? 0)) | 0) / 48;
  expect(Math.abs(aheadMs)).toBeLessThan(1);
  expect(sent.length).toBeLessThanOrEqual((2_000 + LEAD_MS) / 20 + 1);
  expect(stitcher.dropped).toBeGreaterThan(0);
});

it('makes up for standing still, so that the stream stays whole', () => {
  const { stitcher, sent, say, runTo, open } = rig();
  open();
  runTo(100);
  for (const stallMs of [300, 1_000, 1_940]) {
    const before = sent.length;
    const fromMs = sent.length * 20;
    stitcher.tick(fromMs + LATE_MS + stallMs);
    expect(sent.length - before).toBe(stallMs / 20);
  }
  runTo(sent.length * 20 + LATE_MS);
  say(1);
  expectUnbroken(sent);
});

it('skips more time than anybody would hear made up for', () => {
  const { stitcher, sent, runTo, open } = rig();
  open();
  runTo(100);
  const before = sent.length;
  stitcher.tick(10_000);
  expect(sent.length - before).toBeLessThan(5);
  stitcher.tick(10_080);
  const last = sent.at(-1);
  expect(last?.sequence).toBe((65_530 + sent.length - 1) & 0xffff);
  expect(((last?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0)) >>> 0).toBeGreaterThan(9_800 * 48);
});

describe('loss', () => {
  it('leaves out the number of a lost packet, so that the receiver can repair it', () => {
    const { sent, say, runTo, open, silences } = rig({ sequence: 0, timestamp: 0 });
    open();
    for (const n of [0, 1, 2, 4, 5]) {
      runTo(n * 20);
      say(n);
    }
    expect(silences()).toBe(0);
    expect(sent.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 4, 5]);
    expect(sent.map(({ timestamp }) => timestamp / 960)).toEqual([0, 1, 2, 4, 5]);
  });

  it('puts a packet that was overtaken into its own place', () => {
    const { stitcher, sent, say, runTo, open } = rig({ sequence: 0, timestamp: 0 });
    open();
    for (const n of [0, 1, 4, 2, 3, 5, 2]) {
      runTo(Math.max(n, 4) * 20 - 60);
      say(n);
    }
    expect(sent.map(({ sequence, timestamp, tag }) => [sequence, timestamp / 960, tag])).toEqual(
      [0, 1, 4, 2, 3, 5].map((n) => [n, n, n]),
    );
    expect(stitcher.dropped).toBe(1);
  });

  it('drops a packet that comes after its time was filled', () => {
    const { stitcher, sent, say, runTo, open } = rig({ sequence: 0, timestamp: 0 });
    open();
    say(0);
    runTo(200);
    say(9);
    say(5);
    expect(stitcher.dropped).toBe(1);
    const sequences = sent.map(({ sequence }) => sequence);
    expect(new Set(sequences).size).toBe(sequences.length);
  });

  it('takes a key press between two packets for no loss', () => {
    const { stitcher, sent, say, runTo, open } = rig({ sequence: 0, timestamp: 0 });
    open();
    say(0);
    stitcher.skip(1, 1);
    stitcher.skip(1, 2);
    runTo(60);
    say(3);
    expectUnbroken(sent);
  });
});

it('stays one stream when the source changes, whatever the numbers of the new one', () => {
  const { sent, say, runTo, open } = rig();
  open();
  for (let n = 0; n < 30; n++) {
    runTo(n * 20);
    say(n);
  }
  for (let n = 30; n < 60; n++) {
    runTo(n * 20 + 13);
    say(40_000 + n, 200, 2);
  }
  expectUnbroken(sent);
  expect(sent.filter(({ tag }) => tag === 200)).toHaveLength(30);
});

it.each<[name: string, toc: number, second: number, ticks: number]>([
  ['10 ms', 0x70, 0, 480],
  ['20 ms', 0x78, 0, 960],
  ['60 ms', 0x58, 0, 2_880],
  ['twice 20 ms', 0x79, 0, 1_920],
  ['three of 20 ms', 0x7b, 3, 2_880],
])('steps the time by what a packet of %s plays', (_name, toc, second, ticks) => {
  const { sent, say, runTo, open } = rig({ sequence: 0, timestamp: 0 });
  open();
  for (let n = 0; n < 10; n++) {
    runTo((n * ticks) / 48);
    say(n, second, 1, toc);
  }
  expect(sent.map(({ timestamp }) => timestamp)).toEqual(
    Array.from({ length: 10 }, (_, n) => n * ticks),
  );
});

describe('what is said before the opening', () => {
  it('is played whole, in order, at no more than twice the pace, and joins up with what follows', () => {
    const { stitcher, sent, say, runTo, open, tags, silences } = rig();
    for (let n = 0; n < 30; n++) {
      runTo(n * 20);
      say(n);
    }
    open();
    for (let n = 30; n < 150; n++) {
      runTo(n * 20);
      say(n);
    }
    expect(tags()).toEqual(Array.from({ length: 150 }, (_, n) => n));
    expect(silences()).toBe(0);
    expectUnbroken(sent);
    expect(stitcher.isCatchingUp).toBe(false);
    const early = sent.slice(0, 60);
    early.slice(4).forEach(({ atMs }, index) => {
      // Any five packets take at least 40 ms, less the grain of the tick.
      expect(atMs - (early[index]?.atMs ?? 0)).toBeGreaterThanOrEqual(30);
    });
    // In the end the stream is where the clock is.
    expect(sent.at(-1)).toMatchObject({ atMs: 149 * 20, tag: 149 });
  });

  it('is the last second, without silence at its start', () => {
    const { say, runTo, open, tags } = rig();
    for (let n = 0; n < 100; n++) {
      runTo(n * 20);
      say(n, n, 1, 0xb8, n < 80 ? 127 : 20);
    }
    open();
    runTo(3_000);
    expect(tags()).toEqual(Array.from({ length: 24 }, (_, index) => 76 + index));
  });

  it('is bounded to one second', () => {
    const { say, runTo, open, tags } = rig();
    for (let n = 0; n < 200; n++) {
      runTo(n * 20);
      say(n);
    }
    open();
    runTo(8_000);
    expect(tags()).toHaveLength(LAST_SECOND_PACKETS);
    expect(tags().at(-1)).toBe(199);
  });

  it('is nothing when only silence was said', () => {
    const { sent, say, runTo, open, tags } = rig();
    for (let n = 0; n < 60; n++) {
      runTo(n * 20);
      say(n, n, 1, 0xb8, 127);
    }
    open();
    runTo(2_000);
    expect(tags()).toEqual([]);
    expectUnbroken(sent);
  });

  it('is as much as it is told to keep, sent no faster than a receiver can work off', () => {
    const { stitcher, sent, say, runTo, open, tags, silences } = rig();
    stitcher.keep(500);
    const count = 1_500;
    for (let n = 0; n < 400; n++) {
      runTo(n * 20);
      say(n);
    }
    open();
    for (let n = 400; n < count; n++) {
      runTo(n * 20);
      say(n);
    }
    runTo(count * 20 + 60_000);
    // Eight seconds without a pause: all of it, in order.
    expect(tags()).toEqual(Array.from({ length: count }, (_, n) => n & 0xff));
    expectUnbroken(sent);
    const openedAtMs = 399 * 20;
    const words = sent.filter(({ tag }) => tag !== 'silence');
    for (const [index, { atMs }] of words.entries()) {
      const sinceMs = atMs - openedAtMs;
      // Two seconds ahead, and a tenth of the time that has passed.
      expect((index + 1) * 20).toBeLessThanOrEqual(2_000 + sinceMs * 1.1 + 60);
    }
    expect(stitcher.isCatchingUp).toBe(false);
    expect(silences()).toBeGreaterThan(0);
  });

  it('catches up in the pauses of what was said, without losing a word', () => {
    const { stitcher, sent, say, runTo, open, tags } = rig({ sequence: 0, timestamp: 0 });
    stitcher.keep(500);
    const isLoud = (n: number) => n % 100 < 50;
    const speak = (n: number) => say(n, isLoud(n) ? 1 : 0, 1, 0xb8, isLoud(n) ? 20 : 127);
    for (let n = 0; n < 500; n++) {
      runTo(n * 20);
      speak(n);
    }
    open();
    let n = 500;
    for (; n < 2_000 && stitcher.isCatchingUp; n++) {
      runTo(n * 20);
      speak(n);
    }
    // Ten seconds, of which five are words, and as many words more all the time.
    expect(n - 500).toBeLessThan(800);
    expect(sent.at(-1)?.atMs).toBeGreaterThanOrEqual((n - 2) * 20);
    const said = Array.from({ length: n }, (_, index) => index).filter(isLoud).length;
    expect(tags().filter((tag) => tag === 1)).toHaveLength(said);
    expectUnbroken(sent);
    // Of each pause its beginning is left, and what precedes a word.
    expect(tags().filter((tag) => tag === 0).length).toBeGreaterThan(10 * (15 + 4) - 20);
  });

  it('leaves out pauses before words when it is too much to keep', () => {
    const { stitcher, say, runTo, open, tags } = rig();
    stitcher.keep(200);
    const isLoud = (n: number) => n % 100 < 30;
    for (let n = 0; n < 400; n++) {
      runTo(n * 20);
      say(n, isLoud(n) ? 1 : 0, 1, 0xb8, isLoud(n) ? 20 : 127);
    }
    open();
    runTo(20_000);
    expect(tags().filter((tag) => tag === 1)).toHaveLength(4 * 30);
    expect(tags().length).toBeLessThanOrEqual(200);
  });

  it('is bounded while it is played, whatever a source sends', () => {
    const { stitcher, say, runTo, open, tags } = rig();
    for (let n = 0; n < 60; n++) {
      runTo(n * 20);
      say(n);
    }
    open();
    for (let n = 60; n < 10_000; n++) say(n);
    runTo(30_000);
    expect(stitcher.isCatchingUp).toBe(false);
    expect(tags().length).toBeLessThanOrEqual(120);
  });

  it('tells a packet that was lost in it from a pause that was left out', () => {
    const { stitcher, sent, say, runTo, open, tags } = rig({ sequence: 0, timestamp: 0 });
    stitcher.keep(200);
    const isLoud = (n: number) => n < 60 || n >= 160;
    for (let n = 0; n < 220; n++) {
      runTo(n * 20);
      if (n !== 30 && n !== 180) say(n, n, 1, 0xb8, isLoud(n) ? 20 : 127);
    }
    open();
    runTo(12_000);
    const words = sent.filter(({ tag }) => tag !== 'silence');
    const missing = words
      .slice(1)
      .filter(({ sequence }, index) => sequence - (words[index]?.sequence ?? 0) === 2)
      .map(({ tag }) => tag);
    expect(missing).toEqual([31, 181]);
    expect(tags().length).toBeLessThan(218);
  });

  it('is forgotten when its source must not be heard any more', () => {
    const { stitcher, say, runTo, open, tags } = rig();
    for (let n = 0; n < 30; n++) {
      runTo(n * 20);
      say(n, 1, 1);
      say(n, 2, 2);
    }
    stitcher.forget(1);
    open();
    runTo(3_000);
    expect(new Set(tags())).toEqual(new Set([2]));
  });
});

describe('a stream that carries silence until it is opened', () => {
  it('plays what was said meanwhile whole and at once, and is as near to the clock as any other afterwards', () => {
    const { sent, say, runTo, start, open, tags } = rig();
    start();
    runTo(1_000);
    expect(new Set(sent.map(({ tag }) => tag))).toEqual(new Set(['silence']));
    for (let n = 0; n < 15; n++) {
      runTo(1_000 + n * 20);
      say(n);
    }
    open();
    for (let n = 15; n < 150; n++) {
      runTo(1_000 + n * 20);
      say(n);
    }
    expectUnbroken(sent);
    expect(tags()).toEqual(Array.from({ length: 150 }, (_, n) => n));
    const firstWord = sent.find(({ tag }) => tag === 0);
    expect(firstWord).toMatchObject({ atMs: 1_280, marker: true });
    expect(sent.at(-1)).toMatchObject({ atMs: 1_000 + 149 * 20, tag: 149 });
    // Not ahead of the clock: a pause is silence as soon as ever.
    runTo(4_200);
    expect(sent.find(({ atMs, tag }) => tag === 'silence' && atMs > 2_000)?.atMs).toBeLessThan(
      1_000 + 150 * 20 + LATE_MS + 20,
    );
  });

  it('goes on as it was when nothing was said', () => {
    const { sent, runTo, start, open } = rig();
    start();
    runTo(990);
    const before = sent.length;
    open();
    runTo(2_000);
    expect(sent.length - before).toBe(50);
    expectUnbroken(sent);
  });
});

it('never sends a number twice nor out of a lost place, under any schedule', () => {
  const act = fc.record({
    afterMs: fc.constantFrom(0, 1, 5, 20, 20, 20, 20, 37, 90, 400),
    source: fc.constantFrom(1, 1, 1, 2),
    step: fc.constantFrom(1, 1, 1, 1, 2, 3, -1, -2, 0, 5_000),
  });
  fc.assert(
    fc.property(
      fc.array(act, { maxLength: 120 }),
      fc.nat(40),
      fc.nat(60),
      (acts, openAt, startAt) => {
        const { sent, say, runTo, start, open } = rig();
        const next = new Map([
          [1, 65_500],
          [2, 10],
        ]);
        let atMs = 0;
        acts.forEach(({ afterMs, source, step }, index) => {
          if (index === startAt) start();
          if (index === openAt) open();
          atMs += afterMs;
          runTo(atMs);
          const sequence = ((next.get(source) ?? 0) + step) & 0xffff;
          next.set(source, sequence);
          say(sequence, 1, source);
        });
        runTo(atMs + 1_000);
        const sequences = sent.map(({ sequence }) => sequence);
        expect(new Set(sequences).size).toBe(sequences.length);
        for (const { sequence, timestamp } of sent) {
          // Every frame is 20 ms here, so a number fixes its time except after time that was skipped.
          const steps = (sequence - (sent[0]?.sequence ?? 0)) & 0xffff;
          expect(((timestamp - (sent[0]?.timestamp ?? 0)) >>> 0) % 960).toBe(0);
          expect(((timestamp - (sent[0]?.timestamp ?? 0)) >>> 0) / 960).toBeGreaterThanOrEqual(
            steps,
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});
