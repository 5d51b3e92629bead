// When the provider's voicemail takes a call.
import { expect, it } from 'vitest';
import { voicemailOf } from '../../../../worker/domain/voicemail.ts';

const settings = (more: object) => ({
  voicemail: {
    status: 'ENABLED',
    triggers: ['REJECT', 'TIMEOUT'],
    audio: { default: { announcement_media_id: 1, timeout_seconds: 20 } },
    ...more,
  },
});

it.each<[what: string, calling: Record<string, unknown> | null, voicemail: unknown]>([
  ['both triggers', settings({}), { timeoutMs: 20_000, takesRejected: true }],
  ['time only', settings({ triggers: ['TIMEOUT'] }), { timeoutMs: 20_000, takesRejected: false }],
  ['rejection only', settings({ triggers: ['REJECT'] }), { timeoutMs: null, takesRejected: true }],
  ['a trigger without its time', settings({ audio: {} }), { timeoutMs: null, takesRejected: true }],
  ['switched off', settings({ status: 'DISABLED' }), null],
  ['nonsense', { voicemail: 'yes' }, null],
  ['settings that never were read', null, null],
])('%s', (_what, calling, voicemail) => {
  expect(voicemailOf(calling)).toEqual(voicemail);
});
