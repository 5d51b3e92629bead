// Deletes audio whose time is over, and what interrupted requests left behind; run by the trigger of every minute. Audio goes
// before the row that tells of it, so that whatever is interrupted here is found again by the next run.
import { promptKey } from '../adapters/prompt-store-d1.ts';
import type { Services } from '../services.ts';

/** Deleted with one request to R2, which takes up to 1000 keys, and one query, which takes fewer. */
const AT_ONCE = 90;
/** Most batches of one run; the next one goes on where it stopped. */
const BATCHES_MAX = 20;
/** A prompt whose audio did not come within this was given up by whoever sent it, in ms. */
const PROMPT_UPLOAD_MS = 3600_000;

export type SweepServices = Pick<Services, 'audio' | 'prompts' | 'recordings' | 'now'>;

/** Does nothing in a deployment without a bucket. Safe to run twice at once. */
export async function sweepAudio(services: SweepServices): Promise<void> {
  const { audio, recordings, prompts, now } = services;
  if (!audio) return;
  for (let batch = 0; batch < BATCHES_MAX; batch++) {
    const over = await recordings.takeOver(now(), AT_ONCE);
    if (over.length === 0) break;
    await audio.delete(over.map(({ r2Key }) => r2Key));
    await recordings.emptied(over.map(({ callId }) => callId));
    console.log('recordings.deleted', { count: over.length });
  }
  await recordings.forgetGone(now());
  const leftovers = await prompts.leftovers(now() - PROMPT_UPLOAD_MS, AT_ONCE);
  if (leftovers.length === 0) return;
  await audio.delete(leftovers.map(promptKey));
  await prompts.forget(leftovers);
}
