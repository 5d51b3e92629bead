// A webhook whose signature is good: finds the numbers and contacts it is about and hands every event to whom it concerns.
import { sha256Hex } from '../adapters/sealed-secret.ts';
import { identitiesOf, type ContactIdentity } from '../domain/contact.ts';
import type { CallId } from '../domain/ids.ts';
import {
  describeWebhook,
  parseWebhook,
  type CallerFields,
  type ProviderEvent,
} from '../domain/webhook.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';
import type { Delivery } from '../intake.ts';
import { contactOf, type ContactSource } from './contact-of.ts';
import type { WebhookFacts } from './forward-webhook.ts';
import { receiveAccountEvents, type AccountEvent } from './receive-account-event.ts';
import { voicemailOf } from '../domain/voicemail.ts';
import { applyMessage, applyPermissionReply } from './receive-permission.ts';
import { policyOf } from './policy-of.ts';
import { routingFacts } from './routing-facts.ts';

/** Provider: a call must be accepted within about 30 to 60 s of the offer, Calling API reference, read 2026-06. */
const ANSWER_LIMIT_MS = 30_000;
/** 96 bits of a hash: short in room names, and two calls never share one. */
const ID_HEX_DIGITS = 24;

/** What a call is made from besides its webhook. */
type CallSource = ContactSource & Pick<Services, 'audio'>;
type CallNews = Extract<ProviderEvent, { type: 'offer' | 'answer' | 'status' | 'terminate' }>;
type MessageNews = Extract<ProviderEvent, { type: 'permission-reply' | 'message' }>;

/**
 * Takes over everything in the body that concerns us. Returns once it is stored.
 *
 * @param only the one number that the sender may speak of, where it is known; events of others are ignored
 * @returns whether the body holds anything that is not solely about our calls, and the numbers it names
 * @throws when it could not be stored; the webhook must then not be acknowledged
 */
export async function receiveWebhook(
  services: Services,
  body: unknown,
  only?: BusinessNumber,
): Promise<WebhookFacts> {
  const events = parseWebhook(body);
  const { isCallsOnly, phoneNumberIds, accountIds } = describeWebhook(body);
  const [numbers, callers] = await Promise.all([
    only
      ? new Map([[only.phoneNumberId, only]])
      : services.directory.numbersByPhoneNumberId(phoneNumberIds),
    // Callers wait for both, so both are read at once; but a message may make somebody known whom a later event is about.
    isCallsOnly ? services.callers.read(events.flatMap(callerOf)) : services.callers,
  ]);
  const source: CallSource = { config: services.config, callers, audio: services.audio };
  const ignored: string[] = [];
  const deliveries: Delivery[] = [];
  const account: AccountEvent[] = [];
  for (const event of events) {
    if (event.type === 'ignored') ignored.push(event.why);
    else if (event.type === 'settings' || event.type === 'account') account.push(event);
    else {
      const number = numbers.get(event.phoneNumberId);
      if (!number) ignored.push('unregistered-number');
      else if (isAboutCall(event)) deliveries.push(await deliveryOf(source, number, event));
      else await takeMessage(services, number, event);
    }
  }
  await receiveAccountEvents(services, account, only);
  const { foreign } =
    deliveries.length > 0 ? await services.switchboard().deliver(deliveries) : { foreign: 0 };
  ignored.push(...Array.from({ length: foreign }, () => 'foreign-call'));
  if (ignored.length > 0) services.later(services.directory.count(ignored));
  return { foreign: ignored.length > 0 || !isCallsOnly, phoneNumberIds, accountIds };
}

/** Who calls, as far as the event announces a call. */
const callerOf = (event: ProviderEvent): ContactIdentity[] =>
  event.type === 'offer' ? identitiesOf(event.caller) : [];

const isAboutCall = (event: ProviderEvent): event is CallNews =>
  event.type === 'offer' ||
  event.type === 'answer' ||
  event.type === 'status' ||
  event.type === 'terminate';

/** Messages never reach the Switchboard, unless a call waits for what they say. */
async function takeMessage(
  services: Services,
  number: BusinessNumber,
  event: MessageNews,
): Promise<void> {
  if (event.type === 'message') return applyMessage(services, number, event);
  const changed = await applyPermissionReply(services, number, event);
  if (changed) {
    await services.switchboard().permissionChanged(number.id, changed.contactId, changed.isGranted);
  }
}

async function deliveryOf(
  source: CallSource,
  number: BusinessNumber,
  event: CallNews,
): Promise<Delivery> {
  if (event.type === 'offer') return offerOf(source, number, event);
  const { providerCallId, atMs } = event;
  const numberId = number.id;
  if (event.type === 'terminate') {
    const { displayPhoneNumber } = number;
    const { wasPickedUp, startedAtMs, endedAtMs, errorCode, error } = event;
    const times = { atMs, wasPickedUp, startedAtMs, endedAtMs, errorCode, error };
    const termination = { numberId, displayPhoneNumber, providerCallId, ...times };
    const id = await inboundId(number, providerCallId);
    if (event.direction === 'inbound')
      return { type: 'terminate', termination: { ...termination, id } };
    const news = { ...newsOf(number, event), event: { type: 'terminate', termination } } as const;
    return {
      type: 'outbound',
      news,
      ...(event.direction === null ? { otherwise: { ...termination, id } } : {}),
    };
  }
  const news = newsOf(number, event);
  return event.type === 'answer'
    ? {
        type: 'outbound',
        news: { ...news, event: { type: 'answer', providerCallId, sdp: event.sdp } },
      }
    : {
        type: 'outbound',
        news: { ...news, event: { type: 'status', providerCallId, status: event.status, atMs } },
      };
}

const newsOf = (
  number: BusinessNumber,
  event: { providerCallId: string; opaque: string | null; user: CallerFields },
) => {
  const identities = identitiesOf(event.user);
  const valueOf = (kind: string) => identities.find((identity) => identity.kind === kind)?.value;
  return {
    numberId: number.id,
    providerCallId: event.providerCallId,
    opaque: event.opaque,
    user: { phone: valueOf('phone'), bsuid: valueOf('bsuid') },
  };
};

/**
 * Made from the provider's id, so that every copy of a webhook names the same call. The provider's id holds enough random bits
 * that it cannot be guessed from the hash.
 */
const inboundId = async (number: BusinessNumber, providerCallId: string): Promise<CallId> =>
  (await sha256Hex(`${number.id}\n${providerCallId}`)).slice(0, ID_HEX_DIGITS) as CallId;

async function offerOf(
  source: CallSource,
  number: BusinessNumber,
  event: Extract<ProviderEvent, { type: 'offer' }>,
): Promise<Delivery> {
  const { name } = event.caller;
  const id = await inboundId(number, event.providerCallId);
  const identities = identitiesOf(event.caller);
  const known = await source.callers.find(identities);
  const contact = await contactOf(source.config, known?.id ?? null, identities, name ?? null, id);
  const phone = identities.find(({ kind }) => kind === 'phone')?.value;
  const bsuid = identities.find(({ kind }) => kind === 'bsuid')?.value;
  const voicemail = voicemailOf(number.calling);
  return {
    type: 'offer',
    contact,
    offer: {
      id,
      numberId: number.id,
      displayPhoneNumber: number.displayPhoneNumber,
      providerCallId: event.providerCallId,
      caller: {
        contactId: contact.id,
        ...(name === undefined ? {} : { name }),
        ...(phone === undefined ? {} : { phone }),
        ...(bsuid === undefined ? {} : { bsuid }),
        ...(known?.lastAgentId ? { lastAgentId: known.lastAgentId } : {}),
      },
      payload: event.payload,
      policy: policyOf(source, number),
      routing: routingFacts(number, phone ?? null, known),
      sdp: event.sdp,
      offeredAtMs: event.atMs,
      answerLimitMs: Math.min(ANSWER_LIMIT_MS, voicemail?.timeoutMs ?? Infinity),
    },
  };
}
