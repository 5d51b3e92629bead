// The prompts in D1; their audio is in R2. A row is there before its audio and stays until its audio is gone, so that none is left
// without a row that tells of it.
import { and, asc, eq, exists, inArray, isNotNull, isNull, lt, not, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { numbers, prompts } from '../db/schema.ts';
import type { PromptId } from '../domain/ids.ts';
import { queryable } from './database.ts';
import { isPresent } from './rules-version.ts';

export type PromptStore = ReturnType<typeof createPromptStore>;

export interface Prompt {
  readonly id: PromptId;
  readonly name: string;
  readonly durationMs: number;
  readonly bytes: number;
  /** Of the file, hex. */
  readonly sha256: string;
  readonly createdAtMs: number;
}

export const promptKey = (id: PromptId): string => `prompts/${id}.ogg`;

/** Its audio is in R2 and stays there. */
export const isUsable = and(isNotNull(prompts.storedAtMs), isNull(prompts.deletedAtMs));

export function createPromptStore(db: DrizzleD1Database) {
  const isAnnouncement = exists(
    db
      .select({ id: numbers.id })
      .from(numbers)
      .where(eq(numbers.recordingAnnouncement, prompts.id)),
  );

  return {
    /** Makes a prompt known whose audio is about to be stored. */
    async announce(prompt: Prompt): Promise<void> {
      await db.insert(prompts).values(prompt);
    },

    /** From now on it may be used. */
    async stored(id: PromptId, atMs: number): Promise<void> {
      await db.update(prompts).set({ storedAtMs: atMs }).where(eq(prompts.id, id));
    },

    async find(id: string): Promise<Prompt | null> {
      const [row] = await db
        .select()
        .from(prompts)
        .where(and(eq(prompts.id, id), isUsable));
      return row ? promptFromRow(row) : null;
    },

    async list(): Promise<Prompt[]> {
      const rows = await db
        .select()
        .from(prompts)
        .where(isUsable)
        .orderBy(asc(prompts.createdAtMs), asc(prompts.id));
      return rows.map(promptFromRow);
    },

    /**
     * From now on it is not to be used. Safe to repeat until its row is gone.
     *
     * @param rulesVersion of rules that do without it
     * @returns false when a number announces with it, or other rules are in force
     */
    async markDeleted(id: string, rulesVersion: number, atMs: number): Promise<boolean> {
      const marked = await db
        .update(prompts)
        .set({ deletedAtMs: sql`coalesce(${prompts.deletedAtMs}, ${atMs})` })
        .where(and(eq(prompts.id, id), not(isAnnouncement), isPresent(rulesVersion)))
        .returning({ id: prompts.id });
      return marked.length > 0;
    },

    /** Prompts that were deleted, and those whose audio never came, announced before `beforeMs`; at most `limit`. */
    async leftovers(beforeMs: number, limit: number): Promise<PromptId[]> {
      const isGivenUp = and(isNull(prompts.storedAtMs), lt(prompts.createdAtMs, beforeMs));
      const rows = await db
        .select({ id: prompts.id })
        .from(prompts)
        .where(or(isNotNull(prompts.deletedAtMs), isGivenUp))
        .limit(limit);
      return rows.map(({ id }) => id as PromptId);
    },

    /** Forgets prompts whose audio is gone. */
    async forget(ids: readonly PromptId[]): Promise<void> {
      for (const some of queryable(ids)) await db.delete(prompts).where(inArray(prompts.id, some));
    },
  };
}

const promptFromRow = (row: typeof prompts.$inferSelect): Prompt => ({
  id: row.id as PromptId,
  name: row.name,
  durationMs: row.durationMs,
  bytes: row.bytes,
  sha256: row.sha256,
  createdAtMs: row.createdAtMs,
});
