// What a schedule consists of, as data that fast-check makes and shrinks: calls, what people do in them, and what goes wrong.
import fc from 'fast-check';
import { anyPayload, type Payload } from './centre.ts';
import { anyActs, type ActPlan } from './parties.ts';
import { soundPlan, type SoundPlan } from './sound.ts';
import { ARMED, DISRUPTIONS, type ArmedFault, type Fault } from './faults.ts';

/** What an agent does about one call. Times in ms. */
export interface AgentPlan {
  readonly agent: 0 | 1 | 2;
  /** After the call was announced or requested. */
  readonly claimsAfterMs: number;
  /** Does not want the call, instead. */
  readonly declines: boolean;
  /** After the seat was given; null for somebody who never comes. */
  readonly joinsAfterMs: number | null;
  /** After joining; null for somebody who stays. */
  readonly leavesAfterMs: number | null;
  readonly leaves: 'left' | 'lost';
  /** After leaving. */
  readonly returnsAfterMs: number | null;
}

interface CallPlan extends SoundPlan {
  readonly acts: readonly ActPlan[];
  readonly atMs: number;
  /** Calls with the same user of one schedule. */
  readonly user: 0 | 1;
  readonly agents: readonly AgentPlan[];
  /** When the user hangs up by themselves, after the start. */
  readonly hangsUpAfterMs: number | null;
  /** At the very moment of the first claim, instead. */
  readonly hangsUpAtClaim: boolean;
  /** When somebody asks the API to end it, after the start. */
  readonly endsAfterMs: number | null;
  /** How a call ends that still goes on when everything else is over. */
  readonly farewell: 'user' | 'user-untold' | 'api';
  readonly hasFallbackText: boolean;
}

export interface InboundPlan extends CallPlan {
  readonly kind: 'inbound';
  /** How long the provider lets it ring; the longest stands for one that never gives up by itself. */
  readonly ringLimitMs: number;
  /** Which rule takes it. */
  readonly payload: Payload | null;
}

export interface OutboundPlan extends CallPlan {
  readonly kind: 'outbound';
  readonly target: 'agent' | 'agent-there' | 'ai' | 'room';
  readonly asks: 'grants' | 'declines' | 'ignores' | null;
  readonly phone: 'answers' | 'rejects' | 'ignores';
  /** After it began to ring, in ms. */
  readonly phoneAfterMs: number;
  /** The provider leaves our id out of its webhooks. */
  readonly hidesOpaque: boolean;
  /** The same request again, or another call to the same user, so long after the first one. */
  readonly again: { readonly isSame: boolean; readonly afterMs: number } | null;
}

/** Something goes wrong: at this moment, or with the next operation of a kind from then on. */
export interface Trouble {
  readonly atMs: number;
  readonly fault: Fault;
  /** Which relay, or which call, modulo how many there are. */
  readonly which: number;
  /** How long or how late, where the fault has a length. */
  readonly ms: number;
}

export interface Plan {
  /** Seeds what the plan does not name: latencies and who is chosen. */
  readonly salt: number;
  /** Of each relay; the last may be missing altogether. */
  readonly capacities: readonly number[];
  readonly calls: readonly (InboundPlan | OutboundPlan)[];
  readonly troubles: readonly Trouble[];
}

/** Most of what matters happens within a second of something else; a call's timers reach to half a minute. */
const moment = fc.oneof(
  { weight: 4, arbitrary: fc.nat(1_500) },
  { weight: 3, arbitrary: fc.nat(9_000) },
  { weight: 2, arbitrary: fc.nat(32_000) },
  { weight: 1, arbitrary: fc.nat(70_000) },
);
const maybe = (share: number): fc.Arbitrary<number | null> =>
  fc.oneof(
    { weight: 10 - share, arbitrary: fc.constant(null) },
    { weight: share, arbitrary: moment },
  );

const agentPlan: fc.Arbitrary<AgentPlan> = fc.record({
  agent: fc.constantFrom(0, 1, 2),
  claimsAfterMs: fc.oneof(fc.nat(1_500), fc.nat(9_000), fc.nat(30_000), fc.constantFrom(400, 800)),
  declines: fc.nat(5).map((choice) => choice === 0),
  joinsAfterMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 50, max: 1_500 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1_500, max: 9_000 }) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  leavesAfterMs: maybe(4),
  leaves: fc.constantFrom('left', 'lost'),
  returnsAfterMs: fc.oneof(fc.constant(null), fc.nat(4_000), fc.nat(20_000)),
});

const callPlan = {
  atMs: fc.oneof(fc.nat(1_000), fc.nat(20_000)),
  user: fc.constantFrom(0, 0, 1),
  agents: fc.array(agentPlan, { minLength: 0, maxLength: 3, size: 'max' }),
  hangsUpAfterMs: maybe(3),
  hangsUpAtClaim: fc.nat(11).map((choice) => choice === 0),
  endsAfterMs: maybe(2),
  farewell: fc.constantFrom('user', 'user-untold', 'api'),
  hasFallbackText: fc.boolean(),
  acts: anyActs,
  ...soundPlan,
} as const;

/** People who want to talk: without them hardly any schedule gets to a conversation. */
const eager: fc.Arbitrary<AgentPlan> = fc.record({
  agent: fc.constantFrom(0, 1, 2),
  claimsAfterMs: fc.integer({ min: 300, max: 3_000 }),
  declines: fc.constant(false),
  joinsAfterMs: fc.integer({ min: 50, max: 1_000 }),
  leavesAfterMs: maybe(2),
  leaves: fc.constantFrom('left', 'lost'),
  returnsAfterMs: fc.oneof(fc.constant(null), fc.nat(4_000)),
});
const talk = {
  agents: fc.array(eager, { minLength: 1, maxLength: 2, size: 'max' }),
  hangsUpAfterMs: maybe(1),
  endsAfterMs: maybe(1),
} as const;

const inboundOnly = {
  kind: fc.constant('inbound'),
  ringLimitMs: fc.constantFrom(32_000, 60_000, 600_000),
  payload: anyPayload,
} as const;
const inbound: fc.Arbitrary<InboundPlan> = fc.record({ ...callPlan, ...inboundOnly });

const outboundOnly = {
  kind: fc.constant('outbound'),
  target: fc.constantFrom('agent', 'agent-there', 'ai', 'room'),
  asks: fc.constantFrom(null, null, null, null, 'grants', 'grants', 'declines', 'ignores'),
  phone: fc.constantFrom('answers', 'answers', 'answers', 'rejects', 'ignores'),
  phoneAfterMs: fc.oneof(fc.nat(4_000), fc.nat(25_000)),
  hidesOpaque: fc.boolean(),
  again: fc.option(fc.record({ isSame: fc.boolean(), afterMs: fc.oneof(fc.constant(0), moment) })),
} as const;
const outbound: fc.Arbitrary<OutboundPlan> = fc.record({ ...callPlan, ...outboundOnly });

const trouble: fc.Arbitrary<Trouble> = fc.record({
  atMs: moment,
  fault: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...(Object.keys(ARMED) as ArmedFault[])) },
    { weight: 1, arbitrary: fc.constantFrom(...DISRUPTIONS) },
  ),
  which: fc.nat(2),
  ms: fc.oneof(fc.nat(3_000), fc.nat(15_000), fc.nat(40_000)),
});

const talked: fc.Arbitrary<InboundPlan> = fc.record({ ...callPlan, ...inboundOnly, ...talk });
const dialledTalk: fc.Arbitrary<OutboundPlan> = fc.record({
  ...callPlan,
  ...outboundOnly,
  ...talk,
  asks: fc.constant(null),
  phone: fc.constant('answers'),
  phoneAfterMs: fc.nat(3_000),
});

/** Between calm and wild, so that faults meet a call at every stage of its way. */
export const anyPlan: fc.Arbitrary<Plan> = fc.noBias(
  fc.record({
    salt: fc.noShrink(fc.nat()),
    capacities: fc.array(fc.constantFrom(1, 2, 10), { minLength: 1, maxLength: 3, size: 'max' }),
    calls: fc.array(fc.oneof(inbound, talked, talked, outbound, dialledTalk), {
      minLength: 1,
      maxLength: 3,
      size: 'max',
    }),
    troubles: fc.oneof(
      fc.array(trouble, { maxLength: 6, size: 'max' }),
      fc.array(trouble, { maxLength: 30, size: 'max' }),
    ),
  }),
);

/** The schedule with this number; the same number always gives the same one. */
export function planOf(seed: number): Plan {
  const [plan] = fc.sample(anyPlan, { seed, numRuns: 1 });
  if (!plan) throw new Error('fast-check made no plan');
  return plan;
}
