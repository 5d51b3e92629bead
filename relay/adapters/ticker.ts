// One interval for all calls: a timer per call would wake the process as often as there are calls.
import type { Clock, Log, Ticker } from '../ports.ts';

/** Half a frame: a slot is filled at most this much after it has become due. */
const TICK_MS = 10;

/** Starts the interval with the first member and stops it with the last. */
export function createTicker(clock: Clock, log: Log): Ticker {
  const members = new Set<(nowMs: number) => void>();
  let timer: NodeJS.Timeout | undefined;
  const tickAll = () => {
    const nowMs = clock.nowMs();
    for (const tick of members) {
      try {
        tick(nowMs);
      } catch (error) {
        log.error({ err: error }, 'ticker.failed');
      }
    }
  };
  return {
    add: (tick) => {
      members.add(tick);
      timer ??= setInterval(tickAll, TICK_MS);
      return () => {
        members.delete(tick);
        if (members.size > 0 || !timer) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}
