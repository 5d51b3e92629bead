// The people who answer calls, as the Switchboard deals with them: who is there, who is free, and which waiting call they are
// offered next. Who is rung is decided by `domain/step-search.ts`; this brings it what it has to know.
import type { KnownPeople, PeopleReader, VersionedRules } from './adapters/people-d1.ts';
import type { CallBook } from './call-book.ts';
import { isOver, type Call } from './domain/call.ts';
import { agentsOf, deskFor, loads, waitingCalls, type Desk } from './domain/desk.ts';
import type { AgentId, CallId } from './domain/ids.ts';
import { ringsOf, talkersOf } from './domain/people.ts';
import { isMasked } from './domain/masking.ts';
import { EVERYTHING, type View } from './domain/sight.ts';
import { presenceOf, type Duty, type Member, type Presence, type Role } from './domain/roster.ts';

/** What outlives the Switchboard's memory and changes too often for the record. */
export interface Attendance {
  readonly duty: Duty;
  readonly idleSinceMs: number;
  readonly restsUntilMs: number;
  readonly rungAtMs: number;
}

export interface AttendanceBook {
  get(agentId: AgentId): Attendance | null;
  put(agentId: AgentId, attendance: Attendance): void;
}

export interface PresenceView {
  readonly agent_id: string;
  readonly name: string;
  /** Ids of their teams. */
  readonly teams: readonly string[];
  readonly is_ai: boolean;
  readonly presence: Presence;
  /** How many calls they have or are rung for. */
  readonly calls: number;
}

export interface FrontDeskDeps {
  readonly book: Pick<CallBook, 'apply' | 'calls' | 'load'>;
  readonly people: PeopleReader;
  readonly attendance: AttendanceBook;
  /** Whether a client of theirs listens to events. */
  readonly isConnected: (agentId: AgentId) => boolean;
  readonly now: () => number;
  /** Makes sure that `watch` is called at `atMs` or earlier. */
  readonly wakeAt: (atMs: number) => Promise<void>;
  /** Tells subscribers whose presence has changed. */
  readonly publish: (presences: readonly PresenceView[]) => void;
}

const NEW_HERE: Attendance = { duty: 'available', idleSinceMs: 0, restsUntilMs: 0, rungAtMs: 0 };

/** How long what was read of people and rules is believed, in ms; changes made through this Switchboard are seen at once. */
const REREAD_MS = 60_000;

export class FrontDesk {
  readonly #deps: FrontDeskDeps;
  /** Rule sets never change; running calls keep theirs. */
  readonly #rulesByVersion = new Map<number, VersionedRules>();
  #current: {
    readonly people: KnownPeople;
    readonly rules: VersionedRules;
    readonly readAtMs: number;
    readonly revision: number;
  } | null = null;
  /** Counts the changes that were heard of. */
  #revision = 0;
  #reading: Promise<void> | null = null;
  #published = new Map<AgentId, string>();
  #isOffering = false;
  #isOfferDue = false;

  constructor(deps: FrontDeskDeps) {
    this.#deps = deps;
  }

  /** What was read of people and rules is not true any more. */
  forget(): void {
    this.#revision += 1;
    this.#reading = null;
  }

  /** Reads what a decision on this call needs and memory lacks. */
  async prepare(call: Call | null): Promise<void> {
    const { now, people } = this.#deps;
    if (this.#current?.revision !== this.#revision) await this.#readOnce();
    // Callers do not wait for what most likely has not changed.
    else if (now() - this.#current.readAtMs > REREAD_MS) this.#readOnce().catch(() => undefined);
    const version = call?.flow?.version ?? null;
    if (version === null || this.#rulesByVersion.has(version)) return;
    this.#rulesByVersion.set(version, await people.rulesOf(version));
  }

  #readOnce(): Promise<void> {
    if (this.#reading) return this.#reading;
    const reading = this.#read(this.#revision).finally(() => {
      if (this.#reading === reading) this.#reading = null;
    });
    this.#reading = reading;
    return reading;
  }

  async #read(revision: number): Promise<void> {
    const { people, now } = this.#deps;
    const [known, rules] = await Promise.all([people.people(), people.rules()]);
    if (revision < (this.#current?.revision ?? 0)) return;
    this.#current = { people: known, rules, readAtMs: now(), revision };
    this.#rulesByVersion.set(rules.version, rules);
  }

  /** What a decision on a call knows, once it was prepared. Nothing may be awaited until the decision counts in `calls`. */
  deskFor(id: CallId, call: Call | null, calls: readonly Call[], replaced: readonly Call[]): Desk {
    const version = call?.flow?.version;
    const rules = version === undefined ? undefined : this.#rulesByVersion.get(version);
    const current = rules ?? this.#current?.rules;
    if (!current) throw new Error('the rules of the call were not read');
    return deskFor(id, calls, this.members(), current, this.#deps.now(), replaced);
  }

  /** Everybody who answers calls, as they are now. */
  members(): Member[] {
    return (this.#current?.people.members ?? []).map((known) => ({
      ...known,
      ...this.#attendanceOf(known.id),
      isConnected: known.ai !== null || this.#deps.isConnected(known.id),
    }));
  }

  /** What a person, or whoever else shows a key of this role, is shown of calls; null for a person who is there no more. */
  viewOf({
    agentId,
    role,
  }: {
    readonly agentId: AgentId | null;
    readonly role: Role;
  }): View | null {
    const people = this.#current?.people;
    if (!people) return null;
    if (agentId !== null) return people.views.get(agentId) ?? null;
    return { sight: EVERYTHING, isMasked: isMasked(people.masking, role) };
  }

  /** Somebody's view of phone numbers is cut down, so that no room tells them: everybody in a room reads the same. */
  get isMasking(): boolean {
    return this.#current?.people.masking !== 'none';
  }

  #attendanceOf(agentId: AgentId): Attendance {
    return this.#deps.attendance.get(agentId) ?? NEW_HERE;
  }

  #note(agentId: AgentId, changed: Partial<Attendance>): void {
    this.#deps.attendance.put(agentId, { ...this.#attendanceOf(agentId), ...changed });
  }

  // ---- presence --------------------------------------------------------------------------------------------------------------

  presences(): PresenceView[] {
    const busy = loads(this.#deps.book.calls());
    return this.members().map((member) => {
      const calls = busy.get(member.id) ?? 0;
      return {
        agent_id: member.id,
        name: member.name,
        teams: member.teams,
        is_ai: member.ai !== null,
        presence: presenceOf(member, calls, this.#deps.now()),
        calls,
      };
    });
  }

  /** Whoever says that they are available has finished their after-call work, too. */
  async setDuty(agentId: AgentId, duty: Duty): Promise<void> {
    const nowMs = this.#deps.now();
    const isBack = duty === 'available' && this.#attendanceOf(agentId).duty === 'away';
    this.#note(agentId, {
      duty,
      ...(duty === 'available' ? { restsUntilMs: 0 } : {}),
      ...(isBack ? { idleSinceMs: nowMs } : {}),
    });
    if (duty === 'away') await this.#stopRinging(agentId, 'declined');
    await this.peopleChanged();
  }

  /** A client of an agent has gone, or come. */
  async connectionChanged(agentId: AgentId): Promise<void> {
    if (!this.#deps.isConnected(agentId)) await this.#stopRinging(agentId, 'gone');
    await this.peopleChanged();
  }

  async #stopRinging(agentId: AgentId, why: 'declined' | 'gone'): Promise<void> {
    await this.#deps.book.load();
    const ringing = [...this.#deps.book.calls()].filter((call) =>
      ringsOf(call).some((ring) => ring.agentId === agentId),
    );
    await Promise.all(
      ringing.map(({ id }) => this.#deps.book.apply(id, { type: 'ring-ended', agentId, why })),
    );
  }

  // ---- after decisions -------------------------------------------------------------------------------------------------------

  /** A decision was stored: agents may have been rung, taken, or set free by it. */
  decided(before: Call | null, call: Call): void {
    const nowMs = this.#deps.now();
    const had = new Set(before && !isOver(before) ? agentsOf(before) : []);
    const has = new Set(isOver(call) ? [] : agentsOf(call));
    for (const { agentId, atMs } of ringsOf(call))
      if (!had.has(agentId)) this.#note(agentId, { rungAtMs: atMs });
    const freed = [...had].filter((agentId) => !has.has(agentId));
    const restMs = this.#current?.people.wrapUpMs.get(call.teamId ?? '') ?? 0;
    for (const agentId of before ? talkersOf(before) : []) {
      if (!freed.includes(agentId)) continue;
      this.#note(agentId, { idleSinceMs: nowMs, restsUntilMs: restMs > 0 ? nowMs + restMs : 0 });
      if (restMs > 0) void this.#deps.wakeAt(nowMs + restMs);
    }
    if (freed.length > 0) void this.peopleChanged();
    else if ([...has].some((agentId) => !had.has(agentId))) this.#publish();
  }

  /** Offers waiting calls to whoever is free now, in the order in which they are served. */
  async peopleChanged(): Promise<void> {
    this.#isOfferDue = true;
    if (this.#isOffering) return;
    this.#isOffering = true;
    try {
      while (this.#isOfferDue) {
        this.#isOfferDue = false;
        await this.#deps.book.load();
        await this.prepare(null);
        this.#publish();
        for (const { id } of waitingCalls(this.#deps.book.calls()))
          await this.#deps.book.apply(id, { type: 'people' });
      }
    } catch (error) {
      // The record is away. Calls that wait are looked at again with the next alarm.
      console.error('people.not-offered', { error: String(error) });
      await this.#deps.wakeAt(this.#deps.now() + REREAD_MS / 10);
    } finally {
      this.#isOffering = false;
    }
  }

  /**
   * Whoever has rested enough is offered calls.
   *
   * @returns when to look again, in epoch ms; Infinity while nobody rests
   */
  async watch(): Promise<number> {
    const nowMs = this.#deps.now();
    await this.peopleChanged();
    const rests = this.members().map(({ restsUntilMs }) => restsUntilMs);
    return Math.min(...rests.filter((atMs) => atMs > nowMs), Infinity);
  }

  #publish(): void {
    const news = this.presences().filter((view) => {
      const id = view.agent_id as AgentId;
      const text = JSON.stringify(view);
      if (this.#published.get(id) === text) return false;
      this.#published.set(id, text);
      return true;
    });
    if (news.length > 0) this.#deps.publish(news);
  }
}
