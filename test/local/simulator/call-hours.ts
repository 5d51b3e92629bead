// `call_hours`: whether Meta takes them, and whether the business is open. Pure.
import { invalidParameter } from './graph-error.ts';
import { asObject, type Body } from './json-body.ts';

const DAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'];
const HOLIDAYS_MAX = 20;
const RANGES_PER_DAY_MAX = 2;
const TIME = /^(?:[01]\d|2[0-3])[0-5]\d$/;

/**
 * Provider: "Call settings", call hours and their errors, read 2026-07. Times are HHMM; one sample writes "04:00", which is
 * refused here.
 *
 * @throws GraphError 100 naming what is wrong
 */
export function checkCallHours(hours: Body, nowMs: number): void {
  const status = hours['status'];
  if (status !== 'ENABLED' && status !== 'DISABLED') {
    throw invalidParameter('call_hours.status must be one of ENABLED, DISABLED');
  }
  checkZone(hours['timezone_id']);
  const weekly = hours['weekly_operating_hours'];
  if (!Array.isArray(weekly) || weekly.length === 0) {
    throw invalidParameter('call_hours.weekly_operating_hours must not be empty');
  }
  checkWeek(weekly.map((entry) => asObject(entry, 'call_hours.weekly_operating_hours[]')));
  const holidays = hours['holiday_schedule'] ?? [];
  if (!Array.isArray(holidays) || holidays.length > HOLIDAYS_MAX) {
    throw invalidParameter(`call_hours.holiday_schedule takes at most ${HOLIDAYS_MAX} days`);
  }
  const today = new Date(nowMs).toISOString().slice(0, 10);
  for (const holiday of holidays) {
    checkHoliday(asObject(holiday, 'call_hours.holiday_schedule[]'), today);
  }
}

function checkZone(zone: unknown): void {
  try {
    if (typeof zone !== 'string') throw new RangeError('not a text');
    void new Intl.DateTimeFormat('en', { timeZone: zone });
  } catch {
    throw invalidParameter('call_hours.timezone_id is not a time zone');
  }
}

function checkWeek(entries: Body[]): void {
  for (const day of DAYS) {
    const ranges = entries.filter((entry) => entry['day_of_week'] === day);
    if (ranges.length > RANGES_PER_DAY_MAX) {
      throw invalidParameter(`${day} has more than ${RANGES_PER_DAY_MAX} ranges`);
    }
    const [first, second] = ranges.toSorted((one, other) =>
      String(one['open_time']).localeCompare(String(other['open_time'])),
    );
    if (first && second && String(second['open_time']) < String(first['close_time'])) {
      throw invalidParameter(`the ranges of ${day} overlap`);
    }
  }
  for (const entry of entries) {
    const { day_of_week: day, open_time: open, close_time: close } = entry;
    if (!DAYS.includes(String(day))) throw invalidParameter('day_of_week is not a day');
    if (!TIME.test(String(open)) || !TIME.test(String(close))) {
      throw invalidParameter('open_time and close_time must be HHMM');
    }
    if (String(open) >= String(close))
      throw invalidParameter('open_time must be before close_time');
  }
}

/** Provider: the table names open_time and close_time, all samples start_time and end_time; both are taken. */
function checkHoliday(holiday: Body, today: string): void {
  const date = String(holiday['date']);
  if (!/^\d{4}-\d\d-\d\d$/.test(date) || Number.isNaN(Date.parse(date))) {
    throw invalidParameter('holiday_schedule[].date must be YYYY-MM-DD');
  }
  if (date < today) throw invalidParameter(`holiday_schedule[].date ${date} is in the past`);
  const start = String(holiday['start_time'] ?? holiday['open_time']);
  const end = String(holiday['end_time'] ?? holiday['close_time']);
  if (!TIME.test(start) || !TIME.test(end) || start >= end) {
    throw invalidParameter('holiday_schedule[] needs start_time before end_time, as HHMM');
  }
}

/** Whether users can call now; a holiday's hours replace the day's. Provider: "Call settings", read 2026-07. */
export function isOpen(hours: Body | undefined, nowMs: number): boolean {
  if (hours?.['status'] !== 'ENABLED') return true;
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: String(hours['timezone_id']),
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    weekday: 'long',
  });
  const parts = Object.fromEntries(
    format.formatToParts(nowMs).map(({ type, value }) => [type, value]),
  );
  const date = `${parts['year']}-${parts['month']}-${parts['day']}`;
  const time = `${parts['hour']}${parts['minute']}`;
  const holidays = (hours['holiday_schedule'] ?? []) as Body[];
  const holiday = holidays.filter((entry) => entry['date'] === date);
  const week = (hours['weekly_operating_hours'] ?? []) as Body[];
  const today = week.filter((entry) => entry['day_of_week'] === parts['weekday']?.toUpperCase());
  const ranges = holiday.length > 0 ? holiday : today;
  return ranges.some((range) => {
    const from = String(range['start_time'] ?? range['open_time']);
    const to = String(range['end_time'] ?? range['close_time']);
    return from <= time && time < to;
  });
}
