// Numbers of users, for those who are not to know them: in no answer, no event, no room.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ACCESS } from '../support/access.ts';
import { openStream } from './browser.ts';
import { inState, InboundScene, show } from './inbound-scene.ts';
import { newPerson, type Person } from './sight-scene.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  postWebhook,
  request,
  terminateWebhook,
  unique,
  until,
} from './support.ts';

const PHONE = '351910000001';
const SPELLINGS = [PHONE, '910000001', '910 000 001', btoa(PHONE).replaceAll('=', '')];
/** As the provider makes them: the number can be read out of it. */
const wacid = () => `wacid.${btoa(`${PHONE}${unique('')}`)}`;

let scene: InboundScene;
let agent: Person;
let supervisor: Person;
let callId = '';
let contactId = '';
let numberId = '';

const mask = (number_masking: string) => api('PATCH', '/v1/settings', { number_masking });
const expectNoNumber = (what: string, text: string) => {
  for (const spelling of SPELLINGS)
    expect([what, text.includes(spelling) ? text : '']).toEqual([what, '']);
};

beforeAll(async () => {
  scene = await InboundScene.open();
  agent = await newPerson('agent');
  supervisor = await newPerson('supervisor');
  const { body } = await api<{ data: { id: string }[] }>('GET', '/v1/numbers');
  numberId = body.data[0]?.id ?? '';
  expect(await mask('agents')).toMatchObject({ status: 200, body: { number_masking: 'agents' } });
});
afterAll(() => vi.restoreAllMocks());

/** A call whose caller is known by nothing but their number, from its announcement to its end. */
async function liveThrough(): Promise<string> {
  const id = wacid();
  const webhook = connectWebhook({ id, phoneNumberId: scene.phoneNumberId, from: PHONE });
  const [value] = webhook.entry.flatMap(({ changes }) => changes.map((change) => change.value));
  Object.assign(value?.contacts[0] ?? {}, { profile: { name: `+${PHONE}` } });
  expect((await postWebhook(webhook)).status).toBe(200);
  const { id: call } = await until('the call', async () => {
    const { body } = await api<{ data: { id: string; provider_call_id: string }[] }>(
      'GET',
      '/v1/calls',
    );
    return body.data.find(({ provider_call_id }) => provider_call_id === id);
  });
  await until('call.answer', () => scene.relay.last('call.answer', call));
  scene.relay.say(call, { type: 'answered', sdp: 'v=0' });
  await inState(call, 'ringing');
  const claim = await api<{ identity: string }>(
    'POST',
    `/v1/calls/${call}/claim`,
    undefined,
    agent.key,
  );
  scene.relay.say(call, { type: 'ready', identity: claim.body.identity });
  await inState(call, 'active');
  const detail = `131026: ${PHONE} cannot be reached`;
  await postWebhook(
    terminateWebhook(
      { id, phoneNumberId: scene.phoneNumberId },
      { status: 'FAILED', start_time: '1', errors: [{ code: 131026, message: detail }] },
    ),
  );
  await inState(call, 'ended');
  return call;
}

it('every event of a call is without the number for agents, and with it for the operator', async () => {
  const streams = await Promise.all(
    [agent.key, supervisor.key, ADMIN_KEY].map((key) =>
      openStream({ authorization: `Bearer ${key}` }),
    ),
  );
  callId = await liveThrough();
  contactId = (await show(callId)).contact?.id ?? '';
  const isOver = () => streams.every(({ frames }) => frames.some(({ event }) => event === 'ended'));
  await until('the end', isOver);
  const texts = streams.map(({ frames }) => JSON.stringify(frames));
  expectNoNumber('events', texts[0] ?? '');
  expect(texts[0]).toContain('***********0001');
  expect(texts[1]).toContain(PHONE);
  expect(texts[2]).toContain(PHONE);
  const again = await openStream({ authorization: `Bearer ${agent.key}` });
  await until('hello', () => again.frames.length > 0);
  expectNoNumber('hello', JSON.stringify(again.frames));
});

it('no room tells it', async () => {
  const token = scene.relay.last('call.want', callId)?.room?.token ?? '';
  const claims = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
  expect(claims).toContain('sip.trunkPhoneNumber');
  expect(claims).not.toContain('sip.phoneNumber');
  expectNoNumber('room', claims);
});

/** Every address that can be looked at, with ids of what there is. */
const LOOKS = Object.keys(ACCESS)
  .filter((route) => route.startsWith('GET /v1/'))
  .map((route) => route.slice('GET '.length));

describe.each(LOOKS)('GET %s', (path) => {
  const ask = (key: string): Promise<Response> => {
    const id = path.startsWith('/v1/contacts')
      ? contactId
      : path.startsWith('/v1/numbers')
        ? numberId
        : callId;
    const query = path.endsWith('/permission') ? `?number_id=${numberId}` : '';
    const headers = { authorization: `Bearer ${key}` };
    return request(path.replace(':id', id).replace(/:\w+/, 'nope') + query, { headers });
  };

  it('shows an agent no number', async () => {
    const response = await ask(agent.key);
    // What everybody may read holds examples, not users.
    if (path !== '/v1/openapi.json') expectNoNumber(path, await response.text());
  });
});

it('shows it in part where it stands, in a page, in a problem, and to supervisors if they are meant', async () => {
  const shown = async (key: string) =>
    (await api<{ phone: string }>('GET', `/v1/contacts/${contactId}`, undefined, key)).body;
  expect(await shown(agent.key)).toMatchObject({
    phone: '***********0001',
    name: '***********0001',
  });
  expect(await shown(supervisor.key)).toMatchObject({ phone: PHONE });
  const { body } = await api<{ outcome: { detail: string }; provider_call_id: null }>(
    'GET',
    `/v1/calls/${callId}`,
    undefined,
    agent.key,
  );
  expect(body.outcome.detail).toContain('***********0001');
  expect(body.provider_call_id).toBeNull();
  const problem = await api('POST', `/v1/calls/${callId}/claim`, undefined, agent.key);
  expect(problem.status).toBe(409);
  expectNoNumber('problem', JSON.stringify(problem.body));
  const added = await api('POST', '/v1/contacts', { phone: `+${PHONE}` }, agent.key);
  expectNoNumber('contact', JSON.stringify(added.body));

  await mask('agents_and_supervisors');
  expect(await shown(supervisor.key)).toMatchObject({ phone: '***********0001' });
  expect(await shown(ADMIN_KEY)).toMatchObject({ phone: PHONE });
});

it('open streams are told anew what there is when the setting changes', async () => {
  await mask('none');
  const stream = await openStream({ authorization: `Bearer ${agent.key}` });
  const hellos = () => stream.frames.filter(({ type }) => type === 'hello');
  await until('hello', () => hellos().length === 1);
  await mask('agents');
  await until('another hello', () => hellos().length === 2);
  await mask('agents');
  const { id } = await scene.announce();
  await until('the call', () =>
    stream.frames.some(({ call }) => (call as { id?: string } | undefined)?.id === id),
  );
  expect(hellos()).toHaveLength(2);
  expectNoNumber('events', JSON.stringify(stream.frames.slice(1)));
});

it('is a setting that only admins change, and that knows its values', async () => {
  expect(
    (await api('PATCH', '/v1/settings', { number_masking: 'none' }, supervisor.key)).status,
  ).toBe(403);
  expect((await mask('some')).status).toBe(400);
  expect((await api('GET', '/v1/settings')).body).toEqual({ number_masking: 'agents' });
});
