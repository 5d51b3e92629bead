// Simulated time for one schedule. Everything of the world happens at its simulated moment; work outside the world (the real
// database) is waited for while simulated time stands still, one piece after the other. So a schedule repeats exactly.

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => unknown;
}

/**
 * So many promises may hang on one another between two pieces of outside work or pauses. The longest such chain signs a token and
 * sends a frame, about 30; workerd's WebCrypto needs no more than that, Node's would need another thread.
 */
const TURNS = 100;

export class Simulation {
  nowMs: number;
  /** What went wrong in the world itself: a mistake of the test, never of the product. */
  readonly mistakes: unknown[] = [];
  readonly #entries: Entry[] = [];
  #order = 0;
  #outside = 0;
  #chain: Promise<unknown> = Promise.resolve();

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** Runs `task` at `atMs`, at once when that is over; tasks of one moment run in the order in which they were given. */
  at(atMs: number, task: () => unknown): void {
    const entry = { atMs: Math.max(atMs, this.nowMs), order: ++this.#order, task };
    let index = this.#entries.length;
    while (index > 0 && (this.#entries[index - 1] as Entry).atMs > entry.atMs) index -= 1;
    this.#entries.splice(index, 0, entry);
  }

  after(ms: number, task: () => unknown): void {
    this.at(this.nowMs + ms, task);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Work that takes real time and no simulated time. */
  outside<T>(work: () => Promise<T>): Promise<T> {
    this.#outside += 1;
    const run = this.#chain.then(work);
    const done = (): void => void (this.#outside -= 1);
    this.#chain = run.then(done, done);
    return run;
  }

  /** Lets everything happen that is due by `endMs`. */
  async runUntil(endMs: number): Promise<void> {
    await this.#quiet();
    for (let next = this.#entries[0]; next && next.atMs <= endMs; next = this.#entries[0]) {
      this.#entries.shift();
      this.nowMs = next.atMs;
      this.#run(next.task);
      await this.#quiet();
    }
    this.nowMs = endMs;
  }

  #run(task: () => unknown): void {
    const fail = (error: unknown): void => void this.mistakes.push(error);
    try {
      const result = task();
      if (result instanceof Promise) result.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Waits until nothing moves any more without time passing. */
  async #quiet(): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
      if (this.#outside === 0) return;
      await this.#chain;
    }
  }
}
