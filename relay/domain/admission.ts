// Whether a process takes new calls, by what it measures of itself. Pure. Capacity is what the operator allows; this is what the
// machine can do at the moment.

/** What was measured over one second. */
export type LoadSample = {
  /** CPU of the whole process, as a share of the cores that it has, 0 to 1. */
  readonly cpu: number;
  /** CPU of the thread that forwards, as a share of one core, 0 to 1. */
  readonly forwarding: number;
  /** Share of the event loop's ticks that came more than `LATE_MS` late. */
  readonly late: number;
};

/** A tick this late fills a slot half a frame after it has become due, in ms. */
export const LATE_MS = 10;
/** The 99th percentile of the lateness is what counts. */
const LATE_SHARE_MAX = 0.01;

/** Fewer calls than these are not what is too much: refusing more would only leave callers unserved. */
const CALLS_MIN = 10;

/** So many bad seconds in a row refuse new calls; one may be a burst of set-ups. */
const BAD_SECONDS = 2;
/** So many good ones admit them again, so that the next call is not the one that is too much again. */
const GOOD_SECONDS = 5;
/** What a good second stays under, as a share of the limit. */
const GOOD_SHARE = 0.8;

export class Admission {
  readonly #limit: number;
  #isOverloaded = false;
  /** Seconds in a row that speak for the other state. */
  #seconds = 0;

  /** @param limit the most CPU, as a share; at 1 nothing is refused */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get isOverloaded(): boolean {
    return this.#isOverloaded;
  }

  /** Takes what one second has shown. @returns whether the state has changed */
  second(sample: LoadSample, calls: number): boolean {
    if (this.#limit >= 1) return false;
    const isFew = calls < CALLS_MIN;
    const speaksForChange = this.#isOverloaded
      ? isFew || isUnder(sample, this.#limit * GOOD_SHARE)
      : !isFew && !isUnder(sample, this.#limit);
    this.#seconds = speaksForChange ? this.#seconds + 1 : 0;
    const needed = this.#isOverloaded ? GOOD_SECONDS : BAD_SECONDS;
    if (this.#seconds < needed && !(this.#isOverloaded && isFew)) return false;
    this.#isOverloaded = !this.#isOverloaded;
    this.#seconds = 0;
    return true;
  }
}

const isUnder = ({ cpu, forwarding, late }: LoadSample, limit: number): boolean =>
  cpu <= limit && forwarding <= limit && late <= LATE_SHARE_MAX;
