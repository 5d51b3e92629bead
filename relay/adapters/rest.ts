// Lets packets gather. Each packet that arrives wakes this thread, and waking it costs more than handling the packet: while many
// come, the thread sleeps for a moment after each batch and then finds several at once. Figures are in DECISIONS.md.

/** From so many packets in a millisecond on, how long the thread sleeps, in ms. At lower rates there is nothing to gather. */
const RESTS = [
  { packetsPerMs: 3, ms: 2 },
  { packetsPerMs: 1, ms: 1 },
] as const;

/** The rate is measured over this many packets. */
const COUNTED = 64;

const cell = new Int32Array(new SharedArrayBuffer(4));

export class Rest {
  readonly #sleep: (ms: number) => void;
  readonly #nowMs: () => number;
  #left = COUNTED;
  #sinceMs: number;
  #restMs = 0;
  #isDue = false;

  /** @param sleep blocks the thread */
  constructor(
    sleep: (ms: number) => void = (ms) => void Atomics.wait(cell, 0, 0, ms),
    nowMs: () => number = () => performance.now(),
  ) {
    this.#sleep = sleep;
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** A packet has arrived. The thread rests once everything that waits has been handled, if that is worth it. */
  packet(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#judge();
    if (this.#restMs === 0 || this.#isDue) return;
    this.#isDue = true;
    setImmediate(this.#rest);
  }

  #judge(): void {
    const nowMs = this.#nowMs();
    const elapsedMs = nowMs - this.#sinceMs;
    this.#restMs = RESTS.find(({ packetsPerMs }) => COUNTED > packetsPerMs * elapsedMs)?.ms ?? 0;
    this.#left = COUNTED;
    this.#sinceMs = nowMs;
  }

  readonly #rest = (): void => {
    this.#isDue = false;
    this.#sleep(this.#restMs);
  };
}

/** The one of this thread. */
export const rest = new Rest();
