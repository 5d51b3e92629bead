// Who changed what through the API.
import { and, desc, eq, gte, inArray, lt } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { audit } from '../db/schema.ts';

export type AuditStore = ReturnType<typeof createAuditStore>;

export interface AuditEntry {
  readonly atMs: number;
  /** `admin` for the operator's key, else the id of an agent or of an API key. */
  readonly actor: string;
  /** The route, such as `POST /v1/calls/:id/hold`. */
  readonly action: string;
  /** The id in the path; null where there is none. */
  readonly target: string | null;
  /** HTTP status of the answer. */
  readonly status: number;
}
export type StoredAuditEntry = AuditEntry & { readonly id: number };

/** Keeps one clean-up statement short. */
const ENTRIES_PER_SWEEP = 1_000;

export function createAuditStore(db: DrizzleD1Database) {
  return {
    async add(entry: AuditEntry): Promise<void> {
      await db.insert(audit).values(entry);
    },

    /** @returns at most `limit` entries, newest first, those before the entry `before`; `next` is null on the last page */
    async list(
      filter: {
        target?: string | undefined;
        actor?: string | undefined;
        afterMs?: number | undefined;
        before?: number | undefined;
      },
      limit: number,
    ): Promise<{ entries: StoredAuditEntry[]; next: number | null }> {
      const { target, actor, afterMs, before } = filter;
      const rows = await db
        .select()
        .from(audit)
        .where(
          and(
            target === undefined ? undefined : eq(audit.target, target),
            actor === undefined ? undefined : eq(audit.actor, actor),
            afterMs === undefined ? undefined : gte(audit.atMs, afterMs),
            before === undefined ? undefined : lt(audit.id, before),
          ),
        )
        .orderBy(desc(audit.id))
        .limit(limit + 1);
      const entries = rows.slice(0, limit);
      return { entries, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
    },

    /** Forgets entries from before `beforeMs`, a bounded number at a time. */
    async sweep(beforeMs: number): Promise<void> {
      const old = db
        .select({ id: audit.id })
        .from(audit)
        .where(lt(audit.atMs, beforeMs))
        .orderBy(audit.id)
        .limit(ENTRIES_PER_SWEEP);
      await db.delete(audit).where(inArray(audit.id, old));
    },
  };
}
