// The business's side of a call for the simulator's own tests: a full ICE agent, independent of the relay.
import {
  MediaStreamTrack,
  RTCPeerConnection,
  RTCRtpCodecParameters,
  RtpHeader,
  RtpPacket,
} from 'werift';
import { Hearing, type HeardReport } from '../../local/simulator/hearing.ts';
import { loopOf, type Signal } from '../../local/simulator/signals.ts';

/** Answers Meta's offer or makes one, hears the phone, and plays a signal to it. */
export class BusinessPeer {
  readonly #connection: RTCPeerConnection;
  readonly #track = new MediaStreamTrack({ kind: 'audio' });
  readonly #hearing = new Hearing();
  #timer: NodeJS.Timeout | undefined;
  answer = '';
  /** What goes out with `connect`. */
  offer = '';
  /** RTCP packets about the phone's stream. */
  reports = 0;

  private constructor() {
    this.#connection = new RTCPeerConnection({
      iceServers: [],
      iceUseIpv6: false,
      iceInterfaceAddresses: { udp4: '127.0.0.1' },
      iceAdditionalHostAddresses: ['127.0.0.1'],
      // One pair only: the library nominates every pair that works, and Meta wants one.
      iceFilterCandidatePair: ({ localCandidate }) => localCandidate.host === '127.0.0.1',
      codecs: {
        audio: [
          new RTCRtpCodecParameters({
            mimeType: 'audio/opus',
            clockRate: 48_000,
            channels: 2,
            payloadType: 111,
          }),
          new RTCRtpCodecParameters({
            mimeType: 'audio/telephone-event',
            clockRate: 8000,
            channels: 1,
            payloadType: 126,
          }),
        ],
      },
    });
  }

  /** @param role `active` sends the ClientHello, as recommended; `passive` waits for the phone's */
  static async answering(
    offer: string,
    role: 'active' | 'passive' = 'active',
  ): Promise<BusinessPeer> {
    const peer = new BusinessPeer();
    const connection = peer.#connection;
    peer.#listen();
    await connection.setRemoteDescription({ type: 'offer', sdp: offer });
    if (role === 'passive') for (const dtls of connection.dtlsTransports) dtls.role = 'server';
    connection.addTrack(peer.#track);
    await connection.setLocalDescription(await connection.createAnswer());
    peer.answer = asMetaWantsIt(connection.localDescription?.sdp ?? '');
    return peer;
  }

  /** A peer that calls: `offer` is complete, the answer goes to `applyAnswer`. */
  static async offering(): Promise<BusinessPeer> {
    const peer = new BusinessPeer();
    const connection = peer.#connection;
    peer.#listen();
    connection.addTrack(peer.#track);
    await connection.setLocalDescription(await connection.createOffer());
    peer.offer = asMetaWantsIt(connection.localDescription?.sdp ?? '');
    return peer;
  }

  /** @param roleForActpass what `actpass`, which is illegal in an answer, is rewritten to */
  async applyAnswer(sdp: string, roleForActpass: 'active' | 'passive' = 'passive'): Promise<void> {
    const usable = sdp.replace('a=setup:actpass', `a=setup:${roleForActpass}`);
    await this.#connection.setRemoteDescription({ type: 'answer', sdp: usable });
  }

  #listen(): void {
    this.#connection.onTrack.subscribe((track) => {
      track.onReceiveRtp.subscribe(({ header, payload }) => {
        const { payloadType, sequenceNumber: sequence, timestamp, ssrc } = header;
        const packet = { payloadType, sequence, timestamp, ssrc, payload };
        this.#hearing.hearRtp(packet, performance.timeOrigin + performance.now());
      });
      track.onReceiveRtcp.subscribe(() => (this.reports += 1));
    });
  }

  /** Settles when ICE and DTLS are up. */
  async connected(): Promise<void> {
    if (this.#connection.connectionState === 'connected') return;
    await this.#connection.connectionStateChange.watch((state) => state === 'connected');
  }

  /** Sends 20 ms frames until closed. */
  play(signal: Signal): void {
    const loop = loopOf(signal);
    let count = 0;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      const header = new RtpHeader({
        payloadType: 111,
        sequenceNumber: count & 0xffff,
        timestamp: count * 960,
        ssrc: 77,
      });
      this.#track.writeRtp(new RtpPacket(header, loop[count % loop.length] as Buffer));
      count++;
    }, 20);
  }

  heard(): HeardReport {
    return this.#hearing.report();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connection.close();
    this.#hearing.close();
  }
}

/** What a business changes in a library's text: no extensions, no trickling, the packet time. */
function asMetaWantsIt(sdp: string): string {
  return sdp
    .split('\r\n')
    .filter((line) => !line.startsWith('a=extmap') && !line.startsWith('a=ice-options'))
    .join('\r\n')
    .replace(/(?:\r\n)*$/, '\r\na=ptime:20\r\n');
}
