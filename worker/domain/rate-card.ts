// The rate card as CSV: read line by line, so that every broken line can be named. Pure.
import type { Rate } from './pricing.ts';

export const RATE_COLUMNS = [
  'prefix',
  'tier_from_minutes',
  'currency',
  'price_per_minute',
  'valid_from',
] as const;
type Column = (typeof RATE_COLUMNS)[number];

/** One thing that is wrong with the file. */
export interface LineProblem {
  /** Counts from 1, the header included, as an editor shows it. */
  readonly line: number;
  /** Null when the whole line is meant. */
  readonly column: Column | null;
  readonly expected: string;
}

/** Far above the provider's card (some 250 prefixes, 6 tiers). */
export const RATES_MAX = 20_000;

const MICROS_DIGITS = 6;

const EXPECTED: Record<Column, { readonly pattern: RegExp; readonly words: string }> = {
  prefix: { pattern: /^\+?\d{1,15}$/, words: 'a country prefix of 1 to 15 digits, such as 351' },
  tier_from_minutes: {
    pattern: /^\d{1,9}$/,
    words: 'the minutes a month above which the tier begins, 0 for the first',
  },
  currency: { pattern: /^[A-Z]{3}$/, words: 'an ISO 4217 code of three capitals, such as USD' },
  price_per_minute: {
    pattern: /^\d{1,4}(\.\d{1,6})?$/,
    words: 'a price from 0 to 9999.999999 with a decimal point, such as 0.0103',
  },
  valid_from: { pattern: /^\d{4}-\d\d-\d\d$/, words: 'a day as YYYY-MM-DD' },
};

interface Line {
  readonly number: number;
  readonly rate: Rate;
}

/**
 * Reads a whole rate card. All or nothing: one broken line and there are no rates.
 *
 * @param text CSV with the columns of `RATE_COLUMNS` in that order and a header; blank lines are skipped
 * @returns the rates, or every problem with its line
 */
export function parseRateCard(
  text: string,
): { ok: true; rates: Rate[] } | { ok: false; problems: LineProblem[] } {
  const [header = '', ...rows] = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  if (fieldsOf(header).join(',').toLowerCase() !== RATE_COLUMNS.join(',')) {
    const expected = `the header ${RATE_COLUMNS.join(',')}`;
    return { ok: false, problems: [{ line: 1, column: null, expected }] };
  }
  const problems: LineProblem[] = [];
  const lines: Line[] = [];
  for (const [index, row] of rows.entries()) {
    if (row.trim() === '') continue;
    const read = readRow(index + 2, row);
    if ('rate' in read) lines.push(read);
    else problems.push(...read.problems);
  }
  if (lines.length > RATES_MAX) {
    problems.push({ line: RATES_MAX + 2, column: null, expected: `at most ${RATES_MAX} rates` });
  }
  problems.push(...contradictions(lines));
  if (problems.length > 0) {
    return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line) };
  }
  return { ok: true, rates: lines.map(({ rate }) => rate) };
}

const fieldsOf = (row: string): string[] =>
  row.split(',').map((field) => field.trim().replace(/^"(.*)"$/, '$1'));

function readRow(line: number, row: string): Line | { problems: LineProblem[] } {
  const fields = fieldsOf(row);
  if (fields.length !== RATE_COLUMNS.length) {
    const expected = `${RATE_COLUMNS.length} fields: ${RATE_COLUMNS.join(',')}`;
    return { problems: [{ line, column: null, expected }] };
  }
  const problems = RATE_COLUMNS.flatMap((column, index): LineProblem[] => {
    const { pattern, words } = EXPECTED[column];
    const value = fields[index] ?? '';
    const isRight = pattern.test(value) && (column !== 'valid_from' || isDay(value));
    return isRight ? [] : [{ line, column, expected: words }];
  });
  if (problems.length > 0) return { problems };
  const [prefix = '', tier = '', currency = '', price = '', validFrom = ''] = fields;
  return {
    number: line,
    rate: {
      prefix: prefix.replace('+', ''),
      tierFromMinutes: Number(tier),
      currency,
      microsPerMinute: microsFrom(price),
      validFrom,
    },
  };
}

/** What no single line shows: doubled lines, mixed currencies, a first tier that does not begin at 0. */
function contradictions(lines: readonly Line[]): LineProblem[] {
  const problems: LineProblem[] = [];
  const versions = Map.groupBy(lines, ({ rate }) => `${rate.prefix} ${rate.validFrom}`);
  for (const [version, members] of versions) {
    const [first] = members;
    if (!first) continue;
    const seen = new Map<number, number>();
    for (const { number: line, rate } of members) {
      const twin = seen.get(rate.tierFromMinutes);
      if (twin !== undefined) {
        const expected = `one rate for a prefix, tier and day; line ${twin} has the same`;
        problems.push({ line, column: null, expected });
      }
      seen.set(rate.tierFromMinutes, line);
      if (rate.currency !== first.rate.currency) {
        const expected = `${first.rate.currency}, the currency of this prefix in line ${first.number}`;
        problems.push({ line, column: 'currency', expected });
      }
    }
    if (!seen.has(0)) {
      const expected = `a line with tier 0 for ${version}, so that every minute has a price`;
      problems.push({ line: first.number, column: 'tier_from_minutes', expected });
    }
  }
  return problems;
}

/** @param price of the form that `EXPECTED` describes */
function microsFrom(price: string): number {
  const [units = '', decimals = ''] = price.split('.');
  return Number(units + decimals.padEnd(MICROS_DIGITS, '0'));
}

/** An amount in millionths as a decimal number, without trailing zeros: 10300 is `0.0103`. */
export function decimalFromMicros(micros: number): string {
  const digits = String(micros).padStart(MICROS_DIGITS + 1, '0');
  const decimals = digits.slice(-MICROS_DIGITS).replace(/0+$/, '');
  return digits.slice(0, -MICROS_DIGITS) + (decimals === '' ? '' : `.${decimals}`);
}

/** The calendar has this day. @param day of the form YYYY-MM-DD */
function isDay(day: string): boolean {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return date >= 1 && date <= days;
}
