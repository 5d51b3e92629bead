// The relays' WebSockets at the Switchboard: who is connected, sending frames, acknowledging events. Sockets survive the
// Switchboard's sleep, so what must be remembered about one is in its attachment.
import {
  CLOSE_REPLACED,
  CLOSE_SILENT,
  PROTOCOL_VERSION,
  type FrameToRelay,
  type Hello,
} from '../../relay/protocol.ts';
import type { Placement } from '../domain/call.ts';
import { relayOf, type RelayId } from '../domain/ids.ts';
import type { IceResult, RelayStatus } from '../ports.ts';

/** The part of a Durable Object that holds sockets. */
export type SocketHost = Pick<
  DurableObjectState,
  'acceptWebSocket' | 'getWebSockets' | 'getWebSocketAutoResponseTimestamp'
>;

const TAG = 'relay';
/** RFC 6455 section 7.4.1. */
const CLOSE_NORMAL = 1000;

/** Tag of the sockets of one relay, of all its processes. */
export const relayTag = (relayId: RelayId): string => `${TAG}:${relayId}`;

/** Whose a socket is; `instance` is null until its `hello`. */
export interface RelayOfSocket {
  readonly relayId: RelayId;
  readonly instance: string | null;
}

interface Attachment {
  readonly kind: 'relay';
  readonly relayId: RelayId;
  /** Null until its `hello`. */
  readonly hello: {
    readonly instance: string;
    readonly protocol: number;
    readonly capacity: number;
    readonly isDraining: boolean;
    readonly isOverloaded: boolean;
  } | null;
  /** How the latest call's media got through, or did not. */
  readonly lastIce?: IceResult;
}

export class RelaySockets {
  readonly #ctx: SocketHost;
  /** Events received but not committed yet, per socket; the acknowledgement stays below the oldest. */
  readonly #open = new WeakMap<WebSocket, { pending: Set<number>; highest: number }>();

  constructor(ctx: SocketHost) {
    this.#ctx = ctx;
  }

  accept(socket: WebSocket, relayId: RelayId): void {
    this.#ctx.acceptWebSocket(socket, [TAG, relayTag(relayOf(relayId))]);
    socket.serializeAttachment({ kind: 'relay', relayId, hello: null } satisfies Attachment);
  }

  /** The relay that a socket belongs to; null for sockets of other kinds. */
  relayOf(socket: WebSocket): RelayOfSocket | null {
    const attachment = read(socket);
    return (
      attachment && { relayId: attachment.relayId, instance: attachment.hello?.instance ?? null }
    );
  }

  /** Takes note of a relay's `hello`; older connections under the same id are closed. */
  greet(socket: WebSocket, hello: Hello): void {
    const attachment = read(socket);
    if (!attachment) return;
    for (const other of this.#greeted()) {
      if (other.socket === socket || other.attachment.relayId !== attachment.relayId) continue;
      const isSame = other.attachment.hello.instance === hello.instance;
      if (isSame) other.socket.close(CLOSE_NORMAL, 'connected again');
      else other.socket.close(CLOSE_REPLACED, 'another process has connected under this id');
    }
    socket.serializeAttachment({
      ...attachment,
      hello: {
        instance: hello.instance,
        protocol: hello.protocol,
        capacity: hello.capacity,
        isDraining: hello.draining,
        isOverloaded: hello.accepts === false,
      },
    } satisfies Attachment);
  }

  drain(socket: WebSocket): void {
    this.#change(socket, { isDraining: true });
  }

  /** Takes note of whether a relay's own load lets it take new calls. */
  noteLoad(socket: WebSocket, isOverloaded: boolean): void {
    this.#change(socket, { isOverloaded });
  }

  #change(socket: WebSocket, change: Partial<NonNullable<Attachment['hello']>>): void {
    const attachment = read(socket);
    if (!attachment?.hello) return;
    socket.serializeAttachment({
      ...attachment,
      hello: { ...attachment.hello, ...change },
    } satisfies Attachment);
  }

  /** Takes note of how a call's media got through; for the doctor, not for decisions. */
  noteIce(socket: WebSocket, lastIce: IceResult): void {
    const attachment = read(socket);
    if (attachment) socket.serializeAttachment({ ...attachment, lastIce } satisfies Attachment);
  }

  /** The relays that are connected and have said hello. */
  connected(): RelayStatus[] {
    return this.#greeted().map(({ attachment: { relayId, hello, lastIce } }) => ({
      id: relayId,
      instance: hello.instance,
      capacity: hello.capacity,
      isDraining: hello.isDraining,
      isOverloaded: hello.isOverloaded,
      lastIce: lastIce ?? null,
    }));
  }

  /**
   * Chooses where a new call's media goes: the least loaded relay that takes calls.
   *
   * @param loadOf calls that a relay holds or is about to hold
   * @param present the process that is not to be chosen again
   * @param silentBeforeMs relays that were heard before, but not since, are left out
   */
  place(
    loadOf: (relayId: RelayId) => number,
    present: Placement | null,
    silentBeforeMs: number,
  ): Placement | null {
    const candidates = this.#greeted()
      .filter(({ socket }) => this.#heardAtMs(socket) > silentBeforeMs)
      .map(({ attachment }) => ({ ...attachment, load: loadOf(attachment.relayId) }))
      .filter(
        ({ hello, load }) =>
          !hello.isDraining &&
          !hello.isOverloaded &&
          hello.protocol >= PROTOCOL_VERSION - 1 &&
          load < hello.capacity &&
          hello.instance !== present?.instance,
      )
      .toSorted((a, b) => a.load / a.hello.capacity - b.load / b.hello.capacity);
    const [best] = candidates;
    return best ? { relayId: best.relayId, instance: best.hello.instance, lastSeq: 0 } : null;
  }

  isConnected(instance: string): boolean {
    return this.#greeted().some(({ attachment }) => attachment.hello.instance === instance);
  }

  /** The process is connected and speaks a version before `protocol`. */
  isOlder(instance: string, protocol: number): boolean {
    return this.#greeted().some(
      ({ attachment: { hello } }) => hello.instance === instance && hello.protocol < protocol,
    );
  }

  /** When the relay that was silent for longest was heard last, in epoch ms; Infinity while none is known to speak. */
  oldestSignMs(): number {
    return Math.min(...this.#greeted().map(({ socket }) => this.#heardAtMs(socket)));
  }

  /** Closes connections of relays that were heard before `atMs`, but not since, and tells whose they were. */
  closeSilent(atMs: number): { relayId: RelayId; instance: string }[] {
    return this.#greeted()
      .filter(({ socket }) => this.#heardAtMs(socket) <= atMs)
      .map(({ socket, attachment: { relayId, hello } }) => {
        socket.close(CLOSE_SILENT, 'nothing heard for too long');
        return { relayId, instance: hello.instance };
      });
  }

  /** The latest keep-alive of a relay; one that has never sent any is not judged by its silence. */
  #heardAtMs(socket: WebSocket): number {
    return this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? Infinity;
  }

  /** Sends a frame to the relay process that holds a call; a relay that is away gets everything at its next `hello`. */
  send(placement: Pick<Placement, 'relayId' | 'instance'>, frame: FrameToRelay): void {
    for (const { socket, attachment } of this.#greeted()) {
      const { relayId, hello } = attachment;
      if (relayId === placement.relayId && hello.instance === placement.instance) {
        trySend(socket, frame);
      }
    }
  }

  reply(socket: WebSocket, frame: FrameToRelay): void {
    trySend(socket, frame);
  }

  /** Takes note of an event; call the result once it is committed. */
  received(socket: WebSocket, seq: number): () => void {
    const state = this.#open.get(socket) ?? { pending: new Set<number>(), highest: 0 };
    this.#open.set(socket, state);
    state.pending.add(seq);
    state.highest = Math.max(state.highest, seq);
    return () => {
      state.pending.delete(seq);
      const oldest = Math.min(...state.pending);
      const done = oldest === Infinity ? state.highest : oldest - 1;
      // Below the first event of this connection nothing is known to be committed, nor needs to be said.
      if (seq <= done) trySend(socket, { type: 'ack', seq: done });
    };
  }

  #greeted() {
    return this.#ctx.getWebSockets(TAG).flatMap((socket) => {
      const attachment = read(socket);
      const isOpen = socket.readyState === WebSocket.OPEN;
      return isOpen && attachment?.hello
        ? [{ socket, attachment: { ...attachment, hello: attachment.hello } }]
        : [];
    });
  }
}

/** Attachments are written by this class alone, which is what makes the cast sound. */
function read(socket: WebSocket): Attachment | null {
  const attachment = socket.deserializeAttachment() as Attachment | { kind: 'events' } | null;
  return attachment?.kind === 'relay' ? attachment : null;
}

function trySend(socket: WebSocket, frame: FrameToRelay): void {
  try {
    socket.send(JSON.stringify(frame));
  } catch {
    // The socket closed meanwhile; the relay asks again when it is back.
  }
}
