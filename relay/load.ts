// Measures once a second what this process uses, and decides by it whether new calls are taken.
import { Admission, LATE_MS } from './domain/admission.ts';
import type { Clock } from './ports.ts';

const WINDOW_MS = 1_000;

/** CPU time used so far, in ms. */
export type CpuTimes = {
  readonly process: number;
  /** The thread that calls. */
  readonly thread: number;
};

export type LoadDeps = {
  readonly clock: Clock;
  readonly cpuTimes: () => CpuTimes;
  readonly liveCalls: () => number;
  /** New calls are not taken any more, or again. */
  readonly onChange: (isOverloaded: boolean) => void;
};

/** CPU times of this process, as the system counts them. */
export function cpuTimes(): CpuTimes {
  const [whole, thread] = [process.cpuUsage(), process.threadCpuUsage()];
  return {
    process: (whole.user + whole.system) / 1000,
    thread: (thread.user + thread.system) / 1000,
  };
}

export class Load {
  readonly #deps: LoadDeps;
  readonly #cores: number;
  readonly #admission: Admission;
  #since: { atMs: number } & CpuTimes;
  #ticks = 0;
  #lateTicks = 0;

  /**
   * @param cores how many this process has for itself
   * @param percentMax of their CPU, from which on no new call is taken; at 100 none is refused
   */
  constructor(cores: number, percentMax: number, deps: LoadDeps) {
    this.#deps = deps;
    this.#cores = cores;
    this.#admission = new Admission(percentMax / 100);
    this.#since = { atMs: deps.clock.nowMs(), ...deps.cpuTimes() };
  }

  get isOverloaded(): boolean {
    return this.#admission.isOverloaded;
  }

  /** The event loop came round, this many ms late. */
  readonly tick = (lateMs: number): void => {
    this.#ticks += 1;
    if (lateMs > LATE_MS) this.#lateTicks += 1;
    const atMs = this.#deps.clock.nowMs();
    const passedMs = atMs - this.#since.atMs;
    if (passedMs < WINDOW_MS) return;
    const now = this.#deps.cpuTimes();
    const sample = {
      cpu: (now.process - this.#since.process) / passedMs / this.#cores,
      forwarding: (now.thread - this.#since.thread) / passedMs,
      late: this.#lateTicks / this.#ticks,
    };
    this.#since = { atMs, ...now };
    this.#ticks = this.#lateTicks = 0;
    if (this.#admission.second(sample, this.#deps.liveCalls())) {
      this.#deps.onChange(this.#admission.isOverloaded);
    }
  };
}
