// Changes of the fields `account_settings_update` and `account_update`, as far as they are about calling. Pure.
import { z } from 'zod';
import { withoutSecrets } from './calling.ts';
import type { ProviderEvent } from './provider-event.ts';
import { directionsOf } from './restriction.ts';
import { optional, optionalSeconds, phoneNumberId, text } from './webhook-fields.ts';

/** Longest settings that are kept, as characters of JSON; a full week with holidays has about 3,000. */
const SETTINGS_CHARS_MAX = 32_768;

/** Provider: Calling API settings, account_settings_update webhook, read 2026-07: `type` in both cases of letters. */
const settingsValue = z.looseObject({
  type: optional,
  phone_number_settings: z.looseObject({
    phone_number_id: phoneNumberId,
    calling: z.record(z.string(), z.unknown()).nullable().optional(),
  }),
});

export function parseSettings(input: unknown): ProviderEvent[] {
  const parsed = settingsValue.safeParse(input);
  if (!parsed.success) {
    const type = (input as { type?: unknown } | null)?.type;
    const isKnown = typeof type === 'string' && type.toLowerCase() === 'phone_number_settings';
    return [{ type: 'ignored', why: isKnown ? 'malformed-event' : 'other-field' }];
  }
  const { phone_number_id, calling: reported = null } = parsed.data.phone_number_settings;
  const calling = reported && withoutSecrets(reported);
  if (JSON.stringify(calling).length > SETTINGS_CHARS_MAX) {
    return [{ type: 'ignored', why: 'malformed-event' }];
  }
  return [{ type: 'settings', phoneNumberId: phone_number_id, calling }];
}

/** Provider: Calling API settings, account_update webhooks about calling, read 2026-07. */
const accountValue = z.looseObject({
  event: text,
  phone_number: z.coerce.string().max(64).optional().catch(undefined),
  metadata: z
    .looseObject({ display_phone_number: z.coerce.string().max(64).optional().catch(undefined) })
    .optional()
    .catch(undefined),
  violation_info: z
    .looseObject({ violation_type: optional, remediation: optional })
    .optional()
    .catch(undefined),
  restriction_info: z.array(z.unknown()).optional().catch(undefined),
});
const restriction = z.looseObject({ restriction_type: text, expiration: optionalSeconds });

/** Restrictions and warnings about messages are left to whoever sends those. */
const isAboutCalling = (token: string): boolean => /CALL/i.test(token);

/** @param accountId of the entry; null where it names none */
export function parseAccount(input: unknown, accountId: string | null): ProviderEvent[] {
  // Observed in the provider's documentation: some values are lists.
  if (Array.isArray(input)) return input.flatMap((item) => parseAccount(item, accountId));
  const parsed = accountValue.safeParse(input);
  if (!parsed.success) return [{ type: 'ignored', why: 'malformed-event' }];
  const { event, phone_number, metadata, violation_info, restriction_info = [] } = parsed.data;
  const restrictions = restriction_info.flatMap((item) => {
    const known = restriction.safeParse(item);
    if (!known.success || !isAboutCalling(known.data.restriction_type)) return [];
    const { restriction_type: name, expiration } = known.data;
    const untilMs = expiration === undefined ? null : expiration * 1000;
    return { ...directionsOf(name), name, untilMs };
  });
  const violation = violation_info?.violation_type;
  const warning = violation !== undefined && isAboutCalling(violation) ? violation : null;
  if (restrictions.length === 0 && warning === null)
    return [{ type: 'ignored', why: 'other-field' }];
  const phone = phone_number ?? metadata?.display_phone_number;
  return [
    {
      type: 'account',
      displayPhoneNumber: phone?.replaceAll(/\D/g, '') || null,
      accountId,
      event,
      restrictions,
      warning,
    },
  ];
}
