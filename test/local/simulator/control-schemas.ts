// The bodies that the control API takes.
import { z } from 'zod';
import { ENDING_CODES } from './call-events.ts';
import { faults } from './faults.ts';
import { traitsChange } from './number-traits.ts';
import { phonePreset } from './phone-preset.ts';
import { RESTRICTION_TYPES } from './restrictions.ts';
import { signal } from './signal-schema.ts';

const digits = z.string().regex(/^\d{1,15}$/);
/** A phone number or a business-scoped user id. */
const user = z.string().min(1).max(140);
/** Id of a business number; the default one unless given. */
const number = z.string().regex(/^\d+$/).optional();
const limitMs = z.number().int().min(10).max(600_000);

/** `POST /control/calls`. */
export const newCall = z.strictObject({
  number,
  /** Digits of the caller, or null for one without a visible phone number. Default: a fresh number per call. */
  from: z
    .string()
    .regex(/^\d{1,15}$/)
    .nullable()
    .optional(),
  name: z.string().min(1).max(100).optional(),
  username: z.string().min(1).max(40).optional(),
  /** Business-scoped user id. Default: made from the number. */
  user_id: z
    .string()
    .regex(/^[A-Z]{2}\.[A-Za-z0-9]{1,128}$/)
    .optional(),
  /** From the accept on. Default: a 440 Hz tone. */
  play: signal.optional(),
  cta_payload: z.string().max(512).optional(),
  deeplink_payload: z.string().max(512).optional(),
  faults: faults.default({}),
  /** Shorter limits than Meta's, in ms. */
  answer_limit_ms: limitMs.optional(),
  first_media_limit_ms: limitMs.optional(),
  silence_limit_ms: limitMs.optional(),
  /** The caller hangs up this long after calling, in ms. */
  hang_up_after_ms: limitMs.optional(),
  shape: z.enum(['wire', 'documented']).default('wire'),
  /** An unreachable IPv6 address to offer as well. */
  ipv6: z.ipv6().optional(),
  /** false counts packets but decodes no audio, for load tests. */
  listen: z.boolean().default(true),
});
export type NewCall = z.input<typeof newCall>;

/** `POST /control/calls/:id/play`: a signal, keys, or a change of what is sent. */
export const playRequest = z
  .strictObject({
    signal: signal.optional(),
    keys: z
      .string()
      .regex(/^[0-9*#A-D]{1,32}$/i)
      .optional(),
    key_ms: z.number().int().min(40).max(5000).default(160),
    /** `talk` sends the last signal, `listen` sends silence, `reports` nothing but RTCP, `nothing` stops all packets. */
    send: z.enum(['talk', 'listen', 'reports', 'nothing']).optional(),
  })
  .refine((body) => body.signal ?? body.keys ?? body.send, {
    message: 'one of signal, keys and send is required',
  });
export type PlayRequest = z.input<typeof playRequest>;

/** `POST /control/webhooks`: any body, signed. */
export const rawWebhook = z.strictObject({
  /** Sent as Meta would encode it. */
  body: z.unknown().optional(),
  /** Sent byte for byte instead of `body`. */
  text: z.string().optional(),
  /** Wrong on purpose, to see the receiver refuse it. */
  signature: z.string().optional(),
});
export type RawWebhook = z.input<typeof rawWebhook>;

/** `POST /control/calls/:id/hangup`: the user hangs up, or with a code the call fails at Meta. */
export const hangUpRequest = z.strictObject({
  error_code: z
    .number()
    .int()
    .refine((code) => ENDING_CODES.includes(code), `must be one of ${ENDING_CODES.join(', ')}`)
    .optional(),
});
export type HangUpRequest = z.input<typeof hangUpRequest>;

/** `POST /control/foreign-calls`: another app of the account calls somebody. */
export const foreignCall = phonePreset.extend({
  /** Default: a fresh number. */
  to: digits.optional(),
  number,
  /** The other app's `biz_opaque_callback_data`. */
  opaque: z.string().max(512).default('attempt-of-another-app'),
});
export type ForeignCall = z.input<typeof foreignCall>;

/** `POST /control/clock`. */
export const clockRequest = z.strictObject({
  advance_ms: z.number().int().min(0).max(31_536_000_000),
});

/** `POST /control/permissions`: sets a state without telling the business. */
export const permissionChange = z.strictObject({
  user,
  number,
  status: z.enum(['none', 'temporary', 'permanent']).optional(),
  /** For `temporary`: from now on the movable clock; 168 h unless given. */
  expires_in_s: z.number().int().min(0).max(31_536_000).default(604_800),
  /** So many business-initiated calls were picked up just now. */
  connected_calls: z.number().int().min(0).max(1000).optional(),
  window: z.enum(['open', 'closed']).optional(),
});
export type PermissionChange = z.input<typeof permissionChange>;

/** `POST /control/permissions/reply`: the user answers, and the business is told. */
export const permissionReply = z.strictObject({
  user,
  number,
  response: z.enum(['accept', 'reject']).default('accept'),
  is_permanent: z.boolean().default(false),
  source: z.enum(['user_action', 'automatic']).default('user_action'),
  /** `request`: the newest open request; `none`: from the business's profile; else a wamid or wacid. */
  context: z.string().min(1).max(300).default('request'),
  form: z
    .strictObject({
      without_type: z.boolean().default(false),
      integer_expiry: z.boolean().default(false),
      wrong_permanent: z.boolean().default(false),
      contacts: z.enum(['omit', 'no_phone']).optional(),
      duplicates: z.number().int().min(0).max(50).default(0),
    })
    .prefault({}),
});
export type PermissionReplyRequest = z.input<typeof permissionReply>;

/** `POST /control/messages`: the user writes to the business. */
export const userMessage = z.strictObject({
  user,
  number,
  text: z.string().min(1).max(4096).default('Hello'),
});
export type UserMessage = z.input<typeof userMessage>;

/** `POST /control/numbers`. What is left out is made up. */
export const newNumber = z.strictObject({
  provider: z.enum(['meta', '360dialog']),
  phone_number_id: z.string().regex(/^\d+$/).optional(),
  display_phone_number: digits.optional(),
  waba_id: z.string().regex(/^\d+$/).optional(),
  /** Bearer token, or the API key at 360dialog. */
  secret: z.string().min(1).optional(),
  webhook_url: z.url().optional(),
  webhook_headers: z.record(z.string(), z.string()).default({}),
  traits: traitsChange.default({}),
});
export type NewNumber = z.input<typeof newNumber>;

/** `POST /control/numbers/:id/account-update`. Provider: "Call settings", account_update, read 2026-07. */
export const accountUpdate = z.strictObject({
  event: z.enum(['ACCOUNT_VIOLATION', 'ACCOUNT_RESTRICTION', 'VOLUME_BASED_PRICING_TIER_UPDATE']),
  violation_type: z
    .enum([
      'LOW_BUSINESS_INITIATED_CALLING_QUALITY',
      'LOW_USER_INITIATED_CALLING_QUALITY',
      'USER_INITIATED_CALLS_LOW_PICKUP_RATE',
    ])
    .default('LOW_BUSINESS_INITIATED_CALLING_QUALITY'),
  /** Restrictions last 7 days unless told otherwise; null for no end. */
  restrictions: z
    .array(
      z.strictObject({
        type: z.enum(RESTRICTION_TYPES),
        expires_in_s: z.number().int().min(0).max(31_536_000).nullable().default(604_800),
      }),
    )
    .default([]),
  remediation: z.string().min(1).optional(),
  shape: z.enum(['object', 'array']).default('object'),
});
export type AccountUpdate = z.input<typeof accountUpdate>;
