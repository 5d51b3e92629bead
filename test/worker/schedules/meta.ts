// The provider as an independent model: what it believes about every call, what it refuses, what it tells by webhook. It knows
// nothing of the worker's decisions.
import type { Random } from '../../bench/random.ts';
import type { OutboundPlan } from './plan.ts';
import type { Simulation } from './simulation.ts';

/** Provider: a call without media is ended 20 s after the pickup, later after 30 s. Calling API troubleshooting, read 2026-06. */
const FIRST_MEDIA_MS = 20_000;
const NO_MEDIA_MS = 30_000;
/** How long a user's phone rings for a call of the business; no source says. */
const PHONE_RINGS_MS = 45_000;
const WATCH_MS = 1_000;

export interface MetaCall {
  readonly wacid: string;
  /** Roomline's id of the call. */
  readonly callId: string;
  readonly direction: 'inbound' | 'outbound';
  readonly user: string;
  readonly startedAtMs: number;
  phase: 'ringing' | 'connected' | 'over';
  /** The SDP that Roomline gave. */
  sdp: string | null;
  connectedAtMs: number | null;
  overAtMs: number | null;
  overBy: 'user' | 'business' | 'limit' | 'no-media' | null;
  mediaAtMs: number | null;
}

export type MetaNews =
  | { readonly type: 'offer' | 'answer' }
  | { readonly type: 'status'; readonly status: 'ringing' | 'accepted' | 'rejected' }
  | { readonly type: 'terminate'; readonly error: boolean };

export interface MetaRequest {
  readonly action: 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';
  readonly callId: string;
  readonly wacid: string | null;
  readonly sdp: string | null;
}

export interface MetaReply {
  readonly status: number;
  readonly json: unknown;
}

export interface MetaDeps {
  readonly sim: Simulation;
  readonly random: Random;
  /** Prefix of the schedule, so that its ids are its own. */
  readonly prefix: string;
  /** What the phone of this user does when the business calls. */
  readonly phoneOf: (callId: string) => { user: string; plan: OutboundPlan } | null;
  readonly tell: (call: MetaCall, news: MetaNews) => void;
  /** The relay sends media that belongs to the SDP of this call. */
  readonly hasMedia: (call: MetaCall) => boolean;
  readonly over: (call: MetaCall) => void;
  /** Once a second while a call of a user rings, and while any call is connected. */
  readonly watch: (call: MetaCall) => void;
}

const ok = (more: object = {}): MetaReply => ({
  status: 200,
  json: {
    messaging_product: 'whatsapp',
    ...(Object.keys(more).length > 0 ? more : { success: true }),
  },
});
const no = (message: string, code = 100): MetaReply => ({
  status: 400,
  json: { error: { code, message } },
});

export class Meta {
  readonly calls = new Map<string, MetaCall>();
  /** Dials that were asked for, by Roomline's id of the call. */
  readonly dials = new Map<string, number>();
  readonly #deps: MetaDeps;

  constructor(deps: MetaDeps) {
    this.#deps = deps;
  }

  of(callId: string): MetaCall | undefined {
    return [...this.calls.values()].find((call) => call.callId === callId);
  }

  /**
   * A user calls the business.
   *
   * @param begin told of the call before anybody else
   */
  ring(user: string, ringLimitMs: number, begin: (call: MetaCall) => void): MetaCall {
    const call = this.#add('inbound', user, `${this.#deps.prefix}i${this.calls.size + 1}`);
    begin(call);
    this.#watchRinging(call);
    this.#deps.tell(call, { type: 'offer' });
    this.#deps.sim.after(ringLimitMs, () => {
      if (call.phase === 'ringing') this.#end(call, 'limit');
    });
    return call;
  }

  hangUp(call: MetaCall): void {
    if (call.phase !== 'over') this.#end(call, 'user');
  }

  act(request: MetaRequest): MetaReply {
    if (request.action === 'connect') return this.#dial(request.callId, request.sdp);
    const call = request.wacid === null ? undefined : this.calls.get(request.wacid);
    if (!call) return no('Invalid call id');
    switch (request.action) {
      case 'pre_accept':
      case 'accept':
        return this.#take(call, request.action, request.sdp);
      case 'reject':
        if (call.phase === 'over') return no('The call has already ended');
        if (call.phase === 'connected') return no('The call is already in progress');
        this.#end(call, 'business');
        return ok();
      case 'terminate':
        if (call.phase === 'over') return no('The call has already ended');
        this.#end(call, 'business');
        return ok();
    }
  }

  #take(call: MetaCall, action: 'pre_accept' | 'accept', sdp: string | null): MetaReply {
    if (call.direction !== 'inbound') return no('Not a call of a user');
    if (call.phase === 'over') return no('The call has already ended');
    if (call.phase === 'connected') return no('The call is already in progress');
    if (sdp === null) return no('SDP is missing');
    if (call.sdp !== null && call.sdp !== sdp) return no('SDP differs from that of pre_accept');
    if (call.sdp !== null && action === 'pre_accept')
      return no('The call was already pre-accepted');
    call.sdp = sdp;
    if (action === 'accept') this.#connect(call);
    return ok();
  }

  #dial(callId: string, sdp: string | null): MetaReply {
    this.dials.set(callId, (this.dials.get(callId) ?? 0) + 1);
    const phone = this.#deps.phoneOf(callId);
    if (!phone || sdp === null) return no('Nobody to call');
    const { user, plan } = phone;
    const isBusy = [...this.calls.values()].some(
      (call) => call.user === user && call.phase !== 'over',
    );
    if (isBusy) return no('Duplicate call', 138003);
    const call = this.#add('outbound', user, callId);
    call.sdp = sdp;
    const { sim, random } = this.#deps;
    sim.after(300 + random.below(900), () => this.#deps.tell(call, { type: 'answer' }));
    sim.after(300 + random.below(2_000), () => {
      if (call.phase === 'over') return;
      this.#deps.tell(call, { type: 'status', status: 'ringing' });
      sim.after(plan.phone === 'ignores' ? PHONE_RINGS_MS : plan.phoneAfterMs, () =>
        this.#decide(call, plan.phone),
      );
    });
    return ok({ calls: [{ id: call.wacid }] });
  }

  #decide(call: MetaCall, phone: OutboundPlan['phone']): void {
    if (call.phase !== 'ringing') return;
    if (phone === 'ignores') return this.#end(call, 'limit');
    if (phone === 'rejects') {
      this.#deps.tell(call, { type: 'status', status: 'rejected' });
      return this.#end(call, 'user');
    }
    this.#connect(call);
    this.#deps.tell(call, { type: 'status', status: 'accepted' });
  }

  #add(direction: MetaCall['direction'], user: string, callId: string): MetaCall {
    const wacid = `wacid.${callId}`;
    const call: MetaCall = {
      wacid,
      callId,
      direction,
      user,
      startedAtMs: this.#deps.sim.nowMs,
      phase: 'ringing',
      sdp: null,
      connectedAtMs: null,
      overAtMs: null,
      overBy: null,
      mediaAtMs: null,
    };
    this.calls.set(wacid, call);
    return call;
  }

  #connect(call: MetaCall): void {
    call.phase = 'connected';
    call.connectedAtMs = this.#deps.sim.nowMs;
    this.#watch(call);
  }

  #watchRinging(call: MetaCall): void {
    if (call.phase !== 'ringing') return;
    this.#deps.watch(call);
    this.#deps.sim.after(WATCH_MS, () => this.#watchRinging(call));
  }

  #watch(call: MetaCall): void {
    if (call.phase !== 'connected') return;
    const { nowMs } = this.#deps.sim;
    if (this.#deps.hasMedia(call)) call.mediaAtMs = nowMs;
    const silentSinceMs = call.mediaAtMs ?? call.connectedAtMs ?? nowMs;
    const limitMs = call.mediaAtMs === null ? FIRST_MEDIA_MS : NO_MEDIA_MS;
    if (nowMs - silentSinceMs >= limitMs) return this.#end(call, 'no-media');
    this.#deps.watch(call);
    this.#deps.sim.after(WATCH_MS, () => this.#watch(call));
  }

  #end(call: MetaCall, by: NonNullable<MetaCall['overBy']>): void {
    call.phase = 'over';
    call.overAtMs = this.#deps.sim.nowMs;
    call.overBy = by;
    this.#deps.over(call);
    this.#deps.tell(call, { type: 'terminate', error: by === 'no-media' });
  }
}
