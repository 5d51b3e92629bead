// Turns packets of changing sources into one unbroken RTP stream. Pure: the caller brings the clock and sends the packets.
//
// The rule. Starting the stream lays a grid of 20 ms slots over the clock; the next free slot is due at a known time.
//  1. A packet takes the next free slot the moment it arrives: nothing is delayed, and no slot is taken twice.
//  2. A slot still free `LATE_MS` after it was due is filled with silence. Jitter below that never inserts anything.
//  3. A new source starts close to the grid: slots that have been due for more than `ALIGN_MS` are filled just before its first
//     packet, so that it has room to jitter both ways.
//  4. A packet that would run more than `LEAD_MS` ahead of the clock is dropped: a burst after a stall, whose time has been
//     filled, must not push the stream into the future.
//  5. Packets that a source lost on the way stay lost: their sequence numbers are left out, so that the receiver conceals the
//     loss or repairs it from the in-band FEC of the next packet. A packet that comes after all takes its own number.
//  6. The grid follows the source's clock by at most 0.1 %, which covers any crystal, so that rules 2 and 4 never cut into a
//     healthy stream.
//  7. Before the stream opens, what was said last is kept. It is played at twice the pace, in slots of the past: its first
//     packet lies where it was said. Silence at its start is left out. A stream that has carried silence until then has no
//     free slots in the past: its grid is moved back by what is kept, so that it is not ahead of the clock afterwards either.
//  8. The receiver has to work off what it is sent beyond the time that passes, and its memory is bounded as well. Beyond
//     `AHEAD_MS_MAX`, and while more than a second is kept, pauses are left out and the pace is that of the clock.
import { EarlyWords, LAST_SECOND_PACKETS, type KeptPacket } from './early-words.ts';
import { FRAME_TICKS, OPUS_TICKS_PER_MS, SILENCE_FRAME, opusTicks } from './opus.ts';

/** How late a slot may be taken, in ms. Wi-Fi and mobile jitter stays below it; a muted source is silence this much later. */
export const LATE_MS = 40;

/**
 * How far ahead of the clock the stream may run, in ms: a burst after a stall of a quarter second loses nothing. Being ahead
 * delays nothing, since every packet leaves when it arrives; the next pause works it off, because filling starts later.
 */
export const LEAD_MS = 200;

/** A new source's first packet is at most this late against the grid, in ms. */
const ALIGN_MS = 20;

/** How much more the receiver may be sent than has passed, in ms: half of what libwebrtc's jitter buffer holds (200 packets). */
const AHEAD_MS_MAX = 2_000;

/** What a receiver works off of that: it plays a tenth faster without anybody noticing. */
const WORKED_OFF_SHARE = 0.1;

/** Clock correction per packet: 1 per mille of 20 ms. */
const FOLLOW_MS = 0.02;

/** Offsets from the grid below this need no correction, in ms. */
const FOLLOW_DEAD_BAND_MS = 20;

/**
 * A process that stood still longer than this skips the time, in ms. Up to this long it sends the silence that is missing, all at
 * once: 100 small packets, which keep the stream whole and which a receiver plays faster.
 */
const STALL_MS = 2_000;

/** Sequence jumps from here on are a new stream, not a loss. */
const JUMP_PACKETS_MIN = 100;

/** A packet as it goes out: the payload is `bytes.subarray(start, end)`, valid only during the call. */
export type Emit = (
  bytes: Uint8Array,
  start: number,
  end: number,
  sequence: number,
  timestamp: number,
  marker: boolean,
) => void;

/** One packet of a source; one object may serve a whole stream. */
export type SourcePacket = {
  /** Tells sources apart: any number but -1. */
  source: number;
  sequence: number;
  /** The Opus packet is `bytes.subarray(start, end)`. The stream may keep the bytes: they must not change afterwards. */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** RFC 6464 level in -dBov, -1 when unknown. */
  level: number;
  /** It is in the figures of what arrived. */
  isCounted: boolean;
};

export class Stitcher {
  /** Packets of sources that were passed on. */
  passed = 0;
  /** Silence frames that were made up. */
  filled = 0;
  /** Of packets that nobody counted when they came: what was passed on, and what was missing between them. */
  readonly uncounted = { passed: 0, lost: 0 };
  /** Packets dropped by rule 4, or too late, or no Opus. */
  dropped = 0;

  readonly #emit: Emit;
  #sequence: number;
  #timestamp: number;
  #isStarted = false;
  #isOpen = false;
  /** When the next free slot is due, on the caller's clock. */
  #dueMs = 0;
  #marker = true;

  #source = -1;
  #lastSequence = 0;
  #lastTicks = 0;
  #filledSinceLast = 0;
  /** Bit k: the packet k before the last one of this source is missing and its slot was left out. */
  #holes = 0;

  readonly #early = new EarlyWords();
  /** When the next packet of those is to be played. */
  #earlyAtMs = 0;
  /** How much more was sent than has passed since the opening, less what the receiver has worked off, in ms. */
  #aheadMs = 0;

  /**
   * @param sequence first sequence number, 0 to 65535; random, RFC 3550 section 5.1
   * @param timestamp first timestamp, 0 to 2^32 - 1; random as well
   */
  constructor(emit: Emit, sequence: number, timestamp: number) {
    this.#emit = emit;
    this.#sequence = sequence;
    this.#timestamp = timestamp;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** True while what was said before the opening is being played. */
  get isCatchingUp(): boolean {
    return this.#isOpen && this.#early.length > 0;
  }

  /** How far the stream is ahead of the clock, in ms; negative when it is behind. */
  leadMs(nowMs: number): number {
    return this.#dueMs - nowMs;
  }

  /** The RTP timestamp of the instant `nowMs`, for sender reports. */
  timestampAt(nowMs: number): number {
    return (this.#timestamp - Math.round((this.#dueMs - nowMs) * OPUS_TICKS_PER_MS)) >>> 0;
  }

  /**
   * Starts the stream with silence; until it is stopped it has no gap. What sources say is kept. Repeating it changes nothing.
   */
  start(nowMs: number): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#dueMs = nowMs;
    this.tick(nowMs);
  }

  /** Lets the sources through, starting the stream if need be. Repeating it changes nothing. */
  open(nowMs: number): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#early.trim();
    const keptMs = this.#early.ms;
    if (keptMs > 0 || !this.#isStarted) this.#dueMs = nowMs - keptMs;
    this.#isStarted = true;
    this.#earlyAtMs = nowMs;
    this.#aheadMs = 0;
    this.tick(nowMs);
  }

  /** Ends the stream; from here on it is as it was before the start, and goes on with the next number when started again. */
  stop(): void {
    this.#isStarted = this.#isOpen = false;
    this.#early.clear();
    this.#source = -1;
    this.#holes = 0;
    this.#marker = true;
  }

  /**
   * The next packet is not to be expected before `timeMs`: a source begins that is later than the one before. Nothing is filled
   * until then, and the stream is not ahead of the clock afterwards.
   */
  expect(timeMs: number): void {
    this.#dueMs = Math.max(this.#dueMs, timeMs);
  }

  /** Takes one packet of a source. */
  push(packet: SourcePacket, nowMs: number): void {
    if (opusTicks(packet.bytes, packet.start, packet.end) === 0) {
      this.dropped += 1;
      return;
    }
    if (this.#isOpen && this.#early.length === 0) this.#pass(packet, nowMs);
    else this.#early.push(packet);
  }

  /** Keeps at most this many packets of what is said before the opening, from here on. */
  keep(packets: number): void {
    this.#early.keep(packets);
  }

  /** A packet that is no audio, such as a key press, took this number of the source: it is not a loss. */
  skip(source: number, sequence: number): void {
    if (!this.#isOpen || this.isCatchingUp) {
      this.#early.skip(source);
      return;
    }
    if (source !== this.#source || ((sequence - this.#lastSequence) & 0xffff) >= JUMP_PACKETS_MIN)
      return;
    this.#lastSequence = sequence;
    this.#holes = 0;
  }

  /**
   * Gives the next slot to packets that are no audio, such as a key press, if it is due and nothing that was kept comes before.
   *
   * @returns its timestamp; `undefined` when there is none to give
   */
  takeSlot(nowMs: number): number | undefined {
    if (!this.#isOpen || this.isCatchingUp || this.#dueMs > nowMs) return undefined;
    const timestamp = this.#timestamp;
    this.#timestamp = (timestamp + FRAME_TICKS) >>> 0;
    this.#dueMs += FRAME_TICKS / OPUS_TICKS_PER_MS;
    this.#holes = 0;
    this.#filledSinceLast += 1;
    return timestamp;
  }

  /** The sequence number of one packet in a slot that was taken. */
  takeNumber(): number {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xffff;
    return sequence;
  }

  /** Forgets what a source said before the opening, because it must not be heard any more. */
  forget(source: number): void {
    this.#early.forget(source);
  }

  /**
   * Forgets what all sources said before the opening. A stream that is catching up has free slots in the past for it: its grid
   * is moved to now instead of filling them.
   */
  forgetKept(nowMs: number): void {
    if (this.isCatchingUp) this.expect(nowMs);
    this.#early.clear();
  }

  /** Plays what is kept and fills what is due. Call it every 10 ms or so. */
  tick(nowMs: number): void {
    if (!this.#isStarted) return;
    while (this.isCatchingUp && nowMs >= this.#earlyAtMs) this.#playEarly(nowMs);
    if (this.isCatchingUp) return;
    if (nowMs - this.#dueMs > STALL_MS) this.#skipTime(nowMs);
    this.#fillUntil(nowMs - LATE_MS);
  }

  /** Plays the next packet of what was said before the opening: rules 7 and 8. */
  #playEarly(nowMs: number): void {
    const isAhead = this.#aheadMs >= AHEAD_MS_MAX;
    const packet = this.#early.next(isAhead || this.#early.length > LAST_SECOND_PACKETS);
    if (!packet) return;
    const ms = opusTicks(packet.bytes, packet.start, packet.end) / OPUS_TICKS_PER_MS;
    const paceMs = isAhead ? ms : ms / 2;
    this.#earlyAtMs += paceMs;
    this.#aheadMs = Math.max(0, this.#aheadMs + ms - paceMs * (1 + WORKED_OFF_SHARE));
    this.#dueMs += packet.skippedMs;
    this.#pass(packet, nowMs, packet);
    // Slots of the past that are still free are those of pauses, or of time in which the pace was that of the clock.
    if (this.#early.length === 0 && this.#dueMs < nowMs - LATE_MS) this.expect(nowMs);
  }

  /** @param early the same packet when it was said before the opening */
  #pass(packet: SourcePacket, nowMs: number, early?: KeptPacket): void {
    const step = (packet.sequence - this.#lastSequence) & 0xffff;
    const isNew =
      packet.source !== this.#source ||
      (step >= JUMP_PACKETS_MIN && step < 0x1_0000 - JUMP_PACKETS_MIN);
    if (!isNew && (step === 0 || step >= 0x8000)) {
      this.#passLate(packet, (0x1_0000 - step) & 0xffff);
      return;
    }
    if (isNew) {
      this.#source = packet.source;
      this.#holes = 0;
      if (!early) this.#fillUntil(nowMs - ALIGN_MS);
    } else {
      const left = this.#leaveOut(step - 1 - (early?.skipped ?? 0), nowMs);
      if (!packet.isCounted) this.uncounted.lost += left;
    }
    this.#lastSequence = packet.sequence;
    this.#filledSinceLast = 0;
    if (this.#dueMs - nowMs > LEAD_MS) {
      this.dropped += 1;
      this.#holes = 0;
      return;
    }
    this.#lastTicks = opusTicks(packet.bytes, packet.start, packet.end);
    this.passed += 1;
    if (!packet.isCounted) this.uncounted.passed += 1;
    if (!early) this.#follow(nowMs);
    this.#send(packet.bytes, packet.start, packet.end, this.#lastTicks);
  }

  /**
   * Rule 5: `missing` packets of the source are lost; those whose time has not been filled leave a hole.
   *
   * @returns how many do
   */
  #leaveOut(missing: number, nowMs: number): number {
    this.#holes = missing >= 31 ? 0 : this.#holes << (missing + 1);
    const count = missing - this.#filledSinceLast;
    const ms = (count * this.#lastTicks) / OPUS_TICKS_PER_MS;
    if (count <= 0 || this.#dueMs + ms - nowMs > LEAD_MS) return 0;
    if (this.#filledSinceLast === 0 && missing < 31) this.#holes |= ((1 << missing) - 1) << 1;
    this.#sequence = (this.#sequence + count) & 0xffff;
    this.#timestamp = (this.#timestamp + count * this.#lastTicks) >>> 0;
    this.#dueMs += ms;
    return count;
  }

  /** A packet `age` behind the last one: it is sent only into a hole of its own. */
  #passLate(packet: SourcePacket, age: number): void {
    const isHole = age > 0 && age < 31 && ((this.#holes >>> age) & 1) === 1;
    const ticks = opusTicks(packet.bytes, packet.start, packet.end);
    if (!isHole || ticks !== this.#lastTicks) {
      this.dropped += 1;
      return;
    }
    this.#holes &= ~(1 << age);
    this.passed += 1;
    // The next free slot is one after the last packet, so that packet's own slot is `age + 1` back.
    const sequence = (this.#sequence - age - 1) & 0xffff;
    const timestamp = (this.#timestamp - (age + 1) * ticks) >>> 0;
    this.#emit(packet.bytes, packet.start, packet.end, sequence, timestamp, false);
  }

  #follow(nowMs: number): void {
    const lead = this.#dueMs - nowMs;
    if (lead > FOLLOW_DEAD_BAND_MS) this.#dueMs -= FOLLOW_MS;
    else if (lead < -FOLLOW_DEAD_BAND_MS) this.#dueMs += FOLLOW_MS;
  }

  /** Fills every slot that was due before `timeMs`. */
  #fillUntil(timeMs: number): void {
    while (this.#dueMs < timeMs) {
      this.#holes = 0;
      this.filled += 1;
      this.#filledSinceLast += 1;
      this.#send(SILENCE_FRAME, 0, SILENCE_FRAME.length, FRAME_TICKS);
      // Spec: RFC 3551 section 4.1, the first packet after silence carries the marker.
      this.#marker = true;
    }
  }

  /** Moves the grid over time in which nothing could be sent, in whole slots. */
  #skipTime(nowMs: number): void {
    const slots = Math.floor((nowMs - this.#dueMs) / 20);
    this.#dueMs += slots * 20;
    this.#timestamp = (this.#timestamp + slots * FRAME_TICKS) >>> 0;
    this.#holes = 0;
    this.#marker = true;
  }

  #send(bytes: Uint8Array, start: number, end: number, ticks: number): void {
    const sequence = this.#sequence;
    const timestamp = this.#timestamp;
    const marker = this.#marker;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
    this.#dueMs += ticks / OPUS_TICKS_PER_MS;
    this.#marker = false;
    this.#emit(bytes, start, end, sequence, timestamp, marker);
  }
}
