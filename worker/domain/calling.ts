// The calling settings of a number: as the API takes and shows them, and as the provider has them. Pure.
// Provider: Calling API settings, read 2026-07.
import { z } from 'zod';
import { hoursFromProvider, hoursSchema, hoursToProvider, type Hours } from './calling-hours.ts';
import type { Restriction } from './restriction.ts';

const COUNTRIES_MAX = 250;

/** What may be changed; absent members stay as they are. */
export const callingPatch = z.strictObject({
  enabled: z.boolean().optional().describe('The number can call and be called'),
  icon: z
    .enum(['shown', 'hidden'], 'shown or hidden')
    .optional()
    .describe(
      'The call icon in chats. Hiding it does not stop calls: contacts, call logs and buttons still work',
    ),
  countries: z
    .array(z.string().regex(/^[A-Z]{2}$/, 'two upper-case letters, ISO 3166-1'))
    .max(COUNTRIES_MAX)
    .optional()
    .describe('Countries of the users who see the icon, by their numbers; empty for all'),
  callback_permission: z
    .boolean()
    .optional()
    .describe('A user who calls may be called back without being asked'),
  hours: hoursSchema.nullable().optional().describe('Null: around the clock'),
  sip: z
    .literal('off', 'off, which is all that can be set here')
    .optional()
    .describe('Ends the SIP mode of the number'),
});
export type CallingPatch = z.infer<typeof callingPatch>;

export interface CallingView {
  readonly enabled: boolean;
  readonly icon: 'shown' | 'hidden';
  readonly countries: string[];
  readonly callback_permission: boolean;
  readonly hours: Hours | null;
  readonly sip: {
    readonly enabled: boolean;
    readonly servers: string[];
    readonly explanation: string | null;
  };
}

const SIP_EXPLANATION =
  'The number is in SIP mode: WhatsApp sends its calls to the SIP server, no webhooks of calls come, and calls cannot be made ' +
  'or answered here. PATCH { "sip": "off" } ends it.';

const onOff = (isOn: boolean): string => (isOn ? 'ENABLED' : 'DISABLED');

/**
 * What to send to the provider.
 *
 * @param known the settings as last read; hours that are closed keep their times, because the provider asks for them even then
 * @returns only what changes; null when nothing does
 */
export function patchToProvider(
  patch: CallingPatch,
  known: Readonly<Record<string, unknown>>,
): Record<string, unknown> | null {
  const { enabled, icon, countries, callback_permission, hours, sip } = patch;
  const calling = {
    ...(enabled === undefined ? {} : { status: onOff(enabled) }),
    ...(icon === undefined
      ? {}
      : { call_icon_visibility: icon === 'shown' ? 'DEFAULT' : 'DISABLE_ALL' }),
    ...(countries === undefined ? {} : { call_icons: { restrict_to_user_countries: countries } }),
    ...(callback_permission === undefined
      ? {}
      : { callback_permission_status: onOff(callback_permission) }),
    ...hoursChange(hours, known['call_hours']),
    ...(sip === undefined ? {} : { sip: { status: 'DISABLED' } }),
  };
  return Object.keys(calling).length === 0 ? null : calling;
}

function hoursChange(hours: CallingPatch['hours'], known: unknown): Record<string, unknown> {
  if (hours === undefined) return {};
  if (hours !== null) return { call_hours: hoursToProvider(hours) };
  const current = hoursFromProvider(known);
  // Hours that are off already need no request; the provider would ask for times that nobody has given.
  if (current === null) return {};
  // Holidays may be past by now, and the provider refuses those.
  const { holiday_schedule: _, ...times } = hoursToProvider({ ...current, holidays: [] });
  return { call_hours: { ...times, status: 'DISABLED' } };
}

const isOn = (value: unknown): boolean =>
  typeof value === 'string' && value.toUpperCase() === 'ENABLED';
const icons = z.looseObject({ restrict_to_user_countries: z.array(z.string()) });
const sipObject = z.looseObject({
  status: z.string(),
  servers: z
    .array(z.looseObject({ hostname: z.string() }))
    .optional()
    .catch(undefined),
});

/** How the provider's `calling` object is shown. Leaves out everything secret, such as SIP passwords. */
export function viewOfCalling(calling: Readonly<Record<string, unknown>>): CallingView {
  const countries = icons.safeParse(calling['call_icons']);
  const sip = sipObject.safeParse(calling['sip']);
  const isSip = sip.success && isOn(sip.data.status);
  return {
    enabled: isOn(calling['status']),
    icon: calling['call_icon_visibility'] === 'DISABLE_ALL' ? 'hidden' : 'shown',
    countries: countries.success ? countries.data.restrict_to_user_countries : [],
    callback_permission: isOn(calling['callback_permission_status']),
    hours: hoursFromProvider(calling['call_hours']),
    sip: {
      enabled: isSip,
      servers: sip.success ? (sip.data.servers ?? []).map(({ hostname }) => hostname) : [],
      explanation: isSip ? SIP_EXPLANATION : null,
    },
  };
}

const restrictionItem = z.looseObject({
  type: z.string().min(1).max(200),
  reason: z.string().max(1024).optional().catch(undefined),
  expiration: z.coerce.number().int().positive().max(1e11).optional().catch(undefined),
});
const restrictionList = z.looseObject({ restrictions_list: z.array(z.unknown()) });

/** @returns the restrictions that a read of the settings shows; null when it does not speak of any, so that nothing is known */
export function restrictionsOf(
  calling: Readonly<Record<string, unknown>>,
  nowMs: number,
): Restriction[] | null {
  const parsed = restrictionList.safeParse(calling['restrictions']);
  if (!parsed.success) return null;
  return parsed.data.restrictions_list.flatMap((item) => {
    const known = restrictionItem.safeParse(item);
    if (!known.success) return [];
    const { type, reason, expiration } = known.data;
    return {
      type,
      ...(reason === undefined ? {} : { reason }),
      ...(expiration === undefined ? {} : { until_ms: expiration * 1000 }),
      at_ms: nowMs,
    };
  });
}

/** The settings without what must not be kept: SIP passwords come with them when SIP is set up. */
export function withoutSecrets(
  calling: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(calling, (key, value: unknown) => (/password/i.test(key) ? undefined : value)),
  ) as Record<string, unknown>;
}
