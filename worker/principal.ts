// Who asks, and what they may do and see. `http/authentication.ts` finds out; routes and use cases ask here.
import type { Actor } from './domain/call-event.ts';
import { ROLES, type Role } from './domain/roster.ts';
import type { Sight } from './domain/sight.ts';
import { Problem } from './http/problems.ts';
import type { Agent } from './ports.ts';

export interface Rights {
  readonly role: Role;
  /** The person; null for the operator's key and for programs. */
  readonly agent: Agent | null;
  /** Teams whose calls they see beside their own; null: every call. */
  readonly teams: readonly string[] | null;
  /** Phone numbers of users are shown to them in part. */
  readonly isMasked: boolean;
  /** For the record: `admin` for the operator's key, else the id of the person or of the program's key. */
  readonly actor: string;
}

export interface Principal extends Rights {
  /** SHA-256 of what they showed, hex; what was opened with it is closed by it. Absent for the operator's key. */
  readonly keyHash?: string;
  /** From then on it opens nothing, in epoch ms; absent for what has no end. */
  readonly untilMs?: number;
}

/** Who shows `ADMIN_API_KEY`. */
export const OPERATOR: Principal = {
  role: 'admin',
  agent: null,
  teams: null,
  isMasked: false,
  actor: 'admin',
};

/** Each role may do what those before it may. */
export const hasRole = ({ role }: Principal, least: Role): boolean =>
  ROLES.indexOf(role) >= ROLES.indexOf(least);

/** @throws Problem `forbidden` for those who may less */
export function requireRole(principal: Principal, least: Role): void {
  if (hasRole(principal, least)) return;
  const who = least === 'admin' ? 'Only the role admin' : `Only the role ${least} or a higher one`;
  throw new Problem('forbidden', `${who} may do that`);
}

export const requireAdmin = (principal: Principal): void => requireRole(principal, 'admin');

/** @throws Problem `forbidden` for the operator and for programs, who take no calls */
export function requirePerson({ agent }: Principal): Agent {
  if (agent) return agent;
  throw new Problem('forbidden', 'Only a person may do that, and this key is of none');
}

/** Which calls are shown to them. */
export const sightOf = ({ agent, teams }: Rights): Sight => ({
  agentId: agent?.id ?? null,
  teams,
});

/** Whom the timeline of a call names. */
export const actorOf = ({ agent, actor }: Principal): Actor =>
  agent ? { kind: 'agent', id: agent.id } : { kind: 'api', id: actor };
