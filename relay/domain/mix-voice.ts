// One source of a mix: its packets become frames of 20 ms, one after the other. Some that were heard are kept, so that a mix can
// begin with what has just been said.
import { FRAME_SAMPLES, MIX_RATE_HZ, TICKS_PER_SAMPLE, type Codec, type Decoder } from './codec.ts';
import { JitterBuffer, type Arrival } from './jitter-buffer.ts';
import { isWidebandSilk } from './opus.ts';

/** Frames from here on can be heard on a phone, in dBFS; the noise of a room with a good microphone stays below it. */
export const AUDIBLE_DBFS_MIN = -55;

/** Level of digital silence, in dBFS. */
const SILENT_DBFS = -100;

/** Frames that are kept behind the next one: as much of a word as may pass before a mix begins, and what an encoder is primed with. */
const FRAMES_KEPT = 8;

/** A sound that began longer ago than this was noticed in time, in frames. */
const ONSET_FRAMES_MAX = 6;

/** Where a frame is left out, the sound before it fades into the sound after it over 5 ms. */
const FADE_SAMPLES = MIX_RATE_HZ / 200;

const FRAME_MS = 20;

type Frame = {
  readonly pcm: Float32Array;
  /** Of the packet, if the frame is exactly what was decoded from one. */
  readonly sequence: number | undefined;
};

const NO_SAMPLES = new Float32Array(0);
const SILENT_FRAME: Frame = { pcm: new Float32Array(FRAME_SAMPLES), sequence: undefined };

export class MixVoice {
  readonly #codec: Codec;
  readonly #buffer = new JitterBuffer();
  #decoder: Decoder | undefined;
  /** What was heard lately, then what is next. */
  readonly #frames: Frame[] = [];
  /** Index of the frame that is next. */
  #at = 0;
  /** Decoded, but less than a frame. */
  #rest = NO_SAMPLES;
  #isWidebandSilk = false;
  /** Frames since the last one that could not be heard. */
  #audibleFrames = 0;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Whether its last packet was coded as a mix is. */
  get isWidebandSilk(): boolean {
    return this.#isWidebandSilk;
  }

  /** Sequence number of the packet that is next; `undefined` before the first one. */
  get nextSequence(): number | undefined {
    for (const { sequence } of this.#frames.slice(this.#at)) {
      if (sequence !== undefined) return sequence;
    }
    return this.#buffer.nextSequence;
  }

  push(packet: Arrival): void {
    this.#isWidebandSilk = isWidebandSilk(packet.bytes, 0);
    this.#buffer.push(packet);
  }

  /**
   * Makes sure that `count` frames are there from the next one on.
   *
   * @param onFrame is told the level of each new one, in dBFS
   */
  fill(count: number, nowMs: number, onFrame: (levelDbfs: number) => void): void {
    while (this.#frames.length - this.#at < count) {
      const frames = this.#shortened(this.#decode(nowMs), nowMs);
      for (const frame of frames) {
        const level = levelOf(frame.pcm);
        this.#audibleFrames = level >= AUDIBLE_DBFS_MIN ? this.#audibleFrames + 1 : 0;
        onFrame(level);
      }
      this.#frames.push(...frames);
    }
  }

  /** The next frame (0), one after it, or one that was heard (-1, -2); silence where there is none. */
  frame(offset: number): Float32Array {
    return (this.#frames[this.#at + offset] ?? SILENT_FRAME).pcm;
  }

  /** The next frame has been heard. */
  advance(): void {
    this.#at += 1;
    this.#forget();
  }

  /** Everything that was decoded counts as heard. */
  catchUp(): void {
    this.#at = this.#frames.length;
    this.#forget();
  }

  /**
   * Of what counted as heard and was not, a sound that has just begun is next. Of others it is the last frame, so that the one
   * after it need not be there yet.
   */
  rewindToOnset(): void {
    const isOnset = this.#audibleFrames <= ONSET_FRAMES_MAX;
    // One more than could be heard, so that a soft onset is whole.
    const frames = isOnset ? this.#audibleFrames + 1 : 1;
    this.#at = Math.max(0, this.#frames.length - frames);
  }

  /**
   * Everything up to this packet was heard otherwise.
   *
   * @returns when the two frames after it should be there, in ms; `undefined` while the source pauses
   */
  skipTo(sequence: number, nowMs: number): number | undefined {
    this.catchUp();
    while (this.#decoder && this.#buffer.holdsUpTo(sequence)) {
      this.#buffer.hurry();
      this.#frames.push(...this.#decode(nowMs));
    }
    this.catchUp();
    const { lastAtMs, delayMs } = this.#buffer;
    return lastAtMs === undefined ? undefined : lastAtMs + 2 * FRAME_MS + delayMs;
  }

  /** Nothing may be called afterwards. */
  free(): void {
    this.#decoder?.free();
  }

  #forget(): void {
    const surplus = this.#at - FRAMES_KEPT;
    if (surplus <= 0) return;
    this.#frames.splice(0, surplus);
    this.#at -= surplus;
  }

  /** The next frames of the time line, at least one. */
  #decode(nowMs: number): Frame[] {
    this.#decoder ??= this.#codec.decoder();
    const decoder = this.#decoder;
    if (!decoder) return [SILENT_FRAME];
    for (;;) {
      const unit = this.#buffer.next(nowMs);
      switch (unit.kind) {
        case 'packet': {
          const { bytes, ticks, sequence } = unit.packet;
          const pcm = decoder.decode(bytes) ?? decoder.conceal(ticks / TICKS_PER_SAMPLE, undefined);
          if (pcm.length === FRAME_SAMPLES && this.#rest.length === 0) return [{ pcm, sequence }];
          this.#append(pcm);
          break;
        }
        case 'loss':
          this.#append(decoder.conceal(unit.ticks / TICKS_PER_SAMPLE, unit.next));
          break;
        case 'late':
          this.#append(decoder.conceal(FRAME_SAMPLES, undefined));
          break;
        case 'pause':
          if (this.#rest.length === 0) return [SILENT_FRAME];
          this.#append(SILENT_FRAME.pcm.subarray(this.#rest.length));
      }
      const frames = this.#cut();
      if (frames.length > 0) return frames;
    }
  }

  #append(pcm: Float32Array): void {
    const rest = new Float32Array(this.#rest.length + pcm.length);
    rest.set(this.#rest);
    rest.set(pcm, this.#rest.length);
    this.#rest = rest;
  }

  /** Takes whole frames off the rest. */
  #cut(): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    for (; at + FRAME_SAMPLES <= this.#rest.length; at += FRAME_SAMPLES)
      frames.push({ pcm: this.#rest.slice(at, at + FRAME_SAMPLES), sequence: undefined });
    this.#rest = this.#rest.slice(at);
    return frames;
  }

  /** Leaves a frame out where the source has become later than it need be: a quiet one, or any when it is much too late. */
  #shortened(frames: Frame[], nowMs: number): Frame[] {
    const [first] = frames;
    const isMissed = first === undefined || levelOf(first.pcm) >= AUDIBLE_DBFS_MIN;
    const isDue = this.#buffer.isTooLate || (this.#buffer.hasSurplus && !isMissed);
    if (!first || !isDue || this.#buffer.size === 0) return frames;
    const [next, ...others] = [...frames.slice(1), ...this.#decode(nowMs)];
    this.#buffer.shortened();
    return next ? [faded(first, next), ...others] : frames;
  }
}

/** The frame `to`, with `from` fading out at its start. */
function faded(from: Frame, to: Frame): Frame {
  const pcm = Float32Array.from(to.pcm);
  for (let index = 0; index < FADE_SAMPLES; index++) {
    const share = (index + 0.5) / FADE_SAMPLES;
    pcm[index] = (from.pcm[index] ?? 0) * (1 - share) + (pcm[index] ?? 0) * share;
  }
  return { pcm, sequence: to.sequence };
}

function levelOf(pcm: Float32Array): number {
  let sum = 0;
  for (const sample of pcm) sum += sample * sample;
  return Math.max(SILENT_DBFS, 10 * Math.log10(sum / pcm.length));
}
