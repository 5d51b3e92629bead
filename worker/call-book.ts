// The calls in progress: one mailbox each, decisions stored before anything acts on them. Its memory is a cache of the record
// and may vanish at any time.
import { hasMedia, isSettled, type Call, type Placement } from './domain/call.ts';
import type { CallEvent } from './domain/call-event.ts';
import type { Decision } from './domain/decision.ts';
import type { Desk } from './domain/desk.ts';
import type { CallId, RelayId } from './domain/ids.ts';
import type { Refusal } from './domain/people.ts';
import { dueAtMs, step } from './domain/step.ts';
import { Mailboxes } from './mailboxes.ts';
import { OutdatedError, type CallStore, type Contact, type StoredEntry } from './ports.ts';

/** Two writers of one call collide once when one of them is outdated; more means that something is looping. */
const DECIDE_ATTEMPTS_MAX = 4;
/** Waits before an event that nobody will deliver again is offered to the record again, in ms; the last one is repeated. */
const PATIENCE_MS = [200, 1_000, 3_000] as const;
/**
 * How long a decision may go unnoticed that was stored behind our back, in ms: by a Switchboard that was replaced and does not
 * know it, or by ourselves when neither the commit nor the look afterwards was answered.
 */
const REREAD_MS = 60_000;

export interface CallBookDeps {
  readonly store: CallStore;
  readonly now: () => number;
  /** Makes sure that `tickDue` is called at `atMs` or earlier, even if this object is gone by then. */
  readonly wakeAt: (atMs: number) => Promise<void>;
  /** Where a call's media could go now, to another process than `present`; null when no relay has room. */
  readonly place: (present: Placement | null) => Placement | null;
  /** Reads what a decision on this call needs and memory lacks. */
  readonly prepare: (call: Call | null) => Promise<void>;
  /** What a decision on the call knows of people and of the other calls, `calls`. */
  readonly deskFor: (
    id: CallId,
    call: Call | null,
    calls: readonly Call[],
    replaced: readonly Call[],
  ) => Desk;
  /** Waits; for events that the record did not take. */
  readonly pause: (ms: number) => Promise<void>;
  /** Acts on a stored decision. Must not throw. */
  readonly act: (call: Call, decision: Decision, entry: StoredEntry, before: Call | null) => void;
  /** A call came back from the record; what its relay may have missed is to be said again. Must not throw. */
  readonly resume: (call: Call) => void;
  /** Decisions were stored that were not acted on here: another writer's, or one whose reply was lost. Must not throw. */
  readonly missed: (call: Call, entries: readonly StoredEntry[]) => void;
}

/** What became of an event. */
export interface Decided {
  /** Null when there is no such call. */
  readonly call: Call | null;
  /** Why the call was left as it was. */
  readonly refusal: Refusal | null;
}

export class CallBook {
  readonly #deps: CallBookDeps;
  readonly #mailboxes = new Mailboxes();
  readonly #live = new Map<CallId, Call>();
  /** Decisions that are being stored: their places count as taken. */
  readonly #deciding = new Map<CallId, Call>();
  /** Calls with an event that waits for the record to come back. */
  readonly #waiting = new Set<CallId>();
  #loading: Promise<void> | null = null;
  #rereadAtMs = 0;

  constructor(deps: CallBookDeps) {
    this.#deps = deps;
  }

  /** Reads the calls in progress from the record, once. Fails when the record cannot be read; the next call tries again. */
  async load(): Promise<void> {
    this.#loading ??= this.#loadLive();
    try {
      await this.#loading;
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }

  async #loadLive(): Promise<void> {
    const [calls] = await Promise.all([this.#deps.store.findLive(), this.#deps.prepare(null)]);
    this.#rereadAtMs = this.#deps.now() + REREAD_MS;
    for (const call of calls) this.#live.set(call.id, call);
    const due = Math.min(...calls.map(dueAtMs));
    if (due !== Infinity) await this.#deps.wakeAt(due);
    for (const call of calls) this.#deps.resume(call);
  }

  /** Calls for which something is left to do. */
  calls(): Iterable<Call> {
    return this.#live.values();
  }

  get(id: CallId): Call | undefined {
    return this.#live.get(id);
  }

  /** Calls as they will be once the decisions are stored that are being stored. */
  #present(): Call[] {
    return [...new Map([...this.#live, ...this.#deciding]).values()];
  }

  /** Calls as they are stored of which a decision is being stored, which may fail. */
  #replaced(): Call[] {
    return [...this.#deciding.keys()].flatMap((id) => this.#live.get(id) ?? []);
  }

  /** How many calls have their media at this relay. */
  loadOf(relayId: RelayId): number {
    let load = 0;
    for (const call of this.#live.values()) {
      if (!this.#deciding.has(call.id) && isAt(call, relayId)) load += 1;
    }
    for (const call of this.#deciding.values()) if (isAt(call, relayId)) load += 1;
    return load;
  }

  /**
   * Applies one event, after all earlier ones of the same call.
   *
   * @param contact stored with the decision, if there is one
   * @returns the call after the decision was stored, null when there is none
   * @throws when the decision could not be stored; then nothing was done about the event
   */
  async apply(id: CallId, event: CallEvent, contact: Contact | null = null): Promise<Call | null> {
    return (await this.command(id, event, contact)).call;
  }

  /** As `apply`, for what may be refused. */
  async command(id: CallId, event: CallEvent, contact: Contact | null = null): Promise<Decided> {
    await this.load();
    // Whoever asks can ask again; waiting in line for a record that is away would only make them wait.
    if (this.#waiting.has(id)) throw new Error('the record is out of reach');
    return this.#mailboxes.post(id, () => this.#decide(id, event, contact));
  }

  /**
   * Applies an event that nobody will deliver again: waits for the record to come back. Later events of the call that nobody
   * will deliver again wait with it, so that their order stays.
   *
   * @param isMeant whether the event is about this call as it is when its turn has come
   * @returns false when it is not
   */
  applyPatiently(
    id: CallId,
    event: CallEvent,
    isMeant: (call: Call | undefined) => boolean = () => true,
  ): Promise<boolean> {
    return this.#mailboxes.post(id, async () => {
      for (let attempt = 0; ; attempt++) {
        try {
          await this.load();
          const isTheirs = isMeant(this.#live.get(id));
          if (isTheirs) await this.#decide(id, event, null);
          this.#waiting.delete(id);
          return isTheirs;
        } catch (error) {
          console.error('call.not-stored', { callId: id, error: String(error) });
          this.#waiting.add(id);
          await this.#deps.pause(PATIENCE_MS[attempt] ?? PATIENCE_MS[2]);
        }
      }
    });
  }

  async #decide(id: CallId, event: CallEvent, contact: Contact | null): Promise<Decided> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#live.get(id) ?? (await this.#deps.store.find(id));
      await this.#deps.prepare(before);
      // From here on nothing is awaited until the decision counts: two calls must not take the same place or the same agent.
      const nowMs = this.#deps.now();
      const free = this.#deps.place(before?.placement ?? null);
      const desk = this.#deps.deskFor(id, before, this.#present(), this.#replaced());
      const decision = step(before, event, nowMs, free, desk);
      const { call, entry } = decision;
      if (!call || !entry || call === before) {
        return { call: before, refusal: decision.refusal ?? null };
      }
      this.#deciding.set(id, call);
      try {
        // First, so that a crash after the commit cannot leave a call without anybody to wake up for it.
        await this.#deps.wakeAt(dueAtMs(call));
        const stored = await this.#deps.store.commit(call, entry, nowMs, contact);
        this.#keep(call);
        this.#deps.act(call, decision, stored, before);
        // Again, because the first alarm may have rung before there was anything to do.
        await this.#deps.wakeAt(dueAtMs(call));
        return { call, refusal: null };
      } catch (error) {
        if (!(error instanceof OutdatedError) || attempt === DECIDE_ATTEMPTS_MAX) {
          // Whether it was stored is unknown, so what memory holds is not to be trusted.
          await this.#reload(id).catch(() => (this.#rereadAtMs = 0));
          throw error;
        }
        await this.#reload(id);
      } finally {
        this.#deciding.delete(id);
      }
    }
  }

  #keep(call: Call): void {
    if (isSettled(call)) this.#live.delete(call.id);
    else this.#live.set(call.id, call);
  }

  async #reload(id: CallId): Promise<void> {
    const known = this.#live.get(id)?.version ?? 0;
    const call = await this.#deps.store.find(id);
    if (!call) {
      this.#live.delete(id);
      return;
    }
    this.#keep(call);
    await this.#deps.wakeAt(dueAtMs(call));
    if (call.version === known) return;
    this.#deps.missed(call, await this.#deps.store.entriesOf(id, known));
    if (!isSettled(call)) this.#deps.resume(call);
  }

  /**
   * Does everything that is due and asks to be woken for the rest.
   *
   * @throws when some of it could not be stored, after all of it was tried
   */
  async tickDue(): Promise<void> {
    await this.load();
    await this.#reread();
    const nowMs = this.#deps.now();
    const isDue = (call: Call) => dueAtMs(call) <= nowMs;
    const due = [...this.#live.values()].filter(isDue);
    const done = await Promise.allSettled(due.map(({ id }) => this.#tick(id)));
    const rest = [...this.#live.values()].filter((call) => !isDue(call));
    if (rest.length > 0) {
      await this.#deps.wakeAt(Math.min(this.#rereadAtMs, ...rest.map(dueAtMs)));
    }
    for (const result of done) if (result.status === 'rejected') throw result.reason;
  }

  /** Takes over what the record knows better, now and then. */
  async #reread(): Promise<void> {
    const nowMs = this.#deps.now();
    if (nowMs < this.#rereadAtMs) return;
    const stored = await this.#deps.store.findLive();
    this.#rereadAtMs = nowMs + REREAD_MS;
    const isNews = (call: Call) => call.version > (this.#live.get(call.id)?.version ?? 0);
    await Promise.all(
      stored.filter(isNews).map(({ id }) => this.#mailboxes.post(id, () => this.#reload(id))),
    );
  }

  async #tick(id: CallId): Promise<void> {
    for (;;) {
      const version = this.#live.get(id)?.version;
      const call = await this.apply(id, { type: 'tick' });
      if (!call || call.version === version || dueAtMs(call) > this.#deps.now()) return;
    }
  }
}

const isAt = (call: Call, relayId: RelayId): boolean =>
  call.placement?.relayId === relayId && hasMedia(call);
