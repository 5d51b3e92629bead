// RTCP of a call, on both legs: what we tell the other side of our stream, and what it tells of it.
import { readReports, REPORT_INTERVAL_MS, type ReceptionReport } from './domain/rtcp.ts';
import type { Clock } from './ports.ts';
import type { Pump } from './pump.ts';

export type ReportingDeps = {
  readonly clock: Clock;
  readonly toCaller: Pump;
  readonly fromCaller: Pump;
  /** The source of what the provider sends. */
  readonly caller: number;
  readonly sendToProvider: (report: Uint8Array) => void;
  readonly sendToRoom: (report: Uint8Array) => void;
};

export class Reporting {
  readonly #deps: ReportingDeps;
  #dueAtMs = Infinity;
  /** The provider's last sender report, 0 while there was none. */
  #last = { middle: 0, atMs: 0 };

  constructor(deps: ReportingDeps) {
    this.#deps = deps;
  }

  /** Reports are sent from here on: the path is open. */
  start(nowMs: number): void {
    this.#dueAtMs = nowMs + REPORT_INTERVAL_MS / 2;
  }

  /** One RTCP packet of the provider's. */
  fromProvider(bytes: Uint8Array, nowMs: number): void {
    readReports(bytes, {
      onSender: (_ssrc, middle) => (this.#last = { middle, atMs: nowMs }),
      onReception: (reception) => this.#deps.toCaller.told(reception, nowMs),
    });
  }

  /** One RTCP packet of the room's about the caller's track. */
  fromRoom(bytes: Uint8Array, nowMs: number): void {
    readReports(bytes, {
      // Of what the room sends us it keeps its own account.
      onSender: () => undefined,
      onReception: (reception) => this.#deps.fromCaller.told(reception, nowMs),
    });
  }

  /** Sends what is due. Call it every 10 ms or so. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueAtMs) return;
    this.#dueAtMs = nowMs + REPORT_INTERVAL_MS;
    const { clock, toCaller, fromCaller, sendToProvider, sendToRoom } = this.#deps;
    const wallMs = clock.wallMs();
    const ofVoiceToCaller = toCaller.report(nowMs, wallMs, this.#reception(nowMs));
    if (ofVoiceToCaller) sendToProvider(ofVoiceToCaller);
    // The server keeps its own account of what it sends us, packet by packet over the same machine or network.
    const ofVoiceFromCaller = fromCaller.report(nowMs, wallMs, undefined);
    if (ofVoiceFromCaller) sendToRoom(ofVoiceFromCaller);
  }

  /** What we tell the provider of what came from it. */
  #reception(nowMs: number): ReceptionReport | undefined {
    const { fromCaller, caller } = this.#deps;
    const reception = fromCaller.arrivals.report(caller);
    if (!reception) return undefined;
    const { middle, atMs } = this.#last;
    const sinceLastReport = middle === 0 ? 0 : Math.round(((nowMs - atMs) / 1000) * 65_536);
    return { ...reception, lastReport: middle, sinceLastReport };
  }
}
