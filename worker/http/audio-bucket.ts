// The bucket that holds audio, for routes that cannot do without it.
import type { Services } from '../services.ts';
import { Problem } from './problems.ts';

/** @throws Problem `not-configured` */
export function requireAudio({ audio }: Pick<Services, 'audio'>): R2Bucket {
  if (audio) return audio;
  throw new Problem('not-configured', 'This deployment keeps no audio: it has no R2 bucket AUDIO');
}
