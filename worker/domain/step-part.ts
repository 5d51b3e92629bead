// What the steps have in common that have parts, such as a prompt and the silence after it. Pure.
import { DURATION_S_MAX } from './audio-failure.ts';
import type { Call } from './call.ts';
import type { Stage } from './flow.ts';
import { changed, withSound } from './step-flow.ts';

/**
 * A sound counts as over then, if the relay has not said so, in ms: the longest one, another that announces the recording before
 * it, and the time that it takes to fetch both.
 */
export const SOUND_MS_MAX = (2 * DURATION_S_MAX + 30) * 1000;

/** What changes when the call comes to another part of its step: what is heard there begins from its beginning. */
export function inPart(call: Call, stage: Stage, endsAtMs: number): Partial<Call> {
  const next: Call = {
    ...call,
    flow: call.flow && { ...call.flow, stage },
    timers: { ...call.timers, step: endsAtMs },
    audio: { ...call.audio, playing: null },
  };
  return changed(call, withSound(next));
}
