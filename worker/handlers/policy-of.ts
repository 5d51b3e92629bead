// What the settings of a number mean for a call that begins.
import type { CallPolicy } from '../domain/call.ts';
import { voicemailOf } from '../domain/voicemail.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';

/** Without a bucket to keep them in, there are no recordings. */
export function policyOf({ audio }: Pick<Services, 'audio'>, number: BusinessNumber): CallPolicy {
  const { calling, fallbackText, recording, recordingAnnouncement } = number;
  const voicemail = voicemailOf(calling);
  return {
    hasFallbackText: fallbackText !== null,
    isLeftToVoicemail:
      voicemail !== null && voicemail.timeoutMs !== null && !voicemail.takesRejected,
    canRecord: audio !== null,
    recording: recording === 'always' && audio ? { announcement: recordingAnnouncement } : null,
  };
}
