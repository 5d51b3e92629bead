// Who is to be heard, from the levels of what several sources say. Pure: the caller brings the clock.
import { AUDIBLE_DBFS_MIN } from './mix-voice.ts';

/** A sound counts once it has lasted for two frames, so that a click does not begin a mix. */
const RUN_FRAMES = 2;

/** Whoever was audible within this time is heard, in ms: pauses within a turn and between two turns are mostly shorter. */
export const TOGETHER_MS = 2_000;

/** How fast loudness is forgotten, in dB per frame of 20 ms: a word is remembered, a sentence is not. */
const FORGET_DB_PER_FRAME = 0.5;

type Heard = { run: number; lastMs: number; loudnessDbfs: number };

export class MixChoice {
  readonly #sources = new Map<number, Heard>();

  /** One frame of a source has this level, in dBFS. */
  level(source: number, levelDbfs: number, nowMs: number): void {
    let heard = this.#sources.get(source);
    if (!heard) {
      heard = { run: 0, lastMs: -Infinity, loudnessDbfs: levelDbfs };
      this.#sources.set(source, heard);
    }
    heard.run = levelDbfs >= AUDIBLE_DBFS_MIN ? heard.run + 1 : 0;
    heard.loudnessDbfs = Math.max(levelDbfs, heard.loudnessDbfs - FORGET_DB_PER_FRAME);
    if (heard.run >= RUN_FRAMES) heard.lastMs = nowMs;
  }

  /** Forgets a source that is gone. */
  remove(source: number): void {
    this.#sources.delete(source);
  }

  /** Whether the last frame of a source could be heard. */
  isAudibleNow(source: number): boolean {
    return (this.#sources.get(source)?.run ?? 0) > 0;
  }

  /** Sources that are to be heard, the loudest first. */
  audible(nowMs: number): number[] {
    return [...this.#sources]
      .filter(([, { lastMs }]) => nowMs - lastMs < TOGETHER_MS)
      .sort(([, one], [, other]) => other.loudnessDbfs - one.loudnessDbfs)
      .map(([source]) => source);
  }
}
