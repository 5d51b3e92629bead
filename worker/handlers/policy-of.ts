// What the settings of a number mean for a call that begins.
import type { CallPolicy } from '../domain/call.ts';
import { voicemailOf } from '../domain/voicemail.ts';
import type { BusinessNumber } from '../ports.ts';

export function policyOf({ calling, fallbackText }: BusinessNumber): CallPolicy {
  const voicemail = voicemailOf(calling);
  return {
    hasFallbackText: fallbackText !== null,
    isLeftToVoicemail:
      voicemail !== null && voicemail.timeoutMs !== null && !voicemail.takesRejected,
    recording: null,
  };
}
