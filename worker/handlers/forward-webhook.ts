// Passes on webhook bodies that hold anything not solely ours, byte for byte. Stored before the provider gets its 200, sent right
// away, repeated from the every-minute trigger, given up after 24 h. Nothing of this goes through the Switchboard.
import type { Forward, NewForward } from '../adapters/forward-store-d1.ts';
import {
  DEAD_LETTER_MS,
  FORWARD_ROWS_MAX,
  FORWARDED_HEADER,
  forwardTargets,
  nextAttemptAtMs,
  passedHeaders,
  QUICK_RETRY_MS,
  STORED_BODY_BYTES_MAX,
} from '../domain/forwarding.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';

/** Longest wait for one receiver, in ms. */
const DELIVERY_TIMEOUT_MS = 5_000;
/** A row that its sender has taken comes up again after this, in ms, should the sender die: its quick attempts take 23 s at most. */
const LEASE_MS = 60_000;
/** Rows taken and sent at once; a worker may have six connections open. Provider: Workers limits, read 2026-06. */
const SENT_AT_ONCE = 5;
/** How long one run of the trigger takes up new rows, in ms; the next run is a minute later. */
const SWEEP_MS = 45_000;

export type ForwardServices = Pick<Services, 'config' | 'directory' | 'forwards' | 'now' | 'later'>;

/** What the parser found out about a body. */
export interface WebhookFacts {
  /** It holds something that is not solely about our calls. */
  readonly foreign: boolean;
  /** Every phone number id and business account id that it names, ours or not. */
  readonly phoneNumberIds: readonly string[];
  readonly accountIds: readonly string[];
}

/**
 * Takes over a body for others if there is anything for them in it. Returns once it cannot be lost any more.
 *
 * @param headers of the webhook as it came
 * @throws when it could be neither stored nor, if too large to be stored, delivered: then it must not be acknowledged
 */
export async function forwardForeign(
  services: ForwardServices,
  rawBody: ArrayBuffer,
  headers: Headers,
  facts: WebhookFacts,
): Promise<void> {
  if (!facts.foreign || headers.has(FORWARDED_HEADER)) return;
  const urls = forwardTargets(
    (await numbersNamed(services, facts)).map(({ forwardUrl }) => forwardUrl),
    services.config.DEFAULT_FORWARD_URL ?? null,
  );
  const items = urls.map((url): NewForward => ({
    url,
    body: rawBody,
    headers: passedHeaders((name) => headers.get(name)),
  }));
  if (rawBody.byteLength > STORED_BODY_BYTES_MAX) return sendUnstored(items);
  const nowMs = services.now();
  const ids = await services.forwards.add(items, nowMs, nowMs + LEASE_MS);
  services.later(Promise.all(ids.map((id) => sendQuickly(services, id))));
}

/** A body that names no number at all, such as one about message templates, is about every number of its account. */
async function numbersNamed(
  { directory }: ForwardServices,
  { phoneNumberIds, accountIds }: WebhookFacts,
): Promise<BusinessNumber[]> {
  if (phoneNumberIds.length > 0) {
    return [...(await directory.numbersByPhoneNumberId(phoneNumberIds)).values()];
  }
  const isNamed = ({ businessAccountId: id }: BusinessNumber) =>
    id !== null && accountIds.includes(id);
  return accountIds.length > 0 ? (await directory.numbers()).filter(isNamed) : [];
}

/** Bodies that are too large for a row have one attempt; if it fails, the provider's redelivery is the retry. */
async function sendUnstored(items: readonly NewForward[]): Promise<void> {
  const errors = (await Promise.all(items.map(send))).filter((error) => error !== null);
  if (errors.length > 0) throw new Error(`a large webhook could not be passed on: ${errors[0]}`);
}

/** Sends a row that was just stored, and again soon after if that fails; then the trigger takes over. */
async function sendQuickly(services: ForwardServices, id: number): Promise<void> {
  for (const waitMs of [...QUICK_RETRY_MS, null]) {
    const isDone = await attempt(services, id, waitMs === null ? null : services.now() + LEASE_MS);
    if (isDone || waitMs === null) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/**
 * Sends one row that the caller has taken.
 *
 * @param retryAtMs when it comes up again if this fails; null for the usual backoff
 * @returns true when nothing is left to do
 */
async function attempt(
  services: ForwardServices,
  id: number,
  retryAtMs: number | null,
): Promise<boolean> {
  try {
    const forward = await services.forwards.find(id);
    if (!forward) return true;
    const error = await send(forward);
    if (error === null) {
      await services.forwards.delivered(id);
      return true;
    }
    const nextAtMs = retryAtMs ?? nextAt(forward, services.now());
    await services.forwards.failed(id, error, nextAtMs);
    if (nextAtMs === null) console.error('forward.given-up', { forwardId: id, error });
    return nextAtMs === null;
  } catch (error) {
    // The record is out of reach; the row comes up again when its lease is over.
    console.error('forward.failed', { forwardId: id, error: String(error) });
    return true;
  }
}

const nextAt = ({ attempts, createdAtMs }: Forward, nowMs: number): number | null =>
  nextAttemptAtMs(attempts + 1, createdAtMs, nowMs);

/** @returns null when the receiver took it, else what went wrong */
async function send({ url, body, headers }: NewForward): Promise<string | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(DELIVERY_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? null : `HTTP ${response.status}`;
  } catch (error) {
    return `no reply (${error instanceof Error ? error.name : 'unknown error'})`;
  }
}

/** Sends everything that is due, as far as one run of the trigger gets, and keeps the table small. */
export async function retryForwards(services: ForwardServices): Promise<void> {
  const startedAtMs = services.now();
  const forgotten = await services.forwards.trim(startedAtMs - DEAD_LETTER_MS, FORWARD_ROWS_MAX);
  if (forgotten > 0) console.error('forward.forgotten', { count: forgotten });
  while (services.now() - startedAtMs < SWEEP_MS) {
    const nowMs = services.now();
    const ids = await services.forwards.take(nowMs, nowMs + LEASE_MS, SENT_AT_ONCE);
    if (ids.length === 0) return;
    await Promise.all(ids.map((id) => attempt(services, id, null)));
  }
}

/**
 * Sends a row now because somebody asks for it, dead or not.
 *
 * @returns false when there is no such row, such as one that was delivered meanwhile
 */
export async function retryForward(services: ForwardServices, id: number): Promise<boolean> {
  if (!(await services.forwards.find(id))) return false;
  await attempt(services, id, null);
  return true;
}
