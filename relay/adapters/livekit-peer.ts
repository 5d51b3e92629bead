// The media connection to a LiveKit server, by libdatachannel: one peer connection for both directions, on which only we
// offer. Knows mids and track ids; who may be heard is decided elsewhere.
import { Audio, PeerConnection, type DataChannel, type Track } from 'node-datachannel';
import { TRACKS_MAX } from '../domain/room-people.ts';
import type { Log } from '../ports.ts';
import { attempt, guarded, guardedPacket } from './guard.ts';

/** LiveKit's payload type for Opus; servers before 1.13.2 take no other. */
export const OPUS_PAYLOAD_TYPE = 111;

/** Our id for the RFC 6464 extension, in both directions. */
export const AUDIO_LEVEL_ID = 1;

const AUDIO_LEVEL_URI = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';

/** In-band FEC, and nothing that would make the server answer with DTX or stereo. */
const OPUS_PARAMETERS = 'minptime=10;useinbandfec=1';

/** Sections to receive on that the first offer brings; the server asks for more as it needs them. */
const RECEIVE_SECTIONS = 1;

/** A server offers a handful, one per address. */
const EARLY_CANDIDATES_MAX = 64;

export type PeerHandlers = {
  /** Hand this offer to the server; `id` comes back with its answer. */
  onOffer: (sdp: string, id: number) => void;
  onCandidate: (candidate: string, mid: string) => void;
  onConnected: () => void;
  /** Said once, not after `close`. */
  onFailed: (detail: string) => void;
  /** The track behind a section, by the last answer; empty when there is none. */
  onAssigned: (mid: string, trackId: string) => void;
  onPacket: (mid: string, bytes: Uint8Array) => void;
  /** One packet of data. */
  onData: (bytes: Uint8Array) => void;
  /** One RTCP packet about our track. */
  onReport: (bytes: Uint8Array) => void;
};

export type PeerOptions = {
  readonly ssrc: number;
  readonly cname: string;
  /** Track id in the offer; ties the section to the track that was announced by signalling. */
  readonly trackId: string;
  readonly bindAddress: string | undefined;
  readonly iceServers: readonly string[];
};

export class LiveKitPeer {
  readonly #peer: PeerConnection;
  readonly #handlers: PeerHandlers;
  readonly #log: Log;
  readonly #sender: Track;
  readonly #receivers = new Map<string, Track>();
  readonly #reliable: DataChannel;
  /** The library drops a channel that nobody refers to. */
  readonly #lossy: DataChannel;
  /** Ours until the answer is applied: a server that finishes ICE earlier would start DTLS with an unknown fingerprint. */
  #ownCandidates: [candidate: string, mid: string][] | undefined = [];
  /** The server's until the answer is applied: the library throws on one that comes earlier. */
  #serverCandidates: [candidate: string, mid: string][] | undefined = [];
  #offerId = 0;
  #isOffering = false;
  #wantsOffer = false;
  #state: 'connecting' | 'up' | 'closed' = 'connecting';

  constructor(options: PeerOptions, handlers: PeerHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
    this.#peer = new PeerConnection('livekit', {
      iceServers: [...options.iceServers],
      ...(options.bindAddress === undefined ? {} : { bindAddress: options.bindAddress }),
      disableAutoNegotiation: true,
      forceMediaTransport: true,
    });
    this.#peer.onLocalCandidate(
      guarded(log, 'room.candidate-failed', (candidate, mid) => this.#gathered(candidate, mid)),
    );
    this.#peer.onStateChange(guarded(log, 'room.state-failed', (state) => this.#changed(state)));
    this.#sender = this.#peer.addTrack(audioSection('send', 'SendOnly', options));
    this.#sender.onMessage(
      guardedPacket(log, 'room.report-failed', (bytes) => {
        if (this.#state === 'up') handlers.onReport(bytes);
      }),
    );
    for (let index = 0; index < RECEIVE_SECTIONS; index++) this.#addReceiver();
    // Spec: livekit-server, a connection whose first offer has a data section counts as up once both of these are open.
    this.#reliable = this.#peer.createDataChannel('_reliable');
    this.#lossy = this.#peer.createDataChannel('_lossy', { unordered: true, maxRetransmits: 0 });
    this.#reliable.onMessage(
      guarded(log, 'room.data-failed', (data) => {
        if (this.#state === 'up' && data instanceof Uint8Array) handlers.onData(data);
      }),
    );
  }

  /** Makes an offer, at once or as soon as the one under way is answered. */
  offer(): void {
    if (this.#state === 'closed') return;
    if (this.#isOffering) {
      this.#wantsOffer = true;
      return;
    }
    this.#isOffering = true;
    this.#wantsOffer = false;
    this.#peer.setLocalDescription('offer');
    const sdp = this.#peer.localDescription()?.sdp ?? '';
    this.#offerId += 1;
    this.#handlers.onOffer(withoutCandidates(sdp), this.#offerId);
  }

  /** Adds sections to receive on and offers them. */
  addSections(count: number): void {
    const room = TRACKS_MAX - this.#receivers.size;
    if (count > room) this.#log.warn({ count }, 'room.too-many-sections');
    for (let index = 0; index < Math.min(count, room); index++) this.#addReceiver();
    this.offer();
  }

  /** Applies the server's answer to our last offer; an answer to an earlier one is ignored. */
  answer(sdp: string, id: number, trackByMid: Readonly<Record<string, string>>): void {
    if (this.#state === 'closed' || !this.#isOffering || (id !== 0 && id !== this.#offerId)) return;
    this.#peer.setRemoteDescription(sdp, 'answer');
    this.#isOffering = false;
    const own = this.#ownCandidates ?? [];
    const servers = this.#serverCandidates ?? [];
    this.#ownCandidates = this.#serverCandidates = undefined;
    for (const [candidate, mid] of servers) this.#addRemote(candidate, mid);
    for (const [candidate, mid] of own) this.#handlers.onCandidate(candidate, mid);
    for (const mid of this.#receivers.keys()) this.#handlers.onAssigned(mid, trackByMid[mid] ?? '');
    if (this.#wantsOffer) this.offer();
  }

  /** Takes a candidate of the server's. */
  addCandidate(candidate: string, mid: string): void {
    if (!this.#serverCandidates) this.#addRemote(candidate, mid);
    else if (this.#serverCandidates.length < EARLY_CANDIDATES_MAX)
      this.#serverCandidates.push([candidate, mid]);
  }

  /** Sends one packet of our track; dropped while not connected. */
  send(bytes: Uint8Array): void {
    if (this.#state !== 'up') return;
    try {
      this.#sender.sendMessageBinary(bytes as Buffer);
    } catch (error) {
      this.#log.debug({ err: error }, 'room.send-failed');
    }
  }

  /** Sends one packet of data to everybody; dropped while not connected. */
  sendData(bytes: Uint8Array): void {
    if (this.#state !== 'up' || !this.#reliable.isOpen()) return;
    try {
      this.#reliable.sendMessageBinary(bytes);
    } catch (error) {
      this.#log.debug({ err: error }, 'room.send-failed');
    }
  }

  /** Harmless when repeated. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    // The library keeps the callback of what was not closed by itself for ever, and with it the whole call.
    for (const part of [this.#sender, ...this.#receivers.values(), this.#reliable, this.#lossy])
      attempt(this.#log, 'room.close-failed', () => part.close());
    attempt(this.#log, 'room.close-failed', () => this.#peer.close());
  }

  #addReceiver(): void {
    const mid = `receive-${this.#receivers.size}`;
    const track = this.#peer.addTrack(audioSection(mid, 'RecvOnly'));
    this.#receivers.set(mid, track);
    track.onMessage(
      guardedPacket(this.#log, 'room.packet-failed', (bytes) => {
        if (this.#state === 'up') this.#handlers.onPacket(mid, bytes);
      }),
    );
  }

  #gathered(candidate: string, mid: string): void {
    if (this.#state === 'closed') return;
    if (this.#ownCandidates) this.#ownCandidates.push([candidate, mid]);
    else this.#handlers.onCandidate(candidate, mid);
  }

  #addRemote(candidate: string, mid: string): void {
    // The library speaks UDP only; an address family that this host lacks is refused by a throw.
    if (!/^(?:a=)?candidate:\S+ \d+ udp /i.test(candidate)) return;
    try {
      this.#peer.addRemoteCandidate(candidate, mid);
    } catch (error) {
      this.#log.debug({ err: error }, 'room.candidate-refused');
    }
  }

  #changed(state: string): void {
    if (this.#state === 'closed') return;
    if (state === 'connected' && this.#state === 'connecting') {
      this.#state = 'up';
      this.#handlers.onConnected();
    }
    if (state === 'failed' || state === 'disconnected' || state === 'closed') {
      this.close();
      this.#handlers.onFailed(`connection ${state}`);
    }
  }
}

function audioSection(
  mid: string,
  direction: 'SendOnly' | 'RecvOnly',
  sender?: { ssrc: number; cname: string; trackId: string },
): Audio {
  const audio = new Audio(mid, direction);
  audio.addOpusCodec(OPUS_PAYLOAD_TYPE, OPUS_PARAMETERS);
  audio.parseSdpLine(`a=extmap:${AUDIO_LEVEL_ID} ${AUDIO_LEVEL_URI}`);
  if (sender) audio.addSSRC(sender.ssrc, sender.cname, 'caller', sender.trackId);
  return audio;
}

const withoutCandidates = (sdp: string): string =>
  sdp.replace(/^a=(?:candidate:.*|end-of-candidates)\r?\n/gm, '');
