// An ICE-lite agent on one UDP port: it answers connectivity checks and never sends one. This is how Meta's media host
// behaves, and what two full agents on loopback would hide.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes, randomInt } from 'node:crypto';
import {
  isAuthentic,
  isStun,
  parseBindingRequest,
  writeBindingError,
  writeBindingSuccess,
  type Address,
} from './stun.ts';

/** What the agent saw on the wire, for reports and for tests that must not fail silently. */
export type IceCounts = {
  /** Checks that came before the answer was known and were ignored. */
  early: number;
  /** Checks answered with success. */
  answered: number;
  /** Checks refused: wrong user name, wrong password, or the controlled role. */
  refused: number;
  /** STUN requests sent. An ICE-lite agent sends none; counted where datagrams leave. */
  requestsSent: number;
  /** How often the peer nominated another address after the first. Provider: "Integration patterns", read 2026-06: never. */
  pairSwitches: number;
};

const ALPHANUMERICS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The media host's side of ICE. It is deaf until `start`, as Meta is until it has processed the answer. */
export class IceLiteAgent {
  // Observed: published captures of Meta's offers (2025-10 and 2026-10): 16 alphanumerics, and a password of 16 bytes in
  // base64 with its padding, which is outside the characters of RFC 8839 and still part of the STUN key.
  readonly ufrag = Array.from({ length: 16 }, () => ALPHANUMERICS[randomInt(62)]).join('');
  readonly password = randomBytes(16).toString('base64');
  readonly counts: IceCounts = {
    early: 0,
    answered: 0,
    refused: 0,
    requestsSent: 0,
    pairSwitches: 0,
  };
  /** Settles when the peer has nominated an address; stays pending when the agent closes before. */
  readonly nominated: Promise<void>;
  /** So many authentic checks are still refused with 487. */
  roleConflicts = 0;
  /** Called with every datagram that is not STUN, from an address that passed a check. */
  onDatagram: (datagram: Buffer) => void = () => {};

  readonly #socket: Socket;
  readonly #checked = new Set<string>();
  #peer: Address | undefined;
  #speaker: Address | undefined;
  #peerUfrag: string | undefined;
  #closed = false;
  #nominate: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.nominated = new Promise((resolve) => (this.#nominate = resolve));
    socket.on('message', (datagram, source) =>
      this.#receive(datagram, { host: source.address, port: source.port }),
    );
    // A closed port on the other side (ICMP) is no reason to fall: the peer may be starting, or gone.
    socket.on('error', () => {});
  }

  /** @param bind IPv4 address to listen on; the port is any free one unless given */
  static async create(bind: string, port = 0): Promise<IceLiteAgent> {
    const socket = createSocket('udp4');
    socket.bind(port, bind);
    await once(socket, 'listening');
    return new IceLiteAgent(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** The address the peer nominated, once it has. */
  get peer(): Address | undefined {
    return this.#peer;
  }

  /** From now on checks made for this user fragment of the peer are answered. */
  start(peerUfrag: string): void {
    this.#peerUfrag = peerUfrag;
  }

  /**
   * Sends to the nominated address, until then to the checked address that last sent something: libjuice starts DTLS on a
   * pair as soon as its check succeeded, just before it nominates it. With neither, or after `close`, nothing is sent.
   */
  send(datagram: Buffer): void {
    const to = this.#peer ?? this.#speaker;
    if (to) this.#write(datagram, to);
  }

  /** Frees the port. Safe to repeat. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  #receive(datagram: Buffer, source: Address): void {
    if (isStun(datagram)) this.#check(datagram, source);
    else if (this.#checked.has(`${source.host}:${source.port}`)) {
      this.#speaker = source;
      this.onDatagram(datagram);
    }
  }

  #check(datagram: Buffer, source: Address): void {
    const request = parseBindingRequest(datagram);
    if (!request) return;
    if (this.#peerUfrag === undefined) {
      this.counts.early++;
      return;
    }
    const refuse = (code: 401 | 487) => {
      this.counts.refused++;
      this.#write(writeBindingError(request.transactionId, code, this.password), source);
    };
    const named = request.username === `${this.ufrag}:${this.#peerUfrag}`;
    if (!named || !isAuthentic(datagram, this.password)) return refuse(401);
    // Spec: RFC 8445 section 6.1.1: the full agent controls when the other one is lite.
    if (request.role === 'controlled') return refuse(487);
    if (this.roleConflicts > 0) {
      this.roleConflicts--;
      return refuse(487);
    }
    this.counts.answered++;
    this.#checked.add(`${source.host}:${source.port}`);
    this.#write(writeBindingSuccess(request.transactionId, source, this.password), source);
    if (request.useCandidate) this.#select(source);
  }

  #select(source: Address): void {
    if (this.#peer && (this.#peer.host !== source.host || this.#peer.port !== source.port)) {
      this.counts.pairSwitches++;
    }
    this.#peer = source;
    this.#nominate();
  }

  #write(datagram: Buffer, to: Address): void {
    if (this.#closed) return;
    if (parseBindingRequest(datagram)) this.counts.requestsSent++;
    this.#socket.send(datagram, to.port, to.host);
  }
}
