// The country of a phone number.
import { parsePhoneNumberFromString } from 'libphonenumber-js/min';

/**
 * @param phone E.164 digits without plus
 * @returns ISO 3166-1; null when the number belongs to no country, or to none that its first digits tell
 */
export const countryOf = (phone: string): string | null =>
  parsePhoneNumberFromString(`+${phone}`)?.country ?? null;
