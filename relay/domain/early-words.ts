// What is said before a stream opens: a bounded memory from which pauses are left out before speech is.
import { OPUS_TICKS_PER_MS, opusTicks } from './opus.ts';
import { voiceFlag } from './speech.ts';
import type { SourcePacket } from './stitcher.ts';

/** How much is kept unless told otherwise, in packets of 20 ms: the last second. */
export const LAST_SECOND_PACKETS = 50;

/** Sizes up to this are silence or comfort noise, in bytes. */
const QUIET_BYTES_MAX = 10;

/**
 * The same where the encoder's word says that nobody speaks, in bytes: it says so of a steady tone as well, which costs more. At
 * the 20 kbit/s of WhatsApp silence takes 17 to 35 bytes, with noise in it or without.
 */
const QUIET_CODED_BYTES_MAX = 40;

/** Levels from here on count as silence when the sender measures them, in -dBov. */
const QUIET_LEVEL_MIN = 60;

/**
 * A pause begins after this many quiet packets in a row and ends this many before the next loud one. Measured with libopus 1.6.1
 * on synthetic speech under six noises up to 10 dB below it, by the encoder's word for what is quiet: nothing that lies between
 * is speech; with 10 and 3, one frame in 600 was.
 */
const TAIL_PACKETS = 15;
const ONSET_PACKETS = 4;

/** A packet that is kept. */
export type KeptPacket = SourcePacket & {
  /** Quiet packets in a row up to this one, itself included. */
  readonly run: number;
  /** Packets of its source that were left out just before it, or are no audio: their numbers are no loss. */
  skipped: number;
  /** How long all that was left out just before it plays, in ms. */
  skippedMs: number;
};

export class EarlyWords {
  #kept: KeptPacket[] = [];
  #max = LAST_SECOND_PACKETS;
  #run = TAIL_PACKETS;
  /** By source: packets since its last one that are no audio. */
  readonly #skipped = new Map<number, number>();

  get length(): number {
    return this.#kept.length;
  }

  /** How long it all plays, what was left out included, in ms. */
  get ms(): number {
    return this.#kept.reduce((sum, kept) => sum + kept.skippedMs + msOf(kept), 0);
  }

  /** Keeps at most this many packets from here on. */
  keep(packets: number): void {
    this.#max = packets;
    while (this.#kept.length > this.#max) this.#makeRoom();
  }

  push(packet: SourcePacket): void {
    this.#run = isLoud(packet) ? 0 : this.#run + 1;
    const skipped = this.#skipped.get(packet.source) ?? 0;
    this.#skipped.delete(packet.source);
    this.#kept.push({ ...packet, run: this.#run, skipped, skippedMs: 0 });
    if (this.#kept.length > this.#max) this.#makeRoom();
  }

  /** The next number of a source is that of a packet that is no audio. */
  skip(source: number): void {
    this.#skipped.set(source, (this.#skipped.get(source) ?? 0) + 1);
  }

  /** Leaves out silence at the start. */
  trim(): void {
    const loud = this.#kept.findIndex(({ run }) => run === 0);
    this.#kept = loud < 0 ? [] : this.#kept.slice(Math.max(0, loud - ONSET_PACKETS));
    const [first] = this.#kept;
    if (first) first.skipped = first.skippedMs = 0;
  }

  /** Takes out the next packet. @param leavesOut pauses before it are left out */
  next(leavesOut: boolean): KeptPacket | undefined {
    if (leavesOut) while (this.#isPause(0)) this.#leaveOut(0);
    return this.#kept.shift();
  }

  /** Forgets what a source said. */
  forget(source: number): void {
    this.#kept = this.#kept.filter((packet) => packet.source !== source);
    this.#skipped.delete(source);
  }

  clear(): void {
    this.#kept = [];
    this.#run = TAIL_PACKETS;
    this.#skipped.clear();
  }

  /** Pauses go first, then the oldest. */
  #makeRoom(): void {
    const pause = this.#kept.findIndex((_, index) => this.#isPause(index));
    if (pause < 0) this.#kept.shift();
    else this.#leaveOut(pause);
  }

  #isPause(index: number): boolean {
    const run = this.#kept[index]?.run ?? 0;
    const later = this.#kept[index + ONSET_PACKETS]?.run ?? 0;
    return run > TAIL_PACKETS && later >= run + ONSET_PACKETS;
  }

  #leaveOut(index: number): void {
    const [packet] = this.#kept.splice(index, 1);
    if (!packet) return;
    const next = this.#kept[index];
    if (next) next.skippedMs += packet.skippedMs + msOf(packet);
    const sibling = this.#kept.find(({ source }, at) => at >= index && source === packet.source);
    if (sibling) sibling.skipped += packet.skipped + 1;
  }
}

const msOf = ({ bytes, start, end }: SourcePacket): number =>
  opusTicks(bytes, start, end) / OPUS_TICKS_PER_MS;

function isLoud({ bytes, start, end, level }: SourcePacket): boolean {
  const size = end - start;
  if (size <= QUIET_BYTES_MAX || level >= QUIET_LEVEL_MIN) return false;
  return size > QUIET_CODED_BYTES_MAX || voiceFlag(bytes, start, end) !== false;
}
