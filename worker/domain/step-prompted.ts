// Decisions about steps that play something and go on when it is over, when time is up or when the caller presses a key: play,
// menu, and leaving a queue to be called back. Pure.
import type { Call } from './call.ts';
import type { TimelineEntry } from './decision.ts';
import { after, ending, toldAs, without, type Answer, type Change } from './change.ts';
import type { Desk } from './desk.ts';
import { into, pathOf, stepAt, type Flow, type Stage } from './flow.ts';
import { outcome } from './outcome.ts';
import type { Menu, Step } from './rules.ts';
import { onDigit, onPlayed } from './step-audio.ts';
import { onHandOverKey } from './step-ai.ts';
import { advance, changed, isAnnounced, soundOf, withSound, type Begun } from './step-flow.ts';
import { inPart, SOUND_MS_MAX } from './step-part.ts';
import { afterSound, endMessage } from './step-voicemail.ts';

/** Heard where a queue says nothing else. */
const CALLBACK_SOUND = 'sound:confirm';
/** Heard where a queue's own music cannot be. */
const HOLD_SOUND = 'sound:hold';

export const beginPlay = ({ prompt }: { readonly prompt: string }, nowMs: number): Begun => ({
  stays: { kind: 'play', sound: prompt },
  endsAtMs: nowMs + SOUND_MS_MAX,
});

export const beginMenu = ({ prompt }: Menu, nowMs: number): Begun => ({
  stays: { kind: 'menu', round: 1, part: 'prompt', sound: prompt },
  endsAtMs: nowMs + SOUND_MS_MAX,
});

// ---- keys ------------------------------------------------------------------------------------------------------------------

/** The caller pressed a key: an answer where the present step asks for one. */
export function onKey(call: Call, digit: string, desk: Desk, nowMs: number): Answer {
  const noted = onDigit(call, digit);
  const step = call.flow && stepAt(desk.rules, call.flow);
  // Keys that are pressed before the caller is asked mean nothing.
  if (!noted || !step || isAnnounced(call.audio)) return noted;
  const change = answered(call, step, digit, desk, nowMs);
  return change ? toldAs(noted.entry, change) : noted;
}

function answered(call: Call, step: Step, digit: string, desk: Desk, nowMs: number): Change | null {
  const stage = call.flow?.stage ?? null;
  if ('ai' in step) return onHandOverKey(call, step.ai, digit, desk, nowMs);
  if (stage?.kind === 'menu' && 'menu' in step) {
    const flow = wayOf(call, step.menu, digit);
    if (flow) return advance({ ...call, flow }, desk, nowMs, 'key');
    return nextRound(call, stage.round, step.menu, 'wrong key', desk, nowMs);
  }
  if (stage?.kind === 'queue' && 'queue' in step) {
    // An agent who has taken the call is about to be heard.
    if (digit !== stage.callbackKey || call.claim) return null;
    const sound = step.queue.callback_prompt ?? CALLBACK_SOUND;
    const unrung: Call = { ...call, timers: without(call.timers, 'each') };
    return {
      patch: inPart(unrung, { kind: 'callback', sound }, nowMs + SOUND_MS_MAX),
      entry: { type: 'digit', detail: { step: 'callback' } },
    };
  }
  const isMessage = stage?.kind === 'voicemail' && stage.part === 'message';
  return isMessage && digit === '#' ? endMessage(call, 'caller', nowMs) : null;
}

/** The flow on the way of a menu's key; null for a key that has none. */
function wayOf({ flow }: Call, { keys }: Menu, digit: string): Flow | null {
  if (!flow || !Object.hasOwn(keys, digit)) return null;
  const digits = `${flow.digits ?? ''}${digit}`;
  return into({ ...flow, digits }, `${pathOf(flow) ?? ''}.menu.keys.${digit}`);
}

/** Asks once more, until the caller was asked often enough. */
function nextRound(
  call: Call,
  round: number,
  { prompt, wrong_key_prompt: reproof, times }: Menu,
  why: 'no key' | 'wrong key',
  desk: Desk,
  nowMs: number,
): Change {
  if (round >= times) return advance(call, desk, nowMs, why);
  const stage: Stage =
    why === 'wrong key' && reproof !== undefined
      ? { kind: 'menu', round: round + 1, part: 'wrong-key', sound: reproof }
      : { kind: 'menu', round: round + 1, part: 'prompt', sound: prompt };
  return {
    patch: inPart(call, stage, nowMs + SOUND_MS_MAX),
    entry: { type: 'step', detail: { step: 'menu', round: round + 1, after: why } },
  };
}

// ---- sounds and time -------------------------------------------------------------------------------------------------------

/** What the caller was played is over, or could not be played. */
export const onSoundOver = (
  call: Call,
  { playId, isComplete }: { readonly playId: number; readonly isComplete: boolean },
  desk: Desk,
  nowMs: number,
): Answer => onSilence(call, onPlayed(call, playId, isComplete), isComplete, desk, nowMs);

/**
 * What the caller hears next once something was played to its end or cut off.
 *
 * @param noted what is said of that; null when it did not happen
 */
export function onSilence(
  call: Call,
  noted: Answer,
  isComplete: boolean,
  desk: Desk,
  nowMs: number,
): Answer {
  if (!noted) return null;
  const { playing } = call.audio;
  const silent: Call = { ...call, ...noted.patch };
  const isOfStep = !isAnnounced(call.audio) && playing?.promptId === soundOf(call)?.promptId;
  const change = isOfStep ? partOver(silent, isComplete, desk, nowMs) : null;
  const over = isOfStep ? playing : null;
  if (!change) return { ...noted, patch: changed(call, withSound(silent, over)) };
  const whole = after(noted.patch ?? {}, change);
  return change.entry.type === 'played' ? toldAs(noted.entry, whole) : whole;
}

/** The present step has had its time. */
export function onStepTimer(call: Call, desk: Desk, nowMs: number): Change {
  const stage = call.flow?.stage ?? null;
  const step = call.flow && stepAt(desk.rules, call.flow);
  if (stage?.kind === 'menu' && stage.part === 'silence' && step && 'menu' in step)
    return nextRound(call, stage.round, step.menu, 'no key', desk, nowMs);
  if (stage?.kind === 'voicemail' && stage.part === 'message')
    return endMessage(call, 'system', nowMs);
  const isWaiting = stage?.kind === 'ring' || stage?.kind === 'queue';
  const change = isWaiting ? null : partOver(call, false, desk, nowMs);
  return change ?? advance(call, desk, nowMs, 'time is up');
}

/** What follows in the present step on what was heard; null where nothing does. */
function partOver(call: Call, isComplete: boolean, desk: Desk, nowMs: number): Change | null {
  const { flow } = call;
  const stage = flow?.stage ?? null;
  const step = flow && stepAt(desk.rules, flow);
  if (!step || !stage) return null;
  const entry: TimelineEntry = { type: 'played', detail: { completed: isComplete } };
  switch (stage.kind) {
    case 'play':
      return advance(call, desk, nowMs, isComplete ? 'played' : 'not played');
    case 'callback':
      return ending(call, outcome('callback-requested', 'caller'), nowMs);
    case 'menu':
      return 'menu' in step
        ? { patch: afterMenuSound(call, stage, step.menu, nowMs), entry }
        : null;
    case 'voicemail':
      return 'voicemail' in step
        ? afterSound(call, stage, step.voicemail.longest_s * 1000, nowMs)
        : null;
    case 'queue': {
      if (isComplete || stage.music === HOLD_SOUND) return null;
      const held: Call = { ...call, flow: { ...flow, stage: { ...stage, music: HOLD_SOUND } } };
      return { patch: changed(call, withSound(held)), entry };
    }
    case 'ring':
    case 'ai':
    case 'ask':
      return null;
  }
}

function afterMenuSound(
  call: Call,
  { round, part }: Extract<Stage, { kind: 'menu' }>,
  { prompt, seconds }: Menu,
  nowMs: number,
): Partial<Call> {
  return part === 'wrong-key'
    ? inPart(call, { kind: 'menu', round, part: 'prompt', sound: prompt }, nowMs + SOUND_MS_MAX)
    : inPart(call, { kind: 'menu', round, part: 'silence', sound: null }, nowMs + seconds * 1000);
}
