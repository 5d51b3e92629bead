// Endpoints of users that events are sent to, in D1. Each holds how far events were looked at for it.
import { and, asc, count, eq, isNull, lte, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { callEvents, webhookDeliveries, webhookEndpoints } from '../db/schema.ts';
import type { PublicEvent } from '../domain/public-event.ts';
import type { DisabledBecause } from '../domain/webhook-delivery.ts';

export type WebhookStore = ReturnType<typeof createWebhookStore>;

export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  /** Types that it gets; null: all. */
  readonly events: readonly PublicEvent[] | null;
  readonly createdAtMs: number;
  readonly disabledAtMs: number | null;
  readonly disabledBecause: DisabledBecause | null;
  /** Since when every attempt failed; null when the last one did not. */
  readonly failingSinceMs: number | null;
  readonly secretSealed: string;
  /** Signs too, until `previousUntilMs`. */
  readonly previousSecretSealed: string | null;
  readonly previousUntilMs: number | null;
  /** Events after this one have not been looked at for it. */
  readonly afterEventId: number;
}

/** What somebody may change; what is left out stays. */
export interface WebhookChange {
  readonly url?: string;
  readonly events?: readonly PublicEvent[] | null;
}

/** Rows that one statement deletes: the database does nothing else meanwhile. */
const DELETED_AT_ONCE = 500;

const isThere = isNull(webhookEndpoints.deletedAtMs);
const isEnabled = and(isThere, isNull(webhookEndpoints.disabledAtMs));
const lastEventId = sql<number>`(SELECT coalesce(max(${callEvents.id}), 0) FROM ${callEvents})`;

export function createWebhookStore(db: DrizzleD1Database) {
  const one = (id: string) => and(eq(webhookEndpoints.id, id), isThere);
  /** Gives up what is on its way to an endpoint. */
  const giveUp = (id: string) =>
    db
      .update(webhookDeliveries)
      .set({ nextAtMs: null, lastError: 'the endpoint was switched off' })
      .where(and(eq(webhookDeliveries.endpointId, id), sql`next_at_ms IS NOT NULL`));

  return {
    /** It gets what happens from now on. */
    async add(
      endpoint: Pick<WebhookEndpoint, 'id' | 'url' | 'events' | 'secretSealed' | 'createdAtMs'>,
    ): Promise<WebhookEndpoint> {
      const [row] = await db
        .insert(webhookEndpoints)
        .values({ ...endpoint, afterEventId: lastEventId })
        .returning();
      if (!row) throw new Error('D1 returned no row for the endpoint');
      return endpointFromRow(row);
    },

    async count(): Promise<number> {
      const [row] = await db.select({ endpoints: count() }).from(webhookEndpoints).where(isThere);
      return row?.endpoints ?? 0;
    },

    /** Oldest first. */
    async list(): Promise<WebhookEndpoint[]> {
      const rows = await db
        .select()
        .from(webhookEndpoints)
        .where(isThere)
        .orderBy(asc(webhookEndpoints.createdAtMs), asc(webhookEndpoints.id));
      return rows.map(endpointFromRow);
    },

    async listEnabled(): Promise<WebhookEndpoint[]> {
      return (await db.select().from(webhookEndpoints).where(isEnabled)).map(endpointFromRow);
    },

    async find(id: string): Promise<WebhookEndpoint | null> {
      const [row] = await db.select().from(webhookEndpoints).where(one(id));
      return row ? endpointFromRow(row) : null;
    },

    async change(id: string, change: WebhookChange): Promise<void> {
      if (Object.keys(change).length === 0) return;
      await db.update(webhookEndpoints).set(change).where(one(id));
    },

    /** The secret before signs too until `untilMs`; the one before that no more. */
    async changeSecret(id: string, secretSealed: string, untilMs: number): Promise<boolean> {
      const changed = await db
        .update(webhookEndpoints)
        .set({
          previousSecretSealed: sql`${webhookEndpoints.secretSealed}`,
          previousUntilMs: untilMs,
          secretSealed,
        })
        .where(one(id))
        .returning({ id: webhookEndpoints.id });
      return changed.length > 0;
    },

    /** It gets what happens from now on. Nothing changes for an endpoint that is enabled. */
    async enable(id: string): Promise<void> {
      await db
        .update(webhookEndpoints)
        .set({
          disabledAtMs: null,
          disabledBecause: null,
          failingSinceMs: null,
          afterEventId: lastEventId,
        })
        .where(and(one(id), sql`disabled_at_ms IS NOT NULL`));
    },

    /**
     * Nothing is sent there from now on, and what was on its way is given up.
     *
     * @returns false when it was switched off already, or is not there
     */
    async disable(id: string, because: DisabledBecause, atMs: number): Promise<boolean> {
      const [disabled] = await db.batch([
        db
          .update(webhookEndpoints)
          .set({ disabledAtMs: atMs, disabledBecause: because })
          .where(and(eq(webhookEndpoints.id, id), isEnabled))
          .returning({ id: webhookEndpoints.id }),
        giveUp(id),
      ]);
      return disabled.length > 0;
    },

    /** Its secrets go at once, its deliveries with time. */
    async remove(id: string, atMs: number): Promise<boolean> {
      const removed = await db
        .update(webhookEndpoints)
        .set({ deletedAtMs: atMs, secretSealed: '', previousSecretSealed: null })
        .where(one(id))
        .returning({ id: webhookEndpoints.id });
      return removed.length > 0;
    },

    /** @param sinceMs null: the last attempt did not fail */
    async failingSince(id: string, sinceMs: number | null): Promise<void> {
      await db.update(webhookEndpoints).set({ failingSinceMs: sinceMs }).where(one(id));
    },

    /**
     * Makes the caller the only one who sends to an endpoint, until `untilMs` or `release`.
     *
     * @returns null when somebody else is, or nothing is to be sent there
     */
    async take(id: string, nowMs: number, untilMs: number): Promise<WebhookEndpoint | null> {
      const isFree = or(
        isNull(webhookEndpoints.sendingUntilMs),
        lte(webhookEndpoints.sendingUntilMs, nowMs),
      );
      const [row] = await db
        .update(webhookEndpoints)
        .set({ sendingUntilMs: untilMs })
        .where(and(eq(webhookEndpoints.id, id), isEnabled, isFree))
        .returning();
      return row ? endpointFromRow(row) : null;
    },

    /** @param untilMs as it was taken: somebody else may have it by now */
    async release(id: string, untilMs: number): Promise<void> {
      await db
        .update(webhookEndpoints)
        .set({ sendingUntilMs: null })
        .where(and(eq(webhookEndpoints.id, id), eq(webhookEndpoints.sendingUntilMs, untilMs)));
    },

    /** Forgets endpoints that were deleted, a bounded number of their deliveries at a time. */
    async forgetDeleted(): Promise<void> {
      const deleted = await db
        .select({ id: webhookEndpoints.id })
        .from(webhookEndpoints)
        .where(sql`deleted_at_ms IS NOT NULL`);
      for (const { id } of deleted) {
        const some = db
          .select({ id: webhookDeliveries.id })
          .from(webhookDeliveries)
          .where(eq(webhookDeliveries.endpointId, id))
          .limit(DELETED_AT_ONCE);
        await db.delete(webhookDeliveries).where(sql`${webhookDeliveries.id} IN ${some}`);
        await db
          .delete(webhookEndpoints)
          .where(
            and(
              eq(webhookEndpoints.id, id),
              sql`NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE endpoint_id = ${id})`,
            ),
          );
      }
    },
  };
}

/** Written by `add` and `change` alone, which is what makes the cast sound. */
const endpointFromRow = (row: typeof webhookEndpoints.$inferSelect): WebhookEndpoint => ({
  ...row,
  events: row.events as WebhookEndpoint['events'],
});
