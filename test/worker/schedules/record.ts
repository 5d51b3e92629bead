// The record as a schedule sees it: the real store, with failures and delays put before and after it, and every commit watched.
import type { CallStore, Contact, StoredEntry } from '../../../worker/ports.ts';
import { OutdatedError } from '../../../worker/ports.ts';
import type { Random } from '../../bench/random.ts';
import type { Faults } from './faults.ts';
import type { Simulation } from './simulation.ts';

type StoredCall = Parameters<CallStore['commit']>[0];
type Entry = Parameters<CallStore['commit']>[1];

export interface Commit {
  readonly atMs: number;
  readonly writer: number;
  readonly call: StoredCall;
  readonly entry: Entry;
  readonly cursor: number;
}

/** A Switchboard of the schedule, as the record knows it. */
export interface Writer {
  readonly number: number;
  isAlive: boolean;
  /** It has been replaced and does not know it. */
  isOutdated: boolean;
}

export interface RecordDeps {
  readonly sim: Simulation;
  readonly random: Random;
  readonly faults: Faults;
  readonly store: CallStore;
  /** Ids of this schedule's calls start with it; others share the database. */
  readonly prefix: string;
  /** The writer dies at this very moment. */
  readonly kill: (writer: Writer) => void;
  readonly committed: (commit: Commit, before: readonly Commit[]) => void;
  /** A negative control: the fence never fires. */
  readonly hasNoFence: boolean;
}

/** What an outdated Switchboard stores last is found by the other one at the latest when it reads everything again, in ms. */
const UNNOTICED_MS_MAX = 240_000;

/** What a dead Switchboard waits for. */
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export class TestRecord {
  readonly commits = new Map<string, Commit[]>();
  #awayUntilMs = 0;
  readonly #deps: RecordDeps;

  constructor(deps: RecordDeps) {
    this.#deps = deps;
  }

  goAway(ms: number): void {
    this.#awayUntilMs = Math.max(this.#awayUntilMs, this.#deps.sim.nowMs + ms);
  }

  comeBack(): void {
    this.#awayUntilMs = 0;
  }

  /** The store as this writer has it. */
  storeOf(writer: Writer): CallStore {
    const { store, prefix } = this.#deps;
    const read = <T>(work: () => Promise<T>): Promise<T> => this.#read(writer, work);
    return {
      find: (id) => read(() => store.find(id)),
      findByProviderCallId: (numberId, providerCallId) =>
        read(() => store.findByProviderCallId(numberId, providerCallId)),
      findLive: () =>
        read(async () => (await store.findLive()).filter(({ id }) => id.startsWith(prefix))),
      commit: (call, entry, atMs, contact) => this.#commit(writer, call, entry, atMs, contact),
      entriesAfter: (cursor, limit) => read(() => store.entriesAfter(cursor, limit)),
      entriesOf: (id, afterSeq) => read(() => store.entriesOf(id, afterSeq)),
      lastCursor: () => read(() => store.lastCursor()),
      // It knows no schedules, so it would delete those of others, whose clocks show another time.
      deleteTombstones: async () => undefined,
    };
  }

  async #read<T>(writer: Writer, work: () => Promise<T>): Promise<T> {
    const { sim, random, faults } = this.#deps;
    await sim.sleep(1 + random.below(8));
    if (!writer.isAlive) return never();
    this.#failWhileAway();
    if (faults.next('read')) throw new Error('D1: a read failed');
    const result = await sim.outside(work);
    return writer.isAlive ? result : never();
  }

  async #commit(
    writer: Writer,
    call: StoredCall,
    entry: Entry,
    atMs: number,
    contact: Contact | null,
  ): Promise<StoredEntry> {
    const { sim, random, faults, kill } = this.#deps;
    const hit = faults.next('commit');
    await sim.sleep(1 + random.below(10) + (hit?.fault === 'd1-slow' ? hit.ms % 5_000 : 0));
    if (!writer.isAlive) return never();
    this.#failWhileAway();
    if (hit?.fault === 'd1-fails-before-storing') throw new Error('D1: not stored');
    if (hit?.fault === 'switchboard-dies-storing') {
      kill(writer);
      return never();
    }
    const stored = await this.#store(writer, call, entry, atMs, contact);
    if (hit?.fault === 'switchboard-dies-stored') kill(writer);
    await sim.sleep(1 + random.below(5));
    if (!writer.isAlive) return never();
    if (hit?.fault === 'd1-fails-after-storing') throw new Error('D1: no reply');
    return stored;
  }

  async #store(
    writer: Writer,
    call: StoredCall,
    entry: Entry,
    atMs: number,
    contact: Contact | null,
  ): Promise<StoredEntry> {
    const { sim, store, faults, committed, hasNoFence } = this.#deps;
    const before = this.commits.get(call.id) ?? [];
    const version = hasNoFence ? before.length + 1 : call.version;
    try {
      const stored = await sim.outside(() =>
        store.commit({ ...call, version }, entry, atMs, contact),
      );
      const commit = { atMs: sim.nowMs, writer: writer.number, call, entry, cursor: stored.cursor };
      this.commits.set(call.id, [...before, commit]);
      if (writer.isOutdated) {
        faults.note('outdated-writer-stored');
        faults.disturb(sim.nowMs + UNNOTICED_MS_MAX);
      }
      committed(commit, before);
      return stored;
    } catch (error) {
      if (error instanceof OutdatedError) faults.note('outdated-writer-fenced');
      throw error;
    }
  }

  #failWhileAway(): void {
    if (this.#deps.sim.nowMs < this.#awayUntilMs) throw new Error('D1: out of reach');
  }
}
