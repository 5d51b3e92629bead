// Call permissions between every number and every user: how calls change them, and the replies that tell the business.
import { randomBytes } from 'node:crypto';
import { unixSecondsOf, type MovableClock } from './clock.ts';
import type { SimulatedCall } from './call.ts';
import type { CallObserver } from './calls.ts';
import type { OutboundCall } from './outbound-call.ts';
import type { SimulatedNumber } from './numbers.ts';
import {
  META_PERMISSION_LIMITS,
  PermissionRecord,
  SANDBOX_PERMISSION_LIMITS,
  type Permission,
} from './permission-record.ts';
import { shownOf, type User, type Users } from './users.ts';
import { eventsBody, unixSeconds, type Oddities } from './wire.ts';

/** How a reply webhook is written. Observed: every one of these forms occurs. */
export type ReplyForm = {
  /** The message has no `type`. */
  readonly withoutType?: boolean;
  /** `expiration_timestamp` is a number instead of a text. */
  readonly integerExpiry?: boolean;
  /** A permanent permission says `is_permanent: false`, as one documented sample does. */
  readonly wrongPermanent?: boolean;
  readonly contacts?: Oddities['contacts'];
  readonly duplicates?: number;
};

/** What a user answers. */
export type Reply = {
  readonly response: 'accept' | 'reject';
  readonly isPermanent: boolean;
  readonly source: 'user_action' | 'automatic';
  /** `context.id`: the request's wamid, or the wacid of the user's call; undefined for no context. */
  readonly contextId: string | undefined;
  readonly form?: ReplyForm;
};

type Deps = {
  readonly clock: MovableClock;
  readonly users: Users;
  readonly now: () => number;
};

/** An id as messages have it. Observed: base64 with its padding now and then. */
export function newWamid(): string {
  return `wamid.${randomBytes(31).toString('base64')}`;
}

export class PermissionDesk {
  readonly #deps: Deps;
  readonly #records = new Map<string, PermissionRecord>();
  /** What calls change. */
  readonly observer: CallObserver;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.observer = {
      started: (call) => this.#callStarted(call),
      pickedUp: (call) => this.#callPickedUp(call),
      ended: (call) => this.#callEnded(call),
    };
  }

  recordOf(number: SimulatedNumber, user: { readonly userId: string }): PermissionRecord {
    const key = `${number.id} ${user.userId}`;
    const known = this.#records.get(key);
    if (known) return known;
    const limits = number.traits.sandbox ? SANDBOX_PERMISSION_LIMITS : META_PERMISSION_LIMITS;
    const record = new PermissionRecord(limits);
    this.#records.set(key, record);
    return record;
  }

  /** The user's answer takes effect, and the business is told. */
  async reply(number: SimulatedNumber, user: User, reply: Reply): Promise<Permission> {
    const nowMs = this.#deps.clock.now();
    const record = this.recordOf(number, user);
    const request = reply.contextId ? record.openRequest(nowMs, reply.contextId) : undefined;
    if (request) {
      request.answeredAtMs = nowMs;
      request.answer = reply.response;
    }
    if (reply.response === 'reject') record.set({ kind: 'none' });
    else if (reply.isPermanent) record.set({ kind: 'permanent' });
    else {
      // A user may exchange a permanent permission for a temporary one; nothing automatic does.
      if (reply.source === 'user_action') record.set({ kind: 'none' });
      record.grantTemporary(nowMs);
    }
    // Provider: "Overview" of the Cloud API: what a user sends opens the service window; an automatic reply is not theirs.
    if (reply.source === 'user_action') record.openWindow(nowMs);
    const permission = record.permission(nowMs);
    await this.#tell(number, user, reply, permission);
    return permission;
  }

  #tell(
    number: SimulatedNumber,
    user: User,
    reply: Reply,
    permission: Permission,
  ): Promise<unknown> {
    const { form = {} } = reply;
    const shown = shownOf(user);
    const showsNumber = shown.from !== undefined && form.contacts !== 'no_phone';
    const message = {
      ...(showsNumber ? { from: shown.from } : {}),
      from_user_id: shown.userId,
      id: newWamid(),
      timestamp: unixSeconds(this.#deps.now()),
      ...(form.withoutType ? {} : { type: 'interactive' }),
      ...(reply.contextId === undefined
        ? {}
        : { context: { from: number.identity.displayPhoneNumber, id: reply.contextId } }),
      interactive: {
        type: 'call_permission_reply',
        call_permission_reply: replyFields(reply, permission),
      },
    };
    const body = eventsBody(
      number.identity,
      'messages',
      { callers: [shown], messages: [message] },
      { contacts: form.contacts },
    );
    return number.send('messages', 'call_permission_reply', body, form.duplicates);
  }

  /** Provider: "Pricing", read 2026-09: a user's call opens the service window, answered or not. */
  #callStarted(call: SimulatedCall): void {
    const { number, caller } = call.options;
    this.#deps.users.register(caller);
    if (call.direction === 'inbound') {
      this.recordOf(number, caller).openWindow(this.#deps.clock.now());
    }
  }

  #callPickedUp(call: SimulatedCall): void {
    const { number, caller } = call.options;
    const nowMs = this.#deps.clock.now();
    const record = this.recordOf(number, caller);
    record.noteConnected(nowMs, call.direction);
    record.openWindow(nowMs);
  }

  #callEnded(call: SimulatedCall): void {
    const user = this.#deps.users.byUserId(call.options.caller.userId);
    if (!user) return;
    if (call.direction === 'inbound') this.#grantCallback(call, user);
    else if (call.acceptedAtMs === null) this.#countUnanswered(call as OutboundCall, user);
  }

  /** Provider: "User call permissions", read 2026-06: with the setting on, a call of the user grants, missed or answered. */
  #grantCallback(call: SimulatedCall, user: User): void {
    const { number, wacid } = call.options;
    const isOn = number.calling['callback_permission_status'] === 'ENABLED';
    const has = this.recordOf(number, user).permission(this.#deps.clock.now()).kind;
    if (!isOn || !number.traits.bic_available || has === 'permanent') return;
    void this.reply(number, user, {
      response: 'accept',
      isPermanent: false,
      source: 'automatic',
      contextId: wacid,
    });
  }

  /** A call that the business gave up while it rang counts as unanswered as well; Meta's pages do not say. */
  #countUnanswered(call: OutboundCall, user: User): void {
    if (call.ending?.reason === 'failed') return;
    const { number } = call.options;
    const effect = this.recordOf(number, user).noteUnanswered(this.#deps.clock.now());
    if (effect !== 'counted') call.note(effect === 'nudge' ? 'user nudged' : 'permission revoked');
    if (effect !== 'revoked') return;
    void this.reply(number, user, {
      response: 'reject',
      isPermanent: false,
      source: 'automatic',
      contextId: undefined,
    });
  }
}

/** Provider: "User call permissions", reply webhooks by scenario, read 2026-06. */
function replyFields(reply: Reply, permission: Permission): object {
  const { response, source, form = {} } = reply;
  if (response === 'reject') return { response, response_source: source };
  if (permission.kind !== 'temporary') {
    return { response, is_permanent: !form.wrongPermanent, response_source: source };
  }
  const expiry = unixSecondsOf(permission.expiresAtMs);
  return {
    response,
    is_permanent: false,
    expiration_timestamp: form.integerExpiry ? expiry : String(expiry),
    response_source: source,
  };
}
