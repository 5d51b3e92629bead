// Passing webhooks on: which headers go along, when to try again, when to give up. Pure.

/** Bodies are stored up to this size: a row of D1 holds 2 MB at most. Provider: D1 limits, read 2026-06. */
export const STORED_BODY_BYTES_MAX = 1_900_000;
/** After this a body is given up and becomes a dead letter, in ms from its arrival. */
export const GIVE_UP_AFTER_MS = 24 * 3600_000;
/** Dead letters are kept this long, in ms, for somebody to look at them. */
export const DEAD_LETTER_MS = 7 * 24 * 3600_000;
/** The table is cut to this many rows, oldest first: at the usual 2 kB a body about 40 MB. */
export const FORWARD_ROWS_MAX = 20_000;

/** Waits between the attempts right after arrival, in ms; most failures are a restart of the receiver. */
export const QUICK_RETRY_MS = [2_000, 6_000] as const;

const BACKOFF_FIRST_MS = 30_000;
const BACKOFF_MAX_MS = 3600_000;

/**
 * When to try again after `attempts` failed ones (1 or more): after 30 s, 1 min, 2 min ... 1 h.
 *
 * @returns null when it is to be given up
 */
export function nextAttemptAtMs(
  attempts: number,
  createdAtMs: number,
  nowMs: number,
): number | null {
  const nextAtMs = nowMs + Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempts - 1));
  return nextAtMs > createdAtMs + GIVE_UP_AFTER_MS ? null : nextAtMs;
}

/** Marks what was passed on, so that two Roomlines pointing at each other do not pass it on for ever. */
export const FORWARDED_HEADER = 'x-roomline-forwarded';

/** What the receiver needs to check the body as if it came from the provider. */
const PASSED_HEADERS = [
  'content-type',
  'user-agent',
  'x-hub-signature',
  'x-hub-signature-256',
  'x-360dialog-signature',
] as const;

/** @param read gives a header of the webhook, by its lower-case name */
export function passedHeaders(
  read: (name: string) => string | null | undefined,
): Record<string, string> {
  const headers: Record<string, string> = { [FORWARDED_HEADER]: '1' };
  for (const name of PASSED_HEADERS) {
    const value = read(name);
    if (value) headers[name] = value;
  }
  return headers;
}

/**
 * Where a body goes: once to each address of the numbers that it names, else to the default.
 *
 * @param numbersUrls addresses of the registered numbers that the body names
 */
export function forwardTargets(
  numbersUrls: readonly (string | null)[],
  defaultUrl: string | null,
): string[] {
  const own = new Set(numbersUrls.filter((url) => url !== null));
  if (own.size > 0) return [...own];
  return defaultUrl === null ? [] : [defaultUrl];
}
