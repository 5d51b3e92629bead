// Signalling with a LiveKit server: one WebSocket of protobuf messages. Knows nothing of tracks or audiences.
import {
  ClientInfo,
  ClientInfo_SDK,
  ConnectionSettings,
  JoinRequest,
  Ping,
  SignalRequest,
  SignalResponse,
  WrappedJoinRequest,
  type JoinResponse,
} from '@livekit/protocol';
import { WebSocket } from 'ws';

/** The newest version of the client protocol that this client follows. Spec: livekit-server pkg/types/protocol_version.go. */
const PROTOCOL = 16;

/** Long enough for a far server, short enough to try again within the time a caller waits. */
const DIAL_MS_MAX = 3_000;

/** livekit-server's own limit for one signalling message is 2 MiB. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Somebody who says this much that is no message of the protocol is no LiveKit server. */
const UNREADABLE_MAX = 100;

/** Used when the server does not name its own. Spec: livekit-server defaults, 5 s and 15 s. */
const PING_INTERVAL_S = 5;
const PING_TIMEOUT_S = 15;
const PING_S_MAX = 120;

/** A server that leaves this much of ours unread is gone. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;

export type SignalMessage = SignalResponse['message'];
export type SignalRequestMessage = NonNullable<
  NonNullable<ConstructorParameters<typeof SignalRequest>[0]>['message']
>;

/** Why a server could not be joined. `status` is its HTTP answer; 0 when there was none. */
export class JoinRefused extends Error {
  override readonly name = 'JoinRefused';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type SignalHandlers = {
  onMessage: (message: SignalMessage) => void;
  /** A frame that is no message of this protocol; it was ignored. */
  onUnreadable: () => void;
  /** The connection is gone; said once, not after `close`. */
  onClose: (detail: string) => void;
};

/**
 * Spec: livekit-server pkg/service/rtcservice.go: `/rtc/v1` takes the join request as base64url **with** padding of a
 * WrappedJoinRequest, and means one peer connection for both directions on which only the client offers.
 */
function joinUrl(url: string): URL {
  const join = new JoinRequest({
    clientInfo: new ClientInfo({
      sdk: ClientInfo_SDK.UNKNOWN,
      protocol: PROTOCOL,
      os: process.platform,
    }),
    connectionSettings: new ConnectionSettings({ autoSubscribe: false, adaptiveStream: false }),
  });
  const wrapped = new WrappedJoinRequest({ joinRequest: join.toBinary() });
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^http/, 'ws');
  target.pathname = `${target.pathname.replace(/\/$/, '')}/rtc/v1`;
  const encoded = Buffer.from(wrapped.toBinary()).toString('base64');
  target.searchParams.set('join_request', encoded.replaceAll('+', '-').replaceAll('/', '_'));
  return target;
}

/** What the server names, if it makes sense as the time between pings. */
const secondsOf = (named: number, usual: number): number =>
  named >= 1 && named <= PING_S_MAX ? named : usual;

function readMessage(data: Buffer): SignalMessage | undefined {
  try {
    return SignalResponse.fromBinary(data).message;
  } catch {
    return undefined;
  }
}

/** One signalling connection. */
export class LiveKitSignal {
  /** The newest token the server has given us, for joining again. */
  token: string;
  readonly #socket: WebSocket;
  readonly #handlers: SignalHandlers;
  #isClosed = false;
  #pinger: NodeJS.Timeout | undefined;
  /** What came before `start`; one read of the socket may hold several messages. */
  #early: SignalMessage[] | undefined = [];
  #heardAtMs = performance.now();
  #unreadable = 0;

  private constructor(socket: WebSocket, token: string, handlers: SignalHandlers) {
    this.#socket = socket;
    this.token = token;
    this.#handlers = handlers;
  }

  /**
   * Joins a room.
   *
   * @throws JoinRefused when the server cannot be reached or refuses
   */
  static async join(
    url: string,
    token: string,
    handlers: SignalHandlers,
  ): Promise<{ signal: LiveKitSignal; join: JoinResponse }> {
    const socket = new WebSocket(joinUrl(url), {
      // A header, because query strings end up in access logs.
      headers: { authorization: `Bearer ${token}` },
      handshakeTimeout: DIAL_MS_MAX,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
    });
    const signal = new LiveKitSignal(socket, token, handlers);
    const join = await signal.#firstMessage();
    signal.#keepAlive(join);
    return { signal, join };
  }

  /** Delivers what has come since the join, and everything after it. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.#receive(message);
  }

  send(message: SignalRequestMessage): void {
    if (this.#isClosed || this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#socket.bufferedAmount > UNSENT_BYTES_MAX) this.#socket.terminate();
    this.#socket.send(new SignalRequest({ message }).toBinary());
  }

  /** Closes after what was sent has gone out. Harmless when repeated. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pinger);
    this.#socket.close();
  }

  #firstMessage(): Promise<JoinResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new JoinRefused(0, 'no answer in time')), DIAL_MS_MAX);
      let isJoined = false;
      const fail = (error: JoinRefused) => {
        clearTimeout(timer);
        this.#isClosed = true;
        this.#socket.terminate();
        reject(error);
      };
      this.#socket.on('unexpected-response', (_request, response) => {
        fail(new JoinRefused(response.statusCode ?? 0, `refused with ${response.statusCode}`));
      });
      this.#socket.on('error', (error) => {
        if (!isJoined) fail(new JoinRefused(0, error.message));
      });
      this.#socket.on('close', (code) => {
        clearTimeout(timer);
        if (isJoined) this.#lose(`signalling closed with ${code}`);
        else fail(new JoinRefused(0, `closed with ${code}`));
      });
      this.#socket.on('message', (data: Buffer) => {
        this.#heardAtMs = performance.now();
        const message = readMessage(data);
        if (!message) {
          this.#unreadable += 1;
          if (this.#unreadable > UNREADABLE_MAX) this.#socket.terminate();
          else this.#handlers.onUnreadable();
        } else if (isJoined) {
          this.#receive(message);
        } else if (message.case === 'join') {
          isJoined = true;
          clearTimeout(timer);
          resolve(message.value);
        }
      });
    });
  }

  #receive(message: SignalMessage): void {
    if (this.#isClosed) return;
    if (message.case === 'refreshToken') this.token = message.value;
    else if (this.#early) this.#early.push(message);
    else this.#handlers.onMessage(message);
  }

  #keepAlive(join: JoinResponse): void {
    const intervalMs = secondsOf(join.pingInterval, PING_INTERVAL_S) * 1000;
    const timeoutMs = secondsOf(join.pingTimeout, PING_TIMEOUT_S) * 1000;
    this.#pinger = setInterval(() => {
      if (performance.now() - this.#heardAtMs > timeoutMs) {
        this.#socket.terminate();
        this.#lose('signalling went silent');
        return;
      }
      this.send({ case: 'pingReq', value: new Ping({ timestamp: BigInt(Date.now()) }) });
    }, intervalMs);
  }

  #lose(detail: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pinger);
    this.#handlers.onClose(detail);
  }
}
