// Walks through everything that can happen to a call, from nothing, and tells every decision on the way.
import { wanted, type Call, type TimerName } from '../../../../worker/domain/call.ts';
import type { CallEvent } from '../../../../worker/domain/call-event.ts';
import { dueAtMs, step } from '../../../../worker/domain/step.ts';
import {
  failure,
  nameOf,
  OTHER_PLACE,
  successOf,
  tick,
  type Move,
  type Scene,
} from './transitions-calls.ts';
import { EVENTS, MEDIA_ENDS } from './transitions-rows.ts';
import { cellOf, type Cell } from './transitions-table.ts';

export interface Decided {
  readonly before: Call | null;
  /** The event, job or timer that it was about; empty for the pause of a job. */
  readonly of: string;
  readonly cell: Cell;
}

const cases = [...Object.values(EVENTS), ...Object.values(MEDIA_ENDS)].flat();
/** Many cases differ only in how the call came there. */
const moves: readonly Move[] = [
  ...new Map(cases.map(({ move }) => [JSON.stringify(move(null)), move])).values(),
];

/**
 * Tries every event in every call that the last round has led to.
 *
 * @param rounds how many events deep; calls that differ in nothing that decides count once
 * @param tell is called with every decision that changes a call
 */
export function explore(
  from: readonly Scene[],
  rounds: number,
  tell: (decided: Decided) => void,
): void {
  const seen = new Set<string>();
  let frontier = from;
  for (let round = 0; round < rounds; round++) {
    const next: Scene[] = [];
    for (const { call, nowMs } of frontier) {
      for (const { event, of, atMs = nowMs } of happenings(call, nowMs)) {
        for (const cell of decisions(call, event, atMs)) {
          tell({ before: call, of, cell });
          const key = keyOf(cell.call);
          if (seen.has(key)) continue;
          seen.add(key);
          next.push({ call: cell.call, nowMs: atMs });
        }
      }
    }
    frontier = next;
  }
}

/** With room at another relay and, where the decision takes it, also without. */
function decisions(call: Call | null, event: CallEvent, atMs: number): Cell[] {
  const cell = cellOf(call, step(call, event, atMs, OTHER_PLACE), atMs);
  if (!cell || cell.call.placement?.instance === call?.placement?.instance)
    return cell ? [cell] : [];
  const other = cellOf(call, step(call, event, atMs, null), atMs);
  return other ? [cell, other] : [cell];
}

interface Happening {
  readonly event: CallEvent;
  readonly of: string;
  readonly atMs?: number;
}

function happenings(call: Call | null, nowMs: number): Happening[] {
  const events = moves.map((move) => move(call)).filter((event) => isPossible(call, event));
  return [
    ...events.map((event) => ({ event, of: event.type })),
    ...(call ? jobReplies(call) : []),
    ...(call ? timePasses(call, nowMs) : []),
  ];
}

/**
 * What a relay says makes sense: nothing once the media has ended or while it is unheard, of the room only from inside, and what
 * was never up is not lost.
 */
function isPossible(call: Call | null, event: CallEvent): boolean {
  const { type } = event;
  if (!call || !type.startsWith('relay.')) return true;
  if (type === 'relay.lost' || type === 'relay.silent' || type === 'relay.back') return true;
  if (call.quality !== null || call.timers.control !== undefined) return false;
  if (type === 'relay.ended' && event.reason === 'media-lost') return call.isMediaUp;
  if (type === 'relay.media-up') {
    return call.direction === 'inbound' ? wanted(call).connect : call.answerSdp !== null;
  }
  if (type === 'relay.room-joined') return wanted(call).hasRoom && !call.isRoomJoined;
  const isOfRoom = /room|participant|publisher|ready/.test(type);
  return !isOfRoom || call.isRoomJoined;
}

function jobReplies({ pending }: Call): Happening[] {
  const results = [failure('refused'), failure('unavailable'), failure('unsure')];
  return pending
    .filter(({ leaseUntilMs }) => leaseUntilMs !== null)
    .flatMap((job) =>
      [successOf(nameOf(job)), { ok: true } as const, ...results].map((result) => ({
        event: { type: 'job', jobId: job.id, result } as const,
        of: nameOf(job),
      })),
    );
}

function timePasses(call: Call, nowMs: number): Happening[] {
  const atMs = Math.max(nowMs, dueAtMs(call));
  if (atMs === Infinity) return [];
  const [timer] = (Object.entries(call.timers) as [TimerName, number][])
    .filter(([, dueMs]) => dueMs <= atMs)
    .toSorted(([, a], [, b]) => a - b);
  const lost = call.pending.find(({ leaseUntilMs }) => (leaseUntilMs ?? Infinity) <= atMs);
  const of = timer?.[0] ?? (lost ? nameOf(lost) : '');
  return [{ event: tick(call), of, atMs }];
}

/** What decides about a call, without times, names and counts. */
const keyOf = (call: Call): string =>
  JSON.stringify([
    call.direction,
    call.state,
    call.target?.kind,
    call.policy.isLeftToVoicemail,
    call.audio.playing !== null,
    call.audio.recording,
    call.claim !== null,
    call.ai !== null,
    call.heard.length,
    call.excluded.length > 0,
    call.providerCallId !== null,
    call.answerSdp !== null,
    call.finishedAtMs !== null,
    call.quality !== null,
    call.isRoomCreated,
    call.isRoomJoined,
    call.isPreAccepted,
    call.isAlerting,
    call.isMediaUp,
    call.placement?.attempt,
    Object.keys(call.timers).toSorted(),
    call.pending.map((job) => [nameOf(job), job.leaseUntilMs !== null]),
  ]);
