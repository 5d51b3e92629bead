// Contacts in D1: the people whom calls are made to and taken from, and what each is known by.
import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { contactIdentities, contacts, contactTags } from '../db/schema.ts';
import type { ContactIdentity } from '../domain/contact.ts';
import type { ContactId } from '../domain/ids.ts';
import type { Contact } from '../ports.ts';
import { queryable } from './database.ts';

export type ContactStore = ReturnType<typeof createContactStore>;

export interface StoredContact extends Contact {
  /** In the order of the alphabet. */
  readonly tags: readonly string[];
  readonly createdAtMs: number;
}

export function createContactStore(db: DrizzleD1Database) {
  const withIdentities = async (
    rows: readonly (typeof contacts.$inferSelect)[],
  ): Promise<StoredContact[]> => {
    const ids = rows.map(({ id }) => id);
    const identities: (typeof contactIdentities.$inferSelect)[] = [];
    const tags: (typeof contactTags.$inferSelect)[] = [];
    for (const some of queryable(ids)) {
      const [known, tagged] = await db.batch([
        db
          .select()
          .from(contactIdentities)
          .where(inArray(contactIdentities.contactId, some))
          .orderBy(asc(contactIdentities.kind), asc(contactIdentities.value)),
        db
          .select()
          .from(contactTags)
          .where(inArray(contactTags.contactId, some))
          .orderBy(asc(contactTags.tag)),
      ]);
      identities.push(...known);
      tags.push(...tagged);
    }
    return rows.map(({ id, name, createdAtMs }) => ({
      id: id as ContactId,
      name,
      createdAtMs,
      identities: identities
        .filter(({ contactId }) => contactId === id)
        .map(({ kind, value }) => ({ kind, value })),
      tags: tags.filter(({ contactId }) => contactId === id).map(({ tag }) => tag),
    }));
  };

  return {
    /** Stores a contact; one that exists gains the identities that nobody has, and the name unless it is null. */
    async save(contact: Contact, atMs: number): Promise<void> {
      const [first, ...rest] = insertContact(db, contact, atMs);
      if (first) await db.batch([first, ...rest]);
    },

    /** Those that are not named are gone; a contact that does not exist gets none. */
    async setTags(id: string, tags: readonly string[]): Promise<void> {
      await db.batch([
        db.delete(contactTags).where(eq(contactTags.contactId, id)),
        db.insert(contactTags).select(
          sql`SELECT DISTINCT contacts.id, tags.value FROM contacts, json_each(${JSON.stringify(tags)}) AS tags
            WHERE contacts.id = ${id}`,
        ),
      ]);
    },

    async find(id: string): Promise<StoredContact | null> {
      const rows = await db.select().from(contacts).where(eq(contacts.id, id));
      return (await withIdentities(rows))[0] ?? null;
    },

    /** @returns at most `limit` contacts in the order of their ids, those after `after` */
    async list(
      filter: { identity?: ContactIdentity | undefined; after?: string | undefined },
      limit: number,
    ): Promise<{ contacts: StoredContact[]; next: string | null }> {
      const { identity, after } = filter;
      const known =
        identity &&
        db
          .select({ id: contactIdentities.contactId })
          .from(contactIdentities)
          .where(
            and(
              eq(contactIdentities.kind, identity.kind),
              eq(contactIdentities.value, identity.value),
            ),
          );
      const rows = await db
        .select()
        .from(contacts)
        .where(
          and(
            after === undefined ? undefined : gt(contacts.id, after),
            known && inArray(contacts.id, known),
          ),
        )
        .orderBy(asc(contacts.id))
        .limit(limit + 1);
      const page = await withIdentities(rows.slice(0, limit));
      return { contacts: page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    },
  };
}

/** Statements for a batch. A contact may exist already, and two calls may bring the same new one at once. */
export function insertContact(db: DrizzleD1Database, contact: Contact, atMs: number) {
  const { id, name } = contact;
  const identities = contact.identities.map((identity) => ({ ...identity, contactId: id }));
  return [
    db
      .insert(contacts)
      .values({ id, name, createdAtMs: atMs })
      .onConflictDoUpdate({
        target: contacts.id,
        set: { name: sql`coalesce(excluded.name, ${contacts.name})` },
      }),
    ...(identities.length === 0
      ? []
      : [db.insert(contactIdentities).values(identities).onConflictDoNothing()]),
  ];
}
