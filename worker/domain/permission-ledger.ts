// The ledger of one business number and one contact: what is known about calling and asking them, and until when free-form
// messages may be sent. `permission.ts` writes it, `permission-questions.ts` reads it. Pure.

export type GrantStatus = 'none' | 'temporary' | 'permanent' | 'declined' | 'revoked';
export type CallRefusal =
  | 'no-permission'
  | 'expired'
  | 'declined'
  | 'revoked'
  | 'daily-limit'
  | 'paused'
  | 'country'
  | 'uncallable'
  | 'provider-refuses';
export type AskRefusal =
  'permanent-exists' | 'declined' | 'request-limit' | 'paused' | 'country' | 'provider-refuses';

export interface Block<R> {
  readonly reason: R;
  readonly atMs: number;
  readonly untilMs: number;
}

export interface AskedOnce {
  /** The provider's id of the message; the user's reply names it. */
  readonly messageId: string;
  readonly atMs: number;
  readonly answer: 'granted' | 'declined' | null;
}

export interface Ledger {
  /** Null while nothing is known. */
  readonly grant: {
    readonly status: GrantStatus;
    /** When it came about. */
    readonly sinceMs: number;
    /** The time of the latest fact behind it; older facts do not change it. */
    readonly knownAtMs: number;
    readonly expiresAtMs: number | null;
  } | null;
  readonly callBlock: Block<CallRefusal> | null;
  readonly askBlock: Block<AskRefusal> | null;
  /** The provider said then that a request may be sent: our own counting does not hold against that. */
  readonly askableAtMs: number | null;
  /** Newest last. */
  readonly requests: readonly AskedOnce[];
  /** Calls to the user in a row that nobody answered; at two the provider asks the user whether they still want calls. */
  readonly unanswered: number;
  /** The latest call that connected, in either direction. */
  readonly connectedAtMs: number | null;
  /** Until then free-form messages may be sent; null when no window is known of. */
  readonly windowUntilMs: number | null;
  /** When the provider was last asked. */
  readonly checkedAtMs: number | null;
  /** Ids of facts that must not count twice, newest last. */
  readonly seen: readonly string[];
}

export const EMPTY_LEDGER: Ledger = {
  grant: null,
  callBlock: null,
  askBlock: null,
  askableAtMs: null,
  requests: [],
  unanswered: 0,
  connectedAtMs: null,
  windowUntilMs: null,
  checkedAtMs: null,
  seen: [],
};

export const isExpired = (grant: NonNullable<Ledger['grant']>, nowMs: number): boolean =>
  grant.status === 'temporary' && grant.expiresAtMs !== null && grant.expiresAtMs <= nowMs;
