// The building blocks of decisions: what a change is, and the changes that several events have in common. Pure.
import { describeJob, hasMedia, type Call, type TimerName } from './call.ts';
import type { RelayMessage, TimelineEntry } from './decision.ts';
import {
  classOfJob,
  retryJob,
  withoutQueuedGraph,
  type Job,
  type JobFailure,
  type PendingJob,
} from './job.ts';
import { hasLeftMessage, type FollowUp } from './flow.ts';
import { FAILED_CALLER, type Outcome } from './outcome.ts';
import { NOBODY_ELSE, type Refusal } from './people.ts';
import type { Ai, Presence } from './roster.ts';

/** By this much Roomline answers earlier than the provider gives up: one slow provider request and its retry. */
export const ANSWER_MARGIN_MS = 3_000;
/** A healthy relay answers within milliseconds; this covers a relay that is just reconnecting. */
export const RELAY_ANSWER_MS = 5_000;
/** How long the provider is asked to end a call before the end stays unconfirmed. */
export const END_RETRY_MS = 120_000;
/** How long the relay may take to leave the room before the room is deleted under it. */
const CLEAN_UP_MS = 2_000;
export const SWEEP_MS = 60_000;
/** How long a dial that nobody confirmed may still turn out to have worked. */
export const ADOPT_MS = 60_000;
/** A text that comes later would puzzle more than it helps. */
export const MESSAGE_MS = 60_000;
/** How long what a call teaches is tried to be kept. */
const RECORD_RETRY_MS = 600_000;

export interface NewJob {
  readonly job: Job;
  readonly giveUpAtMs: number;
}

/** What one event changes; `step` makes the decision out of it. */
export interface Change {
  readonly patch?: Partial<Call>;
  readonly entry: TimelineEntry;
  readonly add?: readonly NewJob[];
  /** The provider actions that have not started are pointless now. */
  readonly dropQueuedGraph?: boolean;
  /** Instead of what follows from a changed `wanted`. */
  readonly messages?: readonly RelayMessage[];
}

export type Answer = Change | null;

/** A command that cannot be carried out. */
export interface Refused {
  readonly refused: Refusal;
}

export const refuse = (reason: Refusal['reason'], presence?: Presence): Refused => ({
  refused: { reason, ...(presence === undefined ? {} : { presence }) },
});

type End = Change & { readonly patch: Partial<Call>; readonly add: readonly NewJob[] };

export const without = (timers: Call['timers'], ...names: TimerName[]): Call['timers'] =>
  Object.fromEntries(
    Object.entries(timers).filter(([name]) => !names.includes(name as TimerName)),
  ) as Call['timers'];

/** A change on top of a patch that it was made with. */
export const after = (patch: Partial<Call>, change: Change): Change => ({
  ...change,
  patch: { ...patch, ...change.patch },
});

/** One decision has one entry: what happened, and where that led the call. An end speaks for itself. */
export const toldAs = ({ type, detail }: TimelineEntry, change: Change): Change => ({
  ...change,
  entry: {
    type:
      change.entry.type === 'ending' || change.entry.type === 'ended' ? change.entry.type : type,
    detail: { ...detail, ...change.entry.detail },
  },
});

export const deleteRoom = (nowMs: number): NewJob => ({
  job: { lane: 'room', action: 'delete' },
  giveUpAtMs: nowMs + END_RETRY_MS,
});

/** Where the room is not there yet, it comes before this. */
export const dispatchJob = ({ name, metadata }: Ai, giveUpAtMs: number): NewJob => ({
  job: { lane: 'room', action: 'dispatch', ai: { name, metadata } },
  giveUpAtMs,
});

export const recordOutcome = (nowMs: number): NewJob => ({
  job: { lane: 'record', action: 'outcome' },
  giveUpAtMs: nowMs + RECORD_RETRY_MS,
});

/** Fixes the outcome and frees everything; the provider knows already, or was never asked for anything. */
export function finalEnd(call: Call, result: Outcome, nowMs: number): End {
  // What has not been started has lost its point, but for what a rule has the caller told.
  const pending = withoutQueuedGraph(call.pending).filter(
    ({ job, leaseUntilMs }) => leaseUntilMs !== null || job.lane === 'message',
  );
  const isKnownUser = call.caller !== null;
  return {
    patch: {
      state: 'ended',
      outcome: result,
      followUp: followUpOf(call, result, nowMs),
      // Where it was is told by the timeline.
      flow: call.flow && { ...call.flow, frames: [], own: [], stage: null },
      people: NOBODY_ELSE,
      endedAtMs: nowMs,
      offerSdp: null,
      answerSdp: null,
      pending,
      timers: mayHaveRoom(call, result)
        ? { cleanUp: nowMs + CLEAN_UP_MS, sweep: nowMs + SWEEP_MS }
        : {},
    },
    entry: { type: 'ended', detail: outcomeDetail(result) },
    add: isKnownUser ? [recordOutcome(nowMs), ...fallback(call, result, nowMs)] : [],
    messages: hasMedia(call) ? ['close'] : [],
  };
}

/** Whom somebody should get back to: users who called and were not spoken with. */
function followUpOf(call: Call, { reason }: Outcome, nowMs: number): FollowUp | null {
  if (reason === 'voicemail-left' || hasLeftMessage(call.flow, nowMs)) return 'voicemail';
  if (reason === 'callback-requested') return 'callback';
  // Who was being handed over and reached nobody has spoken with somebody, and is no better off.
  const isUnheard = call.talkedAtMs === null || reason === 'no-answer';
  const isMissed = call.direction === 'inbound' && call.caller !== null && isUnheard;
  return isMissed && reason !== 'rejected-by-rule' ? 'missed' : null;
}

/** Users who called us, or who answered, learn that it was not their doing. */
function fallback(call: Call, { reason }: Outcome, nowMs: number): NewJob[] {
  const wasThere = call.direction === 'inbound' || call.startedAtMs !== null;
  if (!call.policy.hasFallbackText || !wasThere || !FAILED_CALLER.has(reason)) return [];
  return [{ job: { lane: 'message', action: 'fallback' }, giveUpAtMs: nowMs + MESSAGE_MS }];
}

/** A request for the room that failed may have been carried out; and whoever was given a seat makes the room by joining it. */
const mayHaveRoom = (call: Call, { reason }: Outcome): boolean =>
  call.isRoomCreated ||
  call.claim !== null ||
  reason === 'room-failed' ||
  call.pending.some(({ job }) => isRoomCreation(job));

const isRoomCreation = (job: Job): boolean => job.lane === 'room' && job.action === 'create';

const outcomeDetail = (result: Outcome): Record<string, string> => ({
  reason: result.reason,
  ended_by: result.endedBy,
  ...(result.detail === undefined ? {} : { detail: result.detail }),
});

/** Like `finalEnd`, but the provider must be told: reject what was never accepted, terminate the rest. */
export function ending(call: Call, result: Outcome, nowMs: number): End {
  const change = finalEnd(call, result, nowMs);
  const told = tellProvider(call, result, nowMs);
  if (told === 'nothing-to-tell') return change;
  const { adopt } = call.timers;
  return {
    ...change,
    patch: {
      ...change.patch,
      state: 'ending',
      timers: { ...change.patch.timers, ...(adopt === undefined ? {} : { adopt }) },
    },
    entry: { ...change.entry, type: 'ending' },
    add: [...change.add, ...(told === 'once-it-is-named' ? [] : [told])],
  };
}

/** The request that ends a call at the provider; an outbound call needs the provider's id for it. */
function tellProvider(
  call: Call,
  { reason }: Outcome,
  nowMs: number,
): NewJob | 'nothing-to-tell' | 'once-it-is-named' {
  const giveUpAtMs = nowMs + END_RETRY_MS;
  if (call.direction === 'inbound') {
    const wasAccepted = call.state === 'active' || call.state === 'accepting';
    if (!wasAccepted && call.policy.isLeftToVoicemail && FAILED_CALLER.has(reason)) {
      return 'nothing-to-tell';
    }
    return { job: { lane: 'graph', action: wasAccepted ? 'terminate' : 'reject' }, giveUpAtMs };
  }
  if (call.providerCallId !== null)
    return { job: { lane: 'graph', action: 'terminate' }, giveUpAtMs };
  const isDialled = call.timers.adopt !== undefined || call.pending.some(isDialUnderWay);
  return isDialled ? 'once-it-is-named' : 'nothing-to-tell';
}

export const isDialUnderWay = ({ job, leaseUntilMs }: PendingJob): boolean =>
  job.lane === 'graph' && job.action === 'connect' && leaseUntilMs !== null;

export const terminateJob = (nowMs: number): NewJob => ({
  job: { lane: 'graph', action: 'terminate' },
  giveUpAtMs: nowMs + END_RETRY_MS,
});

export const failureDetail = (
  done: PendingJob,
  failure: JobFailure,
): Record<string, string | number | boolean> => ({
  action: describeJob(done.job),
  attempt: done.attempt,
  kind: failure.kind,
  message: failure.message,
  ...(failure.status === undefined ? {} : { status: failure.status }),
  ...(failure.code === undefined ? {} : { code: failure.code }),
});

export const failureText = (failure: JobFailure): string =>
  failure.code === undefined ? failure.message : `${failure.code}: ${failure.message}`;

/** Another attempt where that can help; null where it cannot, must not, or its time is over. */
export function again(call: Call, done: PendingJob, failure: JobFailure, nowMs: number): Answer {
  if (failure.kind === 'refused' || classOfJob(done.job) === 'never-repeat') return null;
  const retried = retryJob(call.pending, done, nowMs);
  if (!retried) return null;
  const { nextJobId } = call;
  return {
    patch: {
      // By another name, so that what is still heard of this attempt is not taken for news of the next one.
      pending: retried.map((entry) => (entry.id === done.id ? { ...entry, id: nextJobId } : entry)),
      nextJobId: nextJobId + 1,
    },
    entry: { type: 'action-failed', detail: failureDetail(done, failure) },
  };
}
