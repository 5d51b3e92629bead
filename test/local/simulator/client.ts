// A typed client of the control API for tests and benchmarks.
import type { CallSummary, CallView } from './call-view.ts';
import { toCamelCase } from './casing.ts';
import type { NewCall, PlayRequest, RawWebhook } from './control-schemas.ts';
import type { Faults, GraphFault } from './faults.ts';

export { shareOfTone, type HeardReport } from './hearing.ts';
export type { CallSummary, CallView } from './call-view.ts';
export type { NewCall } from './control-schemas.ts';

/** Faults as they are written down; what has a default may be left out. */
export type FaultRequest = Pick<Faults, 'webhooks'> & {
  graph?: (Pick<GraphFault, 'kind'> & Partial<GraphFault>)[];
};

/** How often `waitFor` looks, in ms. */
const POLL_MS = 25;

/** Speaks to one simulator. Every method throws with the simulator's own words when it refuses. */
export class SimulatorClient {
  readonly #url: string;

  /** @param url base address, such as `http://127.0.0.1:8790` */
  constructor(url: string) {
    this.#url = url.replace(/\/$/, '');
  }

  /** Lets a simulated phone call the business. */
  call(options: NewCall = {}): Promise<CallSummary> {
    return this.#request('POST', '/control/calls', options);
  }

  async list(): Promise<CallSummary[]> {
    const { calls } = await this.#request<{ calls: CallSummary[] }>('GET', '/control/calls');
    return calls;
  }

  /** @param id the simulator's id or the wacid */
  get(id: string): Promise<CallView> {
    return this.#request('GET', `/control/calls/${encodeURIComponent(id)}`);
  }

  /** The caller hangs up. Repeating it changes nothing. */
  hangUp(id: string): Promise<CallSummary> {
    return this.#request('POST', `/control/calls/${encodeURIComponent(id)}/hangup`);
  }

  /** Changes what the caller of a live call sends. */
  play(id: string, request: PlayRequest): Promise<CallSummary> {
    return this.#request('POST', `/control/calls/${encodeURIComponent(id)}/play`, request);
  }

  /** Adds faults, to one call or to all. */
  addFaults(faults: FaultRequest, id?: string): Promise<unknown> {
    const path = id ? `/control/calls/${encodeURIComponent(id)}/faults` : '/control/faults';
    return this.#request('POST', path, faults);
  }

  /** Removes the faults that apply to all calls. */
  clearFaults(): Promise<unknown> {
    return this.#request('DELETE', '/control/faults');
  }

  /** Sends any body as a webhook, signed unless told otherwise. */
  sendWebhook(webhook: RawWebhook): Promise<{ status: number; body: string }> {
    return this.#request('POST', '/control/webhooks', webhook);
  }

  /** Makes the request with which Meta verifies a webhook address. */
  verifyWebhook(): Promise<{ status: number; body: string; verified: boolean }> {
    return this.#request('POST', '/control/verify-webhook');
  }

  /**
   * Waits until a call is as wanted.
   *
   * @returns the call as it then was
   * @throws Error after `timeoutMs`, with the call's state and timeline in the message
   */
  async waitFor(
    id: string,
    isAsWanted: (call: CallView) => boolean,
    timeoutMs = 10_000,
  ): Promise<CallView> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const call = await this.get(id);
      if (isAsWanted(call)) return call;
      if (performance.now() > deadlineMs) {
        const timeline = call.timeline.map(({ what, details }) =>
          `${what} ${details ?? ''}`.trim(),
        );
        throw new Error(
          `call ${id} is not as wanted after ${timeoutMs} ms: ${call.state}; ${timeline.join(', ')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #request<Result>(method: string, path: string, body?: unknown): Promise<Result> {
    const response = await fetch(this.#url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return toCamelCase(JSON.parse(text)) as Result;
  }
}
