// Teams, rules and agents with clients that listen, beside the number and the relay of an inbound scene.
import { expect } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import type { PresenceView } from '../../worker/front-desk.ts';
import { ANSWER_SDP, findCall, InboundScene, inState, show } from './inbound-scene.ts';
import { ADMIN_KEY, api, connectWebhook, postWebhook, request, unique, until } from './support.ts';

export interface Frame {
  readonly type: string;
  readonly event?: string;
  readonly call?: CallView;
  readonly agents?: readonly PresenceView[];
}

/** Somebody who answers calls, with or without a client that listens. */
export class Colleague {
  readonly id: string;
  readonly key: string;
  readonly frames: Frame[] = [];
  #socket: WebSocket | null = null;

  private constructor({ id, key }: { id: string; key: string }) {
    this.id = id;
    this.key = key;
  }

  static async hire(fields: object = {}): Promise<Colleague> {
    const { body } = await api<{ id: string; key: string }>('POST', '/v1/agents', {
      name: unique('agent-'),
      ...fields,
    });
    return new Colleague(body);
  }

  async listen(): Promise<void> {
    const response = await request('/v1/events', {
      headers: { upgrade: 'websocket', authorization: `Bearer ${this.key}` },
    });
    const socket = response.webSocket;
    if (!socket) throw new Error(`no WebSocket: ${response.status}`);
    socket.addEventListener('message', ({ data }) => {
      this.frames.push(JSON.parse(String(data)) as Frame);
    });
    socket.accept();
    this.#socket = socket;
    await this.isShown('available');
  }

  /** Ends like a tab that is closed. */
  leave(): void {
    this.#socket?.close(1000);
    this.#socket = null;
  }

  isShown(presence: PresenceView['presence']): Promise<PresenceView> {
    return until(`presence ${presence}`, async () => {
      const found = await this.presence();
      return found?.presence === presence ? found : null;
    });
  }

  async presence(): Promise<PresenceView | undefined> {
    const { body } = await api<{ data: PresenceView[] }>('GET', '/v1/agents/presence');
    return body.data.find(({ agent_id }) => agent_id === this.id);
  }

  /** Rings of a call that their client was told of. */
  ringsOf(callId: string): Frame[] {
    return this.frames.filter(
      ({ type, call }) =>
        type === 'ring' && call?.id === callId && call.ringing_for?.includes(this.id) === true,
    );
  }

  setPresence(status: 'available' | 'away') {
    return api<PresenceView>('PUT', '/v1/agents/me/presence', { status }, this.key);
  }

  claim(callId: string) {
    return api<{ type?: string; identity: string; detail?: string; presence?: string }>(
      'POST',
      `/v1/calls/${callId}/claim`,
      undefined,
      this.key,
    );
  }

  decline(callId: string) {
    return api<{ type?: string; detail?: string }>(
      'POST',
      `/v1/calls/${callId}/decline`,
      undefined,
      this.key,
    );
  }
}

export const newTeam = async (members: readonly Colleague[], fields: object = {}) => {
  const id = unique('team-');
  await api('POST', '/v1/teams', { id, name: 'Team', ...fields });
  const agentIds = members.map((member) => member.id);
  await api('PUT', `/v1/teams/${id}/members`, { agent_ids: agentIds });
  return id;
};

/** Puts rules in force; what no rule takes is rejected. */
export async function rule(...rules: object[]): Promise<number> {
  const { status, body } = await api<{ version: number }>('PUT', '/v1/rules', {
    rules: {
      rules: rules.map((one, index) => ({ name: `rule ${index}`, ...one })),
      otherwise: [{ reject: {} }],
    },
  });
  expect([status, body]).toEqual([200, body]);
  return body.version;
}

export const removeAgent = (id: string) =>
  request(`/v1/agents/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });

/** A call that has been announced and whose phone rings, whatever its rule then does. */
export async function callIn(
  scene: InboundScene,
  fields: { from?: string } = {},
): Promise<{ id: string; wacid: string }> {
  const wacid = unique('wacid.');
  const webhook = connectWebhook({ ...scene.fields(wacid), ...fields });
  expect((await postWebhook(webhook)).status).toBe(200);
  const { id } = await until('the call', () => findCall(wacid));
  await until('call.answer', () => scene.relay.last('call.answer', id));
  scene.relay.say(id, { type: 'answered', sdp: ANSWER_SDP });
  await until('the first step', async () => (await show(id)).ringing_at);
  return { id, wacid };
}

export const ringingFor = (id: string, ids: readonly string[]): Promise<CallView> =>
  until(`rings for ${ids.join(', ')}`, async () => {
    const call = await show(id);
    const rung = call.ringing_for?.toSorted() ?? [];
    return rung.join() === ids.toSorted().join() ? call : null;
  });

/** The claimant hears and is heard. */
export async function talk(scene: InboundScene, agent: Colleague, id: string): Promise<void> {
  const { status, body } = await agent.claim(id);
  expect(status).toBe(200);
  scene.relay.say(id, { type: 'ready', identity: body.identity });
  await inState(id, 'active');
}
