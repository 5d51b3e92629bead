// What every end-to-end test needs: callers, agents, and the checks that hold for every call that has ended.
import { RoomServiceClient } from 'livekit-server-sdk';
import { expect, vi } from 'vitest';
import type { CallView as PhoneView, NewCall } from '../local/simulator/client.ts';
import type { EventStream } from '../support/event-stream.ts';
import type { CallDetails, CallView, RoomlineClient } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';
import { TestAgent, type AgentOptions, type Seat } from '../support/test-agent.ts';

/** What callers and agents sound like unless a test says otherwise, in Hz. */
export const CALLER_HZ = 440;
export const AGENT_HZ = 1000;

/** A call that rings: as the API has it, and as the phone has it. */
export type RingingCall = { call: CallView; phone: { id: string; wacid: string } };
export type AnsweredCall = RingingCall & { agent: TestAgent };

/** One stack with two agents at their desks. */
export class Scene {
  readonly stack: Stack;
  readonly ana: RoomlineClient;
  readonly ben: RoomlineClient;
  /** The administrator's view: every call. */
  events: EventStream;
  /** LiveKit as its operator has it. */
  readonly rooms: RoomServiceClient;
  #agents: TestAgent[] = [];

  private constructor(stack: Stack, ana: RoomlineClient, ben: RoomlineClient, events: EventStream) {
    this.stack = stack;
    this.ana = ana;
    this.ben = ben;
    this.events = events;
    const { url, apiKey, apiSecret } = stack.livekit;
    this.rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  }

  static async open(stack: Stack): Promise<Scene> {
    const [ana, ben] = await Promise.all([stack.agent('Ana'), stack.agent('Ben')]);
    return new Scene(stack, ana, ben, await stack.admin.events());
  }

  /** Opens the event stream again, after the worker was away; it goes on behind the last event that was seen. */
  async reopen(): Promise<void> {
    this.events.close();
    this.events = await this.stack.admin.events(this.events.seen.at(-1)?.id);
  }

  /** Lets everybody who is still in a room leave. */
  async clear(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.leave()));
    this.#agents = [];
  }

  /** Somebody calls; resolves at once. */
  dial(options: NewCall = {}): Promise<{ id: string; wacid: string }> {
    const play = { kind: 'tone', hz: CALLER_HZ } as const;
    return this.stack.simulator.call({ play, ...options });
  }

  /** Somebody calls, and it rings. */
  async ring(options: NewCall = {}): Promise<RingingCall> {
    return this.rings(await this.dial(options));
  }

  /** Waits until the call of a phone rings. */
  async rings(phone: RingingCall['phone']): Promise<RingingCall> {
    const { call } = await this.events.first(
      'ring',
      (notice) => notice.type === 'ring' && notice.call.provider_call_id === phone.wacid,
    );
    return { call, phone };
  }

  /** Waits until the call of a phone rings or is over. @returns whether it rang first */
  async ringsOrEnds(phone: RingingCall['phone']): Promise<boolean> {
    const { type } = await this.events.first(
      'ring or end',
      (notice) =>
        notice.call.provider_call_id === phone.wacid &&
        (notice.type === 'ring' || notice.call.outcome !== null),
    );
    return type === 'ring';
  }

  /**
   * Calls until a call is refused at once. A relay's word that it is going away needs a moment to arrive, and who called before
   * that has reached it; those calls hang up again.
   */
  async dialUntilRefused(): Promise<{ record: CallDetails; report: PhoneView }> {
    for (;;) {
      const phone = await this.dial();
      const isRinging = await this.ringsOrEnds(phone);
      const ringing = { call: await this.callOf(phone), phone };
      if (!isRinging) return await this.ended(ringing);
      await this.stack.simulator.hangUp(phone.id);
      await this.ended(ringing);
    }
  }

  /** The record of a call by the provider's id, whether it rings or not. */
  async callOf(phone: { wacid: string }): Promise<CallView> {
    const notice = await this.events.first(
      'any event',
      ({ call }) => call.provider_call_id === phone.wacid,
    );
    return notice.call;
  }

  /** An agent claims a call and joins its room. */
  async join(desk: RoomlineClient, callId: string, options: AgentOptions = {}): Promise<TestAgent> {
    return this.sit(await desk.claim(callId), options);
  }

  /** Somebody who has claimed a call joins its room. */
  async sit(seat: Seat, options: AgentOptions = {}): Promise<TestAgent> {
    const agent = await TestAgent.join(seat, { toneHz: AGENT_HZ, ...options });
    this.#agents.push(agent);
    return agent;
  }

  /** Somebody calls and Ana answers; both hear each other. */
  async talk(options: NewCall = {}): Promise<AnsweredCall> {
    const ringing = await this.ring(options);
    const agent = await this.join(this.ana, ringing.call.id);
    await Promise.all([
      agent.hears(CALLER_HZ),
      this.phoneHears(ringing.phone.id, AGENT_HZ),
      this.events.state(ringing.call.id, 'active'),
    ]);
    return { ...ringing, agent };
  }

  /** Waits until the caller hears this tone. */
  phoneHears(phoneId: string, hz: number, withinMs = 15_000): Promise<PhoneView> {
    return this.stack.simulator.waitFor(phoneId, (phone) => hasHeard(phone, hz), withinMs);
  }

  /** Both sides hear what they have not heard before, so they hear each other still. */
  async stillTalk(
    { agent, phone }: AnsweredCall,
    { agentHz = 700, callerHz = 600, withinMs = 15_000 } = {},
  ): Promise<void> {
    agent.speak(agentHz);
    await this.stack.simulator.play(phone.id, { signal: { kind: 'tone', hz: callerHz } });
    await Promise.all([
      this.phoneHears(phone.id, agentHz, withinMs),
      agent.hears(callerHz, withinMs),
    ]);
  }

  /** The caller hangs up; see `ended`. */
  async hangUp(ringing: RingingCall): Promise<{ record: CallDetails; report: PhoneView }> {
    await this.stack.simulator.hangUp(ringing.phone.id);
    return this.ended(ringing);
  }

  /**
   * Waits for the end and checks what holds for every end: the outcome is fixed exactly once, the provider and the room know.
   *
   * @returns the record and the phone's report
   */
  async ended(
    { call, phone }: RingingCall,
    timeoutMs = 20_000,
  ): Promise<{ record: CallDetails; report: PhoneView }> {
    await this.events.state(call.id, 'ended', timeoutMs);
    const report = await this.stack.simulator.waitFor(phone.id, ({ state }) => state === 'ended');
    // `expect.poll` knows its test by what runs at the moment, which is no good to tests that run at once.
    const isGone = async () => expect(await this.rooms.listRooms([call.room])).toEqual([]);
    await vi.waitFor(isGone, { timeout: 10_000, interval: 50 });
    const record = await this.stack.admin.call(call.id);
    const ends = record.timeline.filter(({ type }) => type === 'ended' || type === 'ending');
    expect(ends).toHaveLength(1);
    expect(report.heard.packetsBeforeAccept).toBe(0);
    expect(report.heard.rtcpBeforeAccept).toBe(0);
    return { record, report };
  }
}

/** Whether the caller heard a tone of this frequency; the phone tells tones 20 Hz apart. */
export const hasHeard = ({ heard }: PhoneView, hz: number): boolean =>
  heard.tones.some((tone) => Math.abs(tone.hz - hz) < 20);

/** The requests that Meta got for a call, such as `accept 200`. */
export const graphOf = ({ graph }: PhoneView): string[] =>
  graph.map(({ action, status }) => `${action} ${String(status ?? 'cut')}`);
