// One contract for both providers: the same requests to a local HTTP server, the same replies, the same results. Only paths and
// credentials may differ.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dialogProvider } from '../../../../worker/adapters/provider-360dialog.ts';
import { metaProvider } from '../../../../worker/adapters/provider-meta.ts';
import type { CallRequest, Provider } from '../../../../worker/adapters/provider.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, unknown>;
  readonly body: unknown;
}
interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

let server: Server;
let base = '';
let seen: Seen[] = [];
let answer: Answer | 'hang up' = { status: 200, body: '{}' };

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      });
      if (answer === 'hang up') request.socket.destroy();
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  seen = [];
});

const error = (code: number | undefined, message: string, details?: string): string =>
  JSON.stringify({ error: { message, code, ...(details ? { error_data: { details } } : {}) } });

const contract = [
  {
    name: 'Meta',
    open: (): Provider =>
      metaProvider({
        baseUrl: base,
        version: 'v25.0',
        phoneNumberId: '2001',
        accessToken: 'secret-token',
      }),
    credentials: { authorization: 'Bearer secret-token' },
    calls: '/v25.0/2001/calls',
    messages: '/v25.0/2001/messages',
    settings: '/v25.0/2001/settings',
    permissionOfPhone: '/v25.0/2001/call_permissions?user_wa_id=351910000001',
    permissionOfId: '/v25.0/2001/call_permissions?recipient=PT.1',
  },
  {
    name: '360dialog',
    open: (): Provider =>
      dialogProvider({
        baseUrl: base,
        version: 'v25.0',
        phoneNumberId: '2001',
        accessToken: 'secret-token',
      }),
    credentials: { 'd360-api-key': 'secret-token' },
    calls: '/calling/calls',
    messages: '/messages',
    settings: '/calling/settings',
    permissionOfPhone: '/calling/permissions/351910000001',
    permissionOfId: '/calling/permissions/PT.1',
  },
];

const dial: CallRequest = {
  action: 'connect',
  user: { phone: '351910000001', bsuid: 'PT.1' },
  offerSdp: 'v=0\r\n',
  opaque: 'attempt-1',
};
const end: CallRequest = { action: 'terminate', providerCallId: 'wacid.A' };
const accept: CallRequest = { action: 'accept', providerCallId: 'wacid.A', answerSdp: 'v=0\r\n' };

describe.each(contract)('$name', ({ open, credentials, ...paths }) => {
  describe('asks', () => {
    it('to call a phone number, with the offer and what is to come back', async () => {
      answer = { status: 200, body: '{"messaging_product":"whatsapp","calls":[{"id":"wacid.B"}]}' };
      expect(await open().act(dial)).toEqual({ ok: true, providerCallId: 'wacid.B' });
      expect(seen).toMatchObject([
        {
          method: 'POST',
          url: paths.calls,
          headers: { ...credentials, 'content-type': 'application/json' },
          body: {
            messaging_product: 'whatsapp',
            action: 'connect',
            to: '351910000001',
            session: { sdp_type: 'offer', sdp: 'v=0\r\n' },
            biz_opaque_callback_data: 'attempt-1',
          },
        },
      ]);
      expect(seen[0]?.body).not.toHaveProperty('recipient');
    });

    it('to call somebody without a phone number by their id, in its own field', async () => {
      answer = { status: 200, body: '{"calls":[{"id":"wacid.B"}]}' };
      await open().act({ ...dial, user: { bsuid: 'PT.1' } });
      expect(seen[0]?.body).toMatchObject({ recipient: 'PT.1' });
      expect(seen[0]?.body).not.toHaveProperty('to');
    });

    it('nobody about nobody', async () => {
      const provider = open();
      expect(await provider.act({ ...dial, user: {} })).toMatchObject({ kind: 'refused' });
      expect(await provider.permission({})).toMatchObject({ kind: 'refused' });
      expect(await provider.sendMessage({}, { type: 'text' })).toMatchObject({ kind: 'refused' });
      expect(seen).toEqual([]);
    });

    it.each(['pre_accept', 'accept'] as const)('to %s with the answer', async (action) => {
      answer = { status: 200, body: '{"success":true}' };
      expect(await open().act({ ...accept, action })).toEqual({ ok: true });
      expect(seen[0]?.body).toEqual({
        messaging_product: 'whatsapp',
        action,
        call_id: 'wacid.A',
        session: { sdp_type: 'answer', sdp: 'v=0\r\n' },
      });
    });

    it('what may be done about a user', async () => {
      answer = {
        status: 200,
        body: JSON.stringify({
          permission: { status: 'temporary', expiration_time: 1_790_600_000 },
          actions: [
            {
              action_name: 'send_call_permission_request',
              can_perform_action: true,
              limits: [{ time_period: 'P7D', max_allowed: 2, current_usage: 1 }],
            },
            {
              action_name: 'start_call',
              can_perform_action: false,
              limits: [
                {
                  time_period: 'PT24H',
                  max_allowed: 100,
                  current_usage: 100,
                  limit_expiration_time: 1_790_086_400,
                },
              ],
            },
          ],
        }),
      };
      const provider = open();
      expect(await provider.permission({ phone: '351910000001', bsuid: 'PT.1' })).toEqual({
        ok: true,
        value: {
          status: 'temporary',
          expiresAtMs: 1_790_600_000_000,
          canAsk: true,
          canCall: false,
          askLimits: [{ period: 'P7D', allowed: 2, used: 1, untilMs: null }],
          callLimits: [{ period: 'PT24H', allowed: 100, used: 100, untilMs: 1_790_086_400_000 }],
        },
      });
      await provider.permission({ bsuid: 'PT.1' });
      expect(seen.map(({ method, url }) => [method, url])).toEqual([
        ['GET', paths.permissionOfPhone],
        ['GET', paths.permissionOfId],
      ]);
      expect(seen[0]?.headers).toMatchObject(credentials);
    });

    it('to send a message', async () => {
      answer = {
        status: 200,
        body: '{"contacts":[{"wa_id":"351910000001"}],"messages":[{"id":"wamid.1"}]}',
      };
      const content = { type: 'text', text: { body: 'Hello' } };
      expect(await open().sendMessage({ phone: '351910000001' }, content)).toEqual({
        ok: true,
        value: { messageId: 'wamid.1', user: { phone: '351910000001' } },
      });
      expect(seen).toMatchObject([
        {
          url: paths.messages,
          body: {
            messaging_product: 'whatsapp',
            recipient_type: 'individual',
            to: '351910000001',
            ...content,
          },
        },
      ]);
    });

    it('for settings and to change them', async () => {
      const provider = open();
      answer = { status: 200, body: '{"calling":{"status":"ENABLED"},"storage":{}}' };
      expect(await provider.readSettings()).toEqual({ ok: true, value: { status: 'ENABLED' } });
      answer = { status: 200, body: '{"success":true}' };
      expect(await provider.writeSettings({ status: 'DISABLED' })).toEqual({
        ok: true,
        value: null,
      });
      expect(seen).toMatchObject([
        { method: 'GET', url: paths.settings },
        { method: 'POST', url: paths.settings, body: { calling: { status: 'DISABLED' } } },
      ]);
    });
  });

  it.each<[name: string, request: CallRequest, status: number, body: string, expected: object]>([
    ['success', accept, 200, '{"success":true}', { ok: true }],
    ['success without the word', accept, 200, '{"messaging_product":"whatsapp"}', { ok: true }],
    ['success: false', end, 200, '{"success":false}', { ok: false, kind: 'unsure' }],
    ['200 that is not JSON', accept, 200, '<html>', { ok: false, kind: 'unsure' }],
    ['a call without an id', dial, 200, '{"success":true}', { ok: false, kind: 'unsure' }],
    ['a call with success: false', dial, 200, '{"success":false}', { kind: 'unsure' }],
    ['a server error', accept, 500, '', { ok: false, kind: 'unsure', message: 'HTTP 500' }],
    ['a server error on a dial', dial, 500, error(138004, 'connection'), { kind: 'unsure' }],
    ['a rate limit', accept, 429, error(80007, 'busy'), { kind: 'unavailable', code: 80007 }],
    ['too many calls at once', dial, 429, error(138002, 'busy'), { kind: 'unavailable' }],
    ['an expired token', accept, 401, error(190, 'expired'), { kind: 'unavailable' }],
    ['calling not enabled', dial, 401, error(138000, 'off'), { kind: 'refused', code: 138000 }],
    [
      'no permission, as 401',
      dial,
      401,
      error(138006, 'no permission'),
      { kind: 'refused', code: 138006 },
    ],
    ['no permission, as 400', dial, 400, error(138006, 'no permission'), { kind: 'refused' }],
    ['a wrong key', accept, 401, '{"error":"Invalid API key"}', { kind: 'unavailable' }],
    [
      'a refusal with details',
      accept,
      400,
      error(100, 'm', 'line 3'),
      { kind: 'refused', message: 'line 3' },
    ],
    [
      'a refusal that is mere text',
      accept,
      400,
      '{"error":"Bad request"}',
      { kind: 'refused', message: 'Bad request' },
    ],
    [
      'a refusal of Meta inside text',
      dial,
      401,
      '{"error":"(#138006) No approved call permission"}',
      { kind: 'refused', code: 138006 },
    ],
    ['accept of an accepted call', accept, 400, error(100, 'already accepted'), { already: true }],
    ['accept of an ended call', accept, 400, error(100, 'already ended'), { kind: 'refused' }],
    ['terminate of an ended call', end, 400, error(100, 'Call already ended'), { already: true }],
    ['the same as mere text', end, 400, '{"error":"call already ended"}', { already: true }],
    ['a call that is on already', dial, 400, error(138003, 'already a call'), { code: 138003 }],
  ])('takes %s for what it is', async (_name, request, status, body, expected) => {
    answer = { status, body };
    expect(await open().act(request)).toMatchObject(expected);
  });

  it('says when a call may be tried again', async () => {
    const nextS = Math.floor(Date.now() / 1000) + 7_200;
    answer = { status: 400, body: error(138012, 'limit', `Next call allowed at ${nextS}`) };
    expect(await open().act(dial)).toMatchObject({ code: 138012, retryAtMs: nextS * 1000 });
  });

  it('does not guess when nobody answers', async () => {
    answer = 'hang up';
    expect(await open().act(dial)).toMatchObject({ ok: false, kind: 'unsure' });
    expect(await open().readSettings()).toMatchObject({ ok: false, kind: 'unsure' });
  });

  it('asks once, whatever comes', async () => {
    answer = { status: 500, body: '' };
    await open().act(dial);
    expect(seen).toHaveLength(1);
  });

  it('follows no redirect, so that credentials go nowhere else', async () => {
    answer = { status: 302, body: '', headers: { location: `${base}/elsewhere` } };
    expect(await open().act(accept)).toMatchObject({ ok: false });
    expect(seen).toHaveLength(1);
  });

  it.each<[string, number, string, object]>([
    [
      'the other name of the expiry',
      200,
      '{"permission":{"status":"temporary","expiration":9}}',
      {
        ok: true,
        value: { expiresAtMs: 9_000, canAsk: null, canCall: null },
      },
    ],
    [
      'no permission',
      200,
      '{"permission":{"status":"no_permission"},"actions":[]}',
      {
        value: { status: 'none', expiresAtMs: null },
      },
    ],
    [
      'calling that is not possible here',
      400,
      error(138013, 'unavailable'),
      {
        ok: false,
        kind: 'refused',
        code: 138013,
      },
    ],
    ['too many questions', 429, error(613, 'rate'), { ok: false, kind: 'unavailable' }],
    ['nonsense', 200, '{}', { ok: false, kind: 'unavailable' }],
  ])('reads a permission: %s', async (_name, status, body, expected) => {
    answer = { status, body };
    expect(await open().permission({ phone: '351910000001' })).toMatchObject(expected);
  });

  it('never repeats a secret in what went wrong', async () => {
    answer = { status: 401, body: error(190, 'expired') };
    expect(JSON.stringify(await open().act(accept))).not.toContain('secret-token');
  });
});

it('takes a version out of a base address that names one', async () => {
  answer = { status: 200, body: '{}' };
  await metaProvider({
    baseUrl: `${base}/meta/v24.0`,
    version: 'v25.0',
    phoneNumberId: '1',
    accessToken: 't',
  }).readSettings();
  expect(seen[0]?.url).toBe('/meta/v24.0/1/settings');
});
