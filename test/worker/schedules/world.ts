// Everything that one schedule takes place in: the provider, relays, LiveKit, people, the record, and the Switchboards between
// them.
import type { Attendance } from '../../../worker/front-desk.ts';
import type { Absence, CallStore } from '../../../worker/ports.ts';
import { randomFrom, type Random } from '../../bench/random.ts';
import { Board } from './board.ts';
import { Faults } from './faults.ts';
import { Judge } from './judge.ts';
import { Meta, type MetaCall } from './meta.ts';
import { Outside } from './outside.ts';
import { People } from './people.ts';
import type { OutboundPlan, Plan } from './plan.ts';
import { TestRecord } from './record.ts';
import type { Session } from './relay-session.ts';
import { Relay } from './relays.ts';
import { Rooms } from './rooms.ts';
import { audioOf } from './sound.ts';
import { Simulation } from './simulation.ts';
import { SocketSet, TestSocket } from './sockets.ts';
import { Webhooks } from './webhooks.ts';

/** 2026-10-01T00:00:00Z, a whole second as the provider's timestamps are. */
export const START_MS = Date.UTC(2026, 9, 1);

/** Until then everybody who takes part in a call knows that it has ended, in ms. */
const TOLD_MS = 5_000;

/** Parts of the product that a negative control takes out, to see that the judge notices. */
export type Control =
  'no-fence' | 'deaf-to-lost-relays' | 'dials-twice' | 'no-alarm' | 'silent-about-hold';

export interface WorldOptions {
  /** Different for schedules that share a database. */
  readonly prefix: string;
  readonly store: CallStore;
  readonly control?: Control | undefined;
}

/** Stages of a call that its caller hears something of. */
const AUDIBLE: ReadonlySet<string> = new Set(['queue', 'menu', 'play', 'voicemail']);

export class World {
  readonly sim = new Simulation(START_MS);
  readonly random: Random;
  readonly faults = new Faults(() => this.sim.nowMs);
  readonly judge = new Judge(this.sim);
  readonly rooms = new Rooms(() => this.faults.note('room-resurrected'));
  readonly relays: Relay[];
  readonly meta: Meta;
  readonly webhooks: Webhooks;
  readonly people: People;
  readonly outside: Outside;
  readonly record: TestRecord;
  /** What the phones of the users do whom the business calls, by call. */
  readonly phones = new Map<string, { user: string; plan: OutboundPlan }>();
  readonly options: WorldOptions;
  board: Board;
  /** A Switchboard that was replaced and does not know it. */
  outdated: Board | null = null;
  /** Calls that somebody could have taken part in. */
  readonly #ready = new Set<string>();
  #boards = 0;
  readonly #absences = new Map<string, Absence>();
  readonly #attendance = new Map<string, Attendance>();
  readonly #alarm: { atMs: number | null } = { atMs: null };

  constructor(plan: Plan, options: WorldOptions, listen: WorldListener) {
    const { sim, faults, judge, rooms } = this;
    const random = (this.random = randomFrom(plan.salt));
    const { violated } = judge;
    this.options = options;
    this.meta = new Meta({
      sim,
      random,
      prefix: options.prefix,
      phoneOf: (callId) => this.phones.get(callId) ?? null,
      tell: listen.tell,
      hasMedia: (call) => this.sessionsOf(call).some(({ isUp, isOpen }) => isUp && isOpen),
      over: (call) => this.sessionsOf(call).forEach((session) => session.legEnded()),
      watch: listen.watch,
    });
    this.webhooks = new Webhooks({
      sim,
      random,
      faults,
      deliver: (delivery) => this.anyBoard().deliver(delivery),
    });
    this.people = new People({
      sim,
      faults,
      rooms,
      claim: listen.claim,
      isOver: (callId) => {
        const endedAtMs = this.record.commits.get(callId)?.find(({ call }) => call.outcome)?.atMs;
        return endedAtMs !== undefined && sim.nowMs - endedAtMs > TOLD_MS;
      },
    });
    this.outside = new Outside({
      sim,
      random,
      faults,
      meta: this.meta,
      rooms,
      people: this.people,
      asked: listen.asked,
      // Some steps are heard without anybody.
      wasReady: (callId) => this.#ready.has(callId) || this.#wasAudible(callId),
      isEndConfirmed: (callId) =>
        (this.record.commits.get(callId) ?? []).some(({ entry }) => entry.type === 'end-confirmed'),
      violated,
      dialsTwice: options.control === 'dials-twice',
    });
    this.record = new TestRecord({
      sim,
      random,
      faults,
      store: options.store,
      prefix: options.prefix,
      kill: (writer) => this.replace(writer === this.outdated ? 'outdated' : 'restarted'),
      committed: (commit, before) => {
        const { outcome } = commit.call;
        if (outcome?.reason === 'no-relay' && !before.at(-1)?.call.outcome) faults.note('no-relay');
        if (commit.entry.type === 'announcement-failed') faults.note('announcement-failed');
        const waits = commit.call.flow?.stage?.kind === 'queue';
        const waited = before.at(-1)?.call.flow?.stage?.kind === 'queue';
        if (waits && !waited) faults.note('waited-in-queue');
        if (waited && commit.entry.type === 'ready') faults.note('taken-from-queue');
        const { type, detail } = commit.entry;
        if (type === 'digit' && detail?.['step'] !== undefined) faults.note('key-decided');
        if (detail?.['after'] === 'answer') faults.note('endpoint-decided');
        if (outcome?.reason === 'voicemail-left') faults.note('voicemail-left');
        if (commit.entry.type === 'ring-ended' && commit.entry.detail?.['why'] === 'unanswered')
          faults.note('ring-unanswered');
        judge.committed(commit, before);
        if (!faults.happened.has('switchboard-doubled')) judge.rung(commit, this.record.commits);
      },
      hasNoFence: options.control === 'no-fence',
    });
    this.relays = plan.capacities.map(
      (capacity, index) =>
        new Relay(`relay-${index}`, capacity, {
          sim,
          random,
          faults,
          rooms,
          violated,
          ready: (callId) => void this.#ready.add(callId),
          metaOf: (callId) => this.meta.of(callId),
          soundOf: (callId, version) =>
            audioOf(
              this.record.commits.get(callId)?.find(({ call }) => call.version === version)?.call,
            ),
          dial: (relay) => this.#connect(relay),
        }),
    );
    this.board = this.#newBoard(new SocketSet(), this.#absences);
  }

  #wasAudible(callId: string): boolean {
    const commits = this.record.commits.get(callId) ?? [];
    return commits.some(({ call }) => AUDIBLE.has(call.flow?.stage?.kind ?? ''));
  }

  // ---- relays ----------------------------------------------------------------------------------------------------------------

  /** Sessions whose SDP the provider has. */
  sessionsOf(call: MetaCall): Session[] {
    return this.relays
      .flatMap((relay) => relay.sessions())
      .filter(({ callId, sdp }) => callId === call.callId && sdp === call.sdp);
  }

  #connect(relay: Relay): TestSocket {
    const { sim, faults, random, board } = this;
    const socket: TestSocket = new TestSocket(
      { sim, faults, latencyMs: () => 2 + random.below(12) },
      board,
      {
        onFrame: (frame) => relay.receive(socket, frame),
        onClose: (code) => relay.closed(socket, code),
      },
    );
    board.desk.accept(socket as unknown as WebSocket, relay.id as never);
    return socket;
  }

  // ---- Switchboards ----------------------------------------------------------------------------------------------------------

  #newBoard(sockets: SocketSet, absences: Map<string, Absence>): Board {
    const { sim } = this;
    return new Board(
      ++this.#boards,
      {
        sim,
        sockets,
        absences,
        attendance: this.#attendance,
        readAlarm: () => this.#alarm.atMs,
        setAlarm: (board, atMs) => {
          // Storage takes nothing from a Durable Object that was replaced, and holds back what it does afterwards.
          if (board.isOutdated) return new Promise<void>(() => undefined);
          this.#setAlarm(atMs);
          return Promise.resolve();
        },
        run: (call, job) => this.outside.run(call, job),
        acted: (board, call, decision, entry) => {
          const stored = this.record.commits
            .get(call.id)
            ?.find(({ cursor }) => cursor === entry.cursor);
          if (stored?.writer !== board.number || stored.entry.type !== entry.type) {
            this.judge.violated(
              'acted-on-unstored',
              call.id,
              `${entry.type}, version ${call.version}`,
            );
          }
        },
        isDeaf: this.options.control === 'deaf-to-lost-relays',
        isSilentAboutHold: this.options.control === 'silent-about-hold',
      },
      (board) => this.record.storeOf(board),
    );
  }

  /** Whom a request of the worker reaches: while there are two, either. */
  anyBoard(): Board {
    return this.outdated && this.random.below(3) === 0 ? this.outdated : this.board;
  }

  /**
   * `evicted`: memory is gone, sockets stay. `restarted`: both are gone. `doubled`: a second one takes over, and the first does
   * not know it. `outdated`: the first of two is gone.
   */
  replace(how: 'evicted' | 'restarted' | 'doubled' | 'outdated'): void {
    if (how === 'outdated') return this.#endOutdated();
    const before = this.board;
    if (how === 'doubled') {
      this.#endOutdated();
      before.isOutdated = true;
      this.outdated = before;
      this.board = this.#newBoard(new SocketSet(), this.#absences);
      return;
    }
    before.isAlive = false;
    const sockets = how === 'evicted' ? before.sockets : new SocketSet();
    this.board = this.#newBoard(sockets, this.#absences);
    for (const socket of before.sockets.all()) {
      if (how === 'evicted') socket.host = this.board;
      else socket.break();
    }
    // An alarm whose handler was cut short is run again.
    if (before.isInAlarm) this.#setAlarm(this.sim.nowMs + 2_000);
  }

  /** Memory goes only while nothing is under way. */
  evictWhenIdle(): void {
    if (this.board.busy > 0) return this.sim.after(50, () => this.evictWhenIdle());
    this.faults.note('switchboard-evicted');
    this.replace('evicted');
  }

  /**
   * What an outdated Switchboard has stored last, nobody may know of. The next request finds it, because the other one has lost
   * its memory by then: the runtime takes it away after 10 s without work.
   */
  lookAgain(): void {
    if (!this.faults.happened.has('outdated-writer-stored')) return;
    if (this.board.busy > 0) return this.sim.after(50, () => this.lookAgain());
    this.replace('evicted');
    void this.board.book.load();
  }

  #endOutdated(): void {
    const { outdated } = this;
    if (!outdated) return;
    outdated.isAlive = false;
    this.outdated = null;
    for (const socket of outdated.sockets.all()) socket.break();
    if (outdated.isInAlarm) this.#setAlarm(this.sim.nowMs + 2_000);
  }

  // ---- the alarm -------------------------------------------------------------------------------------------------------------

  #setAlarm(atMs: number): void {
    if (this.options.control === 'no-alarm') return;
    this.#alarm.atMs = Math.min(this.#alarm.atMs ?? Infinity, atMs);
    const due = this.#alarm.atMs;
    const lateMs = this.faults.next('alarm')?.ms ?? 0;
    if (lateMs > 0) this.faults.disturb(due + lateMs);
    this.sim.at(due + lateMs, () => {
      if (this.#alarm.atMs !== due) return;
      this.#alarm.atMs = null;
      // The one that was replaced may still have had its timers set.
      const { outdated } = this;
      if (outdated && this.random.below(2) === 0) void outdated.alarm();
      return this.board.alarm();
    });
  }
}

/** What the schedule does about what happens in its world. */
export interface WorldListener {
  readonly tell: ConstructorParameters<typeof Meta>[0]['tell'];
  readonly watch: ConstructorParameters<typeof Meta>[0]['watch'];
  readonly claim: ConstructorParameters<typeof People>[0]['claim'];
  readonly asked: (callId: string) => void;
}
