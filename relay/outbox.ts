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

/** A call with this many is out of order, such as one in a room of thousands; it must not cost others theirs. */
const CALL_EVENTS_MAX = 500;

export class Outbox {
  /** Events given up because the bound was reached. */
  dropped = 0;
  readonly #eventsMax: number;
  readonly #callEventsMax: number;
  readonly #countByCall = new Map<string, number>();
  #events: RelayEvent[] = [];
  #seq = 0;

  constructor(eventsMax = OUTBOX_EVENTS_MAX, callEventsMax = CALL_EVENTS_MAX) {
    this.#eventsMax = eventsMax;
    this.#callEventsMax = callEventsMax;
  }

  get size(): number {
    return this.#events.length;
  }

  /** Everything unacknowledged, oldest first. */
  pending(): readonly RelayEvent[] {
    return this.#events;
  }

  /**
   * Numbers an event and keeps it. At a bound the oldest event goes that does not end a call, at the bound of a call one of its
   * own: without its `ended` a call would stay alive at the worker, while every other event is outdated by it.
   */
  add(event: NewEvent, wallMs: number): RelayEvent {
    this.#seq += 1;
    const numbered: RelayEvent = { ...event, seq: this.#seq, at_ms: Math.round(wallMs) };
    this.#events.push(numbered);
    if (this.#count(numbered, 1) > this.#callEventsMax)
      this.#drop((pending) => pending.call_id === event.call_id);
    if (this.#events.length > this.#eventsMax) this.#drop(() => true);
    return numbered;
  }

  /** Forgets everything up to and including `seq`. Repeated and outdated acknowledgements change nothing. */
  acknowledge(seq: number): void {
    const next = this.#events.findIndex((event) => event.seq > seq);
    const acknowledged = this.#events.splice(0, next < 0 ? this.#events.length : next);
    for (const event of acknowledged) this.#count(event, -1);
  }

  /** Forgets one event that the worker does not want. @returns it, or nothing when it is not here any more */
  remove(seq: number): RelayEvent | undefined {
    const index = this.#events.findIndex((event) => event.seq === seq);
    if (index < 0) return undefined;
    const [removed] = this.#events.splice(index, 1);
    if (removed) this.#count(removed, -1);
    return removed;
  }

  /** @returns how many events of the same call are kept now */
  #count({ call_id: callId }: RelayEvent, change: 1 | -1): number {
    const count = (this.#countByCall.get(callId) ?? 0) + change;
    if (count === 0) this.#countByCall.delete(callId);
    else this.#countByCall.set(callId, count);
    return count;
  }

  #drop(mayGo: (event: RelayEvent) => boolean): void {
    const outdated = this.#events.findIndex((event) => mayGo(event) && event.type !== 'ended');
    const [dropped] = this.#events.splice(
      outdated < 0 ? this.#events.findIndex(mayGo) : outdated,
      1,
    );
    if (dropped) this.#count(dropped, -1);
    this.dropped += 1;
  }
}
