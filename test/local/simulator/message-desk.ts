// Messages between the numbers and the users: what goes out, its delivery statuses, and what users write.
import { checkCallingEnabled, countryError } from './dial.ts';
import { graphError, invalidParameter, type GraphError } from './graph-error.ts';
import { asText, type Body } from './json-body.ts';
import { parseMessage, type AskedMessage, type MessageKind } from './message-request.ts';
import type { SimulatedNumber } from './numbers.ts';
import { newWamid } from './permission-desk.ts';
import type { Platform } from './platform.ts';
import { blocking } from './restrictions.ts';
import { shownOf, type User } from './users.ts';
import { eventsBody, unixSeconds } from './wire.ts';

/** A message that was taken. Times are ms since the epoch. */
export type SentMessage = {
  readonly wamid: string;
  readonly numberId: string;
  readonly userId: string;
  readonly kind: MessageKind;
  readonly isTemplate: boolean;
  readonly sentAtMs: number;
  readonly body: Body;
  /** `sent`, `delivered` or `failed`, in order. */
  readonly statuses: string[];
};

type Recipient = { readonly input: string; readonly user: User | undefined };

const MESSAGES_MAX = 500;

export class MessageDesk {
  readonly #platform: () => Platform;
  readonly messages: SentMessage[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();

  /** @param platform asked for when it is needed: the desk is a part of it */
  constructor(platform: () => Platform) {
    this.#platform = platform;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /**
   * Takes a message of the business.
   *
   * Provider: "User call permissions" and "Error codes" of the Cloud API, read 2026-06.
   *
   * @returns the body of the answer
   * @throws GraphError when Meta would refuse it
   */
  send(number: SimulatedNumber, body: Body): object {
    const asked = parseMessage(body, number.traits.templates);
    const { input, user } = this.#recipientOf(number, body);
    if (user) this.#check(number, user, asked);
    const message: SentMessage = {
      wamid: newWamid(),
      numberId: number.id,
      userId: user?.userId ?? input,
      kind: asked.kind,
      isTemplate: asked.isTemplate,
      sentAtMs: this.#platform().now(),
      body,
      statuses: [],
    };
    this.messages.push(message);
    this.messages.splice(0, this.messages.length - MESSAGES_MAX);
    if (user) void this.#deliver(number, user, message);
    const shown = user && shownOf(user);
    const contact = {
      input,
      ...(shown?.from === undefined ? {} : { wa_id: shown.from }),
      ...(shown ? { user_id: shown.userId } : {}),
    };
    return {
      messaging_product: 'whatsapp',
      contacts: [contact],
      messages: [{ id: message.wamid }],
    };
  }

  /** A user writes to the business, which opens the service window. */
  async receive(number: SimulatedNumber, user: User, text: string): Promise<string> {
    const { permissions, clock, now } = this.#platform();
    permissions.recordOf(number, user).openWindow(clock.now());
    const shown = shownOf(user);
    const id = newWamid();
    const message = {
      ...(shown.from === undefined ? {} : { from: shown.from }),
      from_user_id: shown.userId,
      id,
      timestamp: unixSeconds(now()),
      type: 'text',
      text: { body: text },
    };
    const body = eventsBody(number.identity, 'messages', { callers: [shown], messages: [message] });
    await number.send('messages', 'text', body);
    return id;
  }

  #recipientOf(number: SimulatedNumber, body: Body): Recipient {
    const { users } = this.#platform();
    const { to, recipient } = body;
    if (to === undefined && recipient !== undefined) {
      const input = asText(recipient, 'recipient', 200);
      const user = users.byUserId(input);
      if (!user) throw invalidParameter('recipient is not a user of this business');
      return { input, user };
    }
    const input = asText(to, 'to', 200);
    const digits = input.replace(/^\+/, '');
    if (!/^\d{1,15}$/.test(digits)) throw invalidParameter('to must be a phone number');
    const { allowed_recipients: allowed } = number.traits;
    if (allowed && !allowed.includes(digits))
      throw graphError(131030, 'Add the number to the list');
    return { input, user: users.byPhone(digits) };
  }

  #check(number: SimulatedNumber, user: User, asked: AskedMessage): void {
    const { permissions, clock } = this.#platform();
    const nowMs = clock.now();
    const record = permissions.recordOf(number, user);
    const isRequest = asked.kind === 'call_permission_request';
    if (isRequest) {
      checkCallingEnabled(number);
      if (!number.traits.bic_available) throw countryError();
      const pause = blocking(number.restrictions, 'outbound', nowMs);
      if (pause) throw graphError(138014, `Calling is paused: ${pause.reason}`);
      if (record.permission(nowMs).kind === 'permanent') {
        throw graphError(138017, 'The user has approved calls permanently');
      }
    }
    if (!asked.isTemplate && record.windowUntilMs <= nowMs && this.#isRefused(number)) {
      throw windowError(number, isRequest);
    }
    if (!isRequest) return;
    for (const usage of [record.requestsToday(nowMs), record.requestsThisWeek(nowMs)]) {
      if (usage.freeAtMs === undefined) continue;
      const next = new Date(usage.freeAtMs).toISOString();
      throw graphError(138009, `${usage.max} requests were sent; next allowed: ${next}`);
    }
  }

  #isRefused({ traits }: SimulatedNumber): boolean {
    return traits.closed_window === 'refuse';
  }

  async #deliver(number: SimulatedNumber, user: User, message: SentMessage): Promise<void> {
    const { permissions, clock, users } = this.#platform();
    const record = permissions.recordOf(number, user);
    const preset = users.presetOf(user);
    const isRequest = message.kind === 'call_permission_request';
    const isOutside = !message.isTemplate && record.windowUntilMs <= clock.now();
    const needsNewClient = isRequest || message.kind === 'voice_call';
    if (isOutside) return this.#tell(number, user, message, 'failed', windowError(number, false));
    if (preset.behaviour === 'uncallable' || (needsNewClient && preset.client === 'old')) {
      const undeliverable = graphError(131026, 'Message undeliverable');
      return this.#tell(number, user, message, 'failed', undeliverable);
    }
    if (isRequest) record.noteRequest(message.wamid, clock.now());
    await this.#tell(number, user, message, 'sent');
    if (preset.behaviour === 'offline') return;
    await this.#tell(number, user, message, 'delivered');
    const answer = preset.permission_reply;
    if (!isRequest || !answer) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void permissions.reply(number, user, {
        response: answer.response,
        isPermanent: answer.is_permanent,
        source: 'user_action',
        contextId: message.wamid,
      });
    }, answer.after_ms);
    this.#timers.add(timer);
  }

  /** Provider: "Webhooks, messages", status objects, read 2026-06. */
  async #tell(
    number: SimulatedNumber,
    user: User,
    message: SentMessage,
    status: 'sent' | 'delivered' | 'failed',
    error?: GraphError,
  ): Promise<void> {
    message.statuses.push(status);
    const shown = shownOf(user);
    const entry = {
      id: message.wamid,
      status,
      timestamp: unixSeconds(this.#platform().now()),
      ...(shown.from === undefined ? {} : { recipient_id: shown.from }),
      recipient_user_id: shown.userId,
      ...(error ? { errors: [errorOf(error)] } : {}),
    };
    const body = eventsBody(number.identity, 'messages', { statuses: [entry] });
    await number.send('messages', status, body);
  }
}

function errorOf({ code, message, details }: GraphError): object {
  const title = message.replace(/^\(#\d+\) /, '');
  return { code, title, message: title, error_data: { details } };
}

/**
 * Provider: "Error codes" of the Cloud API, 131047, read 2026-06: more than 24 hours since the user last wrote. That a
 * permission request gives 138011 instead is uncertain, so it has to be asked for.
 */
function windowError({ traits }: SimulatedNumber, isRequest: boolean): GraphError {
  const code = isRequest ? traits.closed_window_code : 131047;
  return graphError(
    code,
    'More than 24 hours have passed since the user last wrote to this number',
  );
}
