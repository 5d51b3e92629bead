// Puts one source's packets back into order and time, and says what to do where one is missing. Pure: it never decodes.
//
// The time line is that of the packets' timestamps. What is given next always follows what was given before:
//  1. A packet that follows is given as it is.
//  2. A packet that is missing while a later one is there was lost: it is repaired from the later one.
//  3. Nothing there: the source is late. Up to `CONCEAL_MS_MAX` are made up. A packet that comes after all is played then, and
//     the delay has grown; for one that never comes, what was made up has taken its time. While packets are played too soon
//     for repairs, it is repaired all the same: the delay has grown, and the packet after the next loss is there in time.
//  4. A source that pauses (DTX, mute) is silence until its next packet has waited for `delayMs`.
// The delay follows the jitter that was seen, between `DELAY_MS_MIN` and `DELAY_MS_MAX`.
import { FRAME_TICKS, OPUS_TICKS_PER_MS } from './opus.ts';

/** Shortest wait between arrival and playing, in ms: packets are handed over every 10 ms. */
export const DELAY_MS_MIN = 10;

/** Longest wait, in ms. With the frame that a mix is ahead of what it sends this makes 80 ms. */
export const DELAY_MS_MAX = 60;

/** Making up more than this sounds worse than silence, in ms; libopus fades out within about the same. */
const CONCEAL_MS_MAX = 60;

/** A longer gap between two timestamps is a pause, in ms: a loss of that size cannot be repaired. */
const LOSS_MS_MAX = 120;

/** A sequence number this far from the newest belongs to another stream, as in the stitcher. */
const JUMP_PACKETS_MIN = 100;

/** Sound kept at most, in ms: what is older is given up, since it is too late anyway. */
const KEPT_MS_MAX = 400;

/** Packets kept at most, however short they are. */
export const PACKETS_MAX = 64;

/** How fast jitter is forgotten, in ms per packet: 5 ms in a second. */
const FORGET_MS_PER_PACKET = 0.1;

/** For how long a loss asks for a delay in which the packet after it arrives, in packets: 10 s. */
const LOSSY_PACKETS = 500;

/** The fastest packet of the last five to ten seconds is what others are late against, in packets of 20 ms. */
const TRANSIT_PACKETS = 250;

/** The shortest wait of half a second tells how much of the delay was not needed, in packets of 20 ms. */
const WAIT_PACKETS = 25;

/** What can be left out at once. */
const FRAME_MS = 20;

/** Spec: RFC 7587 section 3.1.3 and RFC 6716 section 3.1, a frame of at most one byte is DTX: nothing follows for a while. */
const DTX_BYTES_MAX = 2;

/** One packet of a source. */
export type Arrival = {
  /** 16 bits. */
  readonly sequence: number;
  /** 32 bits, in RTP ticks. */
  readonly timestamp: number;
  /** The Opus packet; the buffer keeps it. */
  readonly bytes: Uint8Array;
  /** How long it plays, in RTP ticks, more than 0. */
  readonly ticks: number;
  readonly atMs: number;
};

/** What to play next. `late` and `pause` stand for one frame of 20 ms. */
export type Unit =
  | { readonly kind: 'packet'; readonly packet: Arrival }
  /** `ticks` were lost in front of `next`, which comes after this. */
  | { readonly kind: 'loss'; readonly ticks: number; readonly next: Uint8Array }
  | { readonly kind: 'late' }
  | { readonly kind: 'pause' };

const LATE: Unit = { kind: 'late' };
const PAUSE: Unit = { kind: 'pause' };

export class JitterBuffer {
  /** Ordered by timestamp. */
  readonly #packets: Arrival[] = [];
  /** Where what was given ends, in RTP ticks; `undefined` before the first packet. */
  #position: number | undefined;
  #isPlaying = false;
  #last: Arrival | undefined;
  #newestSequence = 0;
  /** What was made up for packets that may still come, in ticks. */
  #madeUpTicks = 0;

  #jitterMs = 0;
  /** Packets until losses are forgotten. */
  #lossyPackets = 0;
  /** Time by the last packet's timestamp, which wraps, in ms. */
  #sourceMs = 0;
  #sourceTimestamp = 0;
  #transits = 0;
  #leastTransitMs = Infinity;
  #leastTransitBeforeMs = Infinity;
  #waits = 0;
  #leastWaitMs = Infinity;
  /** Of the last full half second. */
  #shortestWaitMs = 0;

  /** Packets that wait to be played. */
  get size(): number {
    return this.#packets.length;
  }

  /** When the packet came that was given last; `undefined` in a pause, which has no rhythm. */
  get lastAtMs(): number | undefined {
    return this.#isPlaying ? this.#last?.atMs : undefined;
  }

  /** How long the first packet after a pause waits, in ms. */
  get delayMs(): number {
    const repairMs = this.#lossyPackets > 0 ? FRAME_MS : 0;
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN + this.#jitterMs + repairMs);
  }

  /** A frame could be left out: every packet waits longer than the jitter asks for. */
  get hasSurplus(): boolean {
    return this.#shortestWaitMs > this.delayMs + FRAME_MS;
  }

  /** A frame has to be left out, however it sounds. */
  get isTooLate(): boolean {
    return this.#shortestWaitMs > DELAY_MS_MAX + 2 * FRAME_MS;
  }

  /** Sequence number of the packet that follows what was given; `undefined` before the first one. */
  get nextSequence(): number | undefined {
    return this.#packets[0]?.sequence ?? (this.#last && (this.#last.sequence + 1) & 0xffff);
  }

  /** Takes one packet, in whatever order they come; one that is too late or was there before changes nothing. */
  push(packet: Arrival): void {
    const step = (packet.sequence - this.#newestSequence) & 0xffff;
    const isNewer = step > 0 && step < 0x8000;
    if (this.#isElsewhere(packet, step)) this.#restart(packet);
    else if (this.#offset(packet) < 0) return;
    const before = this.#packets.findLastIndex((other) => ticksFrom(other, packet) >= 0);
    if (before >= 0 && this.#packets[before]?.timestamp === packet.timestamp) return;
    this.#measure(packet);
    this.#packets.splice(before + 1, 0, packet);
    if (isNewer) this.#newestSequence = packet.sequence;
    while (this.#packets.length > PACKETS_MAX || this.#keptMs() > KEPT_MS_MAX) this.#giveUpOldest();
  }

  /** What comes next. The caller plays it in full before it asks again. */
  next(nowMs: number): Unit {
    for (;;) {
      const [head] = this.#packets;
      if (!this.#isPlaying && !(head && this.#begins(head, nowMs))) return PAUSE;
      if (!head) return this.#runDry();
      const gap = this.#offset(head);
      if (gap === 0) return this.#take(head, nowMs);
      if (gap < 0) {
        this.#packets.shift();
      } else if (this.#madeUpTicks > 0 && !this.#isTooSoon(head, gap)) {
        const ticks = Math.min(gap, this.#madeUpTicks);
        this.#madeUpTicks -= ticks;
        this.#move(ticks);
      } else if (this.#isPause(head, gap)) {
        this.#isPlaying = false;
      } else {
        this.#move(gap);
        if (this.#madeUpTicks > 0) this.shortened();
        this.#madeUpTicks = 0;
        this.#lossyPackets = LOSSY_PACKETS;
        return { kind: 'loss', ticks: gap, next: head.bytes };
      }
    }
  }

  /** Whether this packet, or one before it, waits. */
  holdsUpTo(sequence: number): boolean {
    const [head] = this.#packets;
    return head !== undefined && ((sequence - head.sequence) & 0xffff) < 0x8000;
  }

  /** Ends a pause at once if there is a packet. */
  hurry(): void {
    const [head] = this.#packets;
    if (head && !this.#isPlaying) this.#play(head);
  }

  /** A frame was left out: how long packets wait is to be seen anew. */
  shortened(): void {
    this.#waits = this.#shortestWaitMs = 0;
    this.#leastWaitMs = Infinity;
  }

  /** Ticks from the position to the packet, positive when it lies ahead. */
  #offset(packet: Arrival): number {
    return this.#position === undefined ? 0 : (packet.timestamp - this.#position) | 0;
  }

  #move(ticks: number): void {
    this.#position = ((this.#position ?? 0) + ticks) >>> 0;
  }

  /** The source has begun another stream: far away by its numbers, or newer by its number and older by its time. */
  #isElsewhere(packet: Arrival, step: number): boolean {
    if (this.#position === undefined) return true;
    if (step >= JUMP_PACKETS_MIN) return step <= 0x1_0000 - JUMP_PACKETS_MIN;
    return step > 0 && this.#offset(packet) < 0;
  }

  #restart(packet: Arrival): void {
    this.#packets.length = 0;
    this.#isPlaying = false;
    this.#last = undefined;
    this.#newestSequence = packet.sequence;
    // Those that it has overtaken may still come.
    this.#position = (packet.timestamp - LOSS_MS_MAX * OPUS_TICKS_PER_MS) >>> 0;
    this.shortened();
  }

  /** Jitter is how much later than the fastest of the last seconds a packet came. */
  #measure({ timestamp, atMs }: Arrival): void {
    this.#sourceMs += ((timestamp - this.#sourceTimestamp) | 0) / OPUS_TICKS_PER_MS;
    this.#sourceTimestamp = timestamp;
    const transitMs = atMs - this.#sourceMs;
    // A source may stop its clock while it pauses.
    const isAnew = !this.#isPlaying && this.#packets.length === 0;
    if (isAnew) this.#leastTransitMs = this.#leastTransitBeforeMs = Infinity;
    this.#transits = isAnew ? 1 : this.#transits + 1;
    if (this.#transits > TRANSIT_PACKETS) {
      this.#transits = 1;
      this.#leastTransitBeforeMs = this.#leastTransitMs;
      this.#leastTransitMs = Infinity;
    }
    this.#leastTransitMs = Math.min(transitMs, this.#leastTransitMs);
    const lateMs = transitMs - Math.min(this.#leastTransitMs, this.#leastTransitBeforeMs);
    this.#jitterMs = Math.max(lateMs, this.#jitterMs - FORGET_MS_PER_PACKET);
    // More than this cannot be waited for, and would only be remembered for longer.
    this.#jitterMs = Math.min(this.#jitterMs, DELAY_MS_MAX);
    this.#lossyPackets = Math.max(0, this.#lossyPackets - 1);
  }

  /** Whether the wait is over that a pause ends with. */
  #begins(head: Arrival, nowMs: number): boolean {
    if (nowMs - head.atMs < this.delayMs) return false;
    this.#play(head);
    return true;
  }

  #play(head: Arrival): void {
    this.#isPlaying = true;
    this.#position = head.timestamp;
    this.#madeUpTicks = 0;
    this.shortened();
  }

  #runDry(): Unit {
    const isOver = this.#madeUpTicks >= CONCEAL_MS_MAX * OPUS_TICKS_PER_MS;
    if (isOver || isDtx(this.#last)) {
      this.#isPlaying = false;
      return PAUSE;
    }
    this.#madeUpTicks += FRAME_TICKS;
    return LATE;
  }

  /** A packet was lost, and packets wait for so short a time that the one after a loss is never there to repair it. */
  #isTooSoon(head: Arrival, gap: number): boolean {
    return this.#leastWaitMs < FRAME_MS && gap <= head.ticks && !this.#isPause(head, gap);
  }

  /** A gap in time that is none in the numbers, or that cannot be repaired. */
  #isPause(head: Arrival, gap: number): boolean {
    const last = this.#last;
    if (!last || isDtx(last) || gap > LOSS_MS_MAX * OPUS_TICKS_PER_MS) return true;
    // libopus makes up steps of 2.5 ms; an odd gap is no whole number of packets either.
    return head.sequence === ((last.sequence + 1) & 0xffff) || gap % (FRAME_TICKS / 8) !== 0;
  }

  #take(packet: Arrival, nowMs: number): Unit {
    this.#packets.shift();
    this.#last = packet;
    this.#madeUpTicks = 0;
    this.#move(packet.ticks);
    this.#leastWaitMs = Math.min(this.#leastWaitMs, nowMs - packet.atMs);
    this.#waits += 1;
    if (this.#waits === WAIT_PACKETS) {
      this.#shortestWaitMs = this.#leastWaitMs;
      this.#waits = 0;
      this.#leastWaitMs = Infinity;
    }
    return { kind: 'packet', packet };
  }

  #keptMs(): number {
    return this.#packets.reduce((sum, { ticks }) => sum + ticks, 0) / OPUS_TICKS_PER_MS;
  }

  #giveUpOldest(): void {
    this.#last = this.#packets.shift();
    const [head] = this.#packets;
    if (head && this.#isPlaying) this.#position = head.timestamp;
  }
}

/** Ticks from one packet to another, positive when the other plays later. */
const ticksFrom = (one: Arrival, other: Arrival): number => (other.timestamp - one.timestamp) | 0;

const isDtx = (packet: Arrival | undefined): boolean =>
  packet !== undefined && packet.bytes.length <= DTX_BYTES_MAX;
