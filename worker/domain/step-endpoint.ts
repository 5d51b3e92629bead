// Decisions about the step `ask`: an endpoint of the user says what is done with the call, or nothing in particular. Pure.
import { isOver, type Call } from './call.ts';
import { after, failureText, type Change } from './change.ts';
import type { Desk } from './desk.ts';
import { withOwn } from './flow.ts';
import { withoutJob, type Job, type JobResult, type PendingJob } from './job.ts';
import { RULES_LENGTH_MAX } from './rules.ts';
import { advance, type Begun } from './step-flow.ts';

/** How long an endpoint may take, its reply's body included, in ms. */
export const ASK_TIMEOUT_MS = 2_000;
/** Reply, commits and all; the call goes on then even if the reply was lost. */
const ASK_MS = ASK_TIMEOUT_MS + 2_000;

export function beginAsk(
  { url, data }: Pick<Extract<Job, { lane: 'endpoint' }>, 'url' | 'data'>,
  nowMs: number,
): Begun {
  const endsAtMs = nowMs + ASK_MS;
  const job = { lane: 'endpoint', action: 'ask', url, data } as const;
  return { stays: { kind: 'ask' }, endsAtMs, add: [{ job, giveUpAtMs: endsAtMs }] };
}

/** The endpoint has answered, or has not. Its steps come before those that follow in the rule. */
export function onEndpoint(
  call: Call,
  done: PendingJob,
  result: JobResult,
  desk: Desk,
  nowMs: number,
): Change {
  const pending = withoutJob(call.pending, done.id);
  const waiting: Call = { ...call, pending };
  const { flow } = call;
  if (isOver(call) || flow?.stage?.kind !== 'ask') {
    const action = 'endpoint.ask';
    return { patch: { pending }, entry: { type: 'action-done', detail: { action } } };
  }
  if (!result.ok) {
    const change = advance(waiting, desk, nowMs, `ask: ${failureText(result)}`);
    return after({ pending }, change);
  }
  const { steps = [] } = result;
  if (steps.length === 0) return after({ pending }, advance(waiting, desk, nowMs, 'no steps'));
  const asked = withOwn(flow, steps, false);
  const isTooLong = JSON.stringify(asked.own).length > RULES_LENGTH_MAX;
  const change = isTooLong
    ? advance(waiting, desk, nowMs, 'ask: too many steps')
    : advance({ ...waiting, flow: asked }, desk, nowMs, 'answer');
  return after({ pending }, change);
}
