// One voice of a recording: packets find their place among slots of 20 ms, which follow the relay's clock.
//
//  1. A packet's place follows from its RTP timestamp, so that losses, disorder and jitter below a second change nothing.
//  2. The sender's clock is not ours. Of the packets of a while the least delayed one tells how far they are apart; before that is
//     20 ms a slot is left out, or a packet, at a quiet moment if there is one.
//  3. A slot that nothing has come for is written as lost, which is also how a sender's own silence is written (RFC 7845
//     section 4.1). Before the first packet there is silence.
import { FRAME_TICKS, LevelEstimate, LEVEL_SILENT, SILENCE_FRAME } from './opus.ts';
import { lostToc, piecesOf, writePiece } from './recording-frames.ts';

/** Length of a slot. */
export const SLOT_MS = 20;

/** Slots that wait to be written: 20 s. A power of two. */
export const SLOTS = 1024;

/** A packet this far from where its timestamp says is of another stream, in slots: 2 s. */
const JUMP_SLOTS = 100;

/** In-order packets that one look at the sender's clock covers, of packets that come when the network lets them: 2 s. */
export const WINDOW_PACKETS = 100;

/** Apart by this many slots, it is put right at a quiet moment; more than half a slot, or it would be put right back and forth. */
const LOOSE_SLOTS = 0.6;

/** Apart by this many slots, it is put right at once. */
const TIGHT_SLOTS = 0.9;

export class Lane {
  /** Packets that could not be cut into pieces of 20 ms: they are written as lost. */
  unfit = 0;
  /** Pieces that came too late, or a second time, or were left out for the sender's clock. */
  dropped = 0;
  /** One behind the last slot that holds something. */
  end = -Infinity;

  readonly #window: number;
  readonly #packets: (Uint8Array | undefined)[] = Array.from({ length: SLOTS });
  readonly #starts = new Int32Array(SLOTS);
  readonly #ends = new Int32Array(SLOTS);
  readonly #pieces = new Uint8Array(SLOTS);
  /** The first slot that is not written. */
  #base = 0;
  /** First byte of the last packet that was written, -1 before the first. */
  #toc = -1;

  /** The last packet in order: its timestamp, and its place with fractions of slots. */
  #timestamp = 0;
  #place = NaN;
  readonly #levels = new LevelEstimate();
  #seen = 0;
  #leastLate = Infinity;
  /** By how many slots packets are late against their places; 0 until it is known. */
  #apart = 0;

  /** @param window in-order packets that one look at the sender's clock covers; 1 when their times have no jitter */
  constructor(window: number) {
    this.#window = window;
  }

  /** Forgets everything and begins anew with this slot. */
  reset(base: number): void {
    this.#packets.fill(undefined);
    this.#base = base;
    this.end = -Infinity;
    this.#toc = -1;
    this.#place = NaN;
  }

  /**
   * Takes one packet and keeps its bytes, which must not change, until its slot is written.
   *
   * @param timestamp RTP timestamp, 0 to 2^32 - 1
   * @param atMs when it arrived, or is due
   */
  push(bytes: Uint8Array, start: number, end: number, timestamp: number, atMs: number): void {
    const first = this.#placeOf(timestamp, atMs / SLOT_MS, end - start);
    const pieces = piecesOf(bytes, start, end);
    if (pieces === 0) this.unfit += 1;
    for (let piece = 0; piece < pieces; piece++)
      this.#hold(first + piece, bytes, start, end, piece);
  }

  /** The first slot that holds something; Infinity when none does. */
  get first(): number {
    for (let slot = this.#base; slot < this.end; slot++)
      if (this.#packets[slot & (SLOTS - 1)]) return slot;
    return Infinity;
  }

  /** Forgets what all slots before this one hold. */
  forget(before: number): void {
    for (let slot = this.#base; slot < Math.min(before, this.end); slot++)
      this.#packets[slot & (SLOTS - 1)] = undefined;
  }

  /** Gives up all slots before this one. */
  skipTo(slot: number): void {
    this.forget(slot);
    this.#base = Math.max(this.#base, slot);
  }

  /**
   * Writes the first slot that is not written, as one Opus packet.
   *
   * @returns where it ends in `into`
   */
  write(into: Uint8Array, at: number, isDelimited: boolean): number {
    const here = this.#base & (SLOTS - 1);
    this.#base += 1;
    const packet = this.#packets[here];
    if (packet) {
      this.#packets[here] = undefined;
      const start = this.#starts[here] ?? 0;
      this.#toc = packet[start] ?? 0;
      const end = this.#ends[here] ?? 0;
      return writePiece(into, at, packet, start, end, this.#pieces[here] ?? 0, isDelimited);
    }
    if (this.#toc === -1) return writeSilence(into, at, isDelimited);
    into[at] = lostToc(this.#toc);
    if (!isDelimited) return at + 1;
    into[at + 1] = 0;
    return at + 2;
  }

  #hold(slot: number, bytes: Uint8Array, start: number, end: number, piece: number): void {
    const here = slot & (SLOTS - 1);
    if (slot < this.#base || slot >= this.#base + SLOTS || this.#packets[here]) {
      this.dropped += 1;
      return;
    }
    this.#packets[here] = bytes;
    this.#starts[here] = start;
    this.#ends[here] = end;
    this.#pieces[here] = piece;
    this.end = Math.max(this.end, slot + 1);
  }

  /** @param here the present, in slots with fractions */
  #placeOf(timestamp: number, here: number, size: number): number {
    const steps = ((timestamp - this.#timestamp) | 0) / FRAME_TICKS;
    const place = this.#place + steps;
    const isJump = !(Math.abs(here - place) <= JUMP_SLOTS);
    if (!isJump && steps <= 0) return Math.round(place);
    this.#timestamp = timestamp;
    if (isJump) {
      this.#place = Math.round(here);
      this.#look();
    } else {
      this.#place = place + this.#shift(here - place, this.#levels.level(size) === LEVEL_SILENT);
    }
    return Math.round(this.#place);
  }

  /** By how many slots the place of this packet, and all after it, has to move. */
  #shift(late: number, isQuiet: boolean): number {
    this.#leastLate = Math.min(this.#leastLate, late);
    this.#seen += 1;
    if (this.#seen === this.#window) this.#look(this.#leastLate);
    const apart = Math.abs(this.#apart);
    if (apart < LOOSE_SLOTS || (apart < TIGHT_SLOTS && !isQuiet)) return 0;
    const shift = Math.round(this.#apart);
    this.#look();
    return shift;
  }

  #look(apart = 0): void {
    this.#apart = apart;
    this.#seen = 0;
    this.#leastLate = Infinity;
  }
}

/** Writes 20 ms of silence as one Opus packet. @returns where it ends in `into` */
export const writeSilence = (into: Uint8Array, at: number, isDelimited: boolean): number =>
  writePiece(into, at, SILENCE_FRAME, 0, SILENCE_FRAME.length, 0, isDelimited);
