// Takes a sound file as a prompt, and takes prompts out of use.
import { sha256Hex } from '../adapters/sealed-secret.ts';
import { promptKey, type Prompt } from '../adapters/prompt-store-d1.ts';
import type { AudioFailure } from '../domain/audio-failure.ts';
import type { PromptId } from '../domain/ids.ts';
import { promptAudioOf, type PromptAudio, type SoundType } from '../domain/prompt-audio.ts';
import { requireAudio } from '../http/audio-bucket.ts';
import { Problem } from '../http/problems.ts';
import type { Services } from '../services.ts';
import { requireUnused } from './save-rules.ts';

/** How much audio is converted before others go first, in 20 ms: some ms of work. A call in progress may share the thread. */
const STEPS_AT_ONCE = 10;

/** @throws Problem `bad-audio` with its `reason`, `not-configured` */
export async function addPrompt(
  services: Services,
  name: string,
  type: SoundType,
  file: ArrayBuffer,
): Promise<Prompt> {
  const bucket = requireAudio(services);
  const audio = await converted(services, new Uint8Array(file), type);
  if (!audio.ok) throw new Problem('bad-audio', audio.message, { reason: audio.reason });
  const prompt: Prompt = {
    id: crypto.randomUUID() as PromptId,
    name,
    durationMs: audio.durationMs,
    bytes: audio.bytes.byteLength,
    sha256: await sha256Hex(audio.bytes),
    createdAtMs: services.now(),
  };
  await services.prompts.announce(prompt);
  await bucket.put(promptKey(prompt.id), audio.bytes, {
    httpMetadata: { contentType: 'audio/ogg' },
  });
  await services.prompts.stored(prompt.id, services.now());
  return prompt;
}

async function converted(
  { openCodec }: Services,
  file: Uint8Array,
  type: SoundType,
): Promise<PromptAudio | AudioFailure> {
  const work = promptAudioOf(file, type, openCodec);
  for (let steps = 1; ; steps++) {
    const step = work.next();
    if (step.done) return step.value;
    if (steps % STEPS_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

/**
 * Deletes a prompt and its audio. What is interrupted on the way is finished by the trigger of every minute.
 *
 * @throws Problem `conflict` while a number announces recordings with it or the rules in force play it, `not-found`
 */
export async function deletePrompt(services: Services, id: string): Promise<void> {
  const bucket = requireAudio(services);
  const prompt = await services.prompts.find(id);
  if (!prompt) throw new Problem('not-found', 'There is no prompt with this id');
  const version = await requireUnused(services, 'prompt', id);
  if (!(await services.prompts.markDeleted(id, version, services.now()))) {
    // Rules that were saved during the look are looked at, too.
    await requireUnused(services, 'prompt', id);
    throw new Problem('conflict', 'A number announces its recordings with this prompt');
  }
  await bucket.delete(promptKey(prompt.id));
  await services.prompts.forget([prompt.id]);
}
