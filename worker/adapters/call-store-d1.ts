// The record of calls in D1. One batch per decision; the first statement of each is the fence.
import { and, asc, eq, gt, inArray, lt, max, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { callEvents, calls } from '../db/schema.ts';
import type { Call } from '../domain/call.ts';
import type { TimelineEntry } from '../domain/decision.ts';
import type { CallId } from '../domain/ids.ts';
import { OutdatedError, type CallStore, type StoredEntry } from '../ports.ts';
import { callFromRow, rowFromCall } from './call-rows.ts';
import { insertContact } from './contact-store-d1.ts';

/** Keeps one clean-up statement short. */
const TOMBSTONES_PER_SWEEP = 200;

export function createCallStore(db: DrizzleD1Database): CallStore {
  return {
    async find(id) {
      const [row] = await db.select().from(calls).where(eq(calls.id, id));
      return row ? callFromRow(row) : null;
    },

    async findByProviderCallId(numberId, providerCallId) {
      const [row] = await db
        .select()
        .from(calls)
        .where(and(eq(calls.numberId, numberId), eq(calls.providerCallId, providerCallId)));
      return row ? callFromRow(row) : null;
    },

    async findLive() {
      const rows = await db
        .select()
        .from(calls)
        .where(sql`is_live = 1`);
      return rows.map(callFromRow);
    },

    async commit(call, entry, atMs, contact) {
      const row = rowFromCall(call);
      try {
        const [inserted] = await db.batch([
          insertEntry(db, call, entry, atMs),
          ...(contact ? insertContact(db, contact, atMs) : []),
          db
            .insert(calls)
            .values(row)
            .onConflictDoUpdate({ target: calls.id, set: mutable(row) }),
        ]);
        const cursor = inserted[0]?.cursor;
        if (cursor === undefined) throw new Error('D1 returned no id for the timeline entry');
        return { ...entry, cursor, callId: call.id, seq: call.version, atMs };
      } catch (error) {
        if (isFence(error)) {
          throw new OutdatedError(`call ${call.id}: version ${call.version} exists`, {
            cause: error,
          });
        }
        throw error;
      }
    },

    async entriesAfter(cursor, limit) {
      const rows = await db
        .select()
        .from(callEvents)
        .where(gt(callEvents.id, cursor))
        .orderBy(asc(callEvents.id))
        .limit(limit);
      return rows.map(entryFromRow);
    },

    async entriesOf(id, afterSeq) {
      const rows = await db
        .select()
        .from(callEvents)
        .where(and(eq(callEvents.callId, id), gt(callEvents.seq, afterSeq)))
        .orderBy(asc(callEvents.seq));
      return rows.map(entryFromRow);
    },

    async lastCursor() {
      const [row] = await db.select({ cursor: max(callEvents.id) }).from(callEvents);
      return row?.cursor ?? 0;
    },

    async deleteTombstones(beforeMs) {
      const old = db
        .select({ id: calls.id })
        .from(calls)
        .where(and(eq(calls.state, 'tombstone'), lt(calls.createdAtMs, beforeMs)))
        .limit(TOMBSTONES_PER_SWEEP);
      await db.batch([
        db.delete(callEvents).where(inArray(callEvents.callId, old)),
        db.delete(calls).where(inArray(calls.id, old)),
      ]);
    },
  };
}

export function entryFromRow(row: typeof callEvents.$inferSelect): StoredEntry {
  const entry = { type: row.type as TimelineEntry['type'] };
  return {
    ...entry,
    ...(row.detail === null ? {} : { detail: row.detail as NonNullable<TimelineEntry['detail']> }),
    cursor: row.id,
    callId: row.callId as CallId,
    seq: row.seq,
    atMs: row.atMs,
  };
}

const insertEntry = (db: DrizzleD1Database, call: Call, entry: TimelineEntry, atMs: number) =>
  db
    .insert(callEvents)
    .values({ callId: call.id, seq: call.version, atMs, type: entry.type, detail: entry.detail })
    .returning({ cursor: callEvents.id });

/** What a later decision may change; the rest is fixed by the first. */
function mutable(row: ReturnType<typeof rowFromCall>): Partial<ReturnType<typeof rowFromCall>> {
  const { id: _id, createdAtMs: _createdAtMs, contactId, relayId, ...rest } = row;
  // A settled call no longer knows its caller nor where its media was; the row does.
  return {
    ...rest,
    ...(contactId === null ? {} : { contactId }),
    ...(relayId === null ? {} : { relayId }),
  };
}

function isFence(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause.message.includes('call_events.call_id, call_events.seq')) return true;
  }
  return false;
}
