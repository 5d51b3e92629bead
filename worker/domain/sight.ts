// Which calls somebody sees. Pure.
import { isOver, type Call } from './call.ts';
import { agentsOf } from './desk.ts';
import { searchOf } from './flow.ts';
import type { AgentId } from './ids.ts';
import type { Role } from './roster.ts';

export interface Sight {
  /** Null for whoever is no person. */
  readonly agentId: AgentId | null;
  /** Teams whose calls are seen; null: every call is. */
  readonly teams: readonly string[] | null;
}

export const EVERYTHING: Sight = { agentId: null, teams: null };

/** What somebody is shown, and how. */
export interface View {
  readonly sight: Sight;
  /** Phone numbers of users in part only. */
  readonly isMasked: boolean;
}

/**
 * Teams that limit what a person sees: their own. Where there is no team at all nobody is limited, admins never are, and
 * supervisors only by teams that they are in.
 *
 * @param teams of the person
 * @returns null where nothing limits them
 */
export function teamsSeen(
  role: Role,
  teams: readonly string[],
  hasTeams: boolean,
): readonly string[] | null {
  if (role === 'admin' || !hasTeams) return null;
  return role === 'supervisor' && teams.length === 0 ? null : teams;
}

/** Calls of one's teams, those that one may take now, and those that one has or had. */
export function maySee({ agentId, teams }: Sight, call: Call): boolean {
  if (teams === null) return true;
  if (call.teamId !== null && teams.includes(call.teamId)) return true;
  if (agentId === null) return false;
  return call.hadBy.includes(agentId) || isTargetOf(call, agentId) || mayTake(call, agentId);
}

const isTargetOf = ({ target }: Call, agentId: AgentId): boolean =>
  target?.kind === 'agent' && target.agentId === agentId;

const mayTake = (call: Call, agentId: AgentId): boolean =>
  !isOver(call) && (isOpenToAll(call) || agentsOf(call).includes(agentId));

const isOpenToAll = ({ flow, target }: Call): boolean =>
  target?.kind === 'room' || searchOf(flow)?.isForEverybody === true;

/** Oneself, and whoever is in a team whose calls one sees. */
export const maySeeColleague = (
  { agentId, teams }: Sight,
  colleague: { readonly agent_id: string; readonly teams: readonly string[] },
): boolean =>
  teams === null ||
  colleague.agent_id === agentId ||
  colleague.teams.some((team) => teams.includes(team));
