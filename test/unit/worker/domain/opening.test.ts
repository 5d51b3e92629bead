import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAYS, hoursSchema, type Hours } from '../../../../worker/domain/calling-hours.ts';
import { isOpen } from '../../../../worker/domain/opening.ts';

const at = (iso: string): number => Date.parse(iso);
const hoursOf = (timezone: string, open: string, close: string, days: readonly string[]): Hours =>
  hoursSchema.parse({ timezone, weekly: days.map((day) => ({ day, open, close })) });

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Kiritimati',
];

describe('hours', () => {
  const office = hoursOf('Europe/Berlin', '0900', '1700', DAYS.slice(0, 5));

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
    ['today', '2026-11-23T08:00:00Z'],
    ['after the weekend', '2026-11-30T08:00:00Z'],
    ['after the change of clocks in spring', '2026-03-30T07:00:00Z'],
    ['after the change of clocks in autumn', '2026-10-26T08:00:00Z'],
  ])('open %s at %s and not before', (_when, opens) => {
    expect([isOpen(office, at(opens) - 1), isOpen(office, at(opens))]).toEqual([false, true]);
  });

  it('until the last minute are open until midnight', () => {
    const always = hoursOf('America/New_York', '0000', '2359', DAYS);
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
    expect(isOpen(closed, at('2026-11-30T08:59:59Z'))).toBe(false);
    expect(isOpen(closed, at('2026-11-30T09:00:00Z'))).toBe(true);
  });

  it('of a holiday replace those of the weekday', () => {
    const hours: Hours = {
      ...office,
      holidays: [{ date: '2026-12-24', open: '0900', close: '1200' }],
    };
    expect(isOpen(hours, at('2026-12-24T10:59:00Z'))).toBe(true);
    expect(isOpen(hours, at('2026-12-24T11:00:00Z'))).toBe(false);
    expect(isOpen(hours, at('2026-12-25T08:00:00Z'))).toBe(true);
  });

  it('of a holiday that lasts no time close the day', () => {
    const holidays = [{ date: '2026-11-23', open: '0900', close: '0900' }];
    const hours = { ...office, holidays };
    expect(isOpen(hours, at('2026-11-23T08:00:00Z'))).toBe(false);
    expect(isOpen(hours, at('2026-11-23T10:00:00Z'))).toBe(false);
  });
});

describe('a change of clocks', () => {
  it.each([
    // The hour from 2 to 3 is left out; an opening within it is at its end.
    ['Europe/Berlin', '0230', '2026-03-29T01:00:00Z'],
    ['America/New_York', '0230', '2026-03-08T07:00:00Z'],
    // The hour from 2 to 3 (from 1 to 2) comes twice; it opens the first time.
    ['Europe/Berlin', '0230', '2026-10-25T00:30:00Z'],
    ['America/New_York', '0130', '2026-11-01T05:30:00Z'],
    // Half an hour is left out.
    ['Australia/Lord_Howe', '0215', '2026-10-03T15:30:00Z'],
  ])('in %s: %s opens right', (zone, open, opens) => {
    const hours = hoursOf(zone, open, '0400', DAYS);
    expect([isOpen(hours, at(opens) - 1), isOpen(hours, at(opens))]).toEqual([false, true]);
  });

  it('in autumn a minute that comes twice is open both times', () => {
    const hours = hoursOf('Europe/Berlin', '0230', '0300', DAYS);
    expect(isOpen(hours, at('2026-10-25T00:30:00Z'))).toBe(true);
    expect(isOpen(hours, at('2026-10-25T01:00:00Z'))).toBe(false);
    expect(isOpen(hours, at('2026-10-25T01:30:00Z'))).toBe(true);
  });
});

it('hours are open by the clock of their zone, in any zone at any time', () => {
  const minutes = fc.integer({ min: 0, max: 1437 });
  const text = (of: number) =>
    `${String(Math.floor(of / 60)).padStart(2, '0')}${String(of % 60).padStart(2, '0')}`;
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }),
      minutes,
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
      (timeZone, days, open, length, nowMs) => {
        // What is open until the last minute is open until midnight, which has a test of its own.
        const close = Math.min(1438, open + length);
        const clock = new Intl.DateTimeFormat('en-GB', {
          timeZone,
          weekday: 'long',
          hour: '2-digit',
          minute: '2-digit',
          hourCycle: 'h23',
        });
        const shown = new Map(
          clock.formatToParts(nowMs).map(({ type, value }) => [type, value] as const),
        );
        const now = Number(shown.get('hour')) * 60 + Number(shown.get('minute'));
        const isDay = days.some((day) => day === shown.get('weekday')?.toLowerCase());
        const hours = hoursOf(timeZone, text(open), text(close), days);
        expect(isOpen(hours, nowMs)).toBe(isDay && now >= open && now < close);
      },
    ),
    { numRuns: 1_000 },
  );
});
