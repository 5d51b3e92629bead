// Decisions that take a call from one step of its rule to the next. Each step falls through to the next one when it does not end
// the call; after the last one the call ends as unanswered. Pure.
import type { Call, CallAudio } from './call.ts';
import type { TimelineType } from './decision.ts';
import {
  ANSWER_MARGIN_MS,
  ending,
  MESSAGE_MS,
  without,
  type Change,
  type NewJob,
} from './change.ts';
import type { Desk } from './desk.ts';
import { nextStep, pathOf, type Flow, type Search, type Stage } from './flow.ts';
import { outcome } from './outcome.ts';
import { typeOf, type Step } from './rules.ts';
import { isAnnouncing } from './step-audio.ts';
import { beginAsk } from './step-endpoint.ts';
import { beginMenu, beginPlay } from './step-prompted.ts';
import { ringNext, withSearch } from './step-search.ts';
import { beginVoicemail } from './step-voicemail.ts';

/** What becomes of a step that is begun. */
export type Begun =
  /** The call stays at it. */
  | {
      readonly stays: Stage;
      readonly endsAtMs: number | null;
      readonly patch?: Partial<Call>;
      readonly add?: readonly NewJob[];
      /** Of the timeline entry, where another one than `step` says more. */
      readonly entry?: TimelineType;
    }
  /** It has done what there was to do, or cannot be done; the next one follows. */
  | { readonly goesOn: string; readonly add?: readonly NewJob[] }
  | { readonly ends: Change };

/** What the caller hears at a stage by itself. */
export interface Sound {
  readonly promptId: string;
  readonly isLoop: boolean;
}

/** Steps that the caller hears something of: the call is answered for them. */
const AUDIBLE: ReadonlySet<string> = new Set(['menu', 'queue', 'play', 'voicemail']);

/** The bare call between two steps; an answer that is still to come would be one to a step that is over. */
export const withoutStage = (call: Call): Call => ({
  ...call,
  flow: call.flow && { ...call.flow, stage: null },
  timers: without(call.timers, 'step', 'each'),
  pending:
    call.flow?.stage?.kind === 'ask'
      ? call.pending.filter(({ job }) => job.lane !== 'endpoint')
      : call.pending,
});

/**
 * Leaves the present step and begins the next one that can be begun.
 *
 * @param why what became of the present step, for the timeline
 */
export function advance(call: Call, desk: Desk, nowMs: number, why: string | null): Change {
  const left: NewJob[] = [];
  // Nobody has taken the call from an AI agent: what its rule has left is for when it is gone.
  const isHandOver = call.ai !== null && call.flow?.stage != null;
  const next = isHandOver ? null : toNext(call, desk, nowMs, why, false, left);
  const change = next ?? goesOnTalking(isHandOver ? withoutFrame(call) : call, why, left);
  if (change) return change;
  const end = ending(withoutStage(call), outcome('no-answer', 'system'), nowMs);
  return { ...end, add: [...left, ...end.add] };
}

/** Out of the innermost list of steps. */
const withoutFrame = (call: Call): Call => ({
  ...call,
  flow: call.flow && { ...call.flow, frames: call.flow.frames.slice(0, -1) },
});

/** Nobody has taken the call, and whoever speaks with the caller goes on doing so. */
function goesOnTalking(call: Call, why: string | null, add: readonly NewJob[]): Change | null {
  if (call.state !== 'active' || call.heard.length === 0) return null;
  return {
    patch: changed(call, withSound(withoutStage(call))),
    entry: { type: 'transfer-failed', ...(why === null ? {} : { detail: { after: why } }) },
    add,
  };
}

/**
 * Answers the call for what can be heard of the rest of its rule, because the provider waits no longer. The caller is sent the
 * messages on the way.
 *
 * @returns the end of the call when nothing can be heard of it
 */
export function advanceAudibly(call: Call, desk: Desk, nowMs: number): Change {
  const left: NewJob[] = [];
  const change = toNext(call, desk, nowMs, 'time to answer is up', true, left);
  if (change) return change;
  const end = ending(call, outcome('no-answer', 'system'), nowMs);
  return { ...end, add: [...left, ...end.add] };
}

/** @param add gets the jobs of steps that were passed when none is left to stay at */
function toNext(
  call: Call,
  desk: Desk,
  nowMs: number,
  why: string | null,
  isAudibleOnly: boolean,
  add: NewJob[],
): Change | null {
  let rest = withoutStage(call);
  const passed: string[] = [];
  for (;;) {
    const next: { step: Step; flow: Flow } | null = rest.flow && nextStep(desk.rules, rest.flow);
    if (!next) return null;
    rest = { ...rest, flow: next.flow };
    const type = typeOf(next.step);
    if (isAudibleOnly && !AUDIBLE.has(type) && type !== 'message') continue;
    const begun = begin(rest, next.step, desk, nowMs);
    if ('ends' in begun) return { ...begun.ends, add: [...add, ...(begun.ends.add ?? [])] };
    if ('goesOn' in begun) {
      add.push(...(begun.add ?? []));
      passed.push(`${type}: ${begun.goesOn}`);
      continue;
    }
    const { stays, endsAtMs, patch = {}, entry = 'step' } = begun;
    const timers = endsAtMs === null ? rest.timers : { ...rest.timers, step: endsAtMs };
    const staged: Call = { ...rest, ...patch, timers, flow: { ...next.flow, stage: stays } };
    const opened = AUDIBLE.has(type) ? answered(staged) : { call: staged, add: [] };
    const entered = enter(opened.call, desk, nowMs);
    return {
      patch: changed(call, entered),
      entry: {
        type: entry,
        detail: {
          step: type,
          at: pathOf(next.flow) ?? '',
          ...(why === null ? {} : { after: why }),
          ...(passed.length === 0 ? {} : { passed: passed.join('; ') }),
        },
      },
      add: [...add, ...(begun.add ?? []), ...opened.add],
    };
  }
}

/** What a change of a call is as a patch. */
export const changed = (before: Call, after: Call): Partial<Call> =>
  Object.fromEntries(
    Object.entries(after).filter(([key, value]) => before[key as keyof Call] !== value),
  );

function begin(call: Call, step: Step, desk: Desk, nowMs: number): Begun {
  if ('ring' in step) {
    const search = ringSearch(step.ring, nowMs);
    const isPointless =
      !search.isForEverybody && ringNext(call, search, desk, nowMs).rung.length === 0;
    if (isPointless) return { goesOn: 'nobody is free' };
    return { stays: { kind: 'ring', search }, endsAtMs: search.untilMs, patch: teamOf(search) };
  }
  if ('queue' in step) {
    const { team, music, callback_key = null, longest_wait_s, length_max, each_s } = step.queue;
    if (desk.queueLength(team) >= length_max) return { goesOn: 'full' };
    const untilMs = nowMs + longest_wait_s * 1000;
    const search = newSearch({ ...step.queue, eachMs: each_s * 1000 }, nowMs, untilMs);
    return {
      stays: { kind: 'queue', search, music, callbackKey: callback_key },
      endsAtMs: untilMs,
      patch: teamOf(search),
    };
  }
  if ('play' in step) return beginPlay(step.play, nowMs);
  if ('menu' in step) return beginMenu(step.menu, nowMs);
  if ('voicemail' in step) return beginVoicemail(call, step.voicemail, nowMs);
  if ('ask' in step) return beginAsk(step.ask, nowMs);
  if ('message' in step) {
    const job = { lane: 'message', action: 'send', content: step.message } as const;
    return { goesOn: 'on its way', add: [{ job, giveUpAtMs: nowMs + MESSAGE_MS }] };
  }
  if ('ai' in step) {
    const { name, metadata, seconds } = step.ai;
    return { stays: { kind: 'ai', name, metadata }, endsAtMs: nowMs + seconds * 1000 };
  }
  if ('reject' in step) return { ends: ending(call, outcome('rejected-by-rule', 'system'), nowMs) };
  return { goesOn: 'not known' };
}

/** Whom a ring looks for; nobody is rung yet. */
export function ringSearch(ring: Extract<Step, { ring: unknown }>['ring'], nowMs: number): Search {
  const { seconds, each_s, strategy } = ring;
  const eachMs = (strategy === 'all' ? seconds : each_s) * 1000;
  return newSearch({ ...ring, eachMs, priority: 0 }, nowMs, nowMs + seconds * 1000);
}

const teamOf = ({ team }: Search): Partial<Call> => (team === null ? {} : { teamId: team });

const newSearch = (
  from: {
    readonly team?: string | undefined;
    readonly agents?: readonly string[] | undefined;
    readonly everyone?: true | undefined;
    readonly skills: readonly string[];
    readonly strategy: Search['strategy'];
    readonly priority: number;
    readonly eachMs: number;
  },
  nowMs: number,
  untilMs: number,
): Search => ({
  isForEverybody: from.everyone === true,
  team: from.team ?? null,
  agents: (from.agents ?? []) as Search['agents'],
  skills: from.skills,
  strategy: from.strategy,
  eachMs: from.eachMs,
  priority: from.priority,
  sinceMs: nowMs,
  untilMs,
  rung: [],
  tried: [],
});

/** A call that is to be heard is answered, if it is not yet. */
export function answered(call: Call): { call: Call; add: NewJob[] } {
  if (call.state !== 'ringing') return { call, add: [] };
  return {
    call: { ...call, state: 'accepting', timers: without(call.timers, 'answer') },
    add: [
      {
        job: { lane: 'graph', action: 'accept' },
        giveUpAtMs: call.answerByMs + ANSWER_MARGIN_MS,
      },
    ],
  };
}

/** Does what the stage begins with: rings, plays. */
function enter(call: Call, desk: Desk, nowMs: number): Call {
  const stage = call.flow?.stage ?? null;
  const searching =
    stage?.kind === 'ring' || stage?.kind === 'queue'
      ? { ...call, ...withSearch(call, ringNext(call, stage.search, desk, nowMs)) }
      : call;
  return withSound(withoutPrompt(searching));
}

/** What is played once begins anew at every step, also where it is what was heard before. */
const withoutPrompt = (call: Call): Call =>
  call.audio.playing?.isLoop === false && !isAnnounced(call.audio)
    ? { ...call, audio: { ...call.audio, playing: null } }
    : call;

/** What the caller hears now by the stage of the call; null for the room. */
export function soundOf(call: Call): Sound | null {
  const stage = call.flow?.stage ?? null;
  switch (stage?.kind) {
    case 'queue':
      return { promptId: stage.music, isLoop: true };
    case 'ring':
    case 'ai':
      // An AI agent who hands the call over goes on until somebody has it.
      if (call.heard.length > 0) return null;
      return call.state === 'active' || call.state === 'accepting'
        ? { promptId: 'sound:ring-back', isLoop: true }
        : null;
    case 'menu':
    case 'play':
    case 'callback':
    case 'voicemail': {
      const promptId = 'sound' in stage ? stage.sound : null;
      return promptId === null ? null : { promptId, isLoop: false };
    }
    case 'ask':
    case undefined:
      return null;
  }
}

/**
 * The call with the sound of its stage; an announcement is heard first.
 *
 * @param over what was played and is over; it does not begin again
 */
export function withSound(call: Call, over: CallAudio['playing'] = null): Call {
  if (isAnnouncing(call.audio) || isAnnounced(call.audio)) return call;
  const sound = soundOf(call);
  const { playing } = call.audio;
  if (sound && over?.promptId === sound.promptId) return call;
  if (playing?.promptId === sound?.promptId && playing?.isLoop === sound?.isLoop) return call;
  // Plays of one call are told apart by the decision that began them.
  return {
    ...call,
    audio: { ...call.audio, playing: sound && { id: call.version + 1, ...sound } },
  };
}

/** The announcement is still to be heard. */
export const isAnnounced = ({ playing }: CallAudio): boolean => playing?.isAnnouncement === true;
