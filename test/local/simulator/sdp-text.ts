// Reading SDP that a business sends, as far as offers and answers have it in common. Pure.

/**
 * The SDP breaks a rule that Meta enforces. `code` and `details` are what the Graph API would report.
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

/** @throws SdpValidationError always */
export const invalid = (details: string): never => {
  throw new SdpValidationError(100, details);
};

/** The lines of a text and its attributes by name. */
export type SdpText = {
  readonly lines: readonly string[];
  /** Values of every `a=name:value` line. */
  readonly values: (name: string) => string[];
  /** Whether the text has the line `a=name`. */
  readonly has: (name: string) => boolean;
};

/** @throws SdpValidationError when this is not SDP. Spec: RFC 8866 section 5: every line ends in CRLF */
export function readSdp(sdp: string): SdpText {
  if (!sdp.startsWith('v=0\r\n') || !sdp.endsWith('\r\n') || /[^\r]\n/.test(sdp)) {
    invalid('the SDP must start with v=0 and end every line in CRLF');
  }
  const lines = sdp.split('\r\n').slice(0, -1);
  const strange = lines.find((line) => !/^[a-z]=./.test(line));
  if (strange !== undefined) invalid(`not an SDP line: ${strange.slice(0, 40)}`);
  return {
    lines,
    values: (name) =>
      lines
        .filter((line) => line.startsWith(`a=${name}:`))
        .map((line) => line.slice(name.length + 3)),
    has: (name) => lines.includes(`a=${name}`),
  };
}

/** The payload types of the one audio section. */
export function parseFormats({ lines }: SdpText): string[] {
  const media = lines.filter((line) => line.startsWith('m='));
  const [, profile, formats] = /^m=audio \d+ (\S+) (.+)$/.exec(media[0] ?? '') ?? [];
  if (media.length !== 1 || !formats) return invalid('exactly one audio m-line is required');
  if (profile !== 'UDP/TLS/RTP/SAVPF') invalid('the profile must be UDP/TLS/RTP/SAVPF');
  return formats.split(' ');
}

/** What holds for every business SDP, whichever side it comes from. */
export function checkCommon({ values, has }: SdpText): void {
  for (const name of ['ptime', 'maxptime']) {
    const wrong = values(name).find((value) => value !== '20');
    if (wrong) invalid(`${name} must be 20, not ${wrong}`);
  }
  if (has('ice-lite')) invalid('ice-lite is not allowed: both sides would wait for checks');
  if (!has('rtcp-mux')) invalid('rtcp-mux is required');
  if (has('sendonly') || has('recvonly') || has('inactive')) invalid('the audio must be sendrecv');
}

// Spec: RFC 8839 section 5.4: at least 4 and 22 characters.
export function parseIce({ values }: SdpText): { ufrag: string; password: string } {
  const ufrag = values('ice-ufrag')[0] ?? '';
  const password = values('ice-pwd')[0] ?? '';
  if (ufrag.length < 4 || password.length < 22) invalid('ice-ufrag and ice-pwd are required');
  return { ufrag, password };
}

/** @returns SHA-256 as hex pairs with colons, in the case of the text */
export function parseFingerprint({ values }: SdpText): string {
  const fingerprints = values('fingerprint');
  if (fingerprints.length === 0) invalid('No fingerprint found');
  if (fingerprints.length > 1) {
    throw new SdpValidationError(138008, `${fingerprints.length} fingerprints, one is allowed`);
  }
  const [, value] =
    /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(fingerprints[0] ?? '') ?? [];
  return value ?? invalid('the fingerprint must be sha-256');
}

/** @returns none or one. @throws SdpValidationError when there are more */
export function parseSsrcs({ values }: SdpText): number[] {
  const ssrcs = [...new Set(values('ssrc').map((value) => Number(value.split(' ')[0])))];
  if (ssrcs.length > 1) invalid('more than one audio ssrc');
  return ssrcs;
}

/** Observed: an answer without a=ptime was accepted (2025-10-17), so what is missing here only draws a warning. */
export function commonWarnings({ values }: SdpText, ssrcs: readonly number[]): string[] {
  const warnings: string[] = [];
  if (values('ptime').length === 0) warnings.push('no a=ptime:20');
  if (ssrcs.length === 0) warnings.push('no a=ssrc line');
  if (values('ice-options').some((value) => value.includes('trickle'))) {
    warnings.push('ice-options:trickle, but there is no channel for later candidates');
  }
  return warnings;
}
