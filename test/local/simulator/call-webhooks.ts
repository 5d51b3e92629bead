// The webhooks of calls: what they say, in which order they go out, and how they go wrong when a test asks for it.
import type { SimulatedCall } from './call.ts';
import type { FaultBox, WebhookFaults } from './faults.ts';
import type { InboundCall } from './inbound-call.ts';
import type { CallStatus, OutboundCall } from './outbound-call.ts';
import {
  answerEvent,
  connectEvent,
  identityOf,
  statusEvent,
  terminateEvent,
} from './call-events.ts';
import { eventsBody, type Events, type Oddities } from './wire.ts';

/** A call whose fault `batch` finds no second call goes out alone after this, in ms. */
const BATCH_WAIT_MS = 2000;
/** A phone does not stop ringing because the business is slow to answer a webhook. */
const TELL_MS_MAX = 1000;

type EventName = 'connect' | 'terminate' | 'ringing' | 'accepted' | 'rejected';

/** Tells the businesses of their calls. */
export class CallWebhooks {
  readonly #faults: FaultBox;
  readonly #waitingForBatch = new Map<string, { call: InboundCall; timer: NodeJS.Timeout }>();
  /** Calls whose `connect` waits for a status. */
  readonly #held = new Set<SimulatedCall>();
  /** What was last told of a call of the business: the next event waits for it, so that the usual order is the usual one. */
  readonly #turns = new WeakMap<SimulatedCall, Promise<void>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  /** @param faults of all calls */
  constructor(faults: FaultBox) {
    this.#faults = faults;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { timer } of this.#waitingForBatch.values()) clearTimeout(timer);
  }

  /** A user calls. */
  announceCall(call: InboundCall): void {
    const faults = this.#faultsOf(call);
    if (faults.unknown_event) {
      const event = { ...identityOf(call, faults), event: 'call_moon_phase' };
      void this.#post([call], 'call_moon_phase', {
        callers: [call.options.caller],
        calls: [event],
      });
    }
    if (this.#isWithheld(call, 'connect')) return;
    if (faults.terminate_before_connect) return call.note('connect withheld until terminate');
    if (faults.batch) return this.#batch(call);
    void this.#sendConnect([call]);
  }

  /** Meta's answer to a call of the business. Like the others, settles when the business was told or is too slow. */
  announceAnswer(call: OutboundCall): Promise<void> {
    return this.#inTurn(call, () => this.#announceAnswer(call));
  }

  announceStatus(call: OutboundCall, status: CallStatus): Promise<void> {
    return this.#inTurn(call, () => this.#announceStatus(call, status));
  }

  announceEnd(call: SimulatedCall): void {
    if (this.#closed) return;
    if (call.direction === 'inbound') void this.#announceEnd(call);
    else void this.#inTurn(call, () => this.#announceEnd(call));
  }

  #inTurn(call: SimulatedCall, tell: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(call) ?? Promise.resolve()).then(tell);
    this.#turns.set(call, turn);
    return turn;
  }

  #announceAnswer(call: OutboundCall): Promise<void> {
    const { connect_after: after, terminate_before_connect: isLast } = this.#faultsOf(call);
    if (this.#isWithheld(call, 'connect')) return Promise.resolve();
    if (!after && !isLast) return this.#sendAnswer(call);
    this.#held.add(call);
    call.note(`connect withheld until ${isLast ? 'terminate' : after}`);
    return Promise.resolve();
  }

  async #announceStatus(call: OutboundCall, status: CallStatus): Promise<void> {
    const faults = this.#faultsOf(call);
    const name = status.toLowerCase() as EventName;
    if (!this.#isWithheld(call, name)) {
      await this.#post([call], name, { statuses: [statusEvent(call, status, faults)] });
    }
    if (faults.connect_after === name && this.#held.delete(call)) await this.#sendAnswer(call);
  }

  async #announceEnd(call: SimulatedCall): Promise<void> {
    const isConnectLast = this.#faultsOf(call).terminate_before_connect ?? false;
    const isHeld = this.#held.delete(call);
    if (isHeld && !isConnectLast) await this.#sendAnswer(call as OutboundCall);
    if (!this.#isWithheld(call, 'terminate')) await this.#sendTerminate(call);
    if (!isConnectLast || this.#closed) return;
    if (isHeld) await this.#sendAnswer(call as OutboundCall);
    else if (call.direction === 'inbound') await this.#sendConnect([call as InboundCall]);
  }

  #faultsOf(call: SimulatedCall): WebhookFaults {
    return { ...this.#faults.webhooks, ...call.faults.webhooks };
  }

  #isWithheld(call: SimulatedCall, event: EventName): boolean {
    const isDropped = this.#faultsOf(call).drop?.includes(event) ?? false;
    if (isDropped) call.note(`${event} withheld`, 'fault: drop');
    else if (!call.options.number.receives('calls')) {
      call.note(`${event} withheld`, 'the app is not subscribed');
      return true;
    }
    return isDropped;
  }

  /** Two calls of one number share a POST. */
  #batch(call: InboundCall): void {
    const { id } = call.options.number;
    const first = this.#waitingForBatch.get(id);
    if (first) {
      clearTimeout(first.timer);
      this.#waitingForBatch.delete(id);
      void this.#sendConnect([first.call, call]);
      return;
    }
    call.note('connect waits for a second call');
    const timer = setTimeout(() => {
      this.#waitingForBatch.delete(id);
      void this.#sendConnect([call]);
    }, BATCH_WAIT_MS);
    this.#waitingForBatch.set(id, { call, timer });
  }

  #sendConnect(calls: InboundCall[]): Promise<void> {
    const faults = this.#faultsOf(calls[0] as InboundCall);
    return this.#post(calls, 'connect', {
      callers: calls.map((call) => call.options.caller),
      calls: calls.map((call) => connectEvent(call, faults)),
    });
  }

  #sendAnswer(call: OutboundCall): Promise<void> {
    const event = answerEvent(call, this.#faultsOf(call));
    return this.#post([call], 'connect', { callers: [call.options.caller], calls: [event] });
  }

  #sendTerminate(call: SimulatedCall): Promise<void> {
    const { event, errors } = terminateEvent(call, this.#faultsOf(call));
    return this.#post([call], 'terminate', { calls: [event], errors });
  }

  /** @returns when the receiver has answered once, or has taken too long; at once for an event that is held back */
  async #post(calls: SimulatedCall[], event: string, events: Events): Promise<void> {
    const [call] = calls as [SimulatedCall];
    const faults = this.#faultsOf(call);
    const { number } = call.options;
    const body = eventsBody(number.identity, 'calls', events, odditiesOf(faults, events));
    const send = () =>
      this.#closed
        ? Promise.resolve()
        : number.delivery.send(event, body, faults.duplicates ?? 0, (record) => {
            for (const each of calls) each.webhooks.push(record);
          }).first;
    const delayMs = faults.delay_ms?.[event as EventName] ?? 0;
    // Without an address nothing would ever be answered; the calls go on all the same.
    if (delayMs > 0) this.#after(delayMs, () => void send());
    else await Promise.race([send(), this.#pause(TELL_MS_MAX)]);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

function odditiesOf(faults: WebhookFaults, { statuses }: Events): Oddities {
  return {
    contacts: faults.contacts,
    unknownFields: faults.unknown_fields,
    foreignNumberId: faults.foreign_number_id,
    omitObject: statuses !== undefined && faults.omit_object === true,
  };
}
