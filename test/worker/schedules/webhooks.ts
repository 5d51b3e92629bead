// How the provider's news reaches the Switchboard: at least once, in any order, or never.
import type { Delivery } from '../../../worker/intake.ts';
import type { Random } from '../../bench/random.ts';
import type { Faults } from './faults.ts';
import type { Simulation } from './simulation.ts';

/** How long the provider waits for an answer. Implementers' figure, about 20 s. */
const ANSWER_MS_MAX = 20_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MS_MAX = 30_000;

export interface Webhook {
  readonly callId: string;
  readonly type: string;
  isAcknowledged: boolean;
  /** The provider has given it up without anybody having seen it. */
  isLost: boolean;
}

export interface WebhookDeps {
  readonly sim: Simulation;
  readonly random: Random;
  readonly faults: Faults;
  /** The worker's answer: resolves for 200, throws for 5xx; never settles when whoever handled it died. */
  readonly deliver: (delivery: Delivery) => Promise<unknown>;
}

export class Webhooks {
  readonly sent: Webhook[] = [];
  readonly #deps: WebhookDeps;

  constructor(deps: WebhookDeps) {
    this.#deps = deps;
  }

  /** @param isLost nobody will ever hear of it */
  send(callId: string, type: string, delivery: Delivery, isLost = false): void {
    const webhook = { callId, type, isAcknowledged: false, isLost };
    this.sent.push(webhook);
    if (!isLost) this.#attempt(webhook, delivery, 0);
  }

  #attempt(webhook: Webhook, delivery: Delivery, attempt: number): void {
    const { sim, random, faults } = this.#deps;
    const hit = faults.next('webhook');
    if (hit?.fault === 'webhook-lost' && attempt === 0) {
      webhook.isLost = true;
      return;
    }
    const latencyMs = 20 + random.below(120);
    if (hit?.fault === 'webhook-dropped' || hit?.fault === 'webhook-lost') {
      this.#retry(webhook, delivery, attempt);
      return;
    }
    const lateMs = hit?.fault === 'webhook-delayed' ? hit.ms : 0;
    const isReplyLost = hit?.fault === 'webhook-reply-lost';
    sim.after(latencyMs + lateMs, () => this.#post(webhook, delivery, attempt, isReplyLost));
    if (hit?.fault === 'webhook-doubled') {
      sim.after(random.below(300), () => this.#post(webhook, delivery, attempt, false));
    }
  }

  async #post(
    webhook: Webhook,
    delivery: Delivery,
    attempt: number,
    isReplyLost: boolean,
  ): Promise<void> {
    const { sim, deliver } = this.#deps;
    const timeout = sim.sleep(ANSWER_MS_MAX).then(() => false);
    const isTaken = await Promise.race([
      deliver(delivery).then(
        () => true,
        () => false,
      ),
      timeout,
    ]);
    if (isTaken) webhook.isAcknowledged = true;
    if (!isTaken || isReplyLost) this.#retry(webhook, delivery, attempt);
  }

  #retry(webhook: Webhook, delivery: Delivery, attempt: number): void {
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** attempt);
    this.#deps.sim.after(waitMs, () => this.#attempt(webhook, delivery, attempt + 1));
  }
}
