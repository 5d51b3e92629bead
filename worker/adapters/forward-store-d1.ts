// Webhook bodies on their way to somebody else, in D1. A row is taken by moving its time ahead, so that two senders never have it
// at once; a row whose sender died comes up again by itself.
import { and, asc, desc, eq, inArray, isNotNull, isNull, lt, lte, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { forwards } from '../db/schema.ts';

export type ForwardStore = ReturnType<typeof createForwardStore>;

export interface NewForward {
  readonly url: string;
  readonly body: ArrayBuffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Forward extends NewForward {
  readonly id: number;
  /** Attempts before this one. */
  readonly attempts: number;
  readonly createdAtMs: number;
}

/** A row as operators see it. */
export interface ForwardSummary {
  readonly id: number;
  readonly url: string;
  readonly bodyBytes: number;
  readonly attempts: number;
  /** Null once it was given up. */
  readonly nextAtMs: number | null;
  readonly lastError: string | null;
  readonly createdAtMs: number;
}

const summary = {
  id: forwards.id,
  url: forwards.url,
  bodyBytes: sql<number>`length(${forwards.body})`,
  attempts: forwards.attempts,
  nextAtMs: forwards.nextAtMs,
  lastError: forwards.lastError,
  createdAtMs: forwards.createdAtMs,
};

export function createForwardStore(db: DrizzleD1Database) {
  return {
    /** @returns ids of the rows, which the caller has until `leaseUntilMs` */
    async add(items: readonly NewForward[], atMs: number, leaseUntilMs: number): Promise<number[]> {
      const [first, ...rest] = items.map(({ url, body, headers }) =>
        db
          .insert(forwards)
          .values({
            url,
            // D1 takes bytes as they are; the column's type names Node's class for them.
            body: new Uint8Array(body) as never,
            headers,
            attempts: 0,
            nextAtMs: leaseUntilMs,
            createdAtMs: atMs,
          })
          .returning({ id: forwards.id }),
      );
      if (!first) return [];
      const results = await db.batch([first, ...rest]);
      return results.flatMap((rows) => rows.map(({ id }) => id));
    },

    /** Takes up to `limit` rows that are due. */
    async take(nowMs: number, leaseUntilMs: number, limit: number): Promise<number[]> {
      const due = db
        .select({ id: forwards.id })
        .from(forwards)
        .where(lte(forwards.nextAtMs, nowMs))
        .orderBy(asc(forwards.nextAtMs))
        .limit(limit);
      const taken = await db
        .update(forwards)
        .set({ nextAtMs: leaseUntilMs })
        .where(and(inArray(forwards.id, due), lte(forwards.nextAtMs, nowMs)))
        .returning({ id: forwards.id });
      return taken.map(({ id }) => id);
    },

    async find(id: number): Promise<Forward | null> {
      const [row] = await db.select().from(forwards).where(eq(forwards.id, id));
      if (!row) return null;
      return {
        id,
        url: row.url,
        body: new Uint8Array(row.body).buffer,
        headers: row.headers as Record<string, string>,
        attempts: row.attempts,
        createdAtMs: row.createdAtMs,
      };
    },

    async delivered(id: number): Promise<void> {
      await db.delete(forwards).where(eq(forwards.id, id));
    },

    /** @param nextAtMs null gives it up: it stays as a dead letter */
    async failed(id: number, error: string, nextAtMs: number | null): Promise<void> {
      await db
        .update(forwards)
        .set({ attempts: sql`${forwards.attempts} + 1`, lastError: error, nextAtMs })
        .where(eq(forwards.id, id));
    },

    async show(id: number): Promise<ForwardSummary | null> {
      const [row] = await db.select(summary).from(forwards).where(eq(forwards.id, id));
      return row ?? null;
    },

    /** Newest first; `beforeId` continues a page. */
    async list(
      { isDead, beforeId }: { isDead?: boolean | undefined; beforeId?: number | undefined },
      limit: number,
    ): Promise<ForwardSummary[]> {
      return db
        .select(summary)
        .from(forwards)
        .where(
          and(
            isDead === undefined
              ? undefined
              : isDead
                ? isNull(forwards.nextAtMs)
                : isNotNull(forwards.nextAtMs),
            beforeId === undefined ? undefined : lt(forwards.id, beforeId),
          ),
        )
        .orderBy(desc(forwards.id))
        .limit(limit);
    },

    /**
     * Forgets dead letters made before `beforeMs`, and the oldest rows of all when there are more than `rowsMax`.
     *
     * @returns how many were forgotten
     */
    async trim(beforeMs: number, rowsMax: number): Promise<number> {
      const excess = db
        .select({ id: forwards.id })
        .from(forwards)
        .orderBy(desc(forwards.id))
        .limit(1)
        .offset(rowsMax);
      const [old, many] = await db.batch([
        db
          .delete(forwards)
          .where(and(isNull(forwards.nextAtMs), lt(forwards.createdAtMs, beforeMs)))
          .returning({ id: forwards.id }),
        db
          .delete(forwards)
          .where(sql`${forwards.id} <= ${excess}`)
          .returning({ id: forwards.id }),
      ]);
      return old.length + many.length;
    },
  };
}
