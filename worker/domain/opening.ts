// When hours are open: by the clock of their zone, holidays before weekdays, right over changes of that clock. Pure.
import type { Hours } from './calling-hours.ts';

/** Hours, and dates on which nothing is open whatever they say. */
export interface Schedule extends Hours {
  /** YYYY-MM-DD */
  readonly closed?: readonly string[];
}

/** A range until this minute lasts until midnight, because 2400 cannot be written. */
const LAST_MINUTE = '2359';

/** An instant as a calendar and a clock on the wall show it. */
interface WallTime {
  /** YYYY-MM-DD */
  readonly date: string;
  /** As `DAYS` has them. */
  readonly day: string;
  /** HHMM */
  readonly time: string;
}

/** Making one takes 50 us, using it 2 to 5. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'long',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(timeZone, format);
  return format;
}

function wallTime(timeZone: string, atMs: number): WallTime {
  const parts = formatFor(timeZone).formatToParts(atMs);
  const part = (name: Intl.DateTimeFormatPartTypes): string =>
    parts.find(({ type }) => type === name)?.value ?? '';
  return {
    date: `${part('year')}-${part('month')}-${part('day')}`,
    day: part('weekday').toLowerCase(),
    time: part('hour') + part('minute'),
  };
}

/** Ranges of one date, by the clock; those of a holiday replace those of the weekday. */
function rangesOf(
  { weekly, holidays, closed = [] }: Schedule,
  { date, day }: WallTime,
): readonly { open: string; close: string }[] {
  if (closed.includes(date)) return [];
  const special = holidays.filter((holiday) => holiday.date === date);
  return special.length > 0 ? special : weekly.filter((range) => range.day === day);
}

const isWithin = (time: string, { open, close }: { open: string; close: string }): boolean =>
  time >= open && (time < close || close === LAST_MINUTE);

/** Whether hours are open. A minute that the clock shows twice in autumn is open or closed both times. */
export function isOpen(hours: Schedule, nowMs: number): boolean {
  const wall = wallTime(hours.timezone, nowMs);
  return rangesOf(hours, wall).some((range) => isWithin(wall.time, range));
}
