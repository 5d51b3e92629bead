// Sign-in of people: links that work once, and the browsers that they opened. Tokens are random and kept as hashes.
import { and, eq, gt, isNull, lt, lte, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, invitations, sessions } from '../db/schema.ts';
import type { AgentId } from '../domain/ids.ts';
import { SESSION_IDLE_MS } from '../domain/session.ts';

export type SessionStore = ReturnType<typeof createSessionStore>;

export function createSessionStore(db: DrizzleD1Database) {
  return {
    /** Replaces whatever invitation the agent has that was not used. */
    async invite(
      agentId: string,
      tokenHash: string,
      { createdAtMs, expiresAtMs }: { createdAtMs: number; expiresAtMs: number },
    ): Promise<void> {
      await db.batch([
        db.delete(invitations).where(eq(invitations.agentId, agentId)),
        db.insert(invitations).values({ tokenHash, agentId, createdAtMs, expiresAtMs }),
      ]);
    },

    /**
     * Uses an invitation up and opens a session with it; of several at once one does.
     *
     * @returns null for an invitation that was used, replaced, is over or never was, or whose agent was removed
     */
    async signIn(
      invitationHash: string,
      tokenHash: string,
      { createdAtMs, expiresAtMs }: { createdAtMs: number; expiresAtMs: number },
    ): Promise<AgentId | null> {
      const isGood = and(
        eq(invitations.tokenHash, invitationHash),
        isNull(invitations.usedAtMs),
        gt(invitations.expiresAtMs, createdAtMs),
      );
      const [opened] = await db.batch([
        db
          .insert(sessions)
          .select(
            db
              .select({
                tokenHash: sql<string>`${tokenHash}`.as('token_hash'),
                agentId: invitations.agentId,
                createdAtMs: sql<number>`${createdAtMs}`.as('created_at_ms'),
                lastUsedAtMs: sql<number>`${createdAtMs}`.as('last_used_at_ms'),
                expiresAtMs: sql<number>`${expiresAtMs}`.as('expires_at_ms'),
              })
              .from(invitations)
              .innerJoin(agents, eq(agents.id, invitations.agentId))
              .where(and(isGood, isNull(agents.revokedAtMs))),
          )
          .returning({ agentId: sessions.agentId }),
        db.update(invitations).set({ usedAtMs: createdAtMs }).where(isGood),
      ]);
      return (opened[0]?.agentId ?? null) as AgentId | null;
    },

    /** The session was used just now. */
    async noteUse(tokenHash: string, atMs: number): Promise<void> {
      await db
        .update(sessions)
        .set({ lastUsedAtMs: atMs })
        .where(and(eq(sessions.tokenHash, tokenHash), lt(sessions.lastUsedAtMs, atMs)));
    },

    /** Harmless when repeated. */
    async end(tokenHash: string): Promise<void> {
      await db.delete(sessions).where(eq(sessions.tokenHash, tokenHash));
    },

    /** Ends every session of an agent, and whatever could open another one. */
    async endAll(agentId: string): Promise<void> {
      await db.batch([
        db.delete(sessions).where(eq(sessions.agentId, agentId)),
        db.delete(invitations).where(eq(invitations.agentId, agentId)),
      ]);
    },

    /** Forgets sessions and invitations that are over. */
    async sweep(nowMs: number): Promise<void> {
      await db.batch([
        db
          .delete(sessions)
          .where(
            or(
              lte(sessions.expiresAtMs, nowMs),
              lte(sessions.lastUsedAtMs, nowMs - SESSION_IDLE_MS),
            ),
          ),
        db.delete(invitations).where(lte(invitations.expiresAtMs, nowMs)),
      ]);
    },
  };
}
