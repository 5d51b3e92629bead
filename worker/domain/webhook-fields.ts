// Pieces that several kinds of webhook share. Pure.
import { z } from 'zod';
import type { CallerFields } from './provider-event.ts';

export const text = z.string().min(1).max(1024);
export const optional = text.optional().catch(undefined);
/** Unix seconds, as text in most payloads and as a number in some. */
export const seconds = z.coerce.number().int().positive().max(1e11);
export const optionalSeconds = seconds.optional().catch(undefined);
/** Identifies a number of ours; a number in some payloads. */
export const phoneNumberId = z.coerce.string().min(1).max(64);
export const metadata = z.looseObject({ phone_number_id: phoneNumberId });

export const contactItem = z.looseObject({
  profile: z.looseObject({ name: optional }).optional().catch(undefined),
  wa_id: optional,
  user_id: optional,
  parent_user_id: optional,
});
export type ContactItem = z.infer<typeof contactItem>;
/** Contacts that cannot be read are left out; the event has the user's ids too. */
export const contactList = z
  .array(contactItem.nullable().catch(null))
  .transform((items) => items.filter((item) => item !== null))
  .optional()
  .catch(undefined);

/**
 * The user of an event. A batch can carry several contacts, so the right one is found by its ids and not by its place.
 *
 * @param ids as the event itself names them; any may be left out for users who hide their number
 */
export function userOf(
  ids: Pick<CallerFields, 'phone' | 'bsuid' | 'parentBsuid'>,
  contacts: readonly ContactItem[] = [],
): CallerFields {
  const same = (a: string | undefined, b: string | undefined) => a !== undefined && a === b;
  const contact = contacts.find(
    (item) =>
      same(item.wa_id, ids.phone) ||
      same(item.user_id, ids.bsuid) ||
      same(item.parent_user_id, ids.parentBsuid),
  );
  return {
    phone: ids.phone ?? contact?.wa_id,
    bsuid: ids.bsuid ?? contact?.user_id,
    parentBsuid: ids.parentBsuid ?? contact?.parent_user_id,
    name: contact?.profile?.name,
  };
}
