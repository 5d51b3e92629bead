// Rules, a team and callers in workerd: what an inbound call is like when rules take it.
import { expect } from 'vitest';
import {
  api,
  connectWebhook,
  postWebhook,
  request,
  terminateWebhook,
  unique,
  until,
} from './support.ts';
import { ANSWER_SDP, findCall, inState, InboundScene, show, type Shown } from './inbound-scene.ts';

export type RoutedCall = { readonly id: string; readonly wacid: string };

export class RoutedScene {
  readonly scene: InboundScene;
  readonly #calls: RoutedCall[] = [];

  private constructor(scene: InboundScene) {
    this.scene = scene;
  }

  /** With a relay that answers at once, and the team `sales` of both agents, who are not at work. */
  static async open(): Promise<RoutedScene> {
    const scene = await InboundScene.open();
    await api('POST', '/v1/teams', { id: 'sales', name: 'Sales' });
    const agent_ids = scene.agents.map(({ id }) => id);
    await api('PUT', '/v1/teams/sales/members', { agent_ids });
    return new RoutedScene(scene);
  }

  /** Connects the relay anew, as one that plays and records. */
  async reconnect(calls: readonly string[] = []): Promise<void> {
    const relay = await this.scene.reconnect({ protocol: 3, calls: [...calls] });
    relay.answersWith = ANSWER_SDP;
  }

  /** Puts a rule set in force for the calls that follow. */
  async rules(otherwise: readonly object[], more: object = {}): Promise<void> {
    const rules = { rules: [], otherwise, ...more };
    expect(await api('PUT', '/v1/rules', { rules })).toMatchObject({ status: 200 });
  }

  /** A client of the agent listens from now on, so that it can ring. */
  async work(index: number): Promise<WebSocket> {
    const headers = {
      upgrade: 'websocket',
      authorization: `Bearer ${this.scene.agents[index]?.key ?? ''}`,
    };
    const { webSocket, status } = await request('/v1/events', { headers });
    if (!webSocket) throw new Error(`no WebSocket: ${status}`);
    webSocket.accept();
    return webSocket;
  }

  /** Somebody calls, and the relay has answered the offer. */
  async call(from?: string): Promise<RoutedCall> {
    const wacid = unique('wacid.');
    const fields = { ...this.scene.fields(wacid), ...(from === undefined ? {} : { from }) };
    await postWebhook(connectWebhook(fields));
    const { id } = await until('the call', () => findCall(wacid));
    this.#calls.push({ id, wacid });
    return { id, wacid };
  }

  /** Ends all calls, so that none of them waits for an agent whom another test brings. */
  async clear(): Promise<void> {
    for (const { id } of this.#calls.splice(0)) await api('POST', `/v1/calls/${id}/end`);
  }

  async hangUp({ id, wacid }: RoutedCall): Promise<Shown> {
    await postWebhook(terminateWebhook(this.scene.fields(wacid), { start_time: '1', duration: 3 }));
    return inState(id, 'ended');
  }

  wanted(id: string) {
    return this.scene.relay.last('call.want', id);
  }

  /** Waits until the relay is to play this. */
  plays(id: string, prompt: string) {
    return until(`${prompt} to be played`, () => {
      const playing = this.wanted(id)?.playing;
      return playing?.prompt === prompt ? playing : null;
    });
  }

  /** The relay has played what it was to play, or could not. */
  async played(id: string, prompt: string, completed = true): Promise<void> {
    const playing = await this.plays(id, prompt);
    this.scene.relay.say(id, { type: 'played', id: playing.id, completed });
    await until('the relay to hear of it', () => this.wanted(id)?.playing?.id !== playing.id);
  }

  press(id: string, digit: string): void {
    this.scene.relay.say(id, { type: 'dtmf', digit });
  }

  atStep(id: string, step: Shown['step']): Promise<Shown> {
    return until(`step ${String(step)}`, async () => {
      const call = await show(id);
      return call.step === step ? call : null;
    });
  }
}
