import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NumberView } from '../../local/simulator/client.ts';
import { BusinessPeer } from './business-peer.ts';
import { namesIn, POLL, Scene, USER, type Answer } from './scene.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

let scene: Scene;
let own: WebhookReceiver;
let number: NumberView;
beforeEach(async () => {
  scene = await Scene.open();
  own = new WebhookReceiver();
  number = await scene.client.addNumber({ provider: '360dialog', webhook_url: await own.open() });
});
afterEach(async () => {
  await scene.close();
  own.close();
});

async function dialog(method: string, path: string, body?: unknown, key = number.apiKey ?? '') {
  const response = await fetch(number.apiBaseUrl + path, {
    method,
    headers: { 'd360-api-key': key, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}
/** Webhooks of calls, without the statuses in between. */
const events = () =>
  own
    .values()
    .flatMap(namesIn)
    .filter((name) => name === 'connect' || name === 'terminate');

describe('a 360dialog number', () => {
  it('is known by its key alone, and a wrong key is 401', async () => {
    expect((await dialog('GET', '/calling/settings')).body).toMatchObject({
      calling: { status: 'ENABLED' },
    });
    const wrong = await dialog('GET', '/calling/settings', undefined, 'wrong');
    expect(wrong).toEqual({ status: 401, body: { error: 'Invalid api key' } });
    const path = `/${number.phoneNumberId}/settings`;
    const graph = await scene.graph('GET', path);
    expect(graph.body.error?.code).toBe(100);
  });

  it('answers a call of a user, told at its own address only', async () => {
    const call = await scene.client.call({ number: number.phoneNumberId });
    await expect.poll(events, POLL).toEqual(['connect']);
    expect(own.values()[0]?.metadata).toEqual({
      display_phone_number: number.displayPhoneNumber,
      phone_number_id: number.phoneNumberId,
    });
    const peer = await BusinessPeer.answering((await scene.client.get(call.id)).offer);
    const action = (name: string) => ({
      messaging_product: 'whatsapp',
      action: name,
      call_id: call.wacid,
      session: { sdp_type: 'answer', sdp: peer.answer },
    });
    for (const name of ['pre_accept', 'accept', 'terminate']) {
      expect(await dialog('POST', '/calling/calls', action(name))).toMatchObject({
        status: 200,
        body: { success: true },
      });
    }
    await peer.close();
    await expect.poll(events, POLL).toEqual(['connect', 'terminate']);
    expect(scene.receiver.arrived).toEqual([]);
  });

  it('calls a user and asks for permission', async () => {
    const { phoneNumberId } = number;
    const path = `/calling/permissions/${USER}`;
    expect((await dialog('GET', path)).body.permission?.status).toBe('no_permission');
    const language = { code: 'en_US' };
    const template = { name: 'call_permission', language };
    const request = { messaging_product: 'whatsapp', to: USER, type: 'template', template };
    expect((await dialog('POST', '/messages', request)).status).toBe(200);
    await scene.client.replyPermission({ user: USER, number: phoneNumberId, is_permanent: true });
    expect((await dialog('GET', path)).body.permission?.status).toBe('permanent');
    await scene.client.setPhone({ connect_ms: 0, ring_ms: 0, talk_ms: 0 }, USER);
    const peer = await scene.peer();
    const session = { sdp_type: 'offer', sdp: peer.offer };
    const connect = { messaging_product: 'whatsapp', action: 'connect', to: USER, session };
    const { status, body } = await dialog('POST', '/calling/calls', connect);
    expect(status).toBe(200);
    expect(body.calls?.[0]?.id).toMatch(/^wacid\./);
    await expect.poll(events, POLL).toEqual(['connect', 'terminate']);
  });

  it.each(['meta', 'string'] as const)('refuses in its own way: %s', async (error_style) => {
    await scene.client.changeNumber(number.phoneNumberId, { error_style });
    const { status, body } = await dialog('POST', '/calling/calls', { action: 'accept' });
    expect(status).toBe(400);
    const text = expect.stringMatching(/messaging_product/) as string;
    expect(body.error).toEqual(
      error_style === 'string'
        ? text
        : expect.objectContaining({ code: 100, error_data: expect.anything() }),
    );
    const template = { type: 'template', template: { name: 'none', language: { code: 'en' } } };
    const message = { messaging_product: 'whatsapp', to: USER, ...template };
    expect((await dialog('POST', '/messages', message)).status).toBe(404);
  });

  it('does not act on the calls of another number', async () => {
    const { wacid } = await scene.client.call();
    const reject = { messaging_product: 'whatsapp', action: 'reject', call_id: wacid };
    expect((await dialog('POST', '/calling/calls', reject)).status).toBe(400);
  });
});

describe('the webhooks of a 360dialog number', () => {
  it('carry its own headers and no signature of Meta', async () => {
    const { url } = (await dialog('GET', '/v1/configs/webhook')).body as { url?: string };
    const headers = { Authorization: 'Basic c2VjcmV0', 'X-Own': 'yes' };
    expect((await dialog('POST', '/v1/configs/webhook', { url, headers })).body).toEqual({
      url,
      headers,
    });
    await scene.client.call({ number: number.phoneNumberId });
    await expect.poll(events, POLL).toEqual(['connect']);
    expect(own.arrived[0]?.headers).toMatchObject({
      authorization: 'Basic c2VjcmV0',
      'x-own': 'yes',
    });
    expect(own.arrived[0]?.headers).not.toHaveProperty('x-hub-signature-256');
    expect(own.arrived[0]?.headers).not.toHaveProperty('x-360dialog-signature');
  });

  it.each([
    ['hex', ''],
    ['prefixed', 'sha256='],
  ] as const)('can carry the partner signature: %s', async (signature, prefix) => {
    const traits = { signature, webhook_secret: 'partner' };
    await scene.client.changeNumber(number.phoneNumberId, traits);
    await scene.client.userMessage({ user: USER, number: number.phoneNumberId });
    const { text, headers } = own.arrived[0]!;
    const hex = createHmac('sha256', 'partner').update(text).digest('hex');
    expect(headers['x-360dialog-signature']).toBe(prefix + hex);
  });

  it.each([
    [{ url: 'nowhere' }, /not valid/],
    [{}, /url/],
    [{ url: 'https://a_b.example.com/' }, /underscore/],
    [{ url: 'https://example.com:8443/' }, /port/],
  ])('go to no such address: %j', async (body, reason) => {
    await scene.client.changeNumber(number.phoneNumberId, { strict_webhook_url: true });
    const answer = await dialog('POST', '/v1/configs/webhook', body);
    expect(answer.status).toBe(400);
    expect(answer.body.error?.error_data.details).toMatch(reason);
  });

  it('come again when they are not answered 200', async () => {
    own.statuses.push(500);
    await scene.client.call({ number: number.phoneNumberId });
    await expect.poll(() => own.arrived.length, POLL).toBe(2);
  });
});

it('a key belongs to one number', async () => {
  const secret = number.apiKey ?? '';
  await expect(scene.client.addNumber({ provider: '360dialog', secret })).rejects.toThrow(/409/);
});
