// Decisions about voicemail: a greeting, a beep, and what the caller says then as a recording of the call. Pure.
import type { Call } from './call.ts';
import { after, ending, toldAs, type Answer, type Change } from './change.ts';
import type { Desk } from './desk.ts';
import { hasLeftMessage, type Stage } from './flow.ts';
import { outcome, type EndedBy } from './outcome.ts';
import { advance, type Begun } from './step-flow.ts';
import { inPart, SOUND_MS_MAX } from './step-part.ts';

type VoicemailStage = Extract<Stage, { kind: 'voicemail' }>;

const BEEP: VoicemailStage = { kind: 'voicemail', part: 'beep', sound: 'sound:beep' };

export function beginVoicemail(
  call: Call,
  { prompt }: { readonly prompt?: string | undefined },
  nowMs: number,
): Begun {
  if (!call.policy.canRecord) return { goesOn: 'nothing can be recorded' };
  const endsAtMs = nowMs + SOUND_MS_MAX;
  if (prompt !== undefined)
    return { stays: { kind: 'voicemail', part: 'prompt', sound: prompt }, endsAtMs };
  const isRecorded = call.audio.recording === 'on';
  return {
    stays: BEEP,
    endsAtMs,
    patch: { audio: recorded(call).audio },
    ...(isRecorded ? {} : { entry: 'recording-started' as const }),
  };
}

/** From the beep on, so that no word is lost. */
const recorded = (call: Call): Call => ({ ...call, audio: { ...call.audio, recording: 'on' } });

/** The greeting is over, or the beep. */
export function afterSound(
  call: Call,
  stage: VoicemailStage,
  longestMs: number,
  nowMs: number,
): Change {
  const [next, endsAtMs]: [VoicemailStage, number] =
    stage.part === 'prompt'
      ? [BEEP, nowMs + SOUND_MS_MAX]
      : [{ kind: 'voicemail', part: 'message', sinceMs: nowMs }, nowMs + longestMs];
  return {
    patch: inPart(recorded(call), next, endsAtMs),
    entry:
      call.audio.recording === 'on'
        ? { type: 'played' }
        : { type: 'recording-started', detail: { by: 'rule' } },
  };
}

/** The caller has said it all, or as much as fits. */
export const endMessage = (call: Call, by: EndedBy, nowMs: number): Change =>
  ending(
    call,
    outcome(hasLeftMessage(call.flow, nowMs) ? 'voicemail-left' : 'abandoned', by),
    nowMs,
  );

/**
 * Without a recording there is no message.
 *
 * @param change may have ended the recording; null when nothing did
 */
export function onUnrecorded(call: Call, change: Answer, desk: Desk, nowMs: number): Answer {
  const next: Call | null = change && { ...call, ...change.patch };
  const stage = next?.flow?.stage ?? null;
  const isMessage = stage?.kind === 'voicemail' && stage.part === 'message';
  if (!change || !next || !isMessage || next.audio.recording !== 'off') return change;
  const on = hasLeftMessage(next.flow, nowMs)
    ? endMessage(next, 'system', nowMs)
    : advance(next, desk, nowMs, 'nothing is recorded');
  return toldAs(change.entry, after(change.patch ?? {}, on));
}
