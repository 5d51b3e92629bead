// Requests that the worker makes on the Switchboard's behalf: to the provider, to LiveKit. Each may fail in every way in which a
// request can fail, acting or not.
import { readAction } from '../../../worker/adapters/graph.ts';
import type { Call } from '../../../worker/domain/call.ts';
import type { Job, JobResult, PendingJob } from '../../../worker/domain/job.ts';
import type { Random } from '../../bench/random.ts';
import { ANSWERED } from './centre.ts';
import type { Faults } from './faults.ts';
import type { Meta, MetaRequest } from './meta.ts';
import type { People } from './people.ts';
import type { Rooms } from './rooms.ts';
import type { Simulation } from './simulation.ts';

/** A request is given up after 5 s, its job's lease is over after 8 s. */
const DEADLINE_MS = 5_000;
const LEASE_MS = 8_000;
const POLL_MS = 300;

export interface OutsideDeps {
  readonly sim: Simulation;
  readonly random: Random;
  readonly faults: Faults;
  readonly meta: Meta;
  readonly rooms: Rooms;
  readonly people: People;
  /** The user was sent a permission request. */
  readonly asked: (callId: string) => void;
  /** Somebody could hear the caller and be heard. */
  readonly wasReady: (callId: string) => boolean;
  /** The record says that the provider has confirmed the end. */
  readonly isEndConfirmed: (callId: string) => boolean;
  readonly violated: (kind: string, callId: string, detail: string) => void;
  /** A negative control: dials go out twice. */
  readonly dialsTwice: boolean;
}

const unsure = (message: string): JobResult => ({ ok: false, kind: 'unsure', message });
const unavailable = (message: string): JobResult => ({ ok: false, kind: 'unavailable', message });

export class Outside {
  /** Texts and permission requests that were sent, by call. */
  readonly texts = new Map<string, number>();
  readonly asks = new Map<string, number>();
  readonly #deps: OutsideDeps;
  /** The latest provider action of a call, and until when it may be under way. */
  readonly #underWay = new Map<string, { action: string; untilMs: number }>();
  readonly #dispatched = new Set<string>();
  /** Calls of which an abandoned attempt was answered after all, so that the next one may overlap with another action. */
  readonly #answeredLate = new Set<string>();

  constructor(deps: OutsideDeps) {
    this.#deps = deps;
  }

  async run(call: Call, { job, leaseUntilMs }: PendingJob): Promise<JobResult> {
    switch (job.lane) {
      case 'record':
        return this.#keep();
      case 'message':
        return job.action === 'fallback' ? this.#send(call, this.texts) : this.#keep();
      case 'endpoint':
        return this.#endpoint();
      case 'room':
        return this.#room(call, job);
      case 'graph':
        if (job.action === 'ask') return this.#ask(call);
        return this.#graph(call, job.action, leaseUntilMs ?? 0);
    }
  }

  // ---- the provider ----------------------------------------------------------------------------------------------------------

  async #graph(
    call: Call,
    action: MetaRequest['action'],
    leaseUntilMs: number,
  ): Promise<JobResult> {
    const { sim, faults, meta, dialsTwice, isEndConfirmed, wasReady, violated } = this.#deps;
    const { id: callId, providerCallId: wacid } = call;
    const underWay = this.#underWay.get(callId);
    // A repetition may overlap with the attempt before, which was given up.
    const isOther = underWay && underWay.untilMs > sim.nowMs && underWay.action !== action;
    if (isOther && !this.#answeredLate.has(callId)) {
      violated('two-actions-at-once', callId, `${action} during ${underWay.action}`);
    }
    this.#underWay.set(callId, { action, untilMs: leaseUntilMs });
    if ((action === 'terminate' || action === 'reject') && isEndConfirmed(callId)) {
      violated('ended-again', callId, `${action} after the end was confirmed`);
    }
    if (action === 'accept' && !wasReady(callId)) violated('accept-without-ready', callId, action);
    const sdp = action === 'connect' ? call.offerSdp : call.answerSdp;
    const act = (): JobResult => {
      if (action === 'connect' && dialsTwice) meta.act({ action, callId, wacid, sdp });
      const { status, json } = meta.act({ action, callId, wacid, sdp });
      return readAction(action, { status, json, headers: new Headers() });
    };
    const done = (result: JobResult): JobResult => {
      this.#underWay.delete(callId);
      return result;
    };
    await this.#latency();
    const hit = faults.next('graph');
    switch (hit?.fault) {
      case 'graph-unreachable':
        return done(unsure('no reply from the provider (TypeError)'));
      case 'graph-5xx':
        return done(reply(action, 503, { error: { code: 2, message: 'Service unavailable' } }));
      case 'graph-429':
        return done(reply(action, 429, { error: { code: 80007, message: 'Rate limit' } }));
      case 'graph-success-false':
        return done(reply(action, 200, { success: false }));
      case 'graph-acted-success-false':
        act();
        return done(reply(action, 200, { success: false }));
      case 'graph-acted-no-reply':
        act();
        await sim.sleep(DEADLINE_MS);
        return done(unsure('no reply from the provider (TimeoutError)'));
      case 'graph-acted-late-reply': {
        const result = act();
        await sim.sleep(LEASE_MS + 200 + hit.ms);
        faults.note('reply-after-lease');
        this.#answeredLate.add(callId);
        return result;
      }
      case 'graph-acts-late':
        sim.after(hit.ms, act);
        await sim.sleep(DEADLINE_MS);
        return done(unsure('no reply from the provider (TimeoutError)'));
      case undefined: {
        const result = act();
        await this.#latency();
        return done(result);
      }
    }
  }

  async #ask(call: Call): Promise<JobResult> {
    const sent = await this.#send(call, this.asks);
    if (this.asks.has(call.id)) this.#deps.asked(call.id);
    return sent;
  }

  async #send({ id }: Call, counted: Map<string, number>): Promise<JobResult> {
    await this.#latency();
    const hit = this.#deps.faults.next('message');
    if (hit?.fault === 'message-refused') {
      return { ok: false, kind: 'refused', message: 'Message undeliverable', code: 131026 };
    }
    counted.set(id, (counted.get(id) ?? 0) + 1);
    if (!hit) return { ok: true };
    await this.#deps.sim.sleep(DEADLINE_MS);
    return unsure('no reply from the provider (TimeoutError)');
  }

  // ---- LiveKit ---------------------------------------------------------------------------------------------------------------

  async #room(call: Call, job: Extract<Job, { lane: 'room' }>): Promise<JobResult> {
    const { sim, faults } = this.#deps;
    await this.#latency();
    const hit = faults.next('room');
    switch (hit?.fault) {
      case 'room-5xx':
        return unavailable('LiveKit: unavailable');
      case 'room-acted-no-reply':
        await this.#inRoom(call, job);
        await sim.sleep(DEADLINE_MS);
        return unsure('no reply from LiveKit (TimeoutError)');
      case 'room-acts-late':
        sim.after(hit.ms, () => this.#inRoom(call, job));
        await sim.sleep(DEADLINE_MS);
        return unsure('no reply from LiveKit (TimeoutError)');
      case undefined:
        return this.#inRoom(call, job);
    }
  }

  async #inRoom(call: Call, job: Extract<Job, { lane: 'room' }>): Promise<JobResult> {
    const { sim, random, rooms, people } = this.#deps;
    const name = `call-${call.id}`;
    const has = (identity: string): boolean =>
      rooms.members(name).some((member) => member.identity === identity && member.hasMicrophone);
    switch (job.action) {
      case 'create':
        rooms.create(name);
        return { ok: true };
      case 'delete':
        return rooms.delete(name) ? { ok: true } : { ok: true, already: true };
      case 'remove':
        return rooms.remove(name, job.identity) ? { ok: true } : { ok: true, already: true };
      case 'permit':
        return has(job.identity) ? { ok: true } : { ok: true, already: true };
      case 'probe':
        if (has(`caller-${call.id}`)) return { ok: true };
        return { ok: false, kind: 'refused', message: 'the caller is not in the room' };
      case 'dispatch':
        if (!this.#dispatched.has(call.id)) {
          this.#dispatched.add(call.id);
          people.dispatch(call.id, 200 + random.below(3_000));
        }
        return { ok: true };
      case 'undispatch':
        rooms.remove(name, `ai-${call.id}`);
        return { ok: true };
      case 'await': {
        const untilMs = sim.nowMs + DEADLINE_MS - POLL_MS;
        while (!has(job.identity) && sim.nowMs < untilMs) await sim.sleep(POLL_MS);
        return has(job.identity) ? { ok: true } : unavailable('the agent has not joined');
      }
    }
  }

  async #keep(): Promise<JobResult> {
    await this.#latency();
    return this.#deps.faults.next('record')
      ? unavailable('the request could not be prepared')
      : { ok: true, charge: null };
  }

  /** Some say what to do, some nothing, some are not there; a few are too late. */
  async #endpoint(): Promise<JobResult> {
    const { sim, random } = this.#deps;
    await (random.below(6) === 0 ? sim.sleep(random.below(9_000)) : this.#latency());
    const choice = random.below(3);
    if (choice === 0) return { ok: true, steps: ANSWERED };
    return choice === 1 ? { ok: true } : unsure('not reached');
  }

  #latency(): Promise<void> {
    return this.#deps.sim.sleep(5 + this.#deps.random.below(60));
  }
}

const reply = (action: MetaRequest['action'], status: number, json: unknown): JobResult =>
  readAction(action, { status, json, headers: new Headers() });
