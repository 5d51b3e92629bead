// Plays a sound over and over, packet by packet at its own pace, as one more source of a stream. Pure: the caller brings the
// clock and passes the packets on.
import { OPUS_TICKS_PER_MS, opusTicks } from './opus.ts';

/** Takes one packet of the sound; `sequence` (16 bits) goes up by one from packet to packet, also from play to play. */
export type PlayPacket = (packet: Uint8Array, sequence: number, nowMs: number) => void;

/** Time that the caller's clock has skipped beyond this is left out instead of played all at once, in ms. */
const STALL_MS = 200;

export class Player {
  readonly #packets: readonly Uint8Array[];
  #position = 0;
  #sequence = 0;
  #dueMs = Infinity;

  /** @param packets whole Opus packets, at least one */
  constructor(packets: readonly Uint8Array[]) {
    this.#packets = packets;
  }

  get isPlaying(): boolean {
    return this.#dueMs !== Infinity;
  }

  /** Plays from the beginning, from `atMs` on, until it is stopped. */
  start(atMs: number): void {
    this.#position = 0;
    this.#dueMs = atMs;
  }

  /** Harmless when nothing plays. */
  stop(): void {
    this.#dueMs = Infinity;
  }

  /** Passes on what is due. Call it every 10 ms or so. */
  tick(nowMs: number, play: PlayPacket): void {
    if (this.isPlaying && nowMs - this.#dueMs > STALL_MS) this.#dueMs = nowMs;
    while (this.#dueMs <= nowMs) {
      const packet = this.#packets[this.#position];
      if (!packet) throw new RangeError('a sound has at least one packet');
      play(packet, this.#sequence, nowMs);
      this.#position = (this.#position + 1) % this.#packets.length;
      this.#sequence = (this.#sequence + 1) & 0xffff;
      this.#dueMs += opusTicks(packet, 0, packet.length) / OPUS_TICKS_PER_MS;
    }
  }
}
