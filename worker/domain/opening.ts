// When hours are open: by the clock of their zone, holidays before weekdays, right over changes of that clock. Pure.
import { DAYS, type Hours } from './calling-hours.ts';

/** Hours, and dates on which nothing is open whatever they say. */
export interface Schedule extends Hours {
  /** YYYY-MM-DD */
  readonly closed?: readonly string[];
}

/** A range until this minute lasts until midnight, because 2400 cannot be written. */
const LAST_MINUTE = '2359';

/** Weekly hours have a range within 8 days; whoever closes for longer than two months is not waited for. */
const DAYS_AHEAD_MAX = 60;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** An instant as a clock on the wall shows it. */
interface WallTime {
  /** YYYY-MM-DD */
  readonly date: string;
  /** HHMM */
  readonly time: string;
}

/** Making one takes 50 us, using it 2. */
const formats = new Map<string, Intl.DateTimeFormat>();

function wallTime(timeZone: string, atMs: number): WallTime {
  let format = formats.get(timeZone);
  if (!format) {
    // This is how Sweden writes dates: 2026-10-25 02:30.
    format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
    formats.set(timeZone, format);
  }
  const text = format.format(atMs);
  return { date: text.slice(0, 10), time: text.slice(11, 13) + text.slice(14, 16) };
}

/** Ranges of one date, by the clock; those of a holiday replace those of the weekday. */
function rangesOf(
  { weekly, holidays, closed = [] }: Schedule,
  date: string,
): readonly { open: string; close: string }[] {
  if (closed.includes(date)) return [];
  const special = holidays.filter((holiday) => holiday.date === date);
  if (special.length > 0) return special;
  const day = DAYS[(dayNumber(date) + 3) % 7];
  return weekly.filter((range) => range.day === day);
}

const isWithin = (time: string, { open, close }: { open: string; close: string }): boolean =>
  time >= open && (time < close || close === LAST_MINUTE);

/** Whether hours are open. A minute that the clock shows twice in autumn is open or closed both times. */
export function isOpen(hours: Schedule, nowMs: number): boolean {
  const { date, time } = wallTime(hours.timezone, nowMs);
  return rangesOf(hours, date).some((range) => isWithin(time, range));
}

/**
 * When hours open next, in epoch ms: now if they are open. An opening that falls into the hour which the clock leaves out in
 * spring is at the end of that hour.
 *
 * @returns null when they do not open within 60 days
 */
export function opensAtMs(hours: Schedule, nowMs: number): number | null {
  if (isOpen(hours, nowMs)) return nowMs;
  const today = dayNumber(wallTime(hours.timezone, nowMs).date);
  for (let day = today; day <= today + DAYS_AHEAD_MAX; day++) {
    const openings = rangesOf(hours, dateOf(day))
      .filter(({ open, close }) => open < close)
      .map(({ open }) => instantOf(hours.timezone, day, open))
      .filter((atMs) => atMs > nowMs)
      .toSorted((one, other) => one - other);
    const [first] = openings;
    if (first !== undefined) return first;
  }
  return null;
}

/** The first instant at which the clock of a zone shows this time of this day, or a later one if it leaves that out. */
function instantOf(timeZone: string, day: number, time: string): number {
  const date = dateOf(day);
  const asUtcMs = day * DAY_MS + minutesOf(time) * MINUTE_MS;
  // Offsets go from -12 to +14 hours: the instant lies between these, and the wall clock runs forward but for an hour in autumn.
  let beforeMs = asUtcMs - 15 * 60 * MINUTE_MS;
  let atMs = asUtcMs + 13 * 60 * MINUTE_MS;
  while (atMs - beforeMs > MINUTE_MS) {
    const middleMs = beforeMs + Math.floor((atMs - beforeMs) / (2 * MINUTE_MS)) * MINUTE_MS;
    const wall = wallTime(timeZone, middleMs);
    if (wall.date > date || (wall.date === date && wall.time >= time)) atMs = middleMs;
    else beforeMs = middleMs;
  }
  return atMs;
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(2));

/** Days since 1970-01-01, a Thursday. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
function dayNumber(date: string): number {
  const month = Number(date.slice(5, 7));
  const year = Number(date.slice(0, 4)) - (month <= 2 ? 1 : 0);
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + Number(date.slice(8, 10)) - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The reverse. */
const dateOf = (day: number): string => wallTime('UTC', day * DAY_MS).date;
