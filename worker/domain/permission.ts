// What facts do to the ledger of permissions. They come from webhooks, from the provider's own answers and from how calls went,
// doubled and in any order. Pure.
import {
  isExpired,
  type AskRefusal,
  type Block,
  type CallRefusal,
  type GrantStatus,
  type Ledger,
} from './permission-ledger.ts';
import type { ActionLimit, PermissionState } from './permission-state.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** Provider: a temporary permission lasts 168 h from its approval, User call permissions, read 2026-06. */
const TEMPORARY_MS = WEEK_MS;
/** Provider: a user who writes, calls, or answers a call opens the customer service window, Calling pricing, read 2026-06. */
const WINDOW_MS = DAY_MS;
/** A chat moves the window in steps of this, so that not every message becomes a write. */
const WINDOW_STEP_MS = 60_000;
/** Provider: four unanswered or rejected calls in a row revoke the permission, User call permissions, read 2026-06. */
const UNANSWERED_MAX = 4;
/** How long a refusal of the provider holds when it does not say. */
const RECHECK_MS = 15 * 60_000;

/**
 * Refusals with a time, and how long each holds when the provider names none.
 * Provider: error codes of permission requests and of `connect`, Calling API troubleshooting, read 2026-06.
 */
const REQUEST_BLOCKS: Readonly<Record<number, { reason: AskRefusal; holdMs: number }>> = {
  138009: { reason: 'request-limit', holdMs: HOUR_MS },
  138013: { reason: 'country', holdMs: DAY_MS },
  138014: { reason: 'paused', holdMs: HOUR_MS },
};
const DIAL_BLOCKS: Readonly<Record<number, { reason: CallRefusal; holdMs: number }>> = {
  138001: { reason: 'uncallable', holdMs: HOUR_MS },
  138012: { reason: 'daily-limit', holdMs: RECHECK_MS },
  138013: { reason: 'country', holdMs: DAY_MS },
  138014: { reason: 'paused', holdMs: HOUR_MS },
};
const NO_PERMISSION = 138006;
const PERMANENT_EXISTS = 138017;
/** More than 24 h have passed since the user wrote. Provider: Cloud API error codes, read 2026-06. */
const WINDOW_CLOSED = 131047;

const REQUESTS_KEPT = 8;
const IDS_KEPT = 12;
/** The end of an id is its random part. */
const ID_CHARS_MAX = 128;

export interface PermissionReply {
  readonly type: 'reply';
  /** The provider's time, whole seconds. */
  readonly atMs: number;
  readonly messageId: string | null;
  /** The request or call that it answers. */
  readonly contextId: string | null;
  readonly isGranted: boolean;
  readonly isPermanent: boolean;
  readonly expiresAtMs: number | null;
  /** The provider did it: a call-back permission, or a revocation after unanswered calls. */
  readonly isAutomatic: boolean;
}

interface Refused {
  readonly atMs: number;
  /** The provider's error code. */
  readonly code: number | undefined;
  readonly retryAtMs: number | undefined;
}

export type Fact =
  | PermissionReply
  /** What the provider answered; `atMs` is when it was asked. */
  | { readonly type: 'snapshot'; readonly atMs: number; readonly state: PermissionState }
  | { readonly type: 'requested'; readonly atMs: number; readonly messageId: string }
  | ({ readonly type: 'request-refused' } & Refused)
  | ({ readonly type: 'dial-refused' } & Refused)
  /** How a call to the user went; `callId` makes it count once. */
  | {
      readonly type: 'outbound';
      readonly atMs: number;
      readonly callId: string;
      readonly outcome: 'connected' | 'unanswered' | 'rejected';
    }
  /** The user called, answered or not. */
  | { readonly type: 'inbound'; readonly atMs: number; readonly isConnected: boolean }
  | { readonly type: 'message'; readonly atMs: number };

/**
 * Takes one fact into account. Repeating a fact changes nothing more, and an older one does not turn newer knowledge back.
 *
 * @param nowMs facts of the future count as of now, so that a wrong clock cannot shut later ones out
 * @returns the same object when the fact changes nothing
 */
export function apply(ledger: Ledger, fact: Fact, nowMs: number): Ledger {
  const atMs = Math.min(fact.atMs, nowMs);
  switch (fact.type) {
    case 'reply':
      return onReply(ledger, fact, nowMs);
    case 'snapshot':
      return onSnapshot(ledger, fact.state, atMs, nowMs);
    case 'requested':
      return onRequested(ledger, short(fact.messageId), atMs);
    case 'request-refused':
      return onRequestRefused(ledger, { ...fact, atMs });
    case 'dial-refused':
      return onDialRefused(ledger, { ...fact, atMs });
    case 'outbound':
      return onOutbound(ledger, fact, atMs);
    case 'inbound':
      return onInbound(ledger, fact.isConnected, atMs);
    case 'message':
      return onMessage(ledger, atMs);
  }
}

function onReply(ledger: Ledger, reply: PermissionReply, nowMs: number): Ledger {
  const id = reply.messageId === null ? null : short(reply.messageId);
  if (id !== null && ledger.seen.includes(id)) return ledger;
  const seen = id === null ? ledger : { ...ledger, seen: [...ledger.seen, id].slice(-IDS_KEPT) };
  const requests = answered(ledger.requests, reply);
  // Its time is cut to whole seconds, so it may be up to a second younger than it says.
  const knownAtMs = Math.min(reply.atMs + 999, nowMs);
  if (ledger.grant && knownAtMs < ledger.grant.knownAtMs) return { ...seen, requests };
  const grant = { status: statusOf(reply), sinceMs: Math.min(reply.atMs, nowMs), knownAtMs };
  const expiresAtMs =
    grant.status === 'temporary' ? (reply.expiresAtMs ?? reply.atMs + TEMPORARY_MS) : null;
  const lifted = ledger.callBlock?.reason === 'provider-refuses' && reply.isGranted;
  return {
    ...(reply.isGranted ? isReachable(seen, knownAtMs) : seen),
    ...(lifted ? { callBlock: null } : {}),
    requests,
    grant: { ...grant, expiresAtMs },
  };
}

function statusOf(reply: PermissionReply): GrantStatus {
  if (reply.isGranted) return reply.isPermanent ? 'permanent' : 'temporary';
  // A no that answers nothing is a permission taken back.
  return reply.isAutomatic || reply.contextId === null ? 'revoked' : 'declined';
}

/** Several requests may be open; the reply says which one it means. */
function answered(requests: Ledger['requests'], reply: PermissionReply): Ledger['requests'] {
  const contextId = reply.contextId === null ? null : short(reply.contextId);
  const answer = reply.isGranted ? 'granted' : 'declined';
  return requests.map((request) =>
    request.messageId === contextId ? { ...request, answer } : request,
  );
}

/** The provider's own word outweighs all counting, except what happened after it was asked. */
function onSnapshot(ledger: Ledger, state: PermissionState, atMs: number, nowMs: number): Ledger {
  const { grant } = ledger;
  const checkedAtMs = Math.max(ledger.checkedAtMs ?? 0, atMs);
  if (checkedAtMs > atMs || (grant && atMs < grant.knownAtMs)) return { ...ledger, checkedAtMs };
  const next = { ...ledger, checkedAtMs, grant: grantFrom(grant, state, atMs, nowMs) };
  const { callBlock, askBlock } = ledger;
  // Without a permission its absence is the reason, whatever the limits; and a request is pointless beside a permanent one.
  const isCallBlocked = state.canCall === false && state.status !== 'none';
  const isAskBlocked = state.canAsk === false && state.status !== 'permanent';
  return {
    ...next,
    callBlock: isCallBlocked
      ? blockFrom('daily-limit', state.callLimits, atMs)
      : state.canCall
        ? null
        : callBlock,
    askBlock: isAskBlocked
      ? blockFrom('request-limit', state.askLimits, atMs)
      : state.canAsk === null
        ? askBlock
        : null,
    askableAtMs: state.canAsk ? atMs : null,
  };
}

function grantFrom(
  grant: Ledger['grant'],
  state: PermissionState,
  atMs: number,
  nowMs: number,
): Ledger['grant'] {
  if (state.status !== 'none') {
    const isSame = grant?.status === state.status;
    return {
      status: state.status,
      sinceMs: isSame ? grant.sinceMs : atMs,
      knownAtMs: atMs,
      expiresAtMs: state.status === 'temporary' ? state.expiresAtMs : null,
    };
  }
  if (state.canCall) return null;
  // Why there is no permission is worth more than that there is none.
  const tellsWhy =
    grant && (grant.status === 'declined' || grant.status === 'revoked' || isExpired(grant, nowMs));
  return tellsWhy
    ? { ...grant, knownAtMs: atMs }
    : { status: 'none', sinceMs: atMs, knownAtMs: atMs, expiresAtMs: null };
}

/** @param reason when a limit is used up; without one the provider gives none */
function blockFrom<R extends string>(
  reason: R,
  limits: readonly ActionLimit[],
  atMs: number,
): Block<R | 'provider-refuses'> {
  const usedUp = limits.filter(({ used, allowed }) => used >= allowed);
  const untilMs = Math.max(...usedUp.map((limit) => limit.untilMs ?? 0), atMs + 1);
  return usedUp.some((limit) => limit.untilMs !== null)
    ? { reason, atMs, untilMs }
    : {
        reason: usedUp.length > 0 ? reason : 'provider-refuses',
        atMs,
        untilMs: atMs + RECHECK_MS,
      };
}

function onRequested(ledger: Ledger, messageId: string, atMs: number): Ledger {
  if (ledger.requests.some((request) => request.messageId === messageId)) return ledger;
  const requests = [...ledger.requests, { messageId, atMs, answer: null }];
  return {
    ...ledger,
    requests: requests.toSorted((a, b) => a.atMs - b.atMs).slice(-REQUESTS_KEPT),
  };
}

function onRequestRefused(ledger: Ledger, { code, atMs, retryAtMs }: Refused): Ledger {
  const block = code === undefined ? undefined : REQUEST_BLOCKS[code];
  if (block) {
    const untilMs = retryAtMs ?? atMs + block.holdMs;
    return { ...ledger, askableAtMs: null, askBlock: { reason: block.reason, atMs, untilMs } };
  }
  if (code === PERMANENT_EXISTS) return withGrant(ledger, 'permanent', atMs);
  const isClosed = code === WINDOW_CLOSED && (ledger.windowUntilMs ?? 0) > atMs;
  return isClosed ? { ...ledger, windowUntilMs: atMs } : ledger;
}

function onDialRefused(ledger: Ledger, { code, atMs, retryAtMs }: Refused): Ledger {
  const block = code === undefined ? undefined : DIAL_BLOCKS[code];
  if (block) {
    const untilMs = retryAtMs ?? atMs + block.holdMs;
    return { ...ledger, callBlock: { reason: block.reason, atMs, untilMs } };
  }
  const status = ledger.grant?.status;
  // Why there is no permission is worth more than that there is none.
  if (code !== NO_PERMISSION || status === 'declined' || status === 'revoked') return ledger;
  return withGrant(ledger, 'none', atMs);
}

const withGrant = (ledger: Ledger, status: GrantStatus, atMs: number): Ledger =>
  ledger.grant && atMs < ledger.grant.knownAtMs
    ? ledger
    : { ...ledger, grant: { status, sinceMs: atMs, knownAtMs: atMs, expiresAtMs: null } };

function onOutbound(
  ledger: Ledger,
  { callId, outcome }: Extract<Fact, { type: 'outbound' }>,
  atMs: number,
): Ledger {
  if (outcome === 'connected') return withConnected(withWindow(ledger, atMs), atMs);
  const id = short(callId);
  // A connected call later than this one has reset the count already.
  if (ledger.seen.includes(id) || atMs <= (ledger.connectedAtMs ?? -1)) return ledger;
  const unanswered = ledger.unanswered + 1;
  const next = { ...ledger, unanswered, seen: [...ledger.seen, id].slice(-IDS_KEPT) };
  return unanswered < UNANSWERED_MAX
    ? next
    : withGrant({ ...next, unanswered: 0 }, 'revoked', atMs);
}

function onInbound(ledger: Ledger, isConnected: boolean, atMs: number): Ledger {
  const next = isReachable(withWindow(ledger, atMs), atMs);
  return isConnected ? withConnected(next, atMs) : next;
}

function onMessage(ledger: Ledger, atMs: number): Ledger {
  const isOpen = (ledger.windowUntilMs ?? 0) >= atMs + WINDOW_MS - WINDOW_STEP_MS;
  return isReachable(isOpen ? ledger : withWindow(ledger, atMs), atMs);
}

function withConnected(ledger: Ledger, atMs: number): Ledger {
  if (atMs <= (ledger.connectedAtMs ?? -1)) return ledger;
  const isLifted = ledger.askBlock?.reason === 'request-limit' && ledger.askBlock.atMs <= atMs;
  return {
    ...isReachable(ledger, atMs),
    connectedAtMs: atMs,
    unanswered: 0,
    askBlock: isLifted ? null : ledger.askBlock,
  };
}

function withWindow(ledger: Ledger, atMs: number): Ledger {
  const untilMs = atMs + WINDOW_MS;
  return untilMs > (ledger.windowUntilMs ?? 0) ? { ...ledger, windowUntilMs: untilMs } : ledger;
}

/** Whoever writes, calls or grants is on WhatsApp after all. */
const isReachable = (ledger: Ledger, atMs: number): Ledger =>
  ledger.callBlock?.reason === 'uncallable' && ledger.callBlock.atMs <= atMs
    ? { ...ledger, callBlock: null }
    : ledger;

const short = (id: string): string => id.slice(-ID_CHARS_MAX);
