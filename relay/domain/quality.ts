// Figures of one direction of a call: what arrived, what was lost on the way, how unevenly it came.
import { OPUS_TICKS_PER_MS } from './opus.ts';
import type { ReceptionReport } from './rtcp.ts';

/** A jump of the sequence number beyond this is a new stream, not a loss. Spec: RFC 3550 appendix A.1, MAX_DROPOUT. */
const DROPOUT_MAX = 3000;

/** Counts one RTP stream, per RFC 3550 appendices A.1, A.3 and A.8. A change of SSRC starts a new stream; the counts go on. */
export class ReceiveQuality {
  /** Packets that arrived, duplicates excluded as far as the sequence numbers tell. */
  packets = 0;
  #ssrc = -1;
  #cycles = 0;
  #highest = 0;
  #base = 0;
  #received = 0;
  #lostBefore = 0;
  #transitMs = 0;
  #jitterMs = 0;
  #expectedAtReport = 0;
  #receivedAtReport = 0;

  /** Takes one packet that arrived at `nowMs`; `timestamp` is on the 48 kHz clock. */
  packet(ssrc: number, sequence: number, timestamp: number, nowMs: number): void {
    this.packets += 1;
    const step = (sequence - this.#highest) & 0xffff;
    const isRestart = step > DROPOUT_MAX && step < 0x1_0000 - DROPOUT_MAX;
    if (ssrc !== this.#ssrc || isRestart) {
      this.#restart(ssrc, sequence, timestamp, nowMs);
      return;
    }
    this.#received += 1;
    if (step !== 0 && step <= DROPOUT_MAX) {
      if (sequence < this.#highest) this.#cycles += 0x1_0000;
      this.#highest = sequence;
    }
    // The difference of the two packets' transit times; 32-bit wrap of the timestamp shows as a huge step and is skipped.
    const transitMs = nowMs - timestamp / OPUS_TICKS_PER_MS;
    const changeMs = Math.abs(transitMs - this.#transitMs);
    this.#transitMs = transitMs;
    if (changeMs < 60_000) this.#jitterMs += (changeMs - this.#jitterMs) / 16;
  }

  /** Packets that the sequence numbers say existed but that never came. */
  get lost(): number {
    return this.#lostBefore + Math.max(0, this.#expected() - this.#received);
  }

  /** Interarrival jitter in ms. Spec: RFC 3550 section 6.4.1. */
  get jitterMs(): number {
    return this.#jitterMs;
  }

  /** What RTCP tells the sender; counts the loss since the call before. `undefined` until a packet has come. */
  report(): ReceptionReport | undefined {
    if (this.#ssrc < 0) return undefined;
    const expected = this.#expected() - this.#expectedAtReport;
    const lost = expected - (this.#received - this.#receivedAtReport);
    this.#expectedAtReport += expected;
    this.#receivedAtReport = this.#received;
    return {
      ssrc: this.#ssrc,
      fractionLost:
        expected > 0 && lost > 0 ? Math.min(255, Math.floor((lost * 256) / expected)) : 0,
      cumulativeLost: Math.max(0, this.#expected() - this.#received),
      highestSequence: this.#cycles + this.#highest,
      jitterTicks: Math.round(this.#jitterMs * OPUS_TICKS_PER_MS),
    };
  }

  #expected(): number {
    return this.#ssrc < 0 ? 0 : this.#cycles + this.#highest - this.#base + 1;
  }

  #restart(ssrc: number, sequence: number, timestamp: number, nowMs: number): void {
    this.#lostBefore = this.lost;
    this.#ssrc = ssrc;
    this.#cycles = 0;
    this.#highest = this.#base = sequence;
    this.#received = 1;
    this.#expectedAtReport = this.#receivedAtReport = 0;
    this.#transitMs = nowMs - timestamp / OPUS_TICKS_PER_MS;
  }
}
