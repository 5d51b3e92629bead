// Callbacks of the WebRTC library run straight from native code: an error that escapes one ends the process.
import type { Log } from '../ports.ts';
import { rest } from './rest.ts';

/** Wraps a callback so that its errors are logged instead of thrown. */
export const guarded =
  <Arguments extends unknown[]>(
    log: Log,
    event: string,
    callback: (...args: Arguments) => void,
  ): ((...args: Arguments) => void) =>
  (...args) => {
    try {
      callback(...args);
    } catch (error) {
      log.error({ err: error }, event);
    }
  };

/** The same for the callback that runs for every packet, without an array of arguments each time; it lets packets gather. */
export const guardedPacket =
  (log: Log, event: string, callback: (bytes: Uint8Array) => void): ((bytes: Uint8Array) => void) =>
  (bytes) => {
    rest.packet();
    try {
      callback(bytes);
    } catch (error) {
      log.error({ err: error }, event);
    }
  };

/** Runs one step of closing; a failure is logged so that the steps after it still run. */
export function attempt(log: Log, event: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    log.warn({ err: error }, event);
  }
}
