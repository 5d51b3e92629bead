// Meta's SDP: the offer of a user-initiated call and the answer to a business's, as seen on the wire and as documented. Pure.
import { randomInt, randomUUID } from 'node:crypto';

/** What an offer says about its media endpoint. */
export type OfferParts = {
  readonly host: string;
  readonly port: number;
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 as upper-case hex pairs with colons. */
  readonly fingerprint: string;
  readonly ssrc: number;
  readonly nowMs: number;
  /** An IPv6 address to offer as well. Meta always offers one, at higher priority than IPv4; it need not be reachable. */
  readonly ipv6?: string | undefined;
  /** Set in an answer: what follows the business's offer. */
  readonly answering?: AnswerParts | undefined;
};

/** What Meta's answer takes over from the offer, and the role it gives itself. */
export type AnswerParts = {
  readonly setup: 'active' | 'passive' | 'actpass';
  readonly mid: string;
  readonly opus: number;
  readonly events: number | undefined;
};

const FMTP =
  'maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;sprop-maxcapturerate=16000;useinbandfec=1';

/** What `writeOfferText` needs beyond `OfferParts`: the pieces that differ when a browser stands in for the phone. */
export type OfferText = Omit<OfferParts, 'ipv6'> & {
  readonly isLite: boolean;
  /** Whole lines without line ends. */
  readonly candidates: readonly string[];
  readonly opus: string;
  readonly events: string | undefined;
  readonly setup?: string;
  readonly mid?: string;
};

/** The payload types, mid and role of an offer, or those that an answer takes over. */
function sectionOf({ answering }: OfferParts) {
  if (!answering) return { setup: 'actpass', mid: 'audio', opus: '111', events: '126' };
  const { setup, mid, opus, events } = answering;
  return { setup, mid, opus: String(opus), events: events === undefined ? events : String(events) };
}

/** The offer as Meta sends it now; see `writeOfferText`. */
export function writeOffer(parts: OfferParts): string {
  const { host, port, ipv6 } = parts;
  const candidates = [candidate(2122260223, host, port)];
  if (ipv6) candidates.push(candidate(2122262783, ipv6, port));
  return writeOfferText({ ...parts, ...sectionOf(parts), candidates, isLite: true });
}

/**
 * Writes attribute by attribute in Meta's order.
 *
 * Observed: public captures of 2025-10-17, 2025-11-05 and 2026-10-02 have this structure; the session level carries
 * `a=ice-lite`, the m-line port is the candidate's port, and the IPv6 candidate has the higher priority.
 */
export function writeOfferText(parts: OfferText): string {
  const stream = randomUUID();
  const { opus, events, setup = 'actpass', mid = 'audio' } = parts;
  return lines([
    'v=0',
    `o=- ${Math.round(parts.nowMs)} 2 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    `a=msid-semantic: WMS ${stream}`,
    ...(parts.isLite ? ['a=ice-lite'] : []),
    `m=audio ${parts.port} UDP/TLS/RTP/SAVPF ${opus}${events ? ` ${events}` : ''}`,
    `c=IN IP4 ${parts.host}`,
    'a=rtcp:9 IN IP4 0.0.0.0',
    ...parts.candidates,
    `a=ice-ufrag:${parts.ufrag}`,
    `a=ice-pwd:${parts.password}`,
    `a=fingerprint:sha-256 ${parts.fingerprint}`,
    `a=setup:${setup}`,
    `a=mid:${mid}`,
    'a=sendrecv',
    `a=msid:${stream} WhatsAppTrack1`,
    'a=rtcp-mux',
    `a=rtpmap:${opus} opus/48000/2`,
    `a=rtcp-fb:${opus} transport-cc`,
    `a=fmtp:${opus} ${FMTP}`,
    ...(events ? [`a=rtpmap:${events} telephone-event/8000`] : []),
    'a=maxptime:20',
    'a=ptime:20',
    `a=ssrc:${parts.ssrc} cname:WhatsAppAudioStream1`,
  ]);
}

/**
 * The offer as the sample in Meta's documentation has it: header extensions, `ufrag` in the candidates, four ssrc lines, no
 * ptime. A parser must take both.
 *
 * Provider: Calling API reference, sample SDP, read 2026-06. Its sample answer has ice-options:trickle as well.
 */
export function writeDocumentedOffer(parts: OfferParts): string {
  const stream = randomUUID();
  const { opus, events, setup, mid } = sectionOf(parts);
  const withUfrag = (line: string) =>
    line.replace(' network-cost', ` ufrag ${parts.ufrag} network-cost`);
  return lines([
    'v=0',
    `o=- ${parts.nowMs} 2 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    'a=extmap-allow-mixed',
    `a=msid-semantic: WMS ${stream}`,
    'a=ice-lite',
    ...(parts.answering ? ['a=ice-options:trickle'] : []),
    `m=audio ${parts.port} UDP/TLS/RTP/SAVPF ${opus}${events ? ` ${events}` : ''}`,
    `c=IN IP4 ${parts.host}`,
    'a=rtcp:9 IN IP4 0.0.0.0',
    withUfrag(candidate(2113937151, parts.host, parts.port)),
    ...(parts.ipv6 ? [withUfrag(candidate(2113939711, parts.ipv6, parts.port))] : []),
    `a=ice-ufrag:${parts.ufrag}`,
    `a=ice-pwd:${parts.password}`,
    `a=fingerprint:sha-256 ${parts.fingerprint}`,
    `a=setup:${setup}`,
    `a=mid:${mid}`,
    'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
    'a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
    'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
    'a=sendrecv',
    'a=rtcp-mux',
    `a=rtpmap:${opus} opus/48000/2`,
    `a=rtcp-fb:${opus} transport-cc`,
    `a=fmtp:${opus} minptime=10;useinbandfec=1`,
    ...(events ? [`a=rtpmap:${events} telephone-event/8000`] : []),
    `a=ssrc:${parts.ssrc} cname:WhatsAppAudioStream1`,
    `a=ssrc:${parts.ssrc} msid:${stream} WhatsAppTrack1`,
    `a=ssrc:${parts.ssrc} mslabel:${stream}`,
    `a=ssrc:${parts.ssrc} label:audio#WhatsAppTrack1`,
  ]);
}

function candidate(priority: number, host: string, port: number): string {
  const foundation = randomInt(1, 0xffff_ffff);
  return `a=candidate:${foundation} 1 udp ${priority} ${host} ${port} typ host generation 0 network-cost 50`;
}

/** Spec: RFC 8866 section 5: every line ends in CRLF. */
function lines(all: string[]): string {
  return all.map((line) => `${line}\r\n`).join('');
}
