import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DELAY_MS_MAX,
  DELAY_MS_MIN,
  JitterBuffer,
  PACKETS_MAX,
  type Unit,
} from '../../../../relay/domain/jitter-buffer.ts';

const FRAME_MS = 20;
const FRAME_TICKS = 960;

/** Packet `number` of a stream that starts shortly before both of its numbers wrap. */
const packet = (number: number, atMs: number, change: { ticks?: number; bytes?: number } = {}) => {
  const ticks = change.ticks ?? FRAME_TICKS;
  return {
    sequence: (65_530 + number) & 0xffff,
    timestamp: (0xffff_f000 + number * ticks) >>> 0,
    bytes: new Uint8Array(change.bytes ?? 40).fill(number),
    ticks,
    atMs,
  };
};

const numberOf = (unit: Unit): number =>
  unit.kind === 'packet' ? (unit.packet.sequence - 65_530 + 0x1_0000) & 0xffff : -1;

/** A buffer whose packets are played every 20 ms, each unit in its time. */
function rig() {
  const buffer = new JitterBuffer();
  let nowMs = 0;
  const units: Unit[] = [];
  let longestWaitMs = 0;
  return {
    buffer,
    units,
    longestWaitMs: () => longestWaitMs,
    kinds: () => units.map((unit) => unit.kind),
    played: () => units.map(numberOf).filter((number) => number >= 0),
    /** Plays until a time; `arrivals` come in between, each at its own. */
    run: (untilMs: number, arrivals: readonly ReturnType<typeof packet>[] = []) => {
      const due = [...arrivals].sort((one, other) => one.atMs - other.atMs);
      for (; nowMs <= untilMs; nowMs += FRAME_MS) {
        while ((due[0]?.atMs ?? Infinity) <= nowMs) buffer.push(due.shift() ?? packet(0, 0));
        const unit = buffer.next(nowMs);
        units.push(unit);
        if (unit.kind === 'packet')
          longestWaitMs = Math.max(longestWaitMs, nowMs - unit.packet.atMs);
      }
      for (const late of due) buffer.push(late);
    },
  };
}

const steady = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) =>
    packet(from + index, (from + index) * FRAME_MS + 1 + (index % 3)),
  );

describe('a healthy stream', () => {
  it('is played packet by packet after the shortest wait, across both wraps', () => {
    const { run, played, kinds } = rig();
    run(1_000, steady(40));
    expect(played()).toEqual(Array.from({ length: 40 }, (_, number) => number));
    expect(kinds().slice(0, 3)).toEqual(['pause', 'packet', 'packet']);
  });

  it('is put in order, once each', () => {
    const { run, played } = rig();
    // Two at once, the later one first, and every second pair a second time.
    const pairs = [0, 1, 2, 3, 4, 5].flatMap((pair) => {
      const atMs = pair * 2 * FRAME_MS;
      const both = [packet(2 * pair + 1, atMs), packet(2 * pair, atMs)];
      return pair % 2 === 0 ? both : [...both, ...both];
    });
    run(500, pairs);
    expect(played()).toEqual(Array.from({ length: 12 }, (_, number) => number));
  });
});

describe('what is missing', () => {
  const without = (lost: readonly number[]) =>
    steady(20).filter((_, number) => !lost.includes(number));

  it('is repaired from the packet after it, the first time with a frame of delay', () => {
    const { run, kinds, units, played } = rig();
    run(900, without([5, 9, 14]));
    const text = kinds().join(' ');
    expect(text).toMatch(/packet late loss packet( packet){2} loss packet( packet){3} loss packet/);
    const losses = units.filter((unit) => unit.kind === 'loss');
    expect(losses.map(({ ticks }) => ticks)).toEqual([960, 960, 960]);
    expect(losses.map(({ next }) => next[0])).toEqual([6, 10, 15]);
    expect(played()).toHaveLength(17);
  });

  it('is made up as far as the packet after it cannot repair it', () => {
    const { run, kinds } = rig();
    run(900, without([5, 9, 10]));
    // The second time the packet after the two comes while the first of them is due, and is good for the other.
    expect(kinds().join(' ')).toMatch(/late loss packet( packet){2} late loss packet/);
  });

  it('is made up while nothing comes, and what comes late is played', () => {
    const { run, played, kinds } = rig();
    const late = steady(20).map((arrival, number) =>
      number === 5 ? { ...arrival, atMs: arrival.atMs + 50 } : arrival,
    );
    run(
      600,
      late.filter((_, number) => number <= 5 || number > 7),
    );
    expect(kinds()).toContain('late');
    expect(played()).toContain(5);
  });

  it('is silence after 60 ms, and the next word waits again', () => {
    const { run, kinds } = rig();
    run(800, [...steady(5), ...steady(5, 25)]);
    const text = kinds().join(' ');
    expect(text).toMatch(/packet( late){3}( pause){5,} packet/);
  });

  it.each([1, 2])('is silence at once after a DTX packet of %d bytes', (bytes) => {
    const { run, kinds } = rig();
    const arrivals = [
      ...steady(5),
      packet(5, 100, { bytes }),
      // The next one says how the silence sounds, 400 ms later by its time and the next by its number.
      { ...packet(25, 500, { bytes }), sequence: packet(6, 0).sequence },
    ];
    run(700, arrivals);
    expect(kinds()).not.toContain('late');
    expect(kinds()).not.toContain('loss');
    expect(kinds().filter((kind) => kind === 'packet')).toHaveLength(7);
  });

  it('is not lost when no number is: a source that was muted', () => {
    const { run, kinds } = rig();
    const after = steady(5, 10).map((arrival, index) => ({
      ...arrival,
      sequence: packet(5 + index, 0).sequence,
    }));
    run(600, [...steady(5), ...after]);
    expect(kinds()).not.toContain('loss');
  });
});

describe('the delay', () => {
  it('grows with jitter, to its limit, and is forgotten', () => {
    const jittery = (ms: number) => {
      const { buffer, run } = rig();
      run(
        4_000,
        steady(200).map((one, index) => ({ ...one, atMs: one.atMs + (index % 5 === 4 ? ms : 0) })),
      );
      return buffer;
    };
    expect(jittery(0).delayMs).toBeLessThan(DELAY_MS_MIN + 5);
    expect(jittery(30).delayMs).toBeGreaterThan(35);
    expect(jittery(500).delayMs).toBe(DELAY_MS_MAX);
  });

  it('is not raised by a source that stops its clock while it pauses', () => {
    const { buffer, run } = rig();
    const later = steady(20, 20).map((one) => ({ ...one, atMs: one.atMs + 700 }));
    run(2_000, [...steady(20), ...later]);
    expect(buffer.delayMs).toBeLessThan(DELAY_MS_MIN + 5);
  });

  it('that is not needed any more shows as surplus, until a frame is left out', () => {
    const { buffer, run } = rig();
    // A stall of 70 ms at the tenth packet, and calm afterwards.
    run(
      2_000,
      steady(100).map((one, index) => ({ ...one, atMs: one.atMs + (index === 10 ? 70 : 0) })),
    );
    expect(buffer.hasSurplus).toBe(false);
    const calm = steady(900, 100);
    run(20_000, calm);
    expect(buffer.hasSurplus).toBe(true);
    buffer.shortened();
    expect(buffer.hasSurplus).toBe(false);
  });
});

it('follows a source that begins another stream, whatever its numbers', () => {
  const { run, played, units } = rig();
  run(200, steady(10));
  const other = Array.from({ length: 10 }, (_, index) => ({
    ...packet(index, 220 + index * FRAME_MS),
    sequence: 300 + index,
    timestamp: 5_000 + index * FRAME_TICKS,
  }));
  run(600, other);
  expect(played().slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, number) => number));
  const sequences = units.flatMap((unit) => (unit.kind === 'packet' ? [unit.packet.sequence] : []));
  expect(sequences.slice(-10)).toEqual(other.map(({ sequence }) => sequence));
});

describe('whatever arrives', () => {
  const ARRIVAL = fc.record({
    /** Against the steady stream: earlier, later, again. */
    shift: fc.integer({ min: -6, max: 6 }),
    lateMs: fc.integer({ min: 0, max: 150 }),
    isLost: fc.boolean(),
    isTwice: fc.boolean(),
    bytes: fc.constantFrom(1, 2, 3, 40),
  });

  it('what is played is in order and never twice, and waits no longer than it may', () => {
    fc.assert(
      fc.property(fc.array(ARRIVAL, { minLength: 1, maxLength: 120 }), (plan) => {
        const { run, units, buffer, longestWaitMs } = rig();
        const arrivals = plan.flatMap(({ shift, lateMs, isLost, isTwice, bytes }, index) => {
          if (isLost) return [];
          const number = Math.max(0, index + shift);
          const one = packet(number, index * FRAME_MS + lateMs, { bytes });
          return isTwice ? [one, { ...one, atMs: one.atMs + 30 }] : [one];
        });
        run(plan.length * FRAME_MS + 1_000, arrivals);
        const order = units.map(numberOf).filter((number) => number >= 0);
        expect(order).toEqual([...new Set(order)].sort((one, other) => one - other));
        expect(buffer.size).toBe(0);
        expect(buffer.delayMs).toBeLessThanOrEqual(DELAY_MS_MAX);
        // What is kept at most, and what may be made up meanwhile.
        expect(longestWaitMs()).toBeLessThanOrEqual(400 + 60);
      }),
      { numRuns: 300 },
    );
  });

  it('what was made up and what was played take the time that has passed', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 20, maxLength: 200 }), (isLost) => {
        const { run, units } = rig();
        // The last ones come, so that every loss has a packet after it.
        const arrivals = steady(isLost.length + 10).filter((_, index) => !isLost[index]);
        run((isLost.length + 60) * FRAME_MS, arrivals);
        const first = units.findIndex(({ kind }) => kind === 'packet');
        const last = units.findLastIndex(({ kind }) => kind === 'packet');
        const ticks = units.slice(first, last + 1).reduce((sum, unit) => {
          if (unit.kind === 'packet') return sum + unit.packet.ticks;
          return sum + (unit.kind === 'loss' ? unit.ticks : FRAME_TICKS);
        }, 0);
        const firstNumber = isLost.indexOf(false);
        const span = isLost.length + 10 - (firstNumber < 0 ? isLost.length : firstNumber);
        // Up to the longest delay may have been added, and none taken away.
        expect(ticks / FRAME_TICKS).toBeGreaterThanOrEqual(span);
        expect(ticks / FRAME_TICKS).toBeLessThanOrEqual(span + 6);
      }),
      { numRuns: 300 },
    );
  });

  it('no more is kept than 400 ms, even if nobody asks for it', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            sequence: fc.integer({ min: 0, max: 0xffff }),
            timestamp: fc.integer({ min: 0, max: 0xffff_ffff }),
            ticks: fc.constantFrom(120, 240, 480, 960, 1_920, 2_880, 5_760),
          }),
          { maxLength: 300 },
        ),
        (list) => {
          const buffer = new JitterBuffer();
          for (const [index, one] of list.entries())
            buffer.push({ ...one, bytes: new Uint8Array(10), atMs: index });
          expect(buffer.size).toBeLessThanOrEqual(PACKETS_MAX);
          let playedMs = 0;
          for (let calls = 0; calls < 200 && buffer.size > 0; calls++) {
            const unit = buffer.next(1_000_000);
            if (unit.kind === 'packet') playedMs += unit.packet.ticks / 48;
          }
          expect(buffer.size).toBe(0);
          expect(playedMs).toBeLessThanOrEqual(400);
        },
      ),
      { numRuns: 300 },
    );
  });
});
