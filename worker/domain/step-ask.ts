// Decisions about an outbound call that waits for the user's permission. Pure.
import type { Call, Placement } from './call.ts';
import { failureDetail, failureText, finalEnd, type Answer } from './change.ts';
import { withoutJob, type JobResult, type PendingJob } from './job.ts';
import { outcome } from './outcome.ts';
import { begin } from './step-outbound.ts';

/** Provider: the user has granted permanent permission already, Calling API errors, read 2026-06. */
const PERMANENT_EXISTS = 138017;

export function onPermission(
  call: Call,
  isGranted: boolean,
  free: Placement | null,
  nowMs: number,
): Answer {
  if (call.state !== 'asking') return null;
  if (!isGranted) return finalEnd(call, outcome('permission-not-granted', 'caller'), nowMs);
  return begin(call, free, nowMs, 'asked');
}

export function onAskSent(
  call: Call,
  done: PendingJob,
  result: JobResult,
  free: Placement | null,
  nowMs: number,
): Answer {
  const pending = withoutJob(call.pending, done.id);
  // A request whose reply was lost may have arrived: the user's answer is waited for all the same.
  if (result.ok || result.kind === 'unsure' || call.state !== 'asking') {
    const detail = result.ok ? {} : { detail: failureDetail(done, result) };
    return {
      patch: { pending },
      entry: { type: result.ok ? 'action-done' : 'action-failed', ...detail },
    };
  }
  // A permission that is there needs no asking.
  if (result.code === PERMANENT_EXISTS) {
    const change = begin({ ...call, pending }, free, nowMs, 'asked');
    return { ...change, patch: { pending, ...change.patch } };
  }
  const refused = outcome('permission-not-granted', 'provider', failureText(result));
  return finalEnd({ ...call, pending }, refused, nowMs);
}
