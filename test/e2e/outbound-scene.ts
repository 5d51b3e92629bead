// What end-to-end tests of outbound calls need: users with phones, numbers of both providers, and the checks that hold for
// every call that has ended.
import { RoomServiceClient } from 'livekit-server-sdk';
import { expect } from 'vitest';
import type {
  CallView as PhoneView,
  NumberView,
  PhoneDescription,
} from '../local/simulator/client.ts';
import type { FaultRequest } from '../local/simulator/client.ts';
import { ApiError, type CallDetails, type Claim } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';
import { TestAgent, type AgentOptions } from '../support/test-agent.ts';
import { AGENT_HZ, CALLER_HZ, Scene } from './scene.ts';

export type Started = CallDetails & { seat: Claim | null };
/** A problem document (RFC 9457) of a request that was refused. */
export type Refused = { status: number; problem: Record<string, unknown> };
/** A number as the API and as the provider name it. */
export type OwnNumber = { id: string; atProvider: NumberView };

/** One stack, with two agents at their desks, that calls users. */
export class OutboundScene {
  readonly scene: Scene;
  readonly stack: Stack;
  /** The number that the stack registered. */
  readonly numberId: string;
  readonly #rooms: RoomServiceClient;
  #guests: TestAgent[] = [];

  private constructor(scene: Scene, numberId: string) {
    this.scene = scene;
    this.stack = scene.stack;
    this.numberId = numberId;
    const { url, apiKey, apiSecret } = this.stack.livekit;
    this.#rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  }

  static async open(stack: Stack): Promise<OutboundScene> {
    const scene = await Scene.open(stack);
    const { data } = await stack.admin.request<{ data: { id: string }[] }>('GET', '/v1/numbers');
    return new OutboundScene(scene, data[0]?.id ?? '');
  }

  /** Lets everybody who is still in a room leave, and takes back what was to go wrong. */
  async clear(): Promise<void> {
    await Promise.all([
      ...this.#guests.map((guest) => guest.leave()),
      this.scene.clear(),
      this.stack.simulator.clearFaults(),
    ]);
    this.#guests = [];
  }

  #users = 0;
  /** A user whom no other test calls, with permission unless told otherwise. */
  async user(
    phone: PhoneDescription = {},
    { mayBeCalled = true, number }: { mayBeCalled?: boolean; number?: string } = {},
  ): Promise<string> {
    const { simulator } = this.stack;
    const to = `35192${String(++this.#users).padStart(7, '0')}`;
    await simulator.setPhone({ play: { kind: 'tone', hz: CALLER_HZ }, ...phone }, to);
    if (mayBeCalled) {
      await simulator.setPermission({
        user: to,
        status: 'permanent',
        ...(number === undefined ? {} : { number }),
      });
    }
    return to;
  }

  /** The next dial goes wrong like this. Nobody's phone can say so: it is dialled by then. */
  async nextDial(fault: Omit<NonNullable<FaultRequest['graph']>[number], 'action'>): Promise<void> {
    await this.stack.simulator.addFaults({ graph: [{ ...fault, action: 'connect' }] });
  }

  /** Another number, registered here and there, whose webhooks come to the worker. */
  async number(provider: NumberView['provider'], traits: object = {}): Promise<OwnNumber> {
    const { simulator, admin } = this.stack;
    const added = await simulator.addNumber({ provider, traits });
    const number = await admin.request<{
      id: string;
      webhook_url: string;
      webhook_headers?: Record<string, string>;
    }>('POST', '/v1/numbers', {
      provider,
      phone_number_id: added.phoneNumberId,
      display_phone_number: added.displayPhoneNumber,
      access_token: added.apiKey ?? added.accessToken,
      api_base_url: added.apiBaseUrl,
      business_account_id: added.wabaId,
    });
    if (provider === '360dialog') {
      const { status } = await fetch(`${added.apiBaseUrl}/v1/configs/webhook`, {
        method: 'POST',
        headers: { 'd360-api-key': added.apiKey ?? '', 'content-type': 'application/json' },
        body: JSON.stringify({ url: number.webhook_url, headers: number.webhook_headers }),
      });
      expect(status).toBe(200);
    }
    return { id: number.id, atProvider: added };
  }

  /** Starts a call whose room is open, unless the body says otherwise. */
  start(body: object, desk = this.stack.admin): Promise<Started> {
    return desk.request<Started>('POST', '/v1/calls', {
      number_id: this.numberId,
      connect: { room: true },
      ...body,
    });
  }

  /** Starts a call that must be refused before anything is dialled. */
  async refused(body: object): Promise<Refused> {
    const error = await this.start(body).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ApiError);
    const { status, problem } = error as ApiError;
    return { status, problem: problem as Record<string, unknown> };
  }

  async agentId(name: string): Promise<string> {
    const { data } = await this.stack.admin.request<{ data: { id: string; name: string }[] }>(
      'GET',
      '/v1/agents',
    );
    return data.find((agent) => agent.name === name)?.id ?? '';
  }

  /** Waits until this is in the call's timeline. */
  async entry(callId: string, type: string): Promise<void> {
    const { events } = this.scene;
    await events.first(type, ({ call, event }) => call.id === callId && event === type);
  }

  /** Waits until what the call taught is in the ledger. */
  async learnt(callId: string): Promise<void> {
    await this.scene.events.first(
      'record',
      ({ call, event }) => call.id === callId && (event === 'recorded' || event === 'charged'),
    );
  }

  /** Waits until the user's phone rings. */
  async rings(callId: string): Promise<PhoneView> {
    await this.entry(callId, 'alerting');
    return this.phoneOf(callId);
  }

  /** The user's phone in this call, as soon as the provider has named the call. */
  async phoneOf(callId: string): Promise<PhoneView> {
    const { call } = await this.scene.events.first(
      'name of the provider',
      (notice) => notice.call.id === callId && notice.call.provider_call_id !== null,
    );
    return this.stack.simulator.get(call.provider_call_id);
  }

  /** Calls at the provider with this user. */
  async dialsTo(user: string): Promise<number> {
    const calls = await this.stack.simulator.list();
    return calls.filter(({ to }) => to === user).length;
  }

  /** Ana takes a seat in an open room. */
  async joinRoom(callId: string, options: AgentOptions = {}): Promise<TestAgent> {
    const seat = await this.scene.ana.request<Claim>('POST', `/v1/calls/${callId}/join`);
    return this.seat(seat, options);
  }

  async seat(seat: Pick<Claim, 'livekit_url' | 'token'>, options: AgentOptions = {}) {
    const guest = await TestAgent.join(seat, { toneHz: AGENT_HZ, ...options });
    this.#guests.push(guest);
    return guest;
  }

  /** Both sides are connected and hear each other. */
  async talks(callId: string, agent: TestAgent): Promise<PhoneView> {
    await this.scene.events.state(callId, 'active');
    const { id } = await this.phoneOf(callId);
    const [view] = await Promise.all([this.scene.phoneHears(id, AGENT_HZ), agent.hears(CALLER_HZ)]);
    return view;
  }

  /** The user hangs up; see `ended`. */
  async hungUp(callId: string): Promise<{ record: CallDetails; report: PhoneView }> {
    await this.stack.simulator.hangUp((await this.phoneOf(callId)).id);
    const { record, report } = await this.ended(callId);
    if (!report) throw new Error('the call never reached the provider');
    return { record, report };
  }

  /**
   * Waits for the end and checks what holds for every end: the outcome is fixed exactly once, the provider and the room know,
   * and nothing was sent to a phone that had not picked up.
   *
   * @returns the record, and the phone's report if it came to that
   */
  async ended(
    callId: string,
    timeoutMs = 20_000,
  ): Promise<{ record: CallDetails; report: PhoneView | undefined }> {
    const { simulator, admin } = this.stack;
    await this.scene.events.state(callId, 'ended', timeoutMs);
    await expect
      .poll(() => this.#rooms.listRooms([`call-${callId}`]), { timeout: 10_000, interval: 50 })
      .toEqual([]);
    const record = await admin.call(callId);
    const ends = record.timeline.filter(({ type }) => type === 'ended' || type === 'ending');
    expect(ends).toHaveLength(1);
    if (record.provider_call_id === null) return { record, report: undefined };
    const report = await simulator.waitFor(
      record.provider_call_id,
      ({ state }) => state === 'ended',
    );
    expect(report.heard.packetsBeforeAccept).toBe(0);
    expect(report.heard.rtcpBeforeAccept).toBe(0);
    expect(report.violations).toEqual([]);
    return { record, report };
  }
}
