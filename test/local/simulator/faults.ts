// Faults of Meta that a test can ask for, for one call or for all. A fault of a call wins over a global one.
import { z } from 'zod';
import { isKnownCode } from './graph-error.ts';

const ms = z.number().int().min(0).max(600_000);
const event = z.enum(['connect', 'terminate', 'ringing', 'accepted', 'rejected']);

/** How the webhooks of a call go wrong. */
export const webhookFaults = z.strictObject({
  /** Extra copies of every webhook, sent at the same time as the first. */
  duplicates: z.number().int().min(0).max(50).optional(),
  /** Held back this long, per event, in ms. */
  delay_ms: z
    .strictObject({
      connect: ms.optional(),
      terminate: ms.optional(),
      ringing: ms.optional(),
      accepted: ms.optional(),
      rejected: ms.optional(),
    })
    .optional(),
  /** Events that are never sent. */
  drop: z.array(event).optional(),
  /** `connect` waits until `terminate` was delivered. */
  terminate_before_connect: z.boolean().optional(),
  /** Of a business-initiated call: `connect` comes after this status was delivered. */
  connect_after: z.enum(['ringing', 'accepted']).optional(),
  /**
   * Where the SDP of a business-initiated call's `connect` is: `connection` puts it only into `connection.webrtc.sdp` as
   * stringified JSON, `both` there as well. Observed: both occur besides `session`.
   */
  sdp_in: z.enum(['session', 'connection', 'both']).optional(),
  /** Observed: status payloads without the outer `object` occur. */
  omit_object: z.boolean().optional(),
  /** `connect` waits for the next call that has this fault too; both go out in one POST. */
  batch: z.boolean().optional(),
  /** The `timestamp` of `connect` lies this many seconds in the past. */
  timestamp_age_s: z.number().int().min(0).max(1_000_000).optional(),
  /** `omit`: no `contacts`; `no_phone`: only the business-scoped user id, no phone number anywhere. */
  contacts: z.enum(['omit', 'no_phone']).optional(),
  /** Fields that no client knows, on every level. */
  unknown_fields: z.boolean().optional(),
  /** An event that no client knows goes out ahead of `connect`. */
  unknown_event: z.boolean().optional(),
  /** The webhook is about another number, as every subscribed app sees them. */
  foreign_number_id: z.string().min(1).optional(),
});

/** How a Graph request goes wrong. Each entry is used up after `times` requests. */
export const graphFault = z.strictObject({
  /** An action of `/calls` (`any` means every one), or one of the other endpoints. */
  action: z
    .enum([
      'connect',
      'pre_accept',
      'accept',
      'reject',
      'terminate',
      'any',
      'messages',
      'call_permissions',
      'settings',
    ])
    .default('any'),
  /**
   * `server-error` and `rate-limit` do nothing and say so; `success-false` answers 200 without acting; `slow` acts at once
   * and answers after `delay_ms`; `act-then-drop` acts, waits `delay_ms` and cuts the connection, `drop` does so without
   * acting; `token-expired` is 401/190; `error` refuses with `code`.
   */
  kind: z.enum([
    'server-error',
    'rate-limit',
    'success-false',
    'slow',
    'act-then-drop',
    'drop',
    'token-expired',
    'error',
  ]),
  /** For `error`: a code of Meta's table, with the status documented for it unless `status` is given. */
  code: z.number().int().refine(isKnownCode, 'not a code that the simulator knows').optional(),
  status: z.number().int().min(400).max(599).optional(),
  details: z.string().max(1000).default('fault'),
  times: z.number().int().min(1).max(1000).default(1),
  delay_ms: ms.default(0),
});

export const faults = z.strictObject({
  webhooks: webhookFaults.optional(),
  graph: z.array(graphFault).max(50).optional(),
});

export type WebhookFaults = z.infer<typeof webhookFaults>;
export type GraphFault = z.infer<typeof graphFault>;
export type Faults = z.infer<typeof faults>;

/** What `any` does not stand for. */
const OTHER_ENDPOINTS = ['messages', 'call_permissions', 'settings'];

/** The faults that are set, with the count of what is left of each. */
export class FaultBox {
  #webhooks: WebhookFaults = {};
  #graph: GraphFault[] = [];

  constructor(initial: Faults = {}) {
    this.add(initial);
  }

  /** Adds to what is set; a webhook fault replaces an earlier one of the same name. */
  add(more: Faults): void {
    this.#webhooks = { ...this.#webhooks, ...more.webhooks };
    this.#graph.push(...(more.graph ?? []).map((fault) => ({ ...fault })));
  }

  clear(): void {
    this.#webhooks = {};
    this.#graph = [];
  }

  get webhooks(): WebhookFaults {
    return this.#webhooks;
  }

  /** What is still set. */
  list(): Faults {
    return { webhooks: { ...this.#webhooks }, graph: this.#graph.map((fault) => ({ ...fault })) };
  }

  /** The fault for one Graph request, counted as used. @param action of `/calls`, or the name of another endpoint */
  takeGraph(action: string): GraphFault | undefined {
    const fault = this.#graph.find(
      (candidate) =>
        candidate.action === action ||
        (candidate.action === 'any' && !OTHER_ENDPOINTS.includes(action)),
    );
    if (fault) {
      fault.times--;
      this.#graph = this.#graph.filter((candidate) => candidate.times > 0);
    }
    return fault;
  }
}
