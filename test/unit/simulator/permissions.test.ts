import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NumberView } from '../../local/simulator/client.ts';
import type { PermissionReplyRequest } from '../../local/simulator/control-schemas.ts';
import { DAY_MS, HOUR_MS } from '../../local/simulator/clock.ts';
import { POLL, Scene, USER } from './scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.close());

const permissions = (query = `user_wa_id=${USER}`) =>
  scene.graph('GET', `call_permissions?${query}`);
const fieldsOfReply = () => {
  const values = scene.receiver.values() as unknown as {
    messages?: { interactive?: { call_permission_reply?: object } }[];
  }[];
  const replies = values.flatMap(({ messages = [] }) => messages);
  return replies.map((message) => ({
    ...(message as Record<string, unknown>),
    reply: message.interactive?.call_permission_reply,
  }));
};

describe('the permission query', () => {
  it('of a user who was never asked says so, and what may be done', async () => {
    expect((await permissions()).body).toEqual({
      messaging_product: 'whatsapp',
      permission: { status: 'no_permission' },
      actions: [
        {
          action_name: 'send_call_permission_request',
          can_perform_action: true,
          limits: [
            { time_period: 'PT24H', max_allowed: 1, current_usage: 0 },
            { time_period: 'P7D', max_allowed: 2, current_usage: 0 },
          ],
        },
        {
          action_name: 'start_call',
          can_perform_action: false,
          limits: [{ time_period: 'PT24H', max_allowed: 100, current_usage: 0 }],
        },
      ],
    });
  });

  it.each(['expiration_time', 'expiration'] as const)('names the expiry %s', async (field) => {
    await scene.client.changeNumber(scene.id, { expiration_field: field });
    await scene.client.setPermission({ user: USER, status: 'temporary' });
    const { userId } = await scene.client.permission(USER);
    const { body } = await permissions(`recipient=${userId}`);
    expect(Object.keys(body.permission ?? {})).toEqual(['status', field]);
    expect(body.permission?.status).toBe('temporary');
    expect(body.actions?.[1]).toMatchObject({ can_perform_action: true });
  });

  it('of a permanent permission has no expiry, and no request may be sent', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent' });
    const { body } = await permissions();
    expect(body.permission).toEqual({ status: 'permanent' });
    expect(body.actions?.map((action) => action.can_perform_action)).toEqual([false, true]);
  });

  it('of a phone that cannot be called looks like one without permission', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent' });
    await scene.client.setPhone({ behaviour: 'uncallable' }, USER);
    const { body } = await permissions();
    expect(body.permission).toEqual({ status: 'no_permission' });
    expect(body.actions?.map((action) => action.can_perform_action)).toEqual([false, false]);
  });

  it('names when a used-up limit is free again', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent', connected_calls: 100 });
    const { body } = await permissions();
    expect(body.actions?.[1]).toMatchObject({
      can_perform_action: false,
      limits: [{ current_usage: 100, limit_expiration_time: expect.any(Number) }],
    });
  });

  it('is limited to so many a second when set so', async () => {
    await scene.client.changeNumber(scene.id, { permission_queries_per_s: 2 });
    const answers = await Promise.all([permissions(), permissions(), permissions()]);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 200, 429]);
    expect(answers.find(({ status }) => status === 429)?.body.error?.code).toBe(613);
  });

  it('can already say that the country has no such calls', async () => {
    await scene.client.changeNumber(scene.id, { bic_available: false });
    expect((await permissions()).body.actions?.[1]?.can_perform_action).toBe(false);
    await scene.client.changeNumber(scene.id, { query_reports_country: true });
    expect((await permissions()).body.error).toMatchObject({
      code: 138013,
      is_transient: false,
      error_subcode: expect.any(Number),
      error_user_msg: expect.any(String),
    });
  });

  it.each(['', 'user_wa_id=abc', 'recipient=US.nobody'])('with %j is refused', async (query) => {
    expect(await permissions(query)).toMatchObject({ status: 400, body: { error: { code: 100 } } });
  });
});

describe('a permission request', () => {
  it('needs the service window, unless it is a template', async () => {
    expect((await scene.askPermission()).body.error?.code).toBe(131047);
    await scene.client.changeNumber(scene.id, { closed_window_code: 138011 });
    expect((await scene.askPermission()).body.error?.code).toBe(138011);
    const language = { code: 'en_US' };
    const template = { type: 'template', template: { name: 'call_permission', language } };
    const { status, body } = await scene.message(template);
    expect(status).toBe(200);
    expect(body.contacts).toEqual([
      { input: USER, wa_id: USER, user_id: expect.stringMatching(/^US\./) },
    ]);
    await expect.poll(() => scene.names(), POLL).toEqual(['sent', 'delivered']);
    expect((await scene.client.permission(USER)).requests).toMatchObject([
      { wamid: body.messages?.[0]?.id },
    ]);
  });

  it('that is taken outside the window can fail by webhook instead', async () => {
    await scene.client.changeNumber(scene.id, { closed_window: 'fail' });
    expect((await scene.askPermission()).status).toBe(200);
    await expect.poll(() => scene.names(), POLL).toEqual(['failed']);
    expect(scene.entry('failed')).toMatchObject({ errors: [{ code: 131047 }] });
    expect((await scene.client.permission(USER)).requests).toEqual([]);
  });

  it('counts, is refused when too many, and is free again after a connected call', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    expect((await scene.askPermission()).status).toBe(200);
    expect((await scene.askPermission()).body.error).toMatchObject({
      code: 138009,
      error_data: { details: expect.stringMatching(/next allowed/) },
    });
    await scene.client.advanceClock(DAY_MS);
    await scene.client.userMessage({ user: USER });
    expect((await scene.askPermission()).status).toBe(200);
    await scene.client.advanceClock(DAY_MS);
    await scene.client.userMessage({ user: USER });
    expect((await scene.askPermission()).body.error?.code).toBe(138009);
    await scene.client.setPermission({ user: USER, connected_calls: 1 });
    expect((await scene.askPermission()).status).toBe(200);
  });

  it('to somebody who has approved for good is refused', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent', window: 'open' });
    expect((await scene.askPermission()).body.error?.code).toBe(138017);
  });

  it('is undeliverable to an old app', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    await scene.client.setPhone({ client: 'old' }, USER);
    expect((await scene.askPermission()).status).toBe(200);
    await expect.poll(() => scene.names(), POLL).toEqual(['failed']);
    expect(scene.entry('failed')).toMatchObject({ errors: [{ code: 131026 }] });
  });

  it('is answered by a phone that was told to', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    await scene.client.setPhone({ permission_reply: { response: 'accept' } }, USER);
    const { body } = await scene.askPermission();
    await expect.poll(() => scene.names(), POLL).toEqual(['sent', 'delivered', 'interactive']);
    expect(scene.entry('interactive')).toMatchObject({
      context: { from: '15550109999', id: body.messages?.[0]?.id },
    });
    expect((await scene.client.permission(USER)).permission.kind).toBe('temporary');
  });
});

describe('the reply to a permission request', () => {
  type Row = [
    name: string,
    reply: Omit<PermissionReplyRequest, 'user'>,
    fields: object,
    kind: string,
  ];
  it.each<Row>([
    [
      'temporary',
      {},
      {
        response: 'accept',
        is_permanent: false,
        expiration_timestamp: expect.stringMatching(/^\d+$/),
        response_source: 'user_action',
      },
      'temporary',
    ],
    [
      'permanent',
      { is_permanent: true },
      { response: 'accept', is_permanent: true, response_source: 'user_action' },
      'permanent',
    ],
    [
      'declined',
      { response: 'reject' },
      { response: 'reject', response_source: 'user_action' },
      'none',
    ],
    [
      'permanent, from the profile',
      { is_permanent: true, context: 'none' },
      { response: 'accept', is_permanent: true, response_source: 'user_action' },
      'permanent',
    ],
    [
      'automatic, about a call',
      { source: 'automatic', context: 'wacid.ABC' },
      expect.objectContaining({ response: 'accept', response_source: 'automatic' }),
      'temporary',
    ],
    [
      'permanent but saying it is not',
      { is_permanent: true, form: { wrong_permanent: true } },
      { response: 'accept', is_permanent: false, response_source: 'user_action' },
      'permanent',
    ],
  ])('is told and takes effect: %s', async (_name, reply, fields, kind) => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    const { body } = await scene.askPermission();
    const wamid = body.messages?.[0]?.id;
    const after = await scene.client.replyPermission({ user: USER, ...reply });
    expect(after.permission.kind).toBe(kind);
    const [message] = fieldsOfReply();
    expect(message?.reply).toEqual(fields);
    const context = { none: undefined, 'wacid.ABC': 'wacid.ABC' }[reply.context ?? ''] ?? wamid;
    const expected = reply.context === 'none' ? undefined : { from: '15550109999', id: context };
    expect((message as { context?: object } | undefined)?.context).toEqual(expected);
  });

  it('can lack its type, its contacts and the phone number, and have a number for a time', async () => {
    const form = { without_type: true, integer_expiry: true, contacts: 'no_phone', duplicates: 1 };
    const reply = { user: USER, context: 'none', form } as PermissionReplyRequest;
    await scene.client.replyPermission(reply);
    const messages = fieldsOfReply();
    expect(messages).toHaveLength(2);
    expect(messages[0]).toEqual(messages[1]);
    expect(messages[0]).not.toHaveProperty('type');
    expect(messages[0]).not.toHaveProperty('from');
    expect(messages[0]?.reply).toMatchObject({ expiration_timestamp: expect.any(Number) });
  });

  it('can be changed while the request is open, but not afterwards', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    await scene.askPermission();
    await scene.client.replyPermission({ user: USER });
    const changed = await scene.client.replyPermission({ user: USER, response: 'reject' });
    expect(changed.permission.kind).toBe('none');
    await scene.client.advanceClock(7 * DAY_MS);
    await expect(scene.client.replyPermission({ user: USER })).rejects.toThrow(/409/);
  });

  it('can weaken a permanent permission, which an automatic one cannot', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent' });
    const reply = { user: USER, context: 'none' };
    const automatic = await scene.client.replyPermission({ ...reply, source: 'automatic' });
    expect(automatic.permission.kind).toBe('permanent');
    expect((await scene.client.replyPermission(reply)).permission.kind).toBe('temporary');
  });

  it('expires without a word, 168 hours later', async () => {
    await scene.client.replyPermission({ user: USER, context: 'none' });
    const before = scene.receiver.arrived.length;
    await scene.client.advanceClock(168 * HOUR_MS);
    expect((await permissions()).body.permission).toEqual({ status: 'no_permission' });
    expect(scene.receiver.arrived).toHaveLength(before);
  });
});

describe('calls', () => {
  it('of a user grant a temporary permission when that is set, and open the window', async () => {
    await scene.graph('POST', 'settings', { calling: { callback_permission_status: 'ENABLED' } });
    const { id, wacid } = await scene.client.call({ from: USER });
    await scene.client.hangUp(id);
    await expect.poll(() => fieldsOfReply().length, POLL).toBe(1);
    expect(fieldsOfReply()[0]).toMatchObject({
      context: { id: wacid },
      reply: { response: 'accept', is_permanent: false, response_source: 'automatic' },
    });
    const state = await scene.client.permission(USER);
    expect(state).toMatchObject({ permission: { kind: 'temporary' }, isWindowOpen: true });
  });

  it('of a user grant nothing by default', async () => {
    const { id } = await scene.client.call({ from: USER });
    await scene.client.hangUp(id);
    await expect.poll(() => scene.names(), POLL).toEqual(['connect', 'terminate']);
    expect((await scene.client.permission(USER)).permission.kind).toBe('none');
  });

  it.each(['reject', 'ignore', 'offline'] as const)(
    'of the business that all end in %s cost the permission, and the user is told twice',
    async (behaviour) => {
      await scene.client.setPermission({ user: USER, status: 'permanent' });
      await scene.client.setPhone({ behaviour, connect_ms: 0, ring_ms: 0 }, USER);
      for (let count = 1; count <= 4; count++) {
        const { wacid } = await scene.dial();
        await scene.client.waitFor(wacid, ({ state }) => state === 'ended');
        const { permission, nudges, unansweredInARow } = await scene.client.permission(USER);
        expect(nudges).toBe(count >= 2 ? 1 : 0);
        expect(unansweredInARow).toBe(count < 4 ? count : 0);
        expect(permission.kind).toBe(count < 4 ? 'permanent' : 'none');
      }
      await expect.poll(() => fieldsOfReply().length, POLL).toBe(1);
      expect(fieldsOfReply()[0]?.reply).toEqual({
        response: 'reject',
        response_source: 'automatic',
      });
      expect(fieldsOfReply()[0]).not.toHaveProperty('context');
      const peer = await scene.peer();
      expect((await scene.connect(peer.offer)).body.error?.code).toBe(138006);
    },
  );

  it('that are picked up open the window and count', async () => {
    await scene.client.setPermission({ user: USER, status: 'permanent' });
    await scene.client.setPhone({ connect_ms: 0, ring_ms: 0, talk_ms: 0 }, USER);
    const { wacid } = await scene.dial();
    await scene.client.waitFor(wacid, ({ state }) => state === 'ended');
    expect(await scene.client.permission(USER)).toMatchObject({
      connectedToday: { used: 1, max: 100 },
      isWindowOpen: true,
    });
  });
});

describe('messages', () => {
  const button = (parameters: object, name = 'voice_call') => ({
    type: 'interactive',
    interactive: { type: 'voice_call', body: { text: 'Talk to us' }, action: { name, parameters } },
  });

  it('of a user arrive with a name and open the window', async () => {
    const { wamid } = await scene.client.userMessage({ user: USER, text: 'Zoë?' });
    expect(scene.entry('text')).toMatchObject({ id: wamid, from: USER, text: { body: 'Zoë?' } });
    expect((await scene.client.permission(USER)).isWindowOpen).toBe(true);
    await scene.client.advanceClock(DAY_MS);
    expect((await scene.message({ text: { body: 'late' } })).body.error?.code).toBe(131047);
  });

  it('of the business are kept, and told as sent and delivered', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    await scene.message({ text: { body: 'Hello' } });
    await scene.message(button({ display_text: 'Call us', ttl_minutes: 60, payload: 'p' }));
    await expect
      .poll(() => scene.names().sort(), POLL)
      .toEqual(['delivered', 'delivered', 'sent', 'sent']);
    const kinds = (await scene.client.messages()).map(({ kind }) => kind);
    expect(kinds).toEqual(['text', 'voice_call']);
  });

  it('to a phone that is offline are not delivered', async () => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    await scene.client.setPhone({ behaviour: 'offline' }, USER);
    await scene.message({ text: { body: 'Hello' } });
    await expect.poll(() => scene.names(), POLL).toEqual(['sent']);
  });

  it.each<[name: string, message: object, code: number]>([
    ['an unknown kind', { type: 'poem' }, 100],
    ['an empty text', { text: { body: '' } }, 100],
    ['too long a label', button({ display_text: 'x'.repeat(21) }), 100],
    ['too long a life', button({ ttl_minutes: 43_201 }), 100],
    ['too long a payload', button({ payload: 'x'.repeat(513) }), 100],
    ['another action', button({}, 'call'), 100],
    ['a recipient that is no number', { to: 'US.1', text: { body: 'x' } }, 100],
    [
      'a template in another language',
      { type: 'template', template: { name: 'call_permission', language: { code: 'en_GB' } } },
      132001,
    ],
    [
      'a request with a footer',
      {
        type: 'interactive',
        interactive: {
          type: 'call_permission_request',
          action: { name: 'call_permission_request' },
          footer: { text: 'x' },
        },
      },
      100,
    ],
  ])('with %s are refused', async (_name, message, code) => {
    await scene.client.setPermission({ user: USER, window: 'open' });
    expect((await scene.message(message)).body.error?.code).toBe(code);
  });

  it('meet faults of their own', async () => {
    await scene.client.addFaults({ graph: [{ action: 'messages', kind: 'error', code: 131056 }] });
    expect(await scene.message({ text: { body: 'x' } })).toMatchObject({ status: 429 });
    await scene.client.addFaults({ graph: [{ kind: 'server-error' }] });
    expect((await scene.message({ text: { body: 'x' } })).status).toBe(400);
  });
});

it('permissions are kept per number and user', async () => {
  const other: NumberView = await scene.client.addNumber({ provider: 'meta' });
  await scene.client.setPermission({
    user: USER,
    status: 'permanent',
    number: other.phoneNumberId,
  });
  expect((await permissions()).body.permission?.status).toBe('no_permission');
  const path = `/${other.phoneNumberId}/call_permissions?user_wa_id=${USER}`;
  const answer = await scene.graph('GET', path, undefined, other.accessToken);
  expect(answer.body.permission?.status).toBe('permanent');
});
