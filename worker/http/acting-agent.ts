// Whom a request is for that only an agent can make.
import { hasRole, requirePerson, type Principal } from '../principal.ts';
import type { Agent } from '../ports.ts';
import type { Services } from '../services.ts';
import { Problem } from './problems.ts';

/** The person who asks, or whom an admin names. */
export async function agentOf(
  services: Services,
  principal: Principal,
  agentId: string | undefined,
): Promise<Agent> {
  const { agent: asker } = principal;
  if (asker && (agentId === undefined || !hasRole(principal, 'admin'))) return asker;
  if (!hasRole(principal, 'admin')) return requirePerson(principal);
  const field = {
    field: 'agent_id',
    expected: 'the id of an agent, since the key is of no person',
  };
  const agent = agentId === undefined ? null : await services.directory.findAgent(agentId);
  if (!agent) throw new Problem('invalid-request', field.expected, { errors: [field] });
  return agent;
}
