// Sending events to endpoints of users: when to try again, when to stop. Pure.

/** Longest wait for one receiver, in ms. */
export const DELIVERY_TIMEOUT_MS = 10_000;
/**
 * Waits after each failed attempt, in ms: given up after the eighth, some 32 h after the event. Spec: Standard Webhooks 1.0,
 * "Deliverability and reliability".
 */
export const RETRY_MS = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000,
] as const;
/** An endpoint at which every attempt has failed for this long is switched off, in ms. */
export const DISABLE_AFTER_MS = 5 * 24 * 3600_000;
/** What was sent, and what could not be, is kept this long, in ms from the event. */
export const DELIVERY_KEPT_MS = 30 * 24 * 3600_000;
/** How long the secret before signs too after a change, in ms. */
export const PREVIOUS_SECRET_MS = 24 * 3600_000;
/** The longest wait that a receiver may ask for, in ms. */
const RETRY_AFTER_MS_MAX = 24 * 3600_000;

/** What came of one attempt. */
export interface Attempt {
  /** Null when no reply came. */
  readonly status: number | null;
  /** Null when the receiver took it. */
  readonly error: string | null;
  /** How long the receiver asked to be left alone, in ms. */
  readonly retryAfterMs: number | null;
}

/**
 * When to send an event again that was not taken.
 *
 * @param attempts so far, this one included
 * @returns null when it is given up
 */
export function nextDeliveryAtMs(
  attempts: number,
  { retryAfterMs }: Attempt,
  nowMs: number,
): number | null {
  const waitMs = RETRY_MS[attempts - 1];
  if (waitMs === undefined) return null;
  return nowMs + Math.max(waitMs, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX));
}

/** Why nothing is sent to an endpoint: somebody switched it off, it failed for days, or it answered 410. */
export const DISABLED_BECAUSE = ['by-hand', 'failing', 'gone'] as const;
export type DisabledBecause = (typeof DISABLED_BECAUSE)[number];

/** Spec: Standard Webhooks 1.0: 410 asks not to be sent anything any more. */
const GONE = 410;

/**
 * Whether an attempt that failed is the endpoint's last.
 *
 * @param failingSinceMs since when every attempt there failed, this one included
 */
export function endOfEndpoint(
  { status }: Attempt,
  failingSinceMs: number,
  nowMs: number,
): DisabledBecause | null {
  if (status === GONE) return 'gone';
  return nowMs - failingSinceMs >= DISABLE_AFTER_MS ? 'failing' : null;
}
