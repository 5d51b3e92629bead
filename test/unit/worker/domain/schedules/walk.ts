// Random walks of the state machine alone: any events in any order, then nothing but replies and time until the call is settled.
import fc from 'fast-check';
import {
  hasMedia,
  isSettled,
  type AudioCommand,
  type Call,
  type CallEvent,
  type CallPolicy,
  type Decision,
  type Dial,
  type MediaEndReason,
  type Offer,
  type Placement,
  type Target,
  type Termination,
} from '../../../../../worker/domain/call.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../../worker/domain/ids.ts';
import type { JobResult, PendingJob } from '../../../../../worker/domain/job.ts';
import { dueAtMs, step } from '../../../../../worker/domain/step.ts';

const NOW = Date.UTC(2026, 9, 1);
/** Far more than any call needs to come to rest. */
const TURNS_MAX = 400;

/** One turn of a walk: what happens, how long after the one before, and where media could go then. */
export interface Turn {
  readonly event:
    CallEvent | { readonly type: 'reply'; readonly which: number; readonly result: JobResult };
  readonly waitMs: number;
  readonly free: Placement | null;
}

export interface Walk {
  readonly first: CallEvent;
  readonly turns: readonly Turn[];
}

const base = {
  id: 'c1' as CallId,
  numberId: 'n1' as NumberId,
  displayPhoneNumber: '15550109999',
  caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
};
const relay = (name: string): Placement => ({
  relayId: name as RelayId,
  instance: `${name}-1`,
  lastSeq: 0,
});
const claimOf = (agent: string) => ({
  agentId: agent as AgentId,
  agentName: agent,
  identity: `agent-${agent}`,
  atMs: NOW,
});

const policy: fc.Arbitrary<CallPolicy> = fc.record({
  hasFallbackText: fc.boolean(),
  isLeftToVoicemail: fc.boolean(),
  recording: fc.constantFrom(null, { announcement: null }, { announcement: 'p1' }),
});
const offer: fc.Arbitrary<Offer> = fc.record({
  ...constants({ ...base, providerCallId: 'w1', payload: null, sdp: 'v=0', answerLimitMs: 30_000 }),
  policy,
  offeredAtMs: fc.constantFrom(NOW, NOW - 20_000, NOW - 40_000),
});
const target: fc.Arbitrary<Target> = fc.constantFrom<Target>(
  { kind: 'agent', agentId: 'a1' as AgentId },
  { kind: 'ai', name: 'ai', metadata: '' },
  { kind: 'room' },
);
const dial: fc.Arbitrary<Dial> = fc.record({
  ...constants({ ...base, ringMs: 30_000 }),
  target,
  claim: fc.constantFrom(null, claimOf('a1')),
  policy,
  ask: fc.constantFrom(null, null, { wording: { text: null }, waitMs: 60_000 }),
});
const termination: fc.Arbitrary<Termination> = fc.record({
  ...constants({ ...base, atMs: NOW }),
  providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
  wasPickedUp: fc.boolean(),
  error: fc.constantFrom(undefined, undefined, '138021: no media'),
});

const replies = fc.constantFrom<JobResult>(
  { ok: true },
  { ok: true, providerCallId: 'w1' },
  { ok: true, already: true },
  { ok: false, kind: 'refused', message: 'no', code: 138006 },
  { ok: false, kind: 'unavailable', message: 'busy', status: 429 },
  { ok: false, kind: 'unsure', message: 'no reply in time' },
);
const identity = fc.constantFrom('agent-a1', 'agent-a1', 'agent-a2', 'ai-1');
const seq = fc.integer({ min: 1, max: 60 });
const endReasons: MediaEndReason[] = [
  'closed',
  'no-capacity',
  'media-failed',
  'media-lost',
  'room-lost',
];

const command: fc.Arbitrary<AudioCommand> = fc.oneof(
  fc.record({
    action: fc.constantFrom(
      'hold',
      'unhold',
      'stop-playing',
      'record',
      'pause-recording',
      'resume-recording',
      'stop-recording',
    ),
  }),
  fc.record({
    action: fc.constant('play'),
    promptId: fc.constantFrom('p1', 'p2'),
    isLoop: fc.boolean(),
  }),
);

const event: fc.Arbitrary<Turn['event']> = fc.oneof(
  { weight: 12, arbitrary: reply() },
  fc.record({ type: fc.constant('terminate'), termination }),
  fc.record({ type: fc.constant('relay.answered'), seq, sdp: fc.constant('ours') }),
  fc.record({ type: fc.constant('relay.offered'), seq, sdp: fc.constant('ours') }),
  fc.record({
    type: fc.constantFrom('relay.media-up', 'relay.room-joined', 'relay.room-away'),
    seq,
  }),
  fc.record({ type: fc.constantFrom('relay.ready', 'relay.participant-joined'), seq, identity }),
  fc.record({
    type: fc.constant('relay.participant-left'),
    seq,
    identity,
    why: fc.constantFrom('left', 'lost', 'removed'),
  }),
  fc.record({
    type: fc.constant('relay.ended'),
    seq,
    reason: fc.constantFrom(...endReasons),
    quality: fc.constant(null),
  }),
  fc.record({
    type: fc.constantFrom('relay.lost', 'relay.silent'),
    instance: fc.constantFrom('r1-1', 'r2-1'),
  }),
  fc.constant<CallEvent>({ type: 'relay.back' }),
  fc.constantFrom('a1', 'a2').map((agent) => ({ type: 'claim' as const, claim: claimOf(agent) })),
  fc.boolean().map((isGranted) => ({ type: 'permission' as const, isGranted })),
  fc.record({
    type: fc.constant('answer'),
    providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
    sdp: fc.constant('theirs'),
  }),
  fc.record({
    type: fc.constant('status'),
    providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
    status: fc.constantFrom('ringing', 'accepted', 'rejected'),
    atMs: fc.constant(NOW),
  }),
  fc.constant<CallEvent>({ type: 'end', actor: { kind: 'api', id: 'x' } }),
  command.map((audio) => ({
    type: 'audio' as const,
    command: audio,
    actor: { kind: 'api' as const, id: 'x' },
  })),
  fc.record({
    type: fc.constant('relay.played'),
    seq,
    playId: fc.nat(40),
    isComplete: fc.boolean(),
  }),
  fc.record({ type: fc.constant('relay.digit'), seq, digit: fc.constant('5') }),
  fc.constant<CallEvent>({
    type: 'recording',
    recording: { durationMs: 1, bytes: 1, sha256: 'a1', expiresAt: null },
  }),
  { weight: 3, arbitrary: fc.constant<CallEvent>({ type: 'tick' }) },
  offer.map((known) => ({ type: 'offer' as const, offer: known })),
);

export const anyWalk: fc.Arbitrary<Walk> = fc.record({
  first: fc.oneof(
    offer.map((announced) => ({ type: 'offer' as const, offer: announced })),
    dial.map((wanted) => ({ type: 'dial' as const, dial: wanted })),
    fc.record({ type: fc.constant('terminate'), termination }),
  ),
  turns: fc.array(
    fc.record({
      event,
      waitMs: fc.oneof(fc.nat(400), fc.nat(400), fc.nat(9_000)),
      free: fc.constantFrom(null, relay('r1'), relay('r1'), relay('r2')),
    }),
    { maxLength: 50, size: 'max' },
  ),
});

function reply(): fc.Arbitrary<Turn['event']> {
  return fc.record({ type: fc.constant('reply'), which: fc.nat(3), result: replies });
}

function constants<T extends object>(values: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  const entries = Object.entries(values).map(([key, value]) => [key, fc.constant(value)]);
  // One arbitrary for each member, which is what makes the cast sound.
  return Object.fromEntries(entries) as { [K in keyof T]: fc.Arbitrary<T[K]> };
}

/** @returns what is wrong, one line each; nothing for a walk on which the machine kept its word */
export function walk({ first, turns }: Walk): string[] {
  const watch = new Watch();
  watch.apply(first, NOW, relay('r1'));
  let nowMs = NOW;
  for (const { event: what, waitMs, free } of turns) {
    nowMs += waitMs;
    watch.apply(what.type === 'reply' ? watch.replyTo(what.which, what.result) : what, nowMs, free);
  }
  for (let turn = 0; watch.call && !isSettled(watch.call); turn++) {
    if (turn === TURNS_MAX) return [...watch.wrong, `still ${watch.call.state}`];
    const [running] = watch.running();
    const due = dueAtMs(watch.call);
    if (running) watch.apply(watch.replyTo(0, { ok: true, providerCallId: 'w1' }), nowMs, null);
    else if (due !== Infinity) watch.apply({ type: 'tick' }, (nowMs = Math.max(nowMs, due)), null);
    else watch.apply({ type: 'end', actor: { kind: 'api', id: 'x' } }, nowMs, null);
  }
  return watch.wrong;
}

const ONCE = ['connect', 'ask', 'fallback'];
/** Events that are about nothing but the sound. */
const ABOUT_SOUND = ['audio', 'relay.played', 'relay.digit', 'recording'];

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
