// What Meta forbids a number after complaints, and for how long. Pure.

/**
 * Provider: "Call settings", account_update, read 2026-07. Observed: the last two tokens occur besides the documented three.
 */
export const RESTRICTION_TYPES = [
  'RESTRICTED_BUSINESS_INITIATED_CALLING',
  'RESTRICTED_USER_INITIATED_CALLING',
  'RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN',
  'RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING',
  'LOW_CALLING_QUALITY',
] as const;
export type RestrictionType = (typeof RESTRICTION_TYPES)[number];

/** One restriction; without `expiresAtMs` it holds until it is lifted. */
export type Restriction = {
  readonly type: RestrictionType;
  readonly reason: string;
  readonly expiresAtMs: number | null;
};

const BLOCKS_OUTBOUND: readonly RestrictionType[] = [
  'RESTRICTED_BUSINESS_INITIATED_CALLING',
  'RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING',
];
// A hidden button leaves other ways to call, so it blocks nothing.
const BLOCKS_INBOUND: readonly RestrictionType[] = [
  'RESTRICTED_USER_INITIATED_CALLING',
  'RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING',
];

/** Those that hold now. */
export function inForce(restrictions: readonly Restriction[], nowMs: number): Restriction[] {
  return restrictions.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs);
}

/** The restriction that forbids calls of a direction, if any. */
export function blocking(
  restrictions: readonly Restriction[],
  direction: 'inbound' | 'outbound',
  nowMs: number,
): Restriction | undefined {
  const types = direction === 'outbound' ? BLOCKS_OUTBOUND : BLOCKS_INBOUND;
  return inForce(restrictions, nowMs).find(({ type }) => types.includes(type));
}
