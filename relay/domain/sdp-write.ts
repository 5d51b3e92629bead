// Writes SDP from parts: what goes to the provider, and what our own WebRTC library is to see of the provider's. A library's
// text is never handed out: it would carry whatever the library copied or prefers.
import type { Answer, Offer, Remote } from './sdp.ts';

/** Our side of the provider's leg. */
export type OwnParts = {
  readonly iceUfrag: string;
  readonly icePwd: string;
  /** SHA-256 as pairs with colons, any case. */
  readonly fingerprint: string;
  /** Host candidates by preference, at least one; the first is the default address. */
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
  readonly ssrc: number;
  readonly cname: string;
  /** Stream and track id of our one track. */
  readonly streamId: string;
  readonly trackId: string;
  /** Number for `o=`, digits. */
  readonly sessionId: string;
};

/** Largest local preference; each further candidate gets one less. Spec: RFC 8445 section 5.1.2.1. */
const LOCAL_PREFERENCE_MAX = 65_535;
const HOST_TYPE_PREFERENCE = 126;

const addressType = (address: string): string => (address.includes(':') ? 'IP6' : 'IP4');

/** What our offers call their one section, and the payload types in it: those that the provider's own offers have. */
export const OFFERED = { mid: '0', opusPayloadType: 111, dtmfPayloadType: 126 } as const;

/**
 * The answer to an offer: one bundled audio section, DTLS client, full ICE, complete (no trickle).
 *
 * Provider ("Calling: integration patterns", "Calling: troubleshooting"): DTLS role active, exactly one fingerprint, one SSRC
 * for the whole call, 20 ms packets, payload types and mid as offered, every candidate in the SDP.
 *
 * @returns SDP with CRLF line ends
 */
export const writeAnswer = (offer: Offer, parts: OwnParts): string =>
  writeOwn({ ...offer, setup: 'active', parameters: opusAnswerParameters(offer) }, parts);

/**
 * The offer of a call that we place: as the answer, but leaves the DTLS role open.
 *
 * Spec: RFC 8842 section 5.2, an offer says actpass. Provider ("Calling: integration patterns"): only Opus and key presses, so
 * that the answer has nothing to choose.
 *
 * @returns SDP with CRLF line ends
 */
export const writeOffer = (parts: OwnParts): string =>
  writeOwn({ ...OFFERED, setup: 'actpass', parameters: 'minptime=10;useinbandfec=1' }, parts);

function writeOwn(
  section: Pick<Offer, 'mid' | 'opusPayloadType' | 'dtmfPayloadType'> & {
    readonly setup: 'active' | 'actpass';
    /** Of Opus, in the form of `a=fmtp`. */
    readonly parameters: string;
  },
  parts: OwnParts,
): string {
  const [main] = parts.candidates;
  if (!main) throw new RangeError('an SDP needs a candidate');
  const { mid, opusPayloadType: opus, dtmfPayloadType: dtmf } = section;
  return joinLines([
    'v=0',
    `o=- ${parts.sessionId} 1 IN ${addressType(main.address)} ${main.address}`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    `a=msid-semantic: WMS ${parts.streamId}`,
    `m=audio ${main.port} UDP/TLS/RTP/SAVPF ${opus}${dtmf === undefined ? '' : ` ${dtmf}`}`,
    `c=IN ${addressType(main.address)} ${main.address}`,
    ...parts.candidates.map(
      ({ address, port }, index) =>
        `a=candidate:${index + 1} 1 udp ${candidatePriority(index)} ${address} ${port} typ host`,
    ),
    `a=ice-ufrag:${parts.iceUfrag}`,
    `a=ice-pwd:${parts.icePwd}`,
    `a=fingerprint:sha-256 ${parts.fingerprint.toUpperCase()}`,
    `a=setup:${section.setup}`,
    `a=mid:${mid}`,
    'a=sendrecv',
    `a=msid:${parts.streamId} ${parts.trackId}`,
    'a=rtcp-mux',
    `a=rtpmap:${opus} opus/48000/2`,
    `a=fmtp:${opus} ${section.parameters}`,
    ...(dtmf === undefined ? [] : [`a=rtpmap:${dtmf} telephone-event/8000`]),
    'a=maxptime:20',
    'a=ptime:20',
    `a=ssrc:${parts.ssrc} cname:${parts.cname}`,
    `a=ssrc:${parts.ssrc} msid:${parts.streamId} ${parts.trackId}`,
  ]);
}

const candidatePriority = (index: number): number =>
  HOST_TYPE_PREFERENCE * 2 ** 24 + (LOCAL_PREFERENCE_MAX - index) * 2 ** 8 + 255;

/** What we wish to receive: in-band FEC, and the bit rate and frame length that the offer itself names. */
function opusAnswerParameters({ opusParameters }: Offer): string {
  const rate = opusParameters.get('maxaveragebitrate');
  return [
    ...(rate === undefined ? [] : [`maxaveragebitrate=${rate}`]),
    `minptime=${opusParameters.get('minptime') ?? '10'}`,
    'useinbandfec=1',
  ].join(';');
}

/**
 * The provider's offer as the WebRTC library is to see it: what this project understood of it and nothing else, without its
 * candidates. They follow once the provider has our answer; checks sent before that are lost, and the library repeats them
 * only after 500 ms.
 */
export const writeOfferForLibrary = (offer: Offer): string => writeForLibrary(offer.mid, offer);

/**
 * The provider's answer as the library, which made the offer, is to see it. Its candidates follow once this is applied: a peer
 * that is connected before would show a certificate that the library cannot check yet.
 */
export const writeAnswerForLibrary = (answer: Answer): string =>
  // The library's own offer has the offered number; which one goes over the wire is not its business.
  writeForLibrary(OFFERED.mid, { ...answer, opusPayloadType: OFFERED.opusPayloadType });

function writeForLibrary(mid: string, remote: Remote & Pick<Offer | Answer, 'setup'>): string {
  const { opusPayloadType: opus } = remote;
  return joinLines([
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    ...(remote.isIceLite ? ['a=ice-lite'] : []),
    `m=audio 9 UDP/TLS/RTP/SAVPF ${opus}`,
    'c=IN IP4 0.0.0.0',
    `a=ice-ufrag:${remote.iceUfrag}`,
    `a=ice-pwd:${remote.icePwd}`,
    `a=fingerprint:sha-256 ${remote.fingerprint}`,
    `a=setup:${remote.setup}`,
    `a=mid:${mid}`,
    'a=sendrecv',
    'a=rtcp-mux',
    `a=rtpmap:${opus} opus/48000/2`,
    ...(remote.ssrc === undefined ? [] : [`a=ssrc:${remote.ssrc} cname:remote`]),
  ]);
}

const joinLines = (lines: readonly string[]): string => `${lines.join('\r\n')}\r\n`;

/** What is taken out of the library's own description: credentials, fingerprint, and the host candidates it has bound. */
export type LocalTransport = {
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly fingerprint: string;
  readonly candidates: readonly { readonly address: string; readonly port: number }[];
};

/**
 * Reads our own transport out of the library's description.
 *
 * @throws Error when the library left one of the parts out
 */
export function readLocalTransport(sdp: string): LocalTransport {
  const iceUfrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
  const icePwd = /^a=ice-pwd:(\S+)/m.exec(sdp)?.[1];
  const fingerprint = /^a=fingerprint:sha-256 (\S+)/im.exec(sdp)?.[1];
  const candidates = Array.from(
    sdp.matchAll(/^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/gim),
    ([, address = '', port]) => ({ address, port: Number(port) }),
  );
  if (!iceUfrag || !icePwd || !fingerprint || candidates.length === 0) {
    throw new Error('local description is incomplete');
  }
  return { iceUfrag, icePwd, fingerprint, candidates };
}
