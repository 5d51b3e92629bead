// A UDP path between a relay and a simulated phone that loses, delays and overtakes datagrams, and that hides the relay behind
// addresses of its own, as a NAT without a forwarded port does. In user space, so that it needs neither root nor a kernel with
// `tc netem`. Loopback only.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { randomFrom } from '../bench/random.ts';

const HOST = '127.0.0.1';

export type Hardness = {
  /** Share of datagrams that never arrive, 0 to 1. */
  readonly loss?: number;
  /** One way, in ms. */
  readonly delayMs?: number;
  /** Standard deviation of the delay, in ms, normally distributed; datagrams overtake each other. */
  readonly jitterMs?: number;
  /** Share of datagrams that are held back for `HELD_BACK_MS` while those behind them pass, 0 to 1. */
  readonly reordered?: number;
};

/** Two frames and a half: whoever is held back is overtaken by two. */
const HELD_BACK_MS = 50;

/** What became of RTP packets in one direction. */
export type MediaCounts = { sent: number; lost: number };

export class HardPath {
  readonly toPhone: MediaCounts = { sent: 0, lost: 0 };
  readonly toRelay: MediaCounts = { sent: 0, lost: 0 };
  readonly #front: Socket;
  readonly #hardness: Required<Hardness>;
  readonly #random = randomFrom(20_261_123);
  /** What the NAT has mapped: for each address of the relay the socket that the phone sees. */
  readonly #mapped = new Map<string, Promise<Socket>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #phonePort = 0;

  private constructor(front: Socket, hardness: Hardness) {
    this.#front = front;
    this.#hardness = { loss: 0, delayMs: 0, jitterMs: 0, reordered: 0, ...hardness };
    front.on('message', (datagram, source) => {
      void this.#mappedFor(source).then((socket) =>
        this.#carry(datagram, this.toPhone, () => socket.send(datagram)),
      );
    });
  }

  static async start(hardness: Hardness): Promise<HardPath> {
    return new HardPath(await bound(), hardness);
  }

  /** Where the relay sends to. */
  get port(): number {
    return this.#front.address().port;
  }

  /** From now on it leads to this port. */
  leadTo(phonePort: number): void {
    this.#phonePort = phonePort;
  }

  /** The ports from which the phone hears the relay. */
  async mappedPorts(): Promise<number[]> {
    const sockets = await Promise.all(this.#mapped.values());
    return sockets.map((socket) => socket.address().port);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#front.close();
    for (const socket of await Promise.all(this.#mapped.values())) socket.close();
  }

  #mappedFor(relay: RemoteInfo): Promise<Socket> {
    const key = `${relay.address}:${relay.port}`;
    const mapped = this.#mapped.get(key) ?? this.#map(relay);
    this.#mapped.set(key, mapped);
    return mapped;
  }

  async #map(relay: RemoteInfo): Promise<Socket> {
    const socket = await bound();
    // Connected: what comes from anybody else than the phone is dropped.
    socket.connect(this.#phonePort, HOST);
    await once(socket, 'connect');
    socket.on('message', (datagram) =>
      this.#carry(datagram, this.toRelay, () =>
        this.#front.send(datagram, relay.port, relay.address),
      ),
    );
    return socket;
  }

  #carry(datagram: Buffer, counts: MediaCounts, send: () => void): void {
    const { loss, delayMs, jitterMs, reordered } = this.#hardness;
    const isLost = this.#random.next() < loss;
    if (isRtp(datagram)) {
      counts.sent += 1;
      if (isLost) counts.lost += 1;
    }
    if (isLost) return;
    const heldBackMs = this.#random.next() < reordered ? HELD_BACK_MS : 0;
    const waitMs = Math.max(0, delayMs + jitterMs * this.#normal() + heldBackMs);
    if (waitMs === 0) {
      send();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      send();
    }, waitMs);
    this.#timers.add(timer);
  }

  /** Box and Muller's way to a normal distribution. */
  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.#random.next()));
    return radius * Math.cos(2 * Math.PI * this.#random.next());
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  // The other side may be gone: what cannot be delivered is lost, as on any path.
  socket.on('error', () => {});
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

/** Spec: RFC 7983 section 7 tells media by its first byte, RFC 5761 section 4 RTCP by its second. */
function isRtp(datagram: Buffer): boolean {
  const [first = 0, second = 0] = datagram;
  return first >= 128 && first <= 191 && !(second >= 192 && second <= 223);
}
