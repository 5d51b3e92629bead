// Decides what an event does to a call: `step(call, event, now)` -> the next call, one timeline entry, and what is to be done.
// Pure and total: every state has an answer for every event, and an event that says nothing new changes nothing.
import {
  describeJob,
  hasMedia,
  wanted,
  type Actor,
  type Call,
  type CallEvent,
  type Claim,
  type Decision,
  type MediaEndReason,
  type Offer,
  type Placement,
  type RelayMessage,
  type Termination,
  type TimelineEntry,
  type TimerName,
} from './call.ts';
import {
  leaseJobs,
  queueDueAtMs,
  retryJob,
  withoutJob,
  withoutQueuedGraph,
  type Job,
  type JobFailure,
  type JobResult,
  type PendingJob,
} from './job.ts';
import { outcome, type EndedBy, type Outcome, type OutcomeReason } from './outcome.ts';

/** The provider's timestamp is in whole seconds, rounded down or up. */
const TIMESTAMP_ROUNDING_MS = 1_000;
/** By this much Roomline answers earlier than the provider gives up: one slow provider request and its retry. */
const ANSWER_MARGIN_MS = 3_000;
/** A healthy relay answers within milliseconds; this covers a relay that is just reconnecting. */
const RELAY_ANSWER_MS = 5_000;
const CLAIM_READY_MS = 5_000;
/** A page reload looks like leaving and takes a few seconds. */
const GRACE_LEFT_MS = 5_000;
/** A broken connection may be a lift or a changing network. */
const GRACE_LOST_MS = 15_000;
/** How long the provider is asked to end a call before the end stays unconfirmed. */
const END_RETRY_MS = 120_000;
/** How long the relay may take to leave the room before the room is deleted under it. */
const CLEAN_UP_MS = 2_000;
const SWEEP_MS = 60_000;

/** What one event changes; `finish` makes the decision out of it. */
interface Change {
  readonly patch?: Partial<Call>;
  readonly entry: TimelineEntry;
  readonly add?: readonly { readonly job: Job; readonly giveUpAtMs: number }[];
  /** The provider actions that have not started are pointless now. */
  readonly dropQueuedGraph?: boolean;
  readonly messages?: readonly RelayMessage[];
}

type Answer = Change | null;

/**
 * Applies one event.
 *
 * @param call null when nothing is known of it
 * @returns the same `call` object, no entry and nothing to do when the event says nothing new
 */
export function step(call: Call | null, event: CallEvent, nowMs: number): Decision {
  const unchanged: Decision = { call, entry: null, messages: [], jobs: [] };
  if (event.type === 'offer')
    return onOffer(call, event.offer, event.placement, nowMs) ?? unchanged;
  if (event.type === 'terminate' && call === null) return bury(event.termination, nowMs);
  if (call === null) return unchanged;
  const isRepeated =
    'seq' in event && call.placement !== null && event.seq <= call.placement.lastSeq;
  if (isRepeated) return unchanged;
  const change = changeFor(call, event, nowMs);
  if (!change) return unchanged;
  const { placement } = call;
  const seen =
    'seq' in event && placement ? { placement: { ...placement, lastSeq: event.seq } } : {};
  return finish(call, { ...change, patch: { ...seen, ...change.patch } }, nowMs);
}

/** When the call needs a `tick` next, in epoch ms; Infinity for never. */
export const dueAtMs = (call: Call): number =>
  Math.min(
    ...Object.values(call.timers).filter((atMs) => atMs !== undefined),
    queueDueAtMs(call.pending),
  );

function changeFor(
  call: Call,
  event: Exclude<CallEvent, { type: 'offer' }>,
  nowMs: number,
): Answer {
  switch (event.type) {
    case 'terminate':
      return onTerminate(call, event.termination, nowMs);
    case 'relay.answered':
      return onAnswered(call, event.sdp);
    case 'relay.media-up':
      return isOver(call) || call.isMediaUp
        ? null
        : { patch: { isMediaUp: true }, entry: { type: 'media-up' } };
    case 'relay.room-joined':
      return isOver(call)
        ? null
        : { patch: { isRoomJoined: true }, entry: { type: 'room-joined' } };
    case 'relay.participant-joined':
      return onJoined(call, event.identity);
    case 'relay.ready':
      return onReady(call, event.identity);
    case 'relay.participant-left':
      return onLeft(call, event.identity, event.why, nowMs);
    case 'relay.publisher-skipped':
      return isOver(call)
        ? null
        : { entry: { type: 'publisher-skipped', detail: { identity: event.identity } } };
    case 'relay.ended':
      return onMediaEnded(call, event, nowMs);
    case 'relay.lost':
      return onRelayLost(call, nowMs);
    case 'claim':
      return onClaim(call, event.claim, nowMs);
    case 'end':
      return onEnd(call, event.actor, nowMs);
    case 'job':
      return onJob(call, event.jobId, event.result, nowMs);
    case 'tick':
      return onTick(call, nowMs);
  }
}

const isOver = (call: Call): boolean =>
  call.state === 'tombstone' || call.state === 'ending' || call.state === 'ended';

const without = (timers: Call['timers'], ...names: TimerName[]): Call['timers'] =>
  Object.fromEntries(
    Object.entries(timers).filter(([name]) => !names.includes(name as TimerName)),
  ) as Call['timers'];

// ---- a new call ------------------------------------------------------------------------------------------------------------

const blank = (
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
  payload: null,
  offeredAtMs: atMs,
  createdAtMs: nowMs,
  ringingAtMs: null,
  answeredAtMs: null,
  endedAtMs: null,
  answerByMs: atMs,
  placement: null,
  offerSdp: null,
  answerSdp: null,
  isRoomCreated: false,
  isRoomJoined: false,
  isPreAccepted: false,
  isMediaUp: false,
  claim: null,
  excluded: [],
  outcome: null,
  quality: null,
  timers: {},
  pending: [],
  nextJobId: 1,
});

/** The end of a call that was never announced: remembered, so that the late announcement does not ring a ghost. */
function bury(termination: Termination, nowMs: number): Decision {
  const call = blank(termination, termination.atMs, nowMs);
  return finish(call, { entry: { type: 'terminated-before-offer' } }, nowMs);
}

function onOffer(
  known: Call | null,
  offer: Offer,
  placement: Placement | null,
  nowMs: number,
): Decision | null {
  const announced: Partial<Call> = {
    caller: offer.caller,
    payload: offer.payload,
    offeredAtMs: offer.offeredAtMs,
    answerByMs: offer.offeredAtMs + offer.answerLimitMs - TIMESTAMP_ROUNDING_MS - ANSWER_MARGIN_MS,
  };
  if (known?.state === 'tombstone') {
    const call = { ...known, ...announced };
    return finish(call, finalEnd(call, outcome('caller-gave-up', 'caller'), nowMs), nowMs);
  }
  if (known) return null;
  const call: Call = { ...blank(offer, offer.offeredAtMs, nowMs), ...announced };
  if (nowMs >= call.answerByMs) {
    const lateS = Math.round((nowMs - offer.offeredAtMs) / 1000);
    const late = outcome('offer-too-old', 'provider', `announced ${lateS} s after the call began`);
    return finish(call, ending(call, late, nowMs), nowMs);
  }
  if (!placement) return finish(call, ending(call, outcome('no-relay', 'system'), nowMs), nowMs);
  return finish(
    call,
    {
      patch: {
        state: 'offered',
        placement,
        offerSdp: offer.sdp,
        timers: { answer: call.answerByMs, relayAnswer: nowMs + RELAY_ANSWER_MS },
      },
      entry: { type: 'offered', detail: { relay: placement.relayId } },
      add: [{ job: { lane: 'room', action: 'create' }, giveUpAtMs: call.answerByMs }],
      messages: ['answer'],
    },
    nowMs,
  );
}

// ---- the provider ----------------------------------------------------------------------------------------------------------

function onTerminate(call: Call, termination: Termination, nowMs: number): Answer {
  switch (call.state) {
    case 'tombstone':
    case 'ended':
      return null;
    case 'ending':
      return {
        patch: { state: 'ended', pending: withoutQueuedGraph(call.pending) },
        entry: { type: 'end-confirmed', detail: { by: 'webhook' } },
        dropQueuedGraph: true,
      };
    case 'offered':
    case 'preparing':
    case 'ringing':
    case 'claimed':
    case 'accepting':
    case 'active':
      return finalEnd(call, terminationOutcome(call, termination), nowMs);
  }
}

function terminationOutcome(call: Call, termination: Termination): Outcome {
  if (termination.error !== undefined) {
    return outcome('provider-ended', 'provider', termination.error);
  }
  const wasAnswered = call.state === 'active' || termination.wasPickedUp;
  return outcome(wasAnswered ? 'caller-hung-up' : 'caller-gave-up', 'caller');
}

// ---- the relay -------------------------------------------------------------------------------------------------------------

function onAnswered(call: Call, sdp: string): Answer {
  if (call.state !== 'offered') return null;
  return {
    patch: { state: 'preparing', answerSdp: sdp, timers: without(call.timers, 'relayAnswer') },
    entry: { type: 'relay-answered' },
    add: [{ job: { lane: 'graph', action: 'pre_accept' }, giveUpAtMs: call.answerByMs }],
  };
}

const isClaimant = (call: Call, identity: string): boolean => call.claim?.identity === identity;

const isInGrace = (call: Call): boolean =>
  call.timers.graceLeft !== undefined || call.timers.graceLost !== undefined;

function onJoined(call: Call, identity: string): Answer {
  if (isOver(call)) return null;
  const detail = { identity };
  if (isClaimant(call, identity) && isInGrace(call)) {
    return {
      patch: { timers: without(call.timers, 'graceLeft', 'graceLost') },
      entry: { type: 'agent-returned', detail },
    };
  }
  return { entry: { type: 'participant-joined', detail } };
}

function onReady(call: Call, identity: string): Answer {
  if (!isClaimant(call, identity)) return null;
  if (call.state === 'claimed') {
    return {
      patch: { state: 'accepting', timers: without(call.timers, 'claim', 'answer') },
      entry: { type: 'ready', detail: { identity } },
      // An accept may carry the answer by itself, so a pre-accept that waits for a retry is no longer needed.
      dropQueuedGraph: true,
      add: [
        {
          job: { lane: 'graph', action: 'accept' },
          giveUpAtMs: call.answerByMs + ANSWER_MARGIN_MS,
        },
      ],
    };
  }
  return !isOver(call) && isInGrace(call) ? onJoined(call, identity) : null;
}

function onLeft(
  call: Call,
  identity: string,
  why: 'left' | 'lost' | 'removed',
  nowMs: number,
): Answer {
  if (isOver(call)) return null;
  const detail = { identity, why };
  if (!isClaimant(call, identity)) return { entry: { type: 'participant-left', detail } };
  if (call.state === 'claimed') return release(call, `agent ${why}`);
  const grace: Call['timers'] =
    why === 'lost' ? { graceLost: nowMs + GRACE_LOST_MS } : { graceLeft: nowMs + GRACE_LEFT_MS };
  return { patch: { timers: { ...call.timers, ...grace } }, entry: { type: 'agent-left', detail } };
}

/** How each end of the media ends a call that was still going on. */
const MEDIA_ENDS: Record<MediaEndReason, readonly [OutcomeReason, EndedBy]> = {
  closed: ['relay-failed', 'system'],
  internal: ['relay-failed', 'system'],
  'no-capacity': ['no-relay', 'system'],
  'unusable-offer': ['unusable-offer', 'provider'],
  'media-failed': ['media-failed', 'provider'],
  'media-lost': ['media-lost', 'provider'],
  'room-failed': ['room-failed', 'livekit'],
  'room-deleted': ['room-deleted', 'livekit'],
  'removed-from-room': ['removed-from-room', 'livekit'],
  'room-lost': ['room-lost', 'livekit'],
};

function onMediaEnded(
  call: Call,
  event: { reason: MediaEndReason; detail?: string | undefined; quality: Call['quality'] },
  nowMs: number,
): Answer {
  if (call.state === 'tombstone') return null;
  const { quality } = event;
  if (!isOver(call)) {
    const end = ending(call, outcome(...MEDIA_ENDS[event.reason], event.detail), nowMs);
    return {
      ...end,
      // The relay has left already, so the room need not wait for it.
      patch: { ...end.patch, quality, timers: { sweep: nowMs + SWEEP_MS } },
      add: [...end.add, deleteRoom(nowMs)],
      messages: [],
    };
  }
  return {
    patch: { quality: quality ?? call.quality, timers: without(call.timers, 'cleanUp') },
    entry: { type: 'relay-closed', detail: { reason: event.reason } },
    ...(call.timers.cleanUp === undefined ? {} : { add: [deleteRoom(nowMs)] }),
  };
}

function onRelayLost(call: Call, nowMs: number): Answer {
  return isOver(call) ? null : ending(call, outcome('relay-lost', 'system'), nowMs);
}

// ---- people ----------------------------------------------------------------------------------------------------------------

function onClaim(call: Call, claim: Claim, nowMs: number): Answer {
  // Everywhere else somebody else won, or it is too early or too late; whoever asked reads that from the state.
  if (call.state !== 'ringing') return null;
  return {
    patch: {
      state: 'claimed',
      claim,
      excluded: call.excluded.filter((identity) => identity !== claim.identity),
      timers: { ...call.timers, claim: nowMs + CLAIM_READY_MS },
    },
    entry: { type: 'claimed', detail: { agent: claim.agentId } },
  };
}

/** Takes a claim back and lets the call ring on. */
function release(call: Call, why: string): Change {
  const { claim } = call;
  return {
    patch: {
      state: 'ringing',
      claim: null,
      excluded: claim ? [...call.excluded, claim.identity] : call.excluded,
      timers: without(call.timers, 'claim'),
    },
    entry: { type: 'claim-released', detail: { agent: claim?.agentId ?? '', why } },
    add: claim
      ? [
          {
            job: { lane: 'room', action: 'remove', identity: claim.identity },
            giveUpAtMs: call.answerByMs,
          },
        ]
      : [],
  };
}

function onEnd(call: Call, actor: Actor, nowMs: number): Answer {
  if (isOver(call)) return null;
  const reason =
    call.state === 'active' || call.state === 'accepting' ? 'agent-hung-up' : 'rejected';
  return ending(call, outcome(reason, actor.kind), nowMs);
}

// ---- ends ------------------------------------------------------------------------------------------------------------------

const deleteRoom = (nowMs: number): { job: Job; giveUpAtMs: number } => ({
  job: { lane: 'room', action: 'delete' },
  giveUpAtMs: nowMs + END_RETRY_MS,
});

/** Fixes the outcome and frees everything. `state` says whether the provider still has to be told. */
function over(call: Call, result: Outcome, nowMs: number): Change & { patch: Partial<Call> } {
  const hadMedia = hasMedia(call);
  const pending = withoutQueuedGraph(call.pending).filter(
    (entry) => entry.leaseUntilMs !== null || entry.job.lane === 'graph',
  );
  return {
    patch: {
      state: 'ended',
      outcome: result,
      endedAtMs: nowMs,
      offerSdp: null,
      answerSdp: null,
      pending,
      timers: hadMedia ? { cleanUp: nowMs + CLEAN_UP_MS, sweep: nowMs + SWEEP_MS } : {},
    },
    entry: { type: 'ended', detail: outcomeDetail(result) },
    messages: hadMedia ? ['close'] : [],
  };
}

const outcomeDetail = (result: Outcome): Record<string, string> => ({
  reason: result.reason,
  ended_by: result.endedBy,
  ...(result.detail === undefined ? {} : { detail: result.detail }),
});

/** The provider knows already. */
const finalEnd = over;

/** The provider must be told: reject what was never accepted, terminate the rest. */
function ending(
  call: Call,
  result: Outcome,
  nowMs: number,
): Required<Pick<Change, 'patch' | 'add'>> & Change {
  const change = over(call, result, nowMs);
  const wasAccepted = call.state === 'active' || call.state === 'accepting';
  return {
    ...change,
    patch: { ...change.patch, state: 'ending' },
    entry: { ...change.entry, type: 'ending' },
    add: [
      {
        job: { lane: 'graph', action: wasAccepted ? 'terminate' : 'reject' },
        giveUpAtMs: nowMs + END_RETRY_MS,
      },
    ],
  };
}

// ---- replies to jobs -------------------------------------------------------------------------------------------------------

function onJob(call: Call, jobId: number, result: JobResult, nowMs: number): Answer {
  const done = call.pending.find((entry) => entry.id === jobId);
  // The reply to an attempt whose lease ran out and that was settled otherwise.
  if (!done) return null;
  const { job } = done;
  if (job.lane === 'room') return onRoomJob(call, done, job.action, result, nowMs);
  switch (job.action) {
    case 'pre_accept':
      return onPreAccept(call, done, result, nowMs);
    case 'accept':
      return onAccept(call, done, result, nowMs);
    case 'reject':
    case 'terminate':
      return onEndTold(call, done, result, nowMs);
  }
}

const failureDetail = (
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

const failureText = (failure: JobFailure): string =>
  failure.code === undefined ? failure.message : `${failure.code}: ${failure.message}`;

/** Another attempt where that can help; null where it cannot, or its time is over. */
function again(call: Call, done: PendingJob, failure: JobFailure, nowMs: number): Answer {
  if (failure.kind === 'refused') return null;
  const pending = retryJob(call.pending, done, nowMs);
  return (
    pending && {
      patch: { pending },
      entry: { type: 'action-failed', detail: failureDetail(done, failure) },
    }
  );
}

function onPreAccept(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
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
    patch: { ...starts, pending: retry?.patch?.pending ?? pending },
    entry: {
      type: starts.state ? 'ringing' : 'action-failed',
      detail: failureDetail(done, result),
    },
  };
}

function onAccept(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok) {
    return call.state === 'accepting'
      ? { patch: { state: 'active', answeredAtMs: nowMs, pending }, entry: { type: 'answered' } }
      : { patch: { pending }, entry: { type: 'action-done', detail: { action: 'graph.accept' } } };
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

function onEndTold(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok) {
    return {
      patch: { state: 'ended', pending },
      entry: { type: 'end-confirmed', detail: { by: describeJob(done.job) } },
    };
  }
  const detail = failureDetail(done, result);
  // The provider's own webhook was faster.
  if (call.state === 'ended')
    return { patch: { pending }, entry: { type: 'action-failed', detail } };
  return (
    again(call, done, result, nowMs) ?? {
      patch: { state: 'ended', pending },
      entry: { type: 'end-unconfirmed', detail },
    }
  );
}

function onRoomJob(
  call: Call,
  done: PendingJob,
  action: 'create' | 'delete' | 'remove',
  result: JobResult,
  nowMs: number,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok) {
    const types = {
      create: 'room-created',
      delete: 'room-deleted',
      remove: 'agent-removed',
    } as const;
    return {
      patch: { pending, ...(action === 'create' ? { isRoomCreated: true } : {}) },
      entry: { type: types[action] },
    };
  }
  const isPointless = action === 'create' && isOver(call);
  const retry = isPointless ? null : again(call, done, result, nowMs);
  if (retry) return retry;
  if (action === 'create' && !isOver(call)) {
    const failed = outcome('room-failed', 'livekit', failureText(result));
    return ending({ ...call, pending }, failed, nowMs);
  }
  return {
    patch: { pending },
    entry: { type: 'action-failed', detail: failureDetail(done, result) },
  };
}

// ---- time ------------------------------------------------------------------------------------------------------------------

/** Does the one thing that is due longest; the caller ticks again while something is due. */
function onTick(call: Call, nowMs: number): Answer {
  const [timer] = (Object.entries(call.timers) as [TimerName, number][])
    .filter(([, atMs]) => atMs <= nowMs)
    .toSorted(([, a], [, b]) => a - b);
  if (timer) return onTimer(call, timer[0], nowMs);
  const lost = call.pending.find((entry) => (entry.leaseUntilMs ?? Infinity) <= nowMs);
  if (lost) {
    return onJob(call, lost.id, { ok: false, kind: 'unsure', message: 'no reply in time' }, nowMs);
  }
  return queueDueAtMs(call.pending) <= nowMs ? { entry: { type: 'retrying' } } : null;
}

function onTimer(call: Call, name: TimerName, nowMs: number): Change {
  switch (name) {
    case 'answer':
      return ending(call, outcome('no-answer', 'system'), nowMs);
    case 'relayAnswer':
      return ending(call, outcome('relay-did-not-answer', 'system'), nowMs);
    case 'claim':
      return release(call, 'not ready in time');
    case 'graceLeft':
      return ending(call, outcome('agent-left', 'agent'), nowMs);
    case 'graceLost':
      return ending(call, outcome('agent-connection-lost', 'agent'), nowMs);
    case 'cleanUp':
    case 'sweep':
      return {
        patch: { timers: without(call.timers, name) },
        entry: { type: 'room-clean-up', detail: { why: name } },
        add: [deleteRoom(nowMs)],
      };
  }
}

// ---- the decision ----------------------------------------------------------------------------------------------------------

function finish(before: Call, change: Change, nowMs: number): Decision {
  const changed: Call = { ...before, ...change.patch, version: before.version + 1 };
  const kept = change.dropQueuedGraph ? withoutQueuedGraph(changed.pending) : changed.pending;
  const added = (change.add ?? []).map(({ job, giveUpAtMs }, index): PendingJob => ({
    id: changed.nextJobId + index,
    job,
    attempt: 0,
    notBeforeMs: nowMs,
    giveUpAtMs,
    leaseUntilMs: null,
  }));
  const { pending, started } = leaseJobs([...kept, ...added], nowMs);
  const call: Call = { ...changed, pending, nextJobId: changed.nextJobId + added.length };
  const isWantNew = JSON.stringify(wanted(before)) !== JSON.stringify(wanted(call));
  const messages = change.messages ?? (isWantNew && hasMedia(call) ? ['want' as const] : []);
  return { call, entry: change.entry, messages, jobs: started };
}
