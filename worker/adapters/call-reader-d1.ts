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
import { maySee, type Sight } from '../domain/sight.ts';
import type { StoredEntry } from '../ports.ts';
import { callFromRow } from './call-rows.ts';
import { mayBeSeen } from './call-sight-d1.ts';
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

  const readPage = async (filter: CallFilter, sight: Sight, limit: number) => {
    const conditions: (SQL | undefined)[] = [ne(calls.state, 'tombstone'), mayBeSeen(sight)];
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
    return select()
      .where(and(...conditions))
      .orderBy(desc(calls.createdAtMs), desc(calls.id))
      .limit(limit);
  };

  return {
    /** Newest first, those that `sight` shows. `next` is where the next page starts, null on the last one. */
    async list(
      filter: CallFilter,
      sight: Sight,
      limit: number,
    ): Promise<{ calls: CallView[]; next: PageEnd | null }> {
      const found: CallRow[] = [];
      for (let { after } = filter; ;) {
        const rows = await readPage({ ...filter, after }, sight, limit + 1);
        found.push(...rows.filter(({ call }) => maySee(sight, callFromRow(call))));
        const last = rows.at(-1)?.call;
        if (!last || rows.length <= limit || found.length > limit) break;
        after = endOf(last);
      }
      const page = found.slice(0, limit);
      const last = page.at(-1)?.call;
      return {
        calls: page.map(viewOfRow),
        next: found.length > limit && last ? endOf(last) : null,
      };
    },

    /** Null also for a call that `sight` does not show. */
    async find(
      id: CallId,
      sight: Sight,
    ): Promise<{ call: CallView; timeline: StoredEntry[] } | null> {
      const [rows, entries] = await db.batch([
        select().where(and(eq(calls.id, id), ne(calls.state, 'tombstone'))),
        db.select().from(callEvents).where(eq(callEvents.callId, id)).orderBy(asc(callEvents.seq)),
      ]);
      const [row] = rows;
      if (!row || !maySee(sight, callFromRow(row.call))) return null;
      return { call: viewOfRow(row), timeline: entries.map(entryFromRow) };
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

    /** Those of the contacts about whom `sight` tells something: there is no call with them, or one that it shows. */
    async contactsSeen(ids: readonly string[], sight: Sight): Promise<ReadonlySet<string>> {
      if (sight.teams === null) return new Set(ids);
      const seen = new Set(ids);
      for (const some of queryable(ids)) {
        const ofThem = and(inArray(calls.contactId, some), ne(calls.state, 'tombstone'));
        const [called, rows] = await db.batch([
          db.selectDistinct({ contactId: calls.contactId }).from(calls).where(ofThem),
          db
            .select()
            .from(calls)
            .where(and(ofThem, mayBeSeen(sight))),
        ]);
        const shown = new Set(
          rows.filter((row) => maySee(sight, callFromRow(row))).map(({ contactId }) => contactId),
        );
        for (const { contactId } of called) {
          if (contactId !== null && !shown.has(contactId)) seen.delete(contactId);
        }
      }
      return seen;
    },
  };
}

const endOf = ({ createdAtMs, id }: PageEnd): PageEnd => ({ createdAtMs, id });

interface CallRow {
  readonly call: typeof calls.$inferSelect;
  readonly name: string | null;
  readonly phone: string | null;
  readonly recording: {
    durationMs: number;
    bytes: number;
    sha256: string;
    expiresAtMs: number | null;
  } | null;
}

function viewOfRow(row: CallRow): CallView {
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
