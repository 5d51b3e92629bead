// What random schedules found wrong in how decisions are stored, each as the shortest way to it, on a real D1.
import { beforeEach, expect, it } from 'vitest';
import { createCallStore } from '../../../worker/adapters/call-store-d1.ts';
import { openDatabase } from '../../../worker/adapters/database.ts';
import { CallBook } from '../../../worker/call-book.ts';
import type { Call } from '../../../worker/domain/call.ts';
import type { Dial } from '../../../worker/domain/call-event.ts';
import type { CallId, RelayId } from '../../../worker/domain/ids.ts';
import { dueAtMs } from '../../../worker/domain/step.ts';
import { NO_POLICY } from '../../../worker/domain/step-inbound.ts';
import { NO_FACTS } from '../../support/no-facts.ts';
import type { CallStore } from '../../../worker/ports.ts';
import { testEnv, unique } from '../support.ts';
import { prepare } from './database.ts';
import { contactOf, DISPLAY_PHONE_NUMBER, NUMBER_ID } from './deliveries.ts';
import type { Plan } from './plan.ts';
import { play } from './schedule.ts';
import { NOBODY } from '../../../worker/domain/desk.ts';

const NOW = Date.UTC(2026, 9, 1);
const real = createCallStore(openDatabase(testEnv.DB));
const end = { type: 'end', actor: { kind: 'api', id: 'admin' } } as const;

// Books read all calls in progress, also those of the test before.
beforeEach(async () => {
  await testEnv.DB.batch([
    testEnv.DB.prepare('DELETE FROM call_events'),
    testEnv.DB.prepare('DELETE FROM calls'),
  ]);
  await prepare(testEnv.DB);
});

/** A book with a clock and an alarm of its own. */
function openBook(store: CallStore = real) {
  const clock = { nowMs: NOW };
  const alarm = { atMs: Infinity };
  const book = new CallBook({
    store,
    now: () => clock.nowMs,
    wakeAt: async (atMs) => void (alarm.atMs = Math.min(alarm.atMs, atMs)),
    prepare: async () => {},
    deskFor: () => NOBODY,
    place: (present) => ({
      relayId: 'relay' as RelayId,
      instance: present ? 'i2' : 'i1',
      lastSeq: 0,
    }),
    pause: async () => undefined,
    act: () => undefined,
    resume: () => undefined,
    missed: () => undefined,
  });
  return { book, clock, alarm };
}

async function ring(book: CallBook): Promise<Call> {
  const id = unique('call') as CallId;
  const contact = contactOf(unique('9'));
  const call = await book.apply(
    id,
    {
      type: 'offer',
      offer: {
        id,
        numberId: NUMBER_ID,
        displayPhoneNumber: DISPLAY_PHONE_NUMBER,
        providerCallId: `wacid.${id}`,
        caller: { contactId: contact.id },
        payload: null,
        routing: NO_FACTS,
        policy: NO_POLICY,
        sdp: 'v=0',
        offeredAtMs: NOW,
        answerLimitMs: 30_000,
      },
    },
    contact,
  );
  if (!call) throw new Error('no call');
  return call;
}

it('an alarm that rings while a decision is being stored is set again', async () => {
  let ringAlarm = async (): Promise<void> => undefined;
  const slow: CallStore = {
    ...real,
    commit: async (...decision) => {
      await ringAlarm();
      return real.commit(...decision);
    },
  };
  const { book, alarm } = openBook(slow);
  ringAlarm = async () => {
    alarm.atMs = Infinity;
    ringAlarm = async () => undefined;
    await book.tickDue();
  };
  const call = await ring(book);
  expect(alarm.atMs).toBe(dueAtMs(call));
});

it('a decision whose reply was lost is found although the record could not be read at once', async () => {
  let isAway = false;
  const fail = (): never => {
    throw new Error('D1 is out of reach');
  };
  const flaky: CallStore = {
    ...real,
    find: (id) => (isAway ? fail() : real.find(id)),
    commit: async (...decision) => {
      const stored = await real.commit(...decision);
      return isAway ? fail() : stored;
    },
  };
  const { book, alarm } = openBook(flaky);
  const { id } = await ring(book);
  isAway = true;
  await expect(book.apply(id, end)).rejects.toThrow('out of reach');
  isAway = false;
  expect(alarm.atMs).toBeLessThan(Infinity);
  await book.tickDue();
  expect(book.get(id)).toMatchObject({ state: 'ending', version: 2 });
});

it('what a Switchboard stores that was replaced is found within a minute by the one in its place', async () => {
  const { book, clock, alarm } = openBook();
  const own = await ring(book);
  const { id } = await ring(openBook().book);
  expect(book.get(id)).toBeUndefined();
  await book.apply(own.id, end);
  clock.nowMs = Math.max(alarm.atMs, NOW + 60_000);
  await book.tickDue();
  expect(book.get(id)).toBeDefined();
});

it('while a call is in progress the record is read again every minute, however long the call waits', async () => {
  const { book, alarm } = openBook();
  const id = unique('call') as CallId;
  const contact = contactOf(unique('9'));
  const dial: Dial = {
    id,
    numberId: NUMBER_ID,
    displayPhoneNumber: DISPLAY_PHONE_NUMBER,
    caller: { contactId: contact.id },
    target: { kind: 'room' },
    claim: null,
    ringMs: 30_000,
    ask: { wording: { text: null }, waitMs: 600_000 },
    policy: NO_POLICY,
  };
  const call = await book.apply(id, { type: 'dial', dial }, contact);
  const jobId = call?.pending[0]?.id ?? -1;
  await book.apply(id, { type: 'job', jobId, result: { ok: true } });
  alarm.atMs = Infinity;
  await book.tickDue();
  expect(alarm.atMs).toBe(NOW + 60_000);
});

it('what a relay says of a call that is placed elsewhere meanwhile does not count there', async () => {
  let stored = async (): Promise<void> => undefined;
  const slow: CallStore = {
    ...real,
    commit: async (...decision) => {
      await stored();
      return real.commit(...decision);
    },
  };
  const { book, clock } = openBook(slow);
  const { id } = await ring(book);
  const storing = Promise.withResolvers<void>();
  const reply = Promise.withResolvers<void>();
  stored = () => {
    storing.resolve();
    return reply.promise;
  };
  clock.nowMs += 5_000;
  const elsewhere = book.tickDue();
  await storing.promise;
  const late = book.applyPatiently(
    id,
    { type: 'relay.answered', seq: 1, sdp: 'sdp' },
    (call) => call?.placement?.instance === 'i1',
  );
  reply.resolve();
  await elsewhere;
  expect(await late).toBe(false);
  expect(book.get(id)).toMatchObject({ state: 'offered', answerSdp: null });
  expect(book.get(id)?.placement?.instance).toBe('i2');
});

it('what a relay says while the record cannot be read is not forgotten', async () => {
  const plan: Plan = {
    salt: 1,
    capacities: [10],
    calls: [
      {
        kind: 'inbound',
        atMs: 0,
        user: 0,
        agents: [],
        hangsUpAfterMs: null,
        hangsUpAtClaim: false,
        endsAfterMs: null,
        farewell: 'user',
        hasFallbackText: false,
        recording: null,
        steers: [],
        keys: [],
        acts: [],
        payload: null,
        ringLimitMs: 60_000,
      },
    ],
    troubles: [
      { atMs: 150, fault: 'switchboard-evicted', which: 0, ms: 0 },
      { atMs: 150, fault: 'd1-read-fails', which: 0, ms: 0 },
    ],
  };
  const { violations } = await play(plan, { prefix: 's0r0-', store: real });
  expect(violations).toEqual([]);
});
