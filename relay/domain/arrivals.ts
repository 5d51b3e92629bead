// What arrived of all sources of one direction together: each has sequence numbers and a clock of its own.
import { ReceiveQuality, type PacketCounts } from './quality.ts';
import type { Reception } from './rtcp.ts';
import type { RtpView } from './rtp.ts';

export type ArrivalFigures = PacketCounts & {
  /** Interarrival jitter in ms, of the sources as their packets weigh. Spec: RFC 3550 section 6.4.1. */
  jitterMs: number;
};

const NOTHING: ArrivalFigures = {
  packets: 0,
  lost: 0,
  duplicates: 0,
  reordered: 0,
  gaps: 0,
  longestGap: 0,
  jitterMs: 0,
};

export class Arrivals {
  readonly #sources = new Map<number, ReceiveQuality>();
  #gone = NOTHING;

  /**
   * Counts one packet.
   *
   * @param isTimed false for a packet whose timestamp says nothing about its way, such as a key press
   * @returns false for one that has come before
   */
  packet(source: number, view: RtpView, isTimed: boolean, nowMs: number): boolean {
    let quality = this.#sources.get(source);
    if (!quality) {
      quality = new ReceiveQuality();
      this.#sources.set(source, quality);
    }
    return quality.packet(view.ssrc, view.sequence, isTimed ? view.timestamp : undefined, nowMs);
  }

  /** A source is gone for good; its figures stay. */
  forget(source: number): void {
    const quality = this.#sources.get(source);
    if (!quality) return;
    this.#gone = sum(this.#gone, quality);
    this.#sources.delete(source);
  }

  figures(): ArrivalFigures {
    return [...this.#sources.values()].reduce(sum, this.#gone);
  }

  /** What RTCP tells the sender of a source; counts the loss since the call before. `undefined` until a packet has come. */
  report(source: number): Reception | undefined {
    return this.#sources.get(source)?.report();
  }
}

function sum(one: ArrivalFigures, quality: ReceiveQuality): ArrivalFigures {
  const other = quality.counts();
  const packets = one.packets + other.packets;
  return {
    packets,
    lost: one.lost + other.lost,
    duplicates: one.duplicates + other.duplicates,
    reordered: one.reordered + other.reordered,
    gaps: one.gaps + other.gaps,
    longestGap: Math.max(one.longestGap, other.longestGap),
    jitterMs:
      packets === 0 ? 0 : (one.jitterMs * one.packets + quality.jitterMs * other.packets) / packets,
  };
}
