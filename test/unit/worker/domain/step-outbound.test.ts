// Decisions about calls that the business starts.
import { describe, expect, it } from 'vitest';
import type { Call, Target } from '../../../../worker/domain/call.ts';
import type { CallEvent, Dial, Termination } from '../../../../worker/domain/call-event.ts';
import type { Decision } from '../../../../worker/domain/decision.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../worker/domain/ids.ts';
import type { JobResult } from '../../../../worker/domain/job.ts';
import { refusalReason } from '../../../../worker/domain/outcome.ts';
import { NO_POLICY } from '../../../../worker/domain/step-inbound.ts';
import { dueAtMs, step as decide } from '../../../../worker/domain/step.ts';

const NOW = 1_790_000_000_000;
const id = 'c1' as CallId;
const numberId = 'n1' as NumberId;
const placement = { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 };
const agentId = 'a1' as AgentId;
const claim = { agentId, agentName: 'Bea', identity: 'agent-a1', atMs: NOW };
const WACID = 'wacid.out';

/** With a relay that has room. */
const step = (call: Call | null, event: CallEvent, nowMs: number): Decision =>
  decide(call, event, nowMs, placement);

const dialOf = (more: Partial<Dial> = {}): CallEvent => ({
  type: 'dial',
  dial: {
    id,
    numberId,
    displayPhoneNumber: '15550109999',
    caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
    target: { kind: 'room' },
    claim: null,
    ringMs: 45_000,
    policy: NO_POLICY,
    ask: null,
    ...more,
  },
});
const ai: Target = { kind: 'ai', name: 'concierge', metadata: '' };
const agent: Target = { kind: 'agent', agentId };

const answer: CallEvent = { type: 'answer', providerCallId: WACID, sdp: 'answer' };
const status = (value: 'ringing' | 'accepted' | 'rejected'): CallEvent => ({
  type: 'status',
  providerCallId: WACID,
  status: value,
  atMs: NOW + 5_000,
});
const terminate = (more: Partial<Termination> = {}): CallEvent => ({
  type: 'terminate',
  termination: {
    id,
    numberId,
    displayPhoneNumber: '15550109999',
    providerCallId: WACID,
    atMs: NOW + 20_000,
    wasPickedUp: false,
    ...more,
  },
});
const hangUp: CallEvent = { type: 'end', actor: { kind: 'api', id: 'x' } };
const offered: CallEvent = { type: 'relay.offered', seq: 1, sdp: 'offer' };

type Replies = Partial<Record<string, JobResult | 'never'>>;

/** Applies events in order; jobs are answered with success unless told otherwise. */
function play(events: readonly CallEvent[], replies: Replies = {}, nowMs = NOW) {
  let call: Call | null = null;
  const decisions: Decision[] = [];
  const apply = (event: CallEvent): void => {
    const decision = step(call, event, nowMs);
    call = decision.call;
    decisions.push(decision);
    for (const { id: jobId, job } of decision.jobs) {
      const name = `${job.lane}.${job.action}`;
      const success: JobResult = {
        ok: true,
        ...(name === 'graph.connect' ? { providerCallId: WACID } : {}),
      };
      const result = replies[name] ?? success;
      if (result !== 'never') apply({ type: 'job', jobId, result });
    }
  };
  events.forEach(apply);
  if (!call) throw new Error('no call');
  const jobs = decisions.flatMap((decision) =>
    decision.jobs.map(({ job }) => `${job.lane}.${job.action}`),
  );
  return { call: call as Call, jobs, messages: decisions.flatMap(({ messages }) => messages) };
}

const calls = (jobs: readonly string[]): number =>
  jobs.filter((job) => job === 'graph.connect').length;

describe('a call that the business starts', () => {
  it('is dialled once the relay has made an offer and connected by the pickup alone', () => {
    const dialled = play([dialOf(), offered]);
    expect(dialled.call).toMatchObject({ state: 'dialling', providerCallId: WACID });
    expect(dialled.messages).toEqual(['offer']);
    const ringing = play([dialOf(), offered, answer, status('ringing')]);
    expect(ringing.call).toMatchObject({ state: 'dialling', answerSdp: 'answer' });
    const active = play([dialOf(), offered, answer, status('ringing'), status('accepted')]);
    expect(active.call).toMatchObject({ state: 'active', startedAtMs: NOW + 5_000 });
    expect(calls(active.jobs)).toBe(1);
  });

  it.each<[name: string, events: CallEvent[]]>([
    ['ringing before the answer', [status('ringing'), answer, status('accepted')]],
    ['the pickup before the answer', [status('accepted'), answer]],
    ['no ringing at all', [answer, status('accepted')]],
    [
      'everything twice',
      [
        answer,
        answer,
        status('ringing'),
        status('ringing'),
        status('accepted'),
        status('accepted'),
      ],
    ],
    ['ringing after the pickup', [answer, status('accepted'), status('ringing')]],
  ])('is connected with %s', (_name, events) => {
    const { call, messages } = play([dialOf(), offered, ...events]);
    expect(call).toMatchObject({ state: 'active', answerSdp: 'answer' });
    expect(messages.filter((message) => message === 'apply')).toHaveLength(1);
  });

  it('joins the room at the pickup and not before', () => {
    const ringing = play([dialOf(), offered, answer, status('ringing')]).call;
    expect(ringing.isRoomCreated).toBe(true);
    const decision = step(ringing, status('accepted'), NOW);
    expect(decision.messages).toEqual(['want']);
  });

  it('waits for the chosen agent before anything is dialled', () => {
    const rung = play([dialOf({ target: agent }), offered]);
    expect(rung.call.state).toBe('ringing');
    expect(rung.jobs).toEqual(['room.create']);
    const joining = play([dialOf({ target: agent }), { type: 'claim', claim }], {
      'room.await': 'never',
    });
    expect(joining.call.state).toBe('claimed');
    const there = play([dialOf({ target: agent }), { type: 'claim', claim }, offered]);
    expect(there.call.state).toBe('dialling');
  });

  it('does not listen to a relay before it has one', () => {
    const { call } = play([dialOf({ target: agent }), { type: 'claim', claim }], {
      'room.await': 'never',
    });
    const left = {
      type: 'relay.participant-left',
      seq: 1,
      identity: claim.identity,
      why: 'left',
    } as const;
    expect(step(call, left, NOW).call).toBe(call);
  });

  it('is for the chosen agent only', () => {
    const other = { ...claim, agentId: 'a2' as AgentId, identity: 'agent-a2' };
    const { call } = play([dialOf({ target: agent }), { type: 'claim', claim: other }]);
    expect(call).toMatchObject({ state: 'ringing', claim: null });
  });

  it('dispatches an AI agent when the phone rings, once, or at the pickup if ringing is never said', () => {
    const dispatches = (events: CallEvent[]): number =>
      play([dialOf({ target: ai }), offered, ...events]).jobs.filter(
        (job) => job === 'room.dispatch',
      ).length;
    expect(dispatches([answer])).toBe(0);
    expect(dispatches([answer, status('ringing'), status('ringing'), status('accepted')])).toBe(1);
    expect(dispatches([answer, status('accepted')])).toBe(1);
  });

  it('ends when nobody comes to talk with a user who picked up', () => {
    const { call } = play([dialOf({ target: ai }), offered, answer, status('accepted')]);
    const late = step(call, { type: 'tick' }, NOW + 15_000).call;
    expect(late).toMatchObject({ state: 'ending', outcome: { reason: 'agent-did-not-join' } });
    const ready = step(call, { type: 'relay.ready', seq: 2, identity: 'bot' }, NOW).call as Call;
    expect(ready.timers.join).toBeUndefined();
    const left: CallEvent = {
      type: 'relay.participant-left',
      seq: 3,
      identity: 'bot',
      why: 'left',
    };
    expect(step(ready, left, NOW).call).toMatchObject({ outcome: { reason: 'agent-left' } });
  });
});

describe('ends', () => {
  it.each<[name: string, events: CallEvent[], reason: string, told: string[]]>([
    ['rejected by the user', [answer, status('rejected')], 'callee-rejected', []],
    [
      'not picked up, by the provider',
      [answer, status('ringing'), terminate()],
      'callee-no-answer',
      [],
    ],
    [
      'hung up by the user',
      [answer, status('accepted'), terminate({ wasPickedUp: true })],
      'callee-hung-up',
      [],
    ],
    [
      'a pickup that was never said',
      [answer, terminate({ wasPickedUp: true })],
      'callee-hung-up',
      [],
    ],
    ['the end first of all', [terminate()], 'callee-no-answer', []],
    [
      'set-up failed at the user',
      [terminate({ errorCode: 138020, error: '138020: x' })],
      'callee-set-up-failed',
      [],
    ],
    [
      'cancelled while ringing',
      [answer, status('ringing'), hangUp],
      'cancelled',
      ['graph.terminate'],
    ],
    [
      'hung up by the business',
      [answer, status('accepted'), hangUp],
      'agent-hung-up',
      ['graph.terminate'],
    ],
  ])('%s', (_name, events, reason, told) => {
    const { call, jobs } = play([dialOf(), offered, ...events]);
    expect(call).toMatchObject({ state: 'ended', outcome: { reason } });
    expect(jobs.filter((job) => job === 'graph.terminate')).toEqual(told);
    expect(calls(jobs)).toBe(1);
  });

  it('before the dial the provider hears nothing', () => {
    for (const target of [agent, { kind: 'room' } as const]) {
      const { call, jobs } = play([dialOf({ target }), hangUp]);
      expect(call).toMatchObject({ state: 'ended', outcome: { reason: 'cancelled' } });
      expect(jobs.filter((job) => job.startsWith('graph.'))).toEqual([]);
    }
  });

  it('at the ring limit the provider is told', () => {
    const { call } = play([dialOf(), offered, answer, status('ringing')]);
    const decision = step(call, { type: 'tick' }, NOW + 45_000);
    expect(decision.call).toMatchObject({
      state: 'ending',
      outcome: { reason: 'callee-no-answer' },
    });
    expect(decision.jobs.map(({ job }) => job.action)).toContain('terminate');
  });

  it('takes the times of the provider over for the bill, also when they come last', () => {
    const { call, jobs } = play([
      dialOf(),
      offered,
      answer,
      status('accepted'),
      hangUp,
      terminate({ wasPickedUp: true, startedAtMs: NOW + 6_000, endedAtMs: NOW + 30_000 }),
    ]);
    expect(call).toMatchObject({ startedAtMs: NOW + 6_000, finishedAtMs: NOW + 30_000 });
    expect(jobs.filter((job) => job === 'record.outcome').length).toBeGreaterThan(1);
  });
});

describe('refusals', () => {
  it.each([
    [138000, 401, 'calling-not-enabled'],
    [138001, 400, 'callee-not-reachable'],
    [138002, 429, 'provider-busy'],
    [138003, 400, 'already-in-call'],
    [138005, 429, 'rate-limited'],
    [138006, 401, 'no-permission'],
    [138012, 400, 'call-limit-reached'],
    [138013, 400, 'country-not-available'],
    [138014, 400, 'calling-paused'],
    [131044, 400, 'payment-missing'],
    [131055, 400, 'number-in-sip-mode'],
    [190, 401, 'token-rejected'],
    [613, 429, 'rate-limited'],
    [80007, 429, 'rate-limited'],
    [138008, 400, 'dial-refused'],
    [999, 400, 'dial-refused'],
  ])('%i (HTTP %i) is %s and nothing is dialled again', (code, httpStatus, reason) => {
    expect(refusalReason(code, httpStatus)).toBe(reason);
    const kind = httpStatus === 429 || code === 190 ? 'unavailable' : 'refused';
    const result: JobResult = { ok: false, kind, code, status: httpStatus, message: 'no' };
    const { call, jobs } = play([dialOf(), offered], { 'graph.connect': result });
    expect(call).toMatchObject({ state: 'ended', outcome: { reason } });
    expect(jobs.filter((job) => job.startsWith('graph.'))).toEqual(['graph.connect']);
  });
});

describe('a dial that nobody confirmed', () => {
  const unsure: Replies = { 'graph.connect': { ok: false, kind: 'unsure', message: 'timeout' } };

  it('is adopted when a webhook shows that it worked', () => {
    const { call, jobs } = play([dialOf(), offered, answer, status('accepted')], unsure);
    expect(call).toMatchObject({ state: 'active', providerCallId: WACID });
    expect(calls(jobs)).toBe(1);
  });

  it('is given up after 60 s, and terminated if it turns up later', () => {
    const { call } = play([dialOf({ ringMs: 90_000 }), offered], unsure);
    const given = step(call, { type: 'tick' }, NOW + 60_000).call;
    expect(given).toMatchObject({
      state: 'ended',
      outcome: { reason: 'dial-unconfirmed', result: 'indeterminate' },
    });
    const found = step(given, answer, NOW + 61_000);
    expect(found.call?.providerCallId).toBe(WACID);
    expect(found.jobs.map(({ job }) => job.action)).toContain('terminate');
  });

  it('is unconfirmed and not unanswered when the ring limit comes first', () => {
    const { call } = play([dialOf({ ringMs: 20_000 }), offered], unsure);
    const given = step(call, { type: 'tick' }, NOW + 20_000);
    expect(given.call).toMatchObject({ state: 'ending', outcome: { reason: 'dial-unconfirmed' } });
    expect(step(given.call, status('ringing'), NOW + 25_000).jobs[0]?.job).toMatchObject({
      action: 'terminate',
    });
  });

  it('is one, too, when the provider says yes and gives the call no id', () => {
    const { call } = play([dialOf(), offered], { 'graph.connect': { ok: true } });
    expect(call).toMatchObject({ state: 'dialling' });
    let next: Call | null = step(call, hangUp, NOW).call;
    for (let turns = 0; turns < 200 && next?.state !== 'ended'; turns++) {
      next = step(next, { type: 'tick' }, dueAtMs(next as Call)).call;
    }
    expect(next?.state).toBe('ended');
  });

  it('is terminated when it turns up after it was cancelled', () => {
    const { call } = play([dialOf(), offered, hangUp], unsure);
    expect(call).toMatchObject({ state: 'ending', outcome: { reason: 'cancelled' } });
    const found = step(call, status('ringing'), NOW + 1_000);
    expect(found.jobs.map(({ job }) => job.action)).toContain('terminate');
  });

  it('and was cancelled ends by itself when it never turns up', () => {
    const { call } = play([dialOf(), offered, hangUp], unsure);
    let next: Call | null = call;
    for (let turns = 0; turns < 200 && next?.state !== 'ended'; turns++) {
      next = step(next, { type: 'tick' }, dueAtMs(next as Call)).call;
    }
    expect(next?.state).toBe('ended');
  });

  it('is cancelled while the request is under way: terminated as soon as it has a name', () => {
    const under = play([dialOf(), offered, hangUp], { 'graph.connect': 'never' }).call;
    expect(under.state).toBe('ending');
    const connect = under.pending.find(({ job }) => job.action === 'connect');
    const reply: CallEvent = {
      type: 'job',
      jobId: connect?.id ?? 0,
      result: { ok: true, providerCallId: WACID },
    };
    expect(step(under, reply, NOW).jobs.map(({ job }) => job.action)).toContain('terminate');
  });

  it('events of another call of the same number change nothing', () => {
    const { call } = play([dialOf(), offered, answer]);
    const other: CallEvent = {
      ...(status('accepted') as Extract<CallEvent, { type: 'status' }>),
      providerCallId: 'wacid.other',
    };
    expect(step(call, other, NOW).call).toBe(call);
  });
});

describe('asking first', () => {
  const ask = { wording: { text: null }, waitMs: 600_000 };

  it('dials once permission is granted', () => {
    const waiting = play([dialOf({ ask })]);
    expect(waiting.call.state).toBe('asking');
    expect(waiting.jobs).toEqual(['graph.ask']);
    const granted: CallEvent = { type: 'permission', isGranted: true };
    expect(play([dialOf({ ask }), granted]).call.state).toBe('offering');
    expect(play([dialOf({ ask, target: agent }), granted]).call.state).toBe('ringing');
  });

  it.each<[name: string, event: CallEvent, nowMs: number]>([
    ['the user declines', { type: 'permission', isGranted: false }, NOW],
    ['the user does not answer in time', { type: 'tick' }, NOW + 600_000],
  ])('dials nothing when %s', (_name, event, nowMs) => {
    const { call } = play([dialOf({ ask })]);
    const decision = step(call, event, nowMs);
    expect(decision.call).toMatchObject({
      state: 'ended',
      outcome: { reason: 'permission-not-granted' },
    });
    expect(decision.jobs.filter(({ job }) => job.lane === 'graph')).toEqual([]);
  });

  it('dials at once when the provider says that permission is there for good', () => {
    const { call } = play([dialOf({ ask })], {
      'graph.ask': { ok: false, kind: 'refused', code: 138017, message: 'exists' },
    });
    expect(call.state).toBe('offering');
  });

  it('sends the request once, also when its reply is lost', () => {
    const { call, jobs } = play([dialOf({ ask })], {
      'graph.ask': { ok: false, kind: 'unsure', message: 'timeout' },
    });
    expect(call.state).toBe('asking');
    expect(jobs).toEqual(['graph.ask']);
  });
});
