// What somebody may do and see, by what they show. One query each, because every request begins with one of them.
import { and, eq, isNull, type SQL } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, apiKeys, sessions } from '../db/schema.ts';
import type { ApiKey } from './api-key-store-d1.ts';
import type { SessionTimes } from '../domain/session.ts';
import type { Rights } from '../principal.ts';
import { agentFromRow } from './directory-d1.ts';

export type RightsReader = ReturnType<typeof createRightsReader>;

const person = {
  agent: agents,
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
        .select()
        .from(apiKeys)
        .where(and(eq(apiKeys.keyHash, keyHash), isNull(apiKeys.revokedAtMs)));
      if (!row) return null;
      const { id, role, expiresAtMs, lastUsedAtMs } = row;
      return { rights: { role, agent: null, teams: null, actor: id }, expiresAtMs, lastUsedAtMs };
    },
  };
}

function rightsOfPerson({ agent }: { agent: typeof agents.$inferSelect }): Rights {
  return { role: agent.role, agent: agentFromRow(agent), teams: null, actor: agent.id };
}
