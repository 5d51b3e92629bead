// What agents, or those who supervise them, say of their being at work.
import type { AgentId } from '../domain/ids.ts';
import type { Duty } from '../domain/roster.ts';
import { maySeeColleague } from '../domain/sight.ts';
import type { PresenceView } from '../front-desk.ts';
import { Problem } from '../http/problems.ts';
import { sightOf, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';

/** Everybody whom the asker sees: themselves, and who shares a team with them where teams limit them. */
export async function presencesFor(
  services: Services,
  principal: Principal,
): Promise<PresenceView[]> {
  const presences = await services.switchboard().presences();
  return presences.filter((presence) => maySeeColleague(sightOf(principal), presence));
}

/**
 * Calls that ring for somebody who goes away ring for the next one; calls that they have go on.
 *
 * @throws Problem `not-found` for agents whom the asker does not see
 */
export async function setPresence(
  services: Services,
  principal: Principal,
  agentId: string,
  duty: Duty,
): Promise<PresenceView> {
  const find = async () => {
    const presences = await presencesFor(services, principal);
    const found = presences.find((presence) => presence.agent_id === agentId);
    if (!found) throw new Problem('not-found', 'There is no agent with this id');
    return found;
  };
  await find();
  await services.switchboard().setDuty(agentId as AgentId, duty);
  return find();
}
