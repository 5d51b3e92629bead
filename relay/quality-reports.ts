// How the calls of a relay sound at present, told to the worker every few seconds: all calls at once, and nothing that is waited for.
import type { CallStats, QualityFrame } from './protocol.ts';
import { QUALITY_CALLS_MAX } from './protocol.ts';

/** How often, in ms. */
export const QUALITY_INTERVAL_MS = 5_000;

/** A call whose path is open, and its figures since then. */
export type CallFigures = { readonly callId: string; readonly stats: CallStats };

/** As few frames as hold all calls; none without calls. */
export function qualityFrames(figures: readonly CallFigures[]): QualityFrame[] {
  const frames: QualityFrame[] = [];
  for (let first = 0; first < figures.length; first += QUALITY_CALLS_MAX) {
    const some = figures.slice(first, first + QUALITY_CALLS_MAX);
    frames.push({
      type: 'quality',
      calls: some.map(({ callId, stats }) => ({ call_id: callId, stats })),
    });
  }
  return frames;
}
