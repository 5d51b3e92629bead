// What the ledger answers: may the user be called, may they be asked. The provider decides; refused is only what is known to be
// refused. Pure.
import {
  isExpired,
  type AskRefusal,
  type CallRefusal,
  type GrantStatus,
  type Ledger,
} from './permission-ledger.ts';

const DAY_MS = 24 * 3_600_000;
const WEEK_MS = 7 * DAY_MS;

/** Provider: one request in 24 h and two in 7 days; a connected call resets both, User call permissions, read 2026-06. */
const ASK_LIMITS = [
  { periodMs: DAY_MS, requests: 1 },
  { periodMs: WEEK_MS, requests: 2 },
];
/** Provider: for 7 days users may change their answer on the request they have, User call permissions, read 2026-06. */
const ANSWER_OPEN_MS = WEEK_MS;

export type Refusal<R> = {
  readonly allowed: false;
  readonly reason: R;
  /** Null when no time will change it. */
  readonly retryAtMs: number | null;
};
export type MayCall = { readonly allowed: true } | Refusal<CallRefusal>;
/** `text`: free-form, the window is open. `template`: it is not, or not that we know of. */
export type MayAsk =
  { readonly allowed: true; readonly form: 'text' | 'template' } | Refusal<AskRefusal>;

/** What is known about the permission now; `unknown` when nothing is. */
export function statusAt({ grant }: Ledger, nowMs: number): GrantStatus | 'expired' | 'unknown' {
  if (!grant) return 'unknown';
  return isExpired(grant, nowMs) ? 'expired' : grant.status;
}

/** Whether the user may be called. Unknown is allowed, because the provider decides. */
export function mayCall(ledger: Ledger, nowMs: number): MayCall {
  const { callBlock } = ledger;
  if (callBlock && callBlock.untilMs > nowMs) {
    return { allowed: false, reason: callBlock.reason, retryAtMs: callBlock.untilMs };
  }
  const status = statusAt(ledger, nowMs);
  switch (status) {
    case 'unknown':
    case 'temporary':
    case 'permanent':
      return { allowed: true };
    case 'none':
      return { allowed: false, reason: 'no-permission', retryAtMs: null };
    case 'expired':
    case 'declined':
    case 'revoked':
      return { allowed: false, reason: status, retryAtMs: null };
  }
}

/** Whether the user may be asked for permission, and in which form. */
export function mayAsk(ledger: Ledger, nowMs: number): MayAsk {
  const { grant, callBlock, connectedAtMs } = ledger;
  const refuse = (reason: AskRefusal, retryAtMs: number | null): MayAsk => ({
    allowed: false,
    reason,
    retryAtMs,
  });
  if (grant?.status === 'permanent') return refuse('permanent-exists', null);
  // What keeps the number from calling keeps it from asking, too.
  for (const block of [callBlock, ledger.askBlock]) {
    if (!block || block.untilMs <= nowMs) continue;
    const isShared = block.reason === 'paused' || block.reason === 'country';
    if (isShared || block === ledger.askBlock) {
      return refuse(block.reason as AskRefusal, block.untilMs);
    }
  }
  if (grant?.status === 'declined' && grant.sinceMs > (connectedAtMs ?? -1)) {
    const openUntilMs = grant.sinceMs + ANSWER_OPEN_MS;
    if (openUntilMs > nowMs) return refuse('declined', openUntilMs);
  }
  const limitedUntilMs = limitUntil(ledger, nowMs);
  if (limitedUntilMs !== null) return refuse('request-limit', limitedUntilMs);
  return { allowed: true, form: isWindowOpen(ledger, nowMs) ? 'text' : 'template' };
}

export const isWindowOpen = ({ windowUntilMs }: Ledger, nowMs: number): boolean =>
  windowUntilMs !== null && windowUntilMs > nowMs;

/** By our own counting; null when a request is free. */
function limitUntil(ledger: Ledger, nowMs: number): number | null {
  const countedAfterMs = Math.max(ledger.connectedAtMs ?? -1, ledger.askableAtMs ?? -1);
  const counted = ledger.requests.filter(({ atMs }) => atMs > countedAfterMs);
  const untilMs = ASK_LIMITS.map(({ periodMs, requests }) => {
    // Room is made when the oldest of the last so many leaves the period.
    const oldest = counted.at(-requests);
    return oldest ? oldest.atMs + periodMs : 0;
  });
  const latestMs = Math.max(...untilMs);
  return latestMs > nowMs ? latestMs : null;
}
