// The connection to the provider's media relay, by libdatachannel. Knows nothing of calls or rooms.
import { PeerConnection, type Track } from 'node-datachannel';
import { randomBytes, randomInt } from 'node:crypto';
import { readLocalTransport, writeAnswer, writeOfferForLibrary } from '../domain/sdp-write.ts';
import type { Candidate, Offer } from '../domain/sdp.ts';
import type { Leg, LegHandlers, Log, OpenLeg } from '../ports.ts';
import { attempt, guarded, guardedPacket } from './guard.ts';

export type WhatsappLegOptions = {
  /** UDP ports, inclusive; each call takes one. */
  readonly ports: { readonly first: number; readonly last: number };
  /** Local address to bind to; every interface but loopback without it. */
  readonly bindAddress: string | undefined;
  /** Address that the provider reaches us at when it differs from the bound one, such as behind a port forward. */
  readonly publicAddress: string | undefined;
};

/** Binding a socket takes a few ms; a host that needs longer has no usable interface. */
const GATHER_MS_MAX = 2_000;

/** Makes the function that prepares one leg per call. */
export const createOpenLeg =
  (options: WhatsappLegOptions, log: Log): OpenLeg =>
  async (offer, identity, handlers) => {
    const peer = new PeerConnection('whatsapp', {
      iceServers: [],
      // No enableIceUdpMux: the library's port mux learns addresses from STUN requests only, and an ICE-lite peer sends none.
      portRangeBegin: options.ports.first,
      portRangeEnd: options.ports.last,
      ...(options.bindAddress === undefined ? {} : { bindAddress: options.bindAddress }),
      disableAutoNegotiation: true,
    });
    const leg = new WhatsappLeg(peer, offer, handlers, log);
    try {
      const local = readLocalTransport(await leg.prepare());
      const own = local.candidates;
      const mapped = options.publicAddress;
      const [port] = own.map((candidate) => candidate.port);
      const candidates =
        mapped === undefined || port === undefined ? own : [{ address: mapped, port }, ...own];
      leg.answer = writeAnswer(offer, {
        ...local,
        candidates: candidates.filter(
          (candidate, index) =>
            index === candidates.findIndex((other) => other.address === candidate.address),
        ),
        ssrc: identity.ssrc,
        cname: identity.cname,
        streamId: randomBytes(8).toString('hex'),
        trackId: randomBytes(8).toString('hex'),
        sessionId: String(randomInt(1, 2 ** 47)),
      });
      return leg;
    } catch (error) {
      leg.close();
      throw error;
    }
  };

class WhatsappLeg implements Leg {
  answer = '';
  readonly #peer: PeerConnection;
  readonly #offer: Offer;
  readonly #handlers: LegHandlers;
  readonly #log: Log;
  #track: Track | undefined;
  #state: 'new' | 'connecting' | 'up' | 'closed' = 'new';

  constructor(peer: PeerConnection, offer: Offer, handlers: LegHandlers, log: Log) {
    this.#peer = peer;
    this.#offer = offer;
    this.#handlers = handlers;
    this.#log = log;
    peer.onTrack(guarded(log, 'leg.track-failed', (track) => this.#take(track)));
    peer.onStateChange(guarded(log, 'leg.state-failed', (state) => this.#changed(state)));
  }

  /** Applies the offer and gathers; resolves with the library's own description. */
  async prepare(): Promise<string> {
    const gathered = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('no local candidate in time')),
        GATHER_MS_MAX,
      );
      this.#peer.onGatheringStateChange((state) => {
        if (state !== 'complete') return;
        clearTimeout(timer);
        resolve();
      });
    });
    // The promise must have a reader even when one of the next two lines throws.
    gathered.catch(() => undefined);
    this.#peer.setRemoteDescription(writeOfferForLibrary(this.#offer), 'offer');
    this.#peer.setLocalDescription('answer');
    await gathered;
    return this.#peer.localDescription()?.sdp ?? '';
  }

  connect(): void {
    if (this.#state !== 'new') return;
    this.#state = 'connecting';
    let added = 0;
    for (const candidate of this.#offer.candidates) added += this.#add(candidate) ? 1 : 0;
    if (added === 0) this.#lose('no usable remote candidate');
  }

  send(bytes: Uint8Array): void {
    if (this.#state !== 'up' || !this.#track) return;
    try {
      // The library copies the bytes; its typings ask for a Buffer where any Uint8Array does.
      this.#track.sendMessageBinary(bytes as Buffer);
    } catch (error) {
      // The state change that explains it is on its way from the library's thread.
      this.#log.debug({ err: error }, 'leg.send-failed');
    }
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    attempt(this.#log, 'leg.close-failed', () => this.#track?.close());
    attempt(this.#log, 'leg.close-failed', () => this.#peer.close());
  }

  /** A host without IPv6 refuses IPv6 candidates; the others still do. */
  #add(candidate: Candidate): boolean {
    try {
      this.#peer.addRemoteCandidate(`a=${candidate.attribute}`, this.#offer.mid);
      return true;
    } catch (error) {
      this.#log.info({ err: error, ipv6: candidate.isIpv6 }, 'leg.candidate-refused');
      return false;
    }
  }

  #take(track: Track): void {
    this.#track = track;
    track.onMessage(
      guardedPacket(this.#log, 'leg.packet-failed', (bytes) => {
        if (this.#state !== 'closed') this.#handlers.onPacket(bytes);
      }),
    );
  }

  #changed(state: string): void {
    if (this.#state === 'closed') return;
    if (state === 'connected' && this.#state !== 'up') {
      this.#state = 'up';
      this.#handlers.onUp();
    }
    if (state === 'failed' || state === 'disconnected' || state === 'closed') this.#lose(state);
  }

  #lose(detail: string): void {
    this.close();
    this.#handlers.onLost(detail);
  }
}
