// The database as every part of the worker opens it: with errors that may be logged.
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
