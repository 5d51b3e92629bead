// Runs one job in the stateless half of the worker and waits for its reply, but not for ever.
import type { Call } from './domain/call.ts';
import { JOB_LEASE_MS, type Job, type JobResult, type PendingJob } from './domain/job.ts';
import { view } from './notices.ts';
import type { JobSubject, Outgoing } from './outgoing.ts';

/** @returns what came of it; `unsure` when no reply came before the job's lease ran out. Never throws. */
export async function runJob(
  outgoing: Pick<Outgoing, 'run'>,
  call: Call,
  { job }: PendingJob,
): Promise<JobResult> {
  const lost: JobResult = { ok: false, kind: 'unsure', message: 'no reply in time' };
  let timer: ReturnType<typeof setTimeout> | null = null;
  // The timer also keeps the Switchboard in memory until the reply is here.
  const timeout = new Promise<JobResult>((resolve) => {
    timer = setTimeout(() => resolve(lost), JOB_LEASE_MS);
  });
  const run = outgoing.run(subjectOf(call, job), job).catch((): JobResult => lost);
  const result = await Promise.race([run, timeout]);
  clearTimeout(timer);
  return result;
}

/** What a job needs to know of its call. */
function subjectOf(call: Call, job: Job): JobSubject {
  const { caller } = call;
  return {
    callId: call.id,
    numberId: call.numberId,
    providerCallId: call.providerCallId,
    answerSdp: call.answerSdp,
    offerSdp: call.offerSdp,
    opaque: call.id,
    user: caller && { phone: caller.phone, bsuid: caller.bsuid },
    contactId: caller?.contactId ?? null,
    wording: call.ask?.wording ?? null,
    direction: call.direction,
    outcome: call.outcome,
    answeredAtMs: call.answeredAtMs,
    startedAtMs: call.startedAtMs,
    finishedAtMs: call.finishedAtMs,
    endedAtMs: call.endedAtMs,
    createdAtMs: call.createdAtMs,
    view: job.lane === 'endpoint' ? view(call) : null,
    digits: call.flow?.digits ?? '',
  };
}
