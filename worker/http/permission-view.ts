// What is known about calling a contact, as outsiders see it, and what refusals of a permission request mean for them.
import { z } from '@hono/zod-openapi';
import { iso } from '../call-view.ts';
import type { ContactId, NumberId } from '../domain/ids.ts';
import type { JobFailure } from '../domain/job.ts';
import type { AskRefusal, CallRefusal, GrantStatus } from '../domain/permission-ledger.ts';
import { mayAsk, mayCall, statusAt, type Refusal } from '../domain/permission-questions.ts';
import type { AskResult } from '../handlers/ask-permission.ts';
import type { KnownPermission } from '../handlers/read-permission.ts';
import { invalidField, Problem } from './problems.ts';

const time = z.iso.datetime();

const STATUSES = [
  'unknown',
  'none',
  'temporary',
  'permanent',
  'expired',
  'declined',
  'revoked',
] as const satisfies readonly (GrantStatus | 'unknown' | 'expired')[];

const CALL_REFUSALS: Readonly<Record<CallRefusal, string>> = {
  'no-permission': 'The contact has given no permission. Ask for it, or wait until they call',
  expired: 'The permission was temporary and is over. Ask for another one',
  declined: 'The contact declined. They can change that on the request they have',
  revoked: 'The permission was taken back, by the contact or after four unanswered calls',
  'daily-limit': 'The calls that may connect within 24 h are used up',
  paused: 'The provider has paused calls of this number',
  country: 'Calls of businesses do not exist for the country of this number',
  uncallable: 'The contact cannot be called on WhatsApp',
  'provider-refuses': 'The provider refuses calls to this contact',
};

const ASK_REFUSALS: Readonly<Record<AskRefusal, string>> = {
  'permanent-exists': 'The contact has given a permanent permission: just call',
  declined:
    'The contact declined. They can change that on the request they have; a call between you makes a new one possible',
  'request-limit':
    'The limit is one request in 24 h and two in 7 days. Wait, or talk: a connected call, either way, resets it',
  paused: 'The provider has paused calls of this number',
  country: 'Calls of businesses do not exist for the country of this number',
  'provider-refuses': 'The provider takes no request for this contact now',
};

const words = <T extends string>(texts: Readonly<Record<T, string>>) =>
  Object.keys(texts) as [T, ...T[]];
const retryAt = time.nullable().openapi({
  description: 'When it may be different; null when it is allowed or no time will change it',
});

export const permissionView = z
  .object({
    contact_id: z.string(),
    number_id: z.string(),
    status: z.enum(STATUSES).openapi({
      description:
        '`unknown` until the provider or the contact has said anything; `declined` and `revoked` tell why there is none',
    }),
    expires_at: time.nullable().openapi({ description: 'Of a temporary permission' }),
    may_call: z.object({
      allowed: z.boolean(),
      reason: z.enum(words(CALL_REFUSALS)).nullable(),
      detail: z.string().nullable(),
      retry_at: retryAt,
    }),
    may_ask: z.object({
      allowed: z.boolean(),
      form: z.enum(['text', 'template']).nullable().openapi({
        description: '`text`: free-form is possible now. `template`: only a template is',
      }),
      reason: z.enum(words(ASK_REFUSALS)).nullable(),
      detail: z.string().nullable(),
      retry_at: retryAt,
    }),
    window_until: time.nullable().openapi({
      description: 'Until then free-form messages may be sent; in the past when it has closed',
    }),
    unanswered_in_a_row: z.int().openapi({
      description: 'Calls that the contact did not answer; four in a row revoke the permission',
    }),
    requests: z
      .array(
        z.object({
          message_id: z.string(),
          sent_at: time,
          answer: z.enum(['granted', 'declined']).nullable(),
        }),
      )
      .openapi({ description: 'The latest requests sent from here, oldest first' }),
    checked_at: time.nullable().openapi({ description: 'When the provider was last asked' }),
    stale: z.string().nullable().openapi({
      description: 'Why the provider could not be asked now; null when its word is fresh',
    }),
  })
  .openapi('Permission');

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

export function viewOfPermission(
  { numberId, contactId }: { numberId: NumberId; contactId: ContactId },
  { ledger, stale }: KnownPermission,
  nowMs: number,
): z.infer<typeof permissionView> {
  const call = mayCall(ledger, nowMs);
  const ask = mayAsk(ledger, nowMs);
  return {
    contact_id: contactId,
    number_id: numberId,
    status: statusAt(ledger, nowMs),
    expires_at: isoOrNull(ledger.grant?.expiresAtMs ?? null),
    may_call: call.allowed ? ALLOWED : refusalView(call, CALL_REFUSALS),
    may_ask: ask.allowed
      ? { ...ALLOWED, form: ask.form }
      : { ...refusalView(ask, ASK_REFUSALS), form: null },
    window_until: isoOrNull(ledger.windowUntilMs),
    unanswered_in_a_row: ledger.unanswered,
    requests: ledger.requests.map(({ messageId, atMs, answer }) => ({
      message_id: messageId,
      sent_at: iso(atMs),
      answer,
    })),
    checked_at: isoOrNull(ledger.checkedAtMs),
    stale,
  };
}

const ALLOWED = { allowed: true, reason: null, detail: null, retry_at: null };

const refusalView = <R extends string>(
  { reason, retryAtMs }: Refusal<R>,
  texts: Readonly<Record<R, string>>,
) => ({ allowed: false, reason, detail: texts[reason], retry_at: isoOrNull(retryAtMs) });

/** What to do about refusals of the provider. Provider: Cloud API error codes and Calling API troubleshooting, read 2026-06. */
const REMEDIES: Readonly<Record<number, string>> = {
  0: 'Replace the access token of the number',
  190: 'Replace the access token of the number',
  130429: 'Too many messages; try again later',
  131026: 'It cannot be delivered: the WhatsApp of the contact may be too old. Write to them',
  131030: 'A test number reaches only the recipients on its list: add this one there',
  131044: 'Add a payment method to the WhatsApp Business account',
  131056: 'Too many messages to this contact; try again later',
  132000: 'The template has another number of parameters',
  132001:
    'No template has this name and language; the language must be exactly that of the template',
  138000: 'Enable calling on the number first',
};

/** The problem that a request which was not sent becomes. */
export function askProblem(asked: Exclude<AskResult, { result: 'sent' }>): Problem {
  switch (asked.result) {
    case 'may-not-ask': {
      const { reason, detail, retry_at } = refusalView(asked.refusal, ASK_REFUSALS);
      return new Problem('may-not-ask', detail, { reason, retry_at });
    }
    case 'template-needed': {
      const { windowUntilMs } = asked;
      const since =
        windowUntilMs === null
          ? 'the contact has not written or called'
          : `the window was open until ${iso(windowUntilMs)}`;
      return new Problem(
        'template-needed',
        `Free-form is not possible: ${since}. Name a template`,
        {
          window_until: isoOrNull(windowUntilMs),
        },
      );
    }
    case 'failed':
      return failureProblem(asked.failure);
    case 'no-number':
      return invalidField('number_id', 'the id of a registered number');
    case 'no-contact':
      return new Problem('not-found', 'There is no contact with this id');
  }
}

function failureProblem({ kind, code, message, retryAtMs }: JobFailure): Problem {
  const remedy = code === undefined ? undefined : REMEDIES[code];
  const members = {
    ...(code === undefined ? {} : { provider_code: code }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(retryAtMs === undefined ? {} : { retry_at: iso(retryAtMs) }),
  };
  if (kind === 'refused') return new Problem('provider-refused', message, members);
  const doubt = kind === 'unsure' ? '. Nobody knows whether the request was sent' : '';
  return new Problem('upstream', `${message}${doubt}`, members);
}
