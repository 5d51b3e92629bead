// Which callers somebody has got back to, in D1. Only the API writes it: it changes nothing about the call.
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { calls } from '../db/schema.ts';
import type { CallId } from '../domain/ids.ts';

export type FollowUpStore = ReturnType<typeof createFollowUpStore>;

export const createFollowUpStore = (db: DrizzleD1Database) => ({
  /**
   * Takes note that somebody got back to the caller, the first time deciding; null: nobody has yet.
   *
   * @returns false when the call needs no follow-up
   */
  async set(id: CallId, atMs: number | null): Promise<boolean> {
    const done = atMs === null ? null : sql`coalesce(${calls.followedUpAtMs}, ${atMs})`;
    const changed = await db
      .update(calls)
      .set({ followedUpAtMs: done })
      .where(and(eq(calls.id, id), isNotNull(calls.followUp)))
      .returning({ id: calls.id });
    return changed.length > 0;
  },
});
