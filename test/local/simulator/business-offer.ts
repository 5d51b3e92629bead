// Reads and judges the business's SDP offer of a business-initiated call as Meta does. Pure.
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

/** What the media endpoint needs to know of a valid offer. */
export type BusinessOffer = {
  readonly ufrag: string;
  readonly password: string;
  /** SHA-256 as hex pairs with colons, in the case of the offer. */
  readonly fingerprint: string;
  /** `active` leaves Meta only the passive role. */
  readonly setup: 'actpass' | 'active';
  readonly mid: string;
  /** Payload types of the business's numbering, which Meta follows. */
  readonly opus: number;
  readonly events: number | undefined;
  readonly warnings: readonly string[];
};

/**
 * Checks the offer that comes with `connect`.
 *
 * Provider: "Integration patterns", mandatory media rules, and "FAQ" (no trickle, one audio section), read 2026-06. That an
 * offer without any candidate is refused is the simulator's: Meta's own sample shows none, but a real one is silent without.
 *
 * @throws SdpValidationError naming the first rule that is broken
 */
export function parseOffer(sdp: string): BusinessOffer {
  const text = readSdp(sdp);
  const types = parseTypes(text);
  checkCommon(text);
  if (text.values('candidate').length === 0) {
    invalid('no candidates: the offer must be complete, there is no trickling');
  }
  const ssrcs = parseSsrcs(text);
  return {
    ...parseIce(text),
    ...types,
    fingerprint: parseFingerprint(text),
    setup: parseSetup(text.values('setup')[0]),
    mid: text.values('mid')[0] ?? 'audio',
    warnings: [...commonWarnings(text, ssrcs), ...codecWarnings(text)],
  };
}

function parseTypes(text: SdpText): { opus: number; events: number | undefined } {
  const formats = parseFormats(text);
  const typeOf = (codec: RegExp) => {
    const map = text.values('rtpmap').find((value) => codec.test(value));
    const type = map?.split(' ')[0];
    return type !== undefined && formats.includes(type) ? Number(type) : undefined;
  };
  const opus = typeOf(/^\d+ opus\/48000\/2$/i);
  const events = typeOf(/^\d+ telephone-event\/8000$/i);
  return { opus: opus ?? invalid('no supported audio codec: opus/48000/2 is required'), events };
}

// Spec: RFC 8842 section 5.2 wants actpass in an offer. Provider: Meta's own cURL sample sends active, read 2026-06.
function parseSetup(setup: string | undefined): 'actpass' | 'active' {
  if (setup === 'actpass' || setup === 'active') return setup;
  return invalid(`setup must be actpass or active in an offer, not ${setup ?? 'absent'}`);
}

function codecWarnings(text: SdpText): string[] {
  const others = text
    .values('rtpmap')
    .filter((map) => !/^\d+ (?:opus\/48000\/2|telephone-event\/8000)$/i.test(map));
  return others.length > 0 ? [`${others.length} other codecs offered`] : [];
}
