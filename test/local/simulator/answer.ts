// Reads and judges the business's SDP answer as Meta does. Pure.
import {
  checkCommon,
  commonWarnings,
  invalid,
  parseFingerprint,
  parseFormats,
  parseIce,
  parseSsrcs,
  readSdp,
  type SdpText,
} from './sdp-text.ts';

export { SdpValidationError } from './sdp-text.ts';

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
  const text = readSdp(sdp);
  checkFormats(text, offered);
  checkCommon(text);
  const ssrcs = parseSsrcs(text);
  return {
    ...parseIce(text),
    fingerprint: parseFingerprint(text),
    setup: parseSetup(text.values('setup')),
    ssrcs,
    warnings: warningsAbout(text, ssrcs),
  };
}

function checkFormats(text: SdpText, offered: OfferedTypes): void {
  const { opus, events } = offered;
  const payloadTypes = parseFormats(text);
  const foreign = payloadTypes.find((type) => type !== opus && type !== events);
  if (foreign) invalid(`payload type ${foreign} was not offered`);
  if (!payloadTypes.includes(opus)) invalid('no supported audio codec: opus is required');
  const maps = text.values('rtpmap').map((map) => map.toLowerCase());
  if (!maps.includes(`${opus} opus/48000/2`)) {
    invalid(`payload type ${opus} must be opus/48000/2`);
  }
  if (events && payloadTypes.includes(events) && !maps.includes(`${events} telephone-event/8000`)) {
    invalid(`payload type ${events} must be telephone-event/8000`);
  }
  const mid = text.values('mid')[0];
  if (mid !== undefined && mid !== 'audio') invalid(`mid must be audio as offered, not ${mid}`);
}

// Spec: RFC 5763 section 5: an answer chooses the role, so actpass is an error in it.
function parseSetup(setups: string[]): 'active' | 'passive' {
  const setup = setups[0];
  if (setup === 'active' || setup === 'passive') return setup;
  return invalid(`setup must be active or passive in an answer, not ${setup ?? 'absent'}`);
}

function warningsAbout(text: SdpText, ssrcs: number[]): string[] {
  const warnings = commonWarnings(text, ssrcs);
  if (text.values('setup')[0] === 'passive') warnings.push('setup:passive, active is recommended');
  if (text.values('candidate').length === 0) warnings.push('no candidates');
  return warnings;
}
