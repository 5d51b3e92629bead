// Presses keys toward a phone, as telephone-events in slots of the stream. Pure: the caller brings the clock and the slots.
import { END_BIT, EVENT_BYTES, EVENT_TICKS_PER_MS, KEYS } from './dtmf.ts';

const FRAME_MS = 20;

/** How long a key is down and the pause after it, in ms. Spec: ITU-T Q.24, 40 ms each are enough for any receiver. */
const TONE_MS = 100;
export const PAUSE_MS = 100;
const TONE_FRAMES = TONE_MS / FRAME_MS;

/** The end is sent this often. Spec: RFC 4733 section 2.5.1.4. */
const END_COPIES = 3;

/** In -dBm0. Observed in libwebrtc's source: what browsers send (kTelephoneEventAttenuationdB). */
const VOLUME = 10;

/** Keys that wait at most: a card number and then some. What is more than that is not pressed. */
export const WAITING_KEYS_MAX = 50;

/** What one slot holds: the same payload in `copies` packets. The bytes are reused for the next one. */
export type EventSlot = {
  readonly payload: Uint8Array;
  readonly copies: number;
  readonly isFirst: boolean;
};

export class KeyWriter {
  readonly #waiting: number[] = [];
  readonly #payload = new Uint8Array(EVENT_BYTES);
  /** Slots that the present key has taken. */
  #frame = 0;
  #code = 0;
  #pauseUntilMs = -Infinity;

  /**
   * Queues one key.
   *
   * @param digit one character of `KEYS`; anything else is passed over
   */
  press(digit: string): void {
    const code = digit.length === 1 ? KEYS.indexOf(digit) : -1;
    if (code >= 0 && this.#waiting.length < WAITING_KEYS_MAX) this.#waiting.push(code);
  }

  /**
   * Forgets the keys that wait, and lets go of the one that is down.
   *
   * @returns the end of that one, which needs no slot of its own: it has the timestamp of the first
   */
  clear(nowMs: number): EventSlot | undefined {
    this.#waiting.length = 0;
    return this.#frame > 0 ? this.#hold(this.#frame, true, nowMs) : undefined;
  }

  /** The next slot belongs to a key: no audio may take it. */
  wantsSlot(nowMs: number): boolean {
    return this.#frame > 0 || (this.#waiting.length > 0 && nowMs >= this.#pauseUntilMs);
  }

  /** Fills a slot that it wants. All slots of a key have the timestamp of the first. */
  fill(nowMs: number): EventSlot {
    if (this.#frame === 0) this.#code = this.#waiting.shift() ?? 0;
    this.#frame += 1;
    return this.#hold(this.#frame, this.#frame === TONE_FRAMES, nowMs);
  }

  /** The key has been down for this many frames. */
  #hold(frames: number, isEnd: boolean, nowMs: number): EventSlot {
    const ticks = frames * FRAME_MS * EVENT_TICKS_PER_MS;
    this.#payload.set([this.#code, (isEnd ? END_BIT : 0) | VOLUME, ticks >> 8, ticks & 0xff]);
    if (isEnd) {
      this.#frame = 0;
      this.#pauseUntilMs = nowMs + FRAME_MS + PAUSE_MS;
    }
    return {
      payload: this.#payload,
      copies: isEnd ? END_COPIES : 1,
      isFirst: frames === 1 && !isEnd,
    };
  }
}
