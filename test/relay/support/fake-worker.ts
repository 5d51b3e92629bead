// A worker that only speaks the relay protocol: it records what relays say and says what a test wants.
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import {
  CLOSE_REPLACED,
  frameFromRelay,
  frameToRelay,
  parseFrame,
  PING,
  PONG,
  PROTOCOL_VERSION,
  type Audience,
  type CallWant,
  type FrameFromRelay,
  type FrameToRelay,
  type Hello,
  type RelayEvent,
} from '../../../relay/protocol.ts';
import { until } from './until.ts';

type EventOf<Type extends RelayEvent['type']> = Extract<RelayEvent, { type: Type }>;

const AGENTS_ONLY: Audience = { named: [], excluded: [], ai: false, everyone: false };

export type BroughtRecording = { headers: IncomingHttpHeaders; file: Buffer };

/** What a test changes of a wanted state. */
export type WantChange = Partial<Omit<CallWant, 'type' | 'call_id' | 'rev' | 'audience'>> & {
  audience?: Partial<Audience>;
};

export const isEvent = (frame: FrameFromRelay): frame is RelayEvent => 'seq' in frame;

export class FakeWorker {
  /** Every frame of every connection, in order of arrival. */
  readonly frames: FrameFromRelay[] = [];
  /** `false` leaves events unacknowledged. */
  acknowledges = true;
  /** Close code with which the next `hello` is answered. */
  closeHelloWith: number | undefined;
  /** Files of prompts, by id; what is not here is 404. */
  readonly prompts = new Map<string, Uint8Array>();
  /** Ids of prompts that were asked for. */
  readonly promptsAsked: string[] = [];
  /** HTTP status to refuse the next upgrades with. */
  refuseWith: number | undefined;
  /** Recordings that relays have brought, by call. */
  readonly recordings = new Map<string, BroughtRecording>();
  /** HTTP status with which recordings are refused. */
  refuseRecordingsWith: number | undefined;
  readonly #server = createServer();
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #secret: string;
  #socket: WebSocket | undefined;
  /** Which relay process is behind a socket, from its `hello` on. */
  readonly #relays = new Map<WebSocket, { id: string; instance: string }>();
  #revs = new Map<string, CallWant>();

  private constructor(secret: string) {
    this.#secret = secret;
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.method === 'PUT') {
        void this.#takeRecording(request).then((status) => response.writeHead(status).end());
        return;
      }
      const isKnown = request.headers.authorization === `Bearer ${this.#secret}`;
      const id = /^\/v1\/relays\/[\w.-]+\/prompts\/([\w.-]+)$/.exec(request.url ?? '')?.[1] ?? '';
      this.promptsAsked.push(id);
      const file = isKnown ? this.prompts.get(id) : undefined;
      response.writeHead(file ? 200 : 404).end(file);
    });
    this.#server.on('upgrade', (request, socket, head) => {
      const isKnown = request.headers.authorization === `Bearer ${this.#secret}`;
      const status = this.refuseWith ?? (isKnown ? undefined : 401);
      if (status !== undefined || !/^\/v1\/relays\/[\w.-]+\/connect$/.test(request.url ?? '')) {
        socket.end(`HTTP/1.1 ${status ?? 404} Refused\r\nconnection: close\r\n\r\n`);
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted));
    });
  }

  static async start(secret: string, port = 0): Promise<FakeWorker> {
    const worker = new FakeWorker(secret);
    worker.#server.listen(port, '127.0.0.1');
    await once(worker.#server, 'listening');
    return worker;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Sends one frame; refuses what the protocol does not know, so that tests cannot drift from it.
   *
   * @param relayId whom; the one that connected last when absent
   */
  send(frame: FrameToRelay, relayId?: string): void {
    reply(this.#socketOf(relayId), frame);
  }

  /** Sends text as it is. */
  sendText(text: string): void {
    this.#socket?.send(text);
  }

  /** Changes a call's wanted state; what is not named stays as it was, but an audience is replaced as a whole. */
  want(callId: string, change: WantChange): CallWant {
    const { audience, ...rest } = change;
    const before = this.#revs.get(callId) ?? {
      type: 'call.want' as const,
      call_id: callId,
      rev: 0,
      connect: false,
      open: false,
      audience: AGENTS_ONLY,
      hold: false,
      playing: null,
      recording: 'off' as const,
      transfer: null,
    };
    const next: CallWant = {
      ...before,
      ...rest,
      ...(audience === undefined ? {} : { audience: { ...AGENTS_ONLY, ...audience } }),
      rev: before.rev + 1,
    };
    this.#revs.set(callId, next);
    this.send(next);
    return next;
  }

  /** Breaks the socket without a close frame. @param relayId whose; of the one that connected last when absent */
  cut(relayId?: string): void {
    this.#socketOf(relayId)?.terminate();
    if (relayId === undefined) this.#socket = undefined;
  }

  async #takeRecording(request: IncomingMessage): Promise<number> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [, callId] =
      /^\/v1\/relays\/[\w.-]+\/recordings\/([\w-]+)$/.exec(request.url ?? '') ?? [];
    const isKnown = request.headers.authorization === `Bearer ${this.#secret}`;
    if (callId === undefined || !isKnown) return 404;
    if (this.refuseRecordingsWith !== undefined) return this.refuseRecordingsWith;
    this.recordings.set(callId, { headers: request.headers, file: Buffer.concat(chunks) });
    return 200;
  }

  events(callId?: string): RelayEvent[] {
    return this.frames.filter(isEvent).filter((event) => !callId || event.call_id === callId);
  }

  /** The first event of a type about a call, waiting for it if need be. */
  async event<Type extends RelayEvent['type']>(
    callId: string,
    type: Type,
    where: (event: EventOf<Type>) => boolean = () => true,
    withinMs?: number,
  ): Promise<EventOf<Type>> {
    const isIt = (event: RelayEvent): event is EventOf<Type> =>
      event.type === type && where(event as EventOf<Type>);
    return await until(`${type} of ${callId}`, () => this.events(callId).find(isIt), withinMs);
  }

  /** Drops what was heard and wanted of a call that is over, for runs with many. */
  forget(callId: string): void {
    this.#revs.delete(callId);
    const others = this.frames.filter((frame) => !('call_id' in frame) || frame.call_id !== callId);
    this.frames.splice(0, this.frames.length, ...others);
  }

  hellos(): Hello[] {
    return this.frames.filter((frame): frame is Hello => frame.type === 'hello');
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #socketOf(relayId: string | undefined): WebSocket | undefined {
    if (relayId === undefined) return this.#socket;
    return [...this.#relays].find(([, { id }]) => id === relayId)?.[0];
  }

  /** As the worker does: a new process takes the place of an older one under the same id. */
  #greet(socket: WebSocket, { relay_id: id, instance }: Hello): void {
    if (this.closeHelloWith !== undefined) {
      socket.close(this.closeHelloWith);
      this.closeHelloWith = undefined;
      return;
    }
    for (const [other, its] of this.#relays)
      if (its.id === id && its.instance !== instance) other.close(CLOSE_REPLACED);
    this.#relays.set(socket, { id, instance });
    reply(socket, { type: 'welcome', protocol: PROTOCOL_VERSION });
  }

  #accept(socket: WebSocket): void {
    this.#socket = socket;
    socket.on('close', () => this.#relays.delete(socket));
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text === PING) {
        socket.send(PONG);
        return;
      }
      const parsed = parseFrame(frameFromRelay, text);
      if (!parsed.ok) throw new Error(`the relay broke the protocol: ${parsed.message}`);
      this.frames.push(parsed.frame);
      if (parsed.frame.type === 'hello') this.#greet(socket, parsed.frame);
      else if (isEvent(parsed.frame) && this.acknowledges) {
        reply(socket, { type: 'ack', seq: parsed.frame.seq });
      }
    });
  }
}

function reply(socket: WebSocket | undefined, frame: FrameToRelay): void {
  frameToRelay.parse(frame);
  socket?.send(JSON.stringify(frame));
}
