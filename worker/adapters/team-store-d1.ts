// The teams in D1, and who is in them.
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, teamMembers, teams } from '../db/schema.ts';
import type { AgentId } from '../domain/ids.ts';
import { isPresent } from './rules-version.ts';

export type TeamStore = ReturnType<typeof createTeamStore>;

export interface Team {
  readonly id: string;
  readonly name: string;
  /** How long a member is left alone after a call of the team, in s. */
  readonly wrapUpS: number;
  /** Of those who were not removed, in the order of their ids. */
  readonly agentIds: readonly AgentId[];
  readonly createdAtMs: number;
}

export type TeamChange = Partial<Pick<Team, 'name' | 'wrapUpS'>>;

export function createTeamStore(db: DrizzleD1Database) {
  const members = () =>
    db
      .select({ teamId: teamMembers.teamId, agentId: teamMembers.agentId })
      .from(teamMembers)
      .innerJoin(agents, and(eq(agents.id, teamMembers.agentId), isNull(agents.revokedAtMs)))
      .orderBy(asc(teamMembers.agentId));

  return {
    async list(): Promise<Team[]> {
      const [rows, all] = await db.batch([
        db.select().from(teams).orderBy(asc(teams.createdAtMs), asc(teams.id)),
        members(),
      ]);
      return rows.map((row) => teamFromRows(row, all));
    },

    async find(id: string): Promise<Team | null> {
      const [[row], found] = await db.batch([
        db.select().from(teams).where(eq(teams.id, id)),
        members().where(eq(teamMembers.teamId, id)),
      ]);
      return row ? teamFromRows(row, found) : null;
    },

    /** @returns false when the id is taken */
    async add({ id, name, wrapUpS, createdAtMs }: Omit<Team, 'agentIds'>): Promise<boolean> {
      const added = await db
        .insert(teams)
        .values({ id, name, wrapUpS, createdAtMs })
        .onConflictDoNothing()
        .returning({ id: teams.id });
      return added.length > 0;
    },

    /** @returns false when there is no such team */
    async change(id: string, change: TeamChange): Promise<boolean> {
      const changed = await db
        .update(teams)
        // Setting the id to itself makes a statement of a change that changes nothing.
        .set({ id, ...change })
        .where(eq(teams.id, id))
        .returning({ id: teams.id });
      return changed.length > 0;
    },

    /** Whoever is not named is out; agents who were removed, and teams that do not exist, get no members. */
    async setMembers(id: string, agentIds: readonly string[]): Promise<void> {
      await db.batch([
        db.delete(teamMembers).where(eq(teamMembers.teamId, id)),
        db.insert(teamMembers).select(
          sql`SELECT teams.id, agents.id FROM teams, agents
            WHERE teams.id = ${id} AND agents.revoked_at_ms IS NULL
              AND agents.id IN (SELECT value FROM json_each(${JSON.stringify(agentIds)}))`,
        ),
      ]);
    },

    /** Deletes a team, unless other rules were saved since `version`. @returns false when nothing was deleted */
    async remove(id: string, version: number): Promise<boolean> {
      const [, removed] = await db.batch([
        db.delete(teamMembers).where(and(eq(teamMembers.teamId, id), isPresent(version))),
        db
          .delete(teams)
          .where(and(eq(teams.id, id), isPresent(version)))
          .returning({ id: teams.id }),
      ]);
      return removed.length > 0;
    },
  };
}

const teamFromRows = (
  { id, name, wrapUpS, createdAtMs }: typeof teams.$inferSelect,
  members: readonly { readonly teamId: string; readonly agentId: string }[],
): Team => ({
  id,
  name,
  wrapUpS,
  agentIds: members.flatMap(({ teamId, agentId }) => (teamId === id ? [agentId as AgentId] : [])),
  createdAtMs,
});
