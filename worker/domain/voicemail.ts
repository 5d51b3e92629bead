// The provider's own voicemail, as far as it changes when and how a call is answered. Pure.
// Provider: Calling API settings, voicemail, read 2026-07.
import { z } from 'zod';

export interface Voicemail {
  /** How long the provider lets the phone ring before its voicemail answers, in ms; null when it does not. */
  readonly timeoutMs: number | null;
  /** It takes calls that are rejected. */
  readonly takesRejected: boolean;
}

const voicemail = z.looseObject({
  status: z.literal('ENABLED'),
  triggers: z.array(z.string()),
  audio: z
    .looseObject({
      default: z.looseObject({ timeout_seconds: z.number().positive().max(30) }),
    })
    .optional()
    .catch(undefined),
});

/** @param calling the number's settings as last read; null when they never were */
export function voicemailOf(calling: Readonly<Record<string, unknown>> | null): Voicemail | null {
  const parsed = voicemail.safeParse(calling?.['voicemail']);
  if (!parsed.success) return null;
  const { triggers, audio } = parsed.data;
  // A trigger without a time is off.
  const timeoutS = triggers.includes('TIMEOUT') ? audio?.default.timeout_seconds : undefined;
  return {
    timeoutMs: timeoutS === undefined ? null : timeoutS * 1000,
    takesRejected: triggers.includes('REJECT'),
  };
}
