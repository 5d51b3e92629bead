// A user-initiated call: it rings at the business, which answers, accepts or rejects it in time.
import { asGraphError, SimulatedCall, type CallOptions } from './call.ts';
import { judge, type CallAction } from './call-rules.ts';
import { GraphError } from './graph-error.ts';
import type { CallEvent } from './wire.ts';

export type InboundOptions = CallOptions & {
  /** Extra fields of both webhooks, such as `cta_payload`. */
  readonly extra: CallEvent;
};

export class InboundCall extends SimulatedCall {
  readonly direction = 'inbound';
  declare readonly options: InboundOptions;
  #answer: string | undefined;
  #turn: Promise<void> = Promise.resolve();
  readonly #answerTimer: NodeJS.Timeout;

  constructor(options: InboundOptions) {
    super(options, 'offered');
    this.#answerTimer = setTimeout(() => {
      this.end({ by: 'platform', reason: 'no-answer' });
    }, options.limits.answerMs);
  }

  /** The business's SDP answer. */
  get answer(): string | undefined {
    return this.#answer;
  }

  act(action: CallAction, sdp?: string, opaque?: string): Promise<void> {
    const turn = this.#turn.then(() => this.#act(action, sdp, opaque));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #act(action: CallAction, sdp?: string, opaque?: string): Promise<void> {
    const verdict = judge(this, action, sdp);
    if (verdict instanceof GraphError) throw verdict;
    if (sdp !== undefined && this.#answer === undefined) await this.#applyAnswer(sdp);
    // While the answer was applied the caller may have hung up.
    const again = judge({ phase: this.phase, answer: undefined }, action, sdp);
    if (again instanceof GraphError) throw again;
    this.opaque = opaque ?? this.opaque;
    this.note(action);
    if (action === 'pre_accept') this.enter('prepared');
    else if (action === 'accept') {
      clearTimeout(this.#answerTimer);
      this.pickUp();
    } else this.end({ by: 'business', reason: action });
  }

  protected stop(): void {
    clearTimeout(this.#answerTimer);
  }

  async #applyAnswer(sdp: string): Promise<void> {
    try {
      await this.options.media.applyAnswer(sdp);
    } catch (error) {
      throw asGraphError(error);
    }
    this.#answer = sdp;
  }
}
