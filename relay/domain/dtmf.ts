// Reads which keys a phone presses out of its telephone-events. Pure: the caller brings the clock.
import { OPUS_TICKS_PER_MS } from './opus.ts';
import type { RtpView } from './rtp.ts';

/** By event code. Spec: RFC 4733 section 3.2; LiveKit's `SipDTMF.code` is the same. */
export const KEYS = '0123456789*#ABCD';

/** Bytes of one event. Spec: RFC 4733 section 2.3: code, end bit and volume, duration. */
export const EVENT_BYTES = 4;
export const END_BIT = 0x80;

/** Ticks of an event's duration: telephone-event is negotiated at 8000 Hz. */
export const EVENT_TICKS_PER_MS = 8;

/**
 * RTP ticks per tick of a duration. Spec: RFC 4733 section 2.1, events use the timestamps of the audio beside them; Provider:
 * "Calling: FAQ" says so of WhatsApp's.
 */
const RTP_TICKS_PER_EVENT_TICK = OPUS_TICKS_PER_MS / EVENT_TICKS_PER_MS;

/** Spec: RFC 4733 section 2.5.1.3, a key that is held longer than this goes on under another timestamp. */
const SEGMENT_TICKS = 0xffff;

/** Two packets of 20 ms: how much later than its time a segment may begin, in RTP ticks. */
const SEGMENT_SLACK_TICKS = 40 * OPUS_TICKS_PER_MS;

/** A key that is held for this long counts before it is let go, in ms. */
export const HELD_MS = 2_000;

/** A key of which nothing comes for this long has been let go, in ms. Its packets come every 20 to 50 ms. */
export const LOST_END_MS = 200;

/** Packets of an earlier key are not expected any more after this, in ms: a lower timestamp is another stream's. */
const LATE_MS_MAX = 2_000;

/** Keys that may come at once, such as after a stall, and per second. Nobody presses more; a phone that does is out of order. */
const BURST_KEYS = 20;
const KEYS_PER_MS = 0.01;

type KeyDown = {
  readonly ssrc: number;
  readonly code: number;
  readonly sinceMs: number;
  timestamp: number;
  ticks: number;
  lastMs: number;
  isEnded: boolean;
  isTold: boolean;
};

/**
 * Tells of each key once: when it is let go, or has been held for `HELD_MS`. Packets may be lost, doubled and overtaken: all
 * packets of a key have one timestamp, and any one of them is enough.
 */
export class KeyReader {
  readonly #onKey: (digit: string) => void;
  /** The latest key, also when it was let go. */
  #key: KeyDown | undefined;
  #allowance = BURST_KEYS;
  #allowanceAtMs = 0;

  /** @param onKey is told one character of `KEYS` */
  constructor(onKey: (digit: string) => void) {
    this.#onKey = onKey;
  }

  /**
   * Takes one packet of events.
   *
   * @param view its header; what is no event of a key is passed over
   */
  packet(bytes: Uint8Array, view: RtpView, nowMs: number): void {
    let timestamp = view.timestamp;
    // Spec: RFC 4733 section 2.5.1.5, several events in one packet follow each other without a pause.
    for (let at = view.payloadStart; at + EVENT_BYTES <= view.payloadEnd; at += EVENT_BYTES) {
      const code = bytes[at] ?? 0;
      const ticks = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      const isEnd = ((bytes[at + 1] ?? 0) & END_BIT) !== 0;
      if (code < KEYS.length) {
        const key = this.#keyOf(view, code, timestamp, ticks, nowMs);
        if (key) this.#update(key, ticks, isEnd, nowMs);
      }
      timestamp = (timestamp + ticks * RTP_TICKS_PER_EVENT_TICK) >>> 0;
    }
  }

  /** Notices what does not come. Call it every 10 ms or so. */
  tick(nowMs: number): void {
    if (!this.#key || this.#key.isTold) return;
    const { sinceMs, lastMs } = this.#key;
    if (nowMs - sinceMs >= HELD_MS || nowMs - lastMs >= LOST_END_MS) this.#tell(nowMs);
  }

  /** The key that an event belongs to, which may begin with it; `undefined` for one that is over. */
  #keyOf(
    { ssrc, marker }: RtpView,
    code: number,
    timestamp: number,
    ticks: number,
    nowMs: number,
  ): KeyDown | undefined {
    const key = this.#key;
    if (key?.ssrc === ssrc) {
      const step = (timestamp - key.timestamp) >>> 0;
      if (step === 0) return key.code === code ? key : undefined;
      if (step >= 0x8000_0000 && nowMs - key.lastMs < LATE_MS_MAX) return undefined;
      if (!marker && key.code === code && goesOn(key, step)) {
        key.timestamp = timestamp;
        key.ticks = ticks;
        return key;
      }
    }
    this.#tell(nowMs);
    this.#key = {
      ssrc,
      code,
      sinceMs: nowMs,
      timestamp,
      ticks,
      lastMs: nowMs,
      isEnded: false,
      isTold: false,
    };
    return this.#key;
  }

  #update(key: KeyDown, ticks: number, isEnd: boolean, nowMs: number): void {
    key.lastMs = nowMs;
    key.ticks = Math.max(key.ticks, ticks);
    key.isEnded ||= isEnd;
    if (isEnd || nowMs - key.sinceMs >= HELD_MS) this.#tell(nowMs);
  }

  #tell(nowMs: number): void {
    if (!this.#key || this.#key.isTold) return;
    this.#key.isTold = true;
    const earned = (nowMs - this.#allowanceAtMs) * KEYS_PER_MS;
    this.#allowance = Math.min(BURST_KEYS, this.#allowance + earned);
    this.#allowanceAtMs = nowMs;
    if (this.#allowance < 1) return;
    this.#allowance -= 1;
    this.#onKey(KEYS.charAt(this.#key.code));
  }
}

/**
 * Whether an event that begins `step` RTP ticks after a key is the next segment of it. Observed in libwebrtc's source
 * (modules/rtp_rtcp/source/rtp_sender_audio.cc): beside Opus it counts durations in RTP ticks, so its segments are six times
 * as short.
 */
function goesOn({ isEnded, ticks }: KeyDown, step: number): boolean {
  // The last packets before may be lost.
  if (isEnded || ticks < SEGMENT_TICKS / 2) return false;
  return [SEGMENT_TICKS, SEGMENT_TICKS * RTP_TICKS_PER_EVENT_TICK].some(
    (due) => step >= due && step <= due + SEGMENT_SLACK_TICKS,
  );
}
