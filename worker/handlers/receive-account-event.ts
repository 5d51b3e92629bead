// What the provider reports about a number outside of calls: changed calling settings, warnings, restrictions. Kept with the
// number, so that outgoing calls can be refused with the date on which the restriction ends.
import { mergeRestrictions, type Restriction } from '../domain/restriction.ts';
import type { ProviderEvent } from '../domain/webhook.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';

export type AccountEvent = Extract<ProviderEvent, { type: 'settings' | 'account' }>;

/**
 * Takes over what the events say about our numbers; others are passed over. Repeating it is harmless.
 *
 * @param only the one number that the sender may speak of, where it is known
 * @throws when it could not be stored; the webhook must then not be acknowledged
 */
export async function receiveAccountEvents(
  services: Pick<Services, 'directory' | 'numbers' | 'now'>,
  events: readonly AccountEvent[],
  only?: BusinessNumber,
): Promise<void> {
  for (const event of events) {
    // Read again for each event, because one body can hold several about the same number.
    const known = await services.directory.numbers();
    const about = known.filter(
      (number) => isAbout(event, number) && (only === undefined || number.id === only.id),
    );
    if (event.type === 'account' && event.warning !== null) {
      const numberIds = about.map(({ id }) => id);
      console.warn('number.warned', { numberIds, warning: event.warning });
    }
    for (const number of about) await take(services, number, event);
  }
}

/** A report without a phone number is about the whole business account. */
function isAbout(event: AccountEvent, number: BusinessNumber): boolean {
  if (event.type === 'settings') return number.phoneNumberId === event.phoneNumberId;
  if (event.displayPhoneNumber !== null) {
    return number.displayPhoneNumber === event.displayPhoneNumber;
  }
  return event.accountId !== null && number.businessAccountId === event.accountId;
}

async function take(
  { numbers, now }: Pick<Services, 'numbers' | 'now'>,
  number: BusinessNumber,
  event: AccountEvent,
): Promise<void> {
  if (event.type === 'settings') {
    // Null when nothing about calling changed; else possibly only what did.
    if (event.calling) {
      await numbers.setCalling(number.id, { ...number.calling, ...event.calling });
    }
    return;
  }
  if (event.restrictions.length === 0) return;
  const atMs = now();
  const reported = event.restrictions.map(({ name, untilMs }): Restriction => ({
    type: name,
    ...(untilMs === null ? {} : { until_ms: untilMs }),
    at_ms: atMs,
  }));
  await numbers.setRestrictions(number.id, mergeRestrictions(number.restrictions, reported, atMs));
}
