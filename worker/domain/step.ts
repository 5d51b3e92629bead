// Decides what an event does to a call: `step(call, event, now)` -> the next call, one timeline entry, and what is to be done.
// Pure and total: every state has an answer for every event, and an event that says nothing new changes nothing.
import { hasMedia, isOver, wanted, type Call, type Placement, type TimerName } from './call.ts';
import type { Actor, CallEvent } from './call-event.ts';
import type { Decision, RelayMessage } from './decision.ts';
import { deleteRoom, ending, without, type Answer, type Change, type Refused } from './change.ts';
import {
  leaseJobs,
  queueDueAtMs,
  withoutQueuedGraph,
  type JobResult,
  type PendingJob,
} from './job.ts';
import { NOBODY, type Desk } from './desk.ts';
import { agentOfIdentity, type AgentId } from './ids.ts';
import { outcome } from './outcome.ts';
import { blankCall, onAnswered, onInboundTerminate, onOffer } from './step-inbound.ts';
import { aiJobs, onAiJoined, onAiLost, onTransferAsked, recalledBy } from './step-ai.ts';
import { onPermission } from './step-ask.ts';
import { onAudioCommand, onRecordingFailed, onRecordingKept } from './step-audio.ts';
import {
  onAnswer,
  onDial,
  onOfferMade,
  onOutboundEnd,
  onOutboundTerminate,
  onOutboundTimer,
  onStatus,
} from './step-outbound.ts';
import { onJob } from './step-job.ts';
import { onKey, onSilence, onSoundOver, onStepTimer } from './step-prompted.ts';
import { onNoRelay, onRelayBack, onRelayLost, onRelaySilent } from './step-relay.ts';
import {
  onAnswerLimit,
  onClaim,
  onJoined,
  onLeft,
  onMediaEnded,
  onReady,
  onRoomAway,
  release,
} from './step-room.ts';
import { onEachTimer, onPeople, onRingEnded } from './step-search.ts';
import { onUnrecorded } from './step-voicemail.ts';
import { onPartyCommand } from './step-party.ts';
import {
  onAgentGone,
  onColleagueRingEnded,
  onHeirTimer,
  onPartyTimer,
  onSeatClaim,
} from './step-seats.ts';
import { onRemark } from './step-remark.ts';
import { onTransfer } from './step-transfer.ts';

/**
 * Applies one event.
 *
 * @param call null when nothing is known of it
 * @param free where media could go now, should the decision need a place for it; another process than the call's present one
 * @param desk who could be rung
 * @returns the same `call` object, no entry and nothing to do when the event says nothing new
 */
export function step(
  call: Call | null,
  event: CallEvent,
  nowMs: number,
  free: Placement | null = null,
  desk: Desk = NOBODY,
): Decision {
  const unchanged: Decision = { call, entry: null, messages: [], jobs: [] };
  const first = firstOf(call, event, nowMs, free, desk);
  if (first !== undefined) return first ? finish(first.call, first.change, nowMs) : unchanged;
  if (call === null) return unchanged;
  // A relay speaks only of calls that were placed on it, and may say the same twice.
  if ('seq' in event && event.seq <= (call.placement?.lastSeq ?? Infinity)) return unchanged;
  const change = changeFor(call, event, nowMs, free, desk);
  if (!change) return unchanged;
  if ('refused' in change) return { ...unchanged, refusal: change.refused };
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

/** Events that may make a call; null when they do not, undefined for all others. */
function firstOf(
  call: Call | null,
  event: CallEvent,
  nowMs: number,
  free: Placement | null,
  desk: Desk,
): { call: Call; change: Change } | null | undefined {
  if (event.type === 'offer') return onOffer(call, event.offer, free, desk, nowMs);
  if (event.type === 'dial') return onDial(call, event.dial, free, nowMs);
  if (event.type === 'terminate' && call === null) {
    // Remembered, so that the late announcement does not ring a ghost.
    const { termination } = event;
    const entry = { type: 'terminated-before-offer' } as const;
    return { call: blankCall(termination, termination.atMs, nowMs), change: { entry } };
  }
  return undefined;
}

function changeFor(
  call: Call,
  event: CallEvent,
  nowMs: number,
  free: Placement | null,
  desk: Desk,
): Answer | Refused {
  switch (event.type) {
    case 'offer':
    case 'dial':
      return null;
    case 'terminate':
      return call.direction === 'inbound'
        ? onInboundTerminate(call, event.termination, nowMs)
        : onOutboundTerminate(call, event.termination, nowMs);
    case 'answer':
      return onAnswer(call, event.providerCallId, event.sdp, nowMs);
    case 'status':
      return onStatus(call, event, nowMs);
    case 'permission':
      return onPermission(call, event.isGranted, free, nowMs);
    case 'relay.answered':
      return onAnswered(call, event.sdp);
    case 'relay.offered':
      return onOfferMade(call, event.sdp, nowMs);
    case 'relay.media-up':
      return isOver(call) || call.isMediaUp
        ? null
        : { patch: { isMediaUp: true }, entry: { type: 'media-up' } };
    case 'relay.room-joined':
      return isOver(call)
        ? null
        : { patch: { isRoomJoined: true }, entry: { type: 'room-joined' } };
    case 'relay.room-away':
      return onRoomAway(call, event.detail, nowMs);
    case 'relay.participant-joined':
      return onAiJoined(call, event, nowMs) ?? onJoined(call, event.identity, nowMs);
    case 'relay.ready':
      return onReady(call, event.identity, event.aiName, nowMs);
    case 'relay.participant-left':
      return onLeft(call, event.identity, event.why, desk, nowMs);
    case 'relay.publisher-skipped':
      return isOver(call)
        ? null
        : { entry: { type: 'publisher-skipped', detail: { identity: event.identity } } };
    case 'relay.played':
      return onSoundOver(call, event, desk, nowMs);
    case 'relay.recording-failed':
      return onUnrecorded(call, onRecordingFailed(call), desk, nowMs);
    case 'relay.transfer-asked':
      return onTransferAsked(call, event, desk, nowMs);
    case 'relay.digit':
      return onKey(call, event.digit, desk, nowMs);
    case 'relay.ended':
      return onMediaEnded(call, event, free, nowMs);
    case 'relay.lost':
      return onRelayLost(call, event.instance, free, nowMs);
    case 'relay.silent':
      return onRelaySilent(call, event.instance, free, nowMs);
    case 'relay.back':
      return onRelayBack(call);
    case 'claim': {
      const seat = onSeatClaim(call, event.claim, nowMs);
      return seat === undefined ? onClaim(call, event.claim, nowMs) : seat;
    }
    case 'people':
      return onPeople(call, desk, nowMs);
    case 'ring-ended': {
      const { agentId, why } = event;
      const asked = onColleagueRingEnded(call, agentId, why, desk, nowMs);
      return asked === undefined ? onRingEnded(call, agentId, why, desk, nowMs) : asked;
    }
    case 'transfer':
      return onTransfer(call, event, desk, nowMs);
    case 'party':
      return onPartyCommand(call, event.command, event.actor, desk, nowMs);
    case 'remark':
      return onRemark(call, event.remark, event.actor);
    case 'end':
      return onEnd(call, event.actor, nowMs);
    case 'audio':
      return onSteered(call, event, desk, nowMs);
    case 'recording':
      return onRecordingKept(call, event.recording);
    case 'job':
      return onJob(call, event, nowMs, free, desk);
    case 'tick':
      return onTick(call, nowMs, free, desk);
  }
}

/** Somebody changes what a call sounds like; its step may wait for what is cut off. */
function onSteered(
  call: Call,
  { command, actor }: Extract<CallEvent, { type: 'audio' }>,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  const change = onAudioCommand(call, command, actor);
  if (change && 'refused' in change) return change;
  return command.action === 'stop-playing'
    ? onSilence(call, change, true, desk, nowMs)
    : onUnrecorded(call, change, desk, nowMs);
}

function onEnd(call: Call, actor: Actor, nowMs: number): Answer {
  if (isOver(call)) return null;
  if (call.direction === 'outbound') return onOutboundEnd(call, actor.kind, nowMs);
  const reason =
    call.state === 'active' || call.state === 'accepting' ? 'agent-hung-up' : 'rejected';
  return ending(call, outcome(reason, actor.kind), nowMs);
}

// ---- time ------------------------------------------------------------------------------------------------------------------

/** Does the one thing that is due longest; the caller ticks again while something is due. */
function onTick(call: Call, nowMs: number, free: Placement | null, desk: Desk): Answer {
  const [timer] = (Object.entries(call.timers) as [TimerName, number][])
    .filter(([, atMs]) => atMs <= nowMs)
    .toSorted(([, a], [, b]) => a - b);
  if (timer) return onTimer(call, timer[0], nowMs, free, desk);
  const lost = call.pending.find((entry) => (entry.leaseUntilMs ?? Infinity) <= nowMs);
  if (lost) {
    const result: JobResult = { ok: false, kind: 'unsure', message: 'no reply in time' };
    return onJob(call, { type: 'job', jobId: lost.id, result }, nowMs, free, desk);
  }
  return queueDueAtMs(call.pending) <= nowMs ? { entry: { type: 'retrying' } } : null;
}

function onTimer(
  call: Call,
  name: TimerName,
  nowMs: number,
  free: Placement | null,
  desk: Desk,
): Change {
  switch (name) {
    case 'answer':
      return call.direction === 'inbound'
        ? onAnswerLimit(call, desk, nowMs)
        : ending(call, outcome('agent-no-answer', 'system'), nowMs);
    case 'step':
      return onStepTimer(call, desk, nowMs);
    case 'each':
      return onEachTimer(call, desk, nowMs);
    case 'party':
      return onPartyTimer(call, desk, nowMs);
    case 'heir':
      return onHeirTimer(call, nowMs);
    case 'relayAnswer':
      return onNoRelay(call, 'relay-did-not-answer', free, nowMs);
    case 'control':
      return ending(call, outcome('relay-lost', 'system'), nowMs);
    case 'claim':
      return call.direction === 'inbound' || call.state === 'active'
        ? release(call, 'not ready in time', desk, nowMs)
        : ending(call, outcome('agent-did-not-join', 'agent'), nowMs);
    case 'graceLeft':
      return onAgentGone(call, desk, nowMs) ?? ending(call, outcome('agent-left', 'agent'), nowMs);
    case 'graceLost':
      return (
        onAgentGone(call, desk, nowMs) ??
        onAiLost(call, desk, nowMs) ??
        ending(call, outcome('agent-connection-lost', 'agent'), nowMs)
      );
    case 'mediaLost':
      return ending(call, outcome('media-lost', 'provider'), nowMs);
    case 'ask':
    case 'ring':
    case 'adopt':
    case 'join':
      return onOutboundTimer(call, name, nowMs);
    case 'cleanUp':
    case 'sweep':
      return {
        patch: { timers: without(call.timers, name) },
        entry: { type: 'room-clean-up', detail: { why: name } },
        add: [deleteRoom(nowMs)],
        // The relay may not have heard it the first time.
        messages: ['close'],
      };
  }
}

// ---- the decision ----------------------------------------------------------------------------------------------------------

function finish(before: Call, change: Change, nowMs: number): Decision {
  const patched: Call = { ...before, ...change.patch, version: before.version + 1 };
  const changed: Call = { ...patched, recalled: recalledBy(before, patched) };
  const kept = change.dropQueuedGraph ? withoutQueuedGraph(changed.pending) : changed.pending;
  const add = [...(change.add ?? []), ...aiJobs(before, changed, nowMs)];
  const added = add.map(({ job, giveUpAtMs }, index): PendingJob => ({
    id: changed.nextJobId + index,
    job,
    attempt: 0,
    notBeforeMs: nowMs,
    giveUpAtMs,
    leaseUntilMs: null,
  }));
  const { pending, started } = leaseJobs([...kept, ...added], nowMs);
  const nextJobId = changed.nextJobId + added.length;
  const call: Call = { ...changed, hadBy: havers(changed), pending, nextJobId };
  return {
    call,
    entry: change.entry,
    messages: change.messages ?? news(before, call),
    jobs: started,
  };
}

function havers({ hadBy, claim, heard }: Call): Call['hadBy'] {
  const present = [claim?.agentId ?? null, ...heard.map(agentOfIdentity)];
  const fresh = present.filter((agentId) => agentId !== null && !hadBy.includes(agentId));
  return fresh.length === 0 ? hadBy : [...new Set([...hadBy, ...(fresh as AgentId[])])];
}

/** The relay hears of a wanted state that differs from the one before. */
function news(before: Call, call: Call): RelayMessage[] {
  if (!hasMedia(call)) return [];
  return JSON.stringify(wanted(before)) === JSON.stringify(wanted(call)) ? [] : ['want'];
}
