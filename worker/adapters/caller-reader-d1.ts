// Who a caller is and what rules may ask about them, read from D1 at once: the caller waits for it.
import { and, inArray, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { contactIdentities } from '../db/schema.ts';
import type { ContactIdentity } from '../domain/contact.ts';
import type { AgentId, ContactId } from '../domain/ids.ts';
import { queryable } from './database.ts';

export type CallerReader = ReturnType<typeof createCallerReader>;

export interface KnownCaller {
  readonly id: ContactId;
  readonly tags: readonly string[];
  /** They have spoken with somebody here, person or AI. */
  readonly isReturning: boolean;
  /** The person who spoke with them last. */
  readonly lastAgentId: AgentId | null;
}

/** The contact that any of the identities belongs to, the first identity that is known deciding. */
export type FindCaller = (identities: readonly ContactIdentity[]) => Promise<KnownCaller | null>;

/** Drizzle leaves the table out where a query names only one; inside of another query that would be another column. */
const own = sql.raw('contact_identities.contact_id');

export function createCallerReader(db: DrizzleD1Database) {
  const select = () =>
    db
      .select({
        kind: contactIdentities.kind,
        value: contactIdentities.value,
        contactId: contactIdentities.contactId,
        tags: sql<string>`(SELECT json_group_array(tag) FROM contact_tags WHERE contact_tags.contact_id = ${own})`,
        lastAgentId: sql<string | null>`(SELECT claimed_by FROM calls
          WHERE calls.contact_id = ${own} AND answered_at_ms IS NOT NULL AND claimed_by IS NOT NULL
          ORDER BY answered_at_ms DESC LIMIT 1)`,
        // Somebody had the call, as the first releases tell it, or spoke in it.
        isReturning: sql<number>`EXISTS (SELECT 1 FROM calls
          WHERE calls.contact_id = ${own} AND answered_at_ms IS NOT NULL
            AND (claimed_by IS NOT NULL OR json_extract(data, '$.talkedAtMs') IS NOT NULL))`,
      })
      .from(contactIdentities);

  /**
   * Reads several people at once and not again.
   *
   * @param identities of everybody who will be asked for
   */
  async function read(
    identities: readonly ContactIdentity[],
  ): Promise<{ readonly find: FindCaller }> {
    const known = new Map<string, KnownCaller>();
    // Both columns of the index: values alone would be looked for in every row.
    const kinds = [...new Set(identities.map(({ kind }) => kind))];
    for (const some of queryable(identities.map(({ value }) => value))) {
      const rows = await select().where(
        and(inArray(contactIdentities.kind, kinds), inArray(contactIdentities.value, some)),
      );
      for (const row of rows) {
        known.set(`${row.kind} ${row.value}`, {
          id: row.contactId as ContactId,
          tags: JSON.parse(row.tags) as string[],
          isReturning: row.isReturning === 1,
          lastAgentId: row.lastAgentId as AgentId | null,
        });
      }
    }
    return {
      find: async (asked) =>
        asked.map(({ kind, value }) => known.get(`${kind} ${value}`)).find((one) => one) ?? null,
    };
  }

  const find: FindCaller = async (identities) => (await read(identities)).find(identities);
  return { find, read };
}
