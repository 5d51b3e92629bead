// A business-initiated call: the business's request made it, the user's phone does what was set for it.
import { SimulatedCall, type CallOptions } from './call.ts';
import { judgeOutbound, type CallAction } from './call-rules.ts';
import { GraphError } from './graph-error.ts';
import { ringMsOf, type PhonePreset } from './phone-preset.ts';

export type CallStatus = 'RINGING' | 'ACCEPTED' | 'REJECTED';

export type OutboundOptions = CallOptions & {
  readonly preset: PhonePreset;
  /** Placed by another app of the same account: its media goes elsewhere and is not judged. */
  readonly isForeign: boolean;
  readonly opaque: string | undefined;
  /** Tell the business; they settle when it was told, or when it takes too long to answer. */
  readonly tellAnswer: (call: OutboundCall) => Promise<void>;
  readonly tellStatus: (call: OutboundCall, status: CallStatus) => Promise<void>;
};

export class OutboundCall extends SimulatedCall {
  readonly direction = 'outbound';
  declare readonly options: OutboundOptions;
  /** When the phone started to ring, ms since the epoch. */
  ringingAtMs: number | null = null;
  /** Declined, while the business is still being told: nobody can pick up any more. */
  #isDeclined = false;
  #timer: NodeJS.Timeout | undefined;
  #wake: () => void = () => {};

  constructor(options: OutboundOptions) {
    super(options, 'dialing');
    this.opaque = options.opaque;
    void this.#run();
  }

  /** Meta's SDP answer. */
  get answer(): string | undefined {
    return this.options.media.answer ?? undefined;
  }

  get isForeign(): boolean {
    return this.options.isForeign;
  }

  act(action: CallAction): Promise<void> {
    const verdict = judgeOutbound(this.phase, action);
    if (verdict instanceof GraphError) return Promise.reject(verdict);
    this.note(action);
    this.end({ by: 'business', reason: 'terminate' });
    return Promise.resolve();
  }

  /** The user picks up. @returns false when the phone is not ringing */
  pickUpNow(): boolean {
    if (this.phase !== 'ringing' || this.#isDeclined) return false;
    this.#clear();
    this.note('picked up');
    this.pickUp({ isWatched: !this.isForeign });
    void this.options.tellStatus(this, 'ACCEPTED');
    const talkMs = this.options.preset.talk_ms;
    if (typeof talkMs === 'number') {
      const hangUp = () => this.end({ by: 'callee', reason: 'hangup' });
      this.#timer = setTimeout(hangUp, talkMs);
    }
    return true;
  }

  /** The user declines. @returns false when it is too late for that */
  async decline(): Promise<boolean> {
    const isTooLate = this.phase !== 'ringing' && this.phase !== 'dialing';
    if (isTooLate || this.#isDeclined) return false;
    this.#isDeclined = true;
    this.#clear();
    await this.options.tellStatus(this, 'REJECTED');
    this.end({ by: 'callee', reason: 'reject' });
    return true;
  }

  protected stop(): void {
    this.#clear();
  }

  /** Observed: wacid, then RINGING and the answer in either order, media up while it still rings, ACCEPTED last. */
  async #run(): Promise<void> {
    const { preset } = this.options;
    await this.#pause(preset.connect_ms ?? 0);
    if (this.#isOver()) return;
    await this.options.tellAnswer(this);
    if (this.#isOver()) return;
    if (preset.behaviour === 'busy') return void (await this.decline());
    if (preset.behaviour !== 'offline') {
      this.ringingAtMs = this.options.now();
      this.note('ringing');
      this.enter('ringing');
      await this.options.tellStatus(this, 'RINGING');
    }
    if (this.#isOver() || this.phase === 'live') return;
    await this.#pause(ringMsOf(preset));
    await this.#decide();
  }

  async #decide(): Promise<void> {
    if (this.#isOver() || this.#isDeclined || this.phase === 'live') return;
    const { behaviour } = this.options.preset;
    if (behaviour === 'answer') this.pickUpNow();
    else if (behaviour === 'reject') await this.decline();
    else this.end({ by: 'platform', reason: 'no-answer' });
  }

  #isOver(): boolean {
    return this.phase === 'ended';
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = setTimeout(resolve, ms);
    });
  }

  /** Stops waiting; whoever waited sees the phase and leaves. */
  #clear(): void {
    clearTimeout(this.#timer);
    this.#wake();
  }
}
