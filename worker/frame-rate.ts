// How fast relays may talk: one token bucket per connection. Time comes in as an argument.
import { TokenBucket, type Rate } from './domain/token-bucket.ts';

/**
 * A relay that comes back sends everything that was not acknowledged at once, 10,000 events at most
 * (`OUTBOX_EVENTS_MAX`). A call makes about ten frames, so the rest is for 20 set-ups a second.
 */
export const RELAY_FRAMES: Rate = { perSecond: 200, burst: 12_000 };

/** Connections that are gone are forgotten with their objects; after the Switchboard's sleep every bucket is full again. */
export class FrameRate {
  readonly #rate: Rate;
  readonly #buckets = new WeakMap<object, TokenBucket>();

  constructor(rate: Rate = RELAY_FRAMES) {
    this.#rate = rate;
  }

  /**
   * Counts one frame.
   *
   * @param connection the socket that it came on
   * @returns false when the connection has sent too many
   */
  admits(connection: object, nowMs: number): boolean {
    const bucket = this.#buckets.get(connection) ?? new TokenBucket(this.#rate, nowMs);
    this.#buckets.set(connection, bucket);
    return bucket.take(nowMs);
  }
}
