// The relay's socket as both ends see it: in order while it stands, with whatever is under way lost when it breaks.
import type { FrameFromRelay, FrameToRelay } from '../../../relay/protocol.ts';
import type { SocketHost } from '../../../worker/adapters/relay-sockets.ts';
import type { Faults } from './faults.ts';
import type { Simulation } from './simulation.ts';

const OPEN = 1;
const CLOSED = 3;
/** Provider of the keep-alive is the runtime: the relay sends one every 10 s, the first with its `hello`. */
const KEEP_ALIVE_MS = 10_000;

export interface RelayEnd {
  onFrame(frame: FrameToRelay): void;
  onClose(code: number): void;
}

/** The Switchboard's end, as far as it is used. */
export class TestSocket {
  readyState = OPEN;
  /** Nothing gets through, and nobody is told. */
  isSilent = false;
  readonly #sim: Simulation;
  readonly #faults: Faults;
  readonly #relay: RelayEnd;
  readonly #latencyMs: () => number;
  readonly #openedAtMs: number;
  #silentAtMs = Infinity;
  #attachment: string | null = null;
  #downAtMs = 0;
  #upAtMs = 0;
  /** Whoever runs the Switchboard at this socket's end. */
  host: Host;

  constructor(
    deps: { sim: Simulation; faults: Faults; latencyMs: () => number },
    host: Host,
    relay: RelayEnd,
  ) {
    this.#sim = deps.sim;
    this.#faults = deps.faults;
    this.#latencyMs = deps.latencyMs;
    this.#relay = relay;
    this.#openedAtMs = deps.sim.nowMs;
    this.host = host;
  }

  // ---- the Switchboard's side ------------------------------------------------------------------------------------------------

  send(text: string): void {
    if (this.readyState !== OPEN) throw new Error('the socket is closed');
    if (this.#faults.next('frame')) return this.break();
    this.#downAtMs = Math.max(this.#downAtMs, this.#sim.nowMs + this.#latencyMs());
    this.#sim.at(this.#downAtMs, () => {
      if (this.#isThrough()) this.#relay.onFrame(JSON.parse(text) as FrameToRelay);
    });
  }

  close(code = 1000): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSED;
    if (this.isSilent) return;
    this.#sim.after(this.#latencyMs(), () => this.#relay.onClose(code));
  }

  serializeAttachment(value: unknown): void {
    this.#attachment = JSON.stringify(value);
  }

  deserializeAttachment(): unknown {
    return this.#attachment === null ? null : JSON.parse(this.#attachment);
  }

  keptAliveAt(): Date {
    const heardMs = Math.min(this.#sim.nowMs, this.#silentAtMs) - this.#openedAtMs;
    return new Date(this.#openedAtMs + Math.floor(heardMs / KEEP_ALIVE_MS) * KEEP_ALIVE_MS);
  }

  // ---- the relay's side ------------------------------------------------------------------------------------------------------

  /** @param lateMs keeps this frame, and all that follow it, so much longer */
  frame(frame: FrameFromRelay, lateMs = 0): void {
    this.#upAtMs = Math.max(this.#upAtMs, this.#sim.nowMs + this.#latencyMs() + lateMs);
    this.#sim.at(this.#upAtMs, () => {
      if (this.#isThrough()) return this.host.receive(this, JSON.stringify(frame));
    });
  }

  /** The connection is gone; what was under way is lost. The Switchboard sees it unless nothing gets through to it. */
  break(): void {
    if (this.readyState !== OPEN) return;
    this.#sim.after(0, () => this.#relay.onClose(1006));
    if (!this.isSilent) this.forsaken();
  }

  /** The Switchboard sees that the connection is gone. */
  forsaken(): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSED;
    this.#sim.after(this.#latencyMs(), () => this.host.closed(this));
  }

  /** Nothing passes any more, and the Switchboard is not told. */
  silence(): void {
    if (this.isSilent) return;
    this.isSilent = true;
    this.#silentAtMs = this.#sim.nowMs;
  }

  #isThrough(): boolean {
    return this.readyState === OPEN && !this.isSilent;
  }
}

/** Who runs a Switchboard, and how a socket reaches it. */
export interface Host {
  receive(socket: TestSocket, text: string): Promise<void> | void;
  closed(socket: TestSocket): Promise<void> | void;
}

/** The sockets that one Switchboard holds; they outlive its memory. */
export class SocketSet {
  readonly #sockets: { socket: TestSocket; tags: string[] }[] = [];

  /** As a Durable Object shows them. The fake has what `RelaySockets` uses, which is what makes the casts sound. */
  readonly host: SocketHost = {
    acceptWebSocket: (socket: WebSocket, tags: string[] = []) => {
      this.#sockets.push({ socket: socket as unknown as TestSocket, tags });
    },
    getWebSockets: (tag?: string) =>
      this.#sockets
        .filter(({ socket, tags }) => socket.readyState === OPEN && (!tag || tags.includes(tag)))
        .map(({ socket }) => socket as unknown as WebSocket),
    getWebSocketAutoResponseTimestamp: (socket: WebSocket) =>
      (socket as unknown as TestSocket).keptAliveAt(),
  };

  all(): TestSocket[] {
    return this.#sockets
      .map(({ socket }) => socket)
      .filter(({ readyState }) => readyState === OPEN);
  }
}
