// What one caller hears of several sources at once. While it listens, it decodes them and says how loud each is; while it mixes,
// it also sends their sum, a packet every 20 ms. It decides nothing: it is told when to begin and when to end.
//
// From one source that passes to the mix and back nothing is repeated, left out or shifted: the mix goes on with the sample
// after the last packet that passed, and the first packet that passes again follows the last one that was mixed. An encoder
// delays what it is given (6.5 ms); so it is given what lies that much ahead, for which each source is a frame ahead.
import { FRAME_SAMPLES, type Codec, type Encoder } from './codec.ts';
import type { Arrival } from './jitter-buffer.ts';
import { BLOCK_SAMPLES, Limiter } from './limiter.ts';
import { MixVoice } from './mix-voice.ts';

const FRAME_MS = 20;

/** Frames that an encoder takes in, unheard, before the first one that counts: with less of a past its first frame is rough. */
const PRIME_FRAMES = 3;

/** Time that was missed beyond this is left out instead of being worked off, in ms. */
const STALL_MS = 200;

export type MixHandlers = {
  /** One packet of the mix, 20 ms after the one before. */
  onPacket: (packet: Uint8Array) => void;
  /** The level of one frame of a source, in dBFS. */
  onLevel: (source: number, levelDbfs: number) => void;
  /** The mix has ended. `sequence`: the source's first packet that was not in it, as far as it is known. */
  onStopped: (source: number, sequence: number | undefined) => void;
};

export class MixCall {
  readonly #codec: Codec;
  readonly #handlers: MixHandlers;
  readonly #voices = new Map<number, MixVoice>();
  readonly #pcm = new Float32Array(FRAME_SAMPLES + BLOCK_SAMPLES);
  #isMixing = false;
  #encoder: Encoder | undefined;
  #limiter = new Limiter();
  /** The source that passed until the mix began. */
  #leader: MixVoice | undefined;
  #dueMs: number | undefined;

  constructor(codec: Codec, handlers: MixHandlers) {
    this.#codec = codec;
    this.#handlers = handlers;
  }

  /** Takes one packet of a source. */
  push(source: number, packet: Arrival): void {
    let voice = this.#voices.get(source);
    if (!voice) {
      voice = new MixVoice(this.#codec);
      this.#voices.set(source, voice);
    }
    voice.push(packet);
  }

  /** Nothing of this source is heard any more, from the next packet on. */
  drop(source: number): void {
    const voice = this.#voices.get(source);
    if (!voice) return;
    voice.free();
    this.#voices.delete(source);
    if (this.#leader === voice) this.#leader = undefined;
  }

  /**
   * Begins to mix. Repeating it changes nothing.
   *
   * @param leader the source that has passed until now, if there is one
   * @param sequence its last packet that passed
   * @param atMs the first packet of the mix is not needed before
   */
  start(leader: number | undefined, sequence: number, atMs: number, nowMs: number): void {
    if (this.#isMixing) return;
    this.#isMixing = true;
    this.#leader = leader === undefined ? undefined : this.#voices.get(leader);
    this.#dueMs = Math.max(this.#leader?.skipTo(sequence, nowMs) ?? nowMs, nowMs, atMs);
    for (const voice of this.#voices.values()) if (voice !== this.#leader) voice.rewindToOnset();
  }

  /** Ends the mix; `source` is to pass from here on. Repeating it changes nothing. */
  stop(source: number): void {
    if (!this.#isMixing) return;
    this.#handlers.onStopped(source, this.#voices.get(source)?.nextSequence);
    this.#isMixing = false;
    this.#encoder?.free();
    this.#encoder = undefined;
    this.#limiter = new Limiter();
    for (const voice of this.#voices.values()) voice.catchUp();
  }

  /** Does what is due. Call it every 10 ms or so. */
  tick(nowMs: number): void {
    let dueMs = this.#dueMs ?? nowMs;
    if (nowMs - dueMs > STALL_MS) dueMs = nowMs;
    for (; dueMs <= nowMs; dueMs += FRAME_MS) this.#frame(nowMs);
    this.#dueMs = dueMs;
  }

  /** Nothing may be called afterwards. */
  free(): void {
    this.#encoder?.free();
    for (const voice of this.#voices.values()) voice.free();
  }

  #frame(nowMs: number): void {
    for (const [source, voice] of this.#voices) {
      const onFrame = (level: number) => this.#handlers.onLevel(source, level);
      voice.fill(this.#isMixing ? 2 : 1, nowMs, onFrame);
    }
    if (this.#isMixing) this.#send();
    for (const voice of this.#voices.values()) voice.advance();
  }

  #send(): void {
    const encoder = this.#encoder ?? this.#codec.encoder();
    if (!encoder) return;
    const isFirst = !this.#encoder && !this.#prime(encoder);
    this.#encoder = encoder;
    this.#pcm.fill(0);
    for (const voice of this.#voices.values()) this.#add(voice, 0, encoder.delaySamples);
    this.#limiter.apply(this.#pcm);
    const packet = encoder.encode(this.#pcm.subarray(0, FRAME_SAMPLES), isFirst);
    this.#handlers.onPacket(packet);
  }

  /**
   * Lets the encoder take in what the leader said last. Measured over switches in the middle of tones and words: the first frame
   * of the mix then differs from what would have passed no more than the others do.
   *
   * @returns whether the receiver's decoder knows that past as well: it begins anew where SILK begins or changes its sample rate
   */
  #prime(encoder: Encoder): boolean {
    const leader = this.#leader;
    this.#leader = undefined;
    if (!leader) return false;
    for (let frame = -PRIME_FRAMES; frame < 0; frame++) {
      this.#pcm.fill(0);
      this.#add(leader, frame, encoder.delaySamples);
      encoder.encode(this.#pcm.subarray(0, FRAME_SAMPLES), false);
    }
    return leader.isWidebandSilk;
  }

  /** Adds a frame of a voice, `ahead` samples later than it is. */
  #add(voice: MixVoice, frame: number, ahead: number): void {
    const pcm = this.#pcm;
    const now = voice.frame(frame);
    const then = voice.frame(frame + 1);
    const split = FRAME_SAMPLES - ahead;
    for (let index = 0; index < split; index++)
      pcm[index] = (pcm[index] ?? 0) + (now[index + ahead] ?? 0);
    for (let index = split; index < pcm.length; index++)
      pcm[index] = (pcm[index] ?? 0) + (then[index - split] ?? 0);
  }
}
