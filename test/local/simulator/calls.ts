// All calls of the simulator, and the webhooks that tell the business about them.
import { randomBytes } from 'node:crypto';
import { MEDIA_TIMEOUT, SimulatedCall, type CallOptions } from './call.ts';
import type { Delivery } from './delivery.ts';
import type { FaultBox, WebhookFaults } from './faults.ts';
import {
  callsBody,
  unixSeconds,
  type BusinessNumber,
  type CallEvent,
  type Oddities,
} from './wire.ts';

/** Ended calls kept for reading; older ones are forgotten. */
const ENDED_CALLS_MAX = 500;
/** A call whose fault `batch` finds no second call goes out alone after this, in ms. */
const BATCH_WAIT_MS = 2000;

type Deps = {
  readonly number: BusinessNumber;
  readonly delivery: Delivery;
  readonly faults: FaultBox;
  readonly now: () => number;
};
type NewCall = Omit<CallOptions, 'id' | 'wacid' | 'onEnded' | 'now'>;

/** Holds the calls and sends their webhooks. */
export class Calls {
  readonly #deps: Deps;
  readonly #calls = new Map<string, SimulatedCall>();
  #count = 0;
  #waitingForBatch: { call: SimulatedCall; timer: NodeJS.Timeout } | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Starts a call: its phone rings at the business, which the connect webhook announces. */
  create(options: NewCall): SimulatedCall {
    const call = new SimulatedCall({
      ...options,
      id: `c${++this.#count}`,
      // Observed: real ids are base64 with its padding now and then; nothing may be read out of them.
      wacid: `wacid.${randomBytes(37).toString('base64')}`,
      onEnded: (ended) => this.#announceEnd(ended),
      now: this.#deps.now,
    });
    this.#calls.set(call.options.id, call);
    this.#forgetOld();
    this.#announceCall(call);
    return call;
  }

  /** By the simulator's own id or by the wacid. */
  find(id: string): SimulatedCall | undefined {
    return this.#calls.get(id) ?? this.findByWacid(id);
  }

  findByWacid(wacid: string): SimulatedCall | undefined {
    return this.list().find((call) => call.options.wacid === wacid);
  }

  list(): SimulatedCall[] {
    return [...this.#calls.values()];
  }

  /** Whether this user already has a call that has not ended. */
  isBusy(from: string | undefined): boolean {
    return (
      from !== undefined &&
      this.list().some((call) => call.phase !== 'ended' && call.options.caller.from === from)
    );
  }

  /** Ends all calls without telling anybody. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#waitingForBatch?.timer);
    for (const call of this.list()) call.end({ by: 'platform', reason: 'shutdown' });
  }

  #faultsOf(call: SimulatedCall): WebhookFaults {
    return { ...this.#deps.faults.webhooks, ...call.faults.webhooks };
  }

  #announceCall(call: SimulatedCall): void {
    const faults = this.#faultsOf(call);
    if (faults.unknown_event) {
      const event = { ...identityOf(call, this.#deps.number, faults), event: 'call_moon_phase' };
      void this.#post([call], 'call_moon_phase', this.#body([call], [event], faults), 0, 0);
    }
    if (faults.drop?.includes('connect')) return call.note('connect withheld', 'fault: drop');
    if (faults.terminate_before_connect) return call.note('connect withheld until terminate');
    if (faults.batch) return this.#batch(call);
    void this.#sendConnect([call]);
  }

  #batch(call: SimulatedCall): void {
    const first = this.#waitingForBatch;
    if (first) {
      clearTimeout(first.timer);
      this.#waitingForBatch = undefined;
      void this.#sendConnect([first.call, call]);
      return;
    }
    call.note('connect waits for a second call');
    const timer = setTimeout(() => {
      this.#waitingForBatch = undefined;
      void this.#sendConnect([call]);
    }, BATCH_WAIT_MS);
    this.#waitingForBatch = { call, timer };
  }

  #sendConnect(calls: SimulatedCall[]): Promise<void> {
    const faults = this.#faultsOf(calls[0] as SimulatedCall);
    const ageMs = (faults.timestamp_age_s ?? 0) * 1000;
    const events = calls.map((call) => ({
      ...identityOf(call, this.#deps.number, faults),
      event: 'connect',
      timestamp: unixSeconds(call.createdAtMs - ageMs),
      ...call.options.extra,
      session: { sdp_type: 'offer', sdp: call.options.media.offer },
    }));
    const body = this.#body(calls, events, faults);
    return this.#post(
      calls,
      'connect',
      body,
      faults.delay_ms?.connect ?? 0,
      faults.duplicates ?? 0,
    );
  }

  async #sendTerminate(call: SimulatedCall): Promise<void> {
    const faults = this.#faultsOf(call);
    if (faults.drop?.includes('terminate')) return call.note('terminate withheld', 'fault: drop');
    const errors = call.ending?.reason === 'no-media' ? [MEDIA_TIMEOUT] : [];
    const event = {
      ...identityOf(call, this.#deps.number, faults),
      event: 'terminate',
      ...endOf(call),
      ...(call.opaque === undefined ? {} : { biz_opaque_callback_data: call.opaque }),
      ...call.options.extra,
      ...(errors.length > 0 ? { errors } : {}),
    };
    const body = this.#body([], [event], faults, errors);
    const { delay_ms, duplicates } = faults;
    return this.#post([call], 'terminate', body, delay_ms?.terminate ?? 0, duplicates ?? 0);
  }

  #announceEnd(call: SimulatedCall): void {
    if (this.#closed) return;
    const isConnectHeld = this.#faultsOf(call).terminate_before_connect ?? false;
    void this.#sendTerminate(call).then(() =>
      isConnectHeld && !this.#closed ? this.#sendConnect([call]) : undefined,
    );
  }

  #body(
    calls: SimulatedCall[],
    events: CallEvent[],
    faults: WebhookFaults,
    errors: readonly object[] = [],
  ): string {
    const oddities: Oddities = {
      contacts: faults.contacts,
      unknownFields: faults.unknown_fields,
      foreignNumberId: faults.foreign_number_id,
    };
    const callers = calls.map((call) => call.options.caller);
    return callsBody(this.#deps.number, callers, events, oddities, errors);
  }

  async #post(
    calls: SimulatedCall[],
    event: string,
    body: string,
    delayMs: number,
    duplicates: number,
  ): Promise<void> {
    if (delayMs > 0) await this.#pause(delayMs);
    if (this.#closed) return;
    await this.#deps.delivery.send(event, body, duplicates, (record) => {
      for (const call of calls) call.webhooks.push(record);
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }

  #forgetOld(): void {
    const ended = this.list().filter((call) => call.phase === 'ended');
    for (const call of ended.slice(0, -ENDED_CALLS_MAX)) this.#calls.delete(call.options.id);
  }
}

/** The fields that name a call in both of its webhooks. */
function identityOf(call: SimulatedCall, number: BusinessNumber, faults: WebhookFaults): CallEvent {
  const { caller, wacid } = call.options;
  const showsPhone = caller.from !== undefined && faults.contacts !== 'no_phone';
  return {
    id: wacid,
    ...(showsPhone ? { from: caller.from } : {}),
    from_user_id: caller.userId,
    to: number.displayPhoneNumber,
    direction: 'USER_INITIATED',
  };
}

/** Provider: "Calling API reference", terminate webhook, read 2026-06: times and duration only when picked up. */
function endOf(call: SimulatedCall): CallEvent {
  const endedAtMs = call.endedAtMs ?? call.createdAtMs;
  const status = call.ending?.reason === 'no-media' ? 'FAILED' : 'COMPLETED';
  if (call.acceptedAtMs === null) return { timestamp: unixSeconds(endedAtMs), status };
  const [start, end] = [unixSeconds(call.acceptedAtMs), unixSeconds(endedAtMs)];
  const duration = Number(end) - Number(start);
  return { timestamp: end, status, start_time: start, end_time: end, duration };
}
