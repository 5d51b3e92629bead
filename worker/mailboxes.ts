// Orders work by key: what is posted under one key runs one after the other, keys never wait for each other.

export class Mailboxes {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `task` once everything posted earlier under `key` has finished, whether it succeeded or not. */
  post<T>(key: string, task: () => Promise<T>): Promise<T> {
    const run = (this.#tails.get(key) ?? Promise.resolve()).then(task, task);
    this.#tails.set(key, run);
    const forget = () => {
      if (this.#tails.get(key) === run) this.#tails.delete(key);
    };
    run.then(forget, forget);
    return run;
  }
}
