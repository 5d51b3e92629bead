// Keys of programs. They are random and kept as hashes.
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { apiKeys } from '../db/schema.ts';
import type { Role } from '../domain/roster.ts';

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAtMs: number;
  /** Refused from then on; null: never. */
  readonly expiresAtMs: number | null;
  /** To the minute; null before its first use. */
  readonly lastUsedAtMs: number | null;
}

export function createApiKeyStore(db: DrizzleD1Database) {
  return {
    async add(key: Omit<ApiKey, 'lastUsedAtMs'>, keyHash: string): Promise<void> {
      await db.insert(apiKeys).values({ ...key, keyHash });
    },

    /** Those that were not revoked, expired ones too. */
    async list(): Promise<ApiKey[]> {
      const rows = await db
        .select()
        .from(apiKeys)
        .where(isNull(apiKeys.revokedAtMs))
        .orderBy(apiKeys.createdAtMs, apiKeys.id);
      return rows.map(({ id, name, role, createdAtMs, expiresAtMs, lastUsedAtMs }) => ({
        id,
        name,
        role,
        createdAtMs,
        expiresAtMs,
        lastUsedAtMs,
      }));
    },

    async noteUse(id: string, atMs: number): Promise<void> {
      await db
        .update(apiKeys)
        .set({ lastUsedAtMs: atMs })
        .where(
          and(eq(apiKeys.id, id), or(isNull(apiKeys.lastUsedAtMs), lt(apiKeys.lastUsedAtMs, atMs))),
        );
    },

    /** Safe to repeat. @returns the hash of the key; null when there was never such a key */
    async revoke(id: string, atMs: number): Promise<string | null> {
      const [row] = await db
        .update(apiKeys)
        .set({ revokedAtMs: sql`coalesce(${apiKeys.revokedAtMs}, ${atMs})` })
        .where(eq(apiKeys.id, id))
        .returning({ keyHash: apiKeys.keyHash });
      return row?.keyHash ?? null;
    },
  };
}
