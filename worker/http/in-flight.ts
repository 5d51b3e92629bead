// How many webhooks an isolate works on at once. Beyond that they are refused and come again: providers deliver again what was
// not acknowledged, while an isolate that runs out of memory loses everything that it was doing.
import { Problem } from './problems.ts';

/** At 30 ms a query some 2,000 webhooks a second. */
const WEBHOOKS_MAX = 200;
/** Two of the largest. Parsed, a body takes up to ten times its bytes; an isolate has 128 MB. */
const BYTES_MAX = 8 * 1024 * 1024;

export class InFlight {
  #webhooks = 0;
  #bytes = 0;

  /**
   * Does the work, if there is room for it.
   *
   * @param bytes length of the body
   * @throws Problem `overloaded`
   */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.#webhooks >= WEBHOOKS_MAX || this.#bytes + bytes > BYTES_MAX) {
      throw new Problem('overloaded', 'Too much is under way; deliver it again', {}, 1);
    }
    this.#webhooks += 1;
    this.#bytes += bytes;
    try {
      return await work();
    } finally {
      this.#webhooks -= 1;
      this.#bytes -= bytes;
    }
  }
}
