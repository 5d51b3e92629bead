// What people do to a call: claim it, end it. The Switchboard decides; these say what its answer means for who asked.
import { seatToken, type SeatRole } from '../adapters/livekit.ts';
import type { CallView } from '../call-view.ts';
import type { Actor } from '../domain/call-event.ts';
import { agentIdentity, roomOfCall, type CallId } from '../domain/ids.ts';
import { Problem } from '../http/problems.ts';
import type { Agent, StoredEntry } from '../ports.ts';
import { actorOf, hasRole, sightOf, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';

export interface Seat {
  readonly call_id: string;
  readonly livekit_url: string;
  readonly token: string;
  readonly room: string;
  readonly identity: string;
}

/**
 * Takes a ringing call for an agent. Whoever has the call may ask again, for instance after reloading a page, and gets a fresh
 * token.
 *
 * @throws Problem `call-taken` naming the winner, `call-over` naming the ending, `call-not-ringing`, `not-found`; where the call
 * rings for others, `not-on-duty`, `agent-busy` or `not-rung`
 */
export async function claimCall(
  services: Services,
  id: CallId,
  agent: Agent,
  principal: Principal,
): Promise<Seat> {
  const identity = agentIdentity(agent.id);
  const claim = { agentId: agent.id, agentName: agent.name, identity, atMs: services.now() };
  const { call } = await services.switchboard().claim(id, claim, sightOf(principal));
  if (!call) throw new Problem('not-found', 'There is no call with this id');
  if (call.outcome) {
    throw new Problem('call-over', `The call ended: ${call.outcome.reason}`, {
      outcome: call.outcome,
    });
  }
  if (call.claimed_by?.agent_id === agent.id) return seatFor(services, id, agent, 'agent');
  const party = call.people.find(({ agent_id }) => agent_id === agent.id);
  if (party && party.part !== 'supervisor') return seatFor(services, id, agent, 'colleague');
  const meantFor = call.connect && 'agent_id' in call.connect ? call.connect.agent_id : agent.id;
  if (meantFor !== agent.id) throw new Problem('forbidden', 'This call is for another agent');
  if (!call.claimed_by) throw await whyNotRung(services, call, agent);
  throw new Problem('call-taken', `${call.claimed_by.name} has this call`, {
    claimed_by: call.claimed_by,
  });
}

/** Why somebody who is asking for it does not get a call that nobody has. */
async function whyNotRung(services: Services, call: CallView, agent: Agent): Promise<Problem> {
  const isSearching = call.step === 'ring' || call.step === 'queue';
  if (!isSearching) return new Problem('call-not-ringing', `The call is ${call.state}`);
  const presences = await services.switchboard().presences();
  const presence = presences.find(({ agent_id }) => agent_id === agent.id)?.presence ?? 'offline';
  const isOff = presence === 'away' || presence === 'offline';
  const code = isOff ? 'not-on-duty' : presence === 'busy' ? 'agent-busy' : 'not-rung';
  const ringing = call.ringing_for?.length
    ? 'it rings for somebody else'
    : 'it rings for nobody now';
  const detail = presence === 'available' ? ringing : `the agent is ${presence}`;
  return new Problem(code, `The call does not ring for this agent: ${detail}`, { presence });
}

/**
 * Sends a call that rings for an agent to the next one.
 *
 * @throws Problem `call-over` naming the ending, `call-not-ringing` where it does not ring for them, `not-found`
 */
export async function declineCall(services: Services, id: CallId, agent: Agent): Promise<CallView> {
  const { call, wasRung } = await services.switchboard().decline(id, agent.id);
  if (!call) throw new Problem('not-found', 'There is no call with this id');
  if (wasRung) return call;
  if (call.outcome) {
    throw new Problem('call-over', `The call ended: ${call.outcome.reason}`, {
      outcome: call.outcome,
    });
  }
  const why =
    call.ringing_for === null ? 'it rings for everybody' : 'it does not ring for this agent';
  throw new Problem('call-not-ringing', `Nothing to decline: ${why}`);
}

/**
 * A seat in the room of a call whose room is open to every agent.
 *
 * @throws Problem `conflict` for calls of any other kind, `call-over`, `not-found`
 */
export async function joinCall(
  services: Services,
  id: CallId,
  agent: Agent,
  principal: Principal,
): Promise<Seat> {
  const { call } = await findCall(services, id, principal);
  if (call.outcome) {
    throw new Problem('call-over', `The call ended: ${call.outcome.reason}`, {
      outcome: call.outcome,
    });
  }
  if (!call.connect || !('room' in call.connect)) {
    throw new Problem('conflict', 'This call is answered by claiming it: POST /v1/calls/:id/claim');
  }
  return seatFor(services, id, agent, 'agent');
}

/** A token to join the call's room. */
export async function seatFor(
  services: Services,
  id: CallId,
  agent: Agent,
  role: SeatRole,
): Promise<Seat> {
  const {
    LIVEKIT_URL: url,
    LIVEKIT_API_KEY: apiKey,
    LIVEKIT_API_SECRET: apiSecret,
  } = services.config;
  const identity = agentIdentity(agent.id);
  const access = { url, apiKey, apiSecret };
  const token = await seatToken(access, id, { identity, name: agent.name }, role);
  return { call_id: id, livekit_url: url, token, room: roomOfCall(id), identity };
}

/**
 * Rejects a ringing call, hangs up a connected one. An agent may end a call that rings or that they have.
 *
 * @throws Problem `forbidden` for somebody else's call, `not-found`
 */
export async function endCall(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<CallView> {
  const actor = await actorOn(services, id, principal);
  const { call } = await services.switchboard().end(id, actor);
  if (!call) throw new Problem('not-found', 'There is no call with this id');
  return call;
}

/** @throws Problem `not-found`, also for a call that whoever asks may not see */
export async function findCall(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<{ call: CallView; timeline: StoredEntry[] }> {
  const found = await services.calls.find(id, sightOf(principal));
  if (!found) throw new Problem('not-found', 'There is no call with this id');
  return found;
}

/** @throws Problem `not-found` for a call that whoever asks may not see */
export async function requireSeen(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<void> {
  if (principal.teams !== null) await findCall(services, id, principal);
}

/**
 * Who acts on a call. Agents act on calls that nobody else has.
 *
 * @throws Problem `forbidden` for somebody else's call, `not-found`
 */
export async function actorOn(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<Actor> {
  const mayActOnAll = hasRole(principal, 'supervisor');
  if (mayActOnAll && principal.teams === null) return actorOf(principal);
  const { call } = await findCall(services, id, principal);
  // Until somebody has taken it, a call that is handed over is still theirs who hand it over.
  const holder = mayActOnAll ? null : (call.claimed_by ?? call.transferred_by ?? null);
  if (holder && holder.agent_id !== principal.agent?.id && call.state !== 'ended') {
    throw new Problem('forbidden', `${holder.name} has this call`, { claimed_by: holder });
  }
  return actorOf(principal);
}
