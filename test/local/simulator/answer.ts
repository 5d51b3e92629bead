// Reads and judges the business's SDP answer as Meta does. Pure.

/** What the media endpoint needs to know of a valid answer. */
export type Answer = {
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 as hex pairs with colons, in the case of the answer. */
  readonly fingerprint: string;
  readonly setup: 'active' | 'passive';
  readonly ssrcs: readonly number[];
  /** What Meta tolerates but recommends against; for reports. */
  readonly warnings: readonly string[];
};

/**
 * The answer breaks a rule that Meta enforces. `code` and `details` are what the Graph API would report.
 *
 * Provider: "Troubleshooting", error table, read 2026-06: 100 with the reason in error_data. Observed: several fingerprints
 * give 138008 "SDP Validation error".
 */
export class SdpValidationError extends Error {
  override readonly name = 'SdpValidationError';
  readonly code: 100 | 138008;
  readonly details: string;

  constructor(code: 100 | 138008, details: string) {
    super(`SDP Validation error: ${details}`);
    this.code = code;
    this.details = details;
  }
}

const invalid = (details: string): never => {
  throw new SdpValidationError(100, details);
};

/** Payload types of the offer that is answered. */
export type OfferedTypes = { readonly opus: string; readonly events: string | undefined };

/**
 * Checks an answer to `writeOffer`.
 *
 * @throws SdpValidationError naming the first rule that is broken
 */
export function parseAnswer(
  sdp: string,
  offered: OfferedTypes = { opus: '111', events: '126' },
): Answer {
  if (!sdp.startsWith('v=0\r\n') || !sdp.endsWith('\r\n') || /[^\r]\n/.test(sdp)) {
    invalid('the SDP must start with v=0 and end every line in CRLF');
  }
  const lines = sdp.split('\r\n').slice(0, -1);
  const strange = lines.find((line) => !/^[a-z]=./.test(line));
  if (strange !== undefined) invalid(`not an SDP line: ${strange.slice(0, 40)}`);
  const values = (name: string) =>
    lines
      .filter((line) => line.startsWith(`a=${name}:`))
      .map((line) => line.slice(name.length + 3));
  const has = (name: string) => lines.includes(`a=${name}`);
  checkMedia(lines, values, offered);
  if (has('ice-lite')) invalid('ice-lite is not allowed: both sides would wait for checks');
  if (!has('rtcp-mux')) invalid('rtcp-mux is required');
  if (has('sendonly') || has('recvonly') || has('inactive')) invalid('the audio must be sendrecv');
  const ssrcs = [...new Set(values('ssrc').map((value) => Number(value.split(' ')[0])))];
  if (ssrcs.length > 1) invalid('more than one audio ssrc');
  return {
    ...parseIce(values),
    fingerprint: parseFingerprint(values('fingerprint')),
    setup: parseSetup(values('setup')),
    ssrcs,
    warnings: warningsAbout(values, ssrcs),
  };
}

type Values = (name: string) => string[];

function checkMedia(lines: string[], values: Values, offered: OfferedTypes): void {
  const media = lines.filter((line) => line.startsWith('m='));
  const [, profile, formats] = /^m=audio \d+ (\S+) (.+)$/.exec(media[0] ?? '') ?? [];
  if (media.length !== 1 || !formats) return invalid('exactly one audio m-line is required');
  if (profile !== 'UDP/TLS/RTP/SAVPF') invalid('the profile must be UDP/TLS/RTP/SAVPF');
  const { opus, events } = offered;
  const payloadTypes = formats.split(' ');
  const foreign = payloadTypes.find((type) => type !== opus && type !== events);
  if (foreign) invalid(`payload type ${foreign} was not offered`);
  if (!payloadTypes.includes(opus)) invalid('no supported audio codec: opus is required');
  const maps = values('rtpmap').map((map) => map.toLowerCase());
  if (!maps.includes(`${opus} opus/48000/2`)) {
    invalid(`payload type ${opus} must be opus/48000/2`);
  }
  if (events && payloadTypes.includes(events) && !maps.includes(`${events} telephone-event/8000`)) {
    invalid(`payload type ${events} must be telephone-event/8000`);
  }
  for (const name of ['ptime', 'maxptime']) {
    const wrong = values(name).find((value) => value !== '20');
    if (wrong) invalid(`${name} must be 20, not ${wrong}`);
  }
  const mid = values('mid')[0];
  if (mid !== undefined && mid !== 'audio') invalid(`mid must be audio as offered, not ${mid}`);
}

// Spec: RFC 8839 section 5.4: at least 4 and 22 characters.
function parseIce(values: Values): { ufrag: string; password: string } {
  const ufrag = values('ice-ufrag')[0] ?? '';
  const password = values('ice-pwd')[0] ?? '';
  if (ufrag.length < 4 || password.length < 22) invalid('ice-ufrag and ice-pwd are required');
  return { ufrag, password };
}

function parseFingerprint(fingerprints: string[]): string {
  if (fingerprints.length === 0) invalid('No fingerprint found');
  if (fingerprints.length > 1) {
    throw new SdpValidationError(138008, `${fingerprints.length} fingerprints, one is allowed`);
  }
  const [, value] =
    /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(fingerprints[0] ?? '') ?? [];
  return value ?? invalid('the fingerprint must be sha-256');
}

// Spec: RFC 5763 section 5: an answer chooses the role, so actpass is an error in it.
function parseSetup(setups: string[]): 'active' | 'passive' {
  const setup = setups[0];
  if (setup === 'active' || setup === 'passive') return setup;
  return invalid(`setup must be active or passive in an answer, not ${setup ?? 'absent'}`);
}

/** Observed: an answer without a=ptime was accepted (2025-10-17), so what is missing here only draws a warning. */
function warningsAbout(values: Values, ssrcs: number[]): string[] {
  const warnings: string[] = [];
  if (values('ptime').length === 0) warnings.push('no a=ptime:20');
  if (values('setup')[0] === 'passive') warnings.push('setup:passive, active is recommended');
  if (ssrcs.length === 0) warnings.push('no a=ssrc line');
  if (values('candidate').length === 0) warnings.push('no candidates');
  if (values('ice-options').some((value) => value.includes('trickle'))) {
    warnings.push('ice-options:trickle, but there is no channel for later candidates');
  }
  return warnings;
}
