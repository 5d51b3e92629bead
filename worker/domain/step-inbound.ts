// Decisions that only calls started by the user need: offer, pre-accept, accept. Pure.
import type { Call, CallPolicy, Offer, Placement, Termination } from './call.ts';
import {
  again,
  ending,
  failureDetail,
  failureText,
  finalEnd,
  RELAY_ANSWER_MS,
  without,
  type Answer,
  type Change,
} from './change.ts';
import { withoutJob, withoutQueuedGraph, type JobResult, type PendingJob } from './job.ts';
import { codeOf, outcome, type Outcome } from './outcome.ts';
import { onOpened, QUIET, soundBefore } from './step-audio.ts';

/** The provider's timestamp is in whole seconds, rounded down or up. */
const TIMESTAMP_ROUNDING_MS = 1_000;
/** By this much Roomline answers earlier than the provider gives up: one slow provider request and its retry. */
export const ANSWER_MARGIN_MS = 3_000;

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
  excluded: [],
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
  };
  return { call, change: firstChange(call, offer, free, nowMs) };
}

function firstChange(call: Call, offer: Offer, free: Placement | null, nowMs: number): Change {
  if (nowMs >= call.answerByMs) {
    const lateS = Math.round((nowMs - offer.offeredAtMs) / 1000);
    const late = outcome('offer-too-old', 'provider', `announced ${lateS} s after the call began`);
    return ending(call, late, nowMs);
  }
  if (!free) return ending(call, outcome('no-relay', 'system'), nowMs);
  return {
    patch: {
      state: 'offered',
      placement: free,
      offerSdp: offer.sdp,
      timers: { answer: call.answerByMs, relayAnswer: nowMs + RELAY_ANSWER_MS },
    },
    entry: { type: 'offered', detail: { relay: free.relayId } },
    add: [{ job: { lane: 'room', action: 'create' }, giveUpAtMs: call.answerByMs }],
    messages: ['answer'],
  };
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
      return finalEnd(call, terminationOutcome(call, termination), nowMs);
  }
}

function terminationOutcome(call: Call, termination: Termination): Outcome {
  if (termination.error !== undefined) {
    return { ...outcome('provider-ended', 'provider', termination.error), ...codeOf(termination) };
  }
  const wasAnswered = call.state === 'active' || termination.wasPickedUp;
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
  nowMs: number,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  const starts: Partial<Call> =
    call.state === 'preparing' ? { state: 'ringing', ringingAtMs: nowMs } : {};
  if (result.ok) {
    const type = call.state === 'preparing' ? 'ringing' : 'pre-accepted';
    return { patch: { ...starts, pending, isPreAccepted: true }, entry: { type } };
  }
  const isWaiting =
    call.state === 'preparing' || call.state === 'ringing' || call.state === 'claimed';
  if (result.kind === 'refused' && isWaiting) {
    const refused = outcome('pre-accept-refused', 'provider', failureText(result));
    return ending({ ...call, pending }, refused, nowMs);
  }
  // Pre-accepting only saves time: people are rung although the provider is slow to take the answer.
  const retry = isWaiting ? again(call, done, result, nowMs) : null;
  return {
    patch: { ...starts, pending, ...retry?.patch },
    entry: {
      type: starts.state ? 'ringing' : 'action-failed',
      detail: failureDetail(done, result),
    },
  };
}

export function onAccept(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok && call.state === 'accepting') {
    const { patch, entry } = onOpened(call);
    return { patch: { state: 'active', answeredAtMs: nowMs, pending, ...patch }, entry };
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
