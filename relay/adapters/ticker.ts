// One interval for all calls: a timer per call would wake the process as often as there are calls.
import type { Clock, Log, Ticker } from '../ports.ts';

/** Half a frame: a slot is filled at most this much after it has become due. */
const TICK_MS = 10;

/** A tick this late means that the process stood still, and that packets are waiting to be read. */
const STOOD_STILL_MS = 3 * TICK_MS;

/** Starts the interval with the first member and stops it with the last. */
export function createTicker(clock: Clock, log: Log): Ticker {
  const members = new Set<(nowMs: number) => void>();
  let timer: NodeJS.Timeout | undefined;
  let tickedAtMs = 0;
  const tickAll = () => {
    const nowMs = clock.nowMs();
    tickedAtMs = nowMs;
    for (const tick of members) {
      try {
        tick(nowMs);
      } catch (error) {
        log.error({ err: error }, 'ticker.failed');
      }
    }
  };
  const onInterval = () => {
    // Node runs timers before it reads what has arrived: without the detour silence would take the slots of waiting packets.
    if (clock.nowMs() - tickedAtMs > STOOD_STILL_MS) setImmediate(tickAll);
    else tickAll();
  };
  return {
    add: (tick) => {
      members.add(tick);
      timer ??= setInterval(onInterval, TICK_MS);
      return () => {
        members.delete(tick);
        if (members.size > 0 || !timer) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}
