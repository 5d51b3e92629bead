// What a simulated call needs of its media endpoint, and how what it heard is judged.
import type { HeardReport } from './hearing.ts';
import type { IceCounts } from './ice-lite.ts';
import type { Signal } from './signals.ts';
import type { PayloadTypes } from './talking.ts';

/** The user's end of the media: a `LitePhone`, or a person's browser. */
export type MediaEndpoint = {
  readonly offer: string;
  /** Meta's answer, when the business made the offer. */
  readonly answer?: string | null;
  /** Of the call's Opus and key presses; Meta's own unless the business's offer has others. */
  readonly payloadTypes?: PayloadTypes;
  /** When ICE and DTLS were up, ms since the epoch. */
  readonly connectedAtMs: number | null;
  /** @throws SdpValidationError when Meta would refuse the answer */
  applyAnswer(sdp: string): Promise<void>;
  markAccepted(): void;
  startTalking(signal?: Signal): void;
  stopTalking(): void;
  stopSending(keepReports?: boolean): void;
  press(digits: string, ms?: number): void;
  heard(): HeardReport;
  /** What was sent; absent for a browser, whose packets the simulator does not see. */
  said?(): { packets: number; firstPacketAtMs: number | null; ssrc: number };
  /** What the ICE agent saw; absent for a browser. */
  ice?(): IceCounts;
  /** What Meta tolerates in the answer but recommends against. */
  readonly answerWarnings: readonly string[];
  close(): void;
};

/** A rule of Meta's that the business broke without the call ending at once. */
export type Violation = { readonly rule: string; readonly details: string };

/**
 * What the business's media did wrong.
 *
 * Provider: "Integration patterns", mandatory media rules, and "FAQ" on early media, read 2026-06.
 */
export function violationsIn(
  heard: HeardReport,
  types: PayloadTypes = { opus: 111, events: 126 },
): Violation[] {
  const violations: Violation[] = [];
  const found = (rule: string, count: number, details: string) => {
    if (count > 0) violations.push({ rule, details });
  };
  const early = heard.packetsBeforeAccept + heard.rtcpBeforeAccept;
  found(
    'no media before accept',
    early,
    `${early} packets came before the pickup: nobody heard them`,
  );
  const ssrcs = heard.ssrcs.length;
  found('one ssrc', ssrcs - 1, `${ssrcs} SSRCs: ${heard.ssrcs.join(', ')}`);
  found(
    '20 ms packets',
    heard.ptimeViolations,
    `${heard.ptimeViolations} packets of another length`,
  );
  const jumps = heard.timestampJumps.length;
  found('continuous timestamps', jumps, `${jumps} jumps of the RTP timestamp`);
  const strange = heard.payloadTypes.filter((type) => type !== types.opus && type !== types.events);
  found('offered payload types', strange.length, `payload types ${strange.join(', ')}`);
  return violations;
}
