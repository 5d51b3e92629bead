// Decisions that random schedules found wrong, each as the shortest way to it.
import { expect, it } from 'vitest';
import type { Call } from '../../../../../worker/domain/call.ts';
import type { CallEvent, Dial, Offer } from '../../../../../worker/domain/call-event.ts';
import type { Decision } from '../../../../../worker/domain/decision.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../../worker/domain/ids.ts';
import type { JobResult, PendingJob } from '../../../../../worker/domain/job.ts';
import { NO_POLICY } from '../../../../../worker/domain/step-inbound.ts';
import { NO_FACTS } from '../../../../support/no-facts.ts';
import { dueAtMs, step } from '../../../../../worker/domain/step.ts';

const NOW = 1_790_000_000_000;
const WACID = 'wacid.1';
const free = { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 };
const agentId = 'a1' as AgentId;
const claim = { agentId, agentName: 'Bea', identity: 'agent-a1', atMs: NOW };
const lost: JobResult = { ok: false, kind: 'unsure', message: 'no reply in time' };
const numbered = {
  id: 'c1' as CallId,
  numberId: 'n1' as NumberId,
  displayPhoneNumber: '15550109999',
  caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
  policy: NO_POLICY,
};
const offer: Offer = {
  ...numbered,
  providerCallId: WACID,
  payload: null,
  routing: NO_FACTS,
  sdp: 'v=0',
  offeredAtMs: NOW,
  answerLimitMs: 30_000,
};
const dial: Dial = {
  ...numbered,
  target: { kind: 'room' },
  claim: null,
  ringMs: 45_000,
  ask: null,
};
const terminated: CallEvent = {
  type: 'terminate',
  termination: { ...numbered, providerCallId: WACID, atMs: NOW, wasPickedUp: false },
};

/** A call to which things happen one after the other; its jobs run until `reply` is called. */
function callOf(first: CallEvent, relay: typeof free | null = free) {
  let call: Call | null = null;
  let nowMs = NOW;
  const decisions: Decision[] = [];
  const after = (waitMs: number, ...events: CallEvent[]): void => {
    nowMs += waitMs;
    for (const event of events) {
      const decision = step(call, event, nowMs, relay);
      call = decision.call;
      decisions.push(decision);
    }
  };
  after(0, first);
  const jobs = () => decisions.flatMap((decision) => decision.jobs);
  return {
    after,
    /** Lets time pass until the call has something to do, and does it. */
    tick: () => after(dueAtMs(call as Call) - nowMs, { type: 'tick' }),
    reply: (action: string, result: JobResult = { ok: true }) => {
      const jobId = jobs().findLast(({ job }) => job.action === action)?.id ?? -1;
      after(10, { type: 'job', jobId, result });
    },
    started: (action: string) => jobs().filter(({ job }) => job.action === action).length,
    messages: () => decisions.flatMap(({ messages }) => messages),
    get call(): Call {
      return call as Call;
    },
  };
}

it('a call of the business that finds no relay makes no room, which nobody would delete', () => {
  const { call, started } = callOf({ type: 'dial', dial }, null);
  expect(call.outcome?.reason).toBe('no-relay');
  expect(started('create')).toBe(0);
});

it('a room is deleted although its making was never confirmed', () => {
  const unsure = callOf({ type: 'offer', offer: { ...offer, offeredAtMs: NOW - 25_000 } });
  while (unsure.call.outcome === null) {
    unsure.reply('create', lost);
    if (unsure.call.outcome === null) unsure.tick();
  }
  expect(unsure.call.outcome.reason).toBe('room-failed');
  unsure.tick();
  expect(unsure.started('delete')).toBe(1);
});

it('a seat was given before the room was made: the room is deleted all the same', () => {
  const asking = callOf({
    type: 'dial',
    dial: {
      ...dial,
      target: { kind: 'agent', agentId },
      claim,
      ask: { wording: { text: null }, waitMs: 60_000 },
    },
  });
  asking.after(1_000, { type: 'permission', isGranted: false });
  expect(asking.call).toMatchObject({ state: 'ended', isRoomCreated: false });
  asking.tick();
  expect(asking.started('delete')).toBe(1);
});

it('what is still heard of an abandoned attempt says nothing about the next one', () => {
  const abandoned = callOf({ type: 'offer', offer });
  abandoned.reply('create');
  abandoned.after(10, { type: 'relay.answered', seq: 1, sdp: 'answer' });
  const isPreAccept = ({ job }: PendingJob): boolean => job.action === 'pre_accept';
  const jobId = abandoned.call.pending.find(isPreAccept)?.id ?? -1;
  while (abandoned.started('pre_accept') < 2) abandoned.tick();
  const running = abandoned.call.pending.find(isPreAccept);
  abandoned.after(10, { type: 'job', jobId, result: lost });
  expect(running?.leaseUntilMs).not.toBeNull();
  expect(abandoned.call.pending.find(isPreAccept)).toEqual(running);
});

it('the provider is not told again to end what it has ended by its own account', () => {
  const { after, tick, reply, started } = callOf({ type: 'offer', offer }, null);
  after(100, terminated);
  reply('reject', lost);
  for (let turn = 0; turn < 5; turn++) tick();
  expect(started('reject')).toBe(1);
});

it('a relay that did not hear of the end is told again when the room is deleted', () => {
  const { after, tick, messages } = callOf({ type: 'offer', offer });
  after(100, terminated);
  const before = messages().filter((message) => message === 'close').length;
  tick();
  expect(messages().filter((message) => message === 'close').length).toBe(before + 1);
});

/** Picked up after a second, without an answer to our SDP. */
function pickedUpCall(): ReturnType<typeof callOf> {
  const pickedUp = callOf({ type: 'dial', dial });
  pickedUp.reply('create');
  pickedUp.after(10, { type: 'relay.offered', seq: 1, sdp: 'offer' });
  pickedUp.reply('connect', { ok: true, providerCallId: WACID });
  const accepted = { providerCallId: WACID, status: 'accepted', atMs: NOW + 1_000 } as const;
  pickedUp.after(1_000, { type: 'status', ...accepted });
  return pickedUp;
}

it('a call that was picked up without an answer to our SDP does not stay for ever', () => {
  const pickedUp = pickedUpCall();
  expect(pickedUp.call.state).toBe('active');
  pickedUp.tick();
  expect(pickedUp.call.outcome?.reason).toBe('media-lost');
});

it('an answer to our SDP that comes late is in time all the same', () => {
  const pickedUp = pickedUpCall();
  pickedUp.after(15_000, { type: 'answer', providerCallId: WACID, sdp: 'answer' });
  expect(dueAtMs(pickedUp.call)).toBe(Infinity);
});

it('a relay that leaves a call whose dial is unsure does not stop the wait for its name', () => {
  const unsure = callOf({ type: 'dial', dial });
  unsure.reply('create');
  unsure.after(10, { type: 'relay.offered', seq: 1, sdp: 'offer' });
  unsure.reply('connect', lost);
  unsure.after(10, { type: 'relay.ended', seq: 2, reason: 'internal', quality: null });
  expect(unsure.call.state).toBe('ending');
  for (let turn = 0; turn < 20 && unsure.call.state === 'ending'; turn++) unsure.tick();
  expect(unsure.call.state).toBe('ended');
});
