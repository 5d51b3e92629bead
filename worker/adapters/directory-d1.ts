// The slow-changing part of the record in D1: numbers, relays, agents, contacts, counters.
import { eq, inArray, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { agents, contactIdentities, counters, numbers, relays } from '../db/schema.ts';
import type { ContactIdentity } from '../domain/contact.ts';
import type { AgentId, ContactId, NumberId } from '../domain/ids.ts';
import type { Agent, BusinessNumber } from '../ports.ts';

export type Directory = ReturnType<typeof createDirectory>;

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
      if (ids.length === 0) return new Map();
      const rows = await db
        .select()
        .from(numbers)
        .where(inArray(numbers.phoneNumberId, [...ids]));
      return new Map(rows.map((row) => [row.phoneNumberId, numberFromRow(row)]));
    },

    /** The contact that any of the identities belongs to, the first identity that is known deciding. */
    async findContactId(identities: readonly ContactIdentity[]): Promise<ContactId | null> {
      if (identities.length === 0) return null;
      const rows = await db
        .select()
        .from(contactIdentities)
        .where(
          inArray(
            contactIdentities.value,
            identities.map(({ value }) => value),
          ),
        );
      for (const { kind, value } of identities) {
        const row = rows.find((known) => known.kind === kind && known.value === value);
        if (row) return row.contactId as ContactId;
      }
      return null;
    },

    /** @returns false when the id is taken */
    async addRelay(id: string, secretHash: string, atMs: number): Promise<boolean> {
      const added = await db
        .insert(relays)
        .values({ id, secretHash, createdAtMs: atMs })
        .onConflictDoNothing()
        .returning({ id: relays.id });
      return added.length > 0;
    },

    async relays(): Promise<{ id: string; createdAtMs: number }[]> {
      return db
        .select({ id: relays.id, createdAtMs: relays.createdAtMs })
        .from(relays)
        .orderBy(relays.id);
    },

    async findRelaySecretHash(id: string): Promise<string | null> {
      const [row] = await db.select().from(relays).where(eq(relays.id, id));
      return row?.secretHash ?? null;
    },

    async addAgent(agent: Agent, keyHash: string): Promise<void> {
      await db.insert(agents).values({ ...agent, keyHash });
    },

    async agents(): Promise<Agent[]> {
      const rows = await db.select().from(agents).orderBy(agents.createdAtMs, agents.id);
      return rows.map(agentFromRow);
    },

    async findAgent(id: string): Promise<Agent | null> {
      const [row] = await db.select().from(agents).where(eq(agents.id, id));
      return row ? agentFromRow(row) : null;
    },

    async findAgentByKeyHash(keyHash: string): Promise<Agent | null> {
      const [row] = await db.select().from(agents).where(eq(agents.keyHash, keyHash));
      return row ? agentFromRow(row) : null;
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
  calling: row.calling as BusinessNumber['calling'],
  restrictions: (row.restrictions ?? []) as BusinessNumber['restrictions'],
  webhookAtMs: row.webhookAtMs,
  createdAtMs: row.createdAtMs,
});

const agentFromRow = (row: typeof agents.$inferSelect): Agent => ({
  id: row.id as AgentId,
  name: row.name,
  createdAtMs: row.createdAtMs,
});
