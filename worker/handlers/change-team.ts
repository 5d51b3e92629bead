// Changes who is in a team, and takes teams out of use.
import { Problem, type FieldProblem } from '../http/problems.ts';
import type { Services } from '../services.ts';
import { requireUnused } from './save-rules.ts';

/** Rules may be saved between the look at them and the deletion; more often than that means that something is looping. */
const ATTEMPTS_MAX = 3;

/** @throws Problem `invalid-request` naming everybody who is not an agent */
export async function setMembers(
  services: Services,
  id: string,
  agentIds: readonly string[],
): Promise<void> {
  const agents = await services.directory.agents();
  const errors = agentIds.flatMap((agentId, index): FieldProblem[] =>
    agents.some((agent) => agent.id === agentId)
      ? []
      : [{ field: `agent_ids.${index}`, expected: 'the id of an agent' }],
  );
  if (errors.length > 0)
    throw new Problem('invalid-request', 'Some are not agents; nobody was changed', { errors });
  await services.teams.setMembers(id, agentIds);
  await services.switchboard().peopleChanged();
}

/** @throws Problem `conflict` naming the `path` where the rules in force use the team */
export async function deleteTeam(services: Services, id: string): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const version = await requireUnused(services, 'team', id);
    if (await services.teams.remove(id, version)) {
      await services.switchboard().peopleChanged();
      return;
    }
  }
  throw new Problem('conflict', 'The rules are being changed; try again');
}
