// What people do to each other in a connected call, through the API, with a relay that says what a relay would.
import { evictDurableObject } from 'cloudflare:test';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import { inState, InboundScene, show, switchboard } from './inbound-scene.ts';
import { api, postWebhook, request, terminateWebhook, unique, until } from './support.ts';

type Answer = CallView & {
  type?: string;
  reason?: string;
  presence?: string;
  errors?: { field: string }[];
  seat?: { identity: string; token: string } | null;
};
interface Person {
  id: string;
  key: string;
  name: string;
}
interface Notice {
  type: string;
  call?: CallView;
}

let scene: InboundScene;
let ana: Person;
let bea: Person;
let sue: Person;
let team: string;
/** What each person's client was told. */
const heard = new Map<string, Notice[]>();

async function listen({ id, key }: Person): Promise<void> {
  const { webSocket } = await request('/v1/events', {
    headers: { upgrade: 'websocket', authorization: `Bearer ${key}` },
  });
  const notices: Notice[] = [];
  heard.set(id, notices);
  webSocket?.accept();
  webSocket?.addEventListener('message', ({ data }) => {
    notices.push(JSON.parse(String(data)) as Notice);
  });
}

const add = async (name: string, role = 'agent'): Promise<Person> =>
  (await api<Person>('POST', '/v1/agents', { name, role })).body;

beforeAll(async () => {
  scene = await InboundScene.open();
});
afterAll(() => vi.restoreAllMocks());
beforeEach(async () => {
  await scene.reconnect({ protocol: 3 });
  ana = await add('Ana');
  bea = await add('Bea');
  sue = await add('Sue', 'supervisor');
  team = unique('team-');
  await api('POST', '/v1/teams', { id: team, name: 'Sales' });
  await api('PUT', `/v1/teams/${team}/members`, { agent_ids: [ana.id, bea.id] });
  await Promise.all([ana, bea].map(listen));
});

const post = (id: string, path: string, body?: object, { key }: { key?: string } = {}) =>
  api<Answer>('POST', `/v1/calls/${id}/${path}`, body, key);
const claim = (id: string, { key }: Person) => post(id, 'claim', undefined, { key });
const identityOf = ({ id }: Person) => `agent-${id}`;
const wanted = (id: string) => scene.relay.last('call.want', id);
const ready = (id: string, person: Person) => {
  scene.relay.say(id, { type: 'ready', identity: identityOf(person) });
};
const joins = (id: string, person: Person) => {
  scene.relay.say(id, { type: 'participant-joined', identity: identityOf(person) });
};
const leaves = (id: string, person: Person) => {
  scene.relay.say(id, { type: 'participant-left', identity: identityOf(person), why: 'left' });
};
const isRung = (person: Person, id: string) =>
  until('a ring', () =>
    heard.get(person.id)?.some(({ type, call }) => type === 'ring' && call?.id === id),
  );
/** What LiveKit was asked. */
const asked = (method: string) =>
  scene.outside.rooms.filter((sent) => sent.method === method).map(({ body }) => body);
const party = (id: string, person: Person) =>
  until('a party', async () => {
    const { people } = await show(id);
    return people.find(({ agent_id, there }) => agent_id === person.id && there);
  });

/** A call that Ana has. */
async function talking(): Promise<{ id: string; wacid: string }> {
  const call = await scene.ring();
  await claim(call.id, ana);
  ready(call.id, ana);
  await inState(call.id, 'active');
  return call;
}

/** Bea is with Ana in the room, and the caller on hold. */
async function consulting(): Promise<{ id: string; wacid: string }> {
  const call = await talking();
  await post(call.id, 'consult', { to: { agent_id: bea.id } }, ana);
  await claim(call.id, bea);
  joins(call.id, bea);
  await party(call.id, bea);
  return call;
}

describe('a transfer', () => {
  it('silences the agent, rings the colleague with the summary, and is over once they are heard', async () => {
    const { id } = await talking();
    const to = { agent_id: bea.id };
    const answer = await post(id, 'transfer', { to, summary: 'wants a refund' }, ana);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        claimed_by: null,
        transferred_by: { agent_id: ana.id },
        ringing_for: [bea.id],
        ring_purpose: 'transfer',
        summary: 'wants a refund',
      },
    });
    const want = await until('the relay to be told', () =>
      wanted(id)?.audience.excluded.includes(identityOf(ana)) ? wanted(id) : null,
    );
    expect(want.playing?.prompt).toBe('sound:ring-back');
    await isRung(bea, id);
    const removal = () =>
      asked('RemoveParticipant').some(({ identity }) => identity === identityOf(ana));
    await until('the removal', removal);
    expect((await claim(id, ana)).status).toBe(409);
    expect((await claim(id, bea)).status).toBe(200);
    ready(id, bea);
    await until('the colleague', async () => (await show(id)).step === null);
    expect(await show(id)).toMatchObject({
      claimed_by: { agent_id: bea.id },
      transferred_by: null,
      playing: null,
    });
  });

  it('is taken back with a seat for the agent who had the call', async () => {
    const { id } = await talking();
    await post(id, 'transfer', { to: { team } }, ana);
    expect((await post(id, 'transfer/cancel', undefined, bea)).status).toBe(403);
    const back = await post(id, 'transfer/cancel', undefined, ana);
    expect(back).toMatchObject({
      status: 200,
      body: { claimed_by: { agent_id: ana.id }, seat: { identity: identityOf(ana) } },
    });
    ready(id, ana);
    await until('the agent', async () => (await show(id)).step === null);
    const again = await post(id, 'transfer/cancel', undefined, ana);
    expect(again).toMatchObject({ status: 409, body: { reason: 'no-transfer' } });
  });

  it('goes on when the Switchboard has lost its memory', async () => {
    const { id } = await talking();
    await post(id, 'transfer', { to: { agent_id: bea.id } }, ana);
    await evictDurableObject(switchboard());
    await scene.reconnect({ protocol: 3, calls: [id] });
    const want = await until('the relay to be told again', () => wanted(id));
    expect(want).toMatchObject({
      audience: { excluded: [identityOf(ana)] },
      playing: { prompt: 'sound:ring-back' },
    });
  });

  it('to nobody is refused with the reason, and the call undisturbed', async () => {
    const { id } = await talking();
    const before = await show(id);
    const refused = async (to: object, expected: object) =>
      expect(await post(id, 'transfer', { to }, ana)).toMatchObject(expected);
    await refused({ agent_id: sue.id }, { status: 409, body: { presence: 'offline' } });
    await refused({ agent_id: ana.id }, { status: 400 });
    await refused({ agent_id: 'nobody' }, { status: 400 });
    await refused({ team: 'nobody' }, { status: 400 });
    await refused({}, { status: 400 });
    // No team was asked for it, so who neither has nor had it does not see it.
    expect(await post(id, 'transfer', { to: { team } }, bea)).toMatchObject({ status: 404 });
    expect(await show(id)).toEqual(before);
  });

  it('of a call that is not connected is refused', async () => {
    const { id, wacid } = await scene.ring();
    const to = { agent_id: bea.id };
    expect(await post(id, 'transfer', { to })).toMatchObject({
      body: { type: 'urn:roomline:problem:call-not-connected' },
    });
    await postWebhook(terminateWebhook(scene.fields(wacid)));
    await inState(id, 'ended');
    expect(await post(id, 'transfer', { to })).toMatchObject({
      body: { type: 'urn:roomline:problem:call-over' },
    });
    expect((await post('nothing', 'transfer', { to })).status).toBe(404);
  });
});

describe('a consultation', () => {
  it('holds the caller while the colleague, whom the caller does not hear, talks with the agent', async () => {
    const { id } = await talking();
    const answer = await post(id, 'consult', { to: { agent_id: bea.id } }, ana);
    expect(answer).toMatchObject({
      status: 200,
      body: { held: true, ringing_for: [bea.id], ring_purpose: 'consultation' },
    });
    await until('the hold', () => wanted(id)?.hold);
    await isRung(bea, id);
    const seat = await claim(id, bea);
    expect(seat.status).toBe(200);
    await until('the seat', () => wanted(id)?.audience.excluded.includes(identityOf(bea)));
    joins(id, bea);
    await party(id, bea);
    expect(await show(id)).toMatchObject({
      claimed_by: { agent_id: ana.id },
      people: [{ agent_id: bea.id, part: 'consulted', there: true }],
      held: true,
    });
    const unhold = await post(id, 'hold', { on: false }, ana);
    expect(unhold).toMatchObject({ status: 409, body: { reason: 'consulting' } });
  });

  it('is merged: all three talk, and the call is left by either', async () => {
    const { id } = await consulting();
    expect(await post(id, 'consult/merge', undefined, ana)).toMatchObject({
      status: 200,
      body: { held: false, people: [{ part: 'added' }] },
    });
    await until('the audience', () => wanted(id)?.audience.named.includes(identityOf(bea)));
    expect(wanted(id)).toMatchObject({ hold: false, audience: { excluded: [] } });
    ready(id, bea);
    const out = await api<Answer>(
      'DELETE',
      `/v1/calls/${id}/participants/${identityOf(bea)}`,
      undefined,
      bea.key,
    );
    expect(out).toMatchObject({ status: 200, body: { people: [] } });
  });

  it('is completed: the colleague has the call, and a claim of theirs is a seat', async () => {
    const { id } = await consulting();
    expect(await post(id, 'consult/complete', undefined, ana)).toMatchObject({
      status: 200,
      body: { claimed_by: { agent_id: bea.id }, people: [], held: false },
    });
    await until('the audience', () => wanted(id)?.audience.named.includes(identityOf(bea)));
    expect(wanted(id)?.audience.excluded).toEqual([identityOf(ana)]);
    expect((await claim(id, bea)).status).toBe(200);
    expect((await claim(id, ana)).status).toBe(409);
  });

  it('is cancelled: the caller is back', async () => {
    const { id } = await consulting();
    expect(await post(id, 'consult/cancel', undefined, ana)).toMatchObject({
      status: 200,
      body: { held: false, people: [] },
    });
    expect(await post(id, 'consult/cancel', undefined, ana)).toMatchObject({ status: 409 });
  });

  it('whose caller hangs up is over', async () => {
    const { id, wacid } = await consulting();
    await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1' }));
    expect(await inState(id, 'ended')).toMatchObject({ people: [], held: false });
    expect(await post(id, 'consult/merge')).toMatchObject({ status: 409 });
    leaves(id, bea);
  });

  it('is refused where the relay cannot hold', async () => {
    const { id } = await talking();
    await scene.reconnect({ protocol: 2, calls: [id] });
    expect(await post(id, 'consult', { to: { agent_id: bea.id } }, ana)).toMatchObject({
      status: 409,
      body: { type: 'urn:roomline:problem:relay-too-old' },
    });
  });
});

describe('a supervisor', () => {
  const grantsOf = (token: string) =>
    JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'))) as {
      video: { canPublish: boolean; hidden?: boolean };
      attributes: Record<string, string>;
    };

  it('listens, whispers, and speaks; the audience changes before the rights', async () => {
    const { id } = await talking();
    const listens = await post(id, 'supervise', { mode: 'monitor' }, sue);
    expect(listens.status).toBe(200);
    expect(grantsOf(listens.body.seat?.token ?? '')).toMatchObject({
      video: { canPublish: false, hidden: true },
      attributes: { 'roomline.role': 'supervisor' },
    });
    await until('the audience', () => wanted(id)?.audience.excluded.includes(identityOf(sue)));
    await post(id, 'supervise', { mode: 'whisper' }, sue);
    const rights = await until('the rights', () =>
      asked('UpdateParticipant').find(({ identity }) => identity === identityOf(sue)),
    );
    expect(rights).toMatchObject({ permission: { canPublish: true } });
    expect(wanted(id)?.audience).toMatchObject({ named: [], excluded: [identityOf(sue)] });
    await post(id, 'supervise', { mode: 'barge' }, sue);
    await until('the audience', () => wanted(id)?.audience.named.includes(identityOf(sue)));
    await post(id, 'supervise', { mode: 'monitor' }, sue);
    await until('the audience', () => wanted(id)?.audience.excluded.includes(identityOf(sue)));
    const { timeline } = await show(id);
    const modes = timeline.filter(({ type }) => type === 'supervising').map(({ detail }) => detail);
    expect(modes.map((detail) => detail?.['mode'])).toEqual([
      'monitor',
      'whisper',
      'barge',
      'monitor',
    ]);
  });

  it('is nobody without the right, and the call undisturbed', async () => {
    const { id } = await talking();
    const before = await show(id);
    expect((await post(id, 'supervise', { mode: 'whisper' }, bea)).status).toBe(403);
    expect((await post(id, 'supervise', { mode: 'whisper' })).status).toBe(400);
    expect(await show(id)).toEqual(before);
  });
});

describe('an invitation', () => {
  it('of nobody is refused, and names the field', async () => {
    const { id } = await talking();
    const refused = await post(id, 'invite', { agent_id: 'nobody' }, ana);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: 'agent_id' }] } });
    const consult = await post(id, 'consult', { to: { team: 'nobody' } }, ana);
    expect(consult).toMatchObject({ status: 400, body: { errors: [{ field: 'to.team' }] } });
  });

  it('adds somebody who is heard', async () => {
    const { id } = await talking();
    expect(await post(id, 'invite', { team }, ana)).toMatchObject({
      status: 200,
      body: { ringing_for: [bea.id], ring_purpose: 'conference', held: false },
    });
    await claim(id, bea);
    joins(id, bea);
    await party(id, bea);
    expect(wanted(id)?.audience.named).toEqual([identityOf(bea)]);
  });
});

describe('remarks', () => {
  it('are kept with the call while it lasts and afterwards, within bounds', async () => {
    const { id, wacid } = await talking();
    expect(await post(id, 'notes', { text: 'first' }, ana)).toMatchObject({ status: 200 });
    await postWebhook(terminateWebhook(scene.fields(wacid), { start_time: '1' }));
    await inState(id, 'ended');
    await api('PUT', `/v1/calls/${id}/tags`, { tags: ['vip', 'refund', 'vip'] }, ana.key);
    await api('PUT', `/v1/calls/${id}/disposition`, { disposition: 'sold' }, ana.key);
    await post(id, 'notes', { text: 'second' }, ana);
    await evictDurableObject(switchboard());
    const call = await show(id);
    expect(call).toMatchObject({ tags: ['vip', 'refund'], disposition: 'sold', state: 'ended' });
    const notes = call.timeline.filter(({ type }) => type === 'note');
    expect(notes.map(({ detail }) => detail?.['text'])).toEqual(['first', 'second']);
    expect(call.contact).not.toBeNull();
    await post(id, 'notes', { text: 'x'.repeat(1_000) }, ana);
    expect(await post(id, 'notes', { text: 'x'.repeat(1_000) }, ana)).toMatchObject({
      status: 409,
      body: { reason: 'too-many-notes' },
    });
    expect((await post(id, 'notes', { text: 'x'.repeat(1_001) }, ana)).status).toBe(400);
    expect((await post(id, 'notes', { text: ' ' }, ana)).status).toBe(400);
  });
});
