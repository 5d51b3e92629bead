// Permissions: asked of the provider, learned from webhooks, requested from the contact.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createPermissionStore } from '../../worker/adapters/permission-store-d1.ts';
import type { ContactId, NumberId } from '../../worker/domain/ids.ts';
import { drizzle } from 'drizzle-orm/d1';
import { api, testEnv, unique, until } from './support.ts';
import {
  errorReply,
  newPair,
  permissionAnswer,
  PermissionProvider,
  permissionReply,
  postMessage,
  sentReply,
  textMessage,
} from './permission-world.ts';

interface Permission {
  status: string;
  expires_at: string | null;
  may_call: { allowed: boolean; reason: string | null; retry_at: string | null };
  may_ask: {
    allowed: boolean;
    form: string | null;
    reason: string | null;
    retry_at: string | null;
  };
  window_until: string | null;
  requests: { message_id: string; answer: string | null }[];
  checked_at: string | null;
  stale: string | null;
}
interface ProblemBody {
  type: string;
  detail?: string;
  reason?: string;
  retry_at?: string | null;
  window_until?: string | null;
  provider_code?: number;
  remedy?: string;
}
type Pair = Awaited<ReturnType<typeof newPair>>;

let provider: PermissionProvider;
beforeAll(() => {
  provider = new PermissionProvider();
});
afterAll(() => vi.restoreAllMocks());

const show = ({ contactId, numberId }: Pair) =>
  api<Permission>('GET', `/v1/contacts/${contactId}/permission?number_id=${numberId}`);
const ask = <T = ProblemBody>({ contactId, numberId }: Pair, wording: object = {}) =>
  api<T>('POST', `/v1/contacts/${contactId}/permission-request`, {
    number_id: numberId,
    ...wording,
  });
type Sent = { message_id: string; form: string; permission: Permission };
const seconds = (hours: number): number => Math.floor(Date.now() / 1000) + hours * 3600;

describe('what is known', () => {
  it('comes from the provider, at most once a minute', async () => {
    const pair = await newPair();
    const expires = seconds(48);
    provider.permissionReplies.push(() =>
      permissionReply({ status: 'temporary', expiration_time: expires }, { canCall: true }),
    );
    const before = provider.queries.length;
    const { status, body } = await show(pair);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'temporary',
      expires_at: new Date(expires * 1000).toISOString(),
      may_call: { allowed: true, reason: null },
      may_ask: { allowed: true, form: 'template' },
      stale: null,
    });
    expect((await show(pair)).body.checked_at).toBe(body.checked_at);
    expect(provider.queries.slice(before)).toEqual([`?user_wa_id=${pair.phone}`]);
  });

  it('is served when the provider has no time, and says so', async () => {
    const pair = await newPair();
    provider.permissionReplies.push(() => errorReply(429, 613, 'rate'));
    const { status, body } = await show(pair);
    expect([status, body.status, body.may_call.allowed]).toEqual([200, 'unknown', true]);
    expect(body.stale).toContain('613');
    // The next one asks again.
    expect((await show(pair)).body).toMatchObject({ status: 'none', stale: null });
  });

  it('is not asked for more than five times a second', async () => {
    const first = await newPair();
    const pairs = [first];
    for (let n = 0; n < 7; n++) {
      const phone = `351${unique('').slice(-12)}`;
      const { body } = await api<{ id: string }>('POST', '/v1/contacts', { phone });
      pairs.push({ ...first, phone, contactId: body.id });
    }
    const before = provider.queries.length;
    const answers = await Promise.all(pairs.map(show));
    expect(provider.queries.length - before).toBe(5);
    expect(answers.filter(({ body }) => body.stale !== null)).toHaveLength(3);
  });

  it('tells when calls are possible again', async () => {
    const pair = await newPair();
    const until = seconds(5);
    provider.permissionReplies.push(() =>
      permissionReply(
        { status: 'permanent' },
        {
          canAsk: false,
          callLimits: [
            {
              time_period: 'PT24H',
              max_allowed: 100,
              current_usage: 100,
              limit_expiration_time: until,
            },
          ],
        },
      ),
    );
    expect((await show(pair)).body).toMatchObject({
      status: 'permanent',
      may_call: { reason: 'daily-limit', retry_at: new Date(until * 1000).toISOString() },
      may_ask: { reason: 'permanent-exists', retry_at: null },
    });
  });

  it('remembers that calls do not exist for the country, which the provider may say here already', async () => {
    const pair = await newPair();
    provider.permissionReplies.push(() => errorReply(400, 138013));
    expect((await show(pair)).body).toMatchObject({
      may_call: { allowed: false, reason: 'country' },
      may_ask: { allowed: false, reason: 'country' },
    });
  });

  it('needs a contact and a number that exist', async () => {
    const pair = await newPair();
    expect((await show({ ...pair, contactId: 'nobody' })).status).toBe(404);
    expect((await show({ ...pair, numberId: 'none' })).status).toBe(400);
    expect((await api('GET', `/v1/contacts/${pair.contactId}/permission`)).status).toBe(400);
  });
});

describe('webhooks', () => {
  it('of answers change what is known at once, whatever was checked before', async () => {
    const pair = await newPair();
    expect((await show(pair)).body.may_call).toMatchObject({ reason: 'no-permission' });
    expect((await postMessage(pair, permissionAnswer('accept'))).status).toBe(200);
    expect((await show(pair)).body).toMatchObject({
      status: 'temporary',
      may_call: { allowed: true },
    });
    await postMessage(pair, permissionAnswer('reject', { context: 'wamid.x' }));
    expect((await show(pair)).body).toMatchObject({
      status: 'declined',
      may_call: { reason: 'declined' },
    });
  });

  it('of answers that come twice or late do not undo later ones', async () => {
    const pair = await newPair();
    const accept = permissionAnswer('accept', {
      is_permanent: true,
      timestamp: String(seconds(0) - 20),
    });
    await postMessage(pair, accept);
    await postMessage(pair, permissionAnswer('reject', { timestamp: String(seconds(0) - 10) }));
    await postMessage(pair, accept);
    const late = permissionAnswer('accept', { timestamp: String(seconds(0) - 15) });
    await postMessage(pair, late);
    expect((await show(pair)).body.status).toBe('revoked');
  });

  it('of messages open the window for 24 h and make a contact of whoever writes', async () => {
    const pair = await newPair();
    const phone = `351${unique('').slice(-12)}`;
    await postMessage({ ...pair, phone }, textMessage());
    const { body } = await api<{ data: { id: string; name: string }[] }>(
      'GET',
      `/v1/contacts?phone=${phone}`,
    );
    const [contact] = body.data;
    expect(contact?.name).toBe('Ana');
    const permission = (await show({ ...pair, contactId: contact?.id ?? '' })).body;
    const untilMs = Date.parse(permission.window_until ?? '');
    expect(Math.abs(untilMs - Date.now() - 24 * 3_600_000)).toBeLessThan(5000);
    expect(permission.may_ask.form).toBe('text');
  });
});

describe('asking', () => {
  const template = { name: 'may_we_call', language: 'pt_PT', parameters: ['Ana'] };

  it('is free-form while the window is open, and the answer finds the request', async () => {
    const pair = await newPair();
    await postMessage(pair, textMessage());
    const id = unique('wamid.');
    provider.messageReplies.push(() => sentReply(id));
    const { status, body } = await ask<Sent>(pair, { text: 'May we call?', template });
    expect(status).toBe(201);
    expect(body).toMatchObject({ message_id: id, form: 'text' });
    expect(provider.messages.at(-1)).toEqual({
      messaging_product: 'whatsapp',
      recipient_type: 'individual',
      to: pair.phone,
      type: 'interactive',
      interactive: {
        type: 'call_permission_request',
        action: { name: 'call_permission_request' },
        body: { text: 'May we call?' },
      },
    });
    await postMessage(pair, permissionAnswer('accept', { context: id }));
    expect((await show(pair)).body.requests).toMatchObject([{ message_id: id, answer: 'granted' }]);
  });

  it('is by template when nobody has written', async () => {
    const pair = await newPair();
    const { body } = await ask<Sent>(pair, { text: 'May we call?', template });
    expect(body.form).toBe('template');
    expect(provider.messages.at(-1)).toMatchObject({
      type: 'template',
      template: {
        name: 'may_we_call',
        language: { code: 'pt_PT' },
        components: [{ type: 'body', parameters: [{ type: 'text', text: 'Ana' }] }],
      },
    });
  });

  it('says that a template is needed, and since when', async () => {
    const pair = await newPair();
    const sent = provider.messages.length;
    expect(await ask(pair)).toMatchObject({
      status: 409,
      body: { type: 'urn:roomline:problem:template-needed', window_until: null },
    });
    const yesterday = seconds(-30);
    await postMessage(pair, { ...textMessage(), timestamp: String(yesterday) });
    const closed = await ask(pair, { text: 'May we call?' });
    expect([closed.status, closed.body.window_until]).toEqual([
      409,
      new Date((yesterday + 24 * 3600) * 1000).toISOString(),
    ]);
    expect(provider.messages).toHaveLength(sent);
  });

  it('a second time within a day is refused with the time, once the provider agrees', async () => {
    const pair = await newPair();
    expect((await ask(pair, { template })).status).toBe(201);
    const until = seconds(20);
    provider.permissionReplies.push(() =>
      permissionReply(
        { status: 'no_permission' },
        {
          canAsk: false,
          askLimits: [
            {
              time_period: 'PT24H',
              max_allowed: 1,
              current_usage: 1,
              limit_expiration_time: until,
            },
          ],
        },
      ),
    );
    const sent = provider.messages.length;
    const { status, body } = await ask(pair, { template });
    expect(status).toBe(409);
    expect(body).toMatchObject({
      type: 'urn:roomline:problem:may-not-ask',
      reason: 'request-limit',
      retry_at: new Date(until * 1000).toISOString(),
    });
    expect(provider.messages).toHaveLength(sent);
  });

  it('a second time is sent when the provider allows it, as on test numbers', async () => {
    const pair = await newPair();
    expect((await ask(pair, { template })).status).toBe(201);
    expect((await ask(pair, { template })).status).toBe(201);
  });

  it.each<[number, number, string, number, Partial<ProblemBody>]>([
    [400, 138009, 'may-not-ask', 409, { reason: 'request-limit' }],
    [400, 138013, 'may-not-ask', 409, { reason: 'country' }],
    [400, 138014, 'may-not-ask', 409, { reason: 'paused' }],
    [400, 138017, 'may-not-ask', 409, { reason: 'permanent-exists' }],
    [401, 138000, 'provider-refused', 422, { provider_code: 138000 }],
    [404, 132001, 'provider-refused', 422, { provider_code: 132001 }],
    [400, 131026, 'provider-refused', 422, { provider_code: 131026 }],
    [429, 130429, 'upstream', 502, { provider_code: 130429 }],
    [500, 1, 'upstream', 502, { provider_code: 1 }],
  ])('refused with HTTP %i and %i is the problem %s', async (http, code, name, status, more) => {
    const pair = await newPair();
    provider.messageReplies.push(() => errorReply(http, code));
    const refused = await ask(pair, { template });
    expect(refused.status).toBe(status);
    expect(refused.body).toMatchObject({ type: `urn:roomline:problem:${name}`, ...more });
    const says = refused.body.remedy ?? refused.body.detail ?? '';
    expect(says.length).toBeGreaterThan(20);
  });

  it('closes the window when the provider says so', async () => {
    const pair = await newPair();
    await postMessage(pair, textMessage());
    provider.messageReplies.push(() => errorReply(400, 131047));
    const { status, body } = await ask(pair, { text: 'May we call?' });
    expect([status, body.type]).toEqual([409, 'urn:roomline:problem:template-needed']);
    expect((await show(pair)).body.may_ask.form).toBe('template');
  });

  it('reaches users without a known number by their id', async () => {
    const pair = await newPair();
    const bsuid = unique('PT.');
    const { body } = await api<{ id: string }>('POST', '/v1/contacts', { bsuid });
    expect((await ask({ ...pair, contactId: body.id }, { template })).status).toBe(201);
    expect(provider.messages.at(-1)).toMatchObject({ recipient: bsuid });
    expect(provider.messages.at(-1)).not.toHaveProperty('to');
  });

  it('names wrong fields', async () => {
    const pair = await newPair();
    const { status, body } = await ask<{ errors: { field: string }[] }>(pair, {
      text: ' ',
      template: { name: 'With Spaces', language: 'x' },
    });
    expect([status, body.errors.map(({ field }) => field).toSorted()]).toEqual([
      400,
      ['template.language', 'template.name', 'text'],
    ]);
    expect((await ask({ ...pair, numberId: 'none' }, { template })).status).toBe(400);
    expect((await ask({ ...pair, contactId: 'none' }, { template })).status).toBe(404);
  });
});

it('a call that our own knowledge forbids is refused without asking the provider, until it is asked again', async () => {
  const pair = await newPair();
  await postMessage(pair, permissionAnswer('reject', { timestamp: String(seconds(0) - 10) }));
  const dial = () =>
    api<ProblemBody & { id?: string }>('POST', '/v1/calls', {
      number_id: pair.numberId,
      contact_id: pair.contactId,
      connect: { room: true },
    });
  expect(await dial()).toMatchObject({
    status: 409,
    body: { type: 'urn:roomline:problem:call-forbidden', reason: 'revoked' },
  });
  provider.permissionReplies.push(() =>
    permissionReply({ status: 'permanent' }, { canCall: true }),
  );
  await api('GET', `/v1/contacts/${pair.contactId}/permission?number_id=${pair.numberId}`);
  const { status, body } = await dial();
  expect(status).toBe(201);
  // There is no relay; what is left of the call must not run into the next test.
  await until('the end', async () => {
    const call = await api<{ state: string }>('GET', `/v1/calls/${body.id}`);
    return call.body.state === 'ended';
  });
});

it('two writers of one ledger lose nothing', async () => {
  const pair = await newPair();
  const store = createPermissionStore(drizzle(testEnv.DB));
  const add = (n: number) =>
    store.update(pair.numberId as NumberId, pair.contactId as ContactId, 1, (ledger) => ({
      ...ledger,
      seen: [...ledger.seen, String(n)],
    }));
  for (let round = 0; round < 5; round++) {
    await Promise.all([add(round * 3), add(round * 3 + 1), add(round * 3 + 2)]);
  }
  const { seen } = await store.load(pair.numberId as NumberId, pair.contactId as ContactId);
  expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 15 }, (_, n) => n),
  );
});
