// Decisions that only calls started by the business need: permission, the chosen agent, the dial, the pickup. Pure.
//
// A dial is never repeated. Whether it worked is told by the provider's reply or, when that is lost, by a webhook that carries our
// id; a call that turns up when nobody wants it any more is terminated.
import { isOver, type Call, type Placement, type Target } from './call.ts';
import type { Dial, Termination } from './call-event.ts';
import {
  ADOPT_MS,
  dispatchJob,
  ending,
  failureDetail,
  failureText,
  finalEnd,
  recordOutcome,
  RELAY_ANSWER_MS,
  terminateJob,
  without,
  type Answer,
  type Change,
  type NewJob,
} from './change.ts';
import { agentIdentity } from './ids.ts';
import {
  withoutJob,
  withoutQueuedGraph,
  type JobFailure,
  type JobResult,
  type PendingJob,
} from './job.ts';
import { codeOf, outcome, refusalReason, terminationReason, type Outcome } from './outcome.ts';
import { onOpened, soundBefore } from './step-audio.ts';
import { blankCall } from './step-inbound.ts';

/** A success that does not say of which call leaves as much open as no reply. */
const NAMELESS: JobFailure = {
  ok: false,
  kind: 'unsure',
  message: 'the provider gave the call no id',
};
/** How long the chosen agent is rung, in ms. */
const AGENT_RING_MS = 30_000;
/** How long an agent may take to join, in ms: a browser asks for the microphone. Nobody waits on the other side. */
const AGENT_JOIN_MS = 20_000;
/**
 * How long a call is kept whose SDP answer never came, in ms from the pickup. Provider: the user's side ends a call that has no
 * media after 20 s, Calling API troubleshooting, read 2026-06.
 */
const ANSWER_MS = 20_000;
/** How long a user who picked up waits for whom they were to talk with, in ms. */
const JOIN_MS = 15_000;

/** @returns the call before the decision and what the request changes; null for a repeated one */
export function onDial(
  known: Call | null,
  dial: Dial,
  free: Placement | null,
  nowMs: number,
): { call: Call; change: Change } | null {
  if (known) return null;
  const call: Call = {
    ...blankCall({ ...dial, providerCallId: null }, nowMs, nowMs),
    direction: 'outbound',
    caller: dial.caller,
    target: dial.target,
    claim: dial.claim,
    hadBy: dial.placedBy === undefined ? [] : [dial.placedBy],
    ask: dial.ask,
    policy: dial.policy,
    audio: soundBefore(dial.policy),
    ringMs: dial.ringMs,
  };
  if (!dial.ask) return { call, change: begin(call, free, nowMs, 'dial-requested') };
  const answerByMs = nowMs + dial.ask.waitMs;
  const change: Change = {
    patch: { state: 'asking', answerByMs, timers: { ask: answerByMs } },
    entry: { type: 'asking' },
    add: [{ job: { lane: 'graph', action: 'ask' }, giveUpAtMs: nowMs }],
  };
  return { call, change };
}

/** Permission is no question any more: the agent comes first, everybody else after the pickup. */
export function begin(
  call: Call,
  free: Placement | null,
  nowMs: number,
  type: 'dial-requested' | 'asked',
): Change {
  const createRoom: NewJob = {
    job: { lane: 'room', action: 'create' },
    giveUpAtMs: nowMs + AGENT_RING_MS,
  };
  const timers = without(call.timers, 'ask');
  if (call.target?.kind !== 'agent') {
    const change = toOffering({ ...call, timers }, free, nowMs, { type });
    // Without a relay it is over before it began.
    if (change.patch?.outcome) return change;
    return { ...change, add: [createRoom, ...(change.add ?? [])] };
  }
  if (call.claim) {
    const { identity } = call.claim;
    const claimBy = nowMs + AGENT_JOIN_MS;
    return {
      patch: { state: 'claimed', answerByMs: claimBy, timers: { ...timers, claim: claimBy } },
      entry: { type },
      add: [createRoom, awaitAgent(identity, claimBy)],
    };
  }
  const answerByMs = nowMs + AGENT_RING_MS;
  return {
    patch: {
      state: 'ringing',
      ringingAtMs: nowMs,
      answerByMs,
      timers: { ...timers, answer: answerByMs },
    },
    entry: { type: 'ringing', detail: { agent: call.target.agentId } },
    add: [createRoom],
  };
}

export const awaitAgent = (identity: string, giveUpAtMs: number): NewJob => ({
  job: { lane: 'room', action: 'await', identity },
  giveUpAtMs,
});

/** An agent claims an outbound call that was meant for them. */
export const joinBy = (nowMs: number): number => nowMs + AGENT_JOIN_MS;

export const isMeantFor = (target: Target | null, identity: string): boolean =>
  target === null || (target.kind === 'agent' && agentIdentity(target.agentId) === identity);

function toOffering(
  call: Call,
  free: Placement | null,
  nowMs: number,
  entry: Change['entry'],
): Change {
  if (!free) return finalEnd(call, outcome('no-relay', 'system'), nowMs);
  return {
    patch: {
      state: 'offering',
      placement: free,
      timers: { ...without(call.timers, 'claim', 'answer'), relayAnswer: nowMs + RELAY_ANSWER_MS },
    },
    entry,
    messages: ['offer'],
  };
}

export function onAgentThere(
  call: Call,
  pending: Call['pending'],
  free: Placement | null,
  nowMs: number,
): Answer {
  if (call.state !== 'claimed') return { patch: { pending }, entry: { type: 'agent-ready' } };
  const change = toOffering({ ...call, pending }, free, nowMs, { type: 'agent-ready' });
  return { ...change, patch: { pending, ...change.patch } };
}

export function onOfferMade(call: Call, sdp: string, nowMs: number): Answer {
  if (call.state !== 'offering') return null;
  return {
    patch: {
      state: 'dialling',
      offerSdp: sdp,
      answerByMs: nowMs + call.ringMs,
      timers: { ...without(call.timers, 'relayAnswer'), ring: nowMs + call.ringMs },
    },
    entry: { type: 'offer-made' },
    add: [{ job: { lane: 'graph', action: 'connect' }, giveUpAtMs: nowMs }],
  };
}

export function onDialled(call: Call, done: PendingJob, reply: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  const name = call.providerCallId ?? (reply.ok ? reply.providerCallId : undefined);
  if (reply.ok && name !== undefined) {
    return named({ ...call, pending }, name, { type: 'dialled' }, nowMs, { pending });
  }
  const result = reply.ok ? NAMELESS : reply;
  const detail = failureDetail(done, result);
  // A webhook was faster than the reply that failed.
  if (call.providerCallId !== null)
    return { patch: { pending }, entry: { type: 'action-failed', detail } };
  if (result.kind === 'unsure') {
    const timers = { ...call.timers, adopt: nowMs + ADOPT_MS };
    return { patch: { pending, timers }, entry: { type: 'dial-unsure', detail } };
  }
  if (call.state === 'ending') {
    return { patch: { pending, state: 'ended' }, entry: { type: 'end-confirmed', detail } };
  }
  const reason = refusalReason(result.code, result.status);
  const { code, retryAtMs } = result;
  const refused: Outcome = {
    ...outcome(reason, 'provider', failureText(result)),
    ...(code === undefined ? {} : { code }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
  };
  return finalEnd({ ...call, pending }, refused, nowMs);
}

/** The provider's id is known: a call that is still wanted goes on, one that is not is terminated. */
function named(
  call: Call,
  providerCallId: string,
  entry: Change['entry'],
  nowMs: number,
  more: Partial<Call> = {},
): Change {
  const patch = { ...more, providerCallId, timers: without(call.timers, 'adopt') };
  const isWanted = call.state === 'dialling' || call.state === 'active';
  if (isWanted || providerCallId === call.providerCallId) {
    return { patch, entry };
  }
  return { patch, entry, add: [terminateJob(nowMs)] };
}

/** True when an event of the provider is about this call and not about another one. */
const concerns = (call: Call, providerCallId: string): boolean =>
  call.direction === 'outbound' &&
  (call.providerCallId === null || call.providerCallId === providerCallId);

export function onAnswer(call: Call, providerCallId: string, sdp: string, nowMs: number): Answer {
  if (!concerns(call, providerCallId)) return null;
  if (call.state !== 'dialling' && call.state !== 'active')
    return late(call, providerCallId, nowMs);
  if (call.answerSdp !== null) return null;
  const change = named(call, providerCallId, { type: 'answer-received' }, nowMs, {
    answerSdp: sdp,
  });
  const timers = without(change.patch?.timers ?? {}, 'mediaLost');
  return { ...change, patch: { ...change.patch, timers }, messages: ['apply', 'want'] };
}

/** Something is heard of a call whose dial was given up as unsure, or cancelled while it was under way. */
function late(call: Call, providerCallId: string, nowMs: number): Answer {
  // A call that was not dialled yet cannot be meant.
  if (call.providerCallId !== null || !isOver(call)) return null;
  return named(call, providerCallId, { type: 'found-late' }, nowMs);
}

export function onStatus(
  call: Call,
  event: { providerCallId: string; status: 'ringing' | 'accepted' | 'rejected'; atMs: number },
  nowMs: number,
): Answer {
  if (!concerns(call, event.providerCallId)) return null;
  if (call.state !== 'dialling') return late(call, event.providerCallId, nowMs);
  switch (event.status) {
    case 'ringing':
      return call.isAlerting ? null : alerting(call, event.providerCallId, nowMs);
    case 'accepted':
      return pickedUp(call, event, nowMs);
    case 'rejected': {
      const end = finalEnd(call, outcome('callee-rejected', 'caller'), nowMs);
      return { ...end, patch: { ...end.patch, providerCallId: event.providerCallId } };
    }
  }
}

const dispatch = (call: Call, giveUpAtMs: number): NewJob[] =>
  call.target?.kind === 'ai' && !call.isAlerting ? [dispatchJob(call.target, giveUpAtMs)] : [];

function alerting(call: Call, providerCallId: string, nowMs: number): Change {
  const change = named(call, providerCallId, { type: 'alerting' }, nowMs, { isAlerting: true });
  return { ...change, add: [...(change.add ?? []), ...dispatch(call, call.answerByMs + JOIN_MS)] };
}

function pickedUp(
  call: Call,
  { providerCallId, atMs }: { providerCallId: string; atMs: number },
  nowMs: number,
): Change {
  const opened = onOpened(call);
  const change = named(call, providerCallId, opened.entry, nowMs, {
    state: 'active',
    answeredAtMs: nowMs,
    startedAtMs: atMs,
    ...opened.patch,
  });
  // In a room that is open to everybody nobody in particular is expected.
  const isExpected = call.target?.kind !== 'room';
  const timers = {
    ...without(change.patch?.timers ?? {}, 'ring'),
    ...(isExpected ? { join: nowMs + JOIN_MS } : {}),
    ...(call.answerSdp === null ? { mediaLost: nowMs + ANSWER_MS } : {}),
  };
  return {
    ...change,
    patch: { ...change.patch, timers },
    add: [...(change.add ?? []), ...dispatch(call, nowMs + JOIN_MS)],
  };
}

export function onOutboundTerminate(call: Call, termination: Termination, nowMs: number): Answer {
  const id = termination.providerCallId;
  if (!concerns(call, id)) return null;
  const times: Partial<Call> = {
    providerCallId: id,
    startedAtMs: termination.startedAtMs ?? call.startedAtMs,
    finishedAtMs: termination.endedAtMs ?? termination.atMs,
  };
  switch (call.state) {
    // A call that was not dialled yet cannot be meant.
    case 'tombstone':
    case 'asking':
    case 'offered':
    case 'preparing':
    case 'ringing':
    case 'claimed':
    case 'offering':
    case 'accepting':
      return null;
    case 'ended':
      return call.finishedAtMs === null
        ? {
            patch: times,
            entry: { type: 'end-confirmed', detail: { by: 'webhook' } },
            add: [recordOutcome(nowMs)],
          }
        : null;
    case 'ending':
      return {
        patch: {
          ...times,
          state: 'ended',
          timers: without(call.timers, 'adopt'),
          pending: withoutQueuedGraph(call.pending),
        },
        entry: { type: 'end-confirmed', detail: { by: 'webhook' } },
        add: [recordOutcome(nowMs)],
      };
    case 'dialling':
    case 'active': {
      const end = finalEnd({ ...call, ...times }, terminationOutcome(call, termination), nowMs);
      return { ...end, patch: { ...end.patch, ...times } };
    }
  }
}

function terminationOutcome(call: Call, termination: Termination): Outcome {
  if (termination.error !== undefined) {
    const reason = terminationReason(termination.errorCode);
    return { ...outcome(reason, 'provider', termination.error), ...codeOf(termination) };
  }
  // An unanswered call is COMPLETED, too; only a start time or the pickup tells them apart.
  const wasAnswered = call.state === 'active' || termination.wasPickedUp;
  return outcome(wasAnswered ? 'callee-hung-up' : 'callee-no-answer', 'caller');
}

export function onOutboundEnd(call: Call, by: 'agent' | 'api', nowMs: number): Change {
  return ending(call, outcome(call.state === 'active' ? 'agent-hung-up' : 'cancelled', by), nowMs);
}

/** Timers that only outbound calls have. */
export function onOutboundTimer(
  call: Call,
  name: 'ask' | 'ring' | 'adopt' | 'join',
  nowMs: number,
): Change {
  switch (name) {
    case 'ask':
      return finalEnd(
        call,
        outcome('permission-not-granted', 'caller', 'no answer in time'),
        nowMs,
      );
    case 'ring': {
      // Of a call that the provider has not named nobody knows whether the phone rang.
      const reason = call.providerCallId === null ? 'dial-unconfirmed' : 'callee-no-answer';
      return ending(call, outcome(reason, 'system'), nowMs);
    }
    case 'join':
      return ending(call, outcome('agent-did-not-join', 'agent'), nowMs);
    case 'adopt':
      if (call.state === 'dialling') {
        return finalEnd(call, outcome('dial-unconfirmed', 'system'), nowMs);
      }
      return {
        patch: { state: 'ended', timers: without(call.timers, 'adopt') },
        entry: { type: 'end-unconfirmed' },
      };
  }
}
