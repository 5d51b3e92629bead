// Webhooks of strangers: what is not signed by one of our secrets changes nothing, and what is changes nothing a second time.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { InboundScene, inState } from './inbound-scene.ts';
import { ownServices } from './own-services.ts';
import { record, settled } from './record.ts';
import {
  api,
  connectWebhook,
  request,
  signature,
  terminateWebhook,
  unique,
  until,
} from './support.ts';

let scene: InboundScene;
beforeAll(async () => {
  scene = await InboundScene.open();
});
afterAll(() => vi.restoreAllMocks());

describe('a signature', () => {
  const SECRETS = ['newest-secret', 'second-secret', 'oldest-secret'];
  const app = createApp(ownServices({ META_APP_SECRET: SECRETS.join(' , ') }));
  const body = '{"entry":[]}';
  const post = async (header: string | null, sent = body): Promise<number> => {
    const headers = header === null ? {} : { 'x-hub-signature-256': header };
    return (await app.request('/webhooks/whatsapp', { method: 'POST', body: sent, headers }))
      .status;
  };
  const hex = async (secret: string) => (await signature(body, secret)).replace('sha256=', '');

  it.each(SECRETS)('by %s is good, one of several', async (secret) => {
    expect(await post(await signature(body, secret))).toBe(200);
  });

  it.each<[string, () => Promise<string | null>, sent?: string]>([
    ['that is missing', async () => null],
    ['that is empty', async () => ''],
    ['of nothing', async () => 'sha256='],
    ['that is not hex', async () => `sha256=${'g'.repeat(64)}`],
    ['that is too short', async () => `sha256=${(await hex('newest-secret')).slice(2)}`],
    ['that is too long', async () => `sha256=${await hex('newest-secret')}00`],
    ['of another algorithm', async () => `sha1=${await hex('newest-secret')}`],
    ['that is given twice', async () => `${await signature(body, 'newest-secret')}, sha256=00`],
    [
      'that is given twice the same',
      async () =>
        Array(2)
          .fill(await signature(body, 'newest-secret'))
          .join(', '),
    ],
    ['by a secret that was taken out', async () => signature(body, 'retired-secret')],
    ['by all secrets as they stand', async () => signature(body, SECRETS.join(' , '))],
    ['over other bytes', async () => signature('{"entry":[{}]}', 'newest-secret')],
    ['of which one bit differs', async () => flipped(await signature(body, 'newest-secret'))],
    [
      'over the same JSON in other bytes',
      async () => signature(body, 'newest-secret'),
      '{"entry": []}',
    ],
    [
      'over the bytes without their BOM',
      async () => signature(body, 'newest-secret'),
      `\ufeff${body}`,
    ],
  ])('%s is bad', async (_name, header, sent) => {
    expect(await post(await header(), sent)).toBe(401);
  });

  const flipped = (header: string): string =>
    header.slice(0, -1) + (Number.parseInt(header.slice(-1), 16) ^ 1).toString(16);

  it('is judged by the platform alone, which takes the same time wherever two differ', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify');
    expect(await post(`sha256=${'0'.repeat(64)}`)).toBe(401);
    expect(verify).toHaveBeenCalledTimes(SECRETS.length);
    verify.mockResolvedValue(false);
    expect(await post(await signature(body, 'newest-secret'))).toBe(401);
    verify.mockRestore();
    const equal = vi.spyOn(crypto.subtle, 'timingSafeEqual').mockReturnValue(false);
    const token =
      '/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=verify-token&hub.challenge=1';
    expect((await app.request(token)).status).toBe(403);
    equal.mockRestore();
    expect((await app.request(token)).status).toBe(200);
  });
});

describe('a body that was acknowledged', () => {
  const sent: { body: string; signature: string }[] = [];
  const post = async ({ body, signature: header }: (typeof sent)[number]): Promise<number> => {
    const init = { method: 'POST', body, headers: { 'x-hub-signature-256': header } };
    return (await request('/webhooks/whatsapp', init)).status;
  };
  const deliver = async (payload: unknown): Promise<void> => {
    const body = JSON.stringify(payload);
    sent.push({ body, signature: await signature(body) });
    expect(await post(sent.at(-1) ?? { body, signature: '' })).toBe(200);
  };
  /** Delivers everything again: in order, backwards, and all at once. */
  const replay = async (): Promise<void> => {
    for (const copy of [...sent, ...sent.toReversed()]) expect(await post(copy)).toBe(200);
    const statuses = await Promise.all([...sent, ...sent, ...sent].map(post));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await settled();
  };
  const messages = (message: object) => ({
    entry: [
      {
        id: '1',
        changes: [
          {
            field: 'messages',
            value: {
              metadata: { phone_number_id: scene.phoneNumberId },
              contacts: [{ wa_id: '351910000001', profile: { name: 'Ana' } }],
              messages: [{ from: '351910000001', id: unique('wamid.'), ...message }],
            },
          },
        ],
      },
    ],
  });
  const nowS = String(Math.floor(Date.now() / 1000));

  beforeEach(() => {
    sent.length = 0;
  });

  it('changes nothing when it comes again: a call, up and over', async () => {
    await scene.reconnect();
    const wacid = unique('wacid.');
    await deliver(connectWebhook(scene.fields(wacid)));
    const { call_id: id } = await until('the offer', () => scene.relay.last('call.answer'));
    scene.relay.say(id, { type: 'answered', sdp: 'v=0\r\n' });
    await inState(id, 'ringing');
    await settled();
    const ringing = await record();
    await replay();
    expect(await record()).toEqual(ringing);

    const seat = await scene.claim(id);
    scene.relay.say(id, { type: 'ready', identity: seat.body.identity });
    await inState(id, 'active');
    await deliver(terminateWebhook(scene.fields(wacid), { start_time: nowS, duration: 3 }));
    await inState(id, 'ended');
    await settled();
    const ended = await record();
    const graph = scene.outside.graph.length;
    await replay();
    expect(await record()).toEqual(ended);
    expect(scene.outside.graph).toHaveLength(graph);
  });

  it('changes nothing when it comes again: messages and answers about permission', async () => {
    const reply = (response: string, more: object = {}) => ({
      timestamp: nowS,
      interactive: {
        type: 'call_permission_reply',
        call_permission_reply: { response, response_source: 'user_action', ...more },
      },
    });
    await deliver(messages({ timestamp: nowS, type: 'text', text: { body: 'hello' } }));
    await deliver(messages(reply('reject')));
    await deliver(messages(reply('accept', { is_permanent: true })));
    const before = await record();
    expect(before.permissions).toHaveLength(1);
    await replay();
    expect(await record()).toEqual(before);
  });

  const settings = (calling: object) => ({
    entry: [
      {
        id: '1',
        changes: [
          {
            field: 'account_settings_update',
            value: {
              type: 'phone_number_settings',
              phone_number_settings: { phone_number_id: scene.phoneNumberId, calling },
            },
          },
        ],
      },
    ],
  });

  it('changes nothing when it comes again: settings of a number', async () => {
    await deliver(settings({ status: 'ENABLED' }));
    const before = await record();
    expect(JSON.stringify(before.numbers)).toContain('ENABLED');
    await replay();
    expect(await record()).toEqual(before);
  });

  it('leaves no password of a SIP server behind, and no settings that nobody could have made', async () => {
    const servers = [{ hostname: 'sip.example.com', sip_user_password: 'hunter2' }];
    await deliver(settings({ sip: { status: 'ENABLED', servers } }));
    const before = await record();
    expect(JSON.stringify(before.numbers)).toContain('sip.example.com');
    expect(JSON.stringify(before.numbers)).not.toContain('hunter2');
    await deliver(settings({ padding: 'x'.repeat(3_000_000) }));
    expect((await record()).numbers).toEqual(before.numbers);
  });
});

describe('the address of a number at 360dialog', () => {
  it('takes the secret of that number only, and tells nobody which numbers exist', async () => {
    const create = async () =>
      (
        await api<{ id: string; webhook_headers: { Authorization: string } }>(
          'POST',
          '/v1/numbers',
          {
            provider: '360dialog',
            phone_number_id: unique('36'),
            display_phone_number: '+351 21 000-0000',
            access_token: 'key',
          },
        )
      ).body;
    const [mine, other] = [await create(), await create()];
    const post = (id: string, headers: Record<string, string>) =>
      request(`/webhooks/360dialog/${id}`, { method: 'POST', body: '{"entry":[]}', headers });
    const { Authorization: authorization } = mine.webhook_headers;
    expect((await post(mine.id, { authorization })).status).toBe(200);
    const refused = [
      await post(mine.id, {}),
      await post(mine.id, { authorization: other.webhook_headers.Authorization }),
      await post(other.id, { authorization }),
      await post('no-such-number', { authorization }),
      await post('x'.repeat(5_000), { authorization }),
      await post(mine.id, { 'x-hub-signature-256': await signature('{"entry":[]}') }),
      await post(mine.id, { 'x-360dialog-signature': await signature('{"entry":[]}') }),
    ];
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 401));
    const texts = new Set(await Promise.all(refused.map((response) => response.text())));
    expect(texts.size).toBe(1);
  });
});
