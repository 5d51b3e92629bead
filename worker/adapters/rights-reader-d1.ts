// What somebody may do and see, by what they show. One query each, because every request begins with one of them.
import { and, eq, isNull, sql, type SQL } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, apiKeys, sessions } from '../db/schema.ts';
import type { ApiKey } from './api-key-store-d1.ts';
import { isMasked, type NumberMasking } from '../domain/masking.ts';
import type { SessionTimes } from '../domain/session.ts';
import { teamsSeen } from '../domain/sight.ts';
import type { Rights } from '../principal.ts';
import { agentFromRow } from './directory-d1.ts';

export type RightsReader = ReturnType<typeof createRightsReader>;

/** What else decides, beside the row of whoever asks. */
const masking = sql<
  string | null
>`(SELECT s.value FROM settings s WHERE s.name = 'number_masking')`;
const person = {
  agent: agents,
  teams: sql<string>`(SELECT json_group_array(m.team_id) FROM team_members m WHERE m.agent_id = agents.id)`,
  hasTeams: sql<number>`EXISTS (SELECT 1 FROM teams)`,
  masking,
};

export function createRightsReader(db: DrizzleD1Database) {
  const findPerson = async (condition: SQL): Promise<Rights | null> => {
    const [row] = await db
      .select(person)
      .from(agents)
      .where(and(condition, isNull(agents.revokedAtMs)));
    return row ? rightsOfPerson(row) : null;
  };

  return {
    /** By the hash of their key; null also for an agent who was removed, as for all that follow. */
    byKey: (keyHash: string): Promise<Rights | null> => findPerson(eq(agents.keyHash, keyHash)),

    /** By how an identity provider names them. */
    byEmail: (email: string): Promise<Rights | null> => findPerson(eq(agents.email, email)),

    /** By the hash of the session's token; whether its time is over is for the caller to see. */
    async bySession(tokenHash: string): Promise<{ rights: Rights; times: SessionTimes } | null> {
      const [row] = await db
        .select({
          ...person,
          lastUsedAtMs: sessions.lastUsedAtMs,
          expiresAtMs: sessions.expiresAtMs,
        })
        .from(sessions)
        .innerJoin(agents, eq(agents.id, sessions.agentId))
        .where(and(eq(sessions.tokenHash, tokenHash), isNull(agents.revokedAtMs)));
      if (!row) return null;
      const { lastUsedAtMs, expiresAtMs } = row;
      return { rights: rightsOfPerson(row), times: { lastUsedAtMs, expiresAtMs } };
    },

    /** A program, by the hash of its key. It is in no team and sees every call. */
    async byApiKey(
      keyHash: string,
    ): Promise<(Pick<ApiKey, 'expiresAtMs' | 'lastUsedAtMs'> & { rights: Rights }) | null> {
      const [row] = await db
        .select({ key: apiKeys, masking })
        .from(apiKeys)
        .where(and(eq(apiKeys.keyHash, keyHash), isNull(apiKeys.revokedAtMs)));
      if (!row) return null;
      const { id, role, expiresAtMs, lastUsedAtMs } = row.key;
      const isHidden = isMasked(maskingFrom(row.masking), role);
      const rights = { role, agent: null, teams: null, isMasked: isHidden, actor: id };
      return { rights, expiresAtMs, lastUsedAtMs };
    },
  };
}

function rightsOfPerson({
  agent,
  teams,
  hasTeams,
  masking,
}: {
  agent: typeof agents.$inferSelect;
  teams: string;
  hasTeams: number;
  masking: string | null;
}): Rights {
  const { role, id } = agent;
  return {
    role,
    agent: agentFromRow(agent),
    teams: teamsSeen(role, JSON.parse(teams) as string[], hasTeams === 1),
    isMasked: isMasked(maskingFrom(masking), role),
    actor: id,
  };
}

/** Settings are JSON; before anybody set it there is none. */
const maskingFrom = (value: string | null): NumberMasking =>
  value === null ? 'none' : (JSON.parse(value) as NumberMasking);
