// Reads calls from D1 for the API: lists by page, one with its timeline. The Switchboard is not involved.
import { and, asc, desc, eq, inArray, isNotNull, lt, ne, or, sql, type SQL } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import {
  iso,
  viewOfCall,
  type CallView,
  type ContactView,
  type RecordingView,
} from '../call-view.ts';
import { callEvents, calls, contactIdentities, contacts, recordings } from '../db/schema.ts';
import { roomOfCall, type CallId } from '../domain/ids.ts';
import type { StoredEntry } from '../ports.ts';
import { callFromRow } from './call-rows.ts';
import { entryFromRow } from './call-store-d1.ts';
import { queryable } from './database.ts';
import { isKept } from './recording-store-d1.ts';

export type CallReader = ReturnType<typeof createCallReader>;

/** Where a page ends: the creation time and id of its last call. */
export interface PageEnd {
  readonly createdAtMs: number;
  readonly id: string;
}

/** Everything that is there must fit. */
export interface CallFilter {
  readonly states?: readonly CallView['state'][] | undefined;
  readonly followUp?: 'open' | 'done' | undefined;
  readonly teamId?: string | undefined;
  /** Who has or had it. */
  readonly agentId?: string | undefined;
  readonly after?: PageEnd | undefined;
}

/** As literals: SQLite takes the partial index for no parameter. */
const IS_FOLLOW_UP_OPEN = sql`follow_up IS NOT NULL AND followed_up_at_ms IS NULL`;

const recordingColumns = {
  durationMs: recordings.durationMs,
  bytes: recordings.bytes,
  sha256: recordings.sha256,
  expiresAtMs: recordings.expiresAtMs,
};

/** @param now epoch ms: recordings are shown until their time is over */
export function createCallReader(db: DrizzleD1Database, now: () => number) {
  const phone = db
    .select({ value: contactIdentities.value })
    .from(contactIdentities)
    .where(
      and(eq(contactIdentities.contactId, calls.contactId), eq(contactIdentities.kind, 'phone')),
    )
    .limit(1);
  const select = () =>
    db
      .select({
        call: calls,
        name: contacts.name,
        phone: sql<string | null>`(${phone})`,
        // Observed: in a batch, columns of one name in two tables become one. None of these is a column of `calls`.
        recording: recordingColumns,
      })
      .from(calls)
      .leftJoin(contacts, eq(contacts.id, calls.contactId))
      .leftJoin(recordings, and(eq(recordings.callId, calls.id), isKept(now())));

  return {
    /** Newest first. `next` is where the next page starts, null on the last one. */
    async list(
      filter: CallFilter,
      limit: number,
    ): Promise<{ calls: CallView[]; next: PageEnd | null }> {
      const conditions: (SQL | undefined)[] = [ne(calls.state, 'tombstone')];
      // Each once, however often it is asked for: a query takes 100 parameters.
      if (filter.states) conditions.push(inArray(calls.state, [...new Set(filter.states)]));
      if (filter.followUp === 'open') conditions.push(IS_FOLLOW_UP_OPEN);
      if (filter.followUp === 'done') conditions.push(isNotNull(calls.followedUpAtMs));
      if (filter.teamId !== undefined) conditions.push(eq(calls.teamId, filter.teamId));
      if (filter.agentId !== undefined) conditions.push(eq(calls.claimedBy, filter.agentId));
      if (filter.after) {
        const { createdAtMs, id } = filter.after;
        conditions.push(
          or(
            lt(calls.createdAtMs, createdAtMs),
            and(eq(calls.createdAtMs, createdAtMs), lt(calls.id, id)),
          ),
        );
      }
      const rows = await select()
        .where(and(...conditions))
        .orderBy(desc(calls.createdAtMs), desc(calls.id))
        .limit(limit + 1);
      const page = rows.slice(0, limit);
      const last = page.at(-1)?.call;
      return {
        calls: page.map(viewOfRow),
        next: rows.length > limit && last ? { createdAtMs: last.createdAtMs, id: last.id } : null,
      };
    },

    /** Those that are there, by id. */
    async findMany(ids: readonly CallId[]): Promise<ReadonlyMap<CallId, CallView>> {
      const found = new Map<CallId, CallView>();
      for (const some of queryable([...new Set(ids)])) {
        const rows = await select().where(
          and(inArray(calls.id, some), ne(calls.state, 'tombstone')),
        );
        for (const row of rows) found.set(row.call.id as CallId, viewOfRow(row));
      }
      return found;
    },

    async find(id: CallId): Promise<{ call: CallView; timeline: StoredEntry[] } | null> {
      const [rows, entries] = await db.batch([
        select().where(and(eq(calls.id, id), ne(calls.state, 'tombstone'))),
        db.select().from(callEvents).where(eq(callEvents.callId, id)).orderBy(asc(callEvents.seq)),
      ]);
      const [row] = rows;
      return row ? { call: viewOfRow(row), timeline: entries.map(entryFromRow) } : null;
    },
  };
}

function viewOfRow(row: {
  call: typeof calls.$inferSelect;
  name: string | null;
  phone: string | null;
  recording: {
    durationMs: number;
    bytes: number;
    sha256: string;
    expiresAtMs: number | null;
  } | null;
}): CallView {
  const { contactId } = row.call;
  const contact: ContactView | null =
    contactId === null ? null : { id: contactId, name: row.name, phone: row.phone };
  const call = callFromRow(row.call);
  const recording: RecordingView | null = row.recording && {
    duration_ms: row.recording.durationMs,
    bytes: row.recording.bytes,
    sha256: row.recording.sha256,
    expires_at: row.recording.expiresAtMs === null ? null : iso(row.recording.expiresAtMs),
  };
  return viewOfCall(call, roomOfCall(call.id), contact, recording, row.call.followedUpAtMs);
}
