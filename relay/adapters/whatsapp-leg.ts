// The connection to the provider's media relay, by libdatachannel. Knows nothing of calls or rooms.
import { Audio, PeerConnection, type Track } from 'node-datachannel';
import { randomBytes, randomInt } from 'node:crypto';
import {
  OFFERED,
  readLocalTransport,
  writeAnswer,
  writeAnswerForLibrary,
  writeOffer,
  writeOfferForLibrary,
  type OwnParts,
} from '../domain/sdp-write.ts';
import type { Answer, Candidate, Offer } from '../domain/sdp.ts';
import type {
  LegHandlers,
  LegIdentity,
  Log,
  MediaPath,
  OfferedLeg,
  OfferLeg,
  OpenLeg,
} from '../ports.ts';
import { expectFreePort } from './free-port.ts';
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

/** Makes the function that prepares the answer of one leg per call. */
export const createOpenLeg =
  (options: WhatsappLegOptions, log: Log): OpenLeg =>
  async (offer, identity, handlers) => {
    const leg = new WhatsappLeg(await newPeer(options), handlers, log);
    return await leg.prepare(
      () => leg.takeOffer(offer),
      (local) => writeAnswer(offer, ownParts(local, identity, options)),
    );
  };

/** Makes the function that prepares the offer of one leg per call. */
export const createOfferLeg =
  (options: WhatsappLegOptions, log: Log): OfferLeg =>
  async (identity, handlers) => {
    const leg = new WhatsappLeg(await newPeer(options), handlers, log);
    return await leg.prepare(
      () => leg.makeOffer(identity),
      (local) => writeOffer(ownParts(local, identity, options)),
    );
  };

/** @throws Error when there is no port for it */
async function newPeer({ ports, bindAddress }: WhatsappLegOptions): Promise<PeerConnection> {
  await expectFreePort(ports, bindAddress);
  return new PeerConnection('whatsapp', {
    iceServers: [],
    // No enableIceUdpMux: the library's port mux learns addresses from STUN requests only, and an ICE-lite peer sends none.
    portRangeBegin: ports.first,
    portRangeEnd: ports.last,
    ...(bindAddress === undefined ? {} : { bindAddress }),
    disableAutoNegotiation: true,
  });
}

/** What our SDP says of us: the library's own transport, and names of this call. */
function ownParts(
  librarySdp: string,
  identity: LegIdentity,
  { publicAddress: mapped }: WhatsappLegOptions,
): OwnParts {
  const local = readLocalTransport(librarySdp);
  const own = local.candidates;
  const [port] = own.map((candidate) => candidate.port);
  const candidates =
    mapped === undefined || port === undefined ? own : [{ address: mapped, port }, ...own];
  return {
    ...local,
    candidates: candidates.filter(
      (candidate, index) =>
        index === candidates.findIndex((other) => other.address === candidate.address),
    ),
    ...identity,
    streamId: randomBytes(8).toString('hex'),
    trackId: randomBytes(8).toString('hex'),
    sessionId: String(randomInt(1, 2 ** 47)),
  };
}

class WhatsappLeg implements OfferedLeg {
  sdp = '';
  isReachable = false;
  readonly #peer: PeerConnection;
  readonly #handlers: LegHandlers;
  readonly #log: Log;
  #track: Track | undefined;
  #state: 'new' | 'connecting' | 'up' | 'closed' = 'new';
  #mid = '';
  /** The other side's, known to the library from `connect` on. */
  #candidates: readonly Candidate[] = [];

  constructor(peer: PeerConnection, handlers: LegHandlers, log: Log) {
    this.#peer = peer;
    this.#handlers = handlers;
    this.#log = log;
    peer.onTrack(guarded(log, 'leg.track-failed', (track) => this.#take(track)));
    peer.onIceStateChange(guarded(log, 'leg.ice-state-failed', (state) => this.#iceChanged(state)));
    peer.onStateChange(guarded(log, 'leg.state-failed', (state) => this.#changed(state)));
  }

  /**
   * Binds a port and writes our SDP.
   *
   * @param describe makes the library describe itself
   * @param write makes our SDP of the library's
   * @throws Error when there is no port or address; the leg is then closed
   */
  async prepare(describe: () => void, write: (librarySdp: string) => string): Promise<this> {
    try {
      const gathered = this.#gathered();
      // The promise must have a reader even when the next line throws.
      gathered.catch(() => undefined);
      describe();
      await gathered;
      this.sdp = write(this.#peer.localDescription()?.sdp ?? '');
      return this;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  takeOffer(offer: Offer): void {
    this.#mid = offer.mid;
    this.#candidates = offer.candidates;
    this.#peer.setRemoteDescription(writeOfferForLibrary(offer), 'offer');
    this.#peer.setLocalDescription('answer');
  }

  makeOffer({ ssrc, cname }: LegIdentity): void {
    this.#mid = OFFERED.mid;
    const audio = new Audio(OFFERED.mid, 'SendRecv');
    audio.addOpusCodec(OFFERED.opusPayloadType);
    audio.addSSRC(ssrc, cname);
    this.#take(this.#peer.addTrack(audio));
    this.#peer.setLocalDescription('offer');
  }

  setAnswer(answer: Answer): void {
    this.#peer.setRemoteDescription(writeAnswerForLibrary(answer), 'answer');
    this.#candidates = answer.candidates;
  }

  connect(): void {
    if (this.#state !== 'new') return;
    this.#state = 'connecting';
    let added = 0;
    for (const candidate of this.#candidates) added += this.#add(candidate) ? 1 : 0;
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

  #gathered(): Promise<void> {
    return new Promise((resolve, reject) => {
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
  }

  /** A host without IPv6 refuses IPv6 candidates; the others still do. */
  #add(candidate: Candidate): boolean {
    try {
      this.#peer.addRemoteCandidate(`a=${candidate.attribute}`, this.#mid);
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

  #iceChanged(state: string): void {
    if (state === 'connected' || state === 'completed') this.isReachable = true;
  }

  #changed(state: string): void {
    if (this.#state === 'closed') return;
    if (state === 'connected' && this.#state !== 'up') {
      this.#state = 'up';
      this.#handlers.onUp(this.#path());
    }
    if (state === 'failed' || state === 'disconnected' || state === 'closed') this.#lose(state);
  }

  /** Undefined when the library cannot tell. */
  #path(): MediaPath | undefined {
    const pair = this.#peer.getSelectedCandidatePair();
    if (!pair) return undefined;
    const { local, remote } = pair;
    return {
      local: `${local.address}:${local.port}`,
      local_type: local.type,
      remote: `${remote.address}:${remote.port}`,
    };
  }

  #lose(detail: string): void {
    this.close();
    this.#handlers.onLost(detail);
  }
}
