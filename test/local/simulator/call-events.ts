// One call as webhooks tell of it: the entries of `calls[]` and `statuses[]`. Pure.
import type { SimulatedCall } from './call.ts';
import type { WebhookFaults } from './faults.ts';
import type { InboundCall } from './inbound-call.ts';
import type { CallStatus, OutboundCall } from './outbound-call.ts';
import { unixSeconds, type CallEvent } from './wire.ts';

/** Observed: capture of 2025-10-17, the text of 138021 is the same in `title` and `message`. */
const NO_MEDIA_TEXT =
  'WhatsApp client terminated the call due to not receiving any media for a long time. Please try again';

/** Provider: "Troubleshooting", errors of terminate webhooks, read 2026-06; the texts other than 138021's are paraphrases. */
const ENDINGS: Readonly<Record<number, string>> = {
  138019: 'The client failed to set up the call',
  138020: 'The client could not reach the media relay',
  138021: NO_MEDIA_TEXT,
  138022: 'The client stopped transmitting media',
  138023: 'The call was accepted and ended without any media',
};

/** Codes that a call can fail with. */
export const ENDING_CODES = Object.keys(ENDINGS).map(Number);

/** The fields that name a call in all of its webhooks. Provider: "Calling API reference", read 2026-06. */
export function identityOf(call: SimulatedCall, faults: WebhookFaults): CallEvent {
  const { caller, wacid, number } = call.options;
  const user = caller.from !== undefined && faults.contacts !== 'no_phone' ? caller.from : null;
  const business = number.identity.displayPhoneNumber;
  if (call.direction === 'inbound') {
    return {
      id: wacid,
      ...(user === null ? {} : { from: user }),
      from_user_id: caller.userId,
      to: business,
      direction: 'USER_INITIATED',
    };
  }
  return {
    id: wacid,
    from: business,
    ...(user === null ? {} : { to: user }),
    to_user_id: caller.userId,
    direction: 'BUSINESS_INITIATED',
  };
}

const opaqueOf = ({ opaque }: SimulatedCall): CallEvent =>
  opaque === undefined ? {} : { biz_opaque_callback_data: opaque };

/** `connect` of a user-initiated call, with Meta's offer. */
export function connectEvent(call: InboundCall, faults: WebhookFaults): CallEvent {
  const ageMs = (faults.timestamp_age_s ?? 0) * 1000;
  return {
    ...identityOf(call, faults),
    event: 'connect',
    timestamp: unixSeconds(call.createdAtMs - ageMs),
    ...call.options.extra,
    session: { sdp_type: 'offer', sdp: call.options.media.offer },
  };
}

/** `connect` of a business-initiated call, with Meta's answer. Provider: "Business-initiated calls", read 2026-06. */
export function answerEvent(call: OutboundCall, faults: WebhookFaults): CallEvent {
  const ageMs = (faults.timestamp_age_s ?? 0) * 1000;
  const sdp = call.answer ?? '';
  const place = faults.sdp_in ?? 'session';
  return {
    ...identityOf(call, faults),
    event: 'connect',
    timestamp: unixSeconds(call.options.now() - ageMs),
    ...opaqueOf(call),
    ...(place === 'connection' ? {} : { session: { sdp_type: 'answer', sdp } }),
    ...(place === 'session'
      ? {}
      : { connection: { webrtc: { sdp: JSON.stringify({ sdp, type: 'answer' }) } } }),
  };
}

/** One entry of `statuses[]`. Provider: "Calling API reference", call status, read 2026-06. */
export function statusEvent(
  call: OutboundCall,
  status: CallStatus,
  faults: WebhookFaults,
): CallEvent {
  const { caller, wacid, now } = call.options;
  const showsNumber = caller.from !== undefined && faults.contacts !== 'no_phone';
  return {
    id: wacid,
    timestamp: unixSeconds(now()),
    type: 'call',
    status,
    ...(showsNumber ? { recipient_id: caller.from } : {}),
    recipient_user_id: caller.userId,
    ...opaqueOf(call),
    ...(faults.unknown_fields ? { a_field_of_the_future: [null] } : {}),
  };
}

/** `terminate`, and the errors that stand beside it as well. */
export function terminateEvent(
  call: SimulatedCall,
  faults: WebhookFaults,
): { event: CallEvent; errors: object[] } {
  const code = codeOf(call);
  const text = ENDINGS[code ?? 0] ?? 'The call failed';
  const errors = code === undefined ? [] : [{ code, title: text, message: text }];
  const extra = call.direction === 'inbound' ? (call as InboundCall).options.extra : {};
  const event = {
    ...identityOf(call, faults),
    event: 'terminate',
    ...endOf(call),
    ...opaqueOf(call),
    ...extra,
    ...(errors.length > 0 ? { errors } : {}),
  };
  return { event, errors };
}

/** The error that the call ended with, if it did. */
function codeOf({ ending }: SimulatedCall): number | undefined {
  return ending?.reason === 'no-media' ? 138021 : ending?.code;
}

/**
 * Provider: "Calling API reference", terminate webhook, read 2026-06: times and duration only when picked up; a
 * business-initiated call that nobody answered is COMPLETED too.
 */
function endOf(call: SimulatedCall): CallEvent {
  const endedAtMs = call.endedAtMs ?? call.createdAtMs;
  const status = codeOf(call) === undefined ? 'COMPLETED' : 'FAILED';
  if (call.acceptedAtMs === null) return { timestamp: unixSeconds(endedAtMs), status };
  const [start, end] = [unixSeconds(call.acceptedAtMs), unixSeconds(endedAtMs)];
  const duration = Number(end) - Number(start);
  return { timestamp: end, status, start_time: start, end_time: end, duration };
}
