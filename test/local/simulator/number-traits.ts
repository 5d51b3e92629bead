// What can be different about a business number, as the control API takes it.
import { z } from 'zod';

const dayCount = z.number().int().min(0).max(1_000_000);

/** A message template of the account. */
const template = z.strictObject({
  name: z.string().min(1).max(512),
  language: z.string().min(2).max(10),
  /** `call_permission_request` makes sending it a permission request, `voice_call` carries a call button. */
  component: z.enum(['none', 'call_permission_request', 'voice_call']).default('none'),
});

/** Everything has a default; `POST /control/numbers/:id` changes what it names. */
export const numberTraits = z.strictObject({
  /** Observed: 138006 comes as 401 in the docs and as 400 in most implementers' tests. */
  permission_error_status: z.union([z.literal(400), z.literal(401)]).default(401),
  /** Observed: the parameter table and the samples name the field differently. */
  expiration_field: z.enum(['expiration_time', 'expiration']).default('expiration_time'),
  /** Permission queries per second before 613; null for no limit. Meta's pages say 5 and 100. */
  permission_queries_per_s: z.number().int().min(1).max(1000).nullable().default(null),
  /** false: the number is from a country without business-initiated calls (138013). */
  bic_available: z.boolean().default(true),
  /** With `bic_available: false`, the permission query is refused too. Observed: it happens, with error_user_msg. */
  query_reports_country: z.boolean().default(false),
  /** Unique recipients in 24 h; below 2000 calling cannot be enabled (138015). */
  messaging_limit: z.number().int().min(0).max(1_000_000).default(2000),
  /** false: no payment method (131044). */
  has_payment_method: z.boolean().default(true),
  /** Webhook fields of the app; without `calls` calling cannot be enabled (138018). */
  subscribed_fields: z
    .array(z.string().min(1))
    .default(['calls', 'messages', 'account_update', 'account_settings_update']),
  /** Whether the app is subscribed to the account; otherwise no webhook comes. */
  app_subscribed: z.boolean().default(true),
  /** A public test number: more requests, later revocation. Takes effect for users not met yet. */
  sandbox: z.boolean().default(false),
  /** Recipients of a test number; others give 131030. null for everybody. */
  allowed_recipients: z
    .array(z.string().regex(/^\d{1,15}$/))
    .nullable()
    .default(null),
  /** Outside the service window free-form messages are refused at once, or taken and failed by webhook. */
  closed_window: z.enum(['refuse', 'fail']).default('refuse'),
  /** What a refused free-form message says; 138011 is for permission requests only. */
  closed_window_code: z.union([z.literal(131047), z.literal(138011)]).default(131047),
  /** Live calls at once (138002) and dials in 24 h (138005). */
  concurrent_calls: dayCount.default(1000),
  dials_per_day: dayCount.default(10_000),
  /** Spelling of `type` in account_settings_update: the sample and the table differ. */
  settings_event_type: z
    .enum(['phone_number_settings', 'PHONE_NUMBER_SETTINGS'])
    .default('phone_number_settings'),
  templates: z.array(template).default([
    { name: 'call_permission', language: 'en_US', component: 'call_permission_request' },
    { name: 'call_us', language: 'en_US', component: 'voice_call' },
    { name: 'hello_world', language: 'en_US', component: 'none' },
  ]),
  /** What `GET /{number}` reports; see `asset-routes.ts`. */
  quality_rating: z.enum(['GREEN', 'YELLOW', 'RED', 'UNKNOWN']).default('GREEN'),
  number_status: z.string().min(1).default('CONNECTED'),
  platform_type: z.string().min(1).default('CLOUD_API'),
  /** What `GET /debug_token` reports. */
  token_is_valid: z.boolean().default(true),
  token_expires_at_s: z.number().int().min(0).default(0),
  token_scopes: z
    .array(z.string().min(1))
    .default(['whatsapp_business_messaging', 'whatsapp_business_management']),
  /** 360dialog only: errors as `{ "error": "..." }` or as Meta's object. */
  error_style: z.enum(['string', 'meta']).default('meta'),
  /** 360dialog only: how `x-360dialog-signature` is written. */
  signature: z.enum(['none', 'hex', 'prefixed']).default('none'),
  /** 360dialog only: the partner's secret for that signature. */
  webhook_secret: z.string().min(1).default('simulated-partner-secret'),
  /** 360dialog only: webhook addresses with a port or an underscore are refused, as in production. */
  strict_webhook_url: z.boolean().default(false),
});
export type NumberTraits = z.output<typeof numberTraits>;

/** `POST /control/numbers/:id`: only what is named changes, so nothing has a default here. */
export const traitsChange = z.strictObject(
  Object.fromEntries(
    Object.entries(numberTraits.shape).map(([name, schema]) => [name, schema.unwrap().optional()]),
  ),
) as unknown as z.ZodType<Partial<NumberTraits>, TraitsChange>;
export type TraitsChange = Partial<z.input<typeof numberTraits>>;
