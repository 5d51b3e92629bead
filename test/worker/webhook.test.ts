// The address that the provider calls: what it refuses, what it ignores, and that nothing of either is stored.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  api,
  connectWebhook,
  Outside,
  postWebhook,
  request,
  signature,
  unique,
  until,
} from './support.ts';

let outside: Outside;
beforeAll(() => {
  outside = Outside.open();
});
afterAll(() => vi.restoreAllMocks());

const ignored = async (): Promise<Record<string, number>> =>
  (await api<{ ignored: Record<string, number> }>('GET', '/v1/stats')).body.ignored;
const calls = async (): Promise<unknown[]> =>
  (await api<{ data: unknown[] }>('GET', '/v1/calls')).body.data;

const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
  request('/webhooks/whatsapp', { method: 'POST', body, headers });

it('answers the verification request of the provider, and only with the right token', async () => {
  const path = (token: string) =>
    `/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`;
  const right = await request(path('verify-token'));
  expect([right.status, await right.text()]).toEqual([200, '1158201444']);
  expect((await request(path('wrong'))).status).toBe(403);
  expect((await request('/webhooks/whatsapp?hub.mode=subscribe')).status).toBe(403);
});

it.each([
  ['missing', async () => ({})],
  ['malformed', async () => ({ 'x-hub-signature-256': 'sha256=xyz' })],
  ['of another body', async () => ({ 'x-hub-signature-256': await signature('{}') })],
  [
    'made with another secret',
    async (body: string) => ({ 'x-hub-signature-256': await signature(body, 'x') }),
  ],
] as const)('refuses a signature that is %s and stores nothing', async (_name, headers) => {
  const body = JSON.stringify(connectWebhook({ id: unique('wacid.'), phoneNumberId: '1' }));
  const response = await post(body, await headers(body));
  expect(response.status).toBe(401);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await calls()).toEqual([]);
});

it('accepts every configured app secret, for rotation', async () => {
  const body = '{"entry":[]}';
  const response = await post(body, {
    'x-hub-signature-256': await signature(body, 'old-app-secret'),
  });
  expect(response.status).toBe(200);
});

it('refuses a body that is too large before reading it', async () => {
  const body = 'x'.repeat(4 * 1024 * 1024 + 1);
  expect((await post(body)).status).toBe(413);
});

it('refuses a signed body that is not JSON', async () => {
  const response = await post('{', { 'x-hub-signature-256': await signature('{') });
  expect(response.status).toBe(400);
});

it('acknowledges and counts a call for a number that is not registered, without asking the provider', async () => {
  const before = (await ignored())['unregistered-number'] ?? 0;
  const webhook = connectWebhook({ id: unique('wacid.'), phoneNumberId: '999' });
  expect((await postWebhook(webhook)).status).toBe(200);
  await until(
    'the count',
    async () => ((await ignored())['unregistered-number'] ?? 0) === before + 1,
  );
  expect(await calls()).toEqual([]);
  expect(outside.graph).toEqual([]);
});

it('acknowledges and counts what is not about calls, or about calls of others', async () => {
  const change = (field: string, value: object) => ({ entry: [{ changes: [{ field, value }] }] });
  const phoneNumberId = unique('66');
  await api('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '15550109999',
    access_token: 'token',
  });
  const metadata = { phone_number_id: phoneNumberId };
  const call = { id: 'wacid.x', timestamp: '1', direction: 'BUSINESS_INITIATED' };
  const status = { id: 'wacid.x', timestamp: '1', status: 'RINGING', type: 'call' };
  for (const payload of [
    change('message_template_status_update', {}),
    change('calls', { metadata, calls: [{ ...call, event: 'call_created' }] }),
    change('calls', { metadata, calls: [{ event: 'a_new_one', id: 7 }] }),
    change('calls', { metadata, calls: [{ event: 'connect', id: '' }] }),
    change('calls', { metadata, statuses: [status] }),
    change('calls', { metadata: { phone_number_id: '1' }, statuses: [status] }),
    { something: 'else' },
    [],
  ]) {
    expect((await postWebhook(payload)).status).toBe(200);
  }
  const expected = {
    'other-field': 1,
    'unknown-event': 2,
    'malformed-event': 1,
    'foreign-call': 1,
    'unregistered-number': 2,
    'unknown-payload': 2,
  };
  await until('the counts', async () => {
    const counts = await ignored();
    return Object.entries(expected).every(([name, count]) => counts[name] === count);
  });
  expect(await calls()).toEqual([]);
});
