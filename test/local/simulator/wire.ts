// The bytes of Meta's webhooks: bodies, encoding, signature. Pure.
import { createHmac } from 'node:crypto';

/** The business number that a webhook is about. */
export type BusinessNumber = {
  readonly phoneNumberId: string;
  /** Digits without a plus sign. */
  readonly displayPhoneNumber: string;
  /** WhatsApp Business Account id. */
  readonly wabaId: string;
};

/** The WhatsApp user. A user with a username may show no phone number. */
export type Caller = {
  /** Digits; undefined when the phone number is withheld. */
  readonly from: string | undefined;
  readonly name: string;
  readonly username: string | undefined;
  /** Business-scoped user id, such as `US.1349`. */
  readonly userId: string;
};

/** One entry of `calls[]`. */
export type CallEvent = Readonly<Record<string, unknown>>;
/** How a webhook departs from the usual one. */
export type Oddities = {
  readonly contacts?: 'omit' | 'no_phone' | undefined;
  readonly unknownFields?: boolean | undefined;
  readonly foreignNumberId?: string | undefined;
  readonly omitObject?: boolean | undefined;
};

/**
 * The whole body for one or more call events.
 *
 * Provider: "Calling API reference", webhook samples, read 2026-06; BSUID fields since 2026-05-28.
 *
 * @param errors goes into `value.errors`. Observed: a capture of 2025-10-17 has the error there and in the call as well
 */
export function callsBody(
  number: BusinessNumber,
  callers: readonly Caller[],
  calls: readonly CallEvent[],
  oddities: Oddities = {},
  errors: readonly object[] = [],
): string {
  return eventsBody(number, 'calls', { callers, calls, errors }, oddities);
}

/** What a `value` can hold besides the number. Empty lists are left out, `calls` only when it is not given. */
export type Events = {
  readonly callers?: readonly Caller[];
  readonly calls?: readonly CallEvent[];
  readonly statuses?: readonly CallEvent[];
  readonly messages?: readonly CallEvent[];
  readonly errors?: readonly object[];
};

/**
 * The body of a webhook of the fields `calls` and `messages`.
 *
 * Provider: "Calling API reference" and "Webhooks, messages", read 2026-06.
 */
export function eventsBody(
  number: BusinessNumber,
  field: 'calls' | 'messages',
  events: Events,
  oddities: Oddities = {},
): string {
  const extra = oddities.unknownFields ? { a_field_of_the_future: { nested: [1, null] } } : {};
  const { callers = [], calls, statuses = [], messages = [], errors = [] } = events;
  const contacts = callers.map((caller) => contactOf(caller, oddities.contacts));
  const list = (name: string, items: readonly object[]) =>
    items.length > 0 ? { [name]: items } : {};
  const value = {
    messaging_product: 'whatsapp',
    metadata: {
      display_phone_number: number.displayPhoneNumber,
      phone_number_id: oddities.foreignNumberId ?? number.phoneNumberId,
    },
    ...(oddities.contacts === 'omit' ? {} : list('contacts', contacts)),
    ...(calls ? { calls: calls.map((call) => ({ ...call, ...extra })) } : {}),
    ...list('statuses', statuses),
    ...list('messages', messages),
    ...list('errors', errors),
    ...extra,
  };
  return changeBody(number.wabaId, field, value, oddities, extra);
}

/** The envelope around one change. @param id of the entry: the WABA, in some samples "0" */
export function changeBody(
  id: string,
  field: string,
  value: object,
  { omitObject }: Pick<Oddities, 'omitObject'> = {},
  entryExtra: object = {},
): string {
  return encodeAsMeta({
    ...(omitObject ? {} : { object: 'whatsapp_business_account' }),
    entry: [{ id, ...entryExtra, changes: [{ field, value }] }],
  });
}

function contactOf(caller: Caller, contacts: Oddities['contacts']): object {
  const showsPhone = caller.from !== undefined && contacts !== 'no_phone';
  return {
    profile: { name: caller.name, ...(caller.username ? { username: caller.username } : {}) },
    ...(showsPhone ? { wa_id: caller.from } : {}),
    user_id: caller.userId,
  };
}

/** JSON as Meta writes it: slashes and everything outside ASCII escaped. Whoever signs a re-serialised body notices. */
export function encodeAsMeta(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('/', String.raw`\/`)
    .replaceAll(
      /[\u0080-\uffff]/g,
      (unit) => String.raw`\u` + unit.charCodeAt(0).toString(16).padStart(4, '0'),
    );
}

/** The value of `X-Hub-Signature-256`. Provider: "Webhooks", validating payloads, read 2026-06. */
export function signatureOf(body: string, appSecret: string): string {
  return `sha256=${createHmac('sha256', appSecret).update(body, 'utf8').digest('hex')}`;
}

/** Unix seconds as the string that webhooks carry. */
export function unixSeconds(atMs: number): string {
  return String(Math.floor(atMs / 1000));
}
