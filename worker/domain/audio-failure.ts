// Why a sound file cannot be used. Pure.

export const AUDIO_REASONS = [
  'empty',
  'too-long',
  'truncated',
  'not-ogg',
  'not-opus',
  'bad-checksum',
  'bad-order',
  'too-many-channels',
  'not-wav',
  'unsupported-wav',
] as const;

/** @property message where and what, for people; holds nothing of the file but numbers */
export interface AudioFailure {
  readonly ok: false;
  readonly reason: (typeof AUDIO_REASONS)[number];
  readonly message: string;
}

export const failure = (reason: AudioFailure['reason'], message: string): AudioFailure => ({
  ok: false,
  reason,
  message,
});

/** Longest sound that is taken, in s. */
export const DURATION_S_MAX = 600;

export const tooLong = (): AudioFailure =>
  failure('too-long', `the limit is ${DURATION_S_MAX / 60} minutes`);
