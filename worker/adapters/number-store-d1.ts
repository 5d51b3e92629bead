// The business numbers in D1: registering and changing them, their secrets, and what the provider says about them.
import { and, eq, exists, inArray, isNull, lt, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { numbers, prompts } from '../db/schema.ts';
import type { NumberId } from '../domain/ids.ts';
import type { Restriction } from '../domain/restriction.ts';
import type { BusinessNumber } from '../ports.ts';
import { numberFromRow } from './directory-d1.ts';
import { isUsable } from './prompt-store-d1.ts';

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
    | 'recording'
    | 'recordingAnnouncement'
    | 'recordingRetentionDays'
  > &
    SealedSecrets
>;

/** When a number last heard of its provider is kept to the minute, so that traffic does not become writes. */
const WEBHOOK_AT_STEP_MS = 60_000;

export function createNumberStore(db: DrizzleD1Database) {
  /** A prompt that may be on its way out is not taken: whether it is there is seen in the statement that writes. */
  const usable = (promptId: string) =>
    db
      .select({ id: prompts.id })
      .from(prompts)
      .where(and(eq(prompts.id, promptId), isUsable));

  return {
    /**
     * @returns null when the provider's phone number id is registered already; the number as it is now, without its announcement
     * if there is no such prompt
     */
    async add(number: BusinessNumber, secrets: SealedSecrets): Promise<BusinessNumber | null> {
      const { recordingAnnouncement: prompt } = number;
      const [row] = await db
        .insert(numbers)
        .values({
          ...number,
          ...secrets,
          recordingAnnouncement: prompt === null ? null : sql`(${usable(prompt)})`,
        })
        .onConflictDoNothing()
        .returning();
      return row ? numberFromRow(row) : null;
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

    /**
     * @returns the number as it is now; null when it is not registered, or its announcement would be a prompt that is not there:
     * then nothing was changed
     */
    async change(id: NumberId, change: NumberChange): Promise<BusinessNumber | null> {
      if (Object.keys(change).length === 0) return this.find(id);
      const { recordingAnnouncement: prompt } = change;
      const [row] = await db
        .update(numbers)
        .set(change)
        .where(
          and(eq(numbers.id, id), typeof prompt === 'string' ? exists(usable(prompt)) : undefined),
        )
        .returning();
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
