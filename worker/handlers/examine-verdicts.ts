// What the doctor makes of single facts. No I/O; time is an argument.
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import { graphVersionEnd, LATEST_GRAPH_VERSION } from '../domain/graph-version.ts';
import type { JobFailure } from '../domain/job.ts';

const DAY_MS = 24 * 3600_000;
/** A version or token that ends sooner than this is reported, in days. */
export const SOON_DAYS = 60;
/** Webhooks older than the answer limit of 26 s are not rung; half of that is left to delivery. In ms. */
const SKEW_MS_MAX = 10_000;

/** @param serverAtMs time of the provider's reply, whole seconds */
export function clock(serverAtMs: number | undefined, nowMs: number): Finding {
  if (serverAtMs === undefined) return cannotTell('The provider does not tell its time');
  const skewMs = Math.abs(nowMs - serverAtMs);
  const why = `The clocks differ by ${Math.round(skewMs / 1000)} s`;
  return skewMs <= SKEW_MS_MAX
    ? fine(why)
    : problem(why, 'Correct the clock of the machine that runs the worker');
}

export function graphVersion(version: string, nowMs: number): Finding {
  const end = graphVersionEnd(version);
  const remedy = `Set GRAPH_VERSION to ${LATEST_GRAPH_VERSION}`;
  if (end === 'never') return fine(`No end of ${version} is announced`);
  if (end === 'unknown') return cannotTell(`${version} is newer than what Roomline knows of`);
  if (end === 'over') return problem(`${version} has ended`, remedy);
  const days = Math.floor((Date.parse(end) - nowMs) / DAY_MS);
  if (days < 0) return problem(`${version} ended on ${end}`, remedy);
  const why = `${version} ends on ${end}`;
  return days < SOON_DAYS ? problem(why, remedy) : fine(why);
}

/** What the provider said, without anything of what was sent to it. */
export const said = ({ message, code, status }: JobFailure): string =>
  `The provider answered: ${message}` +
  (code === undefined ? '' : ` (code ${code})`) +
  (status === undefined ? '' : ` (HTTP ${status})`);
