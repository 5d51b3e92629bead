// The tables of ARCHITECTURE.md that say what becomes of a call in every state at every event: made by asking `step`.
// `transitions-sheet.ts` writes them down.
import type { Call, TimerName } from '../../../../worker/domain/call.ts';
import type { CallEvent } from '../../../../worker/domain/call-event.ts';
import type { Decision, TimelineType } from '../../../../worker/domain/decision.ts';
import type { JobResult, PendingJob } from '../../../../worker/domain/job.ts';
import { step } from '../../../../worker/domain/step.ts';
import {
  callIn,
  DIRECTIONS,
  failure,
  isInbound,
  nameOf,
  OTHER_PLACE,
  replies,
  running,
  tick,
  type Column,
  type Direction,
  type JobName,
  type Kind,
  type Scene,
} from './transitions-calls.ts';
import { JOBS, PAUSE, TIMERS, type JobCase } from './transitions-jobs.ts';
import { EVENTS, MEDIA_ENDS, type Case } from './transitions-rows.ts';

export const COLUMNS: Record<Direction, readonly Column[]> = {
  inbound: [
    'unknown',
    'tombstone',
    'offered',
    'preparing',
    'ringing',
    'claimed',
    'accepting',
    'active',
    'ending',
    'ended',
  ],
  outbound: [
    'unknown',
    'asking',
    'ringing',
    'claimed',
    'offering',
    'dialling',
    'active',
    'ending',
    'ended',
  ],
};

/** What a decision does to the state: the next one, or one of three words. */
export interface Cell {
  /** The type of its timeline entry; for an end, the reason of the outcome. */
  readonly name: string;
  readonly type: TimelineType;
  readonly next: string;
  /** The call after it, and when. */
  readonly call: Call;
  readonly nowMs: number;
}

/** One event, in every state. */
export interface Line {
  readonly direction: Direction;
  /** The event, job or timer. */
  readonly of: string;
  readonly label: string;
  /** Of a job. */
  readonly result?: string;
  /** Null where nothing changes, or where it cannot be. */
  readonly cells: readonly (Cell | null)[];
}

// ---- asking ----------------------------------------------------------------------------------------------------------------

/** @returns null when the event changes nothing */
export function cellOf(before: Call | null, decision: Decision, nowMs: number): Cell | null {
  const { call, entry, messages } = decision;
  if (!call || !entry || call === before) return null;
  const name = call.outcome && !before?.outcome ? call.outcome.reason : entry.type;
  const cell = { name, type: entry.type, call, nowMs };
  if (call.state !== before?.state) return { ...cell, next: call.state };
  if (entry.type === 'retrying' || isTriedAgain(before, call)) return { ...cell, next: 'again' };
  const isNoted = messages.length === 0 && rest(before) === rest(call);
  const started = Object.keys(call.timers).filter((timer) => !(timer in before.timers));
  return { ...cell, next: isNoted ? 'noted' : ['kept', ...started].join(', ') };
}

/** A job that was under way waits to be done once more; by a new id if it failed. */
const isTriedAgain = (before: Call, { pending }: Call): boolean => {
  const waiting = pending.filter(({ leaseUntilMs }) => leaseUntilMs === null);
  const isRunning = ({ id }: PendingJob): boolean =>
    pending.some((later) => later.id === id && later.leaseUntilMs !== null);
  return before.pending
    .filter((job) => job.leaseUntilMs !== null && !isRunning(job))
    .some((job) =>
      waiting.some(
        (later) =>
          nameOf(later) === nameOf(job) && (later.id === job.id || later.id === before.nextJobId),
      ),
    );
};

/** What a call remembers, without its history. New jobs show in `nextJobId`. */
const rest = (call: Call): string =>
  JSON.stringify({
    ...call,
    version: 0,
    pending: [],
    placement: { ...call.placement, lastSeq: 0 },
  });

/** Which calls a table is about where a case does not say. */
interface Usual {
  readonly direction: Direction;
  readonly kind: Kind;
}
type Happening = { readonly event: CallEvent; readonly nowMs: number; readonly call?: Call };

/** @param happens null when it cannot happen to that call */
function lineOf(
  { direction, kind: usual }: Usual,
  of: string,
  { label, only = direction, kind, way = {}, free = OTHER_PLACE }: Case,
  happens: (scene: Scene) => Happening | null,
): Line {
  const cells = COLUMNS[direction].map((column): Cell | null => {
    if (only !== direction || isInbound(kind ?? usual) !== (direction === 'inbound')) return null;
    const itsWay = typeof way === 'function' ? way(column) : way;
    const scene = itsWay && callIn(column, kind ?? usual, itsWay);
    const happening = scene && happens(scene);
    if (!happening) return null;
    const { event, nowMs, call = scene.call } = happening;
    const cell = cellOf(call, step(call, event, nowMs, free), nowMs);
    // What makes a call of the user is no event of one of the business.
    return cell?.call.direction === direction ? cell : null;
  });
  return { direction, of, label, cells };
}

const eventLines = (usual: Usual, names: readonly string[]): Line[] =>
  names.flatMap((of) =>
    casesOf(of).map((row) =>
      lineOf(usual, of, row, ({ call, nowMs }) => ({
        event: row.move(call),
        nowMs: row.nowMs ?? nowMs,
      })),
    ),
  );

const casesOf = (of: string) =>
  of === 'relay.ended' ? Object.values(MEDIA_ENDS).flat() : EVENTS[of as keyof typeof EVENTS];

export const TOO_LATE = 'no time left';

function jobLines(usual: Usual, name: JobName, { results, ...row }: JobCase): Line[] {
  const all: Record<string, JobResult> = {
    ...(results ?? { done: { ok: true } }),
    refused: failure('refused'),
    unavailable: failure('unavailable'),
    unsure: failure('unsure'),
    [TOO_LATE]: failure('unsure'),
  };
  return Object.entries(all).map(([result, value]) => ({
    ...lineOf(usual, name, row, ({ call, nowMs }) => {
      const job = running(call, name);
      if (!job) return null;
      const lateMs = result === TOO_LATE ? job.giveUpAtMs : nowMs;
      return { event: replies(name, value)(call), nowMs: Math.max(nowMs, lateMs) };
    }),
    result,
  }));
}

const timerLine = (usual: Usual, name: TimerName, row: Case): Line =>
  lineOf(usual, name, row, ({ call, nowMs }) =>
    call?.timers[name] === undefined
      ? null
      : // The first that is due, whatever else the call waits for.
        {
          event: tick(call),
          nowMs,
          call: { ...call, timers: { ...call.timers, [name]: nowMs } },
        },
  );

const pauseLine = (usual: Usual): Line =>
  lineOf(usual, '', PAUSE, ({ call }) => {
    const waiting = call?.pending.find(({ attempt, leaseUntilMs }) => attempt > 0 && !leaseUntilMs);
    return waiting ? { event: tick(call), nowMs: waiting.notBeforeMs } : null;
  });

const keys = <K extends string>(record: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(record) as K[];
const isOfRelay = (event: string): boolean => event.startsWith('relay.');

const sections: Readonly<Record<string, (usual: Usual) => Line[]>> = {
  'the provider and people': (usual) =>
    eventLines(
      usual,
      keys(EVENTS).filter((event) => !isOfRelay(event)),
    ),
  'the relay': (usual) => eventLines(usual, [...keys(EVENTS).filter(isOfRelay), 'relay.ended']),
  jobs: (usual) =>
    keys(JOBS).flatMap((name) => JOBS[name].flatMap((row) => jobLines(usual, name, row))),
  time: (usual) => [
    ...keys(TIMERS).flatMap((name) => TIMERS[name].map((row) => timerLine(usual, name, row))),
    pauseLine(usual),
  ],
};

const linesOf = (usual: Usual): Map<string, Line[]> =>
  new Map(Object.entries(sections).map(([section, lines]) => [section, lines(usual)]));

export interface Table {
  readonly title: string;
  readonly direction: Direction;
  readonly lines: readonly Line[];
}

export const TABLES: readonly Table[] = DIRECTIONS.flatMap((direction) => {
  const kind = direction === 'inbound' ? 'inbound' : 'agent';
  return [...linesOf({ direction, kind })].map(([section, lines]) => ({
    title: `${direction === 'inbound' ? 'Inbound' : 'Outbound'}: ${section}`,
    direction,
    lines,
  }));
});

/** The lines of inbound calls once more, for a number whose voicemail takes over. */
export const VOICEMAIL_LINES: readonly Line[] = [
  ...linesOf({ direction: 'inbound', kind: 'voicemail' }).values(),
].flat();
