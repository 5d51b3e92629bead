// What a called phone does, as the control API takes it.
import { z } from 'zod';
import { faults } from './faults.ts';
import { signal } from './signal-schema.ts';

const ms = z.number().int().min(0).max(600_000);
const limitMs = z.number().int().min(10).max(600_000);

/** How the owner or the network treats a call. */
export const behaviour = z.enum(['answer', 'reject', 'ignore', 'busy', 'uncallable', 'offline']);
export type Behaviour = z.infer<typeof behaviour>;

/** Fields of `POST /control/phones` and `/control/phones/:number` that describe the phone; what is left out stays. */
export const phonePreset = z.strictObject({
  /**
   * `answer` and `reject` act after `ring_ms`; `ignore` rings until Meta gives up; `busy` rejects without ringing; `offline`
   * never rings; `uncallable` is not on WhatsApp.
   */
  behaviour: behaviour.optional(),
  /** From the reply with the wacid to the `connect` webhook. */
  connect_ms: ms.optional(),
  /** From RINGING to what the owner does, or to giving up. */
  ring_ms: ms.optional(),
  /** From pickup to the owner hanging up; null or left out for never. */
  talk_ms: ms.nullable().optional(),
  /** From pickup on. */
  play: signal.optional(),
  /** The DTLS role in Meta's answer. */
  answer_setup: z.enum(['active', 'passive', 'actpass']).optional(),
  shape: z.enum(['wire', 'documented']).optional(),
  /** An unreachable IPv6 address to put into the answer as well. */
  ipv6: z.ipv6().optional(),
  /** false counts packets but decodes no audio, for load tests. */
  listen: z.boolean().optional(),
  /** Shorter limits than Meta's. */
  first_media_limit_ms: limitMs.optional(),
  silence_limit_ms: limitMs.optional(),
  /** Of every call to this phone. */
  faults: faults.optional(),
  /** `old` cannot show permission requests and call buttons: they fail with 131026. */
  client: z.enum(['current', 'old']).optional(),
  /** The owner answers every permission request like this; null for not at all. */
  permission_reply: z
    .strictObject({
      response: z.enum(['accept', 'reject']),
      is_permanent: z.boolean().default(false),
      after_ms: ms.default(0),
    })
    .nullable()
    .optional(),
});
export type PhonePreset = z.output<typeof phonePreset>;

/** Observed: the `connect` webhook comes about 1 s after the request; the rest has no source and suits tests. */
export const PHONE_DEFAULTS = {
  behaviour: 'answer',
  connect_ms: 100,
  answer_setup: 'passive',
  shape: 'wire',
  listen: true,
} as const satisfies PhonePreset;

/** How long a phone rings by default, in ms. When Meta gives up on an unanswered call is undocumented. */
const RING_MS: Record<Behaviour, number> = {
  answer: 300,
  reject: 300,
  busy: 0,
  uncallable: 0,
  ignore: 45_000,
  offline: 45_000,
};

/** `ring_ms`, or the default that fits the behaviour. */
export function ringMsOf(preset: PhonePreset): number {
  return preset.ring_ms ?? RING_MS[preset.behaviour ?? 'answer'];
}

/** `POST /control/phones/:number`: the phone and its owner. */
export const phoneDescription = phonePreset.extend({
  name: z.string().min(1).max(100).optional(),
  username: z.string().min(1).max(40).optional(),
  user_id: z
    .string()
    .regex(/^[A-Z]{2}\.[A-Za-z0-9]{1,128}$/)
    .optional(),
  /** false: the number is withheld everywhere, only the business-scoped user id remains. */
  shows_number: z.boolean().optional(),
});
export type PhoneDescription = z.input<typeof phoneDescription>;
