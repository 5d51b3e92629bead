// What both providers' HTTP faces ask of one number besides calls: settings, permissions, messages.
import { withFault, failure, type Answer } from './call-actions.ts';
import { settingsBody } from './account-events.ts';
import { changedSettings, isAnnounced, type CallingSettings } from './call-settings.ts';
import { unixSecondsOf } from './clock.ts';
import { checkCallingEnabled, countryError } from './dial.ts';
import { graphError, GraphError, invalidParameter } from './graph-error.ts';
import { cutConnection } from './http-server.ts';
import { parseObject } from './json-body.ts';
import type { SimulatedNumber } from './numbers.ts';
import { permissionView, QueryRate } from './permission-view.ts';
import type { Platform } from './platform.ts';
import { blocking, inForce } from './restrictions.ts';
import type { User } from './users.ts';

const SUCCESS = { success: true };
const rates = new WeakMap<SimulatedNumber, QueryRate>();

/** Runs one request with its fault, and gives every refusal the number's shape. */
export async function answered(
  platform: Platform,
  number: SimulatedNumber,
  endpoint: 'settings' | 'call_permissions' | 'messages',
  act: () => object | Promise<object>,
): Promise<Response> {
  const guarded = async (): Promise<Answer> => {
    try {
      return { status: 200, body: await act() };
    } catch (error) {
      if (error instanceof GraphError) return failure(number, error);
      throw error;
    }
  };
  const answer = await withFault(platform.faults.takeGraph(endpoint), number, guarded);
  return answer === 'cut' ? cutConnection() : Response.json(answer.body, { status: answer.status });
}

/** @param withCredentials adds the SIP password of each server */
export function readSettings(
  platform: Platform,
  number: SimulatedNumber,
  withCredentials = false,
): { calling: CallingSettings } {
  const restrictions = inForce(number.restrictions, platform.clock.now()).map(
    ({ type, reason, expiresAtMs }) => ({
      type,
      reason,
      ...(expiresAtMs === null ? {} : { expiration: unixSecondsOf(expiresAtMs) }),
    }),
  );
  const sip = number.calling['sip'] as { servers?: object[] } | undefined;
  const servers = sip?.servers?.map((server) => ({
    port: 5061,
    ...server,
    app_id: Number(platform.app.id),
    ...(withCredentials ? { sip_user_password: `simulated-${number.id}` } : {}),
  }));
  return {
    calling: {
      ...number.calling,
      ...(servers ? { sip: { ...sip, servers } } : {}),
      ...(restrictions.length > 0 ? { restrictions: { restrictions_list: restrictions } } : {}),
    },
  };
}

/** Changes the settings and announces what is announced. */
export function writeSettings(platform: Platform, number: SimulatedNumber, text: string): object {
  const before = number.calling;
  number.calling = changedSettings(before, parseObject(text), {
    nowMs: platform.clock.now(),
    messagingLimit: number.traits.messaging_limit,
    isSandbox: number.traits.sandbox,
    isSubscribed: !number.isMeta || number.traits.subscribed_fields.includes('calls'),
  });
  // Provider: "Call settings", read 2026-07: a button hidden for unanswered calls stays hidden until the business shows it.
  if (number.calling['call_icon_visibility'] === 'DEFAULT') {
    number.restrictions = number.restrictions.filter(
      ({ type }) => type !== 'RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN',
    );
  }
  if (isAnnounced(before, number.calling)) {
    const { calling } = readSettings(platform, number);
    const body = settingsBody(number, calling, platform.now());
    void number.send('account_settings_update', 'account_settings_update', body);
  }
  return SUCCESS;
}

/**
 * Provider: "User call permissions", read 2026-06: 613 for too many queries.
 *
 * @throws GraphError 138000, 138013 or 613
 */
export function queryPermission(
  platform: Platform,
  number: SimulatedNumber,
  user: User | undefined,
): object {
  const { traits } = number;
  const rate = rates.get(number) ?? new QueryRate();
  rates.set(number, rate);
  const perSecond = traits.permission_queries_per_s;
  if (perSecond !== null && !rate.take(perSecond, platform.now())) {
    throw graphError(613, `At most ${perSecond} queries per second`);
  }
  checkCallingEnabled(number);
  if (!traits.bic_available && traits.query_reports_country) throw countryError();
  if (!user) throw invalidParameter('recipient is not a user of this business');
  const nowMs = platform.clock.now();
  return permissionView(platform.permissions.recordOf(number, user), {
    nowMs,
    expirationField: traits.expiration_field,
    isCallable: platform.users.presetOf(user).behaviour !== 'uncallable',
    isAllowed: traits.bic_available && !blocking(number.restrictions, 'outbound', nowMs),
  });
}

/** The user that a permission query names. @throws GraphError 100 when it names nobody */
export function userOfQuery(
  platform: Platform,
  phone: string | undefined,
  recipient: string | undefined,
): User | undefined {
  if (phone !== undefined) {
    const digits = phone.replace(/^\+/, '');
    if (!/^\d{1,15}$/.test(digits)) throw invalidParameter('user_wa_id must be a phone number');
    return platform.users.byPhone(digits);
  }
  if (recipient === undefined) throw invalidParameter('user_wa_id or recipient is required');
  return platform.users.byUserId(recipient);
}
