// Hours in which users may call: as the API takes and shows them, and as the provider has them. Pure.
// Provider: Calling API settings, call_hours, read 2026-07. Every rule here is one that the provider enforces; checking them
// here names the field, which the provider does not do.
import { z } from 'zod';

export const DAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;
const RANGES_PER_DAY_MAX = 2;
const HOLIDAYS_MAX = 20;

const time = z.string().regex(/^([01]\d|2[0-3])[0-5]\d$/, 'a time of day as HHMM, 0000 to 2359');
const zone = z.string().refine(isTimeZone, 'an IANA time zone such as Europe/Lisbon');
const opening = z
  .object({ day: z.enum(DAYS, `one of ${DAYS.join(', ')}`), open: time, close: time })
  .refine(({ open, close }) => open < close, { error: 'later than `open`', path: ['close'] });
const holiday = z
  .object({
    date: z.iso.date('a date as YYYY-MM-DD'),
    open: time.default('0000'),
    close: time.default('2359'),
  })
  .refine(({ open, close }) => open < close, { error: 'later than `open`', path: ['close'] });

/** Hours as a whole: what is not named is closed; holidays that are not named are forgotten. */
export const hoursSchema = z
  .object({
    timezone: zone,
    weekly: z.array(opening).min(1, 'at least one range; null opens around the clock'),
    holidays: z.array(holiday).max(HOLIDAYS_MAX, `at most ${HOLIDAYS_MAX} holidays`).default([]),
  })
  .superRefine(({ weekly }, ctx) => {
    for (const [index, range] of weekly.entries()) {
      const earlier = weekly.slice(0, index).filter(({ day }) => day === range.day);
      if (earlier.length >= RANGES_PER_DAY_MAX) {
        const message = `at most ${RANGES_PER_DAY_MAX} ranges on one day`;
        ctx.addIssue({ code: 'custom', path: ['weekly', index, 'day'], message });
      } else if (earlier.some(({ open, close }) => range.open < close && open < range.close)) {
        const message = 'a range that does not overlap another of the day';
        ctx.addIssue({ code: 'custom', path: ['weekly', index, 'open'], message });
      }
    }
  });
export type Hours = z.infer<typeof hoursSchema>;

/** @returns positions in `holidays` of those that are over where the number's clock is; the provider refuses them */
export function pastHolidays(hours: Hours, nowMs: number): number[] {
  const today = dateIn(hours.timezone, nowMs);
  return hours.holidays.flatMap(({ date }, index) => (date < today ? [index] : []));
}

/** Whether the name is one of the IANA time zones that this runtime knows. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 are understood by the runtime and not by the provider.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** YYYY-MM-DD, which is how Sweden writes dates. */
const dateIn = (timeZone: string, atMs: number): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(atMs);

/** The provider's `call_hours`. It replaces the hours as a whole. */
export const hoursToProvider = ({ timezone, weekly, holidays }: Hours) => ({
  status: 'ENABLED',
  timezone_id: timezone,
  weekly_operating_hours: weekly.map(({ day, open, close }) => ({
    day_of_week: day.toUpperCase(),
    open_time: open,
    close_time: close,
  })),
  // The provider's table calls the times open_time and close_time, all of its samples start_time and end_time.
  holiday_schedule: holidays.map(({ date, open, close }) => ({
    date,
    start_time: open,
    end_time: close,
  })),
});

/** Observed in one sample of the provider: a time as 04:00. */
const anyTime = z.string().transform((value) => value.replace(':', ''));
const provided = z.looseObject({
  status: z.string(),
  timezone_id: z.string(),
  weekly_operating_hours: z.array(
    z.looseObject({
      day_of_week: z.string().toLowerCase().pipe(z.enum(DAYS)),
      open_time: anyTime,
      close_time: anyTime,
    }),
  ),
  holiday_schedule: z
    .array(
      z.looseObject({
        date: z.string(),
        start_time: anyTime.optional(),
        end_time: anyTime.optional(),
        open_time: anyTime.optional(),
        close_time: anyTime.optional(),
      }),
    )
    .optional()
    .catch(undefined),
});

/** @returns null when users may call around the clock */
export function hoursFromProvider(input: unknown): Hours | null {
  const parsed = provided.safeParse(input);
  if (!parsed.success || parsed.data.status.toUpperCase() !== 'ENABLED') return null;
  const { timezone_id, weekly_operating_hours, holiday_schedule = [] } = parsed.data;
  return {
    timezone: timezone_id,
    weekly: weekly_operating_hours.map(({ day_of_week, open_time, close_time }) => ({
      day: day_of_week,
      open: open_time,
      close: close_time,
    })),
    holidays: holiday_schedule.map((item) => ({
      date: item.date,
      open: item.start_time ?? item.open_time ?? '0000',
      close: item.end_time ?? item.close_time ?? '2359',
    })),
  };
}
