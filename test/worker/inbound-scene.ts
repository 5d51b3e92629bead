// A number, two agents and relays in workerd, and the ways of an inbound call as far as tests want to go.
import { runDurableObjectAlarm } from 'cloudflare:test';
import { expect, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import {
  api,
  connectWebhook,
  FakeRelay,
  Outside,
  postWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

export type Shown = CallView & {
  timeline: { type: string; detail?: Record<string, unknown> }[];
};

export const ANSWER_SDP = 'v=0\r\na=answer of the relay\r\n';
export const FALLBACK_TEXT = 'Sorry, we could not take your call.';

export const switchboard = () =>
  testEnv.SWITCHBOARD.get(testEnv.SWITCHBOARD.idFromName('switchboard'));

export const show = async (id: string): Promise<Shown> =>
  (await api<Shown>('GET', `/v1/calls/${id}`)).body;

export const inState = (id: string, state: CallView['state']): Promise<Shown> =>
  until(`state ${state}`, async () => {
    const call = await show(id);
    return call.state === state ? call : null;
  });

export async function findCall(wacid: string): Promise<CallView | undefined> {
  const { body } = await api<{ data: CallView[] }>('GET', '/v1/calls?limit=200');
  return body.data.find((call) => call.provider_call_id === wacid);
}

/** Lets the alarm see another time, and then tells it the truth again. */
export async function at<T>(ms: number, then: () => Promise<T>): Promise<T> {
  // Only the clock: the Switchboard's own waiting goes on.
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    vi.setSystemTime(ms);
    await runDurableObjectAlarm(switchboard());
    return await then();
  } finally {
    vi.useRealTimers();
  }
}

/** Where the relay of a scene stands; tests replace it when another one connects. */
export class InboundScene {
  readonly outside: Outside;
  readonly phoneNumberId = unique('55');
  readonly agents: { id: string; key: string; name: string }[] = [];
  readonly credentials: { id: string; secret: string };
  relay: FakeRelay;

  private constructor(
    outside: Outside,
    credentials: { id: string; secret: string },
    relay: FakeRelay,
  ) {
    this.outside = outside;
    this.credentials = credentials;
    this.relay = relay;
  }

  static async open(): Promise<InboundScene> {
    const outside = Outside.open();
    const credentials = await FakeRelay.register();
    const scene = new InboundScene(outside, credentials, await FakeRelay.connect(credentials));
    await api('POST', '/v1/numbers', {
      provider: 'meta',
      phone_number_id: scene.phoneNumberId,
      display_phone_number: '+1 555 010 9999',
      access_token: 'token',
      api_base_url: 'https://graph.test',
      fallback_text: FALLBACK_TEXT,
    });
    for (const name of ['Bea', 'Carl']) {
      const { body } = await api<InboundScene['agents'][number]>('POST', '/v1/agents', { name });
      scene.agents.push(body);
    }
    return scene;
  }

  /** Connects the scene's relay anew. */
  async reconnect(hello: Parameters<typeof FakeRelay.connect>[1] = {}): Promise<FakeRelay> {
    this.relay = await FakeRelay.connect(this.credentials, hello);
    return this.relay;
  }

  fields(id = unique('wacid.')): { id: string; phoneNumberId: string } {
    return { id, phoneNumberId: this.phoneNumberId };
  }

  /** A call that has been announced and stored. */
  async announce(wacid = unique('wacid.')): Promise<{ id: string; wacid: string }> {
    expect((await postWebhook(connectWebhook(this.fields(wacid)))).status).toBe(200);
    const { id } = await until('the call', () => findCall(wacid));
    return { id, wacid };
  }

  /** A call that has been announced and answered by the relay, up to ringing. */
  async ring(wacid?: string): Promise<{ id: string; wacid: string }> {
    const call = await this.announce(wacid);
    await until('call.answer', () => this.relay.last('call.answer', call.id));
    this.relay.say(call.id, { type: 'answered', sdp: ANSWER_SDP });
    await inState(call.id, 'ringing');
    return call;
  }

  claim(id: string, agent = 0) {
    return api<{
      identity: string;
      token: string;
      livekit_url: string;
      claimed_by?: { name: string };
      outcome?: { reason: string };
      detail?: string;
    }>('POST', `/v1/calls/${id}/claim`, undefined, this.agents[agent]?.key);
  }

  async answer(): Promise<{ id: string; wacid: string; identity: string }> {
    const { id, wacid } = await this.ring();
    const { identity } = (await this.claim(id)).body;
    this.relay.say(id, { type: 'ready', identity });
    await inState(id, 'active');
    return { id, wacid, identity };
  }
}
