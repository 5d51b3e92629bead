// A typed client of the control API for tests and benchmarks.
import type { CallSummary, CallView } from './call-view.ts';
import { toCamelCase } from './casing.ts';
import type {
  AccountUpdate,
  ForeignCall,
  HangUpRequest,
  NewCall,
  NewNumber,
  PermissionChange,
  PermissionReplyRequest,
  PlayRequest,
  RawWebhook,
  UserMessage,
} from './control-schemas.ts';
import type { WebhookRecord } from './delivery.ts';
import type { Faults, GraphFault } from './faults.ts';
import type { SentMessage } from './message-desk.ts';
import type { TraitsChange } from './number-traits.ts';
import type { Permission, PermissionRequest, Usage } from './permission-record.ts';
import type { PhoneDescription } from './phone-preset.ts';

export { shareOfTone, type HeardReport } from './hearing.ts';
export type { CallSummary, CallView } from './call-view.ts';
export type { NewCall } from './control-schemas.ts';
export type { PhoneDescription } from './phone-preset.ts';

/** What Meta keeps for one number and one user. Times in ms since the epoch, on the movable clock. */
export type PermissionState = {
  number: string;
  user: string | null;
  userId: string;
  permission: Permission;
  requests: PermissionRequest[];
  requestsToday: Usage;
  requestsThisWeek: Usage;
  connectedToday: Usage;
  unansweredInARow: number;
  nudges: number;
  windowUntilMs: number;
  isWindowOpen: boolean;
};

/** A business number and how to reach it. */
export type NumberView = {
  provider: 'meta' | '360dialog';
  phoneNumberId: string;
  displayPhoneNumber: string;
  wabaId: string;
  /** Of a Meta number. */
  accessToken?: string;
  /** Of a 360dialog number. */
  apiKey?: string;
  apiBaseUrl: string;
  webhookUrl: string | null;
  /** Webhooks that belong to no call; only when one number is asked for. */
  webhooks?: WebhookRecord[];
};

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

  /** The user hangs up, or with an `error_code` the call fails at Meta. Repeating it changes nothing. */
  hangUp(id: string, request: HangUpRequest = {}): Promise<CallSummary> {
    return this.#request('POST', `/control/calls/${encodeURIComponent(id)}/hangup`, request);
  }

  /** The user picks up a business-initiated call that rings. */
  pickUp(id: string): Promise<CallSummary> {
    return this.#request('POST', `/control/calls/${encodeURIComponent(id)}/answer`);
  }

  /** The user declines a business-initiated call that rings. */
  decline(id: string): Promise<CallSummary> {
    return this.#request('POST', `/control/calls/${encodeURIComponent(id)}/reject`);
  }

  /** Another app of the account calls somebody. */
  foreignCall(request: ForeignCall = {}): Promise<CallSummary> {
    return this.#request('POST', '/control/foreign-calls', request);
  }

  /**
   * What a phone does when the business calls, and who owns it.
   *
   * @param user number or business-scoped user id; without it, what all phones do that were not described
   */
  setPhone(description: PhoneDescription, user?: string): Promise<unknown> {
    const path = user === undefined ? '' : `/${encodeURIComponent(user)}`;
    return this.#request('POST', `/control/phones${path}`, description);
  }

  /** @param number id of the business number, default the default one */
  permission(user: string, number?: string): Promise<PermissionState> {
    const query = new URLSearchParams({ user, ...(number === undefined ? {} : { number }) });
    return this.#request('GET', `/control/permissions?${query.toString()}`);
  }

  /** Sets permission, connected calls or service window without telling the business. */
  setPermission(change: PermissionChange): Promise<PermissionState> {
    return this.#request('POST', '/control/permissions', change);
  }

  /** The user answers a permission request; settles when the business was told once. */
  replyPermission(reply: PermissionReplyRequest): Promise<PermissionState> {
    return this.#request('POST', '/control/permissions/reply', reply);
  }

  /** The user writes to the business; settles when the business was told once. */
  userMessage(message: UserMessage): Promise<{ wamid: string }> {
    return this.#request('POST', '/control/messages', message);
  }

  /** Messages that the business sent. */
  async messages(): Promise<SentMessage[]> {
    const { messages } = await this.#request<{ messages: SentMessage[] }>(
      'GET',
      '/control/messages',
    );
    return messages;
  }

  /** Moves the clock of permissions, windows, restrictions and daily limits forward. */
  advanceClock(ms: number): Promise<{ nowMs: number; aheadMs: number }> {
    return this.#request('POST', '/control/clock', { advance_ms: ms });
  }

  /** Adds a business number of either provider. */
  addNumber(number: NewNumber): Promise<NumberView> {
    return this.#request('POST', '/control/numbers', number);
  }

  /** @param id of the business number */
  number(id: string): Promise<NumberView> {
    return this.#request('GET', `/control/numbers/${id}`);
  }

  /** Changes what is different about a business number. */
  changeNumber(id: string, traits: TraitsChange): Promise<NumberView> {
    return this.#request('POST', `/control/numbers/${id}`, traits);
  }

  /** Sends an account_update webhook; a restriction takes effect. */
  accountUpdate(id: string, update: AccountUpdate): Promise<NumberView> {
    return this.#request('POST', `/control/numbers/${id}/account-update`, update);
  }

  /** Lifts all restrictions of a number. No webhook tells of it. */
  liftRestrictions(id: string): Promise<NumberView> {
    return this.#request('DELETE', `/control/numbers/${id}/restrictions`);
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
