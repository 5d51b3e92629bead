// Carries out calls in which something goes wrong, and looks at each afterwards from outside: the provider's view of it, the
// record, LiveKit.
import { setTimeout as delay } from 'node:timers/promises';
import { RoomServiceClient } from 'livekit-server-sdk';
import type { CallView as PhoneView, NewCall } from '../local/simulator/client.ts';
import { waitUntil } from '../local/ports.ts';
import { callsBody, unixSeconds } from '../local/simulator/wire.ts';
import { ApiError, type CallDetails, type RoomlineClient } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';
import { TestAgent } from '../support/test-agent.ts';
import type { InboundScenario, Offer } from './fault-scenarios.ts';

/** How one call went. */
export type Fate = {
  /** What went wrong with it. */
  readonly fault: string;
  readonly expected: readonly string[];
  /** The outcome; `no trace` where there is none. */
  readonly end: string;
  /** From what decided the end to the outcome in the record, in ms; undefined where nothing did. */
  readonly truthMs: number | undefined;
  /** What must not be, besides a wrong end. */
  readonly flaws: readonly string[];
  readonly callId?: string;
};
/** What a call was, and when that happened which decided its end, in epoch ms; undefined where it was the call itself. */
export type Decided = Pick<Fate, 'fault' | 'expected'> & {
  readonly placedAtMs: number;
  readonly decidedAtMs: number | undefined;
};
/** A call as the phone has it. */
export type Phone = { id: string; wacid: string };

export const NO_TRACE = 'no trace';

/** What is left of a call that could not be played or followed to its end. */
export const unplayed = (fault: string, error: unknown): Fate => ({
  fault,
  expected: [],
  end: 'not played',
  truthMs: undefined,
  flaws: [String(error)],
});

export const AGENT_HZ = 1_000;
const CALLER_HZ = 440;
/** Longest that a call of the benchmark takes, in ms: a caller who falls silent is let go after 33 s. */
const END_MS_MAX = 90_000;
/** For what follows an end: the provider is told, the room goes. */
const AFTER_MS_MAX = 15_000;
const POLL_MS = 100;
/** Provider: 138021, no media for a long time; "Troubleshooting", read 2026-06. */
const FAILURE_CODE = 138_021;
/** Nobody listens there: the port of the discard service. */
const DEAD_PORT = 9;
const WABA_ID = '100000000000001';

export class FaultRunner {
  readonly stack: Stack;
  readonly #rooms: RoomServiceClient;

  constructor(stack: Stack) {
    this.stack = stack;
    const { url, apiKey, apiSecret } = stack.livekit;
    this.#rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
  }

  /** Plays one call of a user to its end. @param desk the agent who takes it */
  async inbound(scenario: InboundScenario, desk: RoomlineClient): Promise<Fate> {
    const { fault, inbound } = scenario;
    const phone = await this.dial({ listen: false, ...inbound.call });
    const placedAtMs = Date.now();
    if (inbound.offer) await this.#announce(phone, inbound.offer);
    const agents: Promise<TestAgent | undefined>[] = [];
    const answer = async (): Promise<CallDetails | undefined> => {
      const call = await this.until(phone, ({ state }) => state === 'ringing');
      const isRinging = inbound.agents !== 'absent' && call?.state === 'ringing';
      if (!call || !isRinging) return call;
      const seat = await desk.claim(call.id).catch(orOver);
      if (!seat || inbound.agents === 'claim-only') return call;
      agents.push(TestAgent.join(seat).catch(() => undefined));
      return this.until(phone, ({ state }) => state === 'active');
    };
    const decidedAtMs = await this.#decide(scenario, phone, desk, answer, agents);
    const fate = await this.settle(phone, {
      fault,
      expected: inbound.expected,
      placedAtMs,
      decidedAtMs,
    });
    for (const agent of agents) await (await agent)?.leave();
    return fate;
  }

  dial(call: NewCall): Promise<Phone> {
    return this.stack.simulator.call({ play: { kind: 'tone', hz: CALLER_HZ }, ...call });
  }

  /** @returns when that happened which decides how the call ends, in epoch ms; undefined where that was the call itself */
  async #decide(
    { inbound, pauseMs }: InboundScenario,
    phone: Phone,
    desk: RoomlineClient,
    answer: () => Promise<CallDetails | undefined>,
    agents: readonly Promise<TestAgent | undefined>[],
  ): Promise<number | undefined> {
    const { simulator } = this.stack;
    const hangUp = async (): Promise<number> => {
      const { endedAtMs } = await simulator.hangUp(phone.id);
      return endedAtMs ?? Date.now();
    };
    if (inbound.ending === 'caller-any-time') {
      const [decidedAtMs] = await Promise.all([delay(pauseMs).then(hangUp), answer()]);
      return decidedAtMs;
    }
    if (inbound.ending === 'caller-in-accept') {
      const isAccepting = ({ graph }: PhoneView) => graph.some(({ action }) => action === 'accept');
      const accepting = simulator.waitFor(phone.id, isAccepting, AFTER_MS_MAX);
      const [decidedAtMs] = await Promise.all([accepting.then(hangUp), answer()]);
      return decidedAtMs;
    }
    if (inbound.expected.length === 0) return undefined;
    const call = await answer();
    if (!call || call.outcome || inbound.ending === 'nothing') return undefined;
    await delay(pauseMs);
    const decidedAtMs = Date.now();
    const identity = `caller-${call.id}`;
    switch (inbound.ending) {
      case 'caller-hangs-up':
        return hangUp();
      case 'caller-falls-silent':
        await simulator.play(phone.id, { send: 'nothing' });
        return decidedAtMs;
      case 'provider-fails':
        await simulator.hangUp(phone.id, { error_code: FAILURE_CODE });
        return decidedAtMs;
      case 'agent-ends':
        await desk.end(call.id);
        return decidedAtMs;
      case 'agent-leaves':
        for (const agent of agents) await (await agent)?.leave();
        return decidedAtMs;
      case 'room-deleted':
        await this.#rooms.deleteRoom(call.room);
        return decidedAtMs;
      case 'caller-removed':
        await this.#rooms.removeParticipant(call.room, identity);
        return decidedAtMs;
    }
  }
  /** Announces the call with another offer than the phone's; its own announcement is held back. */
  async #announce({ id, wacid }: Phone, offer: Offer): Promise<void> {
    const { simulator, number } = this.stack;
    const own = await simulator.get(id);
    const sdp =
      offer === 'odd-codec'
        ? own.offer.replaceAll(/opus\/48000\/2/gi, 'PCMA/8000')
        : own.offer.replaceAll(/(m=audio |127\.0\.0\.1 )\d+/g, `$1${DEAD_PORT}`);
    const event = {
      id: wacid,
      from: own.from,
      to: own.to,
      event: 'connect',
      timestamp: unixSeconds(Date.now()),
      direction: 'USER_INITIATED',
      session: { sdp_type: 'offer', sdp },
    };
    const identity = { ...number, wabaId: WABA_ID };
    const body: unknown = JSON.parse(callsBody(identity, [], [event]));
    await simulator.sendWebhook({ body });
  }

  /**
   * The record of a call once it is as wanted or over. While the worker is away it is waited for.
   *
   * @returns as it was last, undefined when there is none, after `timeoutMs`
   */
  async until(
    { wacid }: Phone,
    isAsWanted: (call: CallDetails) => boolean,
    timeoutMs = END_MS_MAX,
  ): Promise<CallDetails | undefined> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const call = await this.#record(wacid).catch(orAway);
      if (call && (call.outcome !== null || isAsWanted(call))) return call;
      if (performance.now() > deadlineMs) return call;
      await delay(POLL_MS);
    }
  }

  readonly #ids = new Map<string, string>();

  async #record(wacid: string): Promise<CallDetails | undefined> {
    const { admin } = this.stack;
    const known = this.#ids.get(wacid);
    if (known !== undefined) return admin.call(known);
    const { data } = await admin.request<{ data: CallDetails[] }>('GET', '/v1/calls?limit=100');
    const found = data.find(({ provider_call_id: id }) => id === wacid);
    if (!found) return undefined;
    this.#ids.set(wacid, found.id);
    return admin.call(found.id);
  }

  /** Waits for the end and looks at it from all sides. */
  async settle(phone: Phone, what: Decided): Promise<Fate> {
    const { fault, expected } = what;
    const flaws: string[] = [];
    const report = await this.stack.simulator
      .waitFor(phone.id, ({ state }) => state === 'ended', END_MS_MAX)
      .catch((error: unknown) => void flaws.push(String(error)));
    const call =
      expected.length === 0 ? await this.#trace(phone, report) : await this.#ended(phone);
    if (!call) return { fault, expected, end: NO_TRACE, truthMs: undefined, flaws };
    flaws.push(...(await this.flawsOf(call, report)));
    const hungUpAtMs = report?.ended?.by === 'caller' ? report.endedAtMs : null;
    const decidedAtMs = what.decidedAtMs ?? hungUpAtMs ?? what.placedAtMs;
    return {
      fault,
      expected,
      end: call.outcome?.reason ?? `still ${call.state}`,
      truthMs: call.ended_at === null ? undefined : Date.parse(call.ended_at) - decidedAtMs,
      flaws,
      callId: call.id,
    };
  }

  /** A record that must not be there, once everything that was to be told was told. */
  async #trace(phone: Phone, report: PhoneView | undefined): Promise<CallDetails | undefined> {
    const isTold = ({ webhooks }: PhoneView) => webhooks.every(({ status }) => status === 200);
    if (report) await this.stack.simulator.waitFor(phone.id, isTold, AFTER_MS_MAX);
    return this.#record(phone.wacid);
  }

  async #ended(phone: Phone): Promise<CallDetails | undefined> {
    const call = await this.until(phone, () => false);
    if (!call || call.state === 'ended') return call;
    // The outcome is fixed; the provider is still being told.
    const deadlineMs = performance.now() + END_MS_MAX;
    for (let now: CallDetails | undefined = call; ; now = await this.#record(phone.wacid)) {
      if (now?.state === 'ended' || performance.now() > deadlineMs) return now;
      await delay(POLL_MS);
    }
  }

  /** What holds for every call that is over, seen by the provider and by LiveKit. */
  async flawsOf(call: CallDetails, report: PhoneView | undefined): Promise<string[]> {
    const flaws: string[] = [];
    const reason = call.outcome?.reason ?? '';
    if (call.state !== 'ended') flaws.push(`the end was never confirmed: ${call.state}`);
    const ends = call.timeline.filter(({ type }) => type === 'ending' || type === 'ended');
    if (ends.length !== 1) flaws.push(`${ends.length} ends in the timeline`);
    if (report) {
      const wasPickedUp = report.acceptedAtMs !== null;
      if (call.answered_at !== null && !wasPickedUp) flaws.push('answered only in the record');
      if (HUNG_UP.has(reason) && !wasPickedUp) flaws.push(`${reason}, but was never connected`);
      if (reason === 'caller-gave-up' && wasPickedUp) flaws.push(`${reason}, but was connected`);
      for (const { rule, details } of report.violations) flaws.push(`${rule}: ${details}`);
    }
    const isGone = async () => (await this.#rooms.listRooms([call.room])).length === 0;
    await waitUntil(`the end of ${call.room}`, AFTER_MS_MAX, isGone).catch((error: unknown) =>
      flaws.push(String(error)),
    );
    return flaws;
  }

  /** Calls that the relays hold, as they told the worker. */
  async heldByRelays(): Promise<number> {
    const { data } = await this.stack.admin.request<{ data: { calls: number }[] }>(
      'GET',
      '/v1/relays',
    );
    return data.reduce((sum, { calls }) => sum + calls, 0);
  }
}

/** Outcomes of calls that were connected. */
const HUNG_UP = new Set(['caller-hung-up', 'agent-hung-up', 'agent-left', 'media-lost']);

/** Somebody else was faster: the call is over, or rings no more. */
function orOver(error: unknown): undefined {
  if (error instanceof ApiError && error.status === 409) return undefined;
  throw error;
}

/** The worker is being restarted. */
function orAway(error: unknown): undefined {
  if (error instanceof ApiError && error.status < 500) throw error;
  return undefined;
}
