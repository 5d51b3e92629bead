// The relays as the Switchboard deals with them: which of them takes a call, what they are told, what they report.
import {
  CLOSE_BAD_FRAME,
  frameFromRelay,
  parseFrame,
  PROTOCOL_VERSION,
  type FrameFromRelay,
  type Hello,
  type RelayEvent,
} from '../relay/protocol.ts';
import { callerToken, type LiveKitAccess } from './adapters/livekit.ts';
import { RelaySockets } from './adapters/relay-sockets.ts';
import type { CallBook } from './call-book.ts';
import type { Config } from './config.ts';
import { hasMedia, wanted, type Call, type CallEvent, type RelayMessage } from './domain/call.ts';
import type { CallId, RelayId } from './domain/ids.ts';
import type { RelayStatus } from './ports.ts';
import { callEvent, iceResult } from './relay-events.ts';

/** A connected relay and how many calls it holds. */
export type RelayLoad = RelayStatus & { readonly load: number };

type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never;

export class RelayDesk {
  readonly #relays: RelaySockets;
  readonly #book: CallBook;
  readonly #settings: () => Config;
  /** Calls that are being placed: they count as load before they are stored. */
  readonly #placing = new Map<CallId, RelayId>();

  constructor(ctx: DurableObjectState, book: CallBook, settings: () => Config) {
    this.#relays = new RelaySockets(ctx);
    this.#book = book;
    this.#settings = settings;
  }

  /** Takes a relay's connection, whose secret has been checked. */
  accept(socket: WebSocket, relayId: RelayId): void {
    this.#relays.accept(socket, relayId);
  }

  relays(): RelayLoad[] {
    return this.#relays
      .connected()
      .map((relay) => ({ ...relay, load: this.#loadOf(relay.id as RelayId) }));
  }

  /** Applies an event with a place for the call's media, which counts as taken until the decision is stored. */
  async placed<T>(
    id: CallId,
    apply: (event: () => CallEvent) => Promise<T>,
    event: DistributiveOmit<CallEvent & { placement?: unknown }, 'placement'>,
  ): Promise<T> {
    const place = (): CallEvent => {
      const direction = event.type === 'offer' ? 'inbound' : 'outbound';
      const placement = this.#relays.place((relayId) => this.#loadOf(relayId), direction);
      if (placement) this.#placing.set(id, placement.relayId);
      return { ...event, placement } as CallEvent;
    };
    try {
      return await apply(place);
    } finally {
      this.#placing.delete(id);
    }
  }

  #loadOf(relayId: RelayId): number {
    const placing = [...this.#placing.values()].filter((id) => id === relayId).length;
    return this.#book.loadOf(relayId) + placing;
  }

  /** One message of a socket; those of subscribers, who have nothing to say, are passed over. */
  async receive(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const relay = this.#relays.relayOf(socket);
    if (!relay) return;
    const parsed = parseFrame(frameFromRelay, typeof message === 'string' ? message : '');
    if (parsed.ok) return this.#onFrame(socket, relay, parsed.frame);
    if (parsed.kind === 'unknown') return;
    console.error('relay.bad-frame', { relayId: relay.relayId, problem: parsed.message });
    socket.close(CLOSE_BAD_FRAME, 'bad frame');
  }

  async #onFrame(
    socket: WebSocket,
    relay: { relayId: RelayId; instance: string | null },
    frame: FrameFromRelay,
  ): Promise<void> {
    switch (frame.type) {
      case 'hello':
        return this.#onHello(socket, relay.relayId, frame);
      case 'draining':
        return this.#relays.drain(socket);
      case 'call.is':
        return;
      case 'answered':
      case 'offered':
      case 'media-up':
      case 'room-joined':
      case 'room-away':
      case 'participant-joined':
      case 'ready':
      case 'participant-left':
      case 'publisher-skipped':
      case 'ended':
        return this.#onRelayEvent(socket, relay, frame);
    }
  }

  async #onHello(socket: WebSocket, relayId: RelayId, hello: Hello): Promise<void> {
    if (hello.relay_id !== relayId) {
      socket.close(CLOSE_BAD_FRAME, 'relay_id is not the one that the secret belongs to');
      return;
    }
    await this.#book.load();
    this.#relays.greet(socket, hello);
    this.#relays.reply(socket, { type: 'welcome', protocol: PROTOCOL_VERSION });
    const mine = [...this.#book.calls()].filter((call) => call.placement?.relayId === relayId);
    for (const call of mine) {
      if (call.placement?.instance === hello.instance) this.resume(call);
      else if (hasMedia(call)) void this.#book.applyPatiently(call.id, { type: 'relay.lost' });
    }
    for (const id of hello.calls) {
      const call = this.#book.get(id as CallId);
      if (!call || !hasMedia(call)) this.#relays.reply(socket, { type: 'call.close', call_id: id });
    }
  }

  async #onRelayEvent(
    socket: WebSocket,
    relay: { relayId: RelayId; instance: string | null },
    event: RelayEvent,
  ): Promise<void> {
    const ice = iceResult(event, Date.now());
    if (ice) this.#relays.noteIce(socket, ice);
    const committed = this.#relays.received(socket, event.seq);
    await this.#book.load();
    const placement = this.#book.get(event.call_id as CallId)?.placement;
    // A relay can speak only of calls that were placed on it.
    const isTheirs = placement?.relayId === relay.relayId && placement.instance === relay.instance;
    if (!isTheirs || (await this.#book.applyPatiently(event.call_id as CallId, callEvent(event)))) {
      committed();
    }
  }

  /** Says again what the relay may not have heard; all of it is harmless when repeated. */
  resume(call: Call): void {
    if (!hasMedia(call)) return;
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
        this.#relays.send(placement, { type: 'call.answer', call_id: call.id, sdp: call.offerSdp });
        return;
      case 'offer':
        this.#relays.send(placement, { type: 'call.offer', call_id: call.id });
        return;
      case 'apply':
        if (call.answerSdp === null) return;
        this.#relays.send(placement, {
          type: 'call.apply-answer',
          call_id: call.id,
          sdp: call.answerSdp,
        });
        return;
      case 'want':
        void this.#sendWant(call);
        return;
      case 'close':
        this.#relays.send(placement, { type: 'call.close', call_id: call.id });
    }
  }

  async #sendWant(call: Call): Promise<void> {
    if (!call.placement) return;
    const want = wanted(call);
    const access = this.#access();
    const room = want.hasRoom
      ? { url: access.url, token: await callerToken(access, call) }
      : undefined;
    this.#relays.send(call.placement, {
      type: 'call.want',
      call_id: call.id,
      rev: call.version,
      connect: want.connect,
      open: want.open,
      audience: want.audience,
      ...(room ? { room } : {}),
    });
  }

  #access(): LiveKitAccess {
    const config = this.#settings();
    return {
      url: config.LIVEKIT_URL,
      apiKey: config.LIVEKIT_API_KEY,
      apiSecret: config.LIVEKIT_API_SECRET,
    };
  }
}
