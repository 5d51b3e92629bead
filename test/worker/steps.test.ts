// Steps of rules through the real Switchboard: what the relay is told to play and record, what the user's endpoint is asked, and
// what is left when the Switchboard has lost its memory.
import { evictDurableObject } from 'cloudflare:test';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { at, inState, show, switchboard, type InboundScene } from './inbound-scene.ts';
import { RoutedScene } from './routed-scene.ts';
import { sine, wavOf } from './sounds.ts';
import { ADMIN_KEY, api, ASK_SECRET, request, until } from './support.ts';

let floor: RoutedScene;

beforeAll(async () => {
  floor = await RoutedScene.open();
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  await floor.reconnect();
});

afterEach(() => floor.clear());

const timeline = async (id: string) => (await show(id)).timeline;
/** Whether calls of the scene's number are recorded and announced. */
async function announces(scene: InboundScene, recording: 'always' | 'off'): Promise<void> {
  const { body } = await api<{ data: { id: string; phone_number_id: string }[] }>(
    'GET',
    '/v1/numbers',
  );
  const number = body.data.find((one) => one.phone_number_id === scene.phoneNumberId);
  const uploaded = await request('/v1/prompts?name=Recorded', {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'audio/wav' },
    body: wavOf(sine(440, 8_000, 800)),
  });
  const { id } = await uploaded.json<{ id: string }>();
  const change = { recording, recording_announcement: recording === 'off' ? null : id };
  const changed = await api('PATCH', `/v1/numbers/${number?.id ?? ''}`, change);
  expect(changed.status).toBe(200);
}

/** The relay brings the recording of a call. @returns the status */
async function bring(id: string): Promise<number> {
  const { credentials } = floor.scene;
  const { status } = await request(`/v1/relays/${credentials.id}/recordings/${id}`, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${credentials.secret}`,
      'content-type': 'audio/ogg',
      'content-length': String(FILE.length),
      'x-roomline-duration-ms': '2000',
      'x-roomline-audio-sha256': 'b2'.repeat(32),
    },
    body: FILE,
  });
  return status;
}

const FILE = Uint8Array.from({ length: 5_000 }, (_, i) => i % 251);

describe('a menu', () => {
  const steps = [
    {
      menu: {
        prompt: 'sound:menu',
        wrong_key_prompt: 'sound:error',
        seconds: 30,
        keys: { 2: [{ queue: { team: 'sales' } }] },
      },
    },
  ];

  it('answers the call, plays, and goes the way of the key', async () => {
    await floor.rules(steps);
    const { id } = await floor.call();
    await inState(id, 'active');
    await until('the path to be open', () => floor.wanted(id)?.open);
    await floor.played(id, 'sound:menu');
    floor.press(id, '2');
    expect(await floor.plays(id, 'sound:hold')).toMatchObject({ loop: true });
    expect(await floor.atStep(id, 'queue')).toMatchObject({ team_id: 'sales', ringing_for: [] });
    expect(await timeline(id)).toContainEqual(
      expect.objectContaining({
        type: 'digit',
        detail: expect.objectContaining({ digit: '2', step: 'queue' }),
      }),
    );
  });

  it('goes on where it was when the Switchboard has lost its memory', async () => {
    await floor.rules(steps);
    const { id } = await floor.call();
    await inState(id, 'active');
    await floor.plays(id, 'sound:menu');
    await evictDurableObject(switchboard());
    floor.press(id, '9');
    await floor.played(id, 'sound:error');
    await evictDurableObject(switchboard());
    await floor.plays(id, 'sound:menu');
    floor.press(id, '2');
    await floor.atStep(id, 'queue');
  });
});

describe('voicemail', () => {
  it('is recorded from the beep on and heard as every recording is, although the number records nothing', async () => {
    await floor.rules([{ voicemail: { prompt: 'sound:confirm' } }]);
    const call = await floor.call();
    const { id } = call;
    await inState(id, 'active');
    expect(floor.wanted(id)?.recording).toBe('off');
    await floor.played(id, 'sound:confirm');
    await until('the recording', () => floor.wanted(id)?.recording === 'on');
    await floor.played(id, 'sound:beep');
    const ended = await at(Date.now() + 2_000, () => floor.hangUp(call));
    expect(ended).toMatchObject({
      outcome: { result: 'success', reason: 'voicemail-left', ended_by: 'caller' },
      follow_up: 'voicemail',
    });
    expect(await bring(id)).toBe(200);
    const heard = await request(`/v1/calls/${id}/recording`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    expect(new Uint8Array(await heard.arrayBuffer())).toEqual(FILE);
  });

  it('is heard by agents of the team that was to take the call, and by no others', async () => {
    await floor.rules([{ queue: { team: 'sales', longest_wait_s: 5 } }, { voicemail: {} }]);
    const call = await floor.call();
    await floor.atStep(call.id, 'queue');
    await at(Date.now() + 5_000, () => floor.atStep(call.id, 'voicemail'));
    await floor.played(call.id, 'sound:beep');
    await at(Date.now() + 2_000, () => floor.hangUp(call));
    expect(await bring(call.id)).toBe(200);
    const stranger = await api<{ key: string }>('POST', '/v1/agents', { name: 'Dan' });
    const statusFor = async (key = '') => {
      const headers = { authorization: `Bearer ${key}` };
      return (await request(`/v1/calls/${call.id}/recording`, { headers })).status;
    };
    expect(await statusFor(floor.scene.agents[0]?.key)).toBe(200);
    expect(await statusFor(stranger.body.key)).toBe(404);
  });

  it('is heard although the number announces its recordings and could not', async () => {
    await announces(floor.scene, 'always');
    await floor.rules([{ voicemail: {} }]);
    const call = await floor.call();
    await announces(floor.scene, 'off');
    await inState(call.id, 'active');
    const announcement = await until('the announcement', () => floor.wanted(call.id)?.playing);
    floor.scene.relay.say(call.id, { type: 'played', id: announcement.id, completed: false });
    await floor.played(call.id, 'sound:beep');
    await until('the recording', () => floor.wanted(call.id)?.recording === 'on');
    const ended = await at(Date.now() + 2_000, () => floor.hangUp(call));
    expect(ended.outcome?.reason).toBe('voicemail-left');
    expect(await bring(call.id)).toBe(200);
  });
});

describe('a message', () => {
  it('is sent to the caller: free text, or a template with its parameters', async () => {
    const template = { name: 'sorry', language: 'pt_PT', parameters: ['Ana'] };
    await floor.rules([{ message: { text: 'We are closed.' } }, { message: { template } }]);
    const before = floor.scene.outside.messages.length;
    const { id } = await floor.call();
    await until('both messages', async () => {
      const sent = (await timeline(id)).filter(({ type }) => type === 'message-sent');
      return sent.length === 2;
    });
    const ours = floor.scene.outside.messages.slice(before);
    expect(ours).toMatchObject([
      { to: '351910000001', type: 'text', text: { body: 'We are closed.' } },
      {
        to: '351910000001',
        type: 'template',
        template: {
          name: 'sorry',
          language: { code: 'pt_PT' },
          components: [{ type: 'body', parameters: [{ type: 'text', text: 'Ana' }] }],
        },
      },
      // Nobody answered the call.
      { type: 'text', text: { body: expect.stringContaining('Sorry') } },
    ]);
  });
});

describe('ask', () => {
  const ASK = { ask: { url: 'https://rules.test/ask', data: { shop: 'porto' } } };

  it('tells the endpoint of the call, signed, and goes the way that it answers', async () => {
    const { asked, endpointAnswers } = floor.scene.outside;
    endpointAnswers.push(() => Response.json({ steps: [{ queue: { team: 'sales' } }] }));
    await floor.rules([ASK, { reject: {} }]);
    const { id } = await floor.call();
    await floor.atStep(id, 'queue');
    const { body, headers } = asked.at(-1) ?? { body: '', headers: {} };
    const verified = new Webhook(ASK_SECRET).verify(body, headers);
    expect(verified).toMatchObject({
      type: 'call.ask',
      data: { call: { id, state: 'ringing', step: 'ask' }, digits: '', data: { shop: 'porto' } },
    });
  });

  it('goes on where the endpoint has nothing to say, and says what was wrong', async () => {
    const { endpointAnswers } = floor.scene.outside;
    endpointAnswers.push(() => Response.json({ steps: [{ queue: {} }] }, { status: 200 }));
    await floor.rules([ASK, { queue: { team: 'sales' } }]);
    const { id } = await floor.call();
    await floor.atStep(id, 'queue');
    const step = (await timeline(id)).find(({ detail }) => detail?.['step'] === 'queue');
    expect(step?.detail?.['after']).toMatch(/^ask: the answer, steps\.0\.queue\.team: /);
  });
});

describe('a queue', () => {
  const priority = (of: number) => [{ queue: { team: 'sales', priority: of, each_s: 60 } }];

  it('keeps its order when the Switchboard has lost its memory and the relay its connection', async () => {
    const vip = '351910000099';
    const rule = { name: 'vip', match: { caller: { phones: [vip] } }, steps: priority(5) };
    await floor.rules(priority(0), { rules: [rule] });
    const calls = [
      await floor.call(),
      await floor.call(),
      await floor.call(vip),
      await floor.call(),
    ];
    const shown = await Promise.all(calls.map(({ id }) => floor.atStep(id, 'queue')));
    const expected = shown
      .toSorted(
        (one, other) =>
          Number(other.rule === 'vip') - Number(one.rule === 'vip') ||
          Date.parse(one.waiting_since ?? '') - Date.parse(other.waiting_since ?? '') ||
          (one.id < other.id ? -1 : 1),
      )
      .map(({ id }) => id);
    await evictDurableObject(switchboard());
    await floor.reconnect(calls.map(({ id }) => id));
    const socket = await floor.work(0);
    await evictDurableObject(switchboard());
    const served: string[] = [];
    for (const next of expected) {
      const rung = await until('a call that rings', async () => {
        const now = await Promise.all(calls.map(({ id }) => show(id)));
        return now.find(({ ringing_for }) => (ringing_for ?? []).length > 0);
      });
      served.push(rung.id);
      expect(rung.id).toBe(next);
      const call = calls.find(({ id }) => id === rung.id);
      if (call) await floor.hangUp(call);
    }
    expect(served).toEqual(expected);
    socket.close();
  });

  it('rings no more, at once, when the caller gives up', async () => {
    await floor.rules(priority(0));
    const socket = await floor.work(1);
    const call = await floor.call();
    const rings = await until('the agent to be rung', async () => {
      const now = await show(call.id);
      return (now.ringing_for ?? []).length > 0 ? now : null;
    });
    expect(rings.ringing_for).toEqual([floor.scene.agents[1]?.id]);
    const ended = await floor.hangUp(call);
    expect(ended).toMatchObject({
      outcome: { result: 'client_error', reason: 'abandoned' },
      follow_up: 'missed',
    });
    expect(ended.ringing_for ?? []).toEqual([]);
    socket.close();
  });

  it('is left with its key for a call back', async () => {
    await floor.rules([{ queue: { team: 'sales', callback_key: '*' } }]);
    const { id } = await floor.call();
    await floor.plays(id, 'sound:hold');
    floor.press(id, '*');
    const { id: playId } = await floor.plays(id, 'sound:confirm');
    floor.scene.relay.say(id, { type: 'played', id: playId, completed: true });
    await until('the end', async () => (await show(id)).outcome !== null);
    expect(await show(id)).toMatchObject({
      outcome: { reason: 'callback-requested' },
      follow_up: 'callback',
    });
  });
});
