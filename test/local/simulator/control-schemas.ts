// The bodies that the control API takes.
import { z } from 'zod';
import { faults } from './faults.ts';

const hz = z.number().int().min(1).max(7000);
const limitMs = z.number().int().min(10).max(600_000);

/** What a phone plays; see `Signal`. */
export const signal = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tone'), hz, dbfs: z.number().min(-60).max(0).default(-12) }),
  z.strictObject({ kind: z.literal('tones'), hz: z.array(hz).min(1).max(6) }),
  z.strictObject({ kind: z.literal('beeps'), hz }),
  z.strictObject({ kind: z.literal('speech') }),
  z.strictObject({ kind: z.literal('silence') }),
]);

/** `POST /control/calls`. */
export const newCall = z.strictObject({
  /** Digits of the caller, or null for one without a visible phone number. Default: a fresh number per call. */
  from: z
    .string()
    .regex(/^\d{1,15}$/)
    .nullable()
    .optional(),
  name: z.string().min(1).max(100).default('Ana Sample'),
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
    /** `talk` sends the last signal, `listen` sends silence, `nothing` stops all packets. */
    send: z.enum(['talk', 'listen', 'nothing']).optional(),
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
