// A LiveKit server as far as joining goes: it welcomes whoever comes, answers offers with a peer of its own, and then says
// whatever a test wants.
import {
  JoinResponse,
  ParticipantInfo,
  SessionDescription,
  SignalRequest,
  SignalResponse,
  TrickleRequest,
} from '@livekit/protocol';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PeerConnection } from 'node-datachannel';
import { WebSocketServer, type WebSocket } from 'ws';

/** One connection of a client. */
export class FakeSeat {
  /** Everything the client has said. */
  readonly requests: SignalRequest['message'][] = [];
  readonly #socket: WebSocket;
  #peer: PeerConnection | undefined;

  constructor(socket: WebSocket, answers: boolean) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const { message } = SignalRequest.fromBinary(data);
      this.requests.push(message);
      if (answers && message.case === 'offer') this.#answer(message.value);
    });
    socket.on('close', () => this.#peer?.close());
  }

  /** Sends one message. */
  say(message: SignalResponse['message']): void {
    this.sayBytes(new SignalResponse({ message }).toBinary());
  }

  /** Sends bytes as they are. */
  sayBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes);
  }

  welcome(join: Partial<JoinResponse> = {}): void {
    const participant = new ParticipantInfo({ identity: 'caller', sid: 'PA_caller' });
    this.say({ case: 'join', value: new JoinResponse({ participant, ...join }) });
  }

  close(): void {
    this.#socket.close();
  }

  /** Applies an offer, with or without media behind it. */
  #answer({ sdp, id }: SessionDescription): void {
    if (this.#peer) return;
    const peer = new PeerConnection('fake', { iceServers: [], bindAddress: '127.0.0.1' });
    this.#peer = peer;
    peer.onLocalDescription((answer) =>
      this.say({
        case: 'answer',
        value: new SessionDescription({ type: 'answer', sdp: answer, id }),
      }),
    );
    peer.onLocalCandidate((candidate, sdpMid) =>
      this.say({
        case: 'trickle',
        value: new TrickleRequest({ candidateInit: JSON.stringify({ candidate, sdpMid }) }),
      }),
    );
    peer.setRemoteDescription(sdp, 'offer');
  }
}

export class FakeLiveKit {
  /** What happens to the next clients; the usual one welcomes them. */
  onSeat: (seat: FakeSeat) => void = (seat) => seat.welcome();
  /** `false` leaves offers unanswered, so that no media comes about. */
  answers = true;
  readonly #server = createServer();
  readonly #sockets = new WebSocketServer({ server: this.#server });

  private constructor() {
    this.#sockets.on('connection', (socket) => this.onSeat(new FakeSeat(socket, this.answers)));
  }

  static async start(): Promise<FakeLiveKit> {
    const livekit = new FakeLiveKit();
    livekit.#server.listen(0, '127.0.0.1');
    await once(livekit.#server, 'listening');
    return livekit;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
