// Webhooks about the account and its settings rather than about a call. Pure.
import type { SimulatedNumber } from './numbers.ts';
import { unixSecondsOf } from './clock.ts';
import type { RestrictionType } from './restrictions.ts';
import { changeBody, encodeAsMeta, unixSeconds } from './wire.ts';

/** Provider: "Call settings", account_settings_update, read 2026-07. */
export function settingsBody(number: SimulatedNumber, calling: object, nowMs: number): string {
  const { phoneNumberId, wabaId } = number.identity;
  return changeBody(wabaId, 'account_settings_update', {
    messaging_product: 'whatsapp',
    timestamp: unixSeconds(nowMs),
    type: number.traits.settings_event_type,
    phone_number_settings: { phone_number_id: phoneNumberId, calling },
  });
}

/** What Meta says of an account. `expiresAtMs` null for what has no end. */
export type AccountEvent =
  | {
      readonly event: 'ACCOUNT_VIOLATION';
      readonly violation_type: string;
      readonly remediation?: string | undefined;
    }
  | {
      readonly event: 'ACCOUNT_RESTRICTION';
      readonly restrictions: readonly {
        readonly type: RestrictionType;
        readonly expiresAtMs: number | null;
        readonly remediation?: string | undefined;
      }[];
    }
  | { readonly event: 'VOLUME_BASED_PRICING_TIER_UPDATE' };

/**
 * Provider: "Call settings", account_update, read 2026-07: the entry's id is "0" in the samples and `time` is there.
 *
 * @param isArray Observed: one documented sample has an array at the top level
 */
export function accountBody(
  number: SimulatedNumber,
  event: AccountEvent,
  nowMs: number,
  isArray = false,
): string {
  const value = {
    phone_number: number.identity.displayPhoneNumber,
    event: event.event,
    ...detailsOf(event),
  };
  const text = changeBody('0', 'account_update', value, {}, { time: unixSecondsOf(nowMs) });
  return isArray ? encodeAsMeta([JSON.parse(text)]) : text;
}

function detailsOf(event: AccountEvent): object {
  switch (event.event) {
    case 'ACCOUNT_VIOLATION': {
      const { violation_type: type, remediation } = event;
      return { violation_info: { violation_type: type, ...(remediation ? { remediation } : {}) } };
    }
    case 'ACCOUNT_RESTRICTION':
      return {
        restriction_info: event.restrictions.map(({ type, expiresAtMs, remediation }) => ({
          restriction_type: type,
          ...(expiresAtMs === null ? {} : { expiration: unixSecondsOf(expiresAtMs) }),
          ...(remediation ? { remediation } : {}),
        })),
      };
    case 'VOLUME_BASED_PRICING_TIER_UPDATE':
      return { volume_tier_info: { pricing_category: 'CALLING', tier: '50000:250000' } };
    default:
      throw new Error(`no such event: ${JSON.stringify(event satisfies never)}`);
  }
}
