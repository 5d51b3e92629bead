// Decisions that only calls started by the user need: offer, pre-accept, accept. Pure.
import type { Call, CallPolicy, Placement } from './call.ts';
import type { Offer, Termination } from './call-event.ts';
import {
  again,
  ANSWER_MARGIN_MS,
  ending,
  failureDetail,
  failureText,
  finalEnd,
  RELAY_ANSWER_MS,
  after,
  without,
  type Answer,
  type Change,
} from './change.ts';
import { withoutJob, withoutQueuedGraph, type JobResult, type PendingJob } from './job.ts';
import { codeOf, outcome, type Outcome, type OutcomeReason } from './outcome.ts';
import type { Desk } from './desk.ts';
import { hasLeftMessage, nextStep, type Flow } from './flow.ts';
import { NOBODY_ELSE } from './people.ts';
import { route } from './route.ts';
import { onOpened, QUIET, soundBefore } from './step-audio.ts';
import { advance } from './step-flow.ts';
import { NO_REMARKS } from './step-remark.ts';

/** The provider's timestamp is in whole seconds, rounded down or up. */
const TIMESTAMP_ROUNDING_MS = 1_000;

export const NO_POLICY: CallPolicy = {
  hasFallbackText: false,
  isLeftToVoicemail: false,
  recording: null,
};

/** An inbound call as it is announced; undecided, so its version is 0. */
export const blankCall = (
  from: Pick<Call, 'id' | 'numberId' | 'displayPhoneNumber' | 'providerCallId'>,
  atMs: number,
  nowMs: number,
): Call => ({
  id: from.id,
  version: 0,
  state: 'tombstone',
  direction: 'inbound',
  numberId: from.numberId,
  displayPhoneNumber: from.displayPhoneNumber,
  providerCallId: from.providerCallId,
  caller: null,
  target: null,
  ask: null,
  ringMs: 0,
  payload: null,
  policy: NO_POLICY,
  audio: QUIET,
  offeredAtMs: atMs,
  createdAtMs: nowMs,
  ringingAtMs: null,
  answeredAtMs: null,
  endedAtMs: null,
  answerByMs: atMs,
  startedAtMs: null,
  finishedAtMs: null,
  charge: null,
  placement: null,
  offerSdp: null,
  answerSdp: null,
  isRoomCreated: false,
  isRoomJoined: false,
  isPreAccepted: false,
  isMediaUp: false,
  isAlerting: false,
  heard: [],
  claim: null,
  ai: null,
  recalled: [],
  hadBy: [],
  excluded: [],
  people: NOBODY_ELSE,
  remarks: NO_REMARKS,
  flow: null,
  teamId: null,
  talkedAtMs: null,
  followUp: null,
  outcome: null,
  quality: null,
  isRecordingKept: false,
  timers: {},
  pending: [],
  nextJobId: 1,
});

/** @returns the call before the decision and what the announcement changes; null for a repeated one */
export function onOffer(
  known: Call | null,
  offer: Offer,
  free: Placement | null,
  desk: Desk,
  nowMs: number,
): { call: Call; change: Change } | null {
  const announced: Partial<Call> = {
    caller: offer.caller,
    payload: offer.payload,
    policy: offer.policy,
    offeredAtMs: offer.offeredAtMs,
    // A call cannot have been announced in the future: then our clock is slow, and its own time is what can be counted from.
    answerByMs:
      Math.min(offer.offeredAtMs, nowMs) +
      offer.answerLimitMs -
      TIMESTAMP_ROUNDING_MS -
      ANSWER_MARGIN_MS,
  };
  if (known?.state === 'tombstone') {
    const call = { ...known, ...announced };
    return { call, change: finalEnd(call, outcome('caller-gave-up', 'caller'), nowMs) };
  }
  if (known) return null;
  const call: Call = {
    ...blankCall(offer, offer.offeredAtMs, nowMs),
    ...announced,
    audio: soundBefore(offer.policy),
    flow: routed(offer, desk, nowMs),
  };
  return { call, change: firstChange(call, offer, free, desk, nowMs) };
}

/** The call before the first step of its rule. */
function routed(offer: Offer, desk: Desk, nowMs: number): Flow {
  const { id, numberId, caller, payload, routing } = offer;
  const { index } = route(
    desk.rules,
    {
      callId: id,
      numberId,
      phone: caller.phone ?? null,
      payload,
      ...routing,
      availableTeams: desk.availableTeams(),
    },
    nowMs,
  );
  return {
    version: desk.version,
    rule: index === null ? null : (desk.rules.rules[index]?.name ?? null),
    frames: [{ path: index === null ? 'otherwise' : `rules.${index}.steps`, next: 0 }],
    own: [],
    begun: 0,
    stage: null,
  };
}

function firstChange(
  call: Call,
  offer: Offer,
  free: Placement | null,
  desk: Desk,
  nowMs: number,
): Change {
  if (nowMs >= call.answerByMs) {
    const lateS = Math.round((nowMs - offer.offeredAtMs) / 1000);
    const late = outcome('offer-too-old', 'provider', `announced ${lateS} s after the call began`);
    return ending(call, late, nowMs);
  }
  const refused = refusedAtOnce(call, desk, nowMs);
  if (refused) return refused;
  if (!free) return ending(call, outcome('no-relay', 'system'), nowMs);
  return {
    patch: {
      state: 'offered',
      placement: free,
      offerSdp: offer.sdp,
      timers: { answer: call.answerByMs, relayAnswer: nowMs + RELAY_ANSWER_MS },
    },
    entry: {
      type: 'offered',
      detail: {
        relay: free.relayId,
        ...(call.flow?.rule ? { rule: call.flow.rule } : {}),
      },
    },
    add: [{ job: { lane: 'room', action: 'create' }, giveUpAtMs: call.answerByMs }],
    messages: ['answer'],
  };
}

/** A rule that begins with a rejection needs no relay. */
function refusedAtOnce(call: Call, desk: Desk, nowMs: number): Change | null {
  const first = call.flow && nextStep(desk.rules, call.flow);
  return first && 'reject' in first.step
    ? ending(call, outcome('rejected-by-rule', 'system'), nowMs)
    : null;
}

/** The phone of the caller rings: the first step of the rule begins. */
function begun(call: Call, desk: Desk, nowMs: number): Change {
  const change = advance(call, desk, nowMs, null);
  return change.entry.type === 'step' && change.patch?.flow?.stage?.kind === 'ring'
    ? { ...change, entry: { ...change.entry, type: 'ringing' } }
    : change;
}

export function onInboundTerminate(call: Call, termination: Termination, nowMs: number): Answer {
  switch (call.state) {
    case 'tombstone':
    case 'ended':
      return null;
    case 'ending':
      return {
        patch: { state: 'ended', pending: withoutQueuedGraph(call.pending) },
        entry: { type: 'end-confirmed', detail: { by: 'webhook' } },
      };
    case 'asking':
    case 'offered':
    case 'preparing':
    case 'ringing':
    case 'claimed':
    case 'offering':
    case 'dialling':
    case 'accepting':
    case 'active':
      return finalEnd(call, terminationOutcome(call, termination, nowMs), nowMs);
  }
}

/** What a caller has come to who hangs up at a step; null for one with whom somebody spoke. */
function reasonToLeave({ flow, talkedAtMs }: Call, nowMs: number): OutcomeReason | null {
  if (flow?.stage?.kind === 'callback') return 'callback-requested';
  if (hasLeftMessage(flow, nowMs)) return 'voicemail-left';
  return flow?.stage && talkedAtMs === null ? 'abandoned' : null;
}

function terminationOutcome(call: Call, termination: Termination, nowMs: number): Outcome {
  if (termination.error !== undefined) {
    return { ...outcome('provider-ended', 'provider', termination.error), ...codeOf(termination) };
  }
  const wasAnswered = call.state === 'active' || termination.wasPickedUp;
  const left = reasonToLeave(call, nowMs);
  if (call.state === 'active' && left !== null) return outcome(left, 'caller');
  return outcome(wasAnswered ? 'caller-hung-up' : 'caller-gave-up', 'caller');
}

export function onAnswered(call: Call, sdp: string): Answer {
  if (call.state !== 'offered') return null;
  return {
    patch: { state: 'preparing', answerSdp: sdp, timers: without(call.timers, 'relayAnswer') },
    entry: { type: 'relay-answered' },
    add: [{ job: { lane: 'graph', action: 'pre_accept' }, giveUpAtMs: call.answerByMs }],
  };
}

export function onPreAccept(
  call: Call,
  done: PendingJob,
  result: JobResult,
  desk: Desk,
  nowMs: number,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  const rung: Partial<Call> = { state: 'ringing', ringingAtMs: nowMs };
  if (result.ok) {
    const patch = { pending, isPreAccepted: true };
    if (call.state !== 'preparing') return { patch, entry: { type: 'pre-accepted' } };
    return after({ ...rung, ...patch }, begun({ ...call, ...rung, ...patch }, desk, nowMs));
  }
  const isWaiting =
    call.state === 'preparing' || call.state === 'ringing' || call.state === 'claimed';
  if (result.kind === 'refused' && isWaiting) {
    const refused = outcome('pre-accept-refused', 'provider', failureText(result));
    return ending({ ...call, pending }, refused, nowMs);
  }
  // Pre-accepting only saves time: people are rung although the provider is slow to take the answer.
  const retry = isWaiting ? again(call, done, result, nowMs) : null;
  const detail = failureDetail(done, result);
  const patch = { pending, ...retry?.patch };
  if (call.state !== 'preparing') return { patch, entry: { type: 'action-failed', detail } };
  const change = begun({ ...call, ...rung, ...patch }, desk, nowMs);
  return after(
    { ...rung, ...patch },
    { ...change, entry: { ...change.entry, detail: { ...detail, ...change.entry.detail } } },
  );
}

export function onAccept(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok && call.state === 'accepting') {
    const { patch, entry } = onOpened(call);
    const talkedAtMs = call.heard.length > 0 ? nowMs : null;
    return {
      patch: { state: 'active', answeredAtMs: nowMs, talkedAtMs, pending, ...patch },
      entry,
    };
  }
  if (result.ok) {
    return {
      patch: { pending },
      entry: { type: 'action-done', detail: { action: 'graph.accept' } },
    };
  }
  if (call.state !== 'accepting') {
    return {
      patch: { pending },
      entry: { type: 'action-failed', detail: failureDetail(done, result) },
    };
  }
  const failed = outcome('accept-failed', 'provider', failureText(result));
  return again(call, done, result, nowMs) ?? ending({ ...call, pending }, failed, nowMs);
}
