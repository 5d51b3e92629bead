// Recordings from the relay to whoever may hear them, and to their end, with real D1 and R2.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import { createApp } from '../../worker/app.ts';
import type { CallId } from '../../worker/domain/ids.ts';
import { sweepAudio } from '../../worker/handlers/sweep-audio.ts';
import worker from '../../worker/index.ts';
import { inState, InboundScene, show } from './inbound-scene.ts';
import { ownServices } from './own-services.ts';
import { audioKeys, bucket, bucketThat } from './sounds.ts';
import {
  ADMIN_KEY,
  api,
  FakeRelay,
  postWebhook,
  request,
  terminateWebhook,
  testEnv,
  until,
} from './support.ts';

const DAY_MS = 24 * 3600_000;
const SHA = 'a1'.repeat(32);
const FILE = Uint8Array.from({ length: 5_000 }, (_, i) => i % 251);

let scene: InboundScene;
let numberId = '';

beforeAll(async () => {
  scene = await InboundScene.open();
  const { body } = await api<{ data: { id: string; phone_number_id: string }[] }>(
    'GET',
    '/v1/numbers',
  );
  numberId = body.data.find((one) => one.phone_number_id === scene.phoneNumberId)?.id ?? '';
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  await scene.reconnect({ protocol: 3 });
});

/** A call that was connected and has ended. */
async function ended(): Promise<{ id: string; wacid: string }> {
  const { id, wacid } = await scene.answer();
  await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1', duration: 3 }));
  await inState(id, 'ended');
  return { id, wacid };
}

type App = { request: (path: string, init?: RequestInit) => Response | Promise<Response> };
const whole: App = { request };
const authorized = (key: string = ADMIN_KEY) => ({ authorization: `Bearer ${key}` });

async function bring(
  id: string,
  changes: {
    relay?: { id: string; secret: string };
    headers?: Record<string, string | undefined>;
    body?: BodyInit;
    app?: App;
  } = {},
): Promise<{ status: number; type?: string; errors?: { field: string }[] }> {
  const { id: relayId, secret } = changes.relay ?? scene.credentials;
  const headers: Record<string, string | undefined> = {
    ...authorized(secret),
    'content-type': 'audio/ogg',
    'content-length': String(FILE.length),
    'x-roomline-duration-ms': '61000',
    'x-roomline-audio-sha256': SHA,
    ...changes.headers,
  };
  const response = await (changes.app ?? whole).request(`/v1/relays/${relayId}/recordings/${id}`, {
    method: 'PUT',
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    ),
    body: changes.body ?? FILE,
  });
  const text = await response.text();
  return { status: response.status, ...(text === '' ? {} : (JSON.parse(text) as object)) };
}
const listen = async (
  id: string,
  key?: string,
  headers: Record<string, string> = {},
  method = 'GET',
) => {
  const response = await request(`/v1/calls/${id}/recording`, {
    method,
    headers: { ...authorized(key), ...headers },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
};
const remove = async (id: string, key?: string): Promise<number> =>
  (await request(`/v1/calls/${id}/recording`, { method: 'DELETE', headers: authorized(key) }))
    .status;
/** What a subscriber of events is told, from the cursor on if there is one. */
async function subscribe(after?: number): Promise<Notice[]> {
  const query = after === undefined ? '' : `?after=${after}`;
  const headers = { upgrade: 'websocket', ...authorized() };
  const { webSocket } = await request(`/v1/events${query}`, { headers });
  const notices: Notice[] = [];
  webSocket?.addEventListener('message', ({ data }) => {
    notices.push(JSON.parse(String(data)) as Notice);
  });
  webSocket?.accept();
  return notices;
}
interface Notice {
  id: number;
  type: string;
  event: string;
  call: CallView;
}

const rowOf = (id: string) =>
  testEnv.DB.prepare('SELECT * FROM recordings WHERE call_id = ?')
    .bind(id)
    .first<{ r2_key: string | null; expires_at_ms: number | null }>();
const at = (ms: number) => ownServices({}, { now: () => ms });
const later = (ms: number) => at(Date.now() + ms);
const done = () => Promise.resolve();
const fails = () => Promise.reject(new Error('R2 is away'));

describe('a recording that a relay brings', () => {
  it('is shown with its call and can be heard', async () => {
    const { id } = await ended();
    expect((await show(id)).recording).toBeNull();
    expect(await bring(id)).toEqual({ status: 200 });
    const expected = { duration_ms: 61_000, bytes: FILE.length, sha256: SHA, expires_at: null };
    expect((await show(id)).recording).toEqual(expected);
    const { body } = await api<{ data: CallView[] }>('GET', '/v1/calls?limit=200');
    expect(body.data.find((call) => call.id === id)?.recording).toEqual(expected);

    const heard = await listen(id);
    expect(heard).toMatchObject({ status: 200, bytes: FILE });
    expect(Object.fromEntries(heard.headers)).toMatchObject({
      'content-type': 'audio/ogg',
      'content-length': '5000',
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
      etag: `"${SHA}"`,
    });
  });

  it('is told to subscribers once, also to those who come back later', async () => {
    const { id } = await ended();
    const live = await subscribe();
    await bring(id);
    await bring(id);
    const isIt = ({ event, call }: Notice) => event === 'recording-kept' && call.id === id;
    const notice = await until('the event', () => live.find(isIt));
    const recording = { duration_ms: 61_000, bytes: FILE.length, sha256: SHA, expires_at: null };
    expect(notice).toMatchObject({ type: 'call', call: { state: 'ended', recording } });
    const late = await subscribe(notice.id - 1);
    expect((await until('the event again', () => late.find(isIt))).call.recording).toEqual(
      recording,
    );
    const { timeline } = await show(id);
    const kept = timeline.filter(({ type }) => type === 'recording-kept');
    const detail = { duration_ms: 61_000, bytes: FILE.length, sha256: SHA };
    expect(kept.map((entry) => entry.detail)).toEqual([detail]);
  });

  it('is told also when the first attempt broke off after it was stored', async () => {
    const { id } = await ended();
    const services = ownServices();
    const recordingKept = fails;
    const away = { ...services, switchboard: () => ({ recordingKept }) as never };
    expect((await bring(id, { app: createApp(away) })).status).toBe(500);
    expect((await show(id)).timeline.at(-1)?.type).not.toBe('recording-kept');
    expect(await bring(id)).toEqual({ status: 200 });
    expect((await show(id)).timeline.at(-1)?.type).toBe('recording-kept');
  });

  it('is not kept when the caller could not be told of it, unless somebody asked for it after that', async () => {
    const { id } = await ended();
    const addEntry = (type: string) =>
      testEnv.DB.prepare(
        `INSERT INTO call_events (call_id, seq, at_ms, type)
         SELECT call_id, max(seq) + 1, 1, ? FROM call_events WHERE call_id = ?`,
      )
        .bind(type, id)
        .run();
    await addEntry('announcement-failed');
    expect((await bring(id)).status).toBe(409);
    expect([await rowOf(id), (await audioKeys()).includes(`recordings/${id}.ogg`)]).toEqual([
      null,
      false,
    ]);
    await addEntry('recording-started');
    const app = createApp(
      ownServices({}, { switchboard: () => ({ recordingKept: done }) as never }),
    );
    expect(await bring(id, { app })).toEqual({ status: 200 });
  });

  it('is taken once: again is harmless, another one is refused', async () => {
    const { id } = await ended();
    await bring(id);
    expect(await bring(id, { body: new Uint8Array(FILE.length) })).toEqual({ status: 200 });
    expect((await listen(id)).bytes).toEqual(FILE);
    const other = await bring(id, { headers: { 'x-roomline-audio-sha256': 'b2'.repeat(32) } });
    expect(other.status).toBe(409);
    expect((await listen(id)).bytes).toEqual(FILE);
  });

  it('is of a call that was placed on that relay', async () => {
    const { id } = await ended();
    const other = await FakeRelay.register();
    expect((await bring(id, { relay: other })).status).toBe(404);
    expect(
      (await bring(id, { relay: { ...scene.credentials, secret: other.secret } })).status,
    ).toBe(401);
    expect((await bring('no-such-call')).status).toBe(404);
    expect(await rowOf(id)).toBeNull();
  });

  it('may come from any process of that relay', async () => {
    const { id } = await ended();
    const process = { ...scene.credentials, id: `${scene.credentials.id}.2` };
    expect((await bring(id, { relay: process })).status).toBe(200);
  });

  it('is taken also when news of the call came after it was settled', async () => {
    const { id, wacid } = await ended();
    scene.relay.say(id, { type: 'ended', reason: 'closed' });
    await testEnv.DB.prepare(`UPDATE calls SET is_live = 0 WHERE id = ?`).bind(id).run();
    await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1', duration: 4 }));
    expect(await bring(id)).toEqual({ status: 200 });
  });

  it.each<
    [what: string, headers: Record<string, string | undefined>, status: number, field?: string]
  >([
    ['without a type', { 'content-type': undefined }, 415],
    ['of another type', { 'content-type': 'audio/wav' }, 415],
    ['too large', { 'content-length': '100000001' }, 413],
    ['of no length', { 'content-length': '-1' }, 400, 'content-length'],
    [
      'without its duration',
      { 'x-roomline-duration-ms': undefined },
      400,
      'x-roomline-duration-ms',
    ],
    ['longer than a day', { 'x-roomline-duration-ms': '86400001' }, 400, 'x-roomline-duration-ms'],
    ['of half a ms', { 'x-roomline-duration-ms': '0.5' }, 400, 'x-roomline-duration-ms'],
    ['without its hash', { 'x-roomline-audio-sha256': undefined }, 400, 'x-roomline-audio-sha256'],
    ['with another hash', { 'x-roomline-audio-sha256': 'xyz' }, 400, 'x-roomline-audio-sha256'],
  ])('%s is refused', async (_what, headers, status, field) => {
    const { id } = await scene.announce();
    // Past the runtime, which would not send a length that is not the body's.
    const answer = await bring(id, { headers, app: createApp(ownServices()) });
    expect([answer.status, answer.errors?.[0]?.field]).toEqual([status, field]);
    expect(await rowOf(id)).toBeNull();
  });

  it('without a length is refused', async () => {
    const { id } = await scene.announce();
    const { readable } = new TransformStream();
    const headers = { 'content-length': undefined };
    const answer = await bring(id, { headers, body: readable });
    expect(answer).toMatchObject({ status: 411, type: 'urn:roomline:problem:length-required' });
  });

  it('that breaks off is not there, and can be brought again', async () => {
    const { id } = await ended();
    const { readable, writable } = new FixedLengthStream(FILE.length);
    const writer = writable.getWriter();
    const brought = bring(id, { body: readable, app: createApp(ownServices()) });
    await writer.write(FILE.subarray(0, 1_000));
    await writer.abort(new Error('the connection broke'));
    expect((await brought).status).toBe(500);
    expect((await show(id)).recording).toBeNull();
    expect((await listen(id)).status).toBe(404);
    expect(await bring(id)).toEqual({ status: 200 });
    expect((await listen(id)).bytes).toEqual(FILE);
  });

  it('a week after the call is not taken any more', async () => {
    const { id } = await ended();
    const app = createApp(later(7 * DAY_MS + 60_000));
    expect((await bring(id, { app })).status).toBe(409);
    expect(await rowOf(id)).toBeNull();
  });
});

describe('parts of a recording', () => {
  let id = '';
  beforeAll(async () => {
    await scene.reconnect({ protocol: 3 });
    ({ id } = await ended());
    await bring(id);
  });

  it.each<[range: string, contentRange: string, from: number, to: number]>([
    ['bytes=0-99', 'bytes 0-99/5000', 0, 100],
    ['bytes=4900-', 'bytes 4900-4999/5000', 4_900, 5_000],
    ['bytes=4900-9999', 'bytes 4900-4999/5000', 4_900, 5_000],
    ['bytes=-10', 'bytes 4990-4999/5000', 4_990, 5_000],
    ['bytes=-9999', 'bytes 0-4999/5000', 0, 5_000],
  ])('%s', async (range, contentRange, from, to) => {
    const part = await listen(id, undefined, { range });
    expect(part).toMatchObject({ status: 206, bytes: FILE.slice(from, to) });
    expect(part.headers.get('content-range')).toBe(contentRange);
    expect(part.headers.get('content-length')).toBe(String(to - from));
  });

  it.each(['bytes=5000-', 'bytes=-0'])('%s does not exist', async (range) => {
    const none = await listen(id, undefined, { range });
    expect(none.status).toBe(416);
    expect(none.headers.get('content-range')).toBe('bytes */5000');
  });

  it.each(['bytes=0-1,5-6', 'seconds=1-2', 'bytes=9-3', 'bytes=-', 'bytes=1e3-'])(
    'all of it is the answer to %s',
    async (range) => {
      expect(await listen(id, undefined, { range })).toMatchObject({ status: 200, bytes: FILE });
    },
  );

  it('are of what the asker has, or it gets all of it', async () => {
    const ask = (ifRange: string) =>
      listen(id, undefined, { range: 'bytes=0-9', 'if-range': ifRange });
    expect((await ask(`"${SHA}"`)).status).toBe(206);
    expect((await ask('"other"')).status).toBe(200);
    expect((await ask(`W/"${SHA}"`)).status).toBe(200);
  });

  it('are not sent to who has it, nor to who asks for the headers', async () => {
    const has = await listen(id, undefined, { 'if-none-match': `"x", "${SHA}"` });
    expect(has).toMatchObject({ status: 304, bytes: new Uint8Array(0) });
    const head = await listen(id, undefined, { range: 'bytes=0-9' }, 'HEAD');
    expect(head).toMatchObject({ status: 206, bytes: new Uint8Array(0) });
    expect(head.headers.get('content-range')).toBe('bytes 0-9/5000');
  });
});

describe('who may hear a recording', () => {
  it('the agent who had the call, and no other', async () => {
    const { id } = await ended();
    await bring(id);
    const [bea, carl] = scene.agents;
    expect((await listen(id, bea?.key)).status).toBe(200);
    expect((await listen(id, carl?.key)).status).toBe(403);
    expect((await listen(id, scene.credentials.secret)).status).toBe(401);
    expect(await remove(id, bea?.key)).toBe(403);
    expect((await listen('no-such-call', bea?.key)).status).toBe(404);
  });

  it('also an agent who was heard in it without having claimed it', async () => {
    const { id, wacid } = await scene.answer();
    const carl = scene.agents[1];
    scene.relay.say(id, { type: 'ready', identity: `agent-${carl?.id}` });
    await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1' }));
    await inState(id, 'ended');
    await bring(id);
    expect((await listen(id, carl?.key)).status).toBe(200);
  });
});

describe('a recording that is deleted', () => {
  it('is gone at once with its audio, and no relay brings it back', async () => {
    const { id } = await ended();
    await bring(id);
    expect(await audioKeys()).toContain(`recordings/${id}.ogg`);
    expect(await remove(id)).toBe(204);
    expect(await audioKeys()).not.toContain(`recordings/${id}.ogg`);
    expect((await listen(id)).status).toBe(404);
    expect((await show(id)).recording).toBeNull();
    expect((await bring(id)).status).toBe(409);
    expect(await audioKeys()).not.toContain(`recordings/${id}.ogg`);
    expect(await remove(id)).toBe(404);
  });

  it('while it is brought once more, stays deleted', async () => {
    const { id } = await ended();
    const services = ownServices();
    const put: R2Bucket['put'] = async (key: string, value: ArrayBuffer | ReadableStream) => {
      const stored = await bucket().put(key, await new Response(value).arrayBuffer());
      // Two at once: the other one is through, and then somebody deletes it.
      await services.recordings.stored(id as CallId, Date.now(), null);
      await remove(id);
      await bucket().put(key, 'what this one has written meanwhile');
      return stored as R2Object;
    };
    const app = createApp({ ...services, audio: bucketThat({ put }) });
    expect((await bring(id, { app })).status).toBe(409);
    expect(await audioKeys()).not.toContain(`recordings/${id}.ogg`);
  });

  it('is forgotten once no relay may bring it any more', async () => {
    const { id } = await ended();
    await bring(id);
    await remove(id);
    await sweepAudio(later(7 * DAY_MS));
    expect(await rowOf(id)).not.toBeNull();
    await sweepAudio(later(8 * DAY_MS + 1_000));
    expect(await rowOf(id)).toBeNull();
  });

  it('and whose deletion was interrupted, is finished later', async () => {
    const { id } = await ended();
    await bring(id);
    const app = createApp(ownServices({}, { audio: bucketThat({ delete: fails }) }));
    const path = `/v1/calls/${id}/recording`;
    const answer = await app.request(path, { method: 'DELETE', headers: authorized() });
    expect(answer.status).toBe(500);
    expect((await listen(id)).status).toBe(404);
    expect(await audioKeys()).toContain(`recordings/${id}.ogg`);
    await sweepAudio(ownServices());
    expect(await audioKeys()).not.toContain(`recordings/${id}.ogg`);
  });
});

describe('retention', () => {
  const retain = (days: number | null) =>
    api('PATCH', `/v1/numbers/${numberId}`, { recording_retention_days: days });

  it('counts from the end of the call; then the recording is gone from everywhere', async () => {
    await retain(2);
    const { id } = await ended();
    await bring(id);
    await retain(null);
    const { ended_at: endedAt, recording } = await show(id);
    const overAtMs = Date.parse(endedAt ?? '') + 2 * DAY_MS;
    expect(Date.parse(recording?.expires_at ?? '')).toBe(overAtMs);

    await sweepAudio(at(overAtMs - 1));
    expect(await audioKeys()).toContain(`recordings/${id}.ogg`);
    // Not heard any more even before anybody swept.
    const app = createApp(at(overAtMs));
    const path = `/v1/calls/${id}/recording`;
    expect((await app.request(path, { headers: authorized() })).status).toBe(404);
    expect((await bring(id, { app })).status).toBe(409);
    await sweepAudio(at(overAtMs));
    expect(await audioKeys()).not.toContain(`recordings/${id}.ogg`);
    await sweepAudio(at(overAtMs + 8 * DAY_MS));
    expect(await rowOf(id)).toBeNull();
  });

  it('is for ever unless a number says otherwise', async () => {
    const { id } = await ended();
    await bring(id);
    await sweepAudio(later(20 * 365 * DAY_MS));
    expect((await listen(id)).bytes).toEqual(FILE);
  });

  it('forgets after a week what was announced and never came', async () => {
    const { id } = await ended();
    const app = createApp(ownServices({}, { audio: bucketThat({ put: fails }) }));
    expect((await bring(id, { app })).status).toBe(500);
    await sweepAudio(later(6 * DAY_MS));
    expect(await rowOf(id)).toMatchObject({ r2_key: `recordings/${id}.ogg` });
    await sweepAudio(later(8 * DAY_MS + 1_000));
    expect(await rowOf(id)).toBeNull();
  });

  describe('of many', () => {
    /** Recordings whose time is over, in D1 and in R2. */
    async function manyOver(count: number): Promise<string[]> {
      const { id } = await ended();
      const ids = Array.from({ length: count }, (_, i) => `${id}-${i}`);
      const numbers = JSON.stringify(ids);
      await testEnv.DB.batch([
        testEnv.DB.prepare(
          `INSERT INTO calls (id, version, state, is_live, direction, number_id, relay_id, created_at_ms, ended_at_ms, data)
           SELECT value, 1, 'ended', 0, 'outbound', number_id, 'r', 1, 1, data FROM calls, json_each(?)
           WHERE calls.id = ?`,
        ).bind(numbers, id),
        testEnv.DB.prepare(
          `INSERT INTO recordings (call_id, relay_id, duration_ms, bytes, sha256, r2_key, created_at_ms, stored_at_ms, expires_at_ms)
           SELECT value, 'r', 1, 1, 's', 'recordings/' || value || '.ogg', 1, 1, 2 FROM json_each(?)`,
        ).bind(numbers),
      ]);
      await Promise.all(ids.map((one) => bucket().put(`recordings/${one}.ogg`, 'x')));
      return ids;
    }
    const left = async (ids: string[]) => {
      const keys = await audioKeys();
      return ids.filter((id) => keys.includes(`recordings/${id}.ogg`)).length;
    };

    it('goes in batches', async () => {
      const ids = await manyOver(200);
      const batches: number[] = [];
      const watched = bucketThat({
        delete: (keys) => {
          batches.push(keys.length);
          return bucket().delete(keys);
        },
      });
      await sweepAudio(ownServices({}, { audio: watched }));
      expect(await left(ids)).toBe(0);
      expect(batches).toEqual([90, 90, 20]);
      await sweepAudio(ownServices());
      expect(await rowOf(ids[0] ?? '')).toBeNull();
    });

    it('that is interrupted anywhere is finished by the next run', async () => {
      const ids = await manyOver(3);
      const services = ownServices();
      const noR2 = { ...services, audio: bucketThat({ delete: fails }) };
      await expect(sweepAudio(noR2)).rejects.toThrow('R2 is away');
      expect(await left(ids)).toBe(3);
      const noD1 = { ...services, recordings: { ...services.recordings, emptied: fails } };
      await expect(sweepAudio(noD1)).rejects.toThrow('R2 is away');
      expect(await rowOf(ids[0] ?? '')).toMatchObject({ r2_key: expect.any(String) });
      await sweepAudio(services);
      await sweepAudio(services);
      expect([await left(ids), await rowOf(ids[0] ?? '')]).toEqual([0, null]);
    });

    it('is done by the trigger of every minute', async () => {
      const ids = await manyOver(2);
      await worker.scheduled(undefined as never, testEnv);
      expect(await left(ids)).toBe(0);
    });
  });
});
