// What the receiver of a stream of ours says of it by RTCP: the only word on how it arrives there.
import { OPUS_TICKS_PER_MS } from './opus.ts';
import type { ReceptionReport } from './rtcp.ts';

/** Sender reports that an answer may still name: it names the last one that came, and reports are 5 s apart. */
const SENT_MAX = 4;

/** A round trip longer than this is no call any more but a mistake of the receiver's, in ms. */
const ROUND_TRIP_MS_MAX = 30_000;

/** What a receiver has told so far. */
export type ReceiverFigures = {
  /** Packets that it misses, what came twice counting against it, as RTCP has it. */
  lost: number;
  /** Packets that had been sent when it told that. */
  expected: number;
  /** As it told last, in ms. */
  jitterMs: number;
  /** Mean of its reports, in ms; `undefined` until it has answered a report of ours. */
  roundTripMs: number | undefined;
};

/** A receiver that counts in whole ms, on a clock of its own, may say that it held a report for longer than the way took, in ms. */
const ROUND_TRIP_ERROR_MS = 10;

type Sent = { readonly middle: number; readonly atMs: number };

export class ReceiverReports {
  readonly #sent: Sent[] = [];
  #ssrc = -1;
  #last: ReceptionReport | undefined;
  #expected = 0;
  #before = { lost: 0, expected: 0 };
  #roundTrips = 0;
  #roundTripMsSum = 0;

  /** A sender report went out. @param middle what names it: the middle 32 bits of its NTP time */
  sent(middle: number, nowMs: number): void {
    this.#sent.push({ middle, atMs: nowMs });
    if (this.#sent.length > SENT_MAX) this.#sent.shift();
  }

  /** A stream begins; the figures of the one before stay */
  begin(ssrc: number): void {
    this.#before = this.#soFar();
    this.#last = undefined;
    this.#sent.length = 0;
    this.#ssrc = ssrc;
  }

  /** Takes a reception report; those of other streams are passed over. @param packets sent until now */
  take(report: ReceptionReport, packets: number, nowMs: number): void {
    if (report.ssrc !== this.#ssrc) return;
    this.#last = report;
    this.#expected = packets;
    const answered = this.#sent.find(({ middle }) => middle === report.lastReport);
    if (!answered) return;
    // Spec: RFC 3550 section 6.4.1, the delay is in 1/65536 s.
    const heldMs = (report.sinceLastReport / 65_536) * 1000;
    const roundTripMs = nowMs - answered.atMs - heldMs;
    if (roundTripMs < -ROUND_TRIP_ERROR_MS || roundTripMs > ROUND_TRIP_MS_MAX) return;
    this.#roundTrips += 1;
    this.#roundTripMsSum += Math.max(0, roundTripMs);
  }

  /** `undefined` until the receiver has said anything. */
  figures(): ReceiverFigures | undefined {
    const { lost, expected } = this.#soFar();
    if (expected === 0) return undefined;
    return {
      lost: Math.max(0, lost),
      expected,
      jitterMs: (this.#last?.jitterTicks ?? 0) / OPUS_TICKS_PER_MS,
      roundTripMs: this.#roundTrips === 0 ? undefined : this.#roundTripMsSum / this.#roundTrips,
    };
  }

  #soFar(): { lost: number; expected: number } {
    const { lost, expected } = this.#before;
    if (!this.#last) return { lost, expected };
    return { lost: lost + this.#last.cumulativeLost, expected: expected + this.#expected };
  }
}
