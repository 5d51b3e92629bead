// Random walks of the state machine alone: any events in any order, then nothing but replies and time until the call is settled.
import {
  hasMedia,
  isSettled,
  type Call,
  type Placement,
} from '../../../../../worker/domain/call.ts';
import type { CallEvent } from '../../../../../worker/domain/call-event.ts';
import type { Decision } from '../../../../../worker/domain/decision.ts';
import type { JobResult, PendingJob } from '../../../../../worker/domain/job.ts';
import { dueAtMs, step } from '../../../../../worker/domain/step.ts';
import { claimOf, NOW, relay, type Walk } from './any-walk.ts';

/** Far more than any call needs to come to rest. */
const TURNS_MAX = 400;

/** The usual way of a call to where people talk; what a call has no use for changes nothing. */
const CONNECTS: readonly CallEvent[] = [
  { type: 'permission', isGranted: true },
  { type: 'relay.answered', seq: 1, sdp: 'ours' },
  { type: 'claim', claim: claimOf('a1') },
  { type: 'relay.offered', seq: 2, sdp: 'ours' },
  { type: 'relay.ready', seq: 3, identity: 'agent-a1' },
  { type: 'answer', providerCallId: 'w1', sdp: 'theirs' },
  { type: 'status', providerCallId: 'w1', status: 'accepted', atMs: NOW },
];

const DONE: JobResult = { ok: true, providerCallId: 'w1' };

/** @returns what is wrong, one line each; nothing for a walk on which the machine kept its word */
export function walk({ first, isConnected, turns }: Walk): string[] {
  const watch = new Watch();
  watch.apply(first, NOW, relay('r1'));
  for (const event of isConnected ? CONNECTS : []) {
    for (let left = watch.running().length; left > 0; left--)
      watch.apply(watch.replyTo(0, DONE), NOW, null);
    watch.apply(event, NOW, relay('r1'));
  }
  let nowMs = NOW;
  for (const { event: what, waitMs, free } of turns) {
    nowMs += waitMs;
    watch.apply(what.type === 'reply' ? watch.replyTo(what.which, what.result) : what, nowMs, free);
  }
  for (let turn = 0; watch.call && !isSettled(watch.call); turn++) {
    if (turn === TURNS_MAX) return [...watch.wrong, `still ${watch.call.state}`];
    const [running] = watch.running();
    const due = dueAtMs(watch.call);
    if (running) watch.apply(watch.replyTo(0, DONE), nowMs, null);
    else if (due !== Infinity) watch.apply({ type: 'tick' }, (nowMs = Math.max(nowMs, due)), null);
    else watch.apply({ type: 'end', actor: { kind: 'api', id: 'x' } }, nowMs, null);
  }
  return watch.wrong;
}

const ONCE = ['connect', 'ask', 'fallback'];
/** Events that are about nothing but the sound. */
const ABOUT_SOUND = ['audio', 'relay.played', 'relay.digit', 'relay.recording-failed', 'recording'];

/** Applies events and looks at every decision. */
class Watch {
  call: Call | null = null;
  readonly wrong: string[] = [];
  readonly #started = new Map<string, number>();
  #wasReady = false;

  running(): PendingJob[] {
    return (this.call?.pending ?? []).filter(({ leaseUntilMs }) => leaseUntilMs !== null);
  }

  replyTo(which: number, result: JobResult): CallEvent {
    const running = this.running();
    return { type: 'job', jobId: running[which % Math.max(1, running.length)]?.id ?? -1, result };
  }

  apply(what: CallEvent, nowMs: number, free: Placement | null): void {
    const before = this.call;
    this.#wasReady ||= what.type === 'relay.ready';
    const decision = step(before, what, nowMs, free);
    this.call = decision.call;
    if (decision.call !== before) this.#judge(before, decision, what.type);
    else if (decision.entry || decision.jobs.length > 0)
      this.wrong.push(`${what.type}: unchanged, yet acted`);
  }

  #judgeSound(before: Call, { entry, messages }: Decision, call: Call, by: string): void {
    const isAbout = ABOUT_SOUND.includes(by);
    const rest = ({ state, outcome, timers, heard, claim }: Call): string =>
      JSON.stringify([state, outcome, timers, heard, claim]);
    if (isAbout && rest(before) !== rest(call))
      this.wrong.push(`${by}: more than the sound changed`);
    if (JSON.stringify(before.audio) === JSON.stringify(call.audio)) return;
    if (!isAbout && entry?.type !== 'answered') this.wrong.push(`${by}: the sound changed`);
    if (hasMedia(call) && !messages.includes('want'))
      this.wrong.push(`${by}: the relay is not told`);
  }

  #judge(before: Call | null, decision: Decision, by: string): void {
    const { call, entry, jobs } = decision;
    if (!call) return void this.wrong.push(`${by}: the call is gone`);
    if (!entry) this.wrong.push(`${by}: changed without an entry`);
    if (call.version !== (before?.version ?? 0) + 1)
      this.wrong.push(`${by}: version ${call.version}`);
    if (before?.outcome && JSON.stringify(before.outcome) !== JSON.stringify(call.outcome)) {
      this.wrong.push(
        `${by}: ${before.outcome.reason} became ${call.outcome?.reason ?? 'nothing'}`,
      );
    }
    if (before) this.#judgeSound(before, decision, call, by);
    if (before?.state === 'ended' && call.state !== 'ended') this.wrong.push(`${by}: back to life`);
    if (this.running().filter(({ job }) => job.lane === 'graph').length > 1) {
      this.wrong.push(`${by}: two requests to the provider at once`);
    }
    for (const { job } of jobs) {
      const count = (this.#started.get(job.action) ?? 0) + 1;
      this.#started.set(job.action, count);
      if (ONCE.includes(job.action) && count > 1) this.wrong.push(`${by}: ${job.action} twice`);
      if (job.action === 'accept' && !this.#wasReady) this.wrong.push(`${by}: accept before ready`);
    }
  }
}
