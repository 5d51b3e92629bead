// How calls end. Every reason has a row in FAILURES.md; a test compares the two.

/**
 * Whose doing was it: `client_error` the people in the call, `upstream_error` the provider, LiveKit or the network,
 * `server_error` Roomline itself and whatever is unclassified, `indeterminate` when it cannot be known.
 */
export type OutcomeResult =
  'success' | 'client_error' | 'upstream_error' | 'server_error' | 'indeterminate';

/** Each reason with the result it belongs to. */
export const OUTCOME_REASONS = {
  'caller-hung-up': 'success',
  'agent-hung-up': 'success',
  'agent-left': 'success',
  'room-deleted': 'success',
  'removed-from-room': 'success',
  'caller-gave-up': 'client_error',
  'no-answer': 'client_error',
  rejected: 'client_error',
  'agent-connection-lost': 'client_error',
  'offer-too-old': 'upstream_error',
  'unusable-offer': 'upstream_error',
  'pre-accept-refused': 'upstream_error',
  'accept-failed': 'upstream_error',
  'provider-ended': 'upstream_error',
  'media-failed': 'upstream_error',
  'media-lost': 'upstream_error',
  'room-failed': 'upstream_error',
  'room-lost': 'upstream_error',
  'no-relay': 'server_error',
  'relay-did-not-answer': 'server_error',
  'relay-lost': 'server_error',
  'relay-failed': 'server_error',
} as const satisfies Record<string, OutcomeResult>;

export type OutcomeReason = keyof typeof OUTCOME_REASONS;
export type EndedBy = 'caller' | 'agent' | 'api' | 'provider' | 'livekit' | 'system';

/** Written exactly once per call. */
export interface Outcome {
  readonly result: OutcomeResult;
  readonly reason: OutcomeReason;
  readonly endedBy: EndedBy;
  /** For people: the provider's code and text, or the offending SDP line. */
  readonly detail?: string;
}

export const outcome = (reason: OutcomeReason, endedBy: EndedBy, detail?: string): Outcome => ({
  result: OUTCOME_REASONS[reason],
  reason,
  endedBy,
  ...(detail === undefined ? {} : { detail }),
});
