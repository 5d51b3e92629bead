// A webhook whose signature is good: finds the numbers and contacts it is about and hands the calls to the Switchboard.
import type { Delivery } from '../switchboard.ts';
import { keyedHashHex, sha256Hex } from '../adapters/sealed-secret.ts';
import { identitiesOf, type ContactIdentity } from '../domain/contact.ts';
import type { CallId, ContactId } from '../domain/ids.ts';
import { parseWebhook, type ProviderEvent } from '../domain/webhook.ts';
import type { BusinessNumber, Contact } from '../ports.ts';
import type { Services } from '../services.ts';

/** Provider: a call must be accepted within about 30 to 60 s of the offer, Calling API reference, read 2026-06. */
const ANSWER_LIMIT_MS = 30_000;
/** 96 bits of a hash: short in room names, and two calls never share one. */
const ID_HEX_DIGITS = 24;

type CallProviderEvent = Exclude<ProviderEvent, { type: 'ignored' }>;

/**
 * Takes over everything in the body that concerns our calls. Returns once it is stored.
 *
 * @throws when it could not be stored; the webhook must then not be acknowledged
 */
export async function receiveWebhook(services: Services, body: unknown): Promise<void> {
  const events = parseWebhook(body);
  const about = events.filter((event): event is CallProviderEvent => event.type !== 'ignored');
  const ignored = events.flatMap((event) => (event.type === 'ignored' ? [event.why] : []));
  const phoneNumberIds = [...new Set(about.map((event) => event.phoneNumberId))];
  const numbers = await services.directory.numbersByPhoneNumberId(phoneNumberIds);
  const deliveries: Delivery[] = [];
  for (const event of about) {
    const number = numbers.get(event.phoneNumberId);
    if (number) deliveries.push(await deliveryOf(services, number, event));
    else ignored.push('unregistered-number');
  }
  if (ignored.length > 0) services.later(services.directory.count(ignored));
  if (deliveries.length > 0) await services.switchboard().deliver(deliveries);
}

async function deliveryOf(
  services: Services,
  number: BusinessNumber,
  event: CallProviderEvent,
): Promise<Delivery> {
  const base = {
    // Made from the provider's id, so that every copy of a webhook names the same call. The provider's id holds enough random
    // bits that it cannot be guessed from the hash.
    id: (await sha256Hex(`${number.id}\n${event.providerCallId}`)).slice(
      0,
      ID_HEX_DIGITS,
    ) as CallId,
    numberId: number.id,
    displayPhoneNumber: number.displayPhoneNumber,
    providerCallId: event.providerCallId,
  };
  if (event.type === 'terminate') {
    const { atMs, wasPickedUp, error } = event;
    return { type: 'terminate', termination: { ...base, atMs, wasPickedUp, error } };
  }
  const identities = identitiesOf(event.caller);
  const contactId =
    (await services.directory.findContactId(identities)) ??
    (await newContactId(services, identities[0], base.id));
  const contact: Contact = { id: contactId, name: event.caller.name ?? null, identities };
  const phone = identities.find(({ kind }) => kind === 'phone')?.value;
  return {
    type: 'offer',
    contact,
    offer: {
      ...base,
      caller: {
        contactId,
        ...(event.caller.name === undefined ? {} : { name: event.caller.name }),
        ...(phone === undefined ? {} : { phone }),
      },
      payload: event.payload,
      sdp: event.sdp,
      offeredAtMs: event.atMs,
      answerLimitMs: ANSWER_LIMIT_MS,
    },
  };
}

/**
 * Two first calls of one person at the same moment must make one contact, so the id follows from the identity. It is keyed,
 * because phone numbers are few enough to try them all.
 */
async function newContactId(
  services: Services,
  identity: ContactIdentity | undefined,
  callId: CallId,
): Promise<ContactId> {
  const name = identity ? `${identity.kind}\n${identity.value}` : `call\n${callId}`;
  const hash = await keyedHashHex(services.config.TOKEN_ENCRYPTION_KEYS, name);
  return hash.slice(0, ID_HEX_DIGITS) as ContactId;
}
