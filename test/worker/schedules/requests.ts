// What people and programs ask the API of the worker for, as the Switchboard is asked.
import type { Claim } from '../../../worker/domain/call.ts';
import type { Dial } from '../../../worker/domain/call-event.ts';
import type { AgentId, CallId } from '../../../worker/domain/ids.ts';
import { NO_POLICY } from '../../../worker/domain/step-inbound.ts';
import { AGENT_IDS, contactOf, DISPLAY_PHONE_NUMBER, NUMBER_ID } from './deliveries.ts';
import type { AgentPlan, OutboundPlan } from './plan.ts';
import type { Simulation } from './simulation.ts';

const ASK_WAIT_MS = 60_000;
const RING_MS = 30_000;
/** How long a client waits for an answer. */
const ANSWER_MS_MAX = 30_000;

/** Whom a call is meant for that names nobody. */
const NOBODY: AgentPlan = {
  agent: 0,
  claimsAfterMs: 0,
  declines: false,
  joinsAfterMs: null,
  leavesAfterMs: null,
  leaves: 'left',
  returnsAfterMs: null,
};

export const ADMIN = { kind: 'api', id: 'admin' } as const;

export const agentIdOf = ({ agent }: AgentPlan): string => AGENT_IDS[agent];

/** Whom an outbound call is for, where it is for an agent. */
export const calleeOf = ({ agents }: OutboundPlan): AgentPlan => agents[0] ?? NOBODY;

export const claimOf = (agentId: string, atMs: number): Claim => ({
  agentId: agentId as AgentId,
  agentName: agentId,
  identity: `agent-${agentId}`,
  atMs,
});

export function dialOf(plan: OutboundPlan, callId: string, user: string, nowMs: number): Dial {
  const agentId = agentIdOf(calleeOf(plan));
  return {
    id: callId as CallId,
    numberId: NUMBER_ID,
    displayPhoneNumber: DISPLAY_PHONE_NUMBER,
    caller: { contactId: contactOf(user).id, phone: user },
    target: targetOf(plan, agentId),
    claim: plan.target === 'agent-there' ? claimOf(agentId, nowMs) : null,
    ringMs: RING_MS,
    ask: plan.asks === null ? null : { wording: { text: null }, waitMs: ASK_WAIT_MS },
    policy: {
      ...NO_POLICY,
      hasFallbackText: plan.hasFallbackText,
      recording: plan.recording,
    },
  };
}

const targetOf = ({ target }: OutboundPlan, agentId: string): Dial['target'] => {
  if (target === 'ai') return { kind: 'ai', name: 'ai', metadata: '' };
  if (target === 'room') return { kind: 'room' };
  return { kind: 'agent', agentId: agentId as AgentId };
};

/** A request whose Switchboard dies is never answered; whoever made it gives up after a while. */
export function answered<T>(sim: Simulation, work: Promise<T>): Promise<T> {
  const timeout = sim.sleep(ANSWER_MS_MAX).then(() => {
    throw new Error('no answer');
  });
  return Promise.race([work, timeout]);
}
