// Decisions about what a connected call sounds like: hold, prompts, recording, keys. Pure.
import { isOver, type Call, type CallAudio, type CallPolicy } from './call.ts';
import type { Actor, AudioCommand, KeptRecording } from './call-event.ts';
import type { TimelineEntry, TimelineType } from './decision.ts';
import { refuse, type Answer, type Change, type Refused } from './change.ts';
import { isConsulting } from './people.ts';

export const QUIET: CallAudio = { isHeld: false, playing: null, recording: 'off' };

/** Plays that are asked for have the number of a decision, of which the first is 1. */
const ANNOUNCEMENT_ID = 0;

/** What is wanted before the call is connected: the relay has the announcement by then, so that nothing is heard before it. */
export function soundBefore({ recording }: CallPolicy): CallAudio {
  const promptId = recording?.announcement ?? null;
  if (promptId === null) return QUIET;
  const playing = { id: ANNOUNCEMENT_ID, promptId, isLoop: false, isAnnouncement: true };
  return { ...QUIET, playing };
}

/** A call that somebody hears from now on, with what the number's settings ask for from the first moment. */
export function onOpened(call: Call): { patch: Partial<Call>; entry: TimelineEntry } {
  const { recording } = call.policy;
  const announcement = recording?.announcement ?? null;
  const isUnannounced = announcement !== null && call.audio.playing === null;
  if (!recording || isUnannounced) return { patch: {}, entry: { type: 'answered' } };
  const detail = { recording: true, ...(announcement === null ? {} : { announcement }) };
  return {
    patch: { audio: { ...call.audio, recording: 'on' } },
    entry: { type: 'answered', detail },
  };
}

export function onAudioCommand(call: Call, command: AudioCommand, actor: Actor): Answer | Refused {
  if (call.state !== 'active') return null;
  const by = { by: actor.kind };
  switch (command.action) {
    case 'hold':
    case 'unhold': {
      const isHeld = command.action === 'hold';
      // Whoever takes the caller off hold would let them hear what is said about them.
      if (isConsulting(call)) return refuse('consulting');
      if (call.audio.isHeld === isHeld) return null;
      return change(call, { isHeld }, isHeld ? 'held' : 'taken-off-hold', by);
    }
    case 'play': {
      if (isAnnouncing(call.audio)) return null;
      const playing = {
        id: call.version + 1,
        promptId: command.promptId,
        isLoop: command.isLoop,
      };
      return change(call, { playing }, 'playing', { ...by, prompt: command.promptId });
    }
    case 'stop-playing':
      if (!call.audio.playing || isAnnouncing(call.audio)) return null;
      return change(call, { playing: null }, 'playing-stopped', by);
    case 'record':
    case 'pause-recording':
    case 'resume-recording':
    case 'stop-recording':
      return onRecordingCommand(call, command.action, by);
  }
}

function onRecordingCommand(
  call: Call,
  action: 'record' | 'pause-recording' | 'resume-recording' | 'stop-recording',
  by: { readonly by: string },
): Answer {
  const { recording } = call.audio;
  switch (action) {
    case 'record':
    case 'resume-recording':
      if (recording === 'on' || (recording === 'off' && action !== 'record')) return null;
      return change(
        call,
        { recording: 'on' },
        recording === 'off' ? 'recording-started' : 'recording-resumed',
        by,
      );
    case 'pause-recording':
      if (recording !== 'on') return null;
      return change(call, { recording: 'paused' }, 'recording-paused', by);
    case 'stop-recording':
      if (recording === 'off') return null;
      return change(call, { recording: 'off' }, 'recording-stopped', by);
  }
}

/** The caller is being told that the call is recorded. Nobody cuts that off: without it the call must not be recorded. */
export const isAnnouncing = ({ recording, playing }: CallAudio): boolean =>
  recording !== 'off' && playing?.isAnnouncement === true;

/** The recording of the call can be heard from now on. */
export function onRecordingKept(call: Call, recording: KeptRecording): Answer {
  if (call.state === 'tombstone' || call.isRecordingKept) return null;
  const { durationMs, bytes, sha256, expiresAt } = recording;
  return {
    patch: { isRecordingKept: true },
    entry: {
      type: 'recording-kept',
      detail: {
        duration_ms: durationMs,
        bytes,
        sha256,
        ...(expiresAt === null ? {} : { expires_at: expiresAt }),
      },
    },
  };
}

export function onPlayed(call: Call, playId: number, isComplete: boolean): Answer {
  // What has been replaced meanwhile is over without being the end of what plays now.
  const { playing } = call.audio;
  if (isOver(call) || playing?.id !== playId) return null;
  const isConnected = call.state === 'active';
  const isAnnouncement = isConnected
    ? isAnnouncing(call.audio)
    : (playing.isAnnouncement ?? !call.flow?.stage);
  if (!isComplete && isAnnouncement) {
    const detail = { prompt: playing.promptId };
    return change(call, { playing: null, recording: 'off' }, 'announcement-failed', detail);
  }
  if (!isConnected && isComplete) return null;
  return change(call, { playing: null }, 'played', { completed: isComplete });
}

/** The relay cannot record the call any further; the call goes on. */
export function onRecordingFailed(call: Call): Answer {
  if (call.state !== 'active' || call.audio.recording === 'off') return null;
  return change(call, { recording: 'off' }, 'recording-failed');
}

/** A key that the caller pressed. While recording is paused it may be part of a card number, and is not kept. */
export function onDigit(call: Call, digit: string): Answer {
  if (call.state !== 'active') return null;
  const shown = call.audio.recording === 'paused' ? {} : { detail: { digit } };
  return { entry: { type: 'digit', ...shown } };
}

const change = (
  call: Call,
  audio: Partial<CallAudio>,
  type: TimelineType,
  detail?: Record<string, string | number | boolean>,
): Change => ({
  patch: { audio: { ...call.audio, ...audio } },
  entry: detail ? { type, detail } : { type },
});
