// The ledgers of permissions in D1. Webhooks, calls and requests change one at the same time, so every write names the version
// that it was made from.
import { and, eq } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { permissions } from '../db/schema.ts';
import type { ContactId, NumberId } from '../domain/ids.ts';
import { EMPTY_LEDGER, type Ledger } from '../domain/permission-ledger.ts';

export type PermissionStore = ReturnType<typeof createPermissionStore>;

/** Writers of one ledger rarely collide more than once; beyond this something is looping. */
const WRITE_ATTEMPTS_MAX = 8;

type Row = typeof permissions.$inferSelect;

export function createPermissionStore(db: DrizzleD1Database) {
  const read = async (numberId: NumberId, contactId: ContactId): Promise<Row | null> => {
    const [row] = await db.select().from(permissions).where(keyed(numberId, contactId));
    return row ?? null;
  };

  /** One statement; false when somebody else wrote since `before` was read. */
  const write = async (next: Row, before: Row | null): Promise<boolean> => {
    const written = before
      ? await db
          .update(permissions)
          .set(next)
          .where(
            and(
              keyed(next.numberId as NumberId, next.contactId as ContactId),
              eq(permissions.updatedAtMs, before.updatedAtMs),
            ),
          )
          .returning({ at: permissions.updatedAtMs })
      : await db
          .insert(permissions)
          .values(next)
          .onConflictDoNothing()
          .returning({ at: permissions.updatedAtMs });
    return written.length > 0;
  };

  return {
    /** What is known; the empty ledger when nothing is. */
    async load(numberId: NumberId, contactId: ContactId): Promise<Ledger> {
      return ledgerOf(await read(numberId, contactId));
    },

    /**
     * Changes a ledger. Nothing is written when `change` returns what it was given.
     *
     * @param change pure; called again when somebody else was faster
     * @returns the ledger as it is now
     * @throws Error when the number or the contact does not exist
     */
    async update(
      numberId: NumberId,
      contactId: ContactId,
      nowMs: number,
      change: (ledger: Ledger) => Ledger,
    ): Promise<Ledger> {
      for (let attempt = 0; attempt < WRITE_ATTEMPTS_MAX; attempt++) {
        const before = await read(numberId, contactId);
        const known = ledgerOf(before);
        const ledger = change(known);
        if (ledger === known) return ledger;
        const { windowUntilMs, ...rest } = ledger;
        // Never the same value twice, so it tells versions apart.
        const updatedAtMs = Math.max(nowMs, (before?.updatedAtMs ?? 0) + 1);
        const next = { numberId, contactId, ledger: rest, windowUntilMs, updatedAtMs };
        if (await write(next, before)) return ledger;
      }
      throw new Error('permissions: write attempts exhausted');
    },
  };
}

const keyed = (numberId: NumberId, contactId: ContactId) =>
  and(eq(permissions.numberId, numberId), eq(permissions.contactId, contactId));

/** Rows are written by this store alone, which is what makes the cast sound. */
const ledgerOf = (row: Row | null): Ledger =>
  row
    ? {
        ...EMPTY_LEDGER,
        ...(row.ledger as Omit<Ledger, 'windowUntilMs'>),
        windowUntilMs: row.windowUntilMs,
      }
    : EMPTY_LEDGER;
