import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hoursSchema, type Hours } from '../../../../worker/domain/calling-hours.ts';
import { isOpen, opensAtMs } from '../../../../worker/domain/opening.ts';

const at = (iso: string): number => Date.parse(iso);
const hoursOf = (timezone: string, open: string, close: string, days: readonly string[]): Hours =>
  hoursSchema.parse({ timezone, weekly: days.map((day) => ({ day, open, close })) });

const WEEK = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
];

describe('hours', () => {
  const office = hoursOf('Europe/Berlin', '0900', '1700', WEEK.slice(0, 5));

  it.each([
    ['2026-11-23T07:59:59Z', false],
    ['2026-11-23T08:00:00Z', true],
    ['2026-11-23T15:59:59Z', true],
    ['2026-11-23T16:00:00Z', false],
    // Saturday.
    ['2026-11-28T10:00:00Z', false],
  ])('of an office in Berlin at %s: open %s', (iso, open) => {
    expect(isOpen(office, at(iso))).toBe(open);
  });

  it.each([
    ['now', '2026-11-23T10:00:00Z', '2026-11-23T10:00:00Z'],
    ['later today', '2026-11-23T05:12:34Z', '2026-11-23T08:00:00Z'],
    ['after the weekend', '2026-11-27T16:00:00Z', '2026-11-30T08:00:00Z'],
    ['over the change of clocks in spring', '2026-03-27T17:00:00Z', '2026-03-30T07:00:00Z'],
    ['over the change of clocks in autumn', '2026-10-23T17:00:00Z', '2026-10-26T08:00:00Z'],
  ])('open next %s', (_when, now, opens) => {
    expect(opensAtMs(office, at(now))).toBe(at(opens));
  });

  it('until the last minute are open until midnight', () => {
    const always = hoursOf('America/New_York', '0000', '2359', WEEK);
    expect(isOpen(always, at('2026-11-24T04:59:59Z'))).toBe(true);
  });

  it('are closed on dates that are, whatever else they say', () => {
    const weekly = [{ day: 'monday', open: '0900', close: '1800' } as const];
    const mondays = { timezone: 'UTC', weekly, holidays: [] };
    const closed = { ...mondays, closed: ['2026-11-23'] };
    expect(isOpen(mondays, at('2026-11-23T10:00:00Z'))).toBe(true);
    expect(isOpen(closed, at('2026-11-23T10:00:00Z'))).toBe(false);
    expect(isOpen(closed, at('2026-11-30T10:00:00Z'))).toBe(true);
    const holidays = [{ date: '2026-11-23', open: '0900', close: '1200' }];
    expect(isOpen({ ...closed, holidays }, at('2026-11-23T10:00:00Z'))).toBe(false);
    expect(opensAtMs(closed, at('2026-11-23T10:00:00Z'))).toBe(at('2026-11-30T09:00:00Z'));
  });

  it('of a holiday replace those of the weekday', () => {
    const hours: Hours = {
      ...office,
      holidays: [{ date: '2026-12-24', open: '0900', close: '1200' }],
    };
    expect(isOpen(hours, at('2026-12-24T10:59:00Z'))).toBe(true);
    expect(isOpen(hours, at('2026-12-24T11:00:00Z'))).toBe(false);
    expect(opensAtMs(hours, at('2026-12-24T11:00:00Z'))).toBe(at('2026-12-25T08:00:00Z'));
  });

  it('that do not open within 60 days have no next opening', () => {
    const mondays = hoursOf('UTC', '0900', '1000', ['monday']);
    // An opening that lasts no time is how a day is closed.
    const holidays = Array.from({ length: 10 }, (_, week) => ({
      date: new Date(at('2026-11-30T00:00:00Z') + week * 7 * 86_400_000).toISOString().slice(0, 10),
      open: '0900',
      close: '0900',
    }));
    expect(opensAtMs({ ...mondays, holidays }, at('2026-11-23T10:00:00Z'))).toBeNull();
  });
});

describe('a change of clocks', () => {
  it.each([
    // The hour from 2 to 3 is left out; an opening within it is at its end.
    ['Europe/Berlin', '0230', '2026-03-28T23:00:00Z', '2026-03-29T01:00:00Z'],
    ['America/New_York', '0230', '2026-03-08T05:00:00Z', '2026-03-08T07:00:00Z'],
    // The hour from 2 to 3 (from 1 to 2) comes twice; it opens the first time.
    ['Europe/Berlin', '0230', '2026-10-24T22:00:00Z', '2026-10-25T00:30:00Z'],
    ['America/New_York', '0130', '2026-11-01T04:00:00Z', '2026-11-01T05:30:00Z'],
    // Half an hour is left out.
    ['Australia/Lord_Howe', '0215', '2026-10-03T14:00:00Z', '2026-10-03T15:30:00Z'],
  ])('in %s: %s opens right', (zone, open, now, opens) => {
    const hours = hoursOf(zone, open, '0400', WEEK);
    expect(opensAtMs(hours, at(now))).toBe(at(opens));
  });

  it('in autumn a minute that comes twice is open both times', () => {
    const hours = hoursOf('Europe/Berlin', '0230', '0300', WEEK);
    expect(isOpen(hours, at('2026-10-25T00:30:00Z'))).toBe(true);
    expect(isOpen(hours, at('2026-10-25T01:00:00Z'))).toBe(false);
    expect(isOpen(hours, at('2026-10-25T01:30:00Z'))).toBe(true);
  });
});

it('hours open at the time that is told, and not a minute before, in any zone at any time', () => {
  const time = fc.integer({ min: 0, max: 1438 });
  const text = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}${String(minutes % 60).padStart(2, '0')}`;
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.uniqueArray(fc.constantFrom(...WEEK), { minLength: 1 }),
      time,
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
      (zone, days, open, length, nowMs) => {
        const hours = hoursOf(zone, text(open), text(Math.min(1439, open + length)), days);
        const opens = opensAtMs(hours, nowMs);
        if (isOpen(hours, nowMs)) {
          expect(opens).toBe(nowMs);
          return;
        }
        if (opens === null) throw new Error('weekly hours always open again');
        expect(opens).toBeGreaterThan(nowMs);
        // An opening of less than the time that a clock leaves out may not exist on that day.
        if (length > 60) expect(isOpen(hours, opens)).toBe(true);
        expect(isOpen(hours, Math.max(nowMs, opens - 60_000))).toBe(false);
      },
    ),
    { numRuns: 500 },
  );
});
