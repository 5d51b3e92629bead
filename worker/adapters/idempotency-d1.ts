// Remembers which request an `Idempotency-Key` was used for.
import { eq, lt } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { idempotencyKeys } from '../db/schema.ts';
import type { CallId } from '../domain/ids.ts';

/** How long a key is remembered, in ms. */
const REMEMBERED_MS = 24 * 3_600_000;

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

export function createIdempotencyStore(db: DrizzleD1Database) {
  return {
    /** @returns the hash of the request that the key belongs to: the first one that used it */
    async remember(
      id: string,
      requestHash: string,
      callId: CallId,
      nowMs: number,
    ): Promise<string> {
      const [, , rows] = await db.batch([
        db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAtMs, nowMs - REMEMBERED_MS)),
        db
          .insert(idempotencyKeys)
          .values({ id, requestHash, callId, createdAtMs: nowMs })
          .onConflictDoNothing(),
        db
          .select({ requestHash: idempotencyKeys.requestHash })
          .from(idempotencyKeys)
          .where(eq(idempotencyKeys.id, id)),
      ]);
      return rows[0]?.requestHash ?? requestHash;
    },
  };
}
