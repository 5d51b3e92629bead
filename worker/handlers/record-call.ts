// What a finished call leaves behind besides its own record: what it teaches about calling this user again, and what it costs.
import { billedSeconds, chargeOf } from '../domain/pricing.ts';
import type { JobResult } from '../domain/job.ts';
import type { OutcomeReason } from '../domain/outcome.ts';
import type { Fact } from '../domain/permission.ts';
import type { JobSubject, OutgoingDeps } from '../outgoing.ts';
import { recordOutcome } from './receive-permission.ts';

/** The job `record.outcome`. Repeating it changes nothing more. */
export async function recordCall(
  deps: Pick<OutgoingDeps, 'permissions' | 'rates' | 'now'>,
  call: JobSubject,
): Promise<JobResult> {
  const { contactId, numberId } = call;
  const fact = factOf(call);
  if (contactId && fact) await recordOutcome(deps, numberId, contactId, fact);
  if (call.direction === 'inbound') return { ok: true };
  const pickedUpAtMs = call.startedAtMs;
  const endedAtMs = call.finishedAtMs ?? call.endedAtMs ?? call.createdAtMs;
  const phone = call.user?.phone ?? null;
  const isBilled = pickedUpAtMs !== null && billedSeconds(endedAtMs - pickedUpAtMs) > 0;
  const tariff = isBilled ? await deps.rates.tariffFor(phone, pickedUpAtMs) : null;
  return {
    ok: true,
    charge: chargeOf({ direction: call.direction, pickedUpAtMs, endedAtMs }, tariff),
  };
}

/** Ends of outbound calls that count for the provider's rules about unanswered calls. */
const UNCONNECTED: Partial<Record<OutcomeReason, 'unanswered' | 'rejected'>> = {
  'callee-no-answer': 'unanswered',
  'callee-rejected': 'rejected',
};

function factOf(call: JobSubject): Fact | null {
  const { outcome } = call;
  const atMs = call.endedAtMs ?? call.createdAtMs;
  if (call.direction === 'inbound') {
    return { type: 'inbound', atMs: call.createdAtMs, isConnected: call.answeredAtMs !== null };
  }
  if (call.startedAtMs !== null) {
    return { type: 'outbound', atMs: call.startedAtMs, callId: call.callId, outcome: 'connected' };
  }
  const unconnected = outcome && UNCONNECTED[outcome.reason];
  if (unconnected) return { type: 'outbound', atMs, callId: call.callId, outcome: unconnected };
  return outcome?.code === undefined
    ? null
    : { type: 'dial-refused', atMs, code: outcome.code, retryAtMs: outcome.retryAtMs };
}
