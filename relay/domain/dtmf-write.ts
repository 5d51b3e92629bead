// Presses keys toward a phone, as telephone-events in slots of the stream. Pure: the caller brings the clock and the slots.
import { END_BIT, EVENT_BYTES, EVENT_TICKS_PER_MS, KEYS } from './dtmf.ts';
import { FRAME_MS } from './opus.ts';

/** How long a key is down and the pause after it, in ms. Spec: ITU-T Q.24, 40 ms each are enough for any receiver. */
const TONE_FRAMES = 100 / FRAME_MS;
const PAUSE_MS = 100;

/** The end is sent this often. Spec: RFC 4733 section 2.5.1.4. */
const END_COPIES = 3;

/** In -dBm0. Observed in libwebrtc's source: what browsers send (kTelephoneEventAttenuationdB). */
const VOLUME = 10;

/** Keys that wait at most: a card number and then some. What is more than that is not pressed. */
export const WAITING_KEYS_MAX = 50;

/** The stream's side; `Stitcher` says what the methods mean. */
export type Slots = {
  takeSlot: (nowMs: number) => number | undefined;
  takeNumber: () => number;
};

/** Sends one packet of events; the payload is reused afterwards. */
export type SendEvent = (
  payload: Uint8Array,
  sequence: number,
  timestamp: number,
  marker: boolean,
) => void;

export class KeyWriter {
  readonly #slots: Slots;
  readonly #send: SendEvent;
  readonly #waiting: number[] = [];
  readonly #payload = new Uint8Array(EVENT_BYTES);
  #code = 0;
  /** Slots that the present key has taken; 0 when none is down. */
  #frames = 0;
  /** Of the first of them: all packets of a key have it. */
  #timestamp = 0;
  #pauseUntilMs = -Infinity;

  constructor(slots: Slots, send: SendEvent) {
    this.#slots = slots;
    this.#send = send;
  }

  /**
   * Queues one key.
   *
   * @param digit one character of `KEYS`; anything else is passed over
   */
  press(digit: string): void {
    const code = digit.length === 1 ? KEYS.indexOf(digit) : -1;
    if (code >= 0 && this.#waiting.length < WAITING_KEYS_MAX) this.#waiting.push(code);
  }

  /** Lets go of the key that is down, and forgets those that wait. */
  clear(nowMs: number): void {
    this.#waiting.length = 0;
    // The end needs no slot of its own, because it has the timestamp of the first.
    if (this.#frames > 0) this.#letGo(nowMs);
  }

  /** The next slot belongs to a key: no audio may take it. */
  wantsSlot(nowMs: number): boolean {
    return this.#frames > 0 || (this.#waiting.length > 0 && nowMs >= this.#pauseUntilMs);
  }

  /** Fills the slots that are due. Call it every 10 ms or so. */
  tick(nowMs: number): void {
    while (this.wantsSlot(nowMs)) {
      const timestamp = this.#slots.takeSlot(nowMs);
      if (timestamp === undefined) return;
      if (this.#frames === 0) {
        this.#code = this.#waiting.shift() ?? 0;
        this.#timestamp = timestamp;
      }
      this.#frames += 1;
      if (this.#frames === TONE_FRAMES) this.#letGo(nowMs);
      else this.#sendCopies(1, 0);
    }
  }

  #letGo(nowMs: number): void {
    this.#sendCopies(END_COPIES, END_BIT);
    this.#frames = 0;
    this.#pauseUntilMs = nowMs + FRAME_MS + PAUSE_MS;
  }

  #sendCopies(copies: number, endBit: number): void {
    const ticks = this.#frames * FRAME_MS * EVENT_TICKS_PER_MS;
    this.#payload.set([this.#code, endBit | VOLUME, ticks >> 8, ticks & 0xff]);
    const isFirst = this.#frames === 1 && endBit === 0;
    for (let copy = 0; copy < copies; copy++)
      this.#send(this.#payload, this.#slots.takeNumber(), this.#timestamp, isFirst);
  }
}
