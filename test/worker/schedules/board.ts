// One Switchboard of a schedule: the product's call book and relay desk, wired to each other as the Durable Object wires them,
// and to the world of the schedule. It may be killed at any moment; what it holds in memory is lost then.
import { RelaySockets } from '../../../worker/adapters/relay-sockets.ts';
import { CallBook } from '../../../worker/call-book.ts';
import type { Call, Claim } from '../../../worker/domain/call.ts';
import type { Actor, AudioCommand, CallEvent, Dial } from '../../../worker/domain/call-event.ts';
import type { Decision } from '../../../worker/domain/decision.ts';
import type { AgentId, CallId, ContactId, NumberId } from '../../../worker/domain/ids.ts';
import { JOB_LEASE_MS, type JobResult, type PendingJob } from '../../../worker/domain/job.ts';
import type { Absence, Absences, CallStore, Contact, StoredEntry } from '../../../worker/ports.ts';
import { FrontDesk, type Attendance } from '../../../worker/front-desk.ts';
import { RelayDesk } from '../../../worker/relay-desk.ts';
import { Intake, type Delivery } from '../../../worker/intake.ts';
import { attendanceIn, centre } from './centre.ts';
import type { Writer } from './record.ts';
import type { Simulation } from './simulation.ts';
import type { Host, SocketSet, TestSocket } from './sockets.ts';

const ALARM_RETRY_MS = 1_000;

export interface BoardDeps {
  readonly sim: Simulation;
  readonly store: CallStore;
  readonly sockets: SocketSet;
  readonly absences: Map<string, Absence>;
  /** What the Durable Object's storage has of agents. */
  readonly attendance: Map<string, Attendance>;
  /** The alarm in the Durable Object's storage. */
  readonly readAlarm: () => number | null;
  readonly setAlarm: (board: Board, atMs: number) => Promise<void>;
  /** Runs a job outside; settles with its reply, whenever that comes. */
  readonly run: (call: Call, job: PendingJob) => Promise<JobResult>;
  readonly acted: (board: Board, call: Call, decision: Decision, entry: StoredEntry) => void;
  /** Negative control: events of the book that are kept from it. */
  readonly isDeaf: boolean;
  /** Negative control: relays are not told who is on hold. */
  readonly isSilentAboutHold: boolean;
}

const access = {
  url: 'ws://livekit.test',
  apiKey: 'key',
  apiSecret: 'a secret of 32 characters or more',
};

export class Board implements Writer, Host {
  isAlive = true;
  isOutdated = false;
  isInAlarm = false;
  /** Work under way; while there is any, the runtime does not take the memory away. */
  busy = 0;
  readonly number: number;
  readonly sockets: SocketSet;
  readonly book: CallBook;
  readonly desk: RelayDesk;
  readonly people: FrontDesk;
  readonly #deps: BoardDeps;
  readonly #intake: Intake;
  #alarmAtMs: number | null = null;

  constructor(
    number: number,
    deps: Omit<BoardDeps, 'store'>,
    storeOf: (board: Board) => CallStore,
  ) {
    this.number = number;
    this.sockets = deps.sockets;
    const store = storeOf(this);
    this.#deps = { ...deps, store };
    const now = () => deps.sim.nowMs;
    const Book = deps.isDeaf ? DeafBook : CallBook;
    this.book = new Book({
      store,
      now,
      wakeAt: (atMs) => this.#wakeAt(atMs),
      prepare: (call) => this.people.prepare(call),
      deskFor: (...of) => this.people.deskFor(...of),
      place: (present) => this.desk.place(present),
      pause: (ms) => this.#pause(ms),
      act: (call, decision, entry, before) => this.#act(call, decision, entry, before),
      resume: (call) => this.desk.resume(call),
      // Subscribers are told; the schedules have none.
      missed: () => undefined,
    });
    this.#intake = new Intake(this.book, store);
    this.desk = new RelayDesk({
      sockets: new RelaySockets(deps.sockets.host),
      book: this.book,
      absences: absencesIn(deps.absences),
      isMasking: () => false,
      access: () => access,
      now,
      quality: { isWanted: () => false, publish: () => undefined },
      wakeAt: (atMs) => this.#wakeAt(atMs),
    });
    this.people = new FrontDesk({
      book: this.book,
      people: centre,
      attendance: attendanceIn(deps.attendance),
      isConnected: () => true,
      now,
      wakeAt: (atMs) => this.#wakeAt(atMs),
      publish: () => undefined,
    });
  }

  // ---- what the worker asks for ----------------------------------------------------------------------------------------------

  async deliver(delivery: Delivery): Promise<void> {
    await this.#work(() => this.#intake.deliver([delivery]));
  }

  /** @returns the call, or null when another call with the same user is in its way */
  async dial(dial: Dial, contact: Contact): Promise<Call | null> {
    return (await this.#work(() => this.#intake.dial(dial, contact))).call;
  }

  permissionChanged(numberId: NumberId, contactId: ContactId, isGranted: boolean): Promise<void> {
    return this.#work(() => this.#intake.permissionChanged(numberId, contactId, isGranted));
  }

  claim(id: CallId, claim: Claim): Promise<Call | null> {
    return this.#work(() => this.book.apply(id, { type: 'claim', claim }));
  }

  decline(id: CallId, agentId: AgentId): Promise<Call | null> {
    const event = { type: 'ring-ended', agentId, why: 'declined' } as const;
    return this.#work(() => this.book.apply(id, event));
  }

  end(id: CallId, actor: Actor): Promise<Call | null> {
    return this.#work(() => this.book.apply(id, { type: 'end', actor }));
  }

  steer(id: CallId, command: AudioCommand, actor: Actor): Promise<Call | null> {
    return this.apply(id, { type: 'audio', command, actor });
  }

  /** A command of people. */
  apply(id: CallId, event: CallEvent): Promise<Call | null> {
    return this.#work(() => this.book.apply(id, event));
  }

  // ---- sockets ---------------------------------------------------------------------------------------------------------------

  async receive(socket: TestSocket, text: string): Promise<void> {
    if (!this.isAlive) return;
    // As the runtime does with what a handler throws: it is logged, and the socket stays.
    await this.#work(() => this.desk.receive(socket as unknown as WebSocket, text)).catch(
      () => undefined,
    );
  }

  async closed(socket: TestSocket): Promise<void> {
    if (!this.isAlive) return;
    await this.#work(() => this.desk.disconnected(socket as unknown as WebSocket)).catch(
      () => undefined,
    );
  }

  // ---- acting on decisions, time ---------------------------------------------------------------------------------------------

  #act(call: Call, decision: Decision, entry: StoredEntry, before: Call | null): void {
    // What it does about it goes on, and the memory stays meanwhile.
    void this.#work(async () => this.people.decided(before, call));
    this.#deps.acted(this, call, decision, entry);
    const isKept = this.#deps.isSilentAboutHold && entry.type === 'held';
    for (const message of isKept ? [] : decision.messages) this.desk.tell(call, message);
    for (const job of decision.jobs) void this.#work(() => this.#run(call, job));
  }

  async #run(call: Call, job: PendingJob): Promise<void> {
    const lost: JobResult = { ok: false, kind: 'unsure', message: 'no reply in time' };
    const reply = this.#deps.run(call, job);
    const timeout = this.#deps.sim.sleep(JOB_LEASE_MS).then(() => lost);
    const result = await Promise.race([reply, timeout]);
    await this.#report(call, job, result);
    if (result !== lost) return;
    // The Durable Object no longer listens by then; that it would do no harm is asked for all the same.
    await this.#report(call, job, await reply);
  }

  async #report(call: Call, job: PendingJob, result: JobResult): Promise<void> {
    if (!this.isAlive) return;
    await this.book.applyPatiently(call.id, { type: 'job', jobId: job.id, result });
  }

  async #wakeAt(atMs: number): Promise<void> {
    if (!this.isAlive) return new Promise(() => undefined);
    if (atMs === Infinity || (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs)) return;
    const known = this.#alarmAtMs ?? this.#deps.readAlarm();
    const earliest = Math.min(known ?? Infinity, this.#alarmAtMs ?? Infinity, atMs);
    this.#alarmAtMs = earliest;
    await this.#deps.setAlarm(this, earliest);
  }

  async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    this.isInAlarm = true;
    this.busy += 1;
    const done = await Promise.allSettled([
      this.book.tickDue(),
      this.desk.watch().then((atMs) => this.#wakeAt(atMs)),
      this.people.watch().then((atMs) => this.#wakeAt(atMs)),
    ]);
    for (const { status } of done) {
      if (status === 'rejected') await this.#wakeAt(this.#deps.sim.nowMs + ALARM_RETRY_MS);
    }
    this.isInAlarm = false;
    this.busy -= 1;
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    this.busy += 1;
    try {
      return await work();
    } finally {
      this.busy -= 1;
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#deps.sim.sleep(ms);
    if (!this.isAlive) await new Promise(() => undefined);
  }
}

const absencesIn = (kept: Map<string, Absence>): Absences => ({
  all: () => [...kept.values()],
  note: (absence) => void kept.set(absence.instance, absence),
  forget: (instance) => void kept.delete(instance),
});

/** A negative control: instead of hearing that a relay is lost, it hears that time has passed. */
class DeafBook extends CallBook {
  override apply(...[id, event, contact]: Parameters<CallBook['apply']>): Promise<Call | null> {
    return super.apply(id, isLoss(event) ? { type: 'tick' } : event, contact);
  }

  override applyPatiently(
    ...[id, event, ...rest]: Parameters<CallBook['applyPatiently']>
  ): ReturnType<CallBook['applyPatiently']> {
    return super.applyPatiently(id, isLoss(event) ? { type: 'tick' } : event, ...rest);
  }
}

const isLoss = ({ type }: Parameters<CallBook['apply']>[1]): boolean =>
  type === 'relay.lost' || type === 'relay.silent';
