// Reads the provider's offer and answer. Strict about what a call needs, indifferent to everything else; a failure names the line.
import {
  attributesOf,
  firstMediaLine,
  splitLines,
  Unusable,
  type Attribute,
  type Line,
} from './sdp-text.ts';

/** Why an SDP cannot be used. `line` counts from 1; 0 means that something is missing altogether. */
export type SdpFailure = { ok: false; line: number; message: string };

/** One remote ICE candidate. */
export type Candidate = {
  /** The attribute's whole value, `candidate:…`, as ICE libraries take it. */
  readonly attribute: string;
  readonly address: string;
  readonly port: number;
  readonly isIpv6: boolean;
};

/** What an offer and an answer have in common. */
export type Remote = {
  readonly opusPayloadType: number;
  /** Parameters of that Opus, in the order given. */
  readonly opusParameters: ReadonlyMap<string, string>;
  /** Payload type of telephone-event/8000, when there is one. */
  readonly dtmfPayloadType: number | undefined;
  readonly iceUfrag: string;
  /** Meta's ends in `==`, outside the ice-char set of RFC 8839; it is part of the key and must stay as it is. */
  readonly icePwd: string;
  readonly isIceLite: boolean;
  /** SHA-256, upper case, 32 pairs with colons. */
  readonly fingerprint: string;
  /** UDP candidates of component 1, in the order given; at least one. */
  readonly candidates: readonly Candidate[];
  /** SSRC that the provider announces, when it does. */
  readonly ssrc: number | undefined;
};

export type Offer = Remote & {
  readonly mid: string;
  readonly setup: 'actpass' | 'passive';
};

/** An answer to our offer of one section; which mid it repeats makes no difference. */
export type Answer = Remote & {
  /** The provider's DTLS role: `passive` makes us the client, `active` the server. */
  readonly setup: 'active' | 'passive';
};

/** Candidates beyond this are ignored: Meta sends two. */
const CANDIDATES_MAX = 16;

/**
 * Reads an offer of one call.
 *
 * Takes both shapes that Provider documents: the one on the wire (ICE-lite at session level, no extmap) and the older sample
 * in "Cloud API Calling: reference" (extmap, four ssrc lines, candidates with `ufrag`).
 *
 * @returns the offer, or the first line that makes it unusable. Never throws.
 */
export const parseOffer = (sdp: string): { ok: true; offer: Offer } | SdpFailure =>
  caught(() => {
    const { own, all, media, remote } = readRemote(sdp);
    const setup = readSetup(all, media);
    if (setup.value !== 'actpass' && setup.value !== 'passive')
      throw new Unusable(setup.number, 'setup leaves no active role to us');
    return { ok: true, offer: { ...remote, mid: readMid(own, media), setup: setup.value } };
  });

/**
 * Reads the answer to an offer of ours.
 *
 * Provider: no public capture of an answer exists; `active`, `passive` and `actpass` are all reported, as are numbers for Opus
 * other than the offered one and codecs that were never offered. `actpass`, which RFC 8842 section 5.3 forbids in an answer,
 * leaves the choice to us: we take the client's role, which Provider recommends ("Calling: integration patterns").
 *
 * @returns the answer, or the first line that makes it unusable. Never throws.
 */
export const parseAnswer = (sdp: string): { ok: true; answer: Answer } | SdpFailure =>
  caught(() => {
    const { all, media, remote } = readRemote(sdp);
    const setup = readSetup(all, media);
    if (setup.value === 'active' || setup.value === 'passive')
      return { ok: true, answer: { ...remote, setup: setup.value } };
    if (setup.value === 'actpass') return { ok: true, answer: { ...remote, setup: 'passive' } };
    throw new Unusable(setup.number, 'setup is none of active, passive, actpass');
  });

function caught<T>(read: () => T): T | SdpFailure {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unusable) return { ok: false, line: error.line, message: error.message };
    throw error;
  }
}

/** A failure as one sentence for people, such as `line 12: no sha-256 fingerprint`. */
export const describeFailure = (failure: SdpFailure): string =>
  failure.line > 0 ? `line ${failure.line}: ${failure.message}` : failure.message;

function readRemote(sdp: string): {
  own: Attribute[];
  all: Attribute[];
  media: Line;
  remote: Remote;
} {
  const lines = splitLines(sdp);
  const media = findAudio(lines);
  const session = attributesOf(lines.filter((line) => line.number < firstMediaLine(lines)));
  const own = attributesOf(lines.filter((line) => line.number > media.number));
  // Spec: RFC 8839 section 5.4 and RFC 8122 section 5, media level wins over session level.
  const all = [...own, ...session];

  refuseSdes(own, media);
  const formats = media.value.split(' ').slice(3);
  const opusPayloadType = findOpus(own, formats, media);
  const direction = own.find((attribute) =>
    /^(sendrecv|sendonly|recvonly|inactive)$/.test(attribute.name),
  );
  if (direction && direction.name !== 'sendrecv') {
    throw new Unusable(direction.number, `direction is ${direction.name}, not sendrecv`);
  }
  if (!own.some((attribute) => attribute.name === 'rtcp-mux')) {
    throw new Unusable(media.number, 'no rtcp-mux in the audio section');
  }
  const remote: Remote = {
    opusPayloadType,
    opusParameters: readParameters(own, opusPayloadType),
    dtmfPayloadType: findDtmf(own, formats),
    iceUfrag: readCredential(all, 'ice-ufrag', 4, media),
    icePwd: readCredential(all, 'ice-pwd', 22, media),
    isIceLite: all.some((attribute) => attribute.name === 'ice-lite'),
    fingerprint: readFingerprint(all, media),
    candidates: readCandidates(own, media),
    ssrc: readSsrc(own),
  };
  return { own, all, media, remote };
}

/** Exactly one section, audio over DTLS-SRTP. Provider: "Calling: FAQ", one m-line and one track per call. */
function findAudio(lines: readonly Line[]): Line {
  const media = lines.filter((line) => line.type === 'm');
  const audio = media.find((line) => line.value.startsWith('audio '));
  if (!audio) throw new Unusable(media[0]?.number ?? 0, 'no audio section');
  const other = media.find((line) => line !== audio);
  if (other) throw new Unusable(other.number, 'more than one media section');
  const [, port = '', protocol = '', ...formats] = audio.value.split(' ');
  if (!/^\d{1,5}$/.test(port) || Number(port) === 0)
    throw new Unusable(audio.number, 'audio section is rejected or has no port');
  if (!/^UDP\/TLS\/RTP\/SAVPF?$/.test(protocol) && !/^RTP\/SAVPF?$/.test(protocol)) {
    throw new Unusable(audio.number, 'audio section is not DTLS-SRTP over UDP');
  }
  if (formats.length === 0) throw new Unusable(audio.number, 'audio section lists no payload type');
  return audio;
}

function refuseSdes(own: readonly Attribute[], media: Line): void {
  const crypto = own.find((attribute) => attribute.name === 'crypto');
  if (crypto) throw new Unusable(crypto.number, 'keys by SDES (a=crypto); DTLS-SRTP is needed');
  if (media.value.split(' ')[2]?.startsWith('RTP/')) {
    throw new Unusable(media.number, 'audio section is not DTLS-SRTP over UDP');
  }
}

function findOpus(own: readonly Attribute[], formats: readonly string[], media: Line): number {
  for (const { name, value, number } of own) {
    const match = name === 'rtpmap' ? /^(\d+) opus\/(\d+)(?:\/(\d+))?$/i.exec(value) : null;
    if (!match) continue;
    const [, payloadType = '', clock, channels] = match;
    // Spec: RFC 7587 section 7, always 48000 and two channels.
    if (clock !== '48000' || channels !== '2') throw new Unusable(number, 'opus is not 48000/2');
    if (!formats.includes(payloadType))
      throw new Unusable(number, 'opus payload type is not listed in the audio section');
    return readPayloadType(payloadType, number);
  }
  throw new Unusable(media.number, 'no opus in the audio section');
}

function readPayloadType(text: string, line: number): number {
  const payloadType = Number(text);
  // 64 to 95 would read as RTCP when multiplexed (RFC 5761 section 4).
  if (payloadType > 127 || (payloadType >= 64 && payloadType <= 95))
    throw new Unusable(line, 'payload type out of range');
  return payloadType;
}

function findDtmf(own: readonly Attribute[], formats: readonly string[]): number | undefined {
  for (const { name, value, number } of own) {
    const match = name === 'rtpmap' ? /^(\d+) telephone-event\/8000(?:\/1)?$/i.exec(value) : null;
    if (match?.[1] !== undefined && formats.includes(match[1]))
      return readPayloadType(match[1], number);
  }
  return undefined;
}

function readParameters(own: readonly Attribute[], payloadType: number): Map<string, string> {
  const fmtp = own.find(
    (attribute) => attribute.name === 'fmtp' && attribute.value.startsWith(`${payloadType} `),
  );
  const parameters = new Map<string, string>();
  for (const pair of fmtp?.value.slice(String(payloadType).length + 1).split(';') ?? []) {
    const [key = '', value = ''] = pair.trim().split('=');
    if (/^[\w-]{1,40}$/.test(key) && /^[\w.-]{0,40}$/.test(value))
      parameters.set(key.toLowerCase(), value);
  }
  return parameters;
}

function readMid(own: readonly Attribute[], media: Line): string {
  const mid = own.find((attribute) => attribute.name === 'mid');
  if (!mid) throw new Unusable(media.number, 'no mid in the audio section');
  // Spec: RFC 5888 section 4, a token.
  if (!/^[\w!#$%&'*+.^`{|}~-]{1,32}$/.test(mid.value))
    throw new Unusable(mid.number, 'mid is not a token');
  return mid.value;
}

function readCredential(
  all: readonly Attribute[],
  name: 'ice-ufrag' | 'ice-pwd',
  lengthMin: number,
  media: Line,
): string {
  const found = all.find((attribute) => attribute.name === name);
  if (!found) throw new Unusable(media.number, `no ${name}`);
  // Spec: RFC 8839 section 5.4, at most 256 ice-chars; `=` (Observed: real offers) and base64url are let through as well.
  if (
    !/^[A-Za-z0-9+/=_-]+$/.test(found.value) ||
    found.value.length < lengthMin ||
    found.value.length > 256
  ) {
    throw new Unusable(found.number, `${name} is malformed`);
  }
  return found.value;
}

function readFingerprint(all: readonly Attribute[], media: Line): string {
  const prints = all.filter((attribute) => attribute.name === 'fingerprint');
  const first = prints[0];
  if (!first) throw new Unusable(media.number, 'no fingerprint');
  const sha256 = prints.find((attribute) => /^sha-256 /i.test(attribute.value));
  if (!sha256) throw new Unusable(first.number, 'no sha-256 fingerprint');
  const value = sha256.value.slice('sha-256 '.length).trim().toUpperCase();
  if (!/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(value))
    throw new Unusable(sha256.number, 'sha-256 fingerprint is malformed');
  return value;
}

function readSetup(all: readonly Attribute[], media: Line): Attribute {
  const setup = all.find((attribute) => attribute.name === 'setup');
  if (!setup) throw new Unusable(media.number, 'no setup');
  return setup;
}

function readCandidates(own: readonly Attribute[], media: Line): Candidate[] {
  const lines = own.filter((attribute) => attribute.name === 'candidate');
  const first = lines[0];
  if (!first) throw new Unusable(media.number, 'no candidate');
  const candidates: Candidate[] = [];
  for (const { number, value } of lines.slice(0, CANDIDATES_MAX)) {
    // Spec: RFC 8839 section 5.1: foundation, component, transport, priority, address, port, "typ", type, extensions.
    const match =
      /^([\w+/]{1,32}) (\d{1,3}) (\S{1,8}) (\d{1,10}) ([\w.:-]{1,64}) (\d{1,5}) typ \w+( .*)?$/.exec(
        value,
      );
    if (!match) throw new Unusable(number, 'candidate is malformed');
    const [, , component, transport = '', , address = '', port] = match;
    if (component !== '1' || transport.toLowerCase() !== 'udp') continue;
    if (Number(port) < 1 || Number(port) > 65_535)
      throw new Unusable(number, 'candidate port out of range');
    candidates.push({
      attribute: `candidate:${value}`,
      address,
      port: Number(port),
      isIpv6: address.includes(':'),
    });
  }
  if (candidates.length === 0) throw new Unusable(first.number, 'no UDP candidate');
  return candidates;
}

function readSsrc(own: readonly Attribute[]): number | undefined {
  const text = own.find((attribute) => attribute.name === 'ssrc')?.value.split(' ')[0] ?? '';
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : undefined;
}
