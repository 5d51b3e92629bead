// What may happen when a business calls a user, and how each call must end. The ends are written down here from the provider's
// rules, without a look at the worker's. Pure.
import type { Random } from './random.ts';

/**
 * What the user allows, and what the business was told of it. `-unknown`: nothing. `none-queried`: it has asked the provider.
 * `withdrawn`: it was told of a permission that is gone since.
 */
const PERMISSIONS = {
  'permanent-unknown': 22,
  'temporary-unknown': 22,
  'granted-by-reply': 18,
  'none-unknown': 8,
  'none-queried': 6,
  withdrawn: 4,
  expired: 5,
  revoked: 5,
  declined: 5,
  'worn-out': 3,
};
export type Permission = keyof typeof PERMISSIONS;

/** What the user or the business does; `cancelled-early` is any moment after the request. */
const PHONES = {
  answers: 30,
  'we-hang-up': 14,
  rejects: 12,
  busy: 8,
  ignores: 10,
  'ignores-for-ever': 3,
  offline: 4,
  uncallable: 6,
  cancelled: 6,
  'cancelled-early': 5,
  fails: 4,
};
export type Phone = keyof typeof PHONES;

/** How the webhooks of a call come. */
const ORDERS = {
  'in-order': 24,
  twice: 14,
  late: 12,
  'ringing-late': 8,
  'answer-after-ringing': 8,
  'answer-after-accepted': 12,
  'end-first': 10,
  'status-lost': 6,
  'end-overtakes': 6,
};
export type Order = keyof typeof ORDERS;

/** What goes wrong with requests: the dial's, and in the last two the one that ends the call. */
const FAULTS = {
  none: 60,
  'reply-lost': 8,
  'reply-late': 8,
  'server-error': 3,
  'success-false': 2,
  'rate-limit': 4,
  'token-expired': 3,
  'end-server-error': 6,
  'end-success-false': 4,
};
export type Fault = keyof typeof FAULTS;

/** One request to start a call, and how it must end: an outcome, or `refused: ` and the reason when nothing may be dialled. */
export type Attempt = {
  readonly phone: Phone;
  readonly order: Order;
  readonly fault: Fault;
  readonly expected: string;
  /** How long `cancelled-early` waits after the request, in ms. */
  readonly cancelAfterMs: number;
};
/** One user, and the calls to them, one after the other. */
export type Scenario = { readonly permission: Permission; readonly attempts: readonly Attempt[] };

/** Longest random wait of `cancelled-early`, in ms: the answer and RINGING come within it. */
const CANCEL_MS_MAX = 250;
/** Provider: so many unanswered or rejected calls in a row take the permission away, User call permissions, read 2026-06. */
const UNANSWERED_MAX = 4;

/** Why the ledger refuses without asking the provider. */
const REFUSED: Partial<Record<Permission, string>> = {
  'none-queried': 'refused: no-permission',
  expired: 'refused: expired',
  revoked: 'refused: revoked',
  declined: 'refused: declined',
};
/** The provider refuses, or says nothing that can be believed; nobody's phone rings. */
const FAILED_DIALS: Partial<Record<Fault, string>> = {
  'server-error': 'dial-unconfirmed',
  'success-false': 'dial-unconfirmed',
  'rate-limit': 'rate-limited',
  'token-expired': 'token-rejected',
};
const FORBIDDEN: readonly Permission[] = ['none-unknown', 'withdrawn'];

type Choice = Omit<Attempt, 'expected'>;

/** How a call ends at which the provider may have nothing against. */
export function expectedEnd(permission: Permission, { phone, order, fault }: Choice): string {
  const refused = REFUSED[permission];
  if (refused) return refused;
  const failed = FAILED_DIALS[fault];
  if (failed) return failed;
  // The provider's no is lost with the reply, and nothing else will tell of it.
  const isForbidden = FORBIDDEN.includes(permission);
  if ((isForbidden || phone === 'uncallable') && fault === 'reply-lost') return 'dial-unconfirmed';
  if (phone === 'uncallable') return 'callee-not-reachable';
  if (isForbidden) return 'no-permission';
  return expectedTalk(phone, order);
}

function expectedTalk(phone: Phone, order: Order): string {
  switch (phone) {
    case 'answers':
      return 'callee-hung-up';
    case 'we-hang-up':
      // Nobody says that the user picked up, so it rings until the limit.
      return order === 'status-lost' ? 'callee-no-answer' : 'agent-hung-up';
    case 'rejects':
    case 'busy':
      // An end without a pickup and without a refusal looks the same as one that nobody answered.
      return order === 'status-lost' || order === 'end-overtakes'
        ? 'callee-no-answer'
        : 'callee-rejected';
    case 'ignores':
    case 'ignores-for-ever':
    case 'offline':
      return 'callee-no-answer';
    case 'cancelled':
    case 'cancelled-early':
      return 'cancelled';
    case 'fails':
      return 'callee-set-up-failed';
    case 'uncallable':
      return 'callee-not-reachable';
  }
}

/** Makes one up. */
export function scenarioFrom(random: Random): Scenario {
  const permission = random.pick(PERMISSIONS);
  if (permission === 'worn-out') return { permission, attempts: wornOut(random) };
  const choice = choiceFrom(random, permission);
  const first = { ...choice, expected: expectedEnd(permission, choice) };
  const again = refusalAfter(first.expected);
  return {
    permission,
    attempts: again === undefined ? [first] : [first, { ...first, fault: 'none', expected: again }],
  };
}

function choiceFrom(random: Random, permission: Permission): Choice {
  const phone = random.pick(PHONES);
  const order = random.pick(ORDERS);
  const fault = random.pick(FAULTS);
  const cancelAfterMs = random.below(CANCEL_MS_MAX);
  // Whether the cancelling or the refusal of the provider is first is nobody's to say.
  const isRace =
    phone === 'cancelled-early' && (FORBIDDEN.includes(permission) || fault in FAILED_DIALS);
  return { phone: isRace ? 'cancelled' : phone, order, fault, cancelAfterMs };
}

/** What the ledger has learnt from an end, and holds against the next call. */
function refusalAfter(expected: string): string | undefined {
  if (expected === 'no-permission') return 'refused: no-permission';
  return expected === 'callee-not-reachable' ? 'refused: uncallable' : undefined;
}

/** Nobody answers until the permission is gone; the call after that must not be dialled. */
function wornOut(random: Random): Attempt[] {
  const unanswered = { order: 'in-order', fault: 'none', cancelAfterMs: 0 } as const;
  const attempts = Array.from({ length: UNANSWERED_MAX }, (): Attempt => {
    const phone = random.pick({ ignores: 2, rejects: 1, busy: 1 });
    return { ...unanswered, phone, expected: expectedTalk(phone, 'in-order') };
  });
  return [...attempts, { ...unanswered, phone: 'answers', expected: 'refused: revoked' }];
}

/** Makes up scenarios of so many attempts in all. */
export function scenariosFrom(random: Random, attempts: number): Scenario[] {
  const scenarios: Scenario[] = [];
  for (let left = attempts; left > 0;) {
    const scenario = scenarioFrom(random);
    scenarios.push({ ...scenario, attempts: scenario.attempts.slice(0, left) });
    left -= scenario.attempts.length;
  }
  return scenarios;
}

export const describeAttempt = (
  permission: Permission,
  { phone, order, fault }: Pick<Attempt, 'phone' | 'order' | 'fault'>,
): string => `permission ${permission}, phone ${phone}, webhooks ${order}, fault ${fault}`;
