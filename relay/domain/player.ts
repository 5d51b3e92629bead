// Plays a sound packet by packet at its own pace, as one more source of a stream. Pure: the caller brings the clock and passes
// the packets on.
import { OPUS_TICKS_PER_MS, opusTicks } from './opus.ts';

/** Whole Opus packets that pass as they are, at least one. */
export type Sound = readonly Uint8Array[];

/** Takes one packet of a sound; `sequence` (16 bits) goes up by one from packet to packet of one play. */
export type PlayPacket = (packet: Uint8Array, sequence: number, nowMs: number) => void;

/** Time that the caller's clock has skipped beyond this is left out instead of played all at once, in ms. */
const STALL_MS = 200;

/** The numbers of two plays are this far apart, so that the stitcher takes them for two streams: each starts on the grid. */
const PLAY_STEP = 1_000;

export class Player {
  #sound: Sound = [];
  #isLoop = false;
  #position = 0;
  #sequence = 0;
  #dueMs = Infinity;

  /** Plays from the beginning, from `atMs` on: over and over, or once. */
  start(sound: Sound, isLoop: boolean, atMs: number): void {
    this.#sound = sound;
    this.#isLoop = isLoop;
    this.#position = 0;
    this.#sequence = (this.#sequence + PLAY_STEP) & 0xffff;
    this.#dueMs = atMs;
  }

  /** Harmless when nothing plays. */
  stop(): void {
    this.#dueMs = Infinity;
  }

  /**
   * Passes on what is due. Call it every 10 ms or so.
   *
   * @returns whether the sound is over now: the time of its last packet has passed
   */
  tick(nowMs: number, play: PlayPacket): boolean {
    if (this.#dueMs !== Infinity && nowMs - this.#dueMs > STALL_MS) this.#dueMs = nowMs;
    while (this.#dueMs <= nowMs) {
      const packet = this.#next();
      if (!packet) {
        this.stop();
        return true;
      }
      play(packet, this.#sequence, nowMs);
      this.#sequence = (this.#sequence + 1) & 0xffff;
      this.#dueMs += opusTicks(packet, 0, packet.length) / OPUS_TICKS_PER_MS;
    }
    return false;
  }

  #next(): Uint8Array | undefined {
    if (this.#isLoop && this.#position === this.#sound.length) this.#position = 0;
    const packet = this.#sound[this.#position];
    this.#position += 1;
    return packet;
  }
}
