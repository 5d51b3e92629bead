// The threads that mix, shared by all calls of the process: decoding and encoding must not keep packets of other calls waiting.
// One message goes to each thread per tick and one comes back. A thread that ends or hangs is replaced; its calls are told.
import { BatchReader, BatchWriter, type FromThread } from './domain/mix-batch.ts';
import type {
  Clock,
  Log,
  MixLine,
  MixThread,
  OpenMixLine,
  StartMixThread,
  Ticker,
} from './ports.ts';

/** Calls on one thread before another one is started, if there may be one. */
const CALLS_SPREAD = 16;

/** Calls on one thread at most. Measured (`npm run bench -- mixing`): more would be too much for one core. */
export const CALLS_MAX = 60;

/**
 * A thread that has answered nothing while this many batches went out hangs: one goes out every 10 ms, so these are half a
 * second. The callers hear silence meanwhile. Counted in batches, because a process that stood still must not blame its threads.
 */
export const UNANSWERED_MAX = 50;

/**
 * The same until a thread's first answer: it has to load the codec, and machines are slow when they start. A thread that owes so
 * many answers at any other time is so late that the callers are better off without it.
 */
export const BEHIND_MAX = 1_000;

/** After the loss of a thread no other one is started for this long, in ms: one that cannot run would be started all the time. */
export const RETRY_MS = 1_000;

export type MixingDeps = {
  readonly startThread: StartMixThread;
  /** Threads at most. */
  readonly threadsMax: number;
  readonly ticker: Ticker;
  readonly clock: Clock;
  readonly log: Log;
};

type Handlers = Parameters<OpenMixLine>[0];
type Line = { readonly handlers: Handlers; epoch: number };

export class Mixing {
  readonly #deps: MixingDeps;
  readonly #threads = new Set<Seats>();
  #lines = 0;
  #noneBeforeMs = -Infinity;

  constructor(deps: MixingDeps) {
    this.#deps = deps;
  }

  /** Gives a call a place on a thread. */
  readonly open: OpenMixLine = (handlers) => {
    const seats = this.#place();
    if (!seats) return undefined;
    this.#lines += 1;
    return seats.seat(this.#lines, handlers);
  };

  /** Ends all threads. Their calls are not told: this is for a process that ends. */
  stop(): void {
    for (const seats of this.#threads) seats.stop();
    this.#threads.clear();
    this.#noneBeforeMs = Infinity;
  }

  /** The thread with the fewest calls, or a new one while all have many. */
  #place(): Seats | undefined {
    const [least] = [...this.#threads].sort((one, other) => one.calls - other.calls);
    if (least && (least.calls < CALLS_SPREAD || this.#threads.size >= this.#deps.threadsMax))
      return least.calls < CALLS_MAX ? least : undefined;
    return this.#deps.clock.nowMs() < this.#noneBeforeMs ? least : this.#start();
  }

  #start(): Seats {
    const seats = new Seats(this.#deps, (detail) => {
      this.#threads.delete(seats);
      this.#noneBeforeMs = this.#deps.clock.nowMs() + RETRY_MS;
      this.#deps.log.error({ calls: seats.calls, detail }, 'mixing.thread-lost');
      seats.lose();
    });
    this.#threads.add(seats);
    return seats;
  }
}

/** The calls of one thread. */
class Seats {
  readonly #thread: MixThread;
  readonly #onLost: (detail: string) => void;
  readonly #ticker: Ticker;
  #stopTicking: (() => void) | undefined;
  #isOver = false;
  readonly #batch = new BatchWriter();
  readonly #lines = new Map<number, Line>();
  #sent = 0;
  #answered = 0;
  /** How many were sent when the last answer came. */
  #sentAtAnswer = 0;

  constructor({ startThread, ticker }: MixingDeps, onLost: (detail: string) => void) {
    this.#onLost = onLost;
    this.#thread = startThread({
      onAnswer: (answer) => this.#receive(answer),
      onDown: (detail) => this.#end(detail),
    });
    this.#ticker = ticker;
  }

  get calls(): number {
    return this.#lines.size;
  }

  seat(call: number, handlers: Handlers): MixLine {
    const line: Line = { handlers, epoch: 0 };
    this.#lines.set(call, line);
    this.#stopTicking ??= this.#ticker.add((nowMs) => this.#tick(nowMs));
    const batch = this.#batch;
    return {
      push: (source, packet) => batch.toThread({ type: 'packet', call, source, packet }),
      drop: (source) => {
        // What is on its way was mixed from this source, too.
        line.epoch = (line.epoch + 1) & 0xffff;
        batch.toThread({ type: 'drop', call, source, epoch: line.epoch });
      },
      release: (source) => batch.toThread({ type: 'drop', call, source, epoch: line.epoch }),
      start: (leader, sequence, atMs) =>
        batch.toThread({ type: 'start', call, leader, sequence, atMs }),
      stop: (source) => batch.toThread({ type: 'stop', call, source }),
      close: () => {
        if (this.#lines.delete(call)) batch.toThread({ type: 'close', call });
      },
    };
  }

  /** Tells the calls that the thread is gone. */
  lose(): void {
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    for (const { handlers } of lines) handlers.onLost();
  }

  stop(): void {
    this.#isOver = true;
    this.#stopTicking?.();
    this.#thread.stop();
  }

  #tick(nowMs: number): void {
    const isSilent = this.#answered > 0 && this.#sent - this.#sentAtAnswer > UNANSWERED_MAX;
    if (isSilent || this.#sent - this.#answered > BEHIND_MAX) {
      this.#end(isSilent ? 'hangs' : 'too late');
      return;
    }
    this.#sent += 1;
    this.#thread.post(this.#batch.take(this.#sent, nowMs));
    if (this.#lines.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }

  #receive(answer: ArrayBuffer): void {
    if (this.#isOver) return;
    const reader = new BatchReader(answer);
    this.#answered = reader.number;
    this.#sentAtAnswer = this.#sent;
    for (const record of reader.fromThread()) this.#tell(record);
  }

  #tell(record: FromThread): void {
    const line = this.#lines.get(record.call);
    if (!line) return;
    const { handlers, epoch } = line;
    switch (record.type) {
      case 'packet':
        if (record.epoch === epoch) handlers.onPacket(record.bytes);
        return;
      case 'level':
        handlers.onLevel(record.source, record.dbfs);
        return;
      case 'stopped':
        handlers.onStopped(record.source, record.sequence);
        return;
    }
  }

  #end(detail: string): void {
    if (this.#isOver) return;
    this.stop();
    this.#onLost(detail);
  }
}
