// What the doctor finds. Pure.

/** In the order in which they are shown; the first problem usually explains the later ones. */
export const CHECK_NAMES = [
  'token',
  'clock',
  'graph-version',
  'messaging-limit',
  'calling-enabled',
  'sip-off',
  'restrictions',
  'webhook-fields',
  'account-subscription',
  'webhook-address',
  'webhook-verified',
  'relay',
  'recording',
  'livekit',
  'database',
] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

export interface Finding {
  readonly status: 'ok' | 'problem' | 'cannot_tell';
  readonly why: string;
  /** What to do; null when there is nothing to do. */
  readonly remedy: string | null;
}

export const fine = (why: string): Finding => ({ status: 'ok', why, remedy: null });
export const problem = (why: string, remedy: string): Finding => ({
  status: 'problem',
  why,
  remedy,
});
export const cannotTell = (why: string, remedy: string | null = null): Finding => ({
  status: 'cannot_tell',
  why,
  remedy,
});
