// What is too large, too deep, too much or too often is refused by name, before it costs anything.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { openDatabase } from '../../worker/adapters/database.ts';
import { createContactStore } from '../../worker/adapters/contact-store-d1.ts';
import type { ContactId } from '../../worker/domain/ids.ts';
import { ownServices } from './own-services.ts';
import { record } from './record.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  Outside,
  request,
  signature,
  testEnv,
  unique,
  until,
} from './support.ts';

beforeAll(() => void Outside.open());
afterAll(() => vi.restoreAllMocks());

interface ProblemBody {
  type: string;
  detail?: string;
  errors?: { field: string; expected: string }[];
}

const post = async (body: string): Promise<{ status: number; type: string }> => {
  const headers = { 'x-hub-signature-256': await signature(body) };
  const response = await request('/webhooks/whatsapp', { method: 'POST', body, headers });
  const text = await response.text();
  return { status: response.status, type: text && (JSON.parse(text) as ProblemBody).type };
};
const refusal = (status: number, code: string) => ({
  status,
  type: `urn:roomline:problem:${code}`,
});
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const webhookOf = (count: number): string =>
  JSON.stringify({
    entry: [
      {
        changes: [
          {
            field: 'messages',
            value: {
              metadata: { phone_number_id: '1' },
              messages: Array.from({ length: count }, () => ({ timestamp: '1' })),
            },
          },
        ],
      },
    ],
  });

describe('a webhook', () => {
  it('nested deeper than any is refused; brackets in texts do not count', async () => {
    expect(await post(nested(33))).toEqual(refusal(400, 'too-deep'));
    expect(await post(nested(1_000_000))).toEqual(refusal(400, 'too-deep'));
    expect((await post(nested(32))).status).toBe(200);
    expect((await post(JSON.stringify({ entry: [], text: `\\"${nested(99)}` }))).status).toBe(200);
  });

  it('with more values than any is refused before it takes their memory', async () => {
    const bodyOf = (count: number) => `{"entry":[],"others":[${'[],'.repeat(count)}0]}`;
    expect(await post(bodyOf(100_000))).toEqual(refusal(413, 'too-large'));
    expect((await post(bodyOf(99_000))).status).toBe(200);
  });

  it('with more than 1000 updates is refused as a whole', async () => {
    const before = await record();
    expect(await post(webhookOf(1_001))).toEqual(refusal(413, 'too-large'));
    const changes = Array.from({ length: 1_001 }, () => ({ field: 'messages', value: {} }));
    expect(await post(JSON.stringify({ entry: [{ changes }] }))).toEqual(refusal(413, 'too-large'));
    expect(await record()).toEqual(before);
    expect((await post(webhookOf(1_000))).status).toBe(200);
  });

  it('that names hundreds of numbers is read, and ours among them have heard of their provider', async () => {
    const phoneNumberId = unique('66');
    const { body } = await api<{ id: string }>('POST', '/v1/numbers', {
      provider: 'meta',
      phone_number_id: phoneNumberId,
      display_phone_number: '15550109999',
      access_token: 'token',
    });
    const ids = [...Array.from({ length: 350 }, (_, i) => `x${i}`), phoneNumberId];
    const entry = ids.map((phone_number_id) => ({
      changes: [{ field: 'calls', value: { metadata: { phone_number_id }, calls: [] } }],
    }));
    expect((await post(JSON.stringify({ entry }))).status).toBe(200);
    await until('the note', async () => {
      const number = await api<{ webhook_at: string | null }>('GET', `/v1/numbers/${body.id}`);
      return number.body.webhook_at;
    });
  });

  it.each(['x'.repeat(513), ''])('is not confirmed with a token of %#', async (token) => {
    const query = new URLSearchParams({
      'hub.mode': 'subscribe',
      'hub.verify_token': token,
      'hub.challenge': '1',
    });
    expect((await request(`/webhooks/whatsapp?${query.toString()}`)).status).toBe(403);
  });

  it('is not confirmed with a challenge that is no challenge', async () => {
    const query = (challenge: string) =>
      `/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=verify-token&hub.challenge=${challenge}`;
    expect((await request(query('1'.repeat(257)))).status).toBe(403);
    expect((await request(query('1158201444'))).status).toBe(200);
  });
});

describe('a flood', () => {
  /** The app before a database that does not answer until told. */
  function stuck() {
    const services = ownServices();
    let release = () => {};
    const answered = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = 0;
    const app = createApp({
      ...services,
      directory: {
        ...services.directory,
        numbersByPhoneNumberId: async () => {
          asked += 1;
          await answered;
          return new Map();
        },
      },
    });
    const send = async (body: string, secret?: string): Promise<Response> =>
      app.request('/webhooks/whatsapp', {
        method: 'POST',
        body,
        headers: { 'x-hub-signature-256': await signature(body, secret) },
      });
    return { send, release, asked: () => asked };
  }

  it('of signed webhooks: 200 are worked on at once, the others are to come again', async () => {
    const { send, release, asked } = stuck();
    const sent = Array.from({ length: 260 }, (_, i) =>
      send(JSON.stringify(connectWebhook({ id: `wacid.${i}`, phoneNumberId: '1' }))),
    );
    const done: number[] = [];
    for (const response of sent) void response.then(({ status }) => done.push(status));
    await until('the refusals', () => done.length === 60);
    expect(asked()).toBe(200);
    release();
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(200);
    expect(statuses.filter((status) => status === 503)).toHaveLength(60);
    expect((await send('{"entry":[]}')).status).toBe(200);
  });

  it('of large signed webhooks: 8 MiB are worked on at once', async () => {
    const { send, release, asked } = stuck();
    const large = JSON.stringify({ entry: [], padding: 'x'.repeat(3 * 1024 * 1024) });
    const sent = [send(large), send(large), send(large)];
    const third = await Promise.any(sent);
    expect(third.status).toBe(503);
    expect(third.headers.get('retry-after')).toBe('1');
    expect(asked()).toBe(2);
    release();
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  });

  it('of webhooks with a wrong signature never reaches the database', async () => {
    const { send, asked } = stuck();
    const statuses = await Promise.all(
      Array.from({ length: 300 }, () => send('{"entry":[]}', 'wrong')),
    );
    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([401]));
    expect(asked()).toBe(0);
  });
});

describe('the API', () => {
  const send = async (method: string, path: string, body: string) => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
    const response = await request(path, { method, body, headers });
    return { status: response.status, body: await response.json<ProblemBody>() };
  };

  it('takes no JSON of more than 256 kB, nor nested deeper than any', async () => {
    const large = await send('POST', '/v1/agents', `{"name":"${'x'.repeat(256 * 1024)}"}`);
    expect([large.status, large.body.type]).toEqual([413, 'urn:roomline:problem:too-large']);
    const deep = await send('POST', '/v1/agents', nested(33));
    expect([deep.status, deep.body.type]).toEqual([400, 'urn:roomline:problem:too-deep']);
  });

  it('reads no body of somebody without a key', async () => {
    const response = await request('/v1/agents', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'x'.repeat(1024 * 1024),
    });
    expect(response.status).toBe(401);
  });

  it('names at most 100 things that are wrong', async () => {
    const response = await request('/v1/rates', {
      method: 'PUT',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'text/csv' },
      body: `prefix,tier_from_minutes,currency,price_per_minute,valid_from\n${'x\n'.repeat(5_000)}`,
    });
    expect(response.status).toBe(400);
    expect((await response.json<ProblemBody>()).errors).toHaveLength(100);
  });

  it.each(['limit=201', 'limit=0', `cursor=${'x'.repeat(201)}`])(
    'pages no further than it says: %#',
    async (query) => {
      const { status, body } = await api<ProblemBody>('GET', `/v1/contacts?${query}`);
      expect([status, body.errors?.[0]?.field]).toEqual([400, query.split('=')[0]]);
    },
  );

  it('gives the largest page that it promises', async () => {
    const contacts = createContactStore(openDatabase(testEnv.DB));
    for (let i = 0; i < 201; i++) {
      const value = `351${String(i).padStart(9, '0')}`;
      await contacts.save(
        { id: unique('c') as ContactId, name: null, identities: [{ kind: 'phone', value }] },
        1,
      );
    }
    const { status, body } = await api<{ data: unknown[] }>('GET', '/v1/contacts?limit=200');
    expect([status, body.data.length]).toEqual([200, 200]);
  });
});

describe('an error of the database', () => {
  it('names the statement and none of its values, wherever it is logged', async () => {
    const db = openDatabase(testEnv.DB);
    const contact = {
      id: 'c-secret' as ContactId,
      name: 'Maria Fonseca',
      identities: [{ kind: 'phone' as const, value: '351910000777' }],
    };
    await testEnv.DB.prepare('ALTER TABLE contact_identities RENAME TO gone').run();
    const error = await createContactStore(db)
      .list({ identity: contact.identities[0] }, 10)
      .then(
        () => null,
        (reason: unknown) => reason,
      );
    await testEnv.DB.prepare('ALTER TABLE gone RENAME TO contact_identities').run();
    expect(String(error)).toContain('contact_identities');
    expect(String(error)).not.toContain('351910000777');
    expect((error as Error).stack).not.toContain('351910000777');
  });
});
