// What people do to each other in a connected call: hand it over, consult, add, supervise, remove. The Switchboard decides; these
// say what its answer means for who asked.
import type { CallView } from '../call-view.ts';
import type { Actor } from '../domain/call-event.ts';
import { agentIdentity, type CallId } from '../domain/ids.ts';
import type { PartyCommand, SupervisionMode, TransferTo } from '../domain/people.ts';
import type { Remark } from '../domain/step-remark.ts';
import { Problem } from '../http/problems.ts';
import type { Agent } from '../ports.ts';
import { actorOf, requireRole, sightOf, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import type { RefusableResult } from '../switchboard.ts';
import { actorOn, requireSeen, seatFor, type Seat } from './command-call.ts';
import { problemOf } from './refusals.ts';

/** @throws Problem for whatever was refused, `call-over`, `relay-too-old`, `not-found` */
function callOf({ call, refusal, isRelayTooOld }: RefusableResult, to?: string): CallView {
  if (!call) throw new Problem('not-found', 'There is no call with this id');
  if (isRelayTooOld) {
    throw new Problem('relay-too-old', 'The relay of this call has to be upgraded for that');
  }
  if (refusal) throw problemOf(refusal, call, to);
  return call;
}

/** @throws Problem `forbidden` for somebody else's call, and as `callOf` */
export async function transferCall(
  services: Services,
  id: CallId,
  principal: Principal,
  to: TransferTo,
  summary: string | null,
): Promise<CallView> {
  const actor = await actorOn(services, id, principal);
  return callOf(await services.switchboard().transfer(id, to, summary, actor));
}

/**
 * Takes a transfer back. For the agent who had the call, the call is theirs again.
 *
 * @returns `seat`: where that agent comes back; null for anybody else, who lets the agent be rung
 */
export async function cancelTransfer(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<{ call: CallView; seat: Seat | null }> {
  const call = await command(services, id, principal, { action: 'cancel-transfer' });
  const { agent } = principal;
  if (!agent || !call.ringing_for?.includes(agent.id)) return { call, seat: null };
  const identity = agentIdentity(agent.id);
  const claim = { agentId: agent.id, agentName: agent.name, identity, atMs: services.now() };
  const { call: claimed } = await services.switchboard().claim(id, claim, sightOf(principal));
  if (claimed?.claimed_by?.agent_id !== agent.id) return { call: claimed ?? call, seat: null };
  return { call: claimed, seat: await seatFor(services, id, agent, 'agent') };
}

/** @throws Problem `forbidden` for somebody else's call, and as `callOf` */
export async function command(
  services: Services,
  id: CallId,
  principal: Principal,
  what: Exclude<PartyCommand, { action: 'supervise' | 'remove' }>,
): Promise<CallView> {
  const actor = await actorOn(services, id, principal);
  const result = await services.switchboard().party(id, what, actor);
  return callOf(result, what.action === 'invite' ? '' : 'to.');
}

/** Everybody may leave; others are removed by whoever has the call, and by supervisors. */
export async function removeParticipant(
  services: Services,
  id: CallId,
  principal: Principal,
  identity: string,
): Promise<CallView> {
  const isOwn = principal.agent !== null && identity === agentIdentity(principal.agent.id);
  if (isOwn) await requireSeen(services, id, principal);
  const actor: Actor = isOwn ? actorOf(principal) : await actorOn(services, id, principal);
  return callOf(await services.switchboard().party(id, { action: 'remove', identity }, actor));
}

/**
 * Gives a supervisor a seat, or changes what they may do.
 *
 * @param supervisor who is to sit there
 * @throws Problem `forbidden` for agents, and as `callOf`
 */
export async function superviseCall(
  services: Services,
  id: CallId,
  principal: Principal,
  supervisor: Agent,
  mode: SupervisionMode,
): Promise<{ call: CallView; seat: Seat }> {
  requireRole(principal, 'supervisor');
  const actor = await actorOn(services, id, principal);
  const identity = agentIdentity(supervisor.id);
  const { id: agentId, name: agentName } = supervisor;
  const who = { agentId, agentName, identity, atMs: services.now() };
  const what: PartyCommand = { action: 'supervise', who, mode };
  const call = callOf(await services.switchboard().party(id, what, actor));
  return { call, seat: await seatFor(services, id, supervisor, mode) };
}

/** Writes something on a call, which may be over. */
export async function remarkOn(
  services: Services,
  id: CallId,
  principal: Principal,
  remark: Remark,
): Promise<CallView> {
  await requireSeen(services, id, principal);
  return callOf(await services.switchboard().remark(id, remark, actorOf(principal)));
}
