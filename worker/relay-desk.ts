// The relays as the Switchboard deals with them: which of them takes a call, what they are told, what they report.
import {
  AUDIO_PROTOCOL_VERSION,
  brokenEvent,
  CLOSE_BAD_FRAME,
  CLOSE_TOO_MANY_FRAMES,
  frameFromRelay,
  parseFrame,
  PING_INTERVAL_MS,
  PROTOCOL_VERSION,
  type BrokenEvent,
  type FrameFromRelay,
  type Hello,
  type QualityFrame,
  type RelayEvent,
} from '../relay/protocol.ts';
import { callerToken, type LiveKitAccess } from './adapters/livekit.ts';
import type { RelayOfSocket, RelaySockets } from './adapters/relay-sockets.ts';
import type { CallBook } from './call-book.ts';
import {
  hasMedia,
  isControlLost,
  wanted,
  type Call,
  type CallQuality,
  type Placement,
} from './domain/call.ts';
import type { RelayMessage } from './domain/decision.ts';
import type { CallId, RelayId } from './domain/ids.ts';
import { maskCaller } from './domain/masking.ts';
import { FrameRate } from './frame-rate.ts';
import type { Absence, Absences, RelayStatus } from './ports.ts';
import { callEvent, endOf, iceResult } from './relay-events.ts';

/** A connected relay and how many calls it holds. */
export type RelayLoad = RelayStatus & { readonly load: number };

/** How long a relay whose connection ended may take to dial again, in ms. It does so at once. */
const RETURN_MS = 5_000;
/** How long a relay may be unheard, or not yet be there after the Switchboard has started, in ms. */
const SILENCE_MS = 3 * PING_INTERVAL_MS;

/** How much of what is wrong with a frame the relay is told, in characters. */
const PROBLEM_LENGTH_MAX = 400;

export interface RelayDeskDeps {
  readonly sockets: RelaySockets;
  readonly book: CallBook;
  readonly absences: Absences;
  readonly access: () => LiveKitAccess;
  /** Rooms do not tell users' numbers. */
  readonly isMasking: () => boolean;
  readonly now: () => number;
  /** Those who are told how calls sound at present. */
  readonly quality: {
    readonly isWanted: () => boolean;
    readonly publish: (calls: { id: string; stats: CallQuality }[]) => void;
  };
  /** Makes sure that `watch` is called at `atMs` or earlier. */
  readonly wakeAt: (atMs: number) => Promise<void>;
}

export class RelayDesk {
  readonly #deps: RelayDeskDeps;
  readonly #rate = new FrameRate();

  constructor(deps: RelayDeskDeps) {
    this.#deps = deps;
  }

  /** Takes a relay's connection, whose secret has been checked. */
  accept(socket: WebSocket, relayId: RelayId): void {
    this.#deps.sockets.accept(socket, relayId);
  }

  relays(): RelayLoad[] {
    const { sockets, book } = this.#deps;
    return sockets
      .connected()
      .map((relay) => ({ ...relay, load: book.loadOf(relay.id as RelayId) }));
  }

  /** Where a call's media could go now, to another process than `present`. */
  place(present: Placement | null): Placement | null {
    const { sockets, book, now } = this.#deps;
    const loadOf = (relayId: RelayId) => book.loadOf(relayId);
    return sockets.place(loadOf, present, now() - SILENCE_MS);
  }

  /** The relay of this call would pass over what is wanted of its sound; one that is away is told when it is back. */
  ignoresAudio({ placement }: Call): boolean {
    return (
      placement !== null && this.#deps.sockets.isOlder(placement.instance, AUDIO_PROTOCOL_VERSION)
    );
  }

  // ---- absence ---------------------------------------------------------------------------------------------------------------

  /** A connection is gone. Losing control is not losing media: the relay may come back. */
  async disconnected(socket: WebSocket): Promise<void> {
    const relay = this.#deps.sockets.relayOf(socket);
    if (!relay || relay.instance === null) return;
    const { relayId, instance } = relay;
    if (this.#deps.sockets.isConnected(instance)) return;
    await this.#noteAbsence({ relayId, instance, isClosed: true }, RETURN_MS);
  }

  async #noteAbsence(absence: Omit<Absence, 'dueAtMs'>, withinMs: number): Promise<void> {
    const { absences, now, wakeAt } = this.#deps;
    const dueAtMs = now() + withinMs;
    absences.note({ ...absence, dueAtMs });
    await wakeAt(dueAtMs);
  }

  /**
   * Looks for relays that went silent, and decides about those that did not come back.
   *
   * @returns when to look again, in epoch ms; Infinity while no relay holds a call
   * @throws when a decision could not be stored; looking again repeats it
   */
  async watch(): Promise<number> {
    const { sockets, book, absences, now } = this.#deps;
    await book.load();
    for (const relay of sockets.closeSilent(now() - SILENCE_MS)) {
      absences.note({ ...relay, isClosed: false, dueAtMs: now() });
    }
    const due = absences.all().filter(({ dueAtMs }) => dueAtMs <= now());
    await Promise.all(due.map((absence) => this.#giveUp(absence)));
    const isHoldingCalls = [...book.calls()].some(hasMedia);
    const nextSilence = isHoldingCalls ? sockets.oldestSignMs() + SILENCE_MS : Infinity;
    return Math.min(nextSilence, ...absences.all().map(({ dueAtMs }) => dueAtMs));
  }

  async #giveUp({ instance, isClosed }: Absence): Promise<void> {
    const { sockets, book, absences } = this.#deps;
    if (!sockets.isConnected(instance)) {
      const type = isClosed ? 'relay.lost' : 'relay.silent';
      const calls = [...book.calls()].filter((call) => call.placement?.instance === instance);
      await Promise.all(calls.map(({ id }) => book.apply(id, { type, instance })));
    }
    absences.forget(instance);
  }

  // ---- frames ----------------------------------------------------------------------------------------------------------------

  /** One message of a socket; those of subscribers, who have nothing to say, are passed over. */
  async receive(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const relay = this.#deps.sockets.relayOf(socket);
    if (!relay) return;
    if (!this.#rate.admits(socket, this.#deps.now())) {
      console.error('relay.too-many-frames', { relayId: relay.relayId });
      socket.close(CLOSE_TOO_MANY_FRAMES, 'too many frames');
      return;
    }
    const parsed = parseFrame(frameFromRelay, typeof message === 'string' ? message : '');
    if (parsed.ok) return this.#onFrame(socket, relay, parsed.frame);
    if (parsed.kind === 'unknown') return;
    console.error('relay.bad-frame', { relayId: relay.relayId, problem: parsed.message });
    const broken = brokenEvent.safeParse(parsed.json);
    if (broken.success && relay.instance !== null) {
      return this.#refuse(socket, relay, broken.data, parsed.message);
    }
    socket.close(CLOSE_BAD_FRAME, 'bad frame');
  }

  /** An event that breaks the protocol. The relay would say it again until it is acknowledged, and would break it again. */
  async #refuse(
    socket: WebSocket,
    relay: RelayOfSocket,
    broken: BrokenEvent,
    problem: string,
  ): Promise<void> {
    const message = problem.slice(0, PROBLEM_LENGTH_MAX);
    this.#deps.sockets.reply(socket, { type: 'refused', seq: broken.seq, message });
    const end = endOf(broken, message, this.#deps.now());
    if (end) return this.#onRelayEvent(socket, relay, end);
    // A relay of before does not know `refused`.
    this.#deps.sockets.received(socket, broken.seq)();
  }

  async #onFrame(socket: WebSocket, relay: RelayOfSocket, frame: FrameFromRelay): Promise<void> {
    switch (frame.type) {
      case 'hello':
        return this.#onHello(socket, relay.relayId, frame);
      case 'draining':
        return this.#deps.sockets.drain(socket);
      case 'load':
        return this.#deps.sockets.noteLoad(socket, !frame.accepts);
      case 'call.is':
        return;
      case 'quality':
        return this.#onQuality(relay, frame);
      case 'answered':
      case 'offered':
      case 'media-up':
      case 'room-joined':
      case 'room-away':
      case 'participant-joined':
      case 'ready':
      case 'participant-left':
      case 'publisher-skipped':
      case 'played':
      case 'dtmf':
      case 'recording-failed':
      case 'transfer-asked':
      case 'ended':
        return this.#onRelayEvent(socket, relay, frame);
    }
  }

  async #onHello(socket: WebSocket, relayId: RelayId, hello: Hello): Promise<void> {
    if (hello.relay_id !== relayId) {
      socket.close(CLOSE_BAD_FRAME, 'relay_id is not the one that the secret belongs to');
      return;
    }
    await this.#deps.book.load();
    this.#deps.sockets.greet(socket, hello);
    this.#deps.sockets.reply(socket, { type: 'welcome', protocol: PROTOCOL_VERSION });
    for (const absence of this.#deps.absences.all()) {
      if (absence.relayId === relayId) this.#deps.absences.forget(absence.instance);
    }
    for (const call of this.#deps.book.calls()) {
      if (call.placement?.relayId === relayId && hasMedia(call)) this.#meet(call, hello.instance);
    }
    for (const id of hello.calls) {
      const call = this.#deps.book.get(id as CallId);
      const isTheirs = call && hasMedia(call) && call.placement?.instance === hello.instance;
      if (!isTheirs) this.#deps.sockets.reply(socket, { type: 'call.close', call_id: id });
    }
  }

  /** A relay is there again with this process; of another process everything is gone. */
  #meet(call: Call, instance: string): void {
    const { book } = this.#deps;
    const isThere = call.placement?.instance === instance;
    if (isThere) this.resume(call);
    const lost = { type: 'relay.lost', instance: call.placement?.instance ?? '' } as const;
    if (!isThere) void book.applyPatiently(call.id, lost);
    else if (isControlLost(call)) void book.applyPatiently(call.id, { type: 'relay.back' });
  }

  /** Passed on to whoever listens, and nothing else: without a listener not even the record is read. */
  async #onQuality(relay: RelayOfSocket, { calls }: QualityFrame): Promise<void> {
    const { book, quality } = this.#deps;
    if (!quality.isWanted()) return;
    await book.load();
    const theirs = calls.filter(({ call_id }) => {
      const placement = book.get(call_id as CallId)?.placement;
      return placement?.relayId === relay.relayId && placement.instance === relay.instance;
    });
    if (theirs.length > 0) quality.publish(theirs.map(({ call_id: id, stats }) => ({ id, stats })));
  }

  async #onRelayEvent(socket: WebSocket, relay: RelayOfSocket, event: RelayEvent): Promise<void> {
    const ice = iceResult(event, Date.now());
    if (ice) this.#deps.sockets.noteIce(socket, ice);
    const committed = this.#deps.sockets.received(socket, event.seq);
    const isTheirs = await this.#deps.book.applyPatiently(
      event.call_id as CallId,
      callEvent(event),
      // A relay can speak only of calls that were placed on it.
      (call) =>
        call?.placement?.relayId === relay.relayId && call.placement.instance === relay.instance,
    );
    if (!isTheirs && event.type !== 'ended') {
      // Placed elsewhere since, or over and forgotten.
      this.#deps.sockets.reply(socket, { type: 'call.close', call_id: event.call_id });
    }
    committed();
  }

  /** Says again what the relay may not have heard; all of it is harmless when repeated. */
  resume(call: Call): void {
    if (!hasMedia(call) || !call.placement) return;
    const { relayId, instance } = call.placement;
    const { sockets, absences } = this.#deps;
    if (!sockets.isConnected(instance)) {
      const isKnown = absences.all().some((absence) => absence.instance === instance);
      if (!isKnown && !isControlLost(call)) {
        void this.#noteAbsence({ relayId, instance, isClosed: false }, SILENCE_MS);
      }
      return;
    }
    if (call.state === 'offered') this.tell(call, 'answer');
    if (call.state === 'offering') this.tell(call, 'offer');
    if (call.direction === 'outbound' && call.answerSdp !== null) this.tell(call, 'apply');
    this.tell(call, 'want');
  }

  /** Sends a frame about a call to the relay that holds it. */
  tell(call: Call, message: RelayMessage): void {
    const { placement } = call;
    if (!placement) return;
    switch (message) {
      case 'answer':
        if (call.offerSdp === null) return;
        this.#deps.sockets.send(placement, {
          type: 'call.answer',
          call_id: call.id,
          sdp: call.offerSdp,
        });
        return;
      case 'offer':
        this.#deps.sockets.send(placement, { type: 'call.offer', call_id: call.id });
        return;
      case 'apply':
        if (call.answerSdp === null) return;
        this.#deps.sockets.send(placement, {
          type: 'call.apply-answer',
          call_id: call.id,
          sdp: call.answerSdp,
        });
        return;
      case 'want':
        void this.#sendWant(call);
        return;
      case 'close':
        this.#deps.sockets.send(placement, { type: 'call.close', call_id: call.id });
    }
  }

  /** Everybody in a room reads the same. */
  #shownInRoom(call: Call): Call {
    const { caller } = call;
    return caller && this.#deps.isMasking() ? { ...call, caller: maskCaller(caller) } : call;
  }

  async #sendWant(call: Call): Promise<void> {
    if (!call.placement) return;
    const want = wanted(call);
    const { playing } = want.audio;
    const access = this.#deps.access();
    const room = want.hasRoom
      ? { url: access.url, token: await callerToken(access, this.#shownInRoom(call)) }
      : undefined;
    this.#deps.sockets.send(call.placement, {
      type: 'call.want',
      call_id: call.id,
      rev: call.version,
      connect: want.connect,
      open: want.open,
      audience: want.audience,
      hold: want.audio.isHeld,
      playing: playing && { id: playing.id, prompt: playing.promptId, loop: playing.isLoop },
      recording: want.audio.recording,
      transfer: want.transfer,
      ...(room ? { room } : {}),
    });
  }
}
