// Two Switchboards at once on one real D1: what an outdated writer can and cannot do.
import { drizzle } from 'drizzle-orm/d1';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createCallStore } from '../../worker/adapters/call-store-d1.ts';
import { createNumberStore } from '../../worker/adapters/number-store-d1.ts';
import { CallBook, type CallBookDeps } from '../../worker/call-book.ts';
import type { Call } from '../../worker/domain/call.ts';
import type { Offer } from '../../worker/domain/call-event.ts';
import type { Decision } from '../../worker/domain/decision.ts';
import type { CallId, ContactId, NumberId, RelayId } from '../../worker/domain/ids.ts';
import { NO_POLICY } from '../../worker/domain/step-inbound.ts';
import { NO_FACTS } from '../support/no-facts.ts';
import { OutdatedError, type StoredEntry } from '../../worker/ports.ts';
import { testEnv, unique } from './support.ts';
import { NOBODY } from '../../worker/domain/desk.ts';

const db = drizzle(testEnv.DB);
const numberId = unique('number-') as NumberId;

beforeAll(async () => {
  await createNumberStore(db).add(
    {
      id: numberId,
      provider: 'meta',
      phoneNumberId: unique('77'),
      displayPhoneNumber: '15550109999',
      apiBaseUrl: null,
      businessAccountId: null,
      appId: null,
      forwardUrl: null,
      fallbackText: null,
      recording: 'off',
      recordingAnnouncement: null,
      recordingRetentionDays: null,
      calling: null,
      restrictions: [],
      webhookAtMs: null,
      createdAtMs: 0,
    },
    { accessTokenSealed: 'sealed', webhookSecretSealed: null },
  );
});

const offerOf = (id: CallId): Offer => ({
  id,
  numberId,
  displayPhoneNumber: '15550109999',
  providerCallId: `wacid.${id}`,
  caller: { contactId: `contact-${id}` as ContactId },
  payload: null,
  routing: NO_FACTS,
  policy: NO_POLICY,
  sdp: 'v=0',
  offeredAtMs: Date.now(),
  answerLimitMs: 30_000,
});

function openBook(more: Partial<CallBookDeps> = {}) {
  const acted: Decision[] = [];
  const resumed: Call[] = [];
  const missed: StoredEntry[] = [];
  const book = new CallBook({
    store: createCallStore(db),
    now: () => Date.now(),
    wakeAt: async () => {},
    prepare: async () => {},
    deskFor: () => NOBODY,
    place: () => ({ relayId: 'relay' as RelayId, instance: 'i', lastSeq: 0 }),
    pause: async () => {},
    act: (_call, decision) => acted.push(decision),
    resume: (call) => resumed.push(call),
    missed: (_call, entries) => missed.push(...entries),
    ...more,
  });
  return { book, acted, resumed, missed };
}

const offer = (id: CallId) => ({
  type: 'offer' as const,
  offer: offerOf(id),
});
const contact = (id: CallId) => ({
  id: `contact-${id}` as ContactId,
  name: null,
  identities: [],
});

it('an outdated writer reads again and decides on what is true now', async () => {
  const id = unique('call') as CallId;
  const stale = openBook();
  const fresh = openBook();
  await stale.book.apply(id, offer(id), contact(id));
  await fresh.book.apply(id, { type: 'relay.answered', seq: 1, sdp: 'answer' });
  await fresh.book.apply(id, { type: 'end', actor: { kind: 'api', id: 'admin' } });
  const before = stale.acted.length;

  const call = await stale.book.apply(id, { type: 'relay.answered', seq: 1, sdp: 'answer' });

  expect(call).toMatchObject({ state: 'ending', outcome: { reason: 'rejected' } });
  expect(stale.acted).toHaveLength(before);
});

it('two writers that decide at once: one stores, the other decides again; nothing happens twice', async () => {
  const id = unique('call') as CallId;
  const books = [openBook(), openBook()];
  await Promise.all(books.map(({ book }) => book.apply(id, offer(id), contact(id))));
  const decisions = books.flatMap(({ acted }) => acted);
  expect(decisions.map(({ entry }) => entry?.type)).toEqual(['offered']);
});

it('a decision that was stored although its reply was lost is told to subscribers and to the relay', async () => {
  const id = unique('call') as CallId;
  const store = createCallStore(db);
  let isReplyLost = false;
  const { book, acted, resumed, missed } = openBook({
    store: {
      ...store,
      async commit(...args) {
        const entry = await store.commit(...args);
        if (isReplyLost) throw new Error('no reply');
        return entry;
      },
    },
  });
  await book.apply(id, offer(id), contact(id));
  isReplyLost = true;
  await expect(book.apply(id, { type: 'relay.answered', seq: 1, sdp: 'answer' })).rejects.toThrow(
    'no reply',
  );
  expect(acted).toHaveLength(1);
  expect(missed).toMatchObject([{ type: 'relay-answered', seq: 2 }]);
  expect(resumed.at(-1)).toMatchObject({ id, state: 'preparing' });
});

it('a batch that meets the fence stores nothing at all', async () => {
  const id = unique('call') as CallId;
  const { book } = openBook();
  const call = await book.apply(id, offer(id), contact(id));
  if (!call) throw new Error('no call');
  const store = createCallStore(db);
  const other = { ...call, payload: 'written by the outdated one' };
  await expect(store.commit(other, { type: 'ringing' }, 1, null)).rejects.toBeInstanceOf(
    OutdatedError,
  );
  expect((await store.find(id))?.payload).toBeNull();
});

it('a call comes back from the record with everything that was pending', async () => {
  const id = unique('call') as CallId;
  const first = openBook();
  const call = await first.book.apply(id, offer(id), contact(id));
  const second = openBook();
  await second.book.load();
  expect(second.book.get(id)).toEqual(call);
  expect(second.resumed).toContainEqual(call);
});

describe('a record that takes no writes', () => {
  /** A store whose writes fail until told otherwise. */
  function openBroken() {
    const store = createCallStore(db);
    let isBroken = false;
    const waits: number[] = [];
    const resumers: (() => void)[] = [];
    const opened = openBook({
      store: {
        ...store,
        commit: (...args) =>
          isBroken ? Promise.reject(new Error('no writes')) : store.commit(...args),
      },
      pause: (ms) => {
        waits.push(ms);
        return new Promise((resolve) => resumers.push(resolve));
      },
    });
    /** Lets the pauses end that have begun, and others begin. */
    const goOn = async () => {
      await vi.waitUntil(() => resumers.length > 0);
      resumers.shift()?.();
    };
    return { ...opened, waits, goOn, breaks: (now: boolean) => (isBroken = now) };
  }

  it('for a minute and more: events that nobody repeats wait for it, in order', async () => {
    const id = unique('call') as CallId;
    const { book, waits, goOn, breaks, acted } = openBroken();
    await book.apply(id, offer(id), contact(id));
    breaks(true);
    const answered = book.applyPatiently(id, { type: 'relay.answered', seq: 1, sdp: 'answer' });
    const mediaUp = book.applyPatiently(id, { type: 'relay.media-up', seq: 2 });
    for (let turn = 0; turn < 25; turn++) await goOn();
    await vi.waitUntil(() => waits.length === 26);
    expect(waits.reduce((sum, ms) => sum + ms)).toBeGreaterThan(60_000);
    expect(Math.max(...waits)).toBe(3_000);
    expect(acted).toHaveLength(1);
    breaks(false);
    await goOn();
    await Promise.all([answered, mediaUp]);
    expect(acted.map(({ entry }) => entry?.type)).toEqual([
      'offered',
      'relay-answered',
      'media-up',
    ]);
  });

  it('refuses at once whoever can ask again', async () => {
    const id = unique('call') as CallId;
    const { book, waits, goOn, breaks } = openBroken();
    await book.apply(id, offer(id), contact(id));
    breaks(true);
    const answered = book.applyPatiently(id, { type: 'relay.answered', seq: 1, sdp: 'answer' });
    await vi.waitUntil(() => waits.length === 1);
    const end = { type: 'end', actor: { kind: 'api', id: 'admin' } } as const;
    await expect(book.apply(id, end)).rejects.toThrow('out of reach');
    breaks(false);
    await goOn();
    await answered;
    expect((await book.apply(id, end))?.state).toBe('ending');
  });
});

it('an event that comes while the record cannot even be read is neither lost nor overtaken', async () => {
  const id = unique('call') as CallId;
  await openBook().book.apply(id, offer(id), contact(id));
  const store = createCallStore(db);
  let reads = 0;
  const { book, acted } = openBook({
    store: {
      ...store,
      findLive: () => {
        reads += 1;
        return reads === 1 ? Promise.reject(new Error('no reads')) : store.findLive();
      },
    },
  });
  const isTheirs = (call: Call | undefined) => call?.placement?.instance === 'i';
  const taken = await Promise.all([
    book.applyPatiently(id, { type: 'relay.answered', seq: 1, sdp: 'answer' }, isTheirs),
    book.applyPatiently(id, { type: 'relay.media-up', seq: 2 }, isTheirs),
    book.applyPatiently(id, { type: 'relay.room-joined', seq: 3 }, () => false),
  ]);
  expect(taken).toEqual([true, true, false]);
  expect(acted.map(({ entry }) => entry?.type)).toEqual(['relay-answered', 'media-up']);
});
