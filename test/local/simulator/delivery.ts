// Sends webhooks, again when they are not answered 200, and keeps a record of every attempt.
import { setTimeout as delay } from 'node:timers/promises';

/** One attempt to deliver one webhook. Times in ms since the epoch. */
export type WebhookRecord = {
  readonly event: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** 0 for the original, 1 and up for duplicates made on purpose. */
  readonly copy: number;
  readonly sentAtMs: number;
  readonly body: string;
  answeredAtMs: number | null;
  /** HTTP status, or null when the request failed or is still under way. */
  status: number | null;
  error: string | null;
};

/** Where a webhook goes, and the headers that prove where it comes from. */
export type Destination = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

export type DeliveryOptions = {
  /** Asked before every attempt; undefined when no address is set. */
  readonly destination: (body: string) => Destination | undefined;
  /** Pauses between attempts, in ms; their number bounds the attempts. */
  readonly retryDelaysMs: readonly number[];
  readonly now: () => number;
};

// Provider: undocumented for calls ("Webhooks" says up to 7 days for messages); implementers measured about 20 s.
const TIMEOUT_MS = 20_000;
const FIRST_ATTEMPT = 1;

/** Delivers until the receiver says 200 or the attempts are used up. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #stopped = new AbortController();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /**
   * Sends one webhook in `1 + duplicates` simultaneous copies.
   *
   * @param record called with each attempt as it starts; the record is filled in when the answer comes
   * @returns `first` settles when every copy's first attempt is over, `done` when the last copy was answered or given up
   */
  send(
    event: string,
    body: string,
    duplicates: number,
    record: (attempt: WebhookRecord) => void = () => {},
  ): { readonly first: Promise<unknown>; readonly done: Promise<unknown> } {
    const copies = Array.from({ length: 1 + duplicates }, (_, copy) => {
      const first = Promise.withResolvers<void>();
      const done = this.#sendCopy(event, body, copy, record, first.resolve);
      return { first: first.promise, done };
    });
    return {
      first: Promise.all(copies.map((copy) => copy.first)),
      done: Promise.all(copies.map((copy) => copy.done)),
    };
  }

  /** Cuts what is under way and sends nothing any more. */
  close(): void {
    this.#stopped.abort();
  }

  async #sendCopy(
    event: string,
    body: string,
    copy: number,
    record: (attempt: WebhookRecord) => void,
    onFirst: () => void,
  ): Promise<void> {
    const { retryDelaysMs, now } = this.#options;
    for (let attempt = FIRST_ATTEMPT; !this.#stopped.signal.aborted; attempt++) {
      const entry: WebhookRecord = {
        event,
        attempt,
        copy,
        sentAtMs: now(),
        body,
        answeredAtMs: null,
        status: null,
        error: null,
      };
      record(entry);
      await this.#attempt(entry);
      onFirst();
      const pauseMs = retryDelaysMs[attempt - FIRST_ATTEMPT];
      if (entry.status === 200 || pauseMs === undefined) return;
      await delay(pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #attempt(entry: WebhookRecord): Promise<void> {
    const { destination, now } = this.#options;
    const to = destination(entry.body);
    if (!to) {
      entry.error = 'no webhook address is set (WEBHOOK_URL)';
      return;
    }
    try {
      const response = await fetch(to.url, {
        method: 'POST',
        // Provider: "Webhooks", read 2026-06: redirects are not followed.
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'facebookexternalua',
          ...to.headers,
        },
        body: entry.body,
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await response.arrayBuffer();
      entry.status = response.status;
    } catch (error) {
      entry.error = error instanceof Error ? describe(error) : String(error);
    }
    entry.answeredAtMs = now();
  }
}

function describe(error: Error): string {
  return error.cause instanceof Error
    ? `${error.message}: ${error.cause.message || error.cause.name}`
    : error.message;
}
