// `GET /call_permissions`: the state of one pair as Meta reports it. Pure.
import { SECOND_MS, unixSecondsOf } from './clock.ts';
import type { PermissionRecord, Usage } from './permission-record.ts';

/** What the answer depends on besides the record. */
export type PermissionFacts = {
  readonly nowMs: number;
  readonly expirationField: 'expiration' | 'expiration_time';
  /** false: uncallable users look like users without a permission. */
  readonly isCallable: boolean;
  /** Whether the number may make calls and ask for them at all. */
  readonly isAllowed: boolean;
};

/** Provider: "User call permissions", read 2026-06: `limit_expiration_time` only when a limit is used up. */
export function permissionView(record: PermissionRecord, facts: PermissionFacts): object {
  const { nowMs, expirationField, isCallable, isAllowed } = facts;
  const permission = isCallable ? record.permission(nowMs) : ({ kind: 'none' } as const);
  const today = record.requestsToday(nowMs);
  const week = record.requestsThisWeek(nowMs);
  const connected = record.connectedToday(nowMs);
  const mayAsk = permission.kind !== 'permanent' && !isUsedUp(today) && !isUsedUp(week);
  const mayCall = permission.kind !== 'none' && !isUsedUp(connected);
  return {
    messaging_product: 'whatsapp',
    permission: {
      status: permission.kind === 'none' ? 'no_permission' : permission.kind,
      ...(permission.kind === 'temporary'
        ? { [expirationField]: unixSecondsOf(permission.expiresAtMs) }
        : {}),
    },
    actions: [
      {
        action_name: 'send_call_permission_request',
        can_perform_action: isAllowed && isCallable && mayAsk,
        limits: [limit('PT24H', today), limit('P7D', week)],
      },
      {
        action_name: 'start_call',
        can_perform_action: isAllowed && isCallable && mayCall,
        limits: [limit('PT24H', connected)],
      },
    ],
  };
}

const isUsedUp = ({ freeAtMs }: Usage) => freeAtMs !== undefined;

function limit(period: string, { used, max, freeAtMs }: Usage): object {
  return {
    time_period: period,
    max_allowed: max,
    current_usage: used,
    ...(freeAtMs === undefined ? {} : { limit_expiration_time: unixSecondsOf(freeAtMs) }),
  };
}

/** Counts requests of the last second, for the limit of permission queries. */
export class QueryRate {
  #times: number[] = [];

  /** @returns false when this one is too many; it does not count then */
  take(max: number, nowMs: number): boolean {
    this.#times = this.#times.filter((atMs) => nowMs - atMs < SECOND_MS);
    if (this.#times.length >= max) return false;
    this.#times.push(nowMs);
    return true;
  }
}
