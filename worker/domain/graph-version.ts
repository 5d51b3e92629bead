// Until when versions of the Graph API can be used. Pure.

/** Provider: Graph API changelog, versions, read 2026-09. Null: no end announced. The oldest that calling knew is v17.0. */
const EXPIRES: Readonly<Record<string, string | null>> = {
  'v20.0': '2026-09-24',
  'v21.0': '2027-01-21',
  'v22.0': '2027-05-20',
  'v23.0': '2027-10-08',
  'v24.0': '2028-02-18',
  'v25.0': '2028-07-29',
  'v26.0': null,
};
const OLDEST_KNOWN = 20;

export const LATEST_GRAPH_VERSION = 'v26.0';

/**
 * @param version such as `v25.0`
 * @returns the last day as YYYY-MM-DD; `never` when none is announced; `over` for versions older than any listed; `unknown` for
 * versions newer than this table
 */
export function graphVersionEnd(version: string): string {
  const end = EXPIRES[version];
  if (end !== undefined) return end ?? 'never';
  return Number(/^v(\d+)/.exec(version)?.[1] ?? 0) < OLDEST_KNOWN ? 'over' : 'unknown';
}
