// The business numbers that one simulator serves, of both providers.
import { createHmac } from 'node:crypto';
import { Delivery, type Destination, type WebhookRecord } from './delivery.ts';
import { INITIAL_SETTINGS, type CallingSettings } from './call-settings.ts';
import { numberTraits, type NumberTraits } from './number-traits.ts';
import type { Restriction } from './restrictions.ts';
import { signatureOf, type BusinessNumber } from './wire.ts';

export type Provider = 'meta' | '360dialog';

/** Where a number's webhooks go, when it is not the app's address. */
export type WebhookConfiguration = {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export type NumberOptions = {
  readonly provider: Provider;
  readonly identity: BusinessNumber;
  /** Bearer token, or the API key at 360dialog. */
  readonly secret: string;
  readonly traits?: Partial<NumberTraits>;
};

/** The Meta app that all Meta numbers of one simulator belong to. */
export type App = {
  readonly id: string;
  readonly secret: string;
  readonly verifyToken: string;
  /** Where webhooks go; a subscription changes it. */
  webhookUrl: string | undefined;
};

/** What all numbers of one simulator share. */
export type NumbersShared = {
  readonly app: App;
  readonly retryDelaysMs: readonly number[];
  readonly now: () => number;
};

/** Webhooks kept per number for reading. */
const SENT_MAX = 500;

/** One business number with its settings. */
export class SimulatedNumber {
  readonly options: NumberOptions;
  readonly identity: BusinessNumber;
  readonly delivery: Delivery;
  traits: NumberTraits;
  calling: CallingSettings = INITIAL_SETTINGS;
  restrictions: readonly Restriction[] = [];
  /** At 360dialog set by the client; at Meta an override of the app's address. */
  webhook: WebhookConfiguration | undefined;
  /** Webhooks that belong to no call. */
  readonly sent: WebhookRecord[] = [];
  /** When dials were taken, on the movable clock. */
  dialedAtMs: number[] = [];

  constructor(options: NumberOptions, shared: NumbersShared) {
    this.options = options;
    this.identity = options.identity;
    this.traits = { ...numberTraits.parse({}), ...options.traits };
    this.delivery = new Delivery({
      destination: (body) => this.#destination(body, shared),
      retryDelaysMs: shared.retryDelaysMs,
      now: shared.now,
    });
  }

  get id(): string {
    return this.identity.phoneNumberId;
  }

  get isMeta(): boolean {
    return this.options.provider === 'meta';
  }

  /** Provider: "Overview", read 2026-06: the app needs the field, and a subscription to the account. 360dialog sends all. */
  receives(field: string): boolean {
    const { app_subscribed: isSubscribed, subscribed_fields: fields } = this.traits;
    return !this.isMeta || (isSubscribed && fields.includes(field));
  }

  /** Sends a webhook that belongs to no call. Nothing happens when nobody subscribed to it. */
  send(field: string, event: string, body: string, duplicates = 0): Promise<unknown> {
    if (!this.receives(field)) return Promise.resolve();
    return this.delivery.send(event, body, duplicates, (record) => {
      this.sent.push(record);
      this.sent.splice(0, this.sent.length - SENT_MAX);
    }).first;
  }

  #destination(body: string, shared: NumbersShared): Destination | undefined {
    if (this.isMeta) {
      const url = this.webhook?.url ?? shared.app.webhookUrl;
      const headers = { 'x-hub-signature-256': signatureOf(body, shared.app.secret) };
      return url === undefined ? undefined : { url, headers };
    }
    if (!this.webhook) return undefined;
    return {
      url: this.webhook.url,
      headers: { ...this.webhook.headers, ...this.#partnerSignature(body) },
    };
  }

  /** Provider: 360dialog "Webhook signature": hex HMAC-SHA256 of the raw body. Observed: a sha256= prefix is accepted too. */
  #partnerSignature(body: string): Record<string, string> {
    const { signature, webhook_secret: secret } = this.traits;
    if (signature === 'none') return {};
    const hex = createHmac('sha256', secret).update(body, 'utf8').digest('hex');
    return { 'x-360dialog-signature': signature === 'prefixed' ? `sha256=${hex}` : hex };
  }
}

/** All of them; the first is the default of the control API. */
export class Numbers {
  readonly #shared: NumbersShared;
  readonly #numbers: SimulatedNumber[] = [];

  constructor(shared: NumbersShared, first: NumberOptions) {
    this.#shared = shared;
    this.add(first);
  }

  /** @throws RangeError when the id or the key is taken */
  add(options: NumberOptions): SimulatedNumber {
    const { phoneNumberId } = options.identity;
    if (this.byId(phoneNumberId)) throw new RangeError(`${phoneNumberId} exists already`);
    if (options.provider === '360dialog' && this.byKey(options.secret)) {
      throw new RangeError('this API key belongs to another number');
    }
    const number = new SimulatedNumber(options, this.#shared);
    this.#numbers.push(number);
    return number;
  }

  get default(): SimulatedNumber {
    return this.#numbers[0] as SimulatedNumber;
  }

  list(): readonly SimulatedNumber[] {
    return this.#numbers;
  }

  byId(phoneNumberId: string): SimulatedNumber | undefined {
    return this.#numbers.find(({ id }) => id === phoneNumberId);
  }

  /** By the 360dialog key: one key is one number. */
  byKey(key: string): SimulatedNumber | undefined {
    return this.#numbers.find(({ options, isMeta }) => !isMeta && options.secret === key);
  }

  close(): void {
    for (const { delivery } of this.#numbers) delivery.close();
  }
}
