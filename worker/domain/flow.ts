// Where a call is among the steps of its rule, and what it does there. Pure.
//
// Glossary
//   step      one member of a rule's `steps`: ring, ai, menu, queue, play, voicemail, message, ask, reject, goto
//   stage     what the call does at its present step; null while somebody speaks with the caller, or none has begun
//   search    looking for somebody who takes the call: the stages `ring` and `queue`
//   rung      an agent whose client rings for the call now, or an AI agent that was sent for; nobody is rung for two calls beyond their capacity
import type { AgentId } from './ids.ts';
import type { Ai } from './roster.ts';
import type { RuleSet, Step } from './rules.ts';

/** Somebody should get back to the caller: nobody spoke with them, they left a message, or they asked for a call. */
export const FOLLOW_UPS = ['missed', 'voicemail', 'callback'] as const;
export type FollowUp = (typeof FOLLOW_UPS)[number];

/** A list of steps and the next of them. */
export interface Frame {
  /** Where the list is in the rule set, such as `rules.3.steps`; `own.0` is the first of the call's own lists. */
  readonly path: string;
  readonly next: number;
}

export interface Flow {
  /** Of the rule set; 0 for the one that holds where none was saved. */
  readonly version: number;
  /** The rule that took the call; null when none did, or for steps that no rule made. */
  readonly rule: string | null;
  /** The innermost list last. */
  readonly frames: readonly Frame[];
  /** Lists that stand in no rule set: what an endpoint answered, or what a transfer is made of. */
  readonly own: readonly (readonly Step[])[];
  /** Keys that led the caller through menus, in order. */
  readonly digits?: string;
  /** Counts the steps that were begun; flows may go round. */
  readonly begun: number;
  readonly stage: Stage | null;
}

/** An agent whose client rings. */
export interface Rung {
  readonly agentId: AgentId;
  readonly atMs: number;
  /** Of an AI agent, which is sent for instead. */
  readonly ai?: Ai;
}

/** A ring that came to nothing. */
export interface Tried {
  readonly agentId: AgentId;
  /** `gone`: no client of theirs listens any more. */
  readonly why: 'declined' | 'unanswered' | 'not-ready' | 'gone';
}

/** Whom to look for, and how. */
export interface Search {
  /** Anybody with a key may take it, whether they are on duty or not, and nobody in particular is rung. */
  readonly isForEverybody: boolean;
  readonly team: string | null;
  readonly agents: readonly AgentId[];
  readonly skills: readonly string[];
  readonly strategy: 'all' | 'longest-idle' | 'round-robin' | 'sticky';
  /** How long each rings, in ms. */
  readonly eachMs: number;
  /** Calls of a higher one go first; of equals the one that has waited longest. */
  readonly priority: number;
  readonly sinceMs: number;
  /** The step is over then, unless somebody has taken the call. */
  readonly untilMs: number;
  readonly rung: readonly Rung[];
  readonly tried: readonly Tried[];
}

export type Stage =
  | { readonly kind: 'ring'; readonly search: Search }
  | {
      readonly kind: 'queue';
      readonly search: Search;
      readonly music: string;
      readonly callbackKey: string | null;
    }
  /** The caller left the queue with a call-back request, and hears that it was understood. */
  | { readonly kind: 'callback'; readonly sound: string }
  /** An AI agent was sent for and is not heard yet. */
  | { readonly kind: 'ai'; readonly name: string; readonly metadata: string }
  | {
      readonly kind: 'menu';
      /** Counts from 1. */
      readonly round: number;
      /** `wrong-key`: what is heard after a wrong key; `silence`: the prompt is over and a key is waited for. */
      readonly part: 'prompt' | 'wrong-key' | 'silence';
      /** What the caller hears, once; null for silence. */
      readonly sound: string | null;
    }
  | { readonly kind: 'play'; readonly sound: string }
  | { readonly kind: 'voicemail'; readonly part: 'prompt' | 'beep'; readonly sound: string }
  | { readonly kind: 'voicemail'; readonly part: 'message'; readonly sinceMs: number }
  /** An endpoint was asked what to do. */
  | { readonly kind: 'ask' };

/** Most steps of one call; whoever has come round that often is not helped by another round. */
export const STEPS_BEGUN_MAX = 200;

/** What holds where no rules were saved: every agent may take every call. */
export const NO_RULES: RuleSet = {
  rules: [],
  flows: {},
  schedules: {},
  lists: {},
  otherwise: [
    {
      ring: { everyone: true, strategy: 'all', seconds: 30, each_s: 15, skills: [] },
    },
  ],
};

/** A search that nobody has taken yet. */
export const searchOf = (flow: Flow | null): Search | null => {
  const stage = flow?.stage ?? null;
  return stage?.kind === 'ring' || stage?.kind === 'queue' ? stage.search : null;
};

/** Shorter than this is no message but a breath, in ms. */
const MESSAGE_MS_MIN = 1_000;

/** The caller has left a voicemail that is worth listening to. */
export const hasLeftMessage = (flow: Flow | null, nowMs: number): boolean => {
  const stage = flow?.stage ?? null;
  const isRecorded = stage?.kind === 'voicemail' && stage.part === 'message';
  return isRecorded && nowMs - stage.sinceMs >= MESSAGE_MS_MIN;
};

/** An AI agent that was sent for and is not heard yet. */
export interface Awaited extends Ai {
  /** As a member of a team; null for one that a step names. */
  readonly agentId: AgentId | null;
}

/** AI agents that the present step waits for. */
export function awaitedOf(flow: Flow | null): readonly Awaited[] {
  const stage = flow?.stage;
  if (stage?.kind === 'ai') return [{ name: stage.name, metadata: stage.metadata, agentId: null }];
  const rung = searchOf(flow)?.rung ?? [];
  return rung.flatMap(({ agentId, ai }) => (ai ? [{ ...ai, agentId }] : []));
}

/** The list of steps at a path; null when there is none, which the checks of rule sets rule out. */
export function listAt(set: RuleSet, own: Flow['own'], path: string): readonly Step[] | null {
  let value: unknown = path.startsWith('own.') ? { own } : set;
  for (const part of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return null;
    value = (value as Record<string, unknown>)[part];
  }
  return Array.isArray(value) ? (value as readonly Step[]) : null;
}

/** The step that the call is at; null before the first and after the last. */
export function stepAt(set: RuleSet, flow: Flow): Step | null {
  const frame = flow.frames.at(-1);
  return frame ? (listAt(set, flow.own, frame.path)?.[frame.next - 1] ?? null) : null;
}

/**
 * Goes on to the next step, out of lists that are over.
 *
 * @returns the step and the flow that stands at it; null when there is none left, or the call has gone round too often
 */
export function nextStep(set: RuleSet, flow: Flow): { step: Step; flow: Flow } | null {
  if (flow.begun >= STEPS_BEGUN_MAX) return null;
  const frames = [...flow.frames];
  for (let frame = frames.pop(); frame; frame = frames.pop()) {
    const step = listAt(set, flow.own, frame.path)?.[frame.next];
    if (!step) continue;
    const at = [...frames, { path: frame.path, next: frame.next + 1 }];
    const begun = { ...flow, frames: at, begun: flow.begun + 1, stage: null };
    if (!('goto' in step)) return { step, flow: begun };
    const path = `flows.${step.goto}`;
    // Steps that stand in no rule set may name a flow that is not there.
    const isThere = listAt(set, flow.own, path) !== null;
    return nextStep(set, { ...begun, frames: isThere ? [{ path, next: 0 }] : at });
  }
  return null;
}

/** Goes into a list inside the present step, such as the way of a menu's key; after it the step's successors follow. */
export const into = (flow: Flow, path: string): Flow => ({
  ...flow,
  frames: [...flow.frames, { path, next: 0 }],
});

/** Where the present step is in the rule set; null before the first. */
export function pathOf(flow: Flow): string | null {
  const frame = flow.frames.at(-1);
  return frame && frame.next > 0 ? `${frame.path}.${frame.next - 1}` : null;
}

/** Puts steps that stand in no rule set before those that follow; `isInstead`: in their place. */
export function withOwn(flow: Flow, steps: readonly Step[], isInstead: boolean): Flow {
  const before = isInstead ? [] : flow.frames;
  const isNeeded = (index: number) =>
    before.some(({ path }) => `${path}.`.startsWith(`own.${index}.`));
  return {
    ...flow,
    // Flows may go round: what the call never comes back to is not kept.
    own: [...flow.own.map((list, index) => (isNeeded(index) ? list : [])), steps],
    frames: [...before, { path: `own.${flow.own.length}`, next: 0 }],
  };
}
