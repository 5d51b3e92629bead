// What the provider restricts on a number, and whether calls may be started now. Pure.

/** As stored in `numbers.restrictions`. */
export interface Restriction {
  /** The provider's own token. */
  readonly type: string;
  readonly reason?: string | undefined;
  /** When it ends, in epoch ms; absent when the provider does not say. */
  readonly until_ms?: number | undefined;
  /** When it was reported, in epoch ms. */
  readonly at_ms: number;
}

/** Provider: Calling API settings, restrictions for low quality, read 2026-06: 7 days. Assumed where no end is reported. */
const RESTRICTION_MS = 7 * 24 * 3600_000;

/**
 * Which directions a restriction is about. One token writes BIZ where the others write BUSINESS, and an older one names no
 * direction; that one came with restrictions of calls that the business starts.
 */
export function directionsOf(type: string): { inbound: boolean; outbound: boolean } {
  const name = type.toUpperCase();
  return {
    inbound: /USER_INITIATED/.test(name),
    outbound: /(BUSINESS|BIZ)_INITIATED/.test(name) || name === 'LOW_CALLING_QUALITY',
  };
}

export const endOf = ({ until_ms, at_ms }: Restriction): number =>
  until_ms ?? at_ms + RESTRICTION_MS;

export const isInForce = (restriction: Restriction, nowMs: number): boolean =>
  endOf(restriction) > nowMs;

/**
 * The restriction that forbids starting calls from a number now, the one that ends last if there are several.
 *
 * @returns null when calls may be started
 */
export function outboundRestriction(
  restrictions: readonly Restriction[],
  nowMs: number,
): { readonly type: string; readonly reason: string | null; readonly untilMs: number } | null {
  const [last] = restrictions
    .filter((item) => directionsOf(item.type).outbound && isInForce(item, nowMs))
    .toSorted((a, b) => endOf(b) - endOf(a));
  return last ? { type: last.type, reason: last.reason ?? null, untilMs: endOf(last) } : null;
}

/** Adds newly reported restrictions, each replacing the earlier report of its type, and drops those that are over. */
export function mergeRestrictions(
  known: readonly Restriction[],
  reported: readonly Restriction[],
  nowMs: number,
): Restriction[] {
  const replaced = new Set(reported.map(({ type }) => type));
  return [...known.filter(({ type }) => !replaced.has(type)), ...reported].filter((item) =>
    isInForce(item, nowMs),
  );
}
