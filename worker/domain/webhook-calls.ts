// Changes of the field `calls`. Pure.
import { z } from 'zod';
import type { ProviderEvent } from './provider-event.ts';
import {
  contactList,
  metadata,
  optional,
  optionalSeconds,
  seconds,
  text,
  userOf,
} from './webhook-fields.ts';

/** Longest SDP that is taken over, in characters; the provider's offers have about 1,200. */
const SDP_CHARS_MAX = 16_384;

const id = z.string().min(1).max(512);
const sdp = z.string().min(1).max(SDP_CHARS_MAX);
const errorItem = z.looseObject({
  code: z.number().optional().catch(undefined),
  title: optional,
  message: optional,
  error_data: z.looseObject({ details: optional }).optional().catch(undefined),
});
const errorList = z.array(errorItem).optional().catch(undefined);
const direction = z.enum(['USER_INITIATED', 'BUSINESS_INITIATED']).optional().catch(undefined);

/** Provider: `calls` webhook, events connect and terminate, Calling API reference, read 2026-06. */
const callItem = z.looseObject({
  id,
  event: text,
  timestamp: seconds,
  direction,
  from: optional,
  from_user_id: optional,
  from_parent_user_id: optional,
  to: optional,
  to_user_id: optional,
  to_parent_user_id: optional,
  cta_payload: optional,
  deeplink_payload: optional,
  biz_opaque_callback_data: optional,
  session: z.looseObject({ sdp_type: text, sdp }).optional(),
  connection: z.unknown().optional(),
  start_time: optionalSeconds,
  end_time: optionalSeconds,
  duration: z.coerce.number().optional().catch(undefined),
  errors: errorList,
});
type CallItem = z.infer<typeof callItem>;

/** Provider: statuses of business-initiated calls, read 2026-06. Observed: the parent id under two names. */
const statusItem = z.looseObject({
  id,
  type: optional,
  status: text,
  timestamp: seconds,
  recipient_id: optional,
  recipient_user_id: optional,
  recipient_parent_user_id: optional,
  parent_recipient_user_id: optional,
  biz_opaque_callback_data: optional,
});

const callsValue = z.looseObject({
  metadata: metadata.extend({
    display_phone_number: z.coerce.string().max(64).optional().catch(undefined),
  }),
  contacts: contactList,
  calls: z.array(z.unknown()).optional(),
  statuses: z.array(z.unknown()).optional(),
  errors: errorList,
});
type CallsValue = z.infer<typeof callsValue>;

const MALFORMED: ProviderEvent = { type: 'ignored', why: 'malformed-event' };
const UNKNOWN: ProviderEvent = { type: 'ignored', why: 'unknown-event' };

export function parseCalls(input: unknown): ProviderEvent[] {
  const parsed = callsValue.safeParse(input);
  if (!parsed.success) return [MALFORMED];
  const value = parsed.data;
  const calls = (value.calls ?? []).map((item): ProviderEvent => {
    const call = callItem.safeParse(item);
    if (call.success) return parseCall(call.data, value);
    const event = (item as { event?: unknown } | null)?.event;
    return event === 'connect' || event === 'terminate' ? MALFORMED : UNKNOWN;
  });
  return [...calls, ...(value.statuses ?? []).map((item) => parseStatus(item, value))];
}

function parseCall(call: CallItem, value: CallsValue): ProviderEvent {
  switch (call.event) {
    case 'connect':
      return parseConnect(call, value);
    case 'terminate':
      return parseTerminate(call, value);
    default:
      return UNKNOWN;
  }
}

const base = (call: { id: string; timestamp: number }, value: CallsValue) => ({
  phoneNumberId: value.metadata.phone_number_id,
  providerCallId: call.id,
  atMs: call.timestamp * 1000,
});

function parseConnect(call: CallItem, value: CallsValue): ProviderEvent {
  const session = call.session ?? legacySession(call.connection);
  if (!session) return MALFORMED;
  // The direction is missing in some payloads; only a caller's session is an offer.
  const isOffer = session.sdp_type.toLowerCase() === 'offer';
  const isInbound = call.direction === undefined ? isOffer : call.direction === 'USER_INITIATED';
  if (isInbound !== isOffer) return MALFORMED;
  const user = partyOf(call, value, isInbound ? 'inbound' : 'outbound');
  return isInbound
    ? {
        ...base(call, value),
        type: 'offer',
        caller: user,
        payload: call.cta_payload ?? call.deeplink_payload ?? null,
        sdp: session.sdp,
      }
    : {
        ...base(call, value),
        type: 'answer',
        opaque: call.biz_opaque_callback_data ?? null,
        user,
        sdp: session.sdp,
      };
}

const legacyConnection = z.looseObject({ webrtc: z.looseObject({ sdp: z.string().max(65_536) }) });
const legacyDescription = z.looseObject({ sdp, type: text });

/** Observed: a `connect` with its SDP only in the deprecated `connection.webrtc.sdp`, as JSON inside a string. */
function legacySession(connection: unknown): { sdp_type: string; sdp: string } | null {
  const outer = legacyConnection.safeParse(connection);
  if (!outer.success) return null;
  const inner = legacyDescription.safeParse(parseJson(outer.data.webrtc.sdp));
  return inner.success ? { sdp_type: inner.data.type, sdp: inner.data.sdp } : null;
}

function parseTerminate(call: CallItem, value: CallsValue): ProviderEvent {
  const direction =
    call.direction === undefined
      ? null
      : call.direction === 'USER_INITIATED'
        ? 'inbound'
        : 'outbound';
  const error = call.errors?.[0] ?? value.errors?.[0];
  return {
    ...base(call, value),
    type: 'terminate',
    direction,
    opaque: call.biz_opaque_callback_data ?? null,
    user: partyOf(call, value, direction),
    // The provider calls an unanswered call COMPLETED as well, so the status does not tell.
    wasPickedUp: call.start_time !== undefined || (call.duration ?? 0) > 0,
    startedAtMs: call.start_time && call.start_time * 1000,
    endedAtMs: call.end_time && call.end_time * 1000,
    errorCode: error?.code,
    error: error && errorText(error),
  };
}

/** Observed in captures of 2025-10: errors stand in the call, beside it, or in both places, and every key may be missing. */
function errorText({ code, title, message }: z.infer<typeof errorItem>): string {
  const words = message ?? title ?? 'no text';
  return (code === undefined ? words : `${code}: ${words}`).slice(0, 500);
}

function parseStatus(item: unknown, value: CallsValue): ProviderEvent {
  const parsed = statusItem.safeParse(item);
  if (!parsed.success) return MALFORMED;
  const status = parsed.data;
  const word = status.status.toLowerCase();
  if (word !== 'ringing' && word !== 'accepted' && word !== 'rejected') return UNKNOWN;
  const ids = {
    phone: status.recipient_id,
    bsuid: status.recipient_user_id,
    parentBsuid: status.recipient_parent_user_id ?? status.parent_recipient_user_id,
  };
  return {
    ...base(status, value),
    type: 'status',
    opaque: status.biz_opaque_callback_data ?? null,
    user: userOf(ids, value.contacts),
    status: word,
  };
}

/**
 * The WhatsApp user of a call: `from` of those that users start, `to` of the others. Where no direction is given, the side that
 * is not our own number.
 */
function partyOf(
  call: CallItem,
  value: CallsValue,
  direction: 'inbound' | 'outbound' | null,
): ReturnType<typeof userOf> {
  const ours = value.metadata.display_phone_number;
  const isFrom = direction === null ? call.from !== ours : direction === 'inbound';
  const ids = isFrom
    ? { phone: call.from, bsuid: call.from_user_id, parentBsuid: call.from_parent_user_id }
    : { phone: call.to, bsuid: call.to_user_id, parentBsuid: call.to_parent_user_id };
  return userOf(ids, value.contacts);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
