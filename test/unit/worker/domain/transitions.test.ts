// Every state and every event: what is decided is what ARCHITECTURE.md says. `UPDATE=1` before the command writes its tables again.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CALL_STATES, isSettled, type Call } from '../../../../worker/domain/call.ts';
import type { TimelineType } from '../../../../worker/domain/decision.ts';
import { FAILED_CALLER, type OutcomeReason } from '../../../../worker/domain/outcome.ts';
import { dueAtMs, step } from '../../../../worker/domain/step.ts';
import { callIn, KINDS, type Column, type Scene } from './transitions-calls.ts';
import { explore } from './transitions-explore.ts';
import { JOBS, TIMERS } from './transitions-jobs.ts';
import { EVENTS } from './transitions-rows.ts';
import { differences, markdownOf, readSheet, sheetOf } from './transitions-sheet.ts';
import { COLUMNS, TABLES, VOICEMAIL_LINES, type Cell, type Line } from './transitions-table.ts';

const document = join(import.meta.dirname, '../../../../ARCHITECTURE.md');
const SECTION = '\n## Every state and every event\n';
/** How many events are tried one after the other, from a call in every state. */
const EVENTS_DEEP = 3;
/** Two tests compute for seconds on a busy machine. */
const DEEP_TEST_MS = 60_000;

const lines = TABLES.flatMap((table) => table.lines);
const cellsOf = (some: readonly Line[]): Cell[] =>
  some.flatMap((line) => line.cells.filter((cell) => cell !== null));

describe('ARCHITECTURE.md', () => {
  beforeAll(() => {
    if (!process.env['UPDATE']) return;
    const text = readFileSync(document, 'utf8');
    const [introduction = ''] = section().split('\n### ');
    const tables = TABLES.map((table) => `### ${table.title}\n\n${markdownOf(sheetOf(table))}`);
    const renewed = `\n${[introduction.trim(), ...tables].join('\n\n')}\n`;
    writeFileSync(
      document,
      text.replace(section(), () => renewed),
    );
  });

  it.each(TABLES.map((table) => [table.title, table] as const))(
    '%s: says what the code does',
    (title, table) => {
      expect(differences(readSheet(section(), title), sheetOf(table))).toEqual([]);
    },
  );

  it('has no other tables there', () => {
    const titles = [...section().matchAll(/^### (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(TABLES.map(({ title }) => title));
  });
});

/** What stands below the heading of the section, up to the next one. */
const section = (): string =>
  readFileSync(document, 'utf8').split(SECTION)[1]?.split('\n## ')[0] ?? '';

describe('the tables', () => {
  it('have a column and a call for every state', () => {
    const columns = new Set([...COLUMNS.inbound, ...COLUMNS.outbound]);
    expect([...columns].toSorted()).toEqual(['unknown', ...CALL_STATES].toSorted());
    const missing = [
      ...COLUMNS.inbound.filter((column) => !callIn(column, 'inbound')),
      ...COLUMNS.outbound.filter((column) => !callIn(column, 'agent')),
    ];
    expect(missing).toEqual([]);
  });

  it('have a row for every event, job and timer', () => {
    const shown = new Set(lines.flatMap(({ of, cells }) => (cells.some(Boolean) ? of : [])));
    const all = [EVENTS, JOBS, TIMERS].flatMap((rows) => Object.keys(rows));
    expect([...all, 'relay.ended'].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('have a cell for every type of timeline entry', () => {
    const shown = new Set(cellsOf(lines).map(({ type }) => type));
    expect([...shown].toSorted()).toEqual(Object.keys(TIMELINE_TYPES).toSorted());
  });

  it('hold for a number with a voicemail, but where it takes over the provider is told nothing', () => {
    const usual = TABLES.filter(({ direction }) => direction === 'inbound').flatMap(
      (table) => table.lines,
    );
    const expected = usual.map(({ cells }) =>
      cells.map((cell, index) => isTakenOver(COLUMNS.inbound[index], cell)),
    );
    const wrong = VOICEMAIL_LINES.flatMap(({ of, label, cells }, row) =>
      cells.flatMap((cell, index) => {
        const next = expected[row]?.[index] ? 'ended' : usual[row]?.cells[index]?.next;
        return cell?.next === next ? [] : [`${of}, ${label} | ${COLUMNS.inbound[index]}`];
      }),
    );
    expect(wrong).toEqual([]);
    expect(expected.flat().filter(Boolean).length).toBeGreaterThan(20);
  });
});

/** Roomline failed a caller whose call was not accepted. */
const isTakenOver = (state: Column | undefined, cell: Cell | null): boolean =>
  (state === 'offered' || state === 'preparing' || state === 'ringing' || state === 'claimed') &&
  cell?.next === 'ending' &&
  FAILED_CALLER.has(cell.name as OutcomeReason);

describe('a call', () => {
  it(
    'goes no way that the tables do not show, and never waits for nothing',
    () => {
      const shown = new Set(
        [...lines, ...VOICEMAIL_LINES].flatMap(({ of, direction, cells }) =>
          cells.map(
            (cell, index) => cell && wayOf(COLUMNS[direction][index] ?? 'unknown', of, cell),
          ),
        ),
      );
      const unshown = new Set<string>();
      const stuck = new Set<string>();
      explore(everyScene(), EVENTS_DEEP, ({ before, of, cell }) => {
        const way = wayOf(before?.state ?? 'unknown', of, cell);
        if (!shown.has(way)) unshown.add(way);
        if (isStuck(cell.call)) stuck.add(way);
      });
      expect({ unshown: [...unshown], stuck: [...stuck] }).toEqual({ unshown: [], stuck: [] });
    },
    DEEP_TEST_MS,
  );

  it(
    'ends by time alone, whatever has happened, unless it is active',
    () => {
      const endless = cellsOf([...lines, ...VOICEMAIL_LINES]).flatMap((cell) => {
        const rest = whenOnlyTimePasses(cell);
        const isRest = rest === 'active' || rest === 'tombstone' || rest === 'settled';
        return isRest ? [] : [`${cell.call.direction}, ${cell.name} → ${cell.next}: ${rest}`];
      });
      expect(endless).toEqual([]);
    },
    DEEP_TEST_MS,
  );
});

const wayOf = (state: Column, of: string, { call, name, next }: Cell): string =>
  `${call.direction}, ${state}, ${of}: ${name} → ${next}`;

const everyScene = (): Scene[] =>
  KINDS.flatMap((kind) =>
    ['unknown' as const, ...CALL_STATES].flatMap((state) => callIn(state, kind) ?? []),
  );

const isStuck = (call: Call): boolean =>
  !isSettled(call) && call.state !== 'active' && dueAtMs(call) === Infinity;

/** No event comes, and no reply to any job. */
function whenOnlyTimePasses({
  call: first,
  nowMs: firstMs,
}: {
  call: Call;
  nowMs: number;
}): string {
  let [call, nowMs] = [first, firstMs];
  for (let turns = 0; turns < 1_000; turns++) {
    if (isSettled(call)) return call.state === 'tombstone' ? 'tombstone' : 'settled';
    const due = dueAtMs(call);
    if (due === Infinity) return call.state;
    nowMs = Math.max(nowMs, due);
    const next = step(call, { type: 'tick' }, nowMs).call;
    if (!next || next === call) return `${call.state}, unmoved by a tick that it asked for`;
    call = next;
  }
  return `${call.state}, without an end`;
}

/** What rules bring into the timeline: `step-prompted.test.ts` and `step-search.test.ts` have it. */
type RoutingType = 'step' | 'rung' | 'ring-ended' | 'message-sent';
/** What people do to each other in a call: `step-party.test.ts` has it. */
type PartyType =
  | 'transferring'
  | 'transfer-cancelled'
  | 'transfer-failed'
  | 'consulting'
  | 'consultation-merged'
  | 'consultation-completed'
  | 'consultation-cancelled'
  | 'consultation-failed'
  | 'inviting'
  | 'invitation-failed'
  | 'colleague-rung'
  | 'colleague-coming'
  | 'party-joined'
  | 'party-gone'
  | 'party-removed'
  | 'passed-on'
  | 'supervising'
  | 'permissions-set';

const TIMELINE_TYPES: Record<Exclude<TimelineType, RoutingType | PartyType>, true> = {
  offered: true,
  'terminated-before-offer': true,
  'relay-answered': true,
  'pre-accepted': true,
  ringing: true,
  'media-up': true,
  'media-lost': true,
  'room-created': true,
  'room-joined': true,
  'room-away': true,
  'participant-joined': true,
  'participant-left': true,
  'publisher-skipped': true,
  claimed: true,
  'claim-released': true,
  ready: true,
  'agent-left': true,
  'agent-returned': true,
  answered: true,
  ending: true,
  ended: true,
  'end-confirmed': true,
  'end-unconfirmed': true,
  'relay-closed': true,
  'placed-elsewhere': true,
  'control-lost': true,
  'control-checked': true,
  'control-back': true,
  'fallback-sent': true,
  held: true,
  'taken-off-hold': true,
  playing: true,
  'playing-stopped': true,
  played: true,
  digit: true,
  'recording-started': true,
  'recording-paused': true,
  'recording-resumed': true,
  'recording-stopped': true,
  'recording-failed': true,
  'announcement-failed': true,
  'recording-kept': true,
  note: true,
  tagged: true,
  'disposition-set': true,
  'room-deleted': true,
  'room-clean-up': true,
  'agent-removed': true,
  'action-done': true,
  'action-failed': true,
  retrying: true,
  asking: true,
  asked: true,
  'dial-requested': true,
  'agent-ready': true,
  'offer-made': true,
  dialled: true,
  'dial-unsure': true,
  'answer-received': true,
  alerting: true,
  'agent-dispatched': true,
  'found-late': true,
  charged: true,
  recorded: true,
};
