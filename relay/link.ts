// The socket to the worker. The relay dials; it dials again whenever the socket goes, and calls do not notice.
import { WebSocket } from 'ws';
import { Outbox, type NewEvent } from './outbox.ts';
import type { Clock, Log } from './ports.ts';
import {
  CLOSE_REPLACED,
  CLOSE_TOO_OLD,
  FRAME_BYTES_MAX,
  frameToRelay,
  parseFrame,
  PING,
  PING_INTERVAL_MS,
  PONG,
  PROTOCOL_VERSION,
  type FrameFromRelay,
  type FrameToRelay,
  type Hello,
} from './protocol.ts';

export type LinkOptions = {
  /** Address of the worker: http, https, ws or wss. */
  readonly url: string;
  readonly relayId: string;
  readonly secret: string;
};

export type LinkHandlers = {
  /** What `hello` says about this moment. */
  state: () => Pick<Hello, 'capacity' | 'draining' | 'accepts' | 'calls'>;
  /** A frame that concerns calls. */
  onFrame: (frame: FrameToRelay) => void;
  /** Another relay has taken our place; the worker has ended our calls. Said once. */
  onReplaced?: () => void;
};

/** Longest pause between two dials, in ms; each is drawn at random from the second half, so that relays spread. */
const REDIAL_MS_MAX = 5_000;
const REDIAL_MS_FIRST = 250;

/** A connection that breaks before this breaks too soon: pauses grow from one such to the next, in ms. */
const STEADY_MS = 5_000;

/** What somebody has to put right before dialling again can help, by HTTP status or close code. */
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [401, 'RELAY_ID and RELAY_SECRET: the worker does not know this pair'],
  [403, 'RELAY_ID and RELAY_SECRET: the worker does not know this pair'],
  [CLOSE_TOO_OLD, 'the version of this relay: the worker does not speak its protocol any more'],
]);

/** Pause after a refusal, in ms: nothing heals by itself within seconds. */
const REDIAL_REFUSED_MS = 30_000;

/** Why a relay that was replaced does nothing any more: dialling again would replace the other one, and so on in turns. */
export const REPLACED = 'another relay is running under the same RELAY_ID';

/** A worker that leaves this much unread is gone, whatever it still says. All that waits in the outbox is less. */
const UNSENT_BYTES_MAX = 64 * 1024 * 1024;

/** What can as well be left out is not added to this much that the worker has left unread. */
const UNREAD_BYTES_MAX = 1024 * 1024;

/** From dialling to `welcome`, in ms. */
const WELCOME_MS_MAX = 10_000;

/** The socket to the worker, over all its reconnects. */
export class Link {
  readonly #options: LinkOptions;
  readonly #instance: string;
  readonly #handlers: LinkHandlers;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #outbox = new Outbox();
  #socket: WebSocket | undefined;
  #isWelcome = false;
  #isStopped = false;
  #isReplaced = false;
  #welcomedAtMs = 0;
  #failures = 0;
  /** Connections in a row that broke too soon. */
  #breaks = 0;
  #redial: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #heardAtMs = 0;
  #onFlushed: (() => void) | undefined;

  /** @param instance new for every start of the process */
  constructor(
    options: LinkOptions,
    instance: string,
    handlers: LinkHandlers,
    clock: Clock,
    log: Log,
  ) {
    this.#options = options;
    this.#instance = instance;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#log = log;
  }

  /** The worker has welcomed us on the present socket. */
  get isConnected(): boolean {
    return this.#isWelcome;
  }

  /** Another relay has taken our place; this is for good. */
  get isReplaced(): boolean {
    return this.#isReplaced;
  }

  /** Events that the worker has not acknowledged, and those given up so far. */
  get outbox(): Pick<Outbox, 'size' | 'dropped'> {
    return this.#outbox;
  }

  start(): void {
    this.#dial();
  }

  /** Reports an event; it is sent again after every reconnect until acknowledged. */
  emit(event: NewEvent): void {
    const droppedBefore = this.#outbox.dropped;
    const numbered = this.#outbox.add(event, this.#clock.wallMs());
    if (this.#outbox.dropped > droppedBefore)
      this.#log.error({ dropped: this.#outbox.dropped }, 'link.event-dropped');
    if (this.#isWelcome) this.#send(numbered);
  }

  /** Reports something that `hello` or the next report makes up for; dropped while not connected. */
  report(frame: Exclude<FrameFromRelay, { seq: number }>): void {
    if (this.#isWelcome) this.#send(frame);
  }

  /** Reports something that is of no use later: dropped also while the worker has left much unread. */
  offer(frame: Exclude<FrameFromRelay, { seq: number }>): void {
    if ((this.#socket?.bufferedAmount ?? 0) < UNREAD_BYTES_MAX) this.report(frame);
  }

  /** Resolves when the worker has acknowledged every event, after `withinMs`, or at once when it will not hear us any more. */
  async flush(withinMs: number): Promise<void> {
    if (this.#outbox.size === 0 || this.#isReplaced) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onFlushed = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }

  /** Closes for good. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#redial);
    clearInterval(this.#watch);
    this.#socket?.close(1001);
    this.#isWelcome = false;
  }

  #dial(): void {
    if (this.#isStopped) return;
    const socket = new WebSocket(connectUrl(this.#options), {
      headers: { authorization: `Bearer ${this.#options.secret}` },
      handshakeTimeout: WELCOME_MS_MAX,
      maxPayload: FRAME_BYTES_MAX,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    this.#heardAtMs = this.#clock.nowMs();
    let detail = 'closed';
    let refusedStatus = 0;
    socket.on('open', () => {
      this.#send({
        type: 'hello',
        relay_id: this.#options.relayId,
        instance: this.#instance,
        protocol: PROTOCOL_VERSION,
        ...this.#handlers.state(),
      });
      this.#watchOver(socket);
    });
    socket.on('message', (data: Buffer, isBinary) => {
      this.#heardAtMs = this.#clock.nowMs();
      if (!isBinary) this.#receive(data.toString('utf8'));
    });
    socket.on('unexpected-response', (_request, response) => {
      refusedStatus = response.statusCode ?? 0;
      detail = `refused with ${refusedStatus}`;
      // `ws` leaves the request to whoever listens for this.
      response.resume();
      socket.terminate();
    });
    socket.on('error', (error) => {
      if (refusedStatus === 0) detail = error.message;
    });
    socket.on('close', (code) => this.#lost(socket, detail, refusedStatus || code));
  }

  #lost(socket: WebSocket, detail: string, code: number): void {
    if (socket !== this.#socket || this.#isStopped) return;
    const wasWelcome = this.#isWelcome;
    const wasSteady = wasWelcome && this.#clock.nowMs() - this.#welcomedAtMs >= STEADY_MS;
    this.#isWelcome = false;
    clearInterval(this.#watch);
    // Without a welcome it may be an earlier connection of our own that the worker has heard late.
    if (code === CLOSE_REPLACED && wasWelcome) {
      this.#replaced();
      return;
    }
    if (wasWelcome) this.#failures = this.#breaks = wasSteady ? 0 : this.#breaks + 1;
    else this.#failures += 1;
    const isRefused = REFUSALS.has(code);
    const delayMs = isRefused ? REDIAL_REFUSED_MS : this.#redialDelayMs();
    const fields = { code, detail, redial_ms: Math.round(delayMs) };
    if (isRefused) {
      this.#log.error({ ...fields, check: REFUSALS.get(code) }, 'link.refused');
    } else {
      this.#log.warn(fields, 'link.lost');
    }
    this.#redial = setTimeout(() => this.#dial(), delayMs);
  }

  #replaced(): void {
    this.#isReplaced = true;
    const check = 'give each relay a RELAY_ID of its own, then restart this one';
    this.#log.error({ problem: REPLACED, check }, 'link.replaced');
    this.#handlers.onReplaced?.();
  }

  /** At once after a connection that worked, then doubling up to the limit. */
  #redialDelayMs(): number {
    if (this.#failures === 0) return 0;
    const longest = Math.min(REDIAL_MS_MAX, REDIAL_MS_FIRST * 2 ** (this.#failures - 1));
    return longest * (0.5 + Math.random() / 2);
  }

  #watchOver(socket: WebSocket): void {
    clearInterval(this.#watch);
    // From the first one on the worker knows that our silence means something.
    socket.send(PING);
    const openedAtMs = this.#clock.nowMs();
    this.#watch = setInterval(() => {
      const nowMs = this.#clock.nowMs();
      const isUnwelcome = !this.#isWelcome && nowMs - openedAtMs > WELCOME_MS_MAX;
      if (isUnwelcome || nowMs - this.#heardAtMs > 3 * PING_INTERVAL_MS) {
        this.#log.warn({ unwelcome: isUnwelcome }, 'link.silent');
        socket.terminate();
      } else if (socket.readyState === WebSocket.OPEN) {
        socket.send(PING);
      }
    }, PING_INTERVAL_MS);
  }

  #receive(text: string): void {
    if (text === PONG) return;
    const parsed = parseFrame(frameToRelay, text);
    if (!parsed.ok) {
      // A newer worker may say things that this version does not know.
      const level = parsed.kind === 'unknown' ? 'info' : 'error';
      this.#log[level]({ kind: parsed.kind, problem: parsed.message }, 'link.frame-ignored');
      return;
    }
    const { frame } = parsed;
    if (frame.type === 'welcome') this.#welcomed();
    else if (frame.type === 'ack') this.#acknowledged(frame.seq);
    else if (frame.type === 'refused') this.#refused(frame.seq, frame.message);
    else this.#deliver(frame);
  }

  #welcomed(): void {
    this.#isWelcome = true;
    this.#welcomedAtMs = this.#clock.nowMs();
    this.#log.info({ resent: this.#outbox.size }, 'link.connected');
    for (const event of this.#outbox.pending()) this.#send(event);
  }

  #acknowledged(seq: number): void {
    this.#outbox.acknowledge(seq);
    if (this.#outbox.size === 0) this.#onFlushed?.();
  }

  #refused(seq: number, problem: string): void {
    const event = this.#outbox.remove(seq);
    if (!event) return;
    this.#log.error({ event: event.type, call_id: event.call_id, problem }, 'link.event-refused');
    if (this.#outbox.size === 0) this.#onFlushed?.();
  }

  #deliver(frame: FrameToRelay): void {
    try {
      this.#handlers.onFrame(frame);
    } catch (error) {
      this.#log.error({ err: error, frame: frame.type }, 'link.frame-failed');
    }
  }

  #send(frame: FrameFromRelay): void {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > UNSENT_BYTES_MAX) socket.terminate();
    else socket.send(JSON.stringify(frame));
  }
}

function connectUrl({ url, relayId }: LinkOptions): URL {
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^http/, 'ws');
  target.pathname = `${target.pathname.replace(/\/$/, '')}/v1/relays/${encodeURIComponent(relayId)}/connect`;
  return target;
}
