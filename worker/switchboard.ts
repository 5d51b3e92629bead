// The Durable Object through which every change of a call goes, one per deployment. It connects the call book to the outside:
// commands of the worker, relays' sockets, subscribers, jobs, the alarm. It decides nothing itself.
import { DurableObject } from 'cloudflare:workers';
import { PING, PONG } from '../relay/protocol.ts';
import { createAbsences } from './adapters/absences.ts';
import { createCallStore } from './adapters/call-store-d1.ts';
import { openDatabase } from './adapters/database.ts';
import { agentTag, EventSockets, keyTag } from './adapters/event-sockets.ts';
import { closeRevoked } from './adapters/revoked-sockets.ts';
import type { LiveKitAccess } from './adapters/livekit.ts';
import { RelaySockets, relayTag } from './adapters/relay-sockets.ts';
import { createAttendance } from './adapters/attendance.ts';
import { createPeopleReader } from './adapters/people-d1.ts';
import { CallBook } from './call-book.ts';
import { EventDesk } from './event-desk.ts';
import { Intake, type Delivery } from './intake.ts';
import type { CallView } from './call-view.ts';
import { Courier } from './courier.ts';
import { FrontDesk, type PresenceView } from './front-desk.ts';
import type { Duty } from './domain/roster.ts';
import { parseConfig, type Config } from './config.ts';
import type { Call, Claim } from './domain/call.ts';
import type { Actor, AudioCommand, CallEvent, Dial, KeptRecording } from './domain/call-event.ts';
import type { Decision } from './domain/decision.ts';
import { queuesOf, type Queue } from './domain/desk.ts';
import { searchOf } from './domain/flow.ts';
import {
  type AgentId,
  type CallId,
  type ContactId,
  type NumberId,
  type RelayId,
} from './domain/ids.ts';
import type { PendingJob } from './domain/job.ts';
import type { PartyCommand, Refusal, TransferTo } from './domain/people.ts';
import type { Remark } from './domain/step-remark.ts';
import { maySee, type Sight } from './domain/sight.ts';
import type { Env } from './env.ts';
import { qualityNotice, view } from './notices.ts';
import type { Outgoing } from './outgoing.ts';
import type { CallStore, Contact, StoredEntry } from './ports.ts';
import { RelayDesk, type RelayLoad } from './relay-desk.ts';
import { runJob } from './run-job.ts';

/** How long an end without a call is remembered; the provider's retries of a call come within minutes. */
const TOMBSTONE_MS = 600_000;
/** Wait before the alarm tries again after the record could not be reached, in ms. */
const ALARM_RETRY_MS = 1_000;

/** What became of a command; `call` is null when there is no such call. */
export interface CommandResult {
  readonly call: CallView | null;
}

export interface DeclineResult extends CommandResult {
  /** It rang for whoever declined it. */
  readonly wasRung: boolean;
}

export interface RefusableResult extends CommandResult {
  /** Why the call was left as it is. */
  readonly refusal: Refusal | null;
  readonly isRelayTooOld: boolean;
}

/** `call`: the call that was made, or was made before by the same request; `conflict`: another call with the same user. */
export interface DialResult extends CommandResult {
  readonly conflict: CallView | null;
}

export class Switchboard extends DurableObject<Env> {
  readonly #store: CallStore;
  readonly #book: CallBook;
  readonly #intake: Intake;
  readonly #desk: RelayDesk;
  readonly #people: FrontDesk;
  readonly #subscribers: EventSockets;
  readonly #events: EventDesk;
  readonly #courier = new Courier(() => this.#outgoing().deliverEvents());
  #config: Config | null = null;
  #alarmAtMs: number | null = null;
  #tombstonesDueAtMs = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = createCallStore(openDatabase(env.DB));
    this.#subscribers = new EventSockets(ctx, {
      now: () => Date.now(),
      viewOf: (subscriber) => this.#people.viewOf(subscriber),
    });
    this.#book = new CallBook({
      store: this.#store,
      now: () => Date.now(),
      wakeAt: (atMs) => this.#wakeAt(atMs),
      place: (present) => this.#desk.place(present),
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      prepare: (call) => this.#people.prepare(call),
      deskFor: (...of) => this.#people.deskFor(...of),
      act: (call, decision, entry, before) => this.#act(call, decision, entry, before),
      resume: (call) => {
        this.#events.knows(call);
        this.#desk.resume(call);
      },
      missed: (call, entries) => {
        for (const entry of entries) this.#tell(call, entry);
      },
    });
    this.#intake = new Intake(this.#book, this.#store);
    this.#desk = new RelayDesk({
      sockets: new RelaySockets(ctx),
      book: this.#book,
      absences: createAbsences(ctx.storage.kv),
      access: () => this.#access(),
      isMasking: () => this.#people.isMasking,
      now: () => Date.now(),
      quality: {
        isWanted: () => this.#subscribers.isQualityWanted,
        publish: (calls) =>
          this.#subscribers.publishQuality(qualityNotice(calls, Date.now()), (id) =>
            this.#book.get(id as CallId),
          ),
      },
      wakeAt: (atMs) => this.#wakeAt(atMs),
    });
    this.#people = new FrontDesk({
      book: this.#book,
      people: createPeopleReader(openDatabase(env.DB)),
      attendance: createAttendance(ctx.storage.kv),
      isConnected: (agentId) => this.#subscribers.isConnected(agentId),
      now: () => Date.now(),
      wakeAt: (atMs) => this.#wakeAt(atMs),
      publish: (agents) => void this.#events.presenceChanged(agents),
    });
    this.#events = new EventDesk({
      sockets: this.#subscribers,
      book: this.#book,
      store: this.#store,
      people: this.#people,
      courier: this.#courier,
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
  }

  // ---- commands of the worker ------------------------------------------------------------------------------------------------

  /** See `Intake.deliver`. */
  async deliver(deliveries: readonly Delivery[]): Promise<{ foreign: number }> {
    return this.#intake.deliver(deliveries);
  }

  /** Starts a call of the business, unless the number is already calling this user. Repeating it with the same id is harmless. */
  async dial(dial: Dial, contact: Contact): Promise<DialResult> {
    const { call, conflict } = await this.#intake.dial(dial, contact);
    return { ...this.#result(call), conflict: conflict && view(conflict) };
  }

  /** The user has answered a permission request: calls that wait for it go on or end. */
  async permissionChanged(
    numberId: NumberId,
    contactId: ContactId,
    isGranted: boolean,
  ): Promise<void> {
    await this.#intake.permissionChanged(numberId, contactId, isGranted);
  }

  /** Claims a ringing call for an agent, unless it is out of `sight`. The returned call tells who has it. */
  async claim(id: CallId, claim: Claim, sight: Sight): Promise<CommandResult> {
    await this.#book.load();
    const present = this.#book.get(id) ?? (await this.#store.find(id));
    if (present && !maySee(sight, present)) return { call: null };
    return this.#result(await this.#book.apply(id, { type: 'claim', claim }));
  }

  /** An agent does not want a call that rings for them. */
  async decline(id: CallId, agentId: AgentId): Promise<DeclineResult> {
    await this.#book.load();
    const rung = searchOf(this.#book.get(id)?.flow ?? null)?.rung ?? [];
    const wasRung = rung.some((ring) => ring.agentId === agentId);
    const event = { type: 'ring-ended', agentId, why: 'declined' } as const;
    return { ...this.#result(await this.#book.apply(id, event)), wasRung };
  }

  async setDuty(agentId: AgentId, duty: Duty): Promise<void> {
    await this.#people.setDuty(agentId, duty);
  }

  /** Who answers calls, and what they are doing. */
  async presences(): Promise<PresenceView[]> {
    await this.#book.load();
    await this.#people.prepare(null);
    return this.#people.presences();
  }

  /** Who waits for which team. */
  async queues(): Promise<Queue[]> {
    await this.#book.load();
    return queuesOf(this.#book.calls());
  }

  /** Agents, teams, rules or settings were changed in the record. */
  async peopleChanged(): Promise<void> {
    this.#people.forget();
    await this.#people.peopleChanged();
    await this.#people.prepare(null);
    await this.#events.refresh();
  }

  /** Ends a call: rejects it while it rings, hangs up afterwards. Harmless when it is over. */
  async end(id: CallId, actor: Actor): Promise<CommandResult> {
    return this.#result(await this.#book.apply(id, { type: 'end', actor }));
  }

  /** Changes what a connected call sounds like; changes nothing in any other, and nothing where the relay is too old for it. */
  async steerAudio(id: CallId, command: AudioCommand, actor: Actor): Promise<RefusableResult> {
    return this.#steer(id, { type: 'audio', command, actor });
  }

  /** Hands a connected call over to somebody else. */
  async transfer(
    id: CallId,
    to: TransferTo,
    summary: string | null,
    actor: Actor,
  ): Promise<RefusableResult> {
    return this.#steer(id, { type: 'transfer', to, summary, actor });
  }

  /** Changes who is in a connected call. */
  async party(id: CallId, command: PartyCommand, actor: Actor): Promise<RefusableResult> {
    return this.#steer(id, { type: 'party', command, actor });
  }

  /** Writes something on a call, which may be over. */
  async remark(id: CallId, remark: Remark, actor: Actor): Promise<RefusableResult> {
    const { call, refusal } = await this.#book.command(id, { type: 'remark', remark, actor });
    return { ...this.#result(call), refusal, isRelayTooOld: false };
  }

  /** Applies what needs a relay that does as it is told with the sound. */
  async #steer(id: CallId, event: CallEvent): Promise<RefusableResult> {
    await this.#book.load();
    const present = this.#book.get(id);
    if (present && this.#desk.ignoresAudio(present)) {
      return { ...this.#result(present), refusal: null, isRelayTooOld: true };
    }
    const { call, refusal } = await this.#book.command(id, event);
    return { ...this.#result(call), refusal, isRelayTooOld: false };
  }

  /** The recording of a call can be heard. Saying it again is harmless. */
  async recordingKept(id: CallId, recording: KeptRecording): Promise<void> {
    await this.#book.apply(id, { type: 'recording', recording });
  }

  async relays(): Promise<RelayLoad[]> {
    await this.#book.load();
    return this.#desk.relays();
  }

  /** Somebody may want events sent to an endpoint from now on. */
  endpointEnabled(): void {
    this.#courier.enable();
  }

  /** Closes the event streams of an agent whose key is not valid any more. */
  async revokeAgent(agentId: AgentId): Promise<void> {
    closeRevoked(this.ctx, agentTag(agentId));
    this.#people.forget();
    await this.#people.connectionChanged(agentId);
  }

  /** Closes the event streams that were opened with a key or session that is not valid any more. */
  closeStreams(keyHash: string): void {
    closeRevoked(this.ctx, keyTag(keyHash));
  }

  /** Closes the connections of a relay whose secret is not valid any more. Its calls are lost unless it comes back at once. */
  async revokeRelay(relayId: RelayId): Promise<void> {
    for (const socket of closeRevoked(this.ctx, relayTag(relayId))) {
      await this.#desk.disconnected(socket);
    }
  }

  #result(call: Call | null): CommandResult {
    return { call: call && call.state !== 'tombstone' ? view(call) : null };
  }

  // ---- sockets ---------------------------------------------------------------------------------------------------------------

  /** WebSocket upgrades; the worker has authenticated them and says in the path whose they are. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, kind, id] = url.pathname.split('/');
    const { 0: client, 1: server } = new WebSocketPair();
    if (kind === 'relay' && id) {
      this.#desk.accept(server, decodeURIComponent(id) as RelayId);
      return new Response(null, { status: 101, webSocket: client });
    }
    await this.#events.subscribe(server, url.searchParams);
    const protocol = request.headers.get('sec-websocket-protocol') ? 'roomline' : null;
    const headers = protocol ? { 'sec-websocket-protocol': protocol } : {};
    return new Response(null, { status: 101, webSocket: client, headers });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    // Observed: what a socket sends after it was closed from here still arrives, until the other side closes it too.
    if (socket.readyState !== WebSocket.OPEN) return;
    this.#subscribers.refuseMessage(socket);
    await this.#desk.receive(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    socket.close();
    await this.#disconnected(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#disconnected(socket);
  }

  async #disconnected(socket: WebSocket): Promise<void> {
    const agentId = this.#subscribers.agentOf(socket);
    if (agentId === null) await this.#desk.disconnected(socket);
    else await this.#people.connectionChanged(agentId);
  }

  // ---- acting on decisions ---------------------------------------------------------------------------------------------------

  #act(call: Call, decision: Decision, entry: StoredEntry, before: Call | null): void {
    this.#people.decided(before, call);
    for (const message of decision.messages) this.#desk.tell(call, message);
    for (const job of decision.jobs) void this.#run(call, job);
    this.#tell(call, entry);
    if (entry.type === 'ended' || entry.type === 'ending') {
      console.log('call.ended', {
        callId: call.id,
        result: call.outcome?.result,
        reason: call.outcome?.reason,
        durationMs: call.answeredAtMs && call.endedAtMs && call.endedAtMs - call.answeredAtMs,
      });
    }
  }

  #tell(call: Call, entry: StoredEntry): void {
    if (call.state === 'tombstone') void this.#wakeAt(Date.now() + TOMBSTONE_MS);
    this.#events.tell(call, entry);
  }

  async #run(call: Call, job: PendingJob): Promise<void> {
    const result = await runJob(this.#outgoing(), call, job);
    await this.#book.applyPatiently(call.id, { type: 'job', jobId: job.id, result });
  }

  /** The stateless half of this worker. */
  #outgoing(): Pick<Outgoing, 'run' | 'deliverEvents'> {
    const exports = this.ctx.exports as unknown as {
      Outgoing: Pick<Outgoing, 'run' | 'deliverEvents'>;
    };
    return exports.Outgoing;
  }

  // ---- time ------------------------------------------------------------------------------------------------------------------

  async #wakeAt(atMs: number): Promise<void> {
    if (atMs === Infinity || (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs)) return;
    const known = this.#alarmAtMs ?? (await this.ctx.storage.getAlarm());
    // Somebody else may have set one during the wait.
    const earliest = Math.min(known ?? Infinity, this.#alarmAtMs ?? Infinity, atMs);
    this.#alarmAtMs = earliest;
    await this.ctx.storage.setAlarm(earliest);
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = null;
    const done = await Promise.allSettled([
      this.#book.tickDue(),
      this.#desk.watch().then((atMs) => this.#wakeAt(atMs)),
      this.#people.watch().then((atMs) => this.#wakeAt(atMs)),
      this.#forgetTombstones(),
    ]);
    for (const { status, ...rest } of done) {
      if (status === 'fulfilled') continue;
      console.error('alarm.failed', { error: String('reason' in rest ? rest.reason : '') });
      await this.#wakeAt(Date.now() + ALARM_RETRY_MS);
    }
  }

  async #forgetTombstones(): Promise<void> {
    const nowMs = Date.now();
    if (nowMs < this.#tombstonesDueAtMs) return;
    this.#tombstonesDueAtMs = nowMs + TOMBSTONE_MS;
    await this.#store.deleteTombstones(nowMs - TOMBSTONE_MS);
  }

  #access(): LiveKitAccess {
    this.#config ??= parseConfig({ ...this.env });
    const config = this.#config;
    return {
      url: config.LIVEKIT_URL,
      apiKey: config.LIVEKIT_API_KEY,
      apiSecret: config.LIVEKIT_API_SECRET,
    };
  }
}
