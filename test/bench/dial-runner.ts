// Carries one scenario out against a running stack, and says how each call ended.
import { setTimeout as delay } from 'node:timers/promises';
import type { NumberView, PhoneDescription } from '../local/simulator/client.ts';
import type { EventStream } from '../support/event-stream.ts';
import { ApiError, type CallView } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';
import type { Attempt, Order, Permission, Phone, Scenario } from './dial-scenarios.ts';
import type { GraphTap, TapPlan } from './graph-tap.ts';

/** A number as the API and as the provider name it. */
export type DialNumber = {
  id: string;
  phoneNumberId: string;
  /** When the next permission may be queried, by this machine's clock in ms. */
  nextQueryAtMs: number;
};
export type Bench = { stack: Stack; tap: GraphTap; events: EventStream; numbers: DialNumber[] };
/** How one attempt went. */
export type Seen = {
  /** An outcome, or `refused: ` and the reason. */
  readonly end: string;
  readonly callId: string | undefined;
  /** Dials of this attempt that reached the provider's address. */
  readonly dials: number;
  /** Requests of this attempt about calls, and permission queries. */
  readonly requests: number;
  /** What must not be, besides a wrong end. */
  readonly flaws: readonly string[];
};

/** Ends are waited for this long, in ms: the longest attempt takes 7 s. */
const END_MS_MAX = 60_000;
const POLL_MS = 50;
/** Short, where the limit is what ends the call; otherwise out of the way, in seconds. */
const RING_S = { short: 5, long: 60 };
const RING_FOR_EVER_MS = 120_000;
/** Long enough to be asked about before it is over. */
const EXPIRES_S = 6;
/** The worker asks the provider about permissions at most five times a second and number. */
const QUERY_EVERY_MS = 250;

/** The phone of each case; `listen` would cost decoding. */
const PHONES: Record<Phone, PhoneDescription> = {
  answers: { behaviour: 'answer', ring_ms: 150, talk_ms: 400 },
  'we-hang-up': { behaviour: 'answer', ring_ms: 150, talk_ms: null },
  rejects: { behaviour: 'reject', ring_ms: 150 },
  busy: { behaviour: 'busy', ring_ms: 0 },
  ignores: { behaviour: 'ignore', ring_ms: 400 },
  'ignores-for-ever': { behaviour: 'ignore', ring_ms: RING_FOR_EVER_MS },
  offline: { behaviour: 'offline', ring_ms: 400 },
  uncallable: { behaviour: 'uncallable' },
  cancelled: { behaviour: 'ignore', ring_ms: RING_FOR_EVER_MS },
  'cancelled-early': { behaviour: 'ignore', ring_ms: RING_FOR_EVER_MS },
  fails: { behaviour: 'ignore', ring_ms: RING_FOR_EVER_MS },
};

type WebhookFaults = NonNullable<NonNullable<PhoneDescription['faults']>['webhooks']>;

const ORDERS: Record<Order, WebhookFaults> = {
  'in-order': {},
  twice: { duplicates: 1 },
  // Everything waits, the end longest: what was said before it must not be overtaken by it.
  late: {
    delay_ms: { connect: 500, ringing: 300, accepted: 200, rejected: 100, terminate: 1_500 },
  },
  'ringing-late': { delay_ms: { ringing: 800 } },
  'answer-after-ringing': { connect_after: 'ringing' },
  'answer-after-accepted': { connect_after: 'accepted' },
  'end-first': { terminate_before_connect: true },
  'status-lost': { drop: ['accepted', 'rejected'] },
  'end-overtakes': { delay_ms: { accepted: 2_000, rejected: 2_000 } },
};

/** Carries out all attempts of a scenario, one after the other. */
export async function runScenario(
  bench: Bench,
  { permission, attempts }: Scenario,
  user: string,
  number: DialNumber,
): Promise<Seen[]> {
  await allow(bench, permission, user, number);
  const seen: Seen[] = [];
  for (const attempt of attempts) seen.push(await runAttempt(bench, attempt, user, number));
  return seen;
}

/** Brings about what the user allows, and what the business knows of it. */
async function allow(
  bench: Bench,
  permission: Permission,
  user: string,
  ownNumber: DialNumber,
): Promise<void> {
  const { simulator, admin } = bench.stack;
  const { id, phoneNumberId: number } = ownNumber;
  const at = { user, number };
  const query = async (): Promise<string> => {
    const contact = await admin.request<{ id: string }>('POST', '/v1/contacts', { phone: user });
    return queryPermission(bench, `/v1/contacts/${contact.id}/permission?number_id=${id}`);
  };
  switch (permission) {
    case 'permanent-unknown':
    case 'worn-out':
      await simulator.setPermission({ ...at, status: 'permanent' });
      return;
    case 'temporary-unknown':
      await simulator.setPermission({ ...at, status: 'temporary' });
      return;
    case 'granted-by-reply':
      await simulator.replyPermission({ ...at, context: 'none', is_permanent: true });
      return;
    case 'none-unknown':
      await simulator.setPermission({ ...at, status: 'none' });
      return;
    case 'none-queried':
      await turnToQuery(ownNumber);
      await query();
      return;
    case 'withdrawn':
      await simulator.replyPermission({ ...at, context: 'none', is_permanent: true });
      await simulator.setPermission({ ...at, status: 'none' });
      return;
    case 'expired':
      await turnToQuery(ownNumber);
      await simulator.setPermission({ ...at, status: 'temporary', expires_in_s: EXPIRES_S });
      for (let status = ''; status !== 'expired'; status = await query()) {
        if (status === 'none')
          throw new Error('too slow: the permission was over before the query');
        await delay(POLL_MS);
      }
      return;
    case 'revoked':
      await simulator.replyPermission({
        ...at,
        response: 'reject',
        source: 'automatic',
        context: 'none',
      });
      return;
    case 'declined':
      await simulator.replyPermission({ ...at, response: 'reject', context: 'wamid.earlier' });
      return;
  }
}

/** Waits until another query of this number would be answered. */
async function turnToQuery(number: DialNumber): Promise<void> {
  const atMs = Math.max(number.nextQueryAtMs, performance.now());
  number.nextQueryAtMs = atMs + QUERY_EVERY_MS;
  await delay(Math.max(0, atMs - performance.now()));
}

/** The status that the business knows, once the provider was asked at least once: there are only so many queries a second. */
async function queryPermission({ stack }: Bench, path: string): Promise<string> {
  for (;;) {
    const known = await stack.admin.request<{ status: string; checked_at: string | null }>(
      'GET',
      path,
    );
    if (known.checked_at !== null) return known.status;
    await delay(POLL_MS);
  }
}

async function runAttempt(
  bench: Bench,
  attempt: Attempt,
  user: string,
  number: DialNumber,
): Promise<Seen> {
  const { stack, tap } = bench;
  const { phone, order, expected } = attempt;
  tap.plan(user, planOf(attempt));
  await stack.simulator.setPhone(
    { connect_ms: 40, ...PHONES[phone], listen: false, faults: { webhooks: ORDERS[order] } },
    user,
  );
  const before = tap.countsOf(user);
  const call = await start(bench, attempt, user, number);
  const since = (action: string) => (tap.countsOf(user)[action] ?? 0) - (before[action] ?? 0);
  const actions = ['connect', 'terminate', 'permission'];
  const counted = () => ({
    dials: since('connect'),
    requests: actions.reduce((sum, action) => sum + since(action), 0),
  });
  if (typeof call === 'string') return { end: call, callId: undefined, flaws: [], ...counted() };
  const { id } = call;
  if (!expected.startsWith('refused')) await act(bench, attempt, id);
  const ended = await outcomeOf(bench, id);
  const end = ended?.outcome?.reason ?? 'no end';
  const flaws = await flawsOf(bench, id, end);
  const { dials, requests } = counted();
  if (dials > 1) flaws.push(`dialled ${dials} times`);
  return { end, callId: id, flaws, dials, requests };
}

const planOf = ({ fault }: Attempt): TapPlan => {
  if (fault === 'none') return {};
  if (fault === 'end-server-error') return { terminate: 'server-error' };
  return fault === 'end-success-false' ? { terminate: 'success-false' } : { connect: fault };
};

/** @returns the call, or why there is none */
async function start(
  { stack }: Bench,
  { phone, order, expected }: Attempt,
  to: string,
  { id }: DialNumber,
): Promise<CallView | string> {
  const isPickupUnknown = phone === 'we-hang-up' && order === 'status-lost';
  const isShort =
    expected === 'dial-unconfirmed' || phone === 'ignores-for-ever' || isPickupUnknown;
  const body = {
    number_id: id,
    to,
    connect: { room: true },
    ring_seconds: isShort ? RING_S.short : RING_S.long,
  };
  try {
    return await stack.admin.request<CallView>('POST', '/v1/calls', body);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { reason } = error.problem as { reason?: string };
    return `refused: ${reason ?? `${error.status} ${JSON.stringify(error.problem)}`}`;
  }
}

/** What the business or the network does besides the phone, when it comes to that. */
async function act(
  { stack, events }: Bench,
  { phone, expected, cancelAfterMs }: Attempt,
  id: string,
): Promise<void> {
  const first = (matches: (call: CallView) => boolean) =>
    events.first('progress', ({ call }) => call.id === id && matches(call), END_MS_MAX);
  if (phone === 'we-hang-up' && expected === 'agent-hung-up') {
    await first(({ state, outcome }) => state === 'active' || outcome !== null);
    await stack.admin.end(id);
  } else if (phone === 'cancelled' && expected === 'cancelled') {
    await first((call) => call.provider_call_id !== null || call.outcome !== null);
    await stack.admin.end(id);
  } else if (phone === 'cancelled-early') {
    await delay(cancelAfterMs);
    await stack.admin.end(id);
  } else if (phone === 'fails' && expected === 'callee-set-up-failed') {
    const { call } = await first((now) => now.provider_call_id !== null || now.outcome !== null);
    if (call.provider_call_id) {
      await stack.simulator.hangUp(call.provider_call_id, { error_code: 138_020 });
    }
  }
}

/** The call once its outcome is fixed; undefined when that takes too long. */
async function outcomeOf({ events }: Bench, id: string): Promise<CallView | undefined> {
  const isEnd = ({ call }: { call: CallView }) => call.id === id && call.outcome !== null;
  try {
    return (await events.first('outcome', isEnd, END_MS_MAX)).call;
  } catch {
    return undefined;
  }
}

/** What holds for every end: it comes once, is confirmed unless nobody knows of the call, and no phone is left ringing. */
async function flawsOf({ stack, events }: Bench, id: string, end: string): Promise<string[]> {
  if (end === 'no end') return [];
  const flaws: string[] = [];
  if (end !== 'dial-unconfirmed') {
    await events
      .state(id, 'ended', END_MS_MAX)
      .catch(() => flaws.push('the end was never confirmed'));
  }
  const record = await stack.admin.call(id);
  const ends = record.timeline.filter(({ type }) => type === 'ending' || type === 'ended');
  if (ends.length !== 1) flaws.push(`${ends.length} ends in the timeline`);
  if (record.outcome?.reason !== end) flaws.push(`the outcome became ${record.outcome?.reason}`);
  if (record.provider_call_id !== null && flaws.length === 0) {
    await stack.simulator
      .waitFor(record.provider_call_id, ({ state }) => state === 'ended')
      .catch((error: unknown) => flaws.push(String(error)));
  }
  return flaws;
}

/** Adds a number at the provider and registers it, with the tap in between. */
export async function addNumber(
  { stack, tap }: Pick<Bench, 'stack' | 'tap'>,
  provider: NumberView['provider'],
): Promise<DialNumber> {
  const added = await stack.simulator.addNumber({ provider });
  const number = await stack.admin.request<{
    id: string;
    webhook_url: string;
    webhook_headers?: Record<string, string>;
  }>('POST', '/v1/numbers', {
    provider,
    phone_number_id: added.phoneNumberId,
    display_phone_number: added.displayPhoneNumber,
    access_token: added.apiKey ?? added.accessToken,
    api_base_url: provider === 'meta' ? tap.url : `${tap.url}/360dialog`,
  });
  if (provider === '360dialog') {
    await fetch(`${added.apiBaseUrl}/v1/configs/webhook`, {
      method: 'POST',
      headers: { 'd360-api-key': added.apiKey ?? '', 'content-type': 'application/json' },
      body: JSON.stringify({ url: number.webhook_url, headers: number.webhook_headers }),
    });
  }
  return { id: number.id, phoneNumberId: added.phoneNumberId, nextQueryAtMs: 0 };
}
