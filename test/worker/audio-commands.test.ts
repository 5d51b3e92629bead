// What people do to the sound of a call, and what its relay is told and says.
import { evictDurableObject } from 'cloudflare:test';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import { createApp } from '../../worker/app.ts';
import { inState, InboundScene, show, switchboard } from './inbound-scene.ts';
import { ownServices } from './own-services.ts';
import { sine, wavOf } from './sounds.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  postWebhook,
  request,
  signature,
  terminateWebhook,
  unique,
  until,
} from './support.ts';

type Answer = CallView & { type?: string; errors?: { field: string }[] };

let scene: InboundScene;
let promptId = '';

beforeAll(async () => {
  scene = await InboundScene.open();
  const response = await request('/v1/prompts?name=Welcome', {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'audio/wav' },
    body: wavOf(sine(440, 8_000, 800)),
  });
  promptId = (await response.json<{ id: string }>()).id;
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  await scene.reconnect({ protocol: 3 });
});

const post = (id: string, action: string, body?: object, key?: string) =>
  api<Answer>('POST', `/v1/calls/${id}/${action}`, body, key);
const wanted = (id: string) => scene.relay.last('call.want', id);
const typesOf = async (id: string) => (await show(id)).timeline.map(({ type }) => type);
const refused = (code: string) => ({
  status: 409,
  body: { type: `urn:roomline:problem:${code}` },
});

describe('hold', () => {
  it('is told to the relay and shown, until it is taken back', async () => {
    const { id } = await scene.answer();
    expect(await show(id)).toMatchObject({ held: false, playing: null, recording_state: 'off' });
    const held = await post(id, 'hold', { on: true });
    expect(held).toMatchObject({ status: 200, body: { held: true, state: 'active' } });
    await until('the relay to hold', () => wanted(id)?.hold === true);
    expect((await post(id, 'hold', { on: true })).body.held).toBe(true);
    expect((await show(id)).held).toBe(true);
    expect((await post(id, 'hold', { on: false })).body.held).toBe(false);
    await until('the relay to go on', () => wanted(id)?.hold === false);
    const types = await typesOf(id);
    expect(types.filter((type) => /hold|held/.test(type))).toEqual(['held', 'taken-off-hold']);
  });

  it('is for the agent who has the call, and for the operator', async () => {
    const { id } = await scene.answer();
    const [bea, carl] = scene.agents;
    expect((await post(id, 'hold', { on: true }, carl?.key)).status).toBe(403);
    expect((await show(id)).held).toBe(false);
    expect((await post(id, 'hold', { on: true }, bea?.key)).status).toBe(200);
    const { timeline } = await show(id);
    expect(timeline.find(({ type }) => type === 'held')?.detail).toEqual({ by: 'agent' });
  });

  it('is kept when the Switchboard has lost its memory, and ends with the call', async () => {
    const { id, wacid } = await scene.answer();
    await post(id, 'hold', { on: true });
    await evictDurableObject(switchboard());
    await scene.reconnect({ protocol: 3, calls: [id] });
    await until('the relay to be told again', () => wanted(id)?.hold === true);
    expect((await post(id, 'hold', { on: true })).body.held).toBe(true);
    await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1' }));
    expect((await inState(id, 'ended')).held).toBe(false);
  });
});

describe.each([
  ['hold', { on: true }],
  ['play', null],
  ['play/stop', undefined],
  ['recording', { action: 'start' }],
])('%s', (action, given) => {
  const body = () => (given === null ? { prompt_id: promptId } : given);

  it('is refused while the call is not connected, and says why', async () => {
    const { id } = await scene.ring();
    const answer = await post(id, action, body());
    expect(answer).toMatchObject(refused('call-not-connected'));
    expect(wanted(id)).toMatchObject({ hold: false, playing: null, recording: 'off' });
  });

  it('is refused when the call is over', async () => {
    const { id } = await scene.answer();
    await api('POST', `/v1/calls/${id}/end`);
    await inState(id, 'ended');
    expect(await post(id, action, body())).toMatchObject(refused('call-over'));
  });

  it('is refused where the relay is too old for it', async () => {
    const { id } = await scene.answer();
    await scene.reconnect({ protocol: 2, calls: [id] });
    expect(await post(id, action, body())).toMatchObject(refused('relay-too-old'));
    expect(await show(id)).toMatchObject({ held: false, playing: null, recording_state: 'off' });
  });

  it('needs a call', async () => {
    expect((await post('no-such-call', action, body())).status).toBe(404);
  });
});

describe('a prompt', () => {
  it('is played until the relay says that it is over', async () => {
    const { id } = await scene.answer();
    const playing = await post(id, 'play', { prompt_id: promptId });
    const playingNow = { prompt_id: promptId, loop: false, announcement: false };
    expect(playing.body.playing).toEqual(playingNow);
    const told = await until('the relay to play', () => wanted(id)?.playing);
    expect(told).toMatchObject({ prompt: promptId, loop: false });
    scene.relay.say(id, { type: 'played', id: told.id, completed: true });
    const { timeline } = await until('the end', async () => {
      const call = await show(id);
      return call.playing === null && call;
    });
    expect(timeline.find(({ type }) => type === 'playing')?.detail).toEqual({
      by: 'api',
      prompt: promptId,
    });
    expect(timeline.find(({ type }) => type === 'played')?.detail).toEqual({ completed: true });
  });

  it('in a loop is played until it is stopped', async () => {
    const { id } = await scene.answer();
    const key = scene.agents[0]?.key;
    await post(id, 'play', { prompt_id: promptId, loop: true }, key);
    await until('the relay to play', () => wanted(id)?.playing?.loop);
    expect((await post(id, 'play/stop', undefined, key)).body.playing).toBeNull();
    await until('the relay to stop', () => wanted(id)?.playing === null);
    expect((await post(id, 'play/stop')).status).toBe(200);
  });

  it.each(['sound:hold', 'sound:ring-back'])('%s is at every relay', async (sound) => {
    const { id } = await scene.answer();
    const { status, body } = await post(id, 'play', { prompt_id: sound, loop: true });
    expect([status, body.playing?.prompt_id]).toEqual([200, sound]);
    await until('the relay to play', () => wanted(id)?.playing?.prompt === sound);
  });

  it.each(['no-such-prompt', 'sound:other', ''])(
    'that does not exist is named: %j',
    async (prompt_id) => {
      const { id } = await scene.answer();
      const { status, body } = await post(id, 'play', { prompt_id });
      expect([status, body.errors?.[0]?.field]).toEqual([400, 'prompt_id']);
      expect(wanted(id)?.playing).toBeNull();
    },
  );
});

describe('recording', () => {
  it('starts, pauses, goes on and stops', async () => {
    const { id } = await scene.answer();
    for (const [action, state] of [
      ['start', 'on'],
      ['start', 'on'],
      ['pause', 'paused'],
      ['resume', 'on'],
      ['stop', 'off'],
      ['stop', 'off'],
      ['start', 'on'],
    ] as const) {
      const { status, body } = await post(id, 'recording', { action });
      expect([action, status, body.recording_state]).toEqual([action, 200, state]);
      await until(`recording: ${state}`, () => wanted(id)?.recording === state);
    }
    expect((await typesOf(id)).filter((type) => type.startsWith('recording-'))).toEqual([
      'recording-started',
      'recording-paused',
      'recording-resumed',
      'recording-stopped',
      'recording-started',
    ]);
  });

  it.each(['pause', 'resume'])('cannot %s before it was started', async (action) => {
    const { id } = await scene.answer();
    expect(await post(id, 'recording', { action })).toMatchObject(refused('call-not-recorded'));
    expect(await show(id)).toMatchObject({ recording_state: 'off' });
  });

  it('does not keep the keys that are pressed during a pause', async () => {
    const { id } = await scene.answer();
    await post(id, 'recording', { action: 'start' });
    scene.relay.say(id, { type: 'dtmf', digit: '1' });
    await until('the key', async () => (await typesOf(id)).includes('digit'));
    await post(id, 'recording', { action: 'pause' });
    scene.relay.say(id, { type: 'dtmf', digit: '4' });
    const digits = await until('both keys', async () => {
      const { timeline } = await show(id);
      const found = timeline.filter(({ type }) => type === 'digit');
      return found.length === 2 && found;
    });
    expect(digits.map(({ detail }) => detail)).toEqual([{ digit: '1' }, undefined]);
  });
});

describe('a number that records every call', () => {
  const phoneNumberId = unique('56');

  beforeAll(async () => {
    const number = {
      provider: 'meta',
      phone_number_id: phoneNumberId,
      display_phone_number: '15550109999',
      access_token: 'token',
      api_base_url: 'https://graph.test',
    };
    const { body } = await api<{ id: string }>('POST', '/v1/numbers', number);
    const settings = {
      recording: 'always',
      recording_announcement: promptId,
      recording_retention_days: 30,
    };
    const path = `/v1/numbers/${body.id}`;
    expect(await api('PATCH', path, settings)).toMatchObject({ status: 200, body: settings });
    expect((await api('GET', path)).body).toMatchObject(settings);
  });

  /** A call of this number, announced by this webhook, up to ringing. */
  async function ringing(announce: (webhook: object) => Promise<Response>): Promise<string> {
    const wacid = unique('wacid.');
    const webhook = connectWebhook({ id: wacid, phoneNumberId });
    expect((await announce(webhook)).status).toBe(200);
    const { id } = await until('the call', async () => {
      const { body } = await api<{ data: CallView[] }>('GET', '/v1/calls?limit=200');
      return body.data.find((call) => call.provider_call_id === wacid);
    });
    await until('call.answer', () => scene.relay.last('call.answer', id));
    scene.relay.say(id, { type: 'answered', sdp: 'v=0' });
    await inState(id, 'ringing');
    return id;
  }

  async function connected(announce = postWebhook): Promise<string> {
    const id = await ringing(announce);
    const { identity } = (await scene.claim(id)).body;
    scene.relay.say(id, { type: 'ready', identity });
    await inState(id, 'active');
    return id;
  }

  it('does so from the moment of the connection, and says so first', async () => {
    const id = await connected();
    const want = await until('the path to open', () => {
      const latest = wanted(id);
      return latest?.open && latest;
    });
    expect(want).toMatchObject({ recording: 'on', playing: { prompt: promptId, loop: false } });
    const call = await show(id);
    expect(call).toMatchObject({
      recording_state: 'on',
      playing: { prompt_id: promptId, loop: false, announcement: true },
    });
    expect(call.timeline.find(({ type }) => type === 'answered')?.detail).toEqual({
      recording: true,
      announcement: promptId,
    });
    const refusal = refused('announcement-playing');
    expect(await post(id, 'play', { prompt_id: 'sound:hold' })).toMatchObject(refusal);
    expect(await post(id, 'play/stop')).toMatchObject(refusal);
    scene.relay.say(id, { type: 'played', id: want.playing?.id, completed: true });
    await until('the end', async () => (await show(id)).playing === null);
    expect((await post(id, 'play', { prompt_id: 'sound:hold' })).status).toBe(200);
    expect((await show(id)).recording_state).toBe('on');
  });

  it('does not record a caller who could not be told', async () => {
    const id = await connected();
    const { playing } = await until(
      'recording',
      () => wanted(id)?.recording === 'on' && wanted(id),
    );
    scene.relay.say(id, { type: 'played', id: playing?.id, completed: false });
    await until('the end of the recording', () => wanted(id)?.recording === 'off');
    const { state, recording_state, timeline } = await show(id);
    expect([state, recording_state]).toEqual(['active', 'off']);
    expect(timeline.at(-1)).toMatchObject({
      type: 'announcement-failed',
      detail: { prompt: promptId },
    });
  });

  it('gives the relay time to have the announcement, and records nobody if it never will', async () => {
    const id = await ringing(postWebhook);
    const want = await until('call.want', () => wanted(id)?.playing && wanted(id));
    expect(want).toMatchObject({ open: false, recording: 'off', playing: { prompt: promptId } });
    expect((await show(id)).playing).toBeNull();
    scene.relay.say(id, { type: 'played', id: want.playing?.id, completed: false });
    await until('the failure', async () => (await typesOf(id)).includes('announcement-failed'));
    const { identity } = (await scene.claim(id)).body;
    scene.relay.say(id, { type: 'ready', identity });
    await inState(id, 'active');
    await until('the path to open', () => wanted(id)?.open);
    expect(wanted(id)).toMatchObject({ recording: 'off', playing: null });
  });

  it('records nothing in a deployment that has no bucket any more', async () => {
    const app = createApp(ownServices({}, { audio: null }));
    const id = await connected(async (webhook) => {
      const body = JSON.stringify(webhook);
      const headers = { 'x-hub-signature-256': await signature(body) };
      return app.request('/webhooks/whatsapp', { method: 'POST', headers, body });
    });
    expect(await show(id)).toMatchObject({ recording_state: 'off', playing: null });
  });

  it.each([
    [{ recording: 'sometimes' }, 'recording'],
    [{ recording_announcement: 'no-such-prompt' }, 'recording_announcement'],
    [{ recording_retention_days: 0 }, 'recording_retention_days'],
    [{ recording_retention_days: 3651 }, 'recording_retention_days'],
    [{ recording_retention_days: 1.5 }, 'recording_retention_days'],
  ])('takes no %o', async (settings, field) => {
    const { body: list } = await api<{ data: { id: string; phone_number_id: string }[] }>(
      'GET',
      '/v1/numbers',
    );
    const number = list.data.find((one) => one.phone_number_id === phoneNumberId);
    const path = `/v1/numbers/${number?.id}`;
    const { status, body } = await api<Answer>('PATCH', path, settings);
    expect([status, body.errors?.[0]?.field]).toEqual([400, field]);
    expect((await api('GET', path)).body).toMatchObject({ recording: 'always' });
  });
});
