// Changes of the field `messages`: what users write, and their answers to permission requests. Only when something came and from
// whom is read; what was written is nobody's business here. Pure.
import { z } from 'zod';
import type { ProviderEvent } from './provider-event.ts';
import {
  contactList,
  metadata,
  optional,
  optionalSeconds,
  seconds,
  userOf,
} from './webhook-fields.ts';

/**
 * Provider: User call permissions, reply webhook, read 2026-06. Observed: the expiry as text and as a number, the message without
 * its `type`, the id of a call as the context.
 */
const reply = z.looseObject({
  response: z.string().max(32),
  is_permanent: z.boolean().optional().catch(undefined),
  expiration_timestamp: optionalSeconds,
  response_source: optional,
});

const messageItem = z.looseObject({
  id: optional,
  from: optional,
  from_user_id: optional,
  from_parent_user_id: optional,
  timestamp: seconds,
  type: optional,
  context: z.looseObject({ id: optional }).optional().catch(undefined),
  interactive: z
    .looseObject({ call_permission_reply: z.unknown().optional() })
    .optional()
    .catch(undefined),
});
type MessageItem = z.infer<typeof messageItem>;

const messagesValue = z.looseObject({
  metadata,
  contacts: contactList,
  messages: z.array(z.unknown()).optional(),
});
type MessagesValue = z.infer<typeof messagesValue>;

/** Sent by the provider and not by the user, so they open no customer service window. */
const NOT_WRITTEN = new Set(['system', 'unsupported', 'request_welcome']);

export function parseMessages(input: unknown): ProviderEvent[] {
  const parsed = messagesValue.safeParse(input);
  if (!parsed.success) return [{ type: 'ignored', why: 'malformed-event' }];
  const events = (parsed.data.messages ?? []).map((item): ProviderEvent => {
    const message = messageItem.safeParse(item);
    if (!message.success) return { type: 'ignored', why: 'malformed-event' };
    return parseMessage(message.data, parsed.data);
  });
  // Delivery reports of messages come under the same field.
  return events.length > 0 ? events : [{ type: 'ignored', why: 'other-field' }];
}

function parseMessage(message: MessageItem, value: MessagesValue): ProviderEvent {
  const ids = {
    phone: message.from,
    bsuid: message.from_user_id,
    parentBsuid: message.from_parent_user_id,
  };
  const base = {
    phoneNumberId: value.metadata.phone_number_id,
    atMs: message.timestamp * 1000,
    user: userOf(ids, value.contacts),
  };
  const raw = message.interactive?.call_permission_reply;
  if (raw === undefined) {
    return NOT_WRITTEN.has(message.type ?? '')
      ? { type: 'ignored', why: 'other-field' }
      : { ...base, type: 'message' };
  }
  const answer = reply.safeParse(raw);
  const response = answer.success ? answer.data.response.toLowerCase() : '';
  if (!answer.success || (response !== 'accept' && response !== 'reject')) {
    return { type: 'ignored', why: 'malformed-event' };
  }
  const { is_permanent, expiration_timestamp, response_source } = answer.data;
  const isGranted = response === 'accept';
  // A grant is taken for permanent only if it says so, although one of the provider's samples of a permanent grant does not.
  const isPermanent = isGranted && is_permanent === true;
  return {
    ...base,
    type: 'permission-reply',
    messageId: message.id ?? null,
    contextId: message.context?.id ?? null,
    isGranted,
    isPermanent,
    expiresAtMs:
      !isGranted || isPermanent || expiration_timestamp === undefined
        ? null
        : expiration_timestamp * 1000,
    isAutomatic: response_source?.toLowerCase() === 'automatic',
  };
}
