// Everything that webhooks can change in the database, to be compared before and after.
import { testEnv, until } from './support.ts';

const TABLES = [
  'calls',
  'call_events',
  'contacts',
  'contact_identities',
  'counters',
  'forwards',
  'permissions',
] as const;

/** Every row of every table that webhooks write to; of numbers, not when they last heard of their provider. */
export async function record(): Promise<Record<string, unknown[]>> {
  const queries = [
    ...TABLES.map((table) => `SELECT * FROM ${table} ORDER BY rowid`),
    'SELECT id, calling, restrictions FROM numbers ORDER BY id',
  ];
  const results = await testEnv.DB.batch(queries.map((sql) => testEnv.DB.prepare(sql)));
  const tables = [...TABLES, 'numbers'];
  return Object.fromEntries(results.map(({ results: rows }, i) => [tables[i], rows]));
}

/** Waits until no call has a request under way whose reply would still change it. */
export const settled = (): Promise<unknown> =>
  until('every request to be answered', async () => {
    const pending = await testEnv.DB.prepare(
      `SELECT calls.id FROM calls, json_each(calls.data, '$.pending')`,
    ).first();
    return pending === null;
  });
