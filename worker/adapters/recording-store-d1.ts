// The recordings in D1; their audio is in R2. A row is there before its audio and tells of it until it is gone, so that nothing is
// left behind when anything in between is interrupted.
import { and, desc, eq, gt, inArray, isNotNull, isNull, lte, or, sql } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { callEvents, calls, numbers, recordings } from '../db/schema.ts';
import type { TimelineType } from '../domain/decision.ts';
import type { CallId, RelayId } from '../domain/ids.ts';

export type RecordingStore = ReturnType<typeof createRecordingStore>;

export interface NewRecording {
  readonly callId: CallId;
  readonly relayId: RelayId;
  readonly durationMs: number;
  readonly bytes: number;
  /** Of its Opus packets, hex: tells recordings apart. */
  readonly sha256: string;
}

export interface Recording extends NewRecording {
  readonly r2Key: string;
  /** Null: kept for ever. */
  readonly expiresAtMs: number | null;
}

export interface RecordedCall {
  readonly relayId: string | null;
  readonly endedAtMs: number | null;
  /** How long the number keeps recordings; null: for ever. */
  readonly days: number | null;
  /** The caller was not told that they are recorded, and nobody has asked for a recording since. */
  readonly isUnannounced: boolean;
}

/** Entries of the timeline after which a call is recorded, or is not. */
const BEGINNINGS: readonly TimelineType[] = ['announcement-failed', 'recording-started'];

const DAY_MS = 24 * 3600_000;
/** How long after the end of a call its recording may be brought, in ms. */
export const UPLOAD_MS = 7 * DAY_MS;
/**
 * How long it is remembered that there was a recording, in ms: longer than it may be brought, so that a relay that did not hear
 * that it had been taken cannot bring it back after it was deleted.
 */
const REMEMBERED_MS = UPLOAD_MS + DAY_MS;
/** Keeps one clean-up statement short. */
const FORGOTTEN_AT_ONCE = 200;

export const recordingKey = (id: CallId): string => `recordings/${id}.ogg`;

/** It is there, and may be heard at `nowMs`. */
export const isKept = (nowMs: number) =>
  and(
    isNotNull(recordings.storedAtMs),
    or(isNull(recordings.expiresAtMs), gt(recordings.expiresAtMs, nowMs)),
  );

export function createRecordingStore(db: DrizzleD1Database) {
  return {
    /** What decides whether a relay may bring the recording of a call, and how long it is kept; null for no such call. */
    async callOf(id: CallId): Promise<RecordedCall | null> {
      const whatBegan = db
        .select({ type: callEvents.type })
        .from(callEvents)
        .where(and(eq(callEvents.callId, calls.id), inArray(callEvents.type, [...BEGINNINGS])))
        .orderBy(desc(callEvents.seq))
        .limit(1);
      const [row] = await db
        .select({
          relayId: calls.relayId,
          endedAtMs: calls.endedAtMs,
          days: numbers.recordingRetentionDays,
          isUnannounced: sql<number>`(${whatBegan}) IS 'announcement-failed'`.mapWith(Boolean),
        })
        .from(calls)
        .innerJoin(numbers, eq(numbers.id, calls.numberId))
        .where(eq(calls.id, id));
      return row ?? null;
    },

    /**
     * Announces a recording whose audio is about to be stored.
     *
     * @returns `bring` the audio, also if it was announced before; `stored` already; there was `another` one of this call; `gone`:
     * it was deleted
     */
    async announce(
      { callId, ...recording }: NewRecording,
      nowMs: number,
    ): Promise<'bring' | 'stored' | 'another' | 'gone'> {
      const fields = { ...recording, r2Key: recordingKey(callId), expiresAtMs: nowMs + UPLOAD_MS };
      const announced = await db
        .insert(recordings)
        .values({ callId, ...fields, createdAtMs: nowMs })
        .onConflictDoUpdate({
          target: recordings.callId,
          set: fields,
          setWhere: and(
            isNull(recordings.storedAtMs),
            eq(recordings.sha256, recording.sha256),
          ) as ReturnType<typeof eq>,
        })
        .returning({ callId: recordings.callId });
      if (announced.length > 0) return 'bring';
      const [row] = await db.select().from(recordings).where(eq(recordings.callId, callId));
      if (row?.storedAtMs != null && row.expiresAtMs !== null && row.expiresAtMs <= nowMs)
        return 'gone';
      return row?.storedAtMs != null && row.sha256 === recording.sha256 ? 'stored' : 'another';
    },

    /** The audio is in R2. @returns false when the recording was deleted meanwhile */
    async stored(callId: CallId, atMs: number, expiresAtMs: number | null): Promise<boolean> {
      await db
        .update(recordings)
        .set({ storedAtMs: atMs, expiresAtMs })
        .where(and(eq(recordings.callId, callId), isNull(recordings.storedAtMs)));
      return (await this.find(callId, atMs)) !== null;
    },

    async find(callId: CallId, nowMs: number): Promise<Recording | null> {
      const [row] = await db
        .select()
        .from(recordings)
        .where(and(eq(recordings.callId, callId), isKept(nowMs)));
      if (!row || row.r2Key === null) return null;
      return { ...row, callId, relayId: row.relayId as RelayId, r2Key: row.r2Key };
    },

    /** From now on it is not shown. @returns false when there is none */
    async expire(callId: CallId, nowMs: number): Promise<boolean> {
      const expired = await db
        .update(recordings)
        .set({ expiresAtMs: nowMs })
        .where(and(eq(recordings.callId, callId), isKept(nowMs)))
        .returning({ callId: recordings.callId });
      return expired.length > 0;
    },

    /**
     * Takes up to `limit` recordings whose time is over and whose audio is still there. Those whose audio never came are taken as
     * well, and are closed: nobody may bring it while it is deleted.
     */
    async takeOver(nowMs: number, limit: number): Promise<{ callId: CallId; r2Key: string }[]> {
      const over = db
        .select({ callId: recordings.callId })
        .from(recordings)
        .where(and(lte(recordings.expiresAtMs, nowMs), isNotNull(recordings.r2Key)))
        .limit(limit);
      const taken = await db
        .update(recordings)
        .set({ storedAtMs: sql`coalesce(${recordings.storedAtMs}, ${nowMs})` })
        .where(and(inArray(recordings.callId, over), lte(recordings.expiresAtMs, nowMs)))
        .returning({ callId: recordings.callId, r2Key: recordings.r2Key });
      return taken.map(({ callId, r2Key }) => ({ callId: callId as CallId, r2Key: r2Key ?? '' }));
    },

    /** The audio of these is gone. */
    async emptied(callIds: readonly CallId[]): Promise<void> {
      await db
        .update(recordings)
        .set({ r2Key: null })
        .where(inArray(recordings.callId, [...callIds]));
    },

    /** Forgets recordings that are gone and that no relay brings any more. */
    async forgetGone(nowMs: number): Promise<void> {
      const old = db
        .select({ callId: recordings.callId })
        .from(recordings)
        .where(
          and(
            lte(recordings.expiresAtMs, nowMs),
            isNull(recordings.r2Key),
            lte(recordings.createdAtMs, nowMs - REMEMBERED_MS),
          ),
        )
        .limit(FORGOTTEN_AT_ONCE);
      await db.delete(recordings).where(inArray(recordings.callId, old));
    },
  };
}
