// What the provider says about calling a user: its permission, and what may be done now. Pure.
import { z } from 'zod';

export interface ActionLimit {
  /** ISO 8601 duration of the moving window, such as PT24H. */
  readonly period: string;
  readonly allowed: number;
  readonly used: number;
  /** When the window has room again, in epoch ms; null while it has. */
  readonly untilMs: number | null;
}

export interface PermissionState {
  readonly status: 'none' | 'temporary' | 'permanent';
  readonly expiresAtMs: number | null;
  /** The provider would take a permission request now. Its own word, not derived from the limits; null when it says nothing. */
  readonly canAsk: boolean | null;
  /** The provider would take a call now; null when it says nothing. */
  readonly canCall: boolean | null;
  readonly askLimits: readonly ActionLimit[];
  readonly callLimits: readonly ActionLimit[];
}

/** Unix seconds, as a number in most payloads and as text in some. */
const seconds = z.coerce.number().int().positive().max(1e11).optional().catch(undefined);
const limit = z.looseObject({
  time_period: z.string().max(32),
  max_allowed: z.number().int().nonnegative(),
  current_usage: z.number().int().nonnegative(),
  limit_expiration_time: seconds,
});
/**
 * Provider: GET /{phone-number-id}/call_permissions, User call permissions, read 2026-06. The parameter table says `expiration`
 * where the sample says `expiration_time`.
 */
const body = z.looseObject({
  permission: z.looseObject({
    status: z.string(),
    expiration_time: seconds,
    expiration: seconds,
  }),
  actions: z
    .array(
      z.looseObject({
        action_name: z.string(),
        can_perform_action: z.boolean(),
        limits: z.array(z.unknown()).optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
});

/** @returns null when the reply is not about a permission */
export function parsePermissionState(json: unknown): PermissionState | null {
  const parsed = body.safeParse(json);
  if (!parsed.success) return null;
  const { permission, actions = [] } = parsed.data;
  const status = permission.status.toLowerCase();
  const expires = permission.expiration_time ?? permission.expiration;
  const action = (name: string) => actions.find(({ action_name }) => action_name === name);
  const ask = action('send_call_permission_request');
  const call = action('start_call');
  return {
    status: status === 'temporary' || status === 'permanent' ? status : 'none',
    expiresAtMs: expires === undefined ? null : expires * 1000,
    canAsk: ask?.can_perform_action ?? null,
    canCall: call?.can_perform_action ?? null,
    askLimits: limitsOf(ask?.limits),
    callLimits: limitsOf(call?.limits),
  };
}

const limitsOf = (limits: readonly unknown[] = []): ActionLimit[] =>
  limits.flatMap((item) => {
    const parsed = limit.safeParse(item);
    if (!parsed.success) return [];
    const { time_period, max_allowed, current_usage, limit_expiration_time } = parsed.data;
    return {
      period: time_period,
      allowed: max_allowed,
      used: current_usage,
      untilMs: limit_expiration_time === undefined ? null : limit_expiration_time * 1000,
    };
  });
