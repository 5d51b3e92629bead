// The slow-changing part of the record in D1: numbers, relays, agents, contacts, counters.
import { and, eq, inArray, isNotNull, isNull, ne, notExists, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { alias } from 'drizzle-orm/sqlite-core';
import { agents, counters, numbers, relays } from '../db/schema.ts';
import type { AgentId, NumberId } from '../domain/ids.ts';
import type { Role } from '../domain/roster.ts';
import type { Agent, BusinessNumber } from '../ports.ts';
import { queryable } from './database.ts';

export type Directory = ReturnType<typeof createDirectory>;

/** What is absent stays as it is. */
export interface AgentChange {
  readonly name?: string | undefined;
  readonly role?: Role | undefined;
  readonly email?: string | null | undefined;
  readonly skills?: readonly string[] | undefined;
  readonly capacity?: number | undefined;
  readonly ai?: Agent['ai'] | undefined;
}

export function createDirectory(db: DrizzleD1Database) {
  return {
    async numbers(): Promise<BusinessNumber[]> {
      const rows = await db.select().from(numbers).orderBy(numbers.createdAtMs, numbers.id);
      return rows.map(numberFromRow);
    },

    async findNumber(id: NumberId): Promise<(BusinessNumber & { sealed: string }) | null> {
      const [row] = await db.select().from(numbers).where(eq(numbers.id, id));
      return row ? { ...numberFromRow(row), sealed: row.accessTokenSealed } : null;
    },

    /** The registered ones of the provider's phone number ids, by that id. */
    async numbersByPhoneNumberId(ids: readonly string[]): Promise<Map<string, BusinessNumber>> {
      const found = new Map<string, BusinessNumber>();
      for (const some of queryable(ids)) {
        const rows = await db.select().from(numbers).where(inArray(numbers.phoneNumberId, some));
        for (const row of rows) found.set(row.phoneNumberId, numberFromRow(row));
      }
      return found;
    },

    /** An id whose relay was revoked is free again. @returns false when the id is taken */
    async addRelay(id: string, secretHash: string, atMs: number): Promise<boolean> {
      const added = await db
        .insert(relays)
        .values({ id, secretHash, createdAtMs: atMs })
        .onConflictDoUpdate({
          target: relays.id,
          set: { secretHash, createdAtMs: atMs, revokedAtMs: null },
          setWhere: isNotNull(relays.revokedAtMs),
        })
        .returning({ id: relays.id });
      return added.length > 0;
    },

    /** Those that were not revoked. */
    async relays(): Promise<{ id: string; createdAtMs: number }[]> {
      return db
        .select({ id: relays.id, createdAtMs: relays.createdAtMs })
        .from(relays)
        .where(isNull(relays.revokedAtMs))
        .orderBy(relays.id);
    },

    /** Null also for a relay that was revoked. */
    async findRelaySecretHash(id: string): Promise<string | null> {
      const [row] = await db
        .select()
        .from(relays)
        .where(and(eq(relays.id, id), isNull(relays.revokedAtMs)));
      return row?.secretHash ?? null;
    },

    /** @returns false when there is no such relay, or it was revoked */
    async setRelaySecret(id: string, secretHash: string): Promise<boolean> {
      const changed = await db
        .update(relays)
        .set({ secretHash })
        .where(and(eq(relays.id, id), isNull(relays.revokedAtMs)))
        .returning({ id: relays.id });
      return changed.length > 0;
    },

    /** Safe to repeat. @returns false when there was never such a relay */
    async revokeRelay(id: string, atMs: number): Promise<boolean> {
      const revoked = await db
        .update(relays)
        .set({ revokedAtMs: sql`coalesce(${relays.revokedAtMs}, ${atMs})` })
        .where(eq(relays.id, id))
        .returning({ id: relays.id });
      return revoked.length > 0;
    },

    /** @returns false when another agent has the e-mail address */
    async addAgent(agent: Agent, keyHash: string): Promise<boolean> {
      const added = await db
        .insert(agents)
        .values({ ...agent, keyHash })
        .onConflictDoNothing({ target: agents.email })
        .returning({ id: agents.id });
      return added.length > 0;
    },

    /** Those that were not revoked. */
    async agents(): Promise<Agent[]> {
      const rows = await db
        .select()
        .from(agents)
        .where(isNull(agents.revokedAtMs))
        .orderBy(agents.createdAtMs, agents.id);
      return rows.map(agentFromRow);
    },

    /** Null also for an agent who was revoked. */
    async findAgent(id: string): Promise<Agent | null> {
      const [row] = await db
        .select()
        .from(agents)
        .where(and(eq(agents.id, id), isNull(agents.revokedAtMs)));
      return row ? agentFromRow(row) : null;
    },

    /** Changes what is given. @returns null when there is no such agent any more, or another one has the e-mail address */
    async changeAgent(id: string, change: AgentChange): Promise<Agent | null> {
      const other = alias(agents, 'other');
      const others = db
        .select({ id: other.id })
        .from(other)
        .where(and(eq(other.email, change.email ?? ''), ne(other.id, id)));
      const [row] = await db
        .update(agents)
        .set({ ...change, id })
        .where(and(eq(agents.id, id), isNull(agents.revokedAtMs), notExists(others)))
        .returning();
      return row ? agentFromRow(row) : null;
    },

    /** @returns false when there is no such agent, or the agent was revoked */
    async setAgentKey(id: string, keyHash: string): Promise<boolean> {
      const changed = await db
        .update(agents)
        .set({ keyHash })
        .where(and(eq(agents.id, id), isNull(agents.revokedAtMs)))
        .returning({ id: agents.id });
      return changed.length > 0;
    },

    /** Safe to repeat; their address is free again. @returns false when there was never such an agent */
    async revokeAgent(id: string, atMs: number): Promise<boolean> {
      const revoked = await db
        .update(agents)
        .set({ revokedAtMs: sql`coalesce(${agents.revokedAtMs}, ${atMs})`, email: null })
        .where(eq(agents.id, id))
        .returning({ id: agents.id });
      return revoked.length > 0;
    },

    async count(names: readonly string[]): Promise<void> {
      const [first, ...rest] = [...new Set(names)].map((name) => {
        const count = names.filter((other) => other === name).length;
        return db
          .insert(counters)
          .values({ name, count })
          .onConflictDoUpdate({
            target: counters.name,
            set: { count: sql`${counters.count} + ${count}` },
          });
      });
      if (first) await db.batch([first, ...rest]);
    },

    async counters(): Promise<Record<string, number>> {
      const rows = await db.select().from(counters);
      return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
    },
  };
}

/** The JSON columns are written by `number-store-d1.ts` alone, which is what makes the casts sound. */
export const numberFromRow = (row: typeof numbers.$inferSelect): BusinessNumber => ({
  id: row.id as NumberId,
  provider: row.provider,
  phoneNumberId: row.phoneNumberId,
  displayPhoneNumber: row.displayPhoneNumber,
  apiBaseUrl: row.apiBaseUrl,
  businessAccountId: row.businessAccountId,
  appId: row.appId,
  forwardUrl: row.forwardUrl,
  fallbackText: row.fallbackText,
  recording: row.recording,
  recordingAnnouncement: row.recordingAnnouncement,
  recordingRetentionDays: row.recordingRetentionDays,
  calling: row.calling as BusinessNumber['calling'],
  restrictions: (row.restrictions ?? []) as BusinessNumber['restrictions'],
  webhookAtMs: row.webhookAtMs,
  createdAtMs: row.createdAtMs,
});

/** The JSON columns are written here alone, which is what makes the casts sound. */
export const agentFromRow = (row: typeof agents.$inferSelect): Agent => ({
  id: row.id as AgentId,
  name: row.name,
  role: row.role,
  email: row.email,
  skills: row.skills as string[],
  capacity: row.capacity,
  ai: row.ai as Agent['ai'],
  createdAtMs: row.createdAtMs,
});
