// Which calls somebody may see at all, as a condition on the table `calls`. It narrows down what is read; `maySee` decides, which
// alone knows whom a call in progress rings for.
import { sql, type SQL } from 'drizzle-orm';
import { calls } from '../db/schema.ts';
import type { Sight } from '../domain/sight.ts';

/** @returns undefined where nothing narrows it down */
export function mayBeSeen({ agentId, teams }: Sight): SQL | undefined {
  if (teams === null) return undefined;
  // In one parameter however many teams there are: a query takes 100.
  const ofTeams = sql`${calls.teamId} IN (SELECT value FROM json_each(${JSON.stringify(teams)}))`;
  const hadBy = sql`EXISTS (SELECT 1 FROM json_each(${calls.data}, '$.hadBy') WHERE value = ${agentId})`;
  const target = sql`json_extract(${calls.data}, '$.target.agentId') = ${agentId}`;
  return sql`(${calls.isLive} = 1 OR ${ofTeams} OR ${calls.claimedBy} = ${agentId} OR ${target} OR ${hadBy})`;
}
