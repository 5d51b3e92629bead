// What rules may ask about a call besides the call itself.
import type { KnownCaller } from '../adapters/caller-reader-d1.ts';
import { countryOf } from '../adapters/phone-country.ts';
import type { RoutingFacts } from '../domain/call-event.ts';
import { hoursFromProvider, isTimeZone } from '../domain/calling-hours.ts';
import type { BusinessNumber } from '../ports.ts';

/**
 * @param phone E.164 digits; null for a user without a known phone number
 * @param known null for somebody who is not a contact yet
 */
export function routingFacts(
  { calling }: Pick<BusinessNumber, 'calling'>,
  phone: string | null,
  known: KnownCaller | null,
): RoutingFacts {
  const hours = hoursFromProvider(calling?.['call_hours']);
  return {
    country: phone === null ? null : countryOf(phone),
    tags: known?.tags ?? [],
    isReturning: known?.isReturning ?? false,
    // Nobody here can tell the time of a zone that only the provider knows.
    numberHours: hours && isTimeZone(hours.timezone) ? hours : null,
  };
}
