// What people do to each other in the calls of a schedule: hand over, consult, add, supervise, remove; and what the record must
// never say of it.
import fc from 'fast-check';
import { isOver, wanted, type Call } from '../../../worker/domain/call.ts';
import type { CallEvent } from '../../../worker/domain/call-event.ts';
import type { AgentId, CallId } from '../../../worker/domain/ids.ts';
import { ringsOf, type PartyCommand } from '../../../worker/domain/people.ts';
import { TEAM } from './centre.ts';
import { AGENT_IDS } from './deliveries.ts';
import type { AgentPlan } from './plan.ts';
import { ADMIN, answered, claimOf } from './requests.ts';
import type { World } from './world.ts';

type PartyEvent = Extract<CallEvent, { type: 'transfer' | 'party' }>;

/** Something that is asked for one call. Times in ms. */
export interface ActPlan {
  /** After the call was announced or requested. */
  readonly afterMs: number;
  readonly event: PartyEvent;
  /** Whoever is rung by that takes it after this long; null: nobody does. */
  readonly takenAfterMs: number | null;
  /** A supervisor, or whoever takes it, comes after this long, and may leave. */
  readonly joinsAfterMs: number;
  readonly leavesAfterMs: number | null;
}

const agentId = fc.constantFrom(...AGENT_IDS);
const colleague = fc.oneof(
  agentId.map((id) => ({ kind: 'agent' as const, agentId: id as unknown as AgentId })),
  fc.constant({ kind: 'team' as const, team: TEAM }),
);
const command: fc.Arbitrary<PartyCommand> = fc.oneof(
  fc.record({ action: fc.constantFrom('consult', 'consult', 'invite'), to: colleague }),
  fc.constantFrom<PartyCommand>(
    { action: 'merge' },
    { action: 'complete' },
    { action: 'cancel-consult' },
    { action: 'cancel-transfer' },
  ),
  agentId.map((id): PartyCommand => ({ action: 'remove', identity: `agent-${id}` })),
  fc
    .constantFrom('monitor' as const, 'whisper' as const, 'barge' as const)
    .map((mode): PartyCommand => ({ action: 'supervise', who: claimOf('supervisor', 0), mode })),
);
const event: fc.Arbitrary<PartyEvent> = fc.oneof(
  colleague.map((to): PartyEvent => ({ type: 'transfer', to, summary: null, actor: ADMIN })),
  {
    weight: 3,
    arbitrary: command.map((what): PartyEvent => ({ type: 'party', command: what, actor: ADMIN })),
  },
);

export const anyActs: fc.Arbitrary<readonly ActPlan[]> = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.nat(9_000), fc.nat(30_000), fc.nat(70_000)),
    event,
    takenAfterMs: fc.oneof(fc.constant(null), fc.nat(3_000), fc.nat(9_000)),
    joinsAfterMs: fc.oneof(fc.nat(1_500), fc.nat(15_000)),
    leavesAfterMs: fc.oneof(fc.constant(null), fc.nat(20_000)),
  }),
  { maxLength: 6, size: 'max' },
);

/** Asks for it, and lets those who are rung by that take it. Whoever it fails for leaves it at that. */
export async function act(world: World, callId: string, plan: ActPlan): Promise<void> {
  const { sim, faults, people, record } = world;
  const versionOf = () => record.commits.get(callId)?.length ?? 0;
  const before = versionOf();
  const board = world.anyBoard();
  const call = await answered(sim, board.apply(callId as CallId, plan.event)).catch(() => null);
  if (!call || isOver(call) || versionOf() === before) return;
  faults.note('people-acted');
  const seat: AgentPlan = {
    agent: 0,
    claimsAfterMs: 0,
    declines: false,
    joinsAfterMs: plan.joinsAfterMs,
    leavesAfterMs: plan.leavesAfterMs,
    leaves: 'left',
    returnsAfterMs: null,
  };
  if (call.people.parties.some((party) => party.agentId === ('supervisor' as never))) {
    people.sit(callId, 'supervisor', seat);
  }
  if (plan.takenAfterMs === null) return;
  for (const { agentId: rung } of ringsOf(call)) {
    sim.after(plan.takenAfterMs, () => void people.claim(callId, rung, seat));
  }
}

/** @returns who could be heard and must not be; null for nobody */
export function wronglyHeard(call: Call): string | null {
  if (isOver(call)) return null;
  const { audience, audio } = wanted(call);
  const isConsulted = call.people.parties.some(({ part }) => part === 'consulted');
  if (isConsulted && !audio.isHeld) return 'a consultation';
  const silent = call.people.parties.find(
    ({ identity, part, mode }) =>
      (part === 'consulted' || mode === 'monitor' || mode === 'whisper') &&
      (audience.named.includes(identity) ||
        !audience.excluded.includes(identity) ||
        call.heard.includes(identity)),
  );
  return silent?.identity ?? null;
}
