// Figures of one RTP stream as it arrives: what was lost on the way, what came twice or out of order, how unevenly it came.
import { OPUS_TICKS_PER_MS } from './opus.ts';
import type { Reception } from './rtcp.ts';

/** A jump of the sequence number beyond this is a new stream, not a loss. Spec: RFC 3550 appendix A.1, MAX_DROPOUT. */
const DROPOUT_MAX = 3000;

/** A packet that is further behind the newest one than this can no longer be told from one that came twice; a power of two. */
const WINDOW_PACKETS = 64;

/** Counts of packets, of one stream or of several together. */
export type PacketCounts = {
  /** Packets that arrived, those that came twice counted once. */
  packets: number;
  /** Packets that the sequence numbers say existed but that never came. */
  lost: number;
  duplicates: number;
  /** Packets that were overtaken by a later one. */
  reordered: number;
  /** Runs of lost packets. */
  gaps: number;
  /** The longest of them, in packets. */
  longestGap: number;
};

/** Counts one RTP stream, per RFC 3550 appendices A.1, A.3 and A.8. A change of SSRC starts a new stream; the counts go on. */
export class ReceiveQuality {
  #packets = 0;
  #duplicates = 0;
  #reordered = 0;
  #gaps = 0;
  #longestGap = 0;
  #ssrc = -1;
  #cycles = 0;
  #highest = 0;
  #base = 0;
  #received = 0;
  #lostBefore = 0;
  /** 1 for each of the last sequence numbers that has come. */
  readonly #come = new Uint8Array(WINDOW_PACKETS);
  /** Lost packets in a row at the end of what has left the window. */
  #run = 0;
  #transitMs = NaN;
  #jitterMs = 0;
  #expectedAtReport = 0;
  #receivedAtReport = 0;

  /**
   * Takes one packet.
   *
   * @param timestamp on the 48 kHz clock; `undefined` for a packet whose time says nothing about its way, such as a key press
   * @returns false for one that has come before
   */
  packet(ssrc: number, sequence: number, timestamp: number | undefined, nowMs: number): boolean {
    const step = (sequence - this.#highest) & 0xffff;
    const isRestart = step > DROPOUT_MAX && step < 0x1_0000 - DROPOUT_MAX;
    if (ssrc !== this.#ssrc || isRestart) this.#restart(ssrc, sequence);
    else if (!this.#place(sequence, step)) return false;
    this.#packets += 1;
    this.#received += 1;
    if (timestamp !== undefined) this.#time(timestamp, nowMs);
    return true;
  }

  /** Interarrival jitter in ms. Spec: RFC 3550 section 6.4.1. */
  get jitterMs(): number {
    return this.#jitterMs;
  }

  counts(): PacketCounts {
    const { gaps, longestGap } = this.#allGaps();
    return {
      packets: this.#packets,
      lost: this.#lostBefore + this.#lostNow(),
      duplicates: this.#duplicates,
      reordered: this.#reordered,
      gaps,
      longestGap,
    };
  }

  /** What RTCP tells the sender; counts the loss since the call before. `undefined` until a packet has come. */
  report(): Reception | undefined {
    if (this.#ssrc < 0) return undefined;
    const expected = this.#expected() - this.#expectedAtReport;
    const lost = expected - (this.#received - this.#receivedAtReport);
    this.#expectedAtReport += expected;
    this.#receivedAtReport = this.#received;
    return {
      ssrc: this.#ssrc,
      fractionLost:
        expected > 0 && lost > 0 ? Math.min(255, Math.floor((lost * 256) / expected)) : 0,
      cumulativeLost: this.#lostNow(),
      highestSequence: this.#cycles + this.#highest,
      jitterTicks: Math.round(this.#jitterMs * OPUS_TICKS_PER_MS),
    };
  }

  /** Notes that a sequence number has come. @returns false when it had come before */
  #place(sequence: number, step: number): boolean {
    if (step > 0 && step <= DROPOUT_MAX) {
      for (let before = step - 1; before > 0; before--) this.#move(sequence - before, 0);
      this.#move(sequence, 1);
      if (sequence < this.#highest) this.#cycles += 0x1_0000;
      this.#highest = sequence;
      return true;
    }
    const age = (this.#highest - sequence) & 0xffff;
    const known = this.#expected();
    if (age >= known) {
      // From before the first one that came: it existed as well, and so did those between.
      for (let older = known; older < Math.min(age, WINDOW_PACKETS); older++)
        this.#come[slotOf(this.#highest - older)] = 0;
      this.#base -= age - known + 1;
    } else if (age < WINDOW_PACKETS && this.#come[slotOf(sequence)] === 1) {
      this.#duplicates += 1;
      return false;
    }
    this.#reordered += 1;
    if (age < WINDOW_PACKETS) this.#come[slotOf(sequence)] = 1;
    return true;
  }

  /** The window moves on to `sequence`; what leaves it is settled. */
  #move(sequence: number, come: 0 | 1): void {
    const slot = slotOf(sequence);
    if (this.#come[slot] === 1) this.#endRun();
    else this.#run += 1;
    this.#come[slot] = come;
  }

  #endRun(): void {
    if (this.#run > 0) this.#gaps += 1;
    this.#longestGap = Math.max(this.#longestGap, this.#run);
    this.#run = 0;
  }

  /** The gaps that are settled and those that are still in the window. */
  #allGaps(): { gaps: number; longestGap: number } {
    let gaps = this.#gaps;
    let longestGap = this.#longestGap;
    let run = this.#run;
    for (let age = WINDOW_PACKETS - 1; age >= 0; age--) {
      if (this.#come[slotOf(this.#highest - age)] === 0) {
        run += 1;
        continue;
      }
      if (run > 0) gaps += 1;
      longestGap = Math.max(longestGap, run);
      run = 0;
    }
    return { gaps, longestGap };
  }

  #time(timestamp: number, nowMs: number): void {
    // The difference of the two packets' transit times; 32-bit wrap of the timestamp shows as a huge step and is skipped.
    const transitMs = nowMs - timestamp / OPUS_TICKS_PER_MS;
    const changeMs = Math.abs(transitMs - this.#transitMs);
    this.#transitMs = transitMs;
    if (changeMs < 60_000) this.#jitterMs += (changeMs - this.#jitterMs) / 16;
  }

  #expected(): number {
    return this.#ssrc < 0 ? 0 : this.#cycles + this.#highest - this.#base + 1;
  }

  #lostNow(): number {
    return Math.max(0, this.#expected() - this.#received);
  }

  #restart(ssrc: number, sequence: number): void {
    this.#lostBefore += this.#lostNow();
    const { gaps, longestGap } = this.#allGaps();
    this.#gaps = gaps;
    this.#longestGap = longestGap;
    this.#run = 0;
    // Nothing before the first packet counts as lost.
    this.#come.fill(1);
    this.#ssrc = ssrc;
    this.#cycles = 0;
    this.#highest = this.#base = sequence;
    this.#received = 0;
    this.#expectedAtReport = this.#receivedAtReport = 0;
    this.#transitMs = NaN;
  }
}

const slotOf = (sequence: number): number => sequence & (WINDOW_PACKETS - 1);
