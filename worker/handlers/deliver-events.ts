// Sends events of calls to endpoints of users. First rows are made of the timelines, up to where they were looked at; then what is
// due is sent. Both can be interrupted anywhere and done by several at once: nothing is left out, and an endpoint has one sender.
import type { Delivery, NewDelivery } from '../adapters/delivery-store-d1.ts';
import { unseal } from '../adapters/sealed-secret.ts';
import { postSigned, retryAfterMs } from '../adapters/signed-request.ts';
import type { WebhookEndpoint } from '../adapters/webhook-store-d1.ts';
import { iso, type CallView } from '../call-view.ts';
import { refusalOfAddress } from '../domain/outside-address.ts';
import { publicEventOf } from '../domain/public-event.ts';
import {
  DELIVERY_KEPT_MS,
  DELIVERY_TIMEOUT_MS,
  endOfEndpoint,
  nextDeliveryAtMs,
  RETRY_MS,
  type Attempt,
} from '../domain/webhook-delivery.ts';
import type { StoredEntry } from '../ports.ts';
import type { Services } from '../services.ts';

/** Timeline entries looked at in one go. */
const ENTRIES_AT_ONCE = 200;
/** What one sender sends. Provider: 50 requests and 50 queries an invocation on the free plan, Workers and D1 limits, read 2026-11. */
const SENT_MAX = 20;
/** Calls whose events are sent at once; a worker may have six connections open. Provider: Workers limits, read 2026-06. */
const CALLS_AT_ONCE = 5;
/** Senders that one request leads to. Provider: at most 32 invocations, service bindings, read 2026-11. */
const SENDERS_MAX = 24;
/** How long one sender takes up new deliveries, in ms. Provider: work goes on for 30 s after a reply, Workers limits, read 2026-06. */
const SEND_MS = 15_000;
/** How often a sender that waits for a retry looks for news, in ms. */
const LOOK_MS = 500;
/** An endpoint whose sender died has another one after this, in ms: longer than any sender takes, with the database's part. */
const LEASE_MS = SEND_MS + DELIVERY_TIMEOUT_MS + 15_000;

export type DeliverServices = Pick<
  Services,
  'config' | 'calls' | 'webhooks' | 'deliveries' | 'now'
>;
type Pause = (ms: number) => Promise<void>;

/** What `prepareDeliveries` found. */
export interface Prepared {
  /** Ids of the endpoints that are switched on. */
  readonly enabled: readonly string[];
  /** Those of them that got something new. */
  readonly given: readonly string[];
}

/** Makes deliveries of what happened. */
export async function prepareDeliveries(services: DeliverServices): Promise<Prepared> {
  const endpoints = await services.webhooks.listEnabled();
  // Endpoints that were looked at equally far are served together; usually that is all of them.
  const places = Map.groupBy(endpoints, ({ afterEventId }) => afterEventId);
  const given = new Set<string>();
  for (const [afterEventId, some] of places) {
    for (const id of await prepareFrom(services, some, afterEventId)) given.add(id);
  }
  return { enabled: endpoints.map(({ id }) => id), given: [...given] };
}

/** @returns ids of the endpoints that got something */
async function prepareFrom(
  services: DeliverServices,
  endpoints: readonly WebhookEndpoint[],
  afterEventId: number,
): Promise<string[]> {
  const given: string[] = [];
  for (let eventId = afterEventId; ;) {
    const entries = await services.deliveries.entriesAfter(eventId, ENTRIES_AT_ONCE);
    const last = entries.at(-1);
    if (!last) return given;
    const told = entries.filter(({ type }) => publicEventOf(type) !== null);
    const calls = await services.calls.findMany(told.map(({ callId }) => callId));
    const deliveries = told.flatMap((entry) => {
      const call = calls.get(entry.callId);
      return call ? deliveriesOf(entry, call, endpoints, services.now()) : [];
    });
    eventId = last.cursor;
    await services.deliveries.add(
      deliveries,
      endpoints.map(({ id }) => id),
      eventId,
    );
    given.push(...deliveries.map(({ endpointId }) => endpointId));
    if (entries.length < ENTRIES_AT_ONCE) return given;
  }
}

function deliveriesOf(
  entry: StoredEntry,
  call: CallView,
  endpoints: readonly WebhookEndpoint[],
  createdAtMs: number,
): NewDelivery[] {
  const type = publicEventOf(entry.type);
  if (type === null) return [];
  const body = JSON.stringify({
    type,
    timestamp: iso(entry.atMs),
    data: { call, ...(entry.detail ? { detail: entry.detail } : {}) },
  });
  const { cursor: eventId, callId } = entry;
  return endpoints
    .filter(({ events }) => events === null || events.includes(type))
    .map(({ id: endpointId }) => ({ endpointId, eventId, callId, type, body, createdAtMs }));
}

/**
 * Sends what is due at an endpoint, and what becomes due soon, unless somebody else is doing so. Never throws.
 *
 * @returns whether something is left that is due: the time of one sender was over
 */
export async function sendDeliveries(
  services: DeliverServices,
  id: string,
  pause: Pause,
): Promise<boolean> {
  try {
    for (;;) {
      const left = await sendUntilNothingIsDue(services, id, pause);
      // Again, because what was made while this sender was about to stop has found it still at work.
      if (left !== 'more') return left === 'late';
    }
  } catch (error) {
    console.error('webhook.failed', { endpointId: id, error: String(error) });
    return false;
  }
}

async function sendUntilNothingIsDue(
  services: DeliverServices,
  id: string,
  pause: Pause,
): Promise<'done' | 'more' | 'late'> {
  const { webhooks, deliveries, now } = services;
  const leaseUntilMs = now() + LEASE_MS;
  const endpoint = await webhooks.take(id, now(), leaseUntilMs);
  if (!endpoint) return 'done';
  const sender = new Sender(services, endpoint, now() + SEND_MS);
  const waitMs = async (): Promise<number> =>
    ((await deliveries.nextDueAtMs(id)) ?? Infinity) - now();
  try {
    while (!sender.isOver) {
      const toWaitMs = await waitMs();
      if (toWaitMs > RETRY_MS[0]) break;
      // In steps, because something else may be due meanwhile.
      if (toWaitMs > 0) await pause(Math.min(toWaitMs, LOOK_MS));
      else await sender.send(await deliveries.due(id, now(), SENT_MAX));
    }
  } finally {
    await webhooks.release(id, leaseUntilMs);
  }
  if ((await waitMs()) > 0) return 'done';
  return sender.isOver ? 'late' : 'more';
}

/** Sends to one endpoint. */
class Sender {
  readonly #services: DeliverServices;
  readonly #endpoint: WebhookEndpoint;
  readonly #untilMs: number;
  #failingSinceMs: number | null;
  #isStopped = false;
  #sent = 0;

  constructor(services: DeliverServices, endpoint: WebhookEndpoint, untilMs: number) {
    this.#services = services;
    this.#endpoint = endpoint;
    this.#untilMs = untilMs;
    this.#failingSinceMs = endpoint.failingSinceMs;
  }

  /** Nothing more is sent: its time is over, it has sent enough, or the endpoint was switched off. */
  get isOver(): boolean {
    return this.#isStopped || this.#sent >= SENT_MAX || this.#services.now() >= this.#untilMs;
  }

  /** Each call's in their order, one after the other; several calls at once. */
  async send(due: readonly Delivery[]): Promise<void> {
    const queues = [...Map.groupBy(due, ({ callId }) => callId).values()];
    const work = async (): Promise<void> => {
      for (let queue = queues.shift(); queue; queue = queues.shift()) {
        for (const delivery of queue) if (!this.isOver) await this.#attempt(delivery);
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const { webhooks, deliveries, now } = this.#services;
    const { id } = this.#endpoint;
    this.#sent += 1;
    const attempt = await attemptDelivery(this.#services, this.#endpoint, delivery);
    const nowMs = now();
    const isTaken = attempt.error === null;
    const nextAtMs = isTaken ? null : nextDeliveryAtMs(delivery.attempts + 1, attempt, nowMs);
    await deliveries.attempted(delivery, attempt, nowMs, nextAtMs);
    if (isTaken) {
      if (this.#failingSinceMs !== null) await webhooks.failingSince(id, null);
      this.#failingSinceMs = null;
      return;
    }
    if (this.#failingSinceMs === null) await webhooks.failingSince(id, nowMs);
    this.#failingSinceMs ??= nowMs;
    const end = endOfEndpoint(attempt, this.#failingSinceMs, nowMs);
    if (end === null) return;
    this.#isStopped = true;
    if (await webhooks.disable(id, end, nowMs)) {
      console.error('webhook.disabled', { endpointId: id, because: end, error: attempt.error });
    }
  }
}

/** Sends one event once. What comes of it is not noted. */
async function attemptDelivery(
  { config, now }: DeliverServices,
  endpoint: WebhookEndpoint,
  { eventId, body }: Delivery,
): Promise<Attempt> {
  const failed = (error: string): Attempt => ({ status: null, error, retryAfterMs: null });
  // It was allowed when it was entered; settings may have changed since.
  const refusal = refusalOfAddress(endpoint.url, config.ALLOW_LOOPBACK);
  if (refusal !== null) return failed(`the address is not allowed: expected ${refusal}`);
  const atMs = now();
  const secrets = await secretsOf(config.TOKEN_ENCRYPTION_KEYS, endpoint, atMs);
  try {
    const message = { id: `evt_${eventId}`, body, secrets, atMs };
    const response = await postSigned(endpoint.url, message, DELIVERY_TIMEOUT_MS);
    await response.body?.cancel();
    const { status, ok, headers } = response;
    if (ok) return { status, error: null, retryAfterMs: null };
    const waitMs = retryAfterMs(headers.get('retry-after'), now());
    return { status, error: `HTTP ${status}`, retryAfterMs: waitMs };
  } catch (error) {
    return failed(`no reply (${error instanceof Error ? error.name : 'unknown error'})`);
  }
}

/** The newest first. */
async function secretsOf(
  keys: DeliverServices['config']['TOKEN_ENCRYPTION_KEYS'],
  { id, secretSealed, previousSecretSealed, previousUntilMs }: WebhookEndpoint,
  nowMs: number,
): Promise<string[]> {
  const isPreviousValid = previousSecretSealed !== null && nowMs < (previousUntilMs ?? 0);
  const sealed = isPreviousValid ? [secretSealed, previousSecretSealed] : [secretSealed];
  return Promise.all(sealed.map((text) => unseal(keys, id, text)));
}

/**
 * Sends an event once more because somebody asks for it. Its place in the schedule stays as it is; one that arrives has arrived.
 *
 * @param endpoint is switched on
 * @returns whether it was taken
 */
export async function replayDelivery(
  services: DeliverServices,
  endpoint: WebhookEndpoint,
  delivery: Delivery,
): Promise<boolean> {
  const attempt = await attemptDelivery(services, endpoint, delivery);
  const isTaken = attempt.error === null;
  const nextAtMs = isTaken ? null : delivery.nextAtMs;
  await services.deliveries.attempted(delivery, attempt, services.now(), nextAtMs);
  return isTaken;
}

/** How many senders one request may set to work at each of so many endpoints, one after the other; at least one. */
export const turnsOfEach = (endpoints: number): number =>
  Math.max(1, Math.floor(SENDERS_MAX / endpoints));

/** What the trigger of every minute does: whatever was missed in between. */
export async function catchUpDeliveries(
  services: DeliverServices,
  send: (endpointId: string, turns: number) => Promise<unknown>,
): Promise<void> {
  await services.webhooks.forgetDeleted();
  await services.deliveries.trim(services.now() - DELIVERY_KEPT_MS);
  const { enabled } = await prepareDeliveries(services);
  const turns = turnsOfEach(enabled.length);
  await Promise.all(enabled.map((id) => send(id, turns)));
}
