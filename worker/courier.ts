// Has events brought to endpoints of users, after they were stored. Nothing waits for it, one request is under way at a time, and
// none while there are no endpoints. What is missed here is found by the trigger of every minute.

export class Courier {
  readonly #deliver: () => Promise<boolean>;
  /** Taken for granted until it is known. */
  #hasEndpoints = true;
  /** Counts who said that there are, so that an older answer does not overrule them. */
  #enabled = 0;
  #isUnderWay = false;
  #hasNews = false;

  /** @param deliver takes up what is new; says whether there are endpoints */
  constructor(deliver: () => Promise<boolean>) {
    this.#deliver = deliver;
  }

  /** There is an event that endpoints are told of. */
  notify(): void {
    this.#hasNews = true;
    if (this.#hasEndpoints && !this.#isUnderWay) void this.#run();
  }

  /** There may be endpoints from now on. */
  enable(): void {
    this.#enabled += 1;
    this.#hasEndpoints = true;
  }

  async #run(): Promise<void> {
    this.#isUnderWay = true;
    try {
      while (this.#hasNews && this.#hasEndpoints) {
        this.#hasNews = false;
        const enabled = this.#enabled;
        const hasEndpoints = await this.#deliver();
        if (enabled === this.#enabled) this.#hasEndpoints = hasEndpoints;
      }
    } catch (error) {
      console.error('events.not-delivered', { error: String(error) });
    } finally {
      this.#isUnderWay = false;
    }
  }
}
