// One Switchboard of a schedule: the product's call book and relay desk, wired to each other as the Durable Object wires them,
// and to the world of the schedule. It may be killed at any moment; what it holds in memory is lost then.
import { RelaySockets } from '../../../worker/adapters/relay-sockets.ts';
import { CallBook } from '../../../worker/call-book.ts';
import {
  isOver,
  type Actor,
  type AudioCommand,
  type Call,
  type CallEvent,
  type Claim,
  type Decision,
  type Dial,
} from '../../../worker/domain/call.ts';
import type { AgentId, CallId, ContactId, NumberId } from '../../../worker/domain/ids.ts';
import { JOB_LEASE_MS, type JobResult, type PendingJob } from '../../../worker/domain/job.ts';
import { matchOutbound, type OutboundNews } from '../../../worker/domain/match-outbound.ts';
import type { Absence, Absences, CallStore, Contact, StoredEntry } from '../../../worker/ports.ts';
import { FrontDesk, type Attendance } from '../../../worker/front-desk.ts';
import { RelayDesk } from '../../../worker/relay-desk.ts';
import type { Delivery } from '../../../worker/switchboard.ts';
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
  readonly #store: CallStore;
  readonly #dialling = new Map<string, { readonly id: CallId; requests: number }>();
  #alarmAtMs: number | null = null;

  constructor(
    number: number,
    deps: Omit<BoardDeps, 'store'>,
    storeOf: (board: Board) => CallStore,
  ) {
    this.number = number;
    this.sockets = deps.sockets;
    this.#store = storeOf(this);
    this.#deps = { ...deps, store: this.#store };
    const now = () => deps.sim.nowMs;
    const Book = deps.isDeaf ? DeafBook : CallBook;
    this.book = new Book({
      store: this.#store,
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

  deliver(delivery: Delivery): Promise<void> {
    return this.#work(() => this.#take(delivery));
  }

  async #take(delivery: Delivery): Promise<void> {
    switch (delivery.type) {
      case 'offer': {
        const { offer, contact } = delivery;
        await this.book.apply(offer.id, { type: 'offer', offer }, contact);
        return;
      }
      case 'terminate':
        await this.book.apply(delivery.termination.id, delivery);
        return;
      case 'outbound':
        await this.#takeNews(delivery.news);
    }
  }

  async #takeNews(news: OutboundNews): Promise<void> {
    const id = await this.#findOutbound(news);
    if (id === null) return;
    const { event } = news;
    await this.book.apply(
      id,
      event.type === 'terminate'
        ? { type: 'terminate', termination: { ...event.termination, id } }
        : event,
    );
  }

  async #findOutbound(news: OutboundNews): Promise<CallId | null> {
    await this.book.load();
    const live = matchOutbound(this.book.calls(), news);
    if (live) return live.id;
    const { numberId, providerCallId, opaque } = news;
    const past =
      opaque === null
        ? await this.#store.findByProviderCallId(numberId, providerCallId)
        : await this.#store.find(opaque as CallId);
    return past?.direction === 'outbound' && past.numberId === numberId ? past.id : null;
  }

  /** @returns the call, or null when another call with the same user is in its way */
  dial(dial: Dial, contact: Contact): Promise<Call | null> {
    return this.#work(() => this.#dial(dial, contact));
  }

  async #dial(dial: Dial, contact: Contact): Promise<Call | null> {
    await this.book.load();
    const pair = `${dial.numberId} ${dial.caller.contactId}`;
    const conflict = [...this.book.calls()].some(
      (call) =>
        call.id !== dial.id &&
        call.numberId === dial.numberId &&
        call.caller?.contactId === dial.caller.contactId &&
        !isOver(call),
    );
    const dialling = this.#dialling.get(pair) ?? { id: dial.id, requests: 0 };
    if (conflict || dialling.id !== dial.id) return null;
    dialling.requests += 1;
    this.#dialling.set(pair, dialling);
    try {
      return await this.book.apply(dial.id, { type: 'dial', dial }, contact);
    } finally {
      dialling.requests -= 1;
      if (dialling.requests === 0) this.#dialling.delete(pair);
    }
  }

  permissionChanged(numberId: NumberId, contactId: ContactId, isGranted: boolean): Promise<void> {
    return this.#work(() => this.#permit(numberId, contactId, isGranted));
  }

  async #permit(numberId: NumberId, contactId: ContactId, isGranted: boolean): Promise<void> {
    await this.book.load();
    const waiting = [...this.book.calls()].filter(
      (call) =>
        call.state === 'asking' &&
        call.numberId === numberId &&
        call.caller?.contactId === contactId,
    );
    await Promise.all(
      waiting.map(({ id }) => this.book.apply(id, { type: 'permission', isGranted })),
    );
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
