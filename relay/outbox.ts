// Events that the worker has not acknowledged yet, in order. Bounded: a worker that stays away for long must not fill the
// relay's memory.
import type { RelayEvent } from './protocol.ts';

/** An event without what the outbox adds. */
export type NewEvent = RelayEvent extends infer Event
  ? Event extends RelayEvent
    ? Omit<Event, 'seq' | 'at_ms'>
    : never
  : never;

/** About ten events a call: room for a thousand calls while the worker is away. */
export const OUTBOX_EVENTS_MAX = 10_000;

export class Outbox {
  /** Events given up because the bound was reached. */
  dropped = 0;
  readonly #eventsMax: number;
  #events: RelayEvent[] = [];
  #seq = 0;

  constructor(eventsMax: number = OUTBOX_EVENTS_MAX) {
    this.#eventsMax = eventsMax;
  }

  get size(): number {
    return this.#events.length;
  }

  /** Everything unacknowledged, oldest first. */
  pending(): readonly RelayEvent[] {
    return this.#events;
  }

  /**
   * Numbers an event and keeps it. At the bound the oldest event goes that does not end a call: without its `ended` a call
   * would stay alive at the worker, while every other event is outdated by it.
   */
  add(event: NewEvent, wallMs: number): RelayEvent {
    this.#seq += 1;
    const numbered: RelayEvent = { ...event, seq: this.#seq, at_ms: Math.round(wallMs) };
    this.#events.push(numbered);
    if (this.#events.length > this.#eventsMax) {
      const index = this.#events.findIndex((pending) => pending.type !== 'ended');
      this.#events.splice(Math.max(0, index), 1);
      this.dropped += 1;
    }
    return numbered;
  }

  /** Forgets everything up to and including `seq`. Repeated and outdated acknowledgements change nothing. */
  acknowledge(seq: number): void {
    const first = this.#events.findIndex((event) => event.seq > seq);
    this.#events = first < 0 ? [] : this.#events.slice(first);
  }
}
