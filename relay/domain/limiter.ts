// Keeps a sum of voices below full scale by turning it down, not by cutting it off. A sum that fits passes unchanged.
import { FRAME_SAMPLES } from './codec.ts';

/** Loudest sample that comes out; 1 is full scale, and an encoder adds a little. */
export const PEAK_MAX = 0.95;

/** The gain is decided for blocks of 5 ms: short against a syllable, long against the period of a voice. */
export const BLOCK_SAMPLES = FRAME_SAMPLES / 4;

/** How much of what the gain lacks comes back with each block: half of it within 100 ms, so that nothing is heard to pump. */
const RELEASE_SHARE = 0.034;

export class Limiter {
  /** At the end of the last block. */
  #gain = 1;

  /**
   * Turns one frame down where it has to be.
   *
   * The gain moves in straight lines from block to block. It must have come down before a peak, so the block after the frame
   * has to be known.
   *
   * @param pcm a frame and the block after it; the frame is changed in place, and the block is the start of the next frame
   */
  apply(pcm: Float32Array): void {
    let need = gainFor(pcm, 0);
    for (let start = 0; start < FRAME_SAMPLES; start += BLOCK_SAMPLES) {
      const nextNeed = gainFor(pcm, start + BLOCK_SAMPLES);
      // Voices that join or leave between two frames may make this block louder than it was announced.
      const from = Math.min(this.#gain, need);
      const to = Math.min(need, nextNeed, from + (1 - from) * RELEASE_SHARE);
      if (from < 1 || to < 1) ramp(pcm, start, from, to);
      // What is left of a thousandth cannot be heard, and being at 1 costs nothing.
      this.#gain = to > 0.999 ? 1 : to;
      need = nextNeed;
    }
  }
}

/** The gain at which a block fits. */
function gainFor(pcm: Float32Array, start: number): number {
  let peak = 0;
  for (let index = start; index < start + BLOCK_SAMPLES; index++)
    peak = Math.max(peak, Math.abs(pcm[index] ?? 0));
  return peak > PEAK_MAX ? PEAK_MAX / peak : 1;
}

function ramp(pcm: Float32Array, start: number, from: number, to: number): void {
  const step = (to - from) / BLOCK_SAMPLES;
  for (let index = 0; index < BLOCK_SAMPLES; index++)
    pcm[start + index] = (pcm[start + index] ?? 0) * (from + step * (index + 1));
}
