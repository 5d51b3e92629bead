// Sends requests at moments that do not depend on the answers, and measures how long each answer takes.
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Webhook } from './ack-webhooks.ts';

/** What became of the requests of one stretch. */
export type Answers = {
  /** From the sending of each request to the end of its answer of status 200, in ms, in the order of sending. */
  readonly latenciesMs: number[];
  /** Sent late by the load generator itself, which then was busy; they are measured all the same. */
  late: number;
  /** Answered otherwise, or not in time. */
  failed: number;
};

/** A request that leaves this much after its moment was sent late, in ms: timers alone take up to 1 ms. */
const LATE_MS = 10;
/** Observed by implementers, documented nowhere: the provider waits about 20 s for an answer. Half of that is a failure here. */
const ANSWER_MS_MAX = 10_000;

export class AckLoad {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  readonly #random: () => number;

  /** @param random from 0 up to, not including, 1 */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Sends `count` webhooks, `perSecond` of them a second, each at a random moment of its own slot, and waits for all answers.
   *
   * @param make called shortly before each is sent
   */
  async offer(
    url: string,
    perSecond: number,
    count: number,
    make: (index: number) => Webhook,
  ): Promise<Answers> {
    const slotMs = 1_000 / perSecond;
    const fromMs = performance.now();
    const answers: Answers = { latenciesMs: [], late: 0, failed: 0 };
    const slots: (number | undefined)[] = [];
    const underWay: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      const webhook = make(index);
      const dueMs = fromMs + (index + this.#random()) * slotMs;
      await delay(Math.max(0, dueMs - performance.now()));
      if (performance.now() - dueMs > LATE_MS) answers.late += 1;
      const answered = this.#post(url, webhook).then(
        (ms) => {
          slots[index] = ms;
        },
        () => {
          answers.failed += 1;
        },
      );
      underWay.push(answered);
    }
    await Promise.all(underWay);
    answers.latenciesMs.push(...slots.filter((ms) => ms !== undefined));
    return answers;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** @throws Error unless the answer is a 200 in time */
  #post(url: string, { body, signature }: Webhook): Promise<number> {
    return new Promise((resolve, reject) => {
      const sentMs = performance.now();
      const req = request(
        url,
        {
          method: 'POST',
          agent: this.#agent,
          timeout: ANSWER_MS_MAX,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'x-hub-signature-256': signature,
          },
        },
        (res) => {
          res.resume();
          res.once('end', () => {
            if (res.statusCode === 200) resolve(performance.now() - sentMs);
            else reject(new Error(`status ${res.statusCode}`));
          });
          res.once('error', reject);
        },
      );
      req.once('timeout', () => req.destroy(new Error('no answer in time')));
      req.once('error', reject);
      req.end(body);
    });
  }
}
