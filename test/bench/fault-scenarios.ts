// Calls of users in which something goes wrong, and how each of them must end. The ends are written down here from the
// provider's rules and FAILURES.md, without a look at the worker's code. Pure.
import type { FaultRequest, NewCall } from '../local/simulator/client.ts';
import type { Random } from './random.ts';

/** One claims at once and joins, one claims and does not come, nobody claims. */
export type Agents = 'answer' | 'claim-only' | 'absent';

/**
 * What decides how the call ends, once it is connected, or rings where nobody answers. `caller-any-time`: at any moment after
 * the call was placed; `caller-in-accept`: while the provider is being told to accept.
 */
export type Ending =
  | 'caller-hangs-up'
  | 'caller-any-time'
  | 'caller-in-accept'
  | 'caller-falls-silent'
  | 'agent-ends'
  | 'agent-leaves'
  | 'room-deleted'
  | 'caller-removed'
  | 'provider-fails'
  | 'nothing';

/** The provider's offer, naming a port where nobody is, or with a codec that nobody can relay. */
export type Offer = 'dead-port' | 'odd-codec';

export type InboundCase = {
  /** How often it is chosen, against the others. */
  readonly weight: number;
  readonly agents: Agents;
  readonly ending: Ending;
  /** Outcomes that may follow; none for a call that must leave no trace. */
  readonly expected: readonly string[];
  readonly call?: NewCall;
  /** Announced instead of the phone's own. */
  readonly offer?: Offer;
};

type GraphFault = NonNullable<FaultRequest['graph']>[number];
type WebhookFaults = NonNullable<FaultRequest['webhooks']>;

const ANSWERED = {
  agents: 'answer',
  ending: 'caller-hangs-up',
  expected: ['caller-hung-up'],
} as const;
const ABSENT = { agents: 'absent', ending: 'nothing' } as const;

/** Something goes wrong on the way, and the call is answered and talked all the same. */
const webhooks = (faults: WebhookFaults): InboundCase => ({
  ...ANSWERED,
  weight: 4,
  call: { faults: { webhooks: faults } },
});
const graph = (fault: GraphFault): InboundCase => ({
  ...ANSWERED,
  weight: 4,
  call: { faults: { graph: [fault] } },
});
/** The request that ends the call goes wrong. */
const whenEnding = (kind: GraphFault['kind'], times = 1): InboundCase => ({
  weight: 3,
  agents: 'answer',
  ending: 'agent-ends',
  expected: ['agent-hung-up'],
  call: { faults: { graph: [{ action: 'terminate', kind, times, delay_ms: 800 }] } },
});

/** Provider: a wrong parameter; repeating the request cannot help. Graph API "Handle errors", read 2026-06. */
const REFUSED = { kind: 'error', code: 100 } as const;

/** By what goes wrong. */
export const INBOUND_CASES: Readonly<Record<string, InboundCase>> = {
  nothing: { ...ANSWERED, weight: 8 },
  'webhooks come four times': webhooks({ duplicates: 3 }),
  'announced 1.5 s late': webhooks({ delay_ms: { connect: 1_500 } }),
  'end told 1.5 s late': webhooks({ delay_ms: { terminate: 1_500 } }),
  'end never told': { ...webhooks({ drop: ['terminate'] }), weight: 2, expected: ['media-lost'] },
  'end told before the announcement': {
    ...ABSENT,
    weight: 4,
    expected: ['caller-gave-up'],
    call: { hang_up_after_ms: 50, faults: { webhooks: { terminate_before_connect: true } } },
  },
  'never announced': {
    ...ABSENT,
    weight: 2,
    expected: [],
    call: { hang_up_after_ms: 500, faults: { webhooks: { drop: ['connect'] } } },
  },
  'announced 40 s late': {
    ...ABSENT,
    weight: 2,
    expected: ['offer-too-old'],
    call: { faults: { webhooks: { timestamp_age_s: 40 } } },
  },
  "about another app's number": {
    ...ABSENT,
    weight: 2,
    expected: [],
    call: {
      hang_up_after_ms: 500,
      faults: { webhooks: { foreign_number_id: '999999999999999' } },
    },
  },
  'two announcements in one webhook': webhooks({ batch: true }),
  'strange fields and events': webhooks({ unknown_fields: true, unknown_event: true }),
  'no phone number': webhooks({ contacts: 'no_phone' }),
  'offer without a usable codec': {
    ...ABSENT,
    weight: 2,
    expected: ['unusable-offer'],
    call: { faults: { webhooks: { drop: ['connect'] } } },
    offer: 'odd-codec',
  },
  'pre_accept fails with 500': graph({ action: 'pre_accept', kind: 'server-error' }),
  'pre_accept is refused': {
    ...ABSENT,
    weight: 2,
    expected: ['pre-accept-refused'],
    call: { faults: { graph: [{ action: 'pre_accept', ...REFUSED }] } },
  },
  'accept fails with 500 twice': graph({ action: 'accept', kind: 'server-error', times: 2 }),
  'accept meets a rate limit': graph({ action: 'accept', kind: 'rate-limit' }),
  'accept is answered success: false': graph({ action: 'accept', kind: 'success-false' }),
  'accept is answered late': graph({ action: 'accept', kind: 'slow', delay_ms: 1_200 }),
  'accept acts and breaks off': graph({ action: 'accept', kind: 'act-then-drop' }),
  'accept is refused': {
    ...ANSWERED,
    weight: 2,
    ending: 'nothing',
    expected: ['accept-failed'],
    call: { faults: { graph: [{ action: 'accept', ...REFUSED }] } },
  },
  'terminate fails with 500 twice': whenEnding('server-error', 2),
  'terminate is answered success: false': whenEnding('success-false'),
  'terminate is answered late': whenEnding('slow'),
  'terminate acts and breaks off': whenEnding('act-then-drop'),
  'reject fails with 500': {
    weight: 3,
    agents: 'absent',
    ending: 'agent-ends',
    expected: ['rejected'],
    call: { faults: { graph: [{ action: 'reject', kind: 'server-error' }] } },
  },
  'caller hangs up at any moment': {
    weight: 20,
    agents: 'answer',
    ending: 'caller-any-time',
    expected: ['caller-gave-up', 'caller-hung-up'],
  },
  'caller hangs up during accept': {
    weight: 6,
    agents: 'answer',
    ending: 'caller-in-accept',
    expected: ['caller-hung-up'],
    call: { faults: { graph: [{ action: 'accept', kind: 'slow', delay_ms: 900 }] } },
  },
  'nobody answers': {
    ...ABSENT,
    weight: 3,
    expected: ['no-answer'],
    // Announced 22 s late, so that the answer limit comes soon.
    call: { faults: { webhooks: { timestamp_age_s: 22 } } },
  },
  'agent claims and does not come': {
    ...ABSENT,
    weight: 3,
    agents: 'claim-only',
    expected: ['caller-gave-up'],
    call: { hang_up_after_ms: 7_000 },
  },
  'agent leaves': { weight: 4, agents: 'answer', ending: 'agent-leaves', expected: ['agent-left'] },
  'room is deleted': {
    weight: 3,
    agents: 'answer',
    ending: 'room-deleted',
    expected: ['room-deleted'],
  },
  'caller is removed from the room': {
    weight: 3,
    agents: 'answer',
    ending: 'caller-removed',
    expected: ['removed-from-room'],
  },
  'provider fails the call': {
    weight: 3,
    agents: 'answer',
    ending: 'provider-fails',
    expected: ['provider-ended'],
  },
  'media never connects': {
    ...ANSWERED,
    weight: 2,
    ending: 'nothing',
    expected: ['media-failed'],
    call: { faults: { webhooks: { drop: ['connect'] } } },
    offer: 'dead-port',
  },
  'caller falls silent for good': {
    weight: 2,
    agents: 'answer',
    ending: 'caller-falls-silent',
    expected: ['media-lost'],
  },
};

export type InboundScenario = {
  readonly fault: string;
  readonly inbound: InboundCase;
  /** Before what decides the end, in ms. */
  readonly pauseMs: number;
};

/** Longest random pause, in ms; of `caller-any-time`, so that it ends in any state of a call that is answered at once. */
const PAUSE_MS_MAX = 1_500;
const ANY_TIME_MS_MAX = 4_000;

const WEIGHTS = Object.fromEntries(
  Object.entries(INBOUND_CASES).map(([fault, { weight }]) => [fault, weight]),
);

/** Makes one up. */
export function inboundScenario(random: Random): InboundScenario {
  const fault = random.pick(WEIGHTS);
  const inbound = INBOUND_CASES[fault] as InboundCase;
  const isAnyTime = inbound.ending === 'caller-any-time';
  return { fault, inbound, pauseMs: random.below(isAnyTime ? ANY_TIME_MS_MAX : PAUSE_MS_MAX) };
}
