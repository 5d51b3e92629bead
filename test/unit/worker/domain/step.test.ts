// The decisions about a call, without anything around them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CALL_STATES,
  hasMedia,
  isSettled,
  type Call,
  type CallState,
  type Placement,
} from '../../../../worker/domain/call.ts';
import type { CallEvent, Dial, Offer, Termination } from '../../../../worker/domain/call-event.ts';
import type { Decision } from '../../../../worker/domain/decision.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../worker/domain/ids.ts';
import { dueAtMs, step as decide } from '../../../../worker/domain/step.ts';
import { NO_FACTS } from '../../../support/no-facts.ts';

const NOW = 1_790_000_000_000;
const id = 'c1' as CallId;
const placement = { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 };
const numberId = 'n1' as NumberId;
const policy = { hasFallbackText: true, isLeftToVoicemail: false, recording: null };
const offer: Offer = {
  id,
  numberId,
  displayPhoneNumber: '15550109999',
  providerCallId: 'wacid.x',
  caller: { contactId: 'p1' as ContactId, name: 'Ana', phone: '351910000001' },
  payload: null,
  routing: NO_FACTS,
  policy,
  sdp: 'v=0',
  offeredAtMs: NOW,
  answerLimitMs: 30_000,
};
const termination: Termination = {
  id,
  numberId,
  displayPhoneNumber: '15550109999',
  providerCallId: 'wacid.x',
  atMs: NOW,
  wasPickedUp: false,
};
const claimant = {
  agentId: 'a1' as AgentId,
  agentName: 'Bea',
  identity: 'agent-a1',
  atMs: NOW,
};

/** With a relay that has room. */
const step = (
  call: Call | null,
  event: CallEvent,
  nowMs: number,
  free: Placement | null = placement,
): Decision => decide(call, event, nowMs, free);

/** Applies events one after the other, answering every started job of the given kinds with success. */
function play(events: readonly CallEvent[], nowMs = NOW): { call: Call; decisions: Decision[] } {
  let call: Call | null = null;
  const decisions: Decision[] = [];
  const apply = (event: CallEvent): void => {
    const decision = step(call, event, nowMs);
    call = decision.call;
    decisions.push(decision);
    for (const { id: jobId, job } of decision.jobs) {
      const named = job.action === 'connect' ? { providerCallId: 'wacid.x' } : {};
      apply({ type: 'job', jobId, result: { ok: true, ...named } });
    }
  };
  events.forEach(apply);
  if (!call) throw new Error('no call');
  return { call, decisions };
}

const toOffered: CallEvent[] = [{ type: 'offer', offer }];
const toRinging: CallEvent[] = [...toOffered, { type: 'relay.answered', seq: 1, sdp: 'answer' }];
const toClaimed: CallEvent[] = [...toRinging, { type: 'claim', claim: claimant }];
const toActive: CallEvent[] = [...toClaimed, { type: 'relay.ready', seq: 2, identity: 'agent-a1' }];

const dial = {
  id,
  numberId,
  displayPhoneNumber: '15550109999',
  caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
  target: { kind: 'room' },
  claim: null,
  ringMs: 45_000,
  ask: null,
  policy,
} satisfies Dial;
const toOffering: CallEvent[] = [{ type: 'dial', dial }];
const toDialling: CallEvent[] = [...toOffering, { type: 'relay.offered', seq: 1, sdp: 'offer' }];
const toAsking: CallEvent[] = [
  { type: 'dial', dial: { ...dial, ask: { wording: { text: null }, waitMs: 60_000 } } },
];
const toRungAgent: CallEvent[] = [
  {
    type: 'dial',
    dial: { ...dial, target: { kind: 'agent', agentId: 'a1' as AgentId } },
  },
];

const jobsOf = (decisions: readonly Decision[]): string[] =>
  decisions.flatMap(({ jobs }) => jobs.map(({ job }) => `${job.lane}.${job.action}`));

describe('the way of a call', () => {
  it('goes from the offer to the answered call', () => {
    const { call, decisions } = play(toActive);
    expect(call).toMatchObject({ state: 'active', answeredAtMs: NOW });
    expect(jobsOf(decisions)).toEqual(['room.create', 'graph.pre_accept', 'graph.accept']);
    expect(decisions.flatMap(({ messages }) => messages)).toEqual([
      'answer',
      'want',
      'want',
      'want',
    ]);
  });

  it('answers 4 s before the limit of the provider, counted from its own timestamp', () => {
    const { call } = play(toOffered, NOW + 700);
    expect(call.timers.answer).toBe(NOW + 26_000);
  });

  it('drops SDP when it ends, and everything else once nothing is left to do', () => {
    const { call } = play([
      ...toActive,
      { type: 'terminate', termination },
      { type: 'relay.ended', seq: 3, reason: 'closed', quality: null },
    ]);
    expect(call).toMatchObject({ state: 'ended', offerSdp: null, answerSdp: null });
    expect(isSettled(call)).toBe(false);
    const swept = step(call, { type: 'tick' }, NOW + 60_000);
    const [job] = swept.jobs;
    if (!swept.call || !job) throw new Error('expected the room to be swept');
    const last = step(
      swept.call,
      { type: 'job', jobId: job.id, result: { ok: true } },
      NOW + 60_001,
    );
    expect(last.call && isSettled(last.call)).toBe(true);
  });
});

describe('ends', () => {
  it.each<[name: string, events: CallEvent[], reason: string, jobs: string[]]>([
    [
      'the caller gives up while it rings',
      [...toRinging, { type: 'terminate', termination }],
      'caller-gave-up',
      [],
    ],
    [
      'the caller hangs up',
      [...toActive, { type: 'terminate', termination }],
      'caller-hung-up',
      [],
    ],
    [
      'the provider reports an error',
      [
        ...toActive,
        { type: 'terminate', termination: { ...termination, error: '138021: no media' } },
      ],
      'provider-ended',
      [],
    ],
    [
      'an API call while it rings',
      [...toRinging, { type: 'end', actor: { kind: 'api', id: 'x' } }],
      'rejected',
      ['graph.reject'],
    ],
    [
      'an API call when answered',
      [...toActive, { type: 'end', actor: { kind: 'agent', id: 'a1' } }],
      'agent-hung-up',
      ['graph.terminate'],
    ],
    [
      'the relay is lost',
      [...toActive, { type: 'relay.lost', instance: 'i1' }],
      'relay-lost',
      ['graph.terminate', 'message.fallback'],
    ],
    [
      'the room is deleted',
      [...toActive, { type: 'relay.ended', seq: 9, reason: 'room-deleted', quality: null }],
      'room-deleted',
      ['graph.terminate', 'room.delete'],
    ],
  ])('%s', (_name, events, reason, jobs) => {
    const { call, decisions } = play(events);
    expect(call).toMatchObject({ state: 'ended', outcome: { reason } });
    expect(jobsOf(decisions)).toEqual(expect.arrayContaining(jobs));
    if (jobs.length === 0) expect(jobsOf(decisions)).not.toContain('graph.terminate');
  });

  it('a terminate waits for the accept that is under way and cancels what has not started', () => {
    let call: Call | null = null;
    const started: string[] = [];
    const apply = (event: CallEvent): Decision => {
      const decision = step(call, event, NOW);
      call = decision.call;
      started.push(...jobsOf([decision]));
      return decision;
    };
    for (const event of toOffered) apply(event);
    const [preAccept] = apply({ type: 'relay.answered', seq: 1, sdp: 'answer' }).jobs;
    apply({ type: 'job', jobId: preAccept?.id ?? 0, result: { ok: true } });
    apply({ type: 'claim', claim: claimant });
    const [accept] = apply({ type: 'relay.ready', seq: 2, identity: 'agent-a1' }).jobs;
    apply({ type: 'end', actor: { kind: 'api', id: 'x' } });
    expect(started).not.toContain('graph.terminate');
    apply({ type: 'job', jobId: accept?.id ?? 0, result: { ok: true } });
    expect(started.at(-1)).toBe('graph.terminate');
    expect(call).toMatchObject({ state: 'ending', answeredAtMs: null });
  });

  it('stays "ending" while the provider does not confirm, and gives up after 2 minutes', () => {
    let { call } = play(toActive);
    let nowMs = NOW;
    let decision = step(call, { type: 'end', actor: { kind: 'api', id: 'x' } }, nowMs);
    let attempts = 0;
    while (decision.call && decision.call.state === 'ending') {
      call = decision.call;
      const job = call.pending.find(
        ({ job: { lane }, leaseUntilMs }) => lane === 'graph' && leaseUntilMs,
      );
      if (job) {
        attempts += 1;
        const result = { ok: false, kind: 'unsure', message: '503' } as const;
        decision = step(call, { type: 'job', jobId: job.id, result }, nowMs);
      } else {
        nowMs = dueAtMs(call);
        decision = step(call, { type: 'tick' }, nowMs);
      }
    }
    expect(decision.entry?.type).toBe('end-unconfirmed');
    expect(attempts).toBeGreaterThan(10);
    expect(nowMs - NOW).toBeGreaterThan(100_000);
    expect(nowMs - NOW).toBeLessThanOrEqual(120_000);
  });
});

describe('a relay that cannot take the call', () => {
  const other = { relayId: 'r2' as RelayId, instance: 'i2', lastSeq: 0 };
  const moved = { placement: { ...other, attempt: 2 }, state: 'offered' };

  it('is followed by another one while the provider has not seen our answer', () => {
    const { call } = play(toOffered);
    const full: CallEvent = { type: 'relay.ended', seq: 1, reason: 'no-capacity', quality: null };
    const decision = step(call, full, NOW, other);
    expect(decision).toMatchObject({ call: moved, messages: ['answer'] });
    expect(step(call, { type: 'relay.lost', instance: 'i1' }, NOW, other).call).toMatchObject(
      moved,
    );
    expect(step(call, { type: 'tick' }, NOW + 5_000, other).call).toMatchObject(moved);
    expect(step(play(toOffering).call, full, NOW, other).messages).toEqual(['offer']);
  });

  it('twice at most, and what the first one still says counts no more', () => {
    const { call } = play(toOffered);
    const late = step(call, { type: 'tick' }, NOW + 5_000, other).call;
    expect(step(late, { type: 'relay.lost', instance: 'i1' }, NOW + 5_001).call).toBe(late);
    const third = step(late, { type: 'tick' }, NOW + 10_000, placement).call;
    expect(third).toMatchObject({ state: 'offered', placement: { attempt: 3 } });
    const last = step(third, { type: 'tick' }, NOW + 15_000, other);
    expect(last.call?.outcome?.reason).toBe('relay-did-not-answer');
  });

  it('ends the call when there is no other, and once the provider has our answer', () => {
    const { call } = play(toOffered);
    expect(step(call, { type: 'tick' }, NOW + 5_000, null).call?.outcome?.reason).toBe(
      'relay-did-not-answer',
    );
    const none = step(null, { type: 'offer', offer }, NOW, null);
    expect(none.call?.outcome?.reason).toBe('no-relay');
    expect(jobsOf([none])).toContain('graph.reject');
    const ringing = play(toRinging).call;
    expect(step(ringing, { type: 'relay.lost', instance: 'i1' }, NOW, other).call).toMatchObject({
      outcome: { reason: 'relay-lost' },
    });
  });
});

describe('a relay that nothing is heard of', () => {
  const joined: CallEvent[] = [...toActive, { type: 'relay.room-joined', seq: 3 }];
  const silent: CallEvent = { type: 'relay.silent', instance: 'i1' };

  it('leaves the call alone while LiveKit has the caller, for 90 s', () => {
    let { call } = play(joined);
    let nowMs = NOW;
    let probes = 0;
    for (let decision = step(call, silent, nowMs); decision.call?.state === 'active';) {
      call = decision.call;
      const [job] = call.pending.filter(({ leaseUntilMs }) => leaseUntilMs !== null);
      if (job) {
        expect(job.job).toEqual({ lane: 'room', action: 'probe' });
        probes += 1;
        decision = step(call, { type: 'job', jobId: job.id, result: { ok: true } }, nowMs);
      } else {
        nowMs = dueAtMs(call);
        decision = step(call, { type: 'tick' }, nowMs);
        call = decision.call ?? call;
      }
    }
    expect(nowMs - NOW).toBe(90_000);
    expect(probes).toBe(9);
    expect(call.outcome?.reason).toBe('relay-lost');
  });

  it('ends it once LiveKit has not got the caller', () => {
    const decision = step(play(joined).call, silent, NOW);
    const [job] = decision.jobs;
    const gone = { ok: false, kind: 'refused', message: 'gone' } as const;
    const end = step(decision.call, { type: 'job', jobId: job?.id ?? 0, result: gone }, NOW);
    expect(end.call?.outcome?.reason).toBe('relay-lost');
  });

  it('ends it at once when the caller never was in the room', () => {
    expect(step(play(toRinging).call, silent, NOW).call?.outcome?.reason).toBe('relay-lost');
  });

  it('changes nothing more once the relay is back', () => {
    const lost = step(play(joined).call, silent, NOW);
    const back = step(lost.call, { type: 'relay.back' }, NOW + 50_000);
    expect(back.call).toMatchObject({ state: 'active', timers: {}, pending: [] });
    const late = { type: 'job', jobId: lost.jobs[0]?.id ?? 0, result: { ok: true } } as const;
    expect(step(back.call, late, NOW + 50_001).call).toBe(back.call);
  });
});

describe('a number with a voicemail of the provider', () => {
  it('leaves it whom nobody answers, and rejects only on purpose', () => {
    const offered: CallEvent = {
      type: 'offer',
      offer: { ...offer, policy: { ...policy, isLeftToVoicemail: true } },
    };
    const { call } = play([offered, { type: 'relay.answered', seq: 1, sdp: 'answer' }]);
    const left = step(call, { type: 'tick' }, NOW + 26_000);
    expect(left.call).toMatchObject({ state: 'ended', outcome: { reason: 'no-answer' } });
    expect(jobsOf([left])).not.toContain('graph.reject');
    const rejected = step(call, { type: 'end', actor: { kind: 'api', id: 'x' } }, NOW);
    expect(jobsOf([rejected])).toContain('graph.reject');
  });
});

describe('clocks', () => {
  it('of which ours is slow do not answer later than the provider waits', () => {
    const { call } = play(toOffered, NOW - 20_000);
    expect(call.answerByMs).toBe(NOW - 20_000 + 26_000);
  });
});

describe('the fallback text', () => {
  const end: CallEvent = { type: 'end', actor: { kind: 'api', id: 'x' } };

  it('goes out once when Roomline could not serve the caller', () => {
    expect(jobsOf([step(play(toRinging).call, { type: 'tick' }, NOW + 26_000)])).toContain(
      'message.fallback',
    );
    const { call } = play([
      { type: 'offer', offer: { ...offer, policy: { ...policy, hasFallbackText: false } } },
    ]);
    expect(jobsOf([step(call, { type: 'tick' }, NOW + 26_000)])).not.toContain('message.fallback');
  });

  it('is not sent after ends that somebody wanted, nor to users who were never reached', () => {
    for (const events of [
      [...toRinging, end],
      [...toActive, end],
      [...toRinging, { type: 'terminate', termination } as const],
      [...toDialling, { type: 'relay.lost', instance: 'i1' } as const],
    ]) {
      expect(jobsOf(play(events).decisions)).not.toContain('message.fallback');
    }
  });
});

describe('media that breaks off', () => {
  const lost: CallEvent = { type: 'relay.ended', seq: 9, reason: 'media-lost', quality: null };

  it('is a caller who hung up when the provider says so within 3 s', () => {
    const { call } = play([...toActive, lost, { type: 'terminate', termination }]);
    expect(call.outcome?.reason).toBe('caller-hung-up');
  });

  it('ends the call as lost when the provider says nothing', () => {
    const { call } = play([...toActive, lost]);
    expect(call.state).toBe('active');
    const decision = step(call, { type: 'tick' }, NOW + 3_000);
    expect(decision.call).toMatchObject({ state: 'ending', outcome: { reason: 'media-lost' } });
    expect(jobsOf([decision])).toContain('graph.terminate');
  });
});

describe('jobs', () => {
  it('whose reply is lost are repeated after their lease', () => {
    const { call } = play(toOffered);
    const waiting = step(call, { type: 'relay.answered', seq: 1, sdp: 'a' }, NOW).call as Call;
    const due = dueAtMs(waiting);
    // The relay's answer is here, so the next thing due is the lease of the pre-accept.
    const lost = step(waiting, { type: 'tick' }, due);
    expect(lost.entry).toMatchObject({ type: 'ringing', detail: { kind: 'unsure' } });
    const again = step(lost.call, { type: 'tick' }, dueAtMs(lost.call as Call));
    expect(again.jobs[0]).toMatchObject({ attempt: 2, job: { action: 'pre_accept' } });
  });

  it('that are answered after they were settled otherwise change nothing', () => {
    const { call } = play(toActive);
    const decision = step(call, { type: 'job', jobId: 2, result: { ok: true } }, NOW);
    expect(decision).toEqual({ call, entry: null, messages: [], jobs: [] });
  });
});

// ---- every state and every event ---------------------------------------------------------------------------------------------

const anyEvent: fc.Arbitrary<CallEvent> = fc.oneof(
  fc.constant<CallEvent>({ type: 'offer', offer }),
  fc.record({
    type: fc.constant('terminate' as const),
    termination: fc.boolean().map((wasPickedUp) => ({ ...termination, wasPickedUp })),
  }),
  fc.record({
    type: fc.constant('relay.answered' as const),
    seq: fc.nat(40),
    sdp: fc.constant('a'),
  }),
  fc.record({ type: fc.constantFrom('relay.media-up', 'relay.room-joined'), seq: fc.nat(40) }),
  fc.record({
    type: fc.constantFrom('relay.participant-joined', 'relay.ready', 'relay.publisher-skipped'),
    seq: fc.nat(40),
    identity: fc.constantFrom('agent-a1', 'agent-a2'),
  }),
  fc.record({
    type: fc.constant('relay.participant-left' as const),
    seq: fc.nat(40),
    identity: fc.constantFrom('agent-a1', 'agent-a2'),
    why: fc.constantFrom('left' as const, 'lost' as const, 'removed' as const),
  }),
  fc.record({
    type: fc.constant('relay.ended' as const),
    seq: fc.nat(40),
    reason: fc.constantFrom(
      'closed' as const,
      'media-lost' as const,
      'room-deleted' as const,
      'no-capacity' as const,
    ),
    quality: fc.constant(null),
  }),
  fc
    .constantFrom('relay.lost' as const, 'relay.silent' as const)
    .chain((type) => fc.constantFrom('i1', 'i2').map((instance) => ({ type, instance }))),
  fc.constant<CallEvent>({ type: 'relay.back' }),
  fc.record({ type: fc.constant('relay.room-away' as const), seq: fc.nat(40) }),
  fc.record({
    type: fc.constant('relay.offered' as const),
    seq: fc.nat(40),
    sdp: fc.constant('o'),
  }),
  fc
    .constantFrom('wacid.x', 'wacid.y')
    .map((providerCallId): CallEvent => ({ type: 'answer', providerCallId, sdp: 'answer' })),
  fc.record({
    type: fc.constant('status' as const),
    providerCallId: fc.constantFrom('wacid.x', 'wacid.y'),
    status: fc.constantFrom('ringing' as const, 'accepted' as const, 'rejected' as const),
    atMs: fc.constant(NOW),
  }),
  fc.boolean().map((isGranted): CallEvent => ({ type: 'permission', isGranted })),
  fc.constantFrom('a1', 'a2').map((agent): CallEvent => {
    const agentId = agent as AgentId;
    return { type: 'claim', claim: { ...claimant, agentId, identity: `agent-${agent}` } };
  }),
  fc.constant<CallEvent>({ type: 'end', actor: { kind: 'api', id: 'x' } }),
  fc.record({
    type: fc.constant('job' as const),
    jobId: fc.nat(8),
    result: fc.constantFrom(
      { ok: true } as const,
      { ok: false, kind: 'refused', message: 'no' } as const,
      { ok: false, kind: 'unsure', message: 'timeout' } as const,
    ),
  }),
  fc.constant<CallEvent>({ type: 'tick' }),
);

/** Random events alone hardly ever answer a call, so schedules start anywhere along the way of one. */
const anyStart = fc
  .constantFrom(
    [],
    toOffered,
    toRinging,
    toClaimed,
    toActive,
    toAsking,
    toRungAgent,
    toOffering,
    toDialling,
  )
  .map((events) => (events.length === 0 ? null : play(events).call));
/** No relay has room, or another one than the first has. */
const anyPlace = fc.constantFrom(null, { ...placement, instance: 'i2' });
const anyWait = fc.oneof(
  { weight: 3, arbitrary: fc.nat(500) },
  { weight: 1, arbitrary: fc.nat(8_000) },
);

describe('any events in any order', () => {
  it('leave a call that is whole: one outcome, one graph action at a time, nothing stuck', () => {
    const reached = new Set<CallState>();
    fc.assert(
      fc.property(
        anyStart,
        fc.array(fc.tuple(anyEvent, anyWait, anyPlace), { maxLength: 40 }),
        (start, schedule) => {
          let call: Call | null = start;
          let nowMs = NOW;
          let outcome: Call['outcome'] = null;
          if (start) reached.add(start.state);
          for (const [event, laterMs, free] of schedule) {
            nowMs += laterMs;
            const decision: Decision = step(call, event, nowMs, free);
            expect(decision.call !== call).toBe(decision.entry !== null);
            if (decision.call !== call) {
              expect(decision.call?.version).toBe((call?.version ?? 0) + 1);
            }
            call = decision.call;
            if (!call) continue;
            reached.add(call.state);
            // Written once, never changed.
            if (outcome) expect(call.outcome).toEqual(outcome);
            outcome = call.outcome;
            expect(call.outcome === null).toBe(!['ending', 'ended'].includes(call.state));
            const running = call.pending.filter(({ leaseUntilMs }) => leaseUntilMs !== null);
            expect(running.filter(({ job }) => job.lane === 'graph').length).toBeLessThanOrEqual(1);
            // Whatever is not settled wakes up by itself.
            const waits = call.state === 'active' && call.pending.length === 0;
            if (!isSettled(call) && !waits) expect(dueAtMs(call)).not.toBe(Infinity);
            if (hasMedia(call)) expect(call.placement).not.toBeNull();
          }
        },
      ),
      { numRuns: 2_000 },
    );
    // The property means little if the schedules do not get anywhere.
    expect([...reached].toSorted()).toEqual([...CALL_STATES].toSorted());
  });

  it('that only time passes, every call that is not answered ends', () => {
    fc.assert(
      fc.property(
        anyStart,
        fc.array(fc.tuple(anyEvent, anyPlace), { maxLength: 20 }),
        (start, events) => {
          let call: Call | null = start;
          for (const [event, free] of events) call = step(call, event, NOW, free).call;
          for (let turns = 0; call && !isSettled(call) && call.state !== 'active'; turns++) {
            expect(turns).toBeLessThan(1_000);
            call = step(call, { type: 'tick' }, dueAtMs(call)).call;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
