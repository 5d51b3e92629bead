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
  const extra = oddities.unknownFields ? { a_field_of_the_future: { nested: [1, null] } } : {};
  const contacts = callers.map((caller) => contactOf(caller, oddities.contacts));
  return encodeAsMeta({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: number.wabaId,
        ...extra,
        changes: [
          {
            field: 'calls',
            value: {
              messaging_product: 'whatsapp',
              metadata: {
                display_phone_number: number.displayPhoneNumber,
                phone_number_id: oddities.foreignNumberId ?? number.phoneNumberId,
              },
              ...(oddities.contacts === 'omit' || contacts.length === 0 ? {} : { contacts }),
              calls: calls.map((call) => ({ ...call, ...extra })),
              ...(errors.length > 0 ? { errors } : {}),
              ...extra,
            },
          },
        ],
      },
    ],
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
