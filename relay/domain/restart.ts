// When a process that died is started again. Pure.

/** The first pause, in ms: enough for what it held to be given back. */
const PAUSE_MS_FIRST = 250;
const PAUSE_MS_MAX = 30_000;

/** Whoever ran this long did not die of how it was started, in ms. */
const STEADY_MS = 60_000;

/**
 * @param ranMs how long the process ran
 * @param deathsBefore how many died in a row before it, each too early
 * @returns the pause, and what `deathsBefore` is for the next one
 */
export function restartAfter(
  ranMs: number,
  deathsBefore: number,
): { pauseMs: number; deaths: number } {
  if (ranMs >= STEADY_MS) return { pauseMs: PAUSE_MS_FIRST, deaths: 0 };
  const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** deathsBefore);
  return { pauseMs, deaths: deathsBefore + 1 };
}
