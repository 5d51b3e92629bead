// The database as every part of the worker opens it: with errors that may be logged, within its limits.
import { drizzle, type DrizzleD1Database } from 'drizzle-orm/d1';

/**
 * Parameters of a query are phone numbers, names and SDP, and Drizzle writes them into the message of its errors. It makes
 * text of the array that its logger was shown before, so here that array becomes a text that says nothing.
 */
const unreadable = {
  logQuery(_query: string, params: unknown[]): void {
    Object.defineProperty(params, 'toString', { value: () => '(left out)' });
  },
};

/** Messages of errors hold the statement and never its values. */
export const openDatabase = (d1: D1Database): DrizzleD1Database =>
  drizzle(d1, { logger: unreadable });

/** Provider: D1 binds at most 100 parameters a query, D1 limits, read 2026-11. Some are left for the rest of the query. */
const VALUES_MAX = 90;

/** The values of an `IN (...)` in groups that one query can take. */
export function* queryable<T>(values: readonly T[]): Generator<T[]> {
  for (let start = 0; start < values.length; start += VALUES_MAX) {
    yield values.slice(start, start + VALUES_MAX);
  }
}
