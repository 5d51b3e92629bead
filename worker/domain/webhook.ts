// Reads the provider's webhook bodies: JSON -> events in our own terms. Lenient, because fields come and go without notice;
// whatever is not understood becomes an `ignored` event with a reason to count. Pure.
import { z } from 'zod';

/** Longest SDP that is taken over, in characters; the provider's offers have about 1,200. */
const SDP_CHARS_MAX = 16_384;

interface FromProvider {
  readonly phoneNumberId: string;
  readonly providerCallId: string;
  readonly atMs: number;
}

/** Who calls, as far as the provider tells. */
export interface CallerFields {
  readonly phone?: string | undefined;
  readonly bsuid?: string | undefined;
  readonly parentBsuid?: string | undefined;
  readonly name?: string | undefined;
}

export type ProviderEvent =
  | (FromProvider & {
      readonly type: 'offer';
      readonly caller: CallerFields;
      readonly payload: string | null;
      readonly sdp: string;
    })
  | (FromProvider & {
      readonly type: 'terminate';
      /** Null when the payload does not tell. */
      readonly direction: 'inbound' | 'outbound' | null;
      /** What we gave with `connect`; null for calls of others and where the provider left it out. */
      readonly opaque: string | null;
      readonly user: CallerFields;
      readonly wasPickedUp: boolean;
      /** When the provider says that the call was picked up and ended, in epoch ms. */
      readonly startedAtMs?: number | undefined;
      readonly endedAtMs?: number | undefined;
      readonly errorCode?: number | undefined;
      readonly error?: string | undefined;
    })
  /** The user's side of a call that a business started: Meta's SDP answer. The phone may still be ringing. */
  | (FromProvider & {
      readonly type: 'answer';
      readonly opaque: string | null;
      readonly user: CallerFields;
      readonly sdp: string;
    })
  /** `accepted` is the pickup, and nothing else is. */
  | (FromProvider & {
      readonly type: 'status';
      readonly opaque: string | null;
      readonly user: CallerFields;
      readonly status: 'ringing' | 'accepted' | 'rejected';
    })
  /** The user answered a permission request, granted or revoked in the profile, or the provider did for them. */
  | {
      readonly type: 'permission-reply';
      readonly phoneNumberId: string;
      readonly atMs: number;
      readonly user: CallerFields;
      readonly messageId: string | null;
      /** The message or call that it answers. */
      readonly contextId: string | null;
      readonly isGranted: boolean;
      readonly isPermanent: boolean;
      readonly expiresAtMs: number | null;
      readonly isAutomatic: boolean;
    }
  /** The user wrote: opens the customer service window. */
  | {
      readonly type: 'message';
      readonly phoneNumberId: string;
      readonly atMs: number;
      readonly user: CallerFields;
    }
  /** The number's calling settings changed; `calling` has the provider's own shape. */
  | {
      readonly type: 'settings';
      readonly phoneNumberId: string;
      readonly calling: Readonly<Record<string, unknown>> | null;
    }
  /** A warning or restriction; `displayPhoneNumber` and `accountId` say whose, as far as the payload tells. */
  | {
      readonly type: 'account';
      readonly displayPhoneNumber: string | null;
      readonly accountId: string | null;
      readonly event: string;
      readonly restrictions: readonly {
        readonly inbound: boolean;
        readonly outbound: boolean;
        readonly name: string;
        readonly untilMs: number | null;
      }[];
      readonly warning: string | null;
    }
  | { readonly type: 'ignored'; readonly why: IgnoredReason };

/** Names of the counters; listed here because they are never built from input. */
export type IgnoredReason =
  | 'unknown-payload'
  | 'other-field'
  | 'unknown-event'
  | 'malformed-event'
  | 'foreign-call'
  | 'unregistered-number'
  | 'call-status';

const text = z.string().min(1).max(1024);
const optional = text.optional().catch(undefined);
/** Unix seconds, as text in most payloads and as a number in some. */
const seconds = z.coerce.number().int().positive().max(1e11);
const errorItem = z.looseObject({
  code: z.number().optional().catch(undefined),
  title: optional,
  message: optional,
});
const errorList = z.array(errorItem).optional().catch(undefined);

const contactItem = z.looseObject({
  profile: z.looseObject({ name: optional }).optional().catch(undefined),
  wa_id: optional,
  user_id: optional,
  parent_user_id: optional,
});

/** Provider: `calls` webhook, events connect and terminate, Calling API reference, read 2026-06. */
const callItem = z.looseObject({
  id: z.string().min(1).max(512),
  event: text,
  timestamp: seconds,
  direction: optional,
  from: optional,
  from_user_id: optional,
  from_parent_user_id: optional,
  cta_payload: optional,
  deeplink_payload: optional,
  session: z.looseObject({ sdp_type: text, sdp: z.string().min(1).max(SDP_CHARS_MAX) }).optional(),
  start_time: seconds.optional().catch(undefined),
  duration: z.coerce.number().optional().catch(undefined),
  errors: errorList,
});
type CallItem = z.infer<typeof callItem>;

const callsValue = z.looseObject({
  metadata: z.looseObject({ phone_number_id: z.string().min(1).max(64) }),
  contacts: z.array(contactItem).optional().catch(undefined),
  calls: z.array(z.unknown()).optional(),
  statuses: z.array(z.unknown()).optional(),
  errors: errorList,
});
type CallsValue = z.infer<typeof callsValue>;

const envelope = z.looseObject({
  entry: z.array(
    z.looseObject({ changes: z.array(z.looseObject({ field: text, value: z.unknown() })) }),
  ),
});

/**
 * Reads a whole webhook body.
 *
 * @param body parsed JSON whose signature has been checked
 * @returns every event in it, in the order of the body; never throws
 */
export function parseWebhook(body: unknown): ProviderEvent[] {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) return [{ type: 'ignored', why: 'unknown-payload' }];
  return parsed.data.entry.flatMap(({ changes }) =>
    changes.flatMap(({ field, value }) =>
      field === 'calls' ? parseCalls(value) : [{ type: 'ignored', why: 'other-field' } as const],
    ),
  );
}

function parseCalls(input: unknown): ProviderEvent[] {
  const parsed = callsValue.safeParse(input);
  if (!parsed.success) return [{ type: 'ignored', why: 'malformed-event' }];
  const value = parsed.data;
  const calls = (value.calls ?? []).map((item): ProviderEvent => {
    const call = callItem.safeParse(item);
    if (call.success) return parseCall(call.data, value);
    const event = (item as { event?: unknown } | null)?.event;
    const isKnown = event === 'connect' || event === 'terminate';
    return { type: 'ignored', why: isKnown ? 'malformed-event' : 'unknown-event' };
  });
  const statuses = (value.statuses ?? []).map((): ProviderEvent => ({
    type: 'ignored',
    why: 'call-status',
  }));
  return [...calls, ...statuses];
}

function parseCall(call: CallItem, value: CallsValue): ProviderEvent {
  const base = {
    phoneNumberId: value.metadata.phone_number_id,
    providerCallId: call.id,
    atMs: call.timestamp * 1000,
  };
  // Calls that a business starts are announced to every app of the account; none of them is ours.
  if (call.direction === 'BUSINESS_INITIATED') return { type: 'ignored', why: 'foreign-call' };
  if (call.event === 'connect') {
    if (!call.session) return { type: 'ignored', why: 'malformed-event' };
    // The direction is missing in some payloads; only a caller's session is an offer.
    if (call.session.sdp_type.toLowerCase() !== 'offer') {
      return { type: 'ignored', why: 'foreign-call' };
    }
    return {
      ...base,
      type: 'offer',
      caller: callerOf(call, value),
      payload: call.cta_payload ?? call.deeplink_payload ?? null,
      sdp: call.session.sdp,
    };
  }
  if (call.event === 'terminate') {
    return {
      ...base,
      type: 'terminate',
      wasPickedUp: call.start_time !== undefined || (call.duration ?? 0) > 0,
      error: errorOf(call, value),
    };
  }
  return { type: 'ignored', why: 'unknown-event' };
}

/** A batch can carry several contacts, so the caller's is found by its ids and not by its place. */
function callerOf(call: CallItem, { contacts = [] }: CallsValue): CallerFields {
  const same = (a: string | undefined, b: string | undefined) => a !== undefined && a === b;
  const contact = contacts.find(
    (item) =>
      same(item.wa_id, call.from) ||
      same(item.user_id, call.from_user_id) ||
      same(item.parent_user_id, call.from_parent_user_id),
  );
  return {
    phone: call.from ?? contact?.wa_id,
    bsuid: call.from_user_id ?? contact?.user_id,
    parentBsuid: call.from_parent_user_id ?? contact?.parent_user_id,
    name: contact?.profile?.name,
  };
}

/** Observed in captures of 2025-10: errors stand in the call, beside it, or in both places, and every key may be missing. */
function errorOf(call: CallItem, value: CallsValue): string | undefined {
  const error = call.errors?.[0] ?? value.errors?.[0];
  if (!error) return undefined;
  const words = error.message ?? error.title ?? 'no text';
  return (error.code === undefined ? words : `${error.code}: ${words}`).slice(0, 500);
}
