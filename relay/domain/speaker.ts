// Which of several sources is heard when only one can be: the one that speaks, without flapping between two.
import { LevelEstimate } from './opus.ts';

/** Levels up to this count as speech, in -dBov; LiveKit's own threshold for "speaking" is 35, quiet headsets need more. */
const SPEECH_LEVEL_MAX = 45;

/** Whoever is heard keeps the floor through pauses up to this long, in ms; pauses within a sentence are shorter. */
const HOLD_MS = 400;

/** A challenger must speak for this many packets in a row (60 ms), so that a click does not take the floor. */
const CHALLENGE_PACKETS = 3;

type Candidate = {
  readonly estimate: LevelEstimate;
  /** What the server last said of this source; `undefined` before it has said anything. */
  isSpeaking: boolean | undefined;
  lastSpeechMs: number;
  run: number;
};

/**
 * Chooses by the audio level of the packets where they carry one (RFC 6464), else by what the server says of its speakers, else
 * by packet sizes. Observed: livekit-server 1.13.5 does not forward the level to subscribers, but computes from it who speaks,
 * every 400 ms; sizes alone mislead, because some encoders spend the same bytes on silence as on a tone.
 *
 * The first source is heard at once; another takes over when it speaks while the one that is heard has been quiet for
 * `HOLD_MS`. Somebody who speaks keeps the floor.
 */
export class SpeakerChoice {
  readonly #candidates = new Map<number, Candidate>();
  #heard = -1;

  /**
   * Takes notice of one packet.
   *
   * @param level measured level in -dBov, -1 when unknown
   * @param bytes payload size
   * @returns whether this packet is to be heard
   */
  hears(source: number, level: number, bytes: number, nowMs: number): boolean {
    const candidate = this.#candidate(source);
    const loudness = level >= 0 ? level : candidate.estimate.level(bytes);
    const seems = loudness <= SPEECH_LEVEL_MAX;
    const speaks = level >= 0 ? seems : (candidate.isSpeaking ?? seems);
    candidate.run = speaks ? candidate.run + 1 : 0;
    if (speaks) candidate.lastSpeechMs = nowMs;
    if (source === this.#heard) return true;
    const heard = this.#candidates.get(this.#heard);
    const isFree = !heard || nowMs - heard.lastSpeechMs > HOLD_MS;
    if (isFree && candidate.run >= CHALLENGE_PACKETS) this.#heard = source;
    return source === this.#heard;
  }

  /** The server says whether a source speaks. */
  tell(source: number, isSpeaking: boolean): void {
    this.#candidate(source).isSpeaking = isSpeaking;
  }

  /** The source that is heard; `undefined` when there is none. */
  get heard(): number | undefined {
    return this.#heard < 0 ? undefined : this.#heard;
  }

  /** Gives the floor to a source, because more is known of it than its packets tell. */
  choose(source: number): void {
    if (this.#candidates.has(source)) this.#heard = source;
  }

  /** Forgets a source that is gone. */
  remove(source: number): void {
    this.#candidates.delete(source);
    if (this.#heard !== source) return;
    const [next] = this.#candidates.keys();
    this.#heard = next ?? -1;
  }

  #candidate(source: number): Candidate {
    let candidate = this.#candidates.get(source);
    if (!candidate) {
      candidate = {
        estimate: new LevelEstimate(),
        isSpeaking: undefined,
        lastSpeechMs: -Infinity,
        run: 0,
      };
      this.#candidates.set(source, candidate);
      if (this.#heard < 0) this.#heard = source;
    }
    return candidate;
  }
}
