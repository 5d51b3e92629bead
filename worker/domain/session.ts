// How long a person stays signed in. Pure.

/** A link to sign in with works this long, in ms; it may lie in somebody's mail over a weekend. */
export const INVITATION_MS = 72 * 3600_000;
/** A browser that asks nothing is signed out after this time, in ms: longer than a shift. */
export const SESSION_IDLE_MS = 12 * 3600_000;
/** Nobody stays signed in for longer, in ms. */
export const SESSION_MS = 7 * 24 * 3600_000;
/** When something was last used is kept to the minute, so that not every request writes. */
export const USE_NOTED_MS = 60_000;

export interface SessionTimes {
  readonly lastUsedAtMs: number;
  readonly expiresAtMs: number;
}

/** From then on it opens nothing, unless it is used before. */
export const sessionEndMs = ({ lastUsedAtMs, expiresAtMs }: SessionTimes): number =>
  Math.min(expiresAtMs, lastUsedAtMs + SESSION_IDLE_MS);
