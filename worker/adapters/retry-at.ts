// When the provider says that something may be tried again.

/** Further away than this is a misreading: the longest window of the provider's limits is 7 days. */
const AHEAD_MS_MAX = 8 * 24 * 3600_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3600_000,
  day: 24 * 3600_000,
};

/**
 * Finds the time in the text of a refusal, such as the one of 138012 (too many connected calls to one user in 24 h), or in a
 * `Retry-After` header. Provider: Calling API troubleshooting, read 2026-06: the text holds the next allowed time; its form is
 * not documented, so Unix seconds, ISO 8601 (UTC unless it says otherwise) and "in 3 hours" are understood.
 *
 * @param retryAfter whole seconds; neither provider uses the form with a date
 * @returns epoch ms, or null when nothing is said or it is not in the near future
 */
export function parseRetryAt(
  text: string,
  retryAfter: string | null,
  nowMs: number,
): number | null {
  const isNear = (ms: number | null): ms is number =>
    ms !== null && ms > nowMs && ms - nowMs <= AHEAD_MS_MAX;
  const header = /^\d{1,7}$/.test(retryAfter ?? '') ? nowMs + Number(retryAfter) * 1000 : null;
  return [unixSeconds(text), isoTime(text), wait(text, nowMs), header].find(isNear) ?? null;
}

function unixSeconds(text: string): number | null {
  const digits = /(?<!\d)(\d{10})(?!\d)/.exec(text)?.[1];
  return digits === undefined ? null : Number(digits) * 1000;
}

function isoTime(text: string): number | null {
  const match = /(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)\s*([+-]\d\d:?\d\d)?/.exec(
    text,
  );
  if (!match) return null;
  const zone = match[3]?.replace(/^(...)(\d\d)$/, '$1:$2') ?? 'Z';
  const ms = Date.parse(`${match[1]}T${match[2]}${zone}`);
  return Number.isNaN(ms) ? null : ms;
}

function wait(text: string, nowMs: number): number | null {
  const match = /\b(?:in|after)\s+(\d{1,5})\s*(second|minute|hour|day)s?\b/i.exec(text);
  const unitMs = UNIT_MS[match?.[2]?.toLowerCase() ?? ''];
  return match && unitMs !== undefined ? nowMs + Number(match[1]) * unitMs : null;
}
