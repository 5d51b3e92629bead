// All calls of the simulator, of both directions and all numbers.
import { randomBytes } from 'node:crypto';
import type { SimulatedCall } from './call.ts';
import { CallWebhooks } from './call-webhooks.ts';
import type { FaultBox } from './faults.ts';
import { InboundCall, type InboundOptions } from './inbound-call.ts';
import { OutboundCall, type OutboundOptions } from './outbound-call.ts';

/** Ended calls kept for reading; older ones are forgotten. */
const ENDED_CALLS_MAX = 500;

/** Who wants to know how calls go. */
export type CallObserver = {
  readonly started: (call: SimulatedCall) => void;
  readonly pickedUp: (call: SimulatedCall) => void;
  readonly ended: (call: SimulatedCall) => void;
};

type Deps = {
  readonly faults: FaultBox;
  readonly observer: CallObserver;
  readonly now: () => number;
};
type Given = 'id' | 'wacid' | 'onEnded' | 'now';
type NewInbound = Omit<InboundOptions, Given>;
type NewOutbound = Omit<OutboundOptions, Given | 'tellAnswer' | 'tellStatus'>;

/** Holds the calls. */
export class Calls {
  readonly #deps: Deps;
  readonly #webhooks: CallWebhooks;
  readonly #calls = new Map<string, SimulatedCall>();
  #count = 0;
  #closed = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#webhooks = new CallWebhooks(deps.faults);
  }

  /** A user's phone calls: it rings at the business, which the connect webhook announces. */
  create(options: NewInbound): InboundCall {
    const call = new InboundCall({ ...options, ...this.#given(options.onPhase) });
    this.#add(call);
    this.#webhooks.announceCall(call);
    return call;
  }

  /** The business calls; everything from here on comes by webhook. */
  dial(options: NewOutbound): OutboundCall {
    const call = new OutboundCall({
      ...options,
      ...this.#given(options.onPhase),
      tellAnswer: (told) => this.#webhooks.announceAnswer(told),
      tellStatus: (told, status) => this.#webhooks.announceStatus(told, status),
    });
    this.#add(call);
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

  /** Calls that have not ended, of one number. */
  liveOf(numberId: string): SimulatedCall[] {
    return this.list().filter(
      (call) => call.phase !== 'ended' && call.options.number.id === numberId,
    );
  }

  /** Whether this user already has a call that has not ended, with any number or with one. */
  isBusy(user: { from?: string | undefined; userId?: string | undefined }, numberId?: string) {
    return this.list().some(({ phase, options: { caller, number } }) => {
      const isSame =
        (user.from !== undefined && caller.from === user.from) || caller.userId === user.userId;
      return phase !== 'ended' && isSame && (numberId === undefined || number.id === numberId);
    });
  }

  /** Ends all calls without telling anybody. */
  close(): void {
    this.#closed = true;
    this.#webhooks.close();
    for (const call of this.list()) call.end({ by: 'platform', reason: 'shutdown' });
  }

  #given(onPhase: InboundOptions['onPhase']) {
    const { now, observer } = this.#deps;
    return {
      id: `c${++this.#count}`,
      // Observed: real ids are base64 with its padding now and then; nothing may be read out of them.
      wacid: `wacid.${randomBytes(37).toString('base64')}`,
      now,
      onPhase: (call: SimulatedCall) => {
        if (call.phase === 'live') observer.pickedUp(call);
        onPhase?.(call);
      },
      onEnded: (ended: SimulatedCall) => {
        if (this.#closed) return;
        this.#webhooks.announceEnd(ended);
        observer.ended(ended);
      },
    };
  }

  #add(call: SimulatedCall): void {
    this.#calls.set(call.options.id, call);
    this.#deps.observer.started(call);
    const ended = this.list().filter(({ phase }) => phase === 'ended');
    for (const old of ended.slice(0, -ENDED_CALLS_MAX)) this.#calls.delete(old.options.id);
  }
}
