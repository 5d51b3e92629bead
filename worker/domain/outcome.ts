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
  'voicemail-left': 'success',
  'callback-requested': 'success',
  'room-deleted': 'success',
  'removed-from-room': 'success',
  'caller-gave-up': 'client_error',
  'no-answer': 'client_error',
  rejected: 'client_error',
  'rejected-by-rule': 'client_error',
  abandoned: 'client_error',
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
  'unusable-answer': 'upstream_error',
  'callee-hung-up': 'success',
  'callee-no-answer': 'client_error',
  'callee-rejected': 'client_error',
  'callee-not-reachable': 'client_error',
  'callee-set-up-failed': 'upstream_error',
  cancelled: 'client_error',
  'agent-no-answer': 'client_error',
  'agent-did-not-join': 'client_error',
  'permission-not-granted': 'client_error',
  'no-permission': 'client_error',
  'already-in-call': 'client_error',
  'call-limit-reached': 'client_error',
  'calling-not-enabled': 'client_error',
  'calling-paused': 'client_error',
  'country-not-available': 'client_error',
  'payment-missing': 'client_error',
  'number-in-sip-mode': 'client_error',
  'token-rejected': 'client_error',
  'rate-limited': 'upstream_error',
  'provider-busy': 'upstream_error',
  'dial-refused': 'upstream_error',
  'dial-unconfirmed': 'indeterminate',
} as const satisfies Record<string, OutcomeResult>;

export type OutcomeReason = keyof typeof OUTCOME_REASONS;

/** Ends that are nobody's wish: whoever was on the other side is sent the number's fallback text. */
export const FAILED_CALLER: ReadonlySet<OutcomeReason> = new Set([
  'no-answer',
  'agent-connection-lost',
  'offer-too-old',
  'unusable-offer',
  'pre-accept-refused',
  'accept-failed',
  'media-failed',
  'media-lost',
  'room-failed',
  'room-lost',
  'no-relay',
  'relay-did-not-answer',
  'relay-lost',
  'relay-failed',
  'agent-did-not-join',
]);
export type EndedBy = 'caller' | 'agent' | 'api' | 'provider' | 'livekit' | 'system';

/** Written exactly once per call. */
export interface Outcome {
  readonly result: OutcomeResult;
  readonly reason: OutcomeReason;
  readonly endedBy: EndedBy;
  /** For people: the provider's code and text, or the offending SDP line. */
  readonly detail?: string;
  /** The provider's error code. */
  readonly code?: number;
  /** When the provider says that it may be tried again, in epoch ms. */
  readonly retryAtMs?: number;
}

/** What to do next, for the ends that somebody can do something about. */
export const REMEDIES: Readonly<Partial<Record<OutcomeReason, string>>> = {
  'callee-not-reachable':
    'The user cannot be called on WhatsApp; do not try again soon, reach them another way.',
  'callee-no-answer': 'Try again later; four unanswered calls in a row revoke the permission.',
  'permission-not-granted': 'Write to the user instead; they can still grant permission later.',
  'no-permission':
    'Ask for permission: POST /v1/contacts/:id/permission-request, or place the call with `ask`.',
  'already-in-call': 'Wait until the call with this user is over.',
  'call-limit-reached': 'Wait: 100 connected calls to one user in 24 h are the limit.',
  'calling-not-enabled': 'Enable calling: PATCH /v1/numbers/:id/calling.',
  'calling-paused':
    'The provider paused calls for their quality; see GET /v1/numbers/:id/calling for how long.',
  'country-not-available': 'Business-initiated calls do not exist for numbers of this country.',
  'payment-missing': 'Add a payment method to the WhatsApp Business account.',
  'number-in-sip-mode': 'Switch SIP off: PATCH /v1/numbers/:id/calling.',
  'token-rejected': 'Replace the access token: PATCH /v1/numbers/:id.',
  'rate-limited': 'Slow down and try again later.',
  'provider-busy': 'Try again later.',
  'dial-refused': 'See `detail`: the code and text of the provider.',
  'dial-unconfirmed':
    'Nobody knows whether the phone rang; it is not called again by itself. Try again after a minute.',
};

/**
 * What the provider's error codes mean for a call that it refuses to place.
 * Provider: Calling API, troubleshooting and Cloud API error codes, read 2026-06.
 */
const REFUSALS: Readonly<Record<number, OutcomeReason>> = {
  0: 'token-rejected',
  4: 'rate-limited',
  190: 'token-rejected',
  613: 'rate-limited',
  80007: 'rate-limited',
  130429: 'rate-limited',
  131044: 'payment-missing',
  131055: 'number-in-sip-mode',
  138000: 'calling-not-enabled',
  138001: 'callee-not-reachable',
  138002: 'provider-busy',
  138003: 'already-in-call',
  138004: 'dial-refused',
  138005: 'rate-limited',
  138006: 'no-permission',
  138007: 'dial-refused',
  138012: 'call-limit-reached',
  138013: 'country-not-available',
  138014: 'calling-paused',
};

export const refusalReason = (
  code: number | undefined,
  status: number | undefined,
): OutcomeReason =>
  (code === undefined ? undefined : REFUSALS[code]) ??
  (status === 429 ? 'rate-limited' : 'dial-refused');

/** Codes with which the provider says that the user's side could not set up the call. */
const SET_UP_CODES: ReadonlySet<number> = new Set([138019, 138020]);

export const terminationReason = (code: number | undefined): OutcomeReason =>
  code !== undefined && SET_UP_CODES.has(code) ? 'callee-set-up-failed' : 'provider-ended';

export const outcome = (reason: OutcomeReason, endedBy: EndedBy, detail?: string): Outcome => ({
  result: OUTCOME_REASONS[reason],
  reason,
  endedBy,
  ...(detail === undefined ? {} : { detail }),
});

/** The provider's code of an end, as a part of an outcome. */
export const codeOf = ({ errorCode }: { readonly errorCode?: number | undefined }) =>
  errorCode === undefined ? {} : { code: errorCode };
