// Decisions about replies to jobs: which part of a call each concerns, and what becomes of those that concern no part in particular.
// Pure.
import { describeJob, type Call, type Placement } from './call.ts';
import type { CallEvent } from './call-event.ts';
import { again, failureDetail, type Answer } from './change.ts';
import type { Desk } from './desk.ts';
import { withoutJob, type JobResult, type PendingJob } from './job.ts';
import { onAskSent } from './step-ask.ts';
import { onEndpoint } from './step-endpoint.ts';
import { onAccept, onPreAccept } from './step-inbound.ts';
import { onAgentThere, onDialled } from './step-outbound.ts';
import { onProbed } from './step-relay.ts';
import { onRoomJob } from './step-room.ts';

/** The reply to a job, or that none came. */
export function onJob(
  call: Call,
  { jobId, result }: Extract<CallEvent, { type: 'job' }>,
  nowMs: number,
  free: Placement | null,
  desk: Desk,
): Answer {
  const done = call.pending.find((entry) => entry.id === jobId);
  // The reply to an attempt whose lease ran out and that was settled otherwise.
  if (!done) return null;
  const { job } = done;
  if (job.lane === 'message') return onMessageSent(call, done, job.action, result);
  if (job.lane === 'endpoint') return onEndpoint(call, done, result, desk, nowMs);
  if (job.lane === 'record') return onRecorded(call, done, result, nowMs);
  if (job.lane === 'room') {
    if (job.action === 'probe') return onProbed(call, done, result, nowMs);
    if (job.action !== 'await') return onRoomJob(call, done, job.action, result, desk, nowMs);
    const pending = withoutJob(call.pending, done.id);
    if (result.ok) return onAgentThere(call, pending, free, nowMs);
    const retry = call.state === 'claimed' ? again(call, done, result, nowMs) : null;
    const detail = failureDetail(done, result);
    return retry ?? { patch: { pending }, entry: { type: 'action-failed', detail } };
  }
  switch (job.action) {
    case 'connect':
      return onDialled(call, done, result, nowMs);
    case 'ask':
      return onAskSent(call, done, result, free, nowMs);
    case 'pre_accept':
      return onPreAccept(call, done, result, desk, nowMs);
    case 'accept':
      return onAccept(call, done, result, nowMs);
    case 'reject':
    case 'terminate':
      return onEndTold(call, done, result, nowMs);
  }
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
  // The provider's own webhook was faster; of a call that turned up after its end none has come yet.
  const isConfirmed =
    call.state === 'ended' && (call.direction === 'inbound' || call.finishedAtMs !== null);
  const retry = isConfirmed ? null : again(call, done, result, nowMs);
  if (call.state === 'ended' && !retry) {
    return { patch: { pending }, entry: { type: 'action-failed', detail } };
  }
  return (
    retry ?? { patch: { state: 'ended', pending }, entry: { type: 'end-unconfirmed', detail } }
  );
}

function onMessageSent(
  call: Call,
  done: PendingJob,
  action: 'fallback' | 'send',
  result: JobResult,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  return result.ok
    ? { patch: { pending }, entry: { type: action === 'send' ? 'message-sent' : 'fallback-sent' } }
    : { patch: { pending }, entry: { type: 'action-failed', detail: failureDetail(done, result) } };
}

function onRecorded(call: Call, done: PendingJob, result: JobResult, nowMs: number): Answer {
  const pending = withoutJob(call.pending, done.id);
  if (!result.ok) {
    const detail = failureDetail(done, result);
    return (
      again(call, done, result, nowMs) ?? {
        patch: { pending },
        entry: { type: 'action-failed', detail },
      }
    );
  }
  const { charge = null } = result;
  if (charge === null || charge.billedS === 0) {
    return { patch: { pending, charge }, entry: { type: 'recorded' } };
  }
  return {
    patch: { pending, charge },
    entry: { type: 'charged', detail: { billed_seconds: charge.billedS } },
  };
}
