import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatorClient, type NewCall } from '../../local/simulator/client.ts';
import { startSimulator, type Simulator } from '../../local/simulator/simulator.ts';
import { signatureOf } from '../../local/simulator/wire.ts';
import { BusinessPeer } from './business-peer.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

let receiver: WebhookReceiver;
let simulator: Simulator;
let client: SimulatorClient;
const peers: BusinessPeer[] = [];
const POLL = { timeout: 8000, interval: 20 };

beforeEach(async () => {
  receiver = new WebhookReceiver();
  const webhookUrl = await receiver.open();
  simulator = await startSimulator({ webhookUrl, retryDelaysMs: [10, 10, 10] });
  client = new SimulatorClient(simulator.url);
});
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.close()));
  await simulator.close();
  receiver.close();
});

type GraphBody = {
  success?: boolean;
  error?: { code: number; type: string; fbtrace_id: string; error_data: { details: string } };
};
const TOKEN = 'Bearer simulated-access-token';

async function graph(
  body: object,
  path = `${simulator.number.phoneNumberId}/calls`,
  token = TOKEN,
) {
  const response = await fetch(`${simulator.url}/v23.0/${path}`, {
    method: 'POST',
    headers: { authorization: token, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as GraphBody };
}

const action = (name: string, wacid: string, sdp?: string) =>
  graph({
    messaging_product: 'whatsapp',
    action: name,
    call_id: wacid,
    ...(sdp === undefined ? {} : { session: { sdp_type: 'answer', sdp } }),
  });

async function ringing(options: NewCall = {}) {
  const { id, wacid } = await client.call(options);
  const { offer } = await client.get(id);
  const peer = await BusinessPeer.answering(offer);
  peers.push(peer);
  return { id, wacid, peer, answer: peer.answer };
}

const OK = { status: 200, body: { messaging_product: 'whatsapp', success: true } };

describe('a call', () => {
  it('goes from connect to terminate, and each side hears the other', async () => {
    const { id, wacid, peer, answer } = await ringing({ play: { kind: 'tone', hz: 600 } });
    expect(await action('pre_accept', wacid, answer)).toEqual(OK);
    await peer.connected();
    expect(await action('accept', wacid, answer)).toEqual(OK);
    peer.play({ kind: 'tone', hz: 1500 });
    const heard = await client.waitFor(id, (call) =>
      call.heard.tones.some(
        ({ hz, fromMs, toMs }) => Math.abs(hz - 1500) < 5 && toMs - fromMs > 400,
      ),
    );
    expect(heard.violations).toEqual([]);
    expect(heard.ice).toMatchObject({ requestsSent: 0 });
    expect(heard.said?.packets).toBeGreaterThan(10);
    expect(heard.answerWarnings).toEqual([]);
    await expect.poll(() => peer.heard().tones.map(({ hz }) => hz), POLL).toContain(600);
    await client.hangUp(id);
    await expect.poll(() => receiver.events(), POLL).toEqual(['connect', 'terminate']);
    const [connect, terminate] = receiver.values().map((value) => value.calls[0]);
    expect(connect).toMatchObject({ id: wacid, direction: 'USER_INITIATED' });
    expect(terminate).toMatchObject({ id: wacid, status: 'COMPLETED' });
    expect(terminate).toHaveProperty('start_time');
    expect(terminate).toHaveProperty('duration');
  });

  it('signs every webhook over the bytes it sends', async () => {
    await client.call({ name: 'Zoë/😀' });
    await expect.poll(() => receiver.arrived.length, POLL).toBe(1);
    const { text, signature } = receiver.arrived[0]!;
    expect(signature).toBe(signatureOf(text, 'simulated-app-secret'));
    expect(text).toContain(String.raw`Zo\u00eb\/\ud83d\ude00`);
  });

  it('that is not answered in time ends without having been picked up', async () => {
    const { id } = await client.call({ answer_limit_ms: 50 });
    const ended = await client.waitFor(id, ({ state }) => state === 'ended');
    expect(ended.ended).toEqual({ by: 'platform', reason: 'no-answer' });
    await expect.poll(() => receiver.events(), POLL).toContain('terminate');
    const terminate = receiver.values().at(-1)?.calls[0];
    expect(terminate).not.toHaveProperty('start_time');
    expect(terminate).not.toHaveProperty('duration');
  });

  it('that hears nothing after the accept fails with 138021 in both places', async () => {
    const { id, wacid, answer } = await ringing({ first_media_limit_ms: 100 });
    await action('accept', wacid, answer);
    const ended = await client.waitFor(id, ({ state }) => state === 'ended');
    expect(ended.ended).toEqual({ by: 'platform', reason: 'no-media' });
    await expect.poll(() => receiver.events(), POLL).toContain('terminate');
    const value = receiver.values().at(-1);
    const errors = [
      expect.objectContaining({
        code: 138021,
        title: expect.stringMatching(/not receiving any media/),
      }),
    ];
    expect(value?.errors).toEqual(errors);
    expect(value?.calls[0]).toMatchObject({ status: 'FAILED', errors });
  });

  it('whose media stops is ended by the silence limit', async () => {
    const { id, wacid, peer, answer } = await ringing({ silence_limit_ms: 300 });
    await action('accept', wacid, answer);
    await peer.connected();
    peer.play({ kind: 'silence' });
    await client.waitFor(id, ({ heard }) => heard.packets > 5);
    await peer.close();
    const ended = await client.waitFor(id, ({ state }) => state === 'ended');
    expect(ended.ended).toEqual({ by: 'platform', reason: 'no-media' });
  });

  it('records early media as a violation', async () => {
    const { id, wacid, peer, answer } = await ringing();
    await action('pre_accept', wacid, answer);
    await peer.connected();
    peer.play({ kind: 'silence' });
    const call = await client.waitFor(id, ({ heard }) => heard.packets > 5);
    expect(call.violations.map(({ rule }) => rule)).toEqual(['no media before accept']);
  });
});

describe('the Graph endpoint', () => {
  it('refuses a wrong token with 190 and another number with 100', async () => {
    const wrong = await graph({}, undefined, 'Bearer other');
    expect(wrong).toMatchObject({
      status: 401,
      body: { error: { code: 190, type: 'OAuthException' } },
    });
    const other = await graph({}, '999/calls');
    expect(other).toMatchObject({ status: 400, body: { error: { code: 100 } } });
  });

  it.each<[name: string, body: object, details: RegExp]>([
    ['no product', { action: 'accept' }, /messaging_product/],
    ['no action', { messaging_product: 'whatsapp' }, /action must be/],
    [
      'an outgoing call without an offer',
      { messaging_product: 'whatsapp', action: 'connect' },
      /session/,
    ],
    ['no call', { messaging_product: 'whatsapp', action: 'reject' }, /call_id is required/],
    [
      'an unknown call',
      { messaging_product: 'whatsapp', action: 'reject', call_id: 'wacid.X' },
      /does not exist/,
    ],
    [
      'an offer for an answer',
      {
        messaging_product: 'whatsapp',
        action: 'accept',
        call_id: 'wacid.X',
        session: { sdp_type: 'offer', sdp: 'v=0' },
      },
      /sdp_type must be 'answer'/,
    ],
  ])('names what is wrong with a request: %s', async (_name, body, details) => {
    const answer = await graph(body);
    expect(answer.status).toBe(400);
    expect(answer.body.error?.error_data.details).toMatch(details);
    expect(answer.body.error?.fbtrace_id).toEqual(expect.any(String));
  });

  it('refuses an invalid SDP with the reason, and takes a valid one afterwards', async () => {
    const { wacid, answer } = await ringing();
    const fingerprint = /a=fingerprint:.*/.exec(answer)?.[0] ?? '';
    const twice = await action('pre_accept', wacid, `${answer}${fingerprint.trim()}\r\n`);
    expect(twice).toMatchObject({ status: 400, body: { error: { code: 138008 } } });
    expect(await action('pre_accept', wacid, answer)).toEqual(OK);
  });

  it('refuses an accept whose SDP is not byte-identical, and a second accept', async () => {
    const { id, wacid, answer } = await ringing();
    await action('pre_accept', wacid, answer);
    expect((await action('accept', wacid, answer.trimEnd())).status).toBe(400);
    expect(await action('accept', wacid, answer)).toEqual(OK);
    expect((await action('accept', wacid, answer)).status).toBe(400);
    const { graph: log } = await client.get(id);
    expect(log.map(({ action, status }) => [action, status])).toEqual([
      ['pre_accept', 200],
      ['accept', 400],
      ['accept', 200],
      ['accept', 400],
    ]);
  });

  it('of two simultaneous accepts only one succeeds', async () => {
    const { wacid, answer } = await ringing();
    const both = await Promise.all([
      action('accept', wacid, answer),
      action('accept', wacid, answer),
    ]);
    expect(both.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 400]);
  });

  it('rejects a ringing call once, then knows that it ended', async () => {
    const { wacid, answer } = await ringing();
    expect(await action('reject', wacid)).toEqual(OK);
    for (const name of ['reject', 'terminate', 'accept']) {
      expect((await action(name, wacid, answer)).status).toBe(400);
    }
    await expect.poll(() => receiver.events(), POLL).toEqual(['connect', 'terminate']);
  });

  it('keeps settings, and takes no actions while calling is disabled', async () => {
    const path = `${simulator.number.phoneNumberId}/settings`;
    expect((await graph({ calling: { status: 'DISABLED' } }, path)).body).toEqual({
      success: true,
    });
    const read = await fetch(`${simulator.url}/v23.0/${path}`, {
      headers: { authorization: TOKEN },
    });
    expect(await read.json()).toMatchObject({ calling: { status: 'DISABLED' } });
    expect(await action('reject', 'wacid.X')).toMatchObject({ body: { error: { code: 138000 } } });
  });
});

describe('faults', () => {
  it('a webhook that is not answered 200 comes again, a bounded number of times', async () => {
    receiver.statuses.push(500, 404, 302, 503, 500);
    const { id } = await client.call();
    await client.waitFor(
      id,
      ({ webhooks }) => webhooks.length === 4 && webhooks[3]!.status !== null,
    );
    const { webhooks } = await client.get(id);
    expect(webhooks.map(({ status }) => status)).toEqual([500, 404, 302, 503]);
    expect(new Set(receiver.arrived.map(({ text }) => text)).size).toBe(1);
  });

  it('duplicates are the same bytes, sent at the same time', async () => {
    const { id } = await client.call({ faults: { webhooks: { duplicates: 4 } } });
    await expect.poll(() => receiver.arrived.length, POLL).toBe(5);
    expect(new Set(receiver.arrived.map(({ text }) => text)).size).toBe(1);
    const { webhooks } = await client.get(id);
    expect(webhooks.map(({ copy }) => copy).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
  });

  it('terminate can come before connect', async () => {
    const { id } = await client.call({ faults: { webhooks: { terminate_before_connect: true } } });
    await client.hangUp(id);
    await expect.poll(() => receiver.events(), POLL).toEqual(['terminate', 'connect']);
  });

  it('two calls can share a POST', async () => {
    const faults = { webhooks: { batch: true } };
    await Promise.all([client.call({ faults }), client.call({ faults })]);
    await expect.poll(() => receiver.events(), POLL).toEqual(['connect', 'connect']);
    expect(receiver.arrived).toHaveLength(1);
    expect(receiver.values()[0]?.contacts).toHaveLength(2);
  });

  it('an event can be withheld', async () => {
    const { id } = await client.call({ faults: { webhooks: { drop: ['connect'] } } });
    await client.hangUp(id);
    await expect.poll(() => receiver.events(), POLL).toEqual(['terminate']);
  });

  it('connect can be old, without a phone number, of another number, with unknown parts', async () => {
    await client.call({
      faults: {
        webhooks: {
          timestamp_age_s: 3600,
          contacts: 'no_phone',
          foreign_number_id: '777',
          unknown_fields: true,
          unknown_event: true,
        },
      },
    });
    await expect.poll(() => receiver.events().length, POLL).toBe(2);
    const value = receiver.values().find(({ calls }) => calls[0]?.['event'] === 'connect');
    expect(receiver.events()).toContain('call_moon_phase');
    expect(value?.metadata.phone_number_id).toBe('777');
    expect(value?.calls[0]).not.toHaveProperty('from');
    expect(value?.calls[0]).toHaveProperty('from_user_id');
    expect(Date.now() / 1000 - Number(value?.calls[0]?.['timestamp'])).toBeGreaterThan(3599);
  });

  it.each([
    ['server-error', 500, 'offered'],
    ['rate-limit', 429, 'offered'],
    ['token-expired', 401, 'offered'],
    ['success-false', 200, 'offered'],
    ['slow', 200, 'prepared'],
  ] as const)('%s answers %i and leaves the call %s', async (kind, status, state) => {
    const { id, wacid, answer } = await ringing();
    await client.addFaults({ graph: [{ action: 'pre_accept', kind, delay_ms: 20 }] }, id);
    const first = await action('pre_accept', wacid, answer);
    expect(first.status).toBe(status);
    expect(first.body.success).toBe(
      kind === 'slow' ? true : kind === 'success-false' ? false : undefined,
    );
    expect((await client.get(id)).state).toBe(state);
  });

  it('acting and then cutting the connection leaves the call accepted', async () => {
    const { id, wacid, answer } = await ringing();
    await client.addFaults({ graph: [{ action: 'accept', kind: 'act-then-drop' }] });
    await expect(action('accept', wacid, answer)).rejects.toThrow();
    const call = await client.get(id);
    expect(call.state).toBe('live');
    expect(call.graph.map(({ status }) => status)).toEqual([null]);
  });

  it('cutting the connection without acting leaves the call as it was', async () => {
    const { id, wacid, answer } = await ringing();
    await client.addFaults({ graph: [{ action: 'accept', kind: 'drop' }] });
    await expect(action('accept', wacid, answer)).rejects.toThrow();
    expect((await client.get(id)).state).not.toBe('live');
    expect(await action('accept', wacid, answer)).toEqual(OK);
  });

  it('global faults apply until they are cleared', async () => {
    await client.addFaults({ graph: [{ kind: 'server-error', times: 100 }] });
    const { wacid } = await ringing();
    expect((await action('reject', wacid)).status).toBe(500);
    await client.clearFaults();
    expect(await action('reject', wacid)).toEqual(OK);
  });
});

describe('the control API', () => {
  it.each<[path: string, body: unknown, message: RegExp]>([
    ['/control/calls', { from: '+49 30' }, /from/],
    [
      '/control/calls',
      { faults: { webhooks: { duplicates: -1 } } },
      /faults\.webhooks\.duplicates/,
    ],
    ['/control/calls', { colour: 'red' }, /colour/],
    ['/control/faults', { graph: [{ kind: 'meteor' }] }, /graph\.0\.kind/],
  ])('names the field that is wrong: %s %j', async (path, body, message) => {
    const response = await fetch(simulator.url + path, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toMatch(message);
  });

  it('lets one user have one call at a time', async () => {
    await client.call({ from: '15550100001' });
    await expect(client.call({ from: '15550100001' })).rejects.toThrow(/409/);
  });

  it('verifies the webhook address with a challenge', async () => {
    expect(await client.verifyWebhook()).toMatchObject({ status: 200, verified: true });
    receiver.verifyToken = 'another';
    expect(await client.verifyWebhook()).toMatchObject({ status: 403, verified: false });
  });

  it('sends any body, with the right signature or a wrong one', async () => {
    await client.sendWebhook({ body: { object: 'page' } });
    await client.sendWebhook({ text: '{"a":1}', signature: 'sha256=00' });
    const [right, wrong] = receiver.arrived;
    expect(right!.signature).toBe(signatureOf(right!.text, 'simulated-app-secret'));
    expect(wrong).toMatchObject({ text: '{"a":1}', signature: 'sha256=00' });
  });

  it('finds a call by its wacid, and lists calls on the front page', async () => {
    const { id, wacid } = await client.call();
    expect((await client.get(wacid)).id).toBe(id);
    const page = await (await fetch(simulator.url)).text();
    expect(page).toContain(`/control/calls/${id}`);
    expect(await (await fetch(`${simulator.url}/phone`)).text()).toContain('data-testid="call"');
  });

  it('a wait that fails says what the call was doing', async () => {
    const { id } = await client.call();
    await expect(client.waitFor(id, () => false, 30)).rejects.toThrow(/offered; created/);
  });
});
