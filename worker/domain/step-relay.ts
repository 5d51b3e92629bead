// Decisions about a relay that does not answer any more. Losing control is not losing media: while LiveKit still has the caller in
// the room, a call may go on without anybody steering it. Pure.
import { isControlLost, isOver, type Call, type Placement } from './call.ts';
import {
  again,
  ending,
  failureDetail,
  RELAY_ANSWER_MS,
  without,
  type Answer,
  type Change,
} from './change.ts';
import { laterJob, withoutJob, type JobResult, type PendingJob } from './job.ts';
import { outcome, type OutcomeReason } from './outcome.ts';

/** How long a call goes on that nobody can steer, in ms; its relay was silent for 30 s already. */
const CONTROL_LOST_MS = 90_000;
/** How often LiveKit is asked meanwhile, in ms. */
const PROBE_MS = 10_000;
/** A relay that answers nothing must not be followed by more of the same kind until the caller gives up. */
const PLACEMENTS_MAX = 3;

const isProbe = ({ job }: PendingJob): boolean => job.lane === 'room' && job.action === 'probe';

/** The process that held the media is gone, or gave no SDP: another one may still take the call. */
export function onNoRelay(
  call: Call,
  reason: OutcomeReason,
  free: Placement | null,
  nowMs: number,
): Change {
  return elsewhere(call, reason, free, nowMs) ?? ending(call, outcome(reason, 'system'), nowMs);
}

/**
 * Until the provider has seen our SDP, any relay will do.
 *
 * @returns null when it has, or no other relay can take the call
 */
export function elsewhere(
  call: Call,
  why: OutcomeReason,
  free: Placement | null,
  nowMs: number,
): Change | null {
  const isUnseen = call.state === 'offered' || call.state === 'offering';
  const attempt = (call.placement?.attempt ?? 1) + 1;
  if (!isUnseen || !free || attempt > PLACEMENTS_MAX) return null;
  return {
    patch: {
      placement: { ...free, attempt },
      isRoomJoined: false,
      pending: call.pending.filter((entry) => !isProbe(entry)),
      // Those of the relay before are over.
      timers: {
        ...without(call.timers, 'control', 'mediaLost'),
        relayAnswer: nowMs + RELAY_ANSWER_MS,
      },
    },
    entry: { type: 'placed-elsewhere', detail: { relay: free.relayId, why } },
    messages: [call.state === 'offered' ? 'answer' : 'offer'],
  };
}

export function onRelayLost(
  call: Call,
  instance: string,
  free: Placement | null,
  nowMs: number,
): Answer {
  if (isOver(call) || call.placement?.instance !== instance) return null;
  return onNoRelay(call, 'relay-lost', free, nowMs);
}

export function onRelaySilent(
  call: Call,
  instance: string,
  free: Placement | null,
  nowMs: number,
): Answer {
  if (isOver(call) || isControlLost(call) || call.placement?.instance !== instance) return null;
  // Who never was in the room cannot be found there.
  if (!call.isRoomJoined) return onNoRelay(call, 'relay-lost', free, nowMs);
  const control = nowMs + CONTROL_LOST_MS;
  return {
    patch: { timers: { ...call.timers, control } },
    entry: { type: 'control-lost', detail: { relay: call.placement.relayId } },
    add: [{ job: { lane: 'room', action: 'probe' }, giveUpAtMs: control }],
  };
}

export function onRelayBack(call: Call): Answer {
  if (!isControlLost(call)) return null;
  return {
    patch: {
      timers: without(call.timers, 'control'),
      pending: call.pending.filter((entry) => !isProbe(entry)),
    },
    entry: { type: 'control-back' },
  };
}

/** LiveKit has said whether the caller is still in the room. */
export function onProbed(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  const detail = result.ok ? { in_room: true } : failureDetail(done, result);
  const entry = { type: 'control-checked', detail } as const;
  if (isOver(call)) return { patch: { pending }, entry };
  if (result.ok)
    return { patch: { pending: laterJob(call.pending, done, nowMs + PROBE_MS) }, entry };
  if (result.kind === 'refused') {
    return ending({ ...call, pending }, outcome('relay-lost', 'system'), nowMs);
  }
  return again(call, done, result, nowMs) ?? { patch: { pending }, entry };
}
