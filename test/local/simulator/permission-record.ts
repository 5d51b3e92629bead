// What Meta keeps for one business number and one user: permission, requests, counters, service window. No clock of its own.
import { DAY_MS, HOUR_MS } from './clock.ts';

/** Numbers that differ for public test numbers. */
export type PermissionLimits = {
  readonly requestsPerDay: number;
  readonly requestsPerWeek: number;
  /** Connected business-initiated calls in 24 h. */
  readonly connectedPerDay: number;
  /** Consecutive unanswered or rejected calls until the user is asked whether they still want calls. */
  readonly nudgeAt: number;
  /** Consecutive unanswered or rejected calls until the permission is gone. */
  readonly revokeAt: number;
};

/** Provider: "User call permissions", read 2026-06; 100 connected calls since 2025-12-19. */
export const META_PERMISSION_LIMITS: PermissionLimits = {
  requestsPerDay: 1,
  requestsPerWeek: 2,
  connectedPerDay: 100,
  nudgeAt: 2,
  revokeAt: 4,
};

/** Provider: "Overview", sandbox and public test numbers, read 2026-06. */
export const SANDBOX_PERMISSION_LIMITS: PermissionLimits = {
  ...META_PERMISSION_LIMITS,
  requestsPerDay: 25,
  requestsPerWeek: 100,
  nudgeAt: 5,
  revokeAt: 10,
};

/** Provider: "User call permissions", read 2026-06: 168 h from approval. */
const TEMPORARY_MS = 168 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
/** Provider: "Overview" of the Cloud API, customer service window. */
const WINDOW_MS = DAY_MS;

export type Permission =
  | { readonly kind: 'none' }
  | { readonly kind: 'temporary'; readonly expiresAtMs: number }
  | { readonly kind: 'permanent' };

/** A call permission request that was sent. */
export type PermissionRequest = {
  readonly wamid: string;
  readonly sentAtMs: number;
  answeredAtMs: number | null;
  answer: 'accept' | 'reject' | null;
};

/** How much of a limit is used; `freeAtMs` only when it is used up. */
export type Usage = { readonly used: number; readonly max: number; readonly freeAtMs?: number };

export class PermissionRecord {
  readonly limits: PermissionLimits;
  readonly requests: PermissionRequest[] = [];
  #permission: Permission = { kind: 'none' };
  #countedFromMs = 0;
  #connectedAtMs: number[] = [];
  #unansweredInARow = 0;
  #nudges = 0;
  #windowUntilMs = 0;

  constructor(limits: PermissionLimits) {
    this.limits = limits;
  }

  permission(nowMs: number): Permission {
    const permission = this.#permission;
    const isOver = permission.kind === 'temporary' && permission.expiresAtMs <= nowMs;
    return isOver ? { kind: 'none' } : permission;
  }

  /** @returns when it expires; a permanent permission stays as it is */
  grantTemporary(nowMs: number): Permission {
    if (this.#permission.kind !== 'permanent') {
      this.#permission = { kind: 'temporary', expiresAtMs: nowMs + TEMPORARY_MS };
      this.#unansweredInARow = 0;
    }
    return this.#permission;
  }

  set(permission: Permission): void {
    this.#permission = permission;
    this.#unansweredInARow = 0;
  }

  noteRequest(wamid: string, nowMs: number): void {
    this.requests.push({ wamid, sentAtMs: nowMs, answeredAtMs: null, answer: null });
  }

  requestsToday(nowMs: number): Usage {
    return usageOf(this.#countedRequests(), nowMs, DAY_MS, this.limits.requestsPerDay);
  }

  requestsThisWeek(nowMs: number): Usage {
    return usageOf(this.#countedRequests(), nowMs, WEEK_MS, this.limits.requestsPerWeek);
  }

  connectedToday(nowMs: number): Usage {
    return usageOf(this.#connectedAtMs, nowMs, DAY_MS, this.limits.connectedPerDay);
  }

  /**
   * A call of either direction was picked up.
   *
   * Provider: "User call permissions", read 2026-06: a connected call resets both request counters; only business-initiated
   * ones count towards the daily limit.
   */
  noteConnected(nowMs: number, direction: 'inbound' | 'outbound'): void {
    this.#countedFromMs = nowMs;
    this.#unansweredInARow = 0;
    if (direction === 'outbound') this.#connectedAtMs.push(nowMs);
  }

  /** A business-initiated call was rejected or not answered. Without a permission there is nothing to revoke. */
  noteUnanswered(nowMs: number): 'counted' | 'nudge' | 'revoked' {
    this.#unansweredInARow++;
    if (this.#unansweredInARow === this.limits.nudgeAt) {
      this.#nudges++;
      return 'nudge';
    }
    if (this.#unansweredInARow < this.limits.revokeAt) return 'counted';
    const hadOne = this.permission(nowMs).kind !== 'none';
    this.set({ kind: 'none' });
    return hadOne ? 'revoked' : 'counted';
  }

  get unansweredInARow(): number {
    return this.#unansweredInARow;
  }

  /** How often WhatsApp asked the user whether they still want calls. */
  get nudges(): number {
    return this.#nudges;
  }

  openWindow(nowMs: number): void {
    this.#windowUntilMs = nowMs + WINDOW_MS;
  }

  closeWindow(): void {
    this.#windowUntilMs = 0;
  }

  /** Until when free-form messages may be sent, ms since the epoch; 0 if never. */
  get windowUntilMs(): number {
    return this.#windowUntilMs;
  }

  /**
   * The request that the user may still answer or re-answer.
   *
   * Provider: "User call permissions", read 2026-06: a request ends when a newer one was answered, 7 days after its answer,
   * and 7 days after delivery without one.
   *
   * @param wamid the newest unless given
   */
  openRequest(nowMs: number, wamid?: string): PermissionRequest | undefined {
    const index = wamid
      ? this.requests.findIndex((request) => request.wamid === wamid)
      : this.requests.length - 1;
    const request = this.requests[index];
    if (!request) return undefined;
    const isOvertaken = this.requests.slice(index + 1).some(({ answer }) => answer !== null);
    const isOld = nowMs - (request.answeredAtMs ?? request.sentAtMs) >= WEEK_MS;
    return isOvertaken || isOld ? undefined : request;
  }

  #countedRequests(): number[] {
    return this.requests
      .map(({ sentAtMs }) => sentAtMs)
      .filter((sentAtMs) => sentAtMs >= this.#countedFromMs);
  }
}

function usageOf(times: readonly number[], nowMs: number, periodMs: number, max: number): Usage {
  const recent = times.filter((atMs) => nowMs - atMs < periodMs);
  const used = recent.length;
  // It is free again when so many have left the period that fewer than `max` remain.
  const leaving = recent[used - max];
  return used < max || leaving === undefined
    ? { used, max }
    : { used, max, freeAtMs: leaving + periodMs };
}
