// The time by which permissions, windows and restrictions run. It can be moved forward, so that no test waits for a week.

/** Real time plus what it was advanced by. Webhook timestamps and the clocks of a running call stay on real time. */
export class MovableClock {
  readonly #real: () => number;
  #aheadMs = 0;

  /** @param real ms since the epoch, monotonic */
  constructor(real: () => number) {
    this.#real = real;
  }

  /** ms since the epoch. */
  now(): number {
    return this.#real() + this.#aheadMs;
  }

  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Moves forward. @param ms 0 or more; time never goes back, since counters and expiries do not either */
  advance(ms: number): void {
    this.#aheadMs += Math.max(0, ms);
  }
}

export const SECOND_MS = 1000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Whole seconds since the epoch, as Graph gives times. */
export function unixSecondsOf(atMs: number): number {
  return Math.floor(atMs / SECOND_MS);
}
