// An upgrade from the first release: what it left in the database is still there, readable, and new rows go beside it.
import { applyD1Migrations, reset } from 'cloudflare:test';
import { drizzle } from 'drizzle-orm/d1';
import { beforeAll, describe, expect, it } from 'vitest';
import { createCallReader } from '../../worker/adapters/call-reader-d1.ts';
import { createCallStore } from '../../worker/adapters/call-store-d1.ts';
import { createContactStore } from '../../worker/adapters/contact-store-d1.ts';
import { EVERYTHING } from '../../worker/domain/sight.ts';
import { createRightsReader } from '../../worker/adapters/rights-reader-d1.ts';
import { createDirectory } from '../../worker/adapters/directory-d1.ts';
import { createForwardStore } from '../../worker/adapters/forward-store-d1.ts';
import { createNumberStore } from '../../worker/adapters/number-store-d1.ts';
import { createPermissionStore } from '../../worker/adapters/permission-store-d1.ts';
import { createPromptStore } from '../../worker/adapters/prompt-store-d1.ts';
import { createRateStore } from '../../worker/adapters/rate-store-d1.ts';
import { createRecordingStore } from '../../worker/adapters/recording-store-d1.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  PromptId,
  RelayId,
} from '../../worker/domain/ids.ts';
import { EMPTY_LEDGER } from '../../worker/domain/permission-ledger.ts';
import { NO_POLICY } from '../../worker/domain/step-inbound.ts';
import { step } from '../../worker/domain/step.ts';
import { api, testEnv } from './support.ts';

const db = drizzle(testEnv.DB);
const calls = createCallStore(db);
const numberId = 'n1' as NumberId;
const contactId = 'contact1' as ContactId;

const CLAIM = { agentId: 'a1', agentName: 'Ana', identity: 'agent-a1', atMs: 1_790_000_004_000 };

/** As the first release wrote them. */
const ENDED = {
  displayPhoneNumber: '351210000000',
  offeredAtMs: 1_790_000_000_000,
  answerByMs: 1_790_000_026_000,
  payload: 'order-17',
  quality: {
    from_caller: { packets: 1500, lost: 2, jitter_ms: 3.1, filled: 0, first_audio_ms: 40 },
    to_caller: { packets: 1498, lost: 0, jitter_ms: 1.2, filled: 12, first_audio_ms: 15 },
  },
  claim: CLAIM,
};
const LIVE = {
  ...ENDED,
  payload: null,
  quality: null,
  caller: { contactId, name: 'Maria Fonseca', phone: '351910000001' },
  placement: { relayId: 'relay-1', instance: 'i1', lastSeq: 6 },
  offerSdp: 'v=0\r\no=offer\r\n',
  answerSdp: 'v=0\r\no=answer\r\n',
  isRoomCreated: true,
  isRoomJoined: true,
  isPreAccepted: true,
  isMediaUp: true,
  excluded: ['agent-a9'],
  timers: {},
  pending: [],
  nextJobId: 4,
};

const FIRST_RELEASE = [
  `INSERT INTO numbers VALUES ('n1', 'meta', '106540352242922', '351210000000', 'k1:bm9uY2U=:c2VhbGVk',
    'https://proxy.example.com', 1790000000000)`,
  `INSERT INTO relays VALUES ('relay-1', '${'ab'.repeat(32)}', 1790000000000)`,
  `INSERT INTO agents VALUES ('a1', 'Ana', '${'cd'.repeat(32)}', 1790000000000)`,
  `INSERT INTO contacts VALUES ('contact1', 'Maria Fonseca', 1790000000000)`,
  `INSERT INTO contact_identities VALUES ('phone', '351910000001', 'contact1'), ('bsuid', 'PT.1349', 'contact1')`,
  `INSERT INTO counters VALUES ('foreign-call', 3)`,
  `INSERT INTO calls VALUES ('c-ended', 9, 'ended', 0, 'inbound', 'n1', 'contact1', 'wacid.ended', 'relay-1', 'a1',
    1790000000000, 1790000001000, 1790000005000, 1790000035000, 'success', 'caller-hung-up', 'caller', NULL, ?1)`,
  `INSERT INTO calls VALUES ('c-live', 7, 'active', 1, 'inbound', 'n1', 'contact1', 'wacid.live', 'relay-1', 'a1',
    1790000100000, 1790000101000, 1790000105000, NULL, NULL, NULL, NULL, NULL, ?2)`,
  `INSERT INTO call_events (call_id, seq, at_ms, type, detail) VALUES
    ('c-ended', 1, 1790000000000, 'offered', '{"relay":"relay-1"}'), ('c-ended', 2, 1790000001000, 'ringing', NULL),
    ('c-live', 7, 1790000105000, 'answered', NULL)`,
];

beforeAll(async () => {
  const { DB, TEST_MIGRATIONS } = testEnv;
  await reset();
  await applyD1Migrations(DB, TEST_MIGRATIONS.slice(0, 1));
  const data: Record<string, string> = {
    '?1': JSON.stringify(ENDED),
    '?2': JSON.stringify(LIVE),
  };
  await DB.batch(
    FIRST_RELEASE.map((sql) => {
      const slot = Object.keys(data).find((name) => sql.includes(name));
      return slot ? DB.prepare(sql.replace(slot, '?')).bind(data[slot] ?? '') : DB.prepare(sql);
    }),
  );
  await applyD1Migrations(DB, TEST_MIGRATIONS);
});

describe('after the upgrade', () => {
  it('numbers, agents, relays, contacts and counters are as they were', async () => {
    expect(await createNumberStore(db).find(numberId)).toMatchObject({
      provider: 'meta',
      phoneNumberId: '106540352242922',
      apiBaseUrl: 'https://proxy.example.com',
      forwardUrl: null,
      calling: null,
      restrictions: [],
      recording: 'off',
      recordingAnnouncement: null,
      recordingRetentionDays: null,
    });
    const directory = createDirectory(db);
    expect(await createRightsReader(db).byKey('cd'.repeat(32))).toMatchObject({
      role: 'agent',
      agent: { id: 'a1', email: null },
    });
    expect(await directory.findRelaySecretHash('relay-1')).toBe('ab'.repeat(32));
    expect(await directory.counters()).toEqual({ 'foreign-call': 3 });
    expect(await createContactStore(db).find(contactId)).toMatchObject({
      name: 'Maria Fonseca',
      identities: expect.arrayContaining([
        { kind: 'phone', value: '351910000001' },
        { kind: 'bsuid', value: 'PT.1349' },
      ]),
    });
  });

  it('an ended call has its outcome, its figures and its timeline, and cost nothing', async () => {
    expect(await calls.find('c-ended' as CallId)).toMatchObject({
      state: 'ended',
      version: 9,
      providerCallId: 'wacid.ended',
      payload: 'order-17',
      outcome: { result: 'success', reason: 'caller-hung-up', endedBy: 'caller' },
      quality: ENDED.quality,
      claim: CLAIM,
      charge: null,
    });
    const found = await createCallReader(db, () => Date.now()).find(
      'c-ended' as CallId,
      EVERYTHING,
    );
    expect(found?.call).toMatchObject({
      direction: 'inbound',
      contact: { name: 'Maria Fonseca', phone: '351910000001' },
      connect: null,
      billed_seconds: 0,
      estimated_cost: null,
    });
    expect(found?.timeline.map(({ type }) => type)).toEqual(['offered', 'ringing']);
  });

  it('a call that was up is the only live one and goes on where it was', async () => {
    const live = await calls.findLive();
    expect(live.map(({ id }) => id)).toEqual(['c-live']);
    expect(live[0]).toMatchObject({ state: 'active', ...LIVE });
  });

  it('and goes on under the newer rules: it rings for everybody, and ends when its agent leaves', async () => {
    const [call] = await calls.findLive();
    if (!call) throw new Error('the live call is gone');
    const seq = 7;
    const left = {
      type: 'relay.participant-left',
      seq,
      identity: CLAIM.identity,
      why: 'left',
    } as const;
    expect(step(call, left, 0).entry?.type).toBe('agent-left');
    const ringing = { ...call, state: 'ringing', claim: null } as const;
    const claim = { ...CLAIM, agentId: 'a1' as AgentId };
    expect(step(ringing, { type: 'claim', claim }, 0).call?.state).toBe('claimed');
  });

  it('and its end is decided and stored like that of any other', async () => {
    const [call] = await calls.findLive();
    if (!call) throw new Error('the live call is gone');
    const nowMs = Date.now();
    const terminate = {
      type: 'terminate',
      termination: {
        id: call.id,
        numberId,
        displayPhoneNumber: call.displayPhoneNumber,
        providerCallId: 'wacid.live',
        atMs: nowMs,
        wasPickedUp: true,
      },
    } as const;
    const { call: ended, entry } = step(call, terminate, nowMs);
    if (!ended || !entry) throw new Error('nothing was decided');
    await calls.commit(ended, entry, nowMs, null);
    expect(await calls.find(call.id)).toMatchObject({
      state: 'ended',
      version: 8,
      outcome: { reason: 'caller-hung-up' },
    });
  });

  it('the API lists both', async () => {
    const { body } = await api<{ data: { id: string }[] }>('GET', '/v1/calls');
    expect(body.data.map(({ id }) => id)).toEqual(['c-live', 'c-ended']);
  });
});

describe('new rows', () => {
  it('of calls that the provider has not named yet, several at once', async () => {
    for (const id of ['out-1', 'out-2'] as CallId[]) {
      const dial = {
        id,
        numberId,
        displayPhoneNumber: '351210000000',
        caller: { contactId, phone: '351910000001' },
        target: { kind: 'room' },
        claim: null,
        ringMs: 45_000,
        ask: { wording: { text: null }, waitMs: 60_000 },
        policy: NO_POLICY,
      } as const;
      const { call, entry } = step(null, { type: 'dial', dial }, Date.now());
      if (!call || !entry) throw new Error('nothing was decided');
      await calls.commit(call, entry, Date.now(), null);
    }
    const live = await calls.findLive();
    expect(live.filter(({ state }) => state === 'asking').map(({ id }) => id)).toEqual([
      'out-1',
      'out-2',
    ]);
  });

  it('go into the tables that are new', async () => {
    const nowMs = Date.now();
    const permissions = createPermissionStore(db);
    expect(await permissions.load(numberId, contactId)).toEqual(EMPTY_LEDGER);
    const forwards = createForwardStore(db);
    const body = new ArrayBuffer(2);
    const url = 'https://other.example.com/';
    expect(await forwards.add([{ url, body, headers: {} }], nowMs, nowMs)).toHaveLength(1);
    const rates = createRateStore(db);
    const rate = { prefix: '351', tierFromMinutes: 0, currency: 'USD', microsPerMinute: 10_300 };
    await rates.replace([{ ...rate, validFrom: '2026-07-01' }]);
    expect(await rates.all()).toHaveLength(1);
    const prompts = createPromptStore(db);
    const sound = { durationMs: 1_000, bytes: 3_000, sha256: 'ab'.repeat(32) };
    const prompt = { ...sound, id: 'p1' as PromptId, name: 'Welcome', createdAtMs: nowMs };
    await prompts.announce(prompt);
    await prompts.stored(prompt.id, nowMs);
    expect(await prompts.list()).toEqual([prompt]);
    const announced = await createNumberStore(db).change(numberId, {
      recording: 'always',
      recordingAnnouncement: prompt.id,
    });
    expect(announced).toMatchObject({ recording: 'always', recordingAnnouncement: 'p1' });
    const recordings = createRecordingStore(db);
    const callId = 'c-ended' as CallId;
    const relayId = 'relay-1' as RelayId;
    expect(await recordings.announce({ ...sound, callId, relayId }, nowMs)).toBe('bring');
    await recordings.stored(callId, nowMs, null);
    expect(
      (await createCallReader(db, () => nowMs).find(callId, EVERYTHING))?.call.recording,
    ).toEqual({
      duration_ms: 1_000,
      bytes: 3_000,
      sha256: sound.sha256,
      expires_at: null,
    });
  });

  it('announce with a prompt that exists, and record a call that exists', async () => {
    const set = testEnv.DB.prepare(`UPDATE numbers SET recording_announcement = 'p9'`);
    await expect(set.run()).rejects.toThrow(/FOREIGN KEY/);
    const insert = testEnv.DB.prepare(
      `INSERT INTO recordings (call_id, relay_id, duration_ms, bytes, sha256, created_at_ms) VALUES ('c9', 'r', 1, 1, 's', 1)`,
    );
    await expect(insert.run()).rejects.toThrow(/FOREIGN KEY/);
  });

  it('still need a number that exists, and one provider call is still one row', async () => {
    const insert = (id: string, number: string, provider: string | null) =>
      testEnv.DB.prepare(
        `INSERT INTO calls (id, version, state, is_live, direction, number_id, provider_call_id, created_at_ms, data)
         VALUES (?, 1, 'ended', 0, 'outbound', ?, ?, 1, '{}')`,
      )
        .bind(id, number, provider)
        .run();
    await expect(insert('x1', 'n9', 'wacid.x')).rejects.toThrow(/FOREIGN KEY/);
    await expect(insert('x2', 'n1', 'wacid.ended')).rejects.toThrow(/UNIQUE/);
  });
});
