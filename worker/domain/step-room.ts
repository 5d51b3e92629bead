// Decisions about who is in the room: agents claiming, joining, leaving, and the media ending. Pure.
import {
  hasMedia,
  isAwaitingTarget,
  isOver,
  type Call,
  type Claim,
  type Placement,
  type TimerName,
} from './call.ts';
import type { MediaEndReason } from './call-event.ts';
import {
  ANSWER_MARGIN_MS,
  deleteRoom,
  ending,
  failureDetail,
  failureText,
  after,
  again,
  SWEEP_MS,
  without,
  type Answer,
  type Change,
  type NewJob,
} from './change.ts';
import { LOOKING, type Desk } from './desk.ts';
import { searchOf, type Search } from './flow.ts';
import type { AgentId } from './ids.ts';
import { heirOf, isSilenced, strangersIn, transferIn } from './people.ts';
import {
  admitted,
  expelled,
  graceMs,
  removal,
  withGrace,
  withoutParty,
  withPeople,
} from './seats.ts';
import { onPartyJoined, withPartyAway } from './step-seats.ts';
import { withoutJob, type Job, type JobFailure, type JobResult, type PendingJob } from './job.ts';
import { outcome, type EndedBy, type OutcomeReason } from './outcome.ts';
import { asTarget, onAiLeft, onAiReady, onNotSent } from './step-ai.ts';
import { awaitAgent, isMeantFor, joinBy } from './step-outbound.ts';
import { advance, advanceAudibly, changed, withoutStage, withSound } from './step-flow.ts';
import { elsewhere } from './step-relay.ts';
import { endRings, isHopeless, ringNext, withSearch } from './step-search.ts';

/** How long a relay tries to get back into a room; then it says itself that the room is lost. */
const REJOIN_MS = 10_000;
const CLAIM_READY_MS = 5_000;

/** The provider closes the media before it says that the caller hung up; its webhook gets this much time. */
const MEDIA_LOST_MS = 3_000;

const isClaimant = (call: Call, identity: string): boolean => call.claim?.identity === identity;

/** Speaks with the caller by right: claimed the call, or is its AI agent. */
const hasCall = (call: Call, identity: string): boolean =>
  isClaimant(call, identity) || call.ai?.identity === identity;

const isInGrace = (call: Call): boolean =>
  call.timers.graceLeft !== undefined || call.timers.graceLost !== undefined;

/** The server may have lost the room with everybody in it: it is made again, and the relay is given a fresh token. */
export function onRoomAway(call: Call, detail: string | undefined, nowMs: number): Answer {
  if (isOver(call)) return null;
  return {
    patch: { isRoomJoined: false },
    entry: { type: 'room-away', ...(detail === undefined ? {} : { detail: { detail } }) },
    add: [{ job: { lane: 'room', action: 'create' }, giveUpAtMs: nowMs + REJOIN_MS }],
    messages: ['want'],
  };
}

export function onJoined(call: Call, identity: string, nowMs: number): Answer {
  if (isOver(call)) return null;
  const detail = { identity };
  if (hasCall(call, identity) && (isInGrace(call) || call.timers.heir !== undefined)) {
    return {
      patch: {
        heard: [...call.heard, identity],
        timers: without(call.timers, 'graceLeft', 'graceLost', 'heir'),
      },
      entry: { type: 'agent-returned', detail },
    };
  }
  return onPartyJoined(call, identity, nowMs) ?? { entry: { type: 'participant-joined', detail } };
}

/** @param aiName of an AI agent that nothing else admits: the name that it is registered by */
export function onReady(
  call: Call,
  identity: string,
  aiName: string | undefined,
  nowMs: number,
): Answer {
  // Said before the relay had heard that nobody is to hear them.
  if (isSilenced(call, identity)) return null;
  if (aiName !== undefined && !hasCall(call, identity)) {
    const taken = onAiReady(call, identity, aiName, nowMs);
    // A call of the business hears whoever comes until its own is there: older servers tell no names.
    if (taken || !isAwaitingTarget(call)) return taken;
  }
  const heard = call.heard.includes(identity) ? call.heard : [...call.heard, identity];
  const detail = { identity };
  if (call.state === 'claimed' && call.direction === 'inbound' && isClaimant(call, identity)) {
    const joined = withoutStage({ ...call, state: 'accepting', heard });
    return {
      patch: changed(call, { ...joined, timers: without(joined.timers, 'claim', 'answer') }),
      entry: { type: 'ready', detail },
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
  const isConnected = call.state === 'accepting' || call.state === 'active';
  if (!isConnected || (heard === call.heard && !isInGrace(call))) return null;
  const type = isInGrace(call) ? 'agent-returned' : 'ready';
  const timers = without(
    call.timers,
    'graceLeft',
    'graceLost',
    'join',
    ...heirOver(call, identity),
  );
  if (!isClaimPending(call) || !isClaimant(call, identity)) {
    return {
      patch: { heard, timers, ...asTarget(call, identity, aiName) },
      entry: { type, detail },
    };
  }
  // Whom the caller waited for is there; an AI agent who has spoken with them until now is not heard any more.
  const before = transferIn(call) ? strangersIn(call) : [];
  const alone = before.reduce(expelled, {
    ...call,
    ai: null,
    heard,
    timers: without(timers, 'claim'),
  });
  const talkedAtMs = call.talkedAtMs ?? nowMs;
  return {
    patch: changed(call, withSound({ ...withoutStage(alone), talkedAtMs })),
    entry: { type, detail },
    add: before.map((other) => removal(other, nowMs)),
  };
}

export function onLeft(
  call: Call,
  identity: string,
  why: 'left' | 'lost' | 'removed',
  desk: Desk,
  nowMs: number,
): Answer {
  if (isOver(call)) return null;
  const detail = { identity, why };
  if (isClaimPending(call) && isClaimant(call, identity)) {
    return release(call, `agent ${why}`, desk, nowMs);
  }
  if (call.ai?.identity === identity && call.heard.includes(identity))
    return onAiLeft(call, why, desk, nowMs);
  const heard = call.heard.filter((other) => other !== identity);
  const wasLast = heard.length === 0 && call.heard.length > 0;
  const rest = withPartyAway({ ...call, heard }, identity, why, nowMs);
  const isWaiting = (call.flow?.stage ?? null) !== null;
  if (!wasLast || isWaiting) {
    // Whoever is looked for is heard next; until then the caller hears that somebody is rung.
    const next = wasLast ? withSound(rest) : withHeir(rest, identity, why, nowMs);
    return { patch: changed(call, next), entry: { type: 'participant-left', detail } };
  }
  if (call.target?.kind === 'ai' && why === 'left') {
    return ending({ ...call, heard }, outcome('agent-left', 'agent'), nowMs);
  }
  const grace = withGrace(call, rest, why, nowMs);
  return { patch: changed(call, grace), entry: { type: 'agent-left', detail } };
}

/** Whoever has the call has left, and others speak with the caller: one of them gets it, unless they return. */
function withHeir(call: Call, identity: string, why: 'left' | 'lost' | 'removed', nowMs: number) {
  if (!isClaimant(call, identity) || !heirOf(call)) return call;
  return { ...call, timers: { ...call.timers, heir: nowMs + graceMs(why) } };
}

const heirOver = (call: Call, identity: string): TimerName[] =>
  isClaimant(call, identity) ? ['heir'] : [];

export function onClaim(call: Call, claim: Claim, nowMs: number): Answer {
  // Everywhere else somebody else won, or it is too early or too late; whoever asked reads that from the state.
  if (!isOfferedTo(call, claim)) return null;
  // The user of an outbound call has not been called yet, so there is time.
  const isBeforeDial = call.direction === 'outbound' && call.state === 'ringing';
  const claimBy = isBeforeDial ? joinBy(nowMs) : nowMs + CLAIM_READY_MS;
  // A supervisor who takes the call is none any more.
  const seated = admitted(
    withPeople(call, { parties: withoutParty(call, claim.identity) }),
    claim.identity,
  );
  const timers = without(seated.timers, ...(isBeforeDial ? ['answer' as const] : CLAIM_STOPS));
  const search = searchOf(call.flow);
  return {
    patch: {
      ...(search ? withSearch(call, { ...search, rung: [] }) : {}),
      state: call.state === 'ringing' ? 'claimed' : call.state,
      claim,
      ...changed(call, seated),
      timers: { ...timers, claim: claimBy },
    },
    entry: { type: 'claimed', detail: { agent: claim.agentId } },
    add: isBeforeDial ? [awaitAgent(claim.identity, claimBy)] : [],
  };
}

/** The call rings for this agent. */
function isOfferedTo(call: Call, { agentId, identity }: Claim): boolean {
  const search = searchOf(call.flow);
  if (!LOOKING.has(call.state) || (call.state !== 'ringing' && call.claim)) return false;
  if (search) return isRungFor(search, agentId);
  // Calls of before there were rules, and those of the business, have no steps.
  return call.state === 'ringing' && !call.flow && isMeantFor(call.target, identity);
}

const isRungFor = ({ isForEverybody, rung }: Search, agentId: AgentId): boolean =>
  isForEverybody || rung.some((ring) => ring.agentId === agentId);

/** The step goes on where it was once a claim is taken back. */
const CLAIM_STOPS: readonly TimerName[] = ['step', 'each'];

/** Somebody has taken the call and is not heard yet. */
const isClaimPending = (call: Call): boolean => call.timers.claim !== undefined;

/** Takes a claim back and lets the call ring on. */
export function release(call: Call, why: string, desk: Desk, nowMs: number): Change {
  const { call: released, add } = unclaimed(call, nowMs);
  const entry: Change['entry'] = {
    type: 'claim-released',
    detail: { agent: call.claim?.agentId ?? '', why },
  };
  const search = searchOf(call.flow);
  if (!search || !call.claim) return { patch: changed(call, released), entry, add };
  const failed = { agentId: call.claim.agentId, why: 'not-ready' } as const;
  const rung = ringNext(released, endRings(search, [failed]), desk, nowMs);
  if (isHopeless(released, rung)) {
    const change = advance(released, desk, nowMs, why);
    return { ...after(changed(call, released), change), add: [...add, ...(change.add ?? [])] };
  }
  const ringing = { ...released, ...withSearch(released, rung) };
  return { patch: changed(call, ringing), entry, add };
}

/** The call without the claim of somebody who was never heard. */
function unclaimed(call: Call, nowMs: number): { call: Call; add: NewJob[] } {
  const { claim } = call;
  const search = searchOf(call.flow);
  if (!claim) return { call, add: [] };
  const timers = without(call.timers, 'claim');
  return {
    call: {
      ...expelled(call, claim.identity),
      state: call.state === 'claimed' ? 'ringing' : call.state,
      claim: null,
      timers: search && !search.isForEverybody ? { ...timers, step: search.untilMs } : timers,
    },
    add: [
      {
        job: { lane: 'room', action: 'remove', identity: claim.identity },
        giveUpAtMs: Math.max(call.answerByMs, nowMs + CLAIM_READY_MS),
      },
    ],
  };
}

/** The provider waits no longer for an answer: what can be heard of the rule is what is left. */
export function onAnswerLimit(call: Call, desk: Desk, nowMs: number): Change {
  const { call: free, add } = unclaimed(call, nowMs);
  const change = advanceAudibly(free, desk, nowMs);
  return { ...after(changed(call, free), change), add: [...add, ...(change.add ?? [])] };
}

/** How each end of the media ends a call that was still going on. */
const MEDIA_ENDS: Record<MediaEndReason, readonly [OutcomeReason, EndedBy]> = {
  closed: ['relay-failed', 'system'],
  internal: ['relay-failed', 'system'],
  'no-capacity': ['no-relay', 'system'],
  'unusable-offer': ['unusable-offer', 'provider'],
  'unusable-answer': ['unusable-answer', 'provider'],
  'media-failed': ['media-failed', 'provider'],
  'media-lost': ['media-lost', 'provider'],
  'room-failed': ['room-failed', 'livekit'],
  'room-deleted': ['room-deleted', 'livekit'],
  'removed-from-room': ['removed-from-room', 'livekit'],
  'room-lost': ['room-lost', 'livekit'],
};

/** Ends that may be the doing of this relay or of its network. */
const MAY_BE_THE_RELAYS: ReadonlySet<MediaEndReason> = new Set([
  'closed',
  'internal',
  'no-capacity',
  'media-failed',
  'room-failed',
  'room-lost',
]);

export function onMediaEnded(
  call: Call,
  event: { reason: MediaEndReason; detail?: string | undefined; quality: Call['quality'] },
  free: Placement | null,
  nowMs: number,
): Answer {
  if (call.state === 'tombstone') return null;
  const { quality } = event;
  if (!isOver(call) && event.reason === 'media-lost') {
    const timers = { ...call.timers, mediaLost: nowMs + MEDIA_LOST_MS };
    const detail = event.detail === undefined ? {} : { detail: { detail: event.detail } };
    return { patch: { quality, timers }, entry: { type: 'media-lost', ...detail } };
  }
  if (!isOver(call)) {
    const [reason, endedBy] = MEDIA_ENDS[event.reason];
    const moved = MAY_BE_THE_RELAYS.has(event.reason) ? elsewhere(call, reason, free, nowMs) : null;
    if (moved) return moved;
    const end = ending(call, outcome(reason, endedBy, event.detail), nowMs);
    const timers = { ...without(end.patch.timers ?? {}, 'cleanUp'), sweep: nowMs + SWEEP_MS };
    return {
      ...end,
      // The relay has left already, so the room need not wait for it.
      patch: { ...end.patch, quality, timers },
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

const ROOM_JOBS_DONE = {
  create: 'room-created',
  delete: 'room-deleted',
  remove: 'agent-removed',
  permit: 'permissions-set',
  undispatch: 'agent-removed',
  dispatch: 'agent-dispatched',
} as const;

export function onRoomJob(
  call: Call,
  done: PendingJob,
  action: Exclude<Extract<Job, { lane: 'room' }>['action'], 'await' | 'probe'>,
  result: JobResult,
  desk: Desk,
  nowMs: number,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (result.ok) {
    return {
      patch: { pending, ...(action === 'create' ? { isRoomCreated: true } : {}) },
      entry: { type: ROOM_JOBS_DONE[action] },
      // Made again after it was lost: the relay waits for its token.
      ...(action === 'create' && call.isRoomCreated && hasMedia(call)
        ? { messages: ['want'] as const }
        : {}),
    };
  }
  const isPointless = action !== 'delete' && isOver(call);
  const retry = isPointless ? null : again(call, done, result, nowMs);
  if (retry) return retry;
  const { job } = done;
  if (job.lane === 'room' && job.action === 'dispatch' && !isOver(call)) {
    const change = onNotSent({ ...call, pending }, job.ai.name, desk, nowMs);
    if (change) return after({ pending }, withFailure(change, done, result));
  }
  // A room that could not be made again may live all the same: the relay knows whether it got back in.
  const isNeeded =
    (action === 'dispatch' && !call.flow) || (action === 'create' && !call.isRoomCreated);
  if (isNeeded && !isOver(call)) {
    const failed = outcome('room-failed', 'livekit', failureText(result));
    return ending({ ...call, pending }, failed, nowMs);
  }
  return {
    patch: { pending },
    entry: { type: 'action-failed', detail: failureDetail(done, result) },
  };
}

const withFailure = (change: Change, done: PendingJob, failure: JobFailure): Change => ({
  ...change,
  entry: {
    ...change.entry,
    detail: { ...failureDetail(done, failure), ...change.entry.detail },
  },
});
