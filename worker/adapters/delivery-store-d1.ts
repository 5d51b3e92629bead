// Events on their way to endpoints of users, in D1. Derived from the timelines of calls: a row is made for each event and endpoint,
// in the same batch that notes how far the events were looked at, so that none is left out and none is made twice.
import { and, asc, desc, eq, isNotNull, isNull, lt, lte, min, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { webhookDeliveries, webhookEndpoints } from '../db/schema.ts';
import type { CallId } from '../domain/ids.ts';
import type { PublicEvent } from '../domain/public-event.ts';
import type { Attempt } from '../domain/webhook-delivery.ts';
import { createCallStore } from './call-store-d1.ts';

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

export interface NewDelivery {
  readonly endpointId: string;
  readonly eventId: number;
  readonly callId: CallId;
  readonly type: PublicEvent;
  readonly body: string;
  readonly createdAtMs: number;
}

export interface Delivery extends NewDelivery {
  readonly id: number;
  /** So far. */
  readonly attempts: number;
  /** Null once it arrived or was given up; 0 before the first attempt. */
  readonly nextAtMs: number | null;
  readonly deliveredAtMs: number | null;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** Rows that one statement deletes: the database does nothing else meanwhile. */
const DELETED_AT_ONCE = 500;

const inStatus = {
  pending: isNotNull(webhookDeliveries.nextAtMs),
  delivered: and(isNull(webhookDeliveries.nextAtMs), isNotNull(webhookDeliveries.deliveredAtMs)),
  failed: and(isNull(webhookDeliveries.nextAtMs), isNull(webhookDeliveries.deliveredAtMs)),
} as const;

export function createDeliveryStore(db: DrizzleD1Database) {
  const calls = createCallStore(db);

  return {
    /** Timeline entries of all calls after `eventId`, in order. */
    entriesAfter: (eventId: number, limit: number) => calls.entriesAfter(eventId, limit),

    /**
     * Stores deliveries and that events up to `eventId` were looked at for these endpoints. Doing it again is harmless, also at
     * the same time.
     */
    async add(
      deliveries: readonly NewDelivery[],
      endpointIds: readonly string[],
      eventId: number,
    ): Promise<void> {
      const [first, ...rest] = [
        ...deliveries.map((delivery) =>
          db
            .insert(webhookDeliveries)
            .values({ ...delivery, attempts: 0, nextAtMs: 0 })
            .onConflictDoNothing(),
        ),
        ...endpointIds.map((id) =>
          db
            .update(webhookEndpoints)
            .set({ afterEventId: eventId })
            .where(and(eq(webhookEndpoints.id, id), lt(webhookEndpoints.afterEventId, eventId))),
        ),
      ];
      if (first) await db.batch([first, ...rest]);
    },

    /** What is to be sent to an endpoint now: those that were never tried first, in the order of their events. */
    async due(endpointId: string, nowMs: number, limit: number): Promise<Delivery[]> {
      const rows = await db
        .select()
        .from(webhookDeliveries)
        .where(
          and(eq(webhookDeliveries.endpointId, endpointId), lte(webhookDeliveries.nextAtMs, nowMs)),
        )
        .orderBy(asc(webhookDeliveries.nextAtMs), asc(webhookDeliveries.eventId))
        .limit(limit);
      return rows.map(deliveryFromRow);
    },

    /** When something is to be sent to an endpoint, in epoch ms; null: never. */
    async nextDueAtMs(endpointId: string): Promise<number | null> {
      const [row] = await db
        .select({ atMs: min(webhookDeliveries.nextAtMs) })
        .from(webhookDeliveries)
        .where(
          and(eq(webhookDeliveries.endpointId, endpointId), isNotNull(webhookDeliveries.nextAtMs)),
        );
      return row?.atMs ?? null;
    },

    async find(id: number): Promise<Delivery | null> {
      const [row] = await db.select().from(webhookDeliveries).where(eq(webhookDeliveries.id, id));
      return row ? deliveryFromRow(row) : null;
    },

    /** Notes an attempt. `nextAtMs`: when it is tried again, for one that failed; null gives it up. */
    async attempted(
      { id }: Delivery,
      { status, error }: Attempt,
      atMs: number,
      nextAtMs: number | null,
    ): Promise<void> {
      await db
        .update(webhookDeliveries)
        .set({
          attempts: sql`${webhookDeliveries.attempts} + 1`,
          lastStatus: status,
          lastError: error,
          nextAtMs,
          ...(error === null ? { deliveredAtMs: atMs } : {}),
        })
        .where(eq(webhookDeliveries.id, id));
    },

    /** Those of one endpoint, newest event first; `beforeEventId` continues a page. */
    async list(
      endpointId: string,
      filter: { status?: DeliveryStatus | undefined; beforeEventId?: number | undefined },
      limit: number,
    ): Promise<Delivery[]> {
      const { status, beforeEventId } = filter;
      const rows = await db
        .select()
        .from(webhookDeliveries)
        .where(
          and(
            eq(webhookDeliveries.endpointId, endpointId),
            status && inStatus[status],
            beforeEventId === undefined ? undefined : lt(webhookDeliveries.eventId, beforeEventId),
          ),
        )
        .orderBy(desc(webhookDeliveries.eventId))
        .limit(limit);
      return rows.map(deliveryFromRow);
    },

    /** Forgets those made before `beforeMs`, a bounded number at a time. Rows are made in the order of their ids. */
    async trim(beforeMs: number): Promise<void> {
      const oldest = db
        .select({ id: webhookDeliveries.id })
        .from(webhookDeliveries)
        .orderBy(asc(webhookDeliveries.id))
        .limit(DELETED_AT_ONCE);
      await db
        .delete(webhookDeliveries)
        .where(
          and(
            sql`${webhookDeliveries.id} IN ${oldest}`,
            lt(webhookDeliveries.createdAtMs, beforeMs),
          ),
        );
    },
  };
}

/** Written by `add` alone, which is what makes the casts sound. */
const deliveryFromRow = (row: typeof webhookDeliveries.$inferSelect): Delivery => ({
  ...row,
  callId: row.callId as CallId,
  type: row.type as PublicEvent,
});

export const statusOf = ({ nextAtMs, deliveredAtMs }: Delivery): DeliveryStatus => {
  if (nextAtMs !== null) return 'pending';
  return deliveredAtMs === null ? 'failed' : 'delivered';
};
