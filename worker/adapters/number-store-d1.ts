// The business numbers in D1: registering and changing them, their secrets, and what the provider says about them.
import { and, eq, inArray, isNull, lt, or } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { numbers } from '../db/schema.ts';
import type { NumberId } from '../domain/ids.ts';
import type { Restriction } from '../domain/restriction.ts';
import type { BusinessNumber } from '../ports.ts';
import { numberFromRow } from './directory-d1.ts';

export type NumberStore = ReturnType<typeof createNumberStore>;

/** Secrets of a number, sealed. */
export interface SealedSecrets {
  readonly accessTokenSealed: string;
  readonly webhookSecretSealed: string | null;
}

/** What may be changed after registration; absent members stay as they are. */
export type NumberChange = Partial<
  Pick<
    BusinessNumber,
    | 'displayPhoneNumber'
    | 'apiBaseUrl'
    | 'businessAccountId'
    | 'appId'
    | 'forwardUrl'
    | 'fallbackText'
  > &
    SealedSecrets
>;

/** When a number last heard of its provider is kept to the minute, so that traffic does not become writes. */
const WEBHOOK_AT_STEP_MS = 60_000;

export function createNumberStore(db: DrizzleD1Database) {
  return {
    /** @returns false when the provider's phone number id is registered already */
    async add(number: BusinessNumber, secrets: SealedSecrets): Promise<boolean> {
      const added = await db
        .insert(numbers)
        .values({ ...number, ...secrets })
        .onConflictDoNothing()
        .returning({ id: numbers.id });
      return added.length > 0;
    },

    async find(id: NumberId): Promise<BusinessNumber | null> {
      const [row] = await db.select().from(numbers).where(eq(numbers.id, id));
      return row ? numberFromRow(row) : null;
    },

    async findWebhookSecret(
      id: NumberId,
    ): Promise<{ number: BusinessNumber; sealed: string | null } | null> {
      const [row] = await db.select().from(numbers).where(eq(numbers.id, id));
      return row ? { number: numberFromRow(row), sealed: row.webhookSecretSealed } : null;
    },

    /** @returns the number as it is now; null when it is not registered */
    async change(id: NumberId, change: NumberChange): Promise<BusinessNumber | null> {
      if (Object.keys(change).length === 0) return this.find(id);
      const [row] = await db.update(numbers).set(change).where(eq(numbers.id, id)).returning();
      return row ? numberFromRow(row) : null;
    },

    async setCalling(
      id: NumberId,
      calling: BusinessNumber['calling'],
      restrictions?: readonly Restriction[],
    ): Promise<void> {
      await db
        .update(numbers)
        .set({ calling, ...(restrictions ? { restrictions } : {}) })
        .where(eq(numbers.id, id));
    },

    async setRestrictions(id: NumberId, restrictions: readonly Restriction[]): Promise<void> {
      await db.update(numbers).set({ restrictions }).where(eq(numbers.id, id));
    },

    /** Takes note that a webhook for these numbers was verified. */
    async heard(phoneNumberIds: readonly string[], atMs: number): Promise<void> {
      await db
        .update(numbers)
        .set({ webhookAtMs: atMs })
        .where(
          and(
            inArray(numbers.phoneNumberId, [...phoneNumberIds]),
            or(isNull(numbers.webhookAtMs), lt(numbers.webhookAtMs, atMs - WEBHOOK_AT_STEP_MS)),
          ),
        );
    },

    /** How long a write to the database takes from here, in ms: the number's row is written as it is. */
    async measureCommitMs(id: NumberId, now: () => number): Promise<number> {
      const startedAtMs = now();
      await db.update(numbers).set({ webhookAtMs: numbers.webhookAtMs }).where(eq(numbers.id, id));
      return now() - startedAtMs;
    },
  };
}
