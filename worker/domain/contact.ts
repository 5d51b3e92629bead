// Who a caller is: the identities that a webhook carries, in the one spelling in which they are stored and compared.

/** `phone`: E.164 digits without plus. `bsuid`, `parent_bsuid`: the provider's business-scoped user ids. */
export type IdentityKind = 'phone' | 'bsuid' | 'parent_bsuid';
export interface ContactIdentity {
  readonly kind: IdentityKind;
  readonly value: string;
}

/**
 * The one spelling of a phone number that has two. Brazilian mobiles gained a ninth digit and Argentine mobiles have a 9 after
 * the country code; the provider uses both spellings for the same person.
 *
 * Provider: WhatsApp Cloud API, phone number formats of Brazil and Argentina, read 2026-06.
 *
 * @param digits E.164 digits without plus
 * @returns the spelling with the 9; any other number unchanged
 */
export function canonicalPhone(digits: string): string {
  const brazil = /^55(\d\d)([6-9]\d{7})$/.exec(digits);
  if (brazil) return `55${brazil[1]}9${brazil[2]}`;
  const argentina = /^54([1-8]\d{9})$/.exec(digits);
  if (argentina) return `549${argentina[1]}`;
  return digits;
}

/** Only a string of 1 to 15 digits is a phone number; whatever else stands in a phone field is an id. Spec: E.164. */
export const isPhone = (value: string): boolean => /^\d{1,15}$/.test(value);

/** The identities that the provider's fields name, strongest first; empty when the caller is unknown. */
export function identitiesOf(fields: {
  phone?: string | undefined;
  bsuid?: string | undefined;
  parentBsuid?: string | undefined;
}): ContactIdentity[] {
  const identities: ContactIdentity[] = [];
  if (fields.phone !== undefined && isPhone(fields.phone)) {
    identities.push({ kind: 'phone', value: canonicalPhone(fields.phone) });
  }
  if (fields.bsuid) identities.push({ kind: 'bsuid', value: fields.bsuid });
  if (fields.parentBsuid) identities.push({ kind: 'parent_bsuid', value: fields.parentBsuid });
  return identities;
}
