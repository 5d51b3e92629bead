// Which of our outbound calls the provider speaks of. Pure.
import type { Call } from './call.ts';
import type { CallEvent, Termination } from './call-event.ts';
import type { NumberId } from './ids.ts';

/** What the provider says about a call that a business started, ours or somebody else's. */
export interface OutboundNews {
  readonly numberId: NumberId;
  readonly providerCallId: string;
  /** What we gave with the dial: the id of the call. */
  readonly opaque: string | null;
  /** The user's phone in its one spelling, or their business-scoped id. */
  readonly user: { readonly phone?: string | undefined; readonly bsuid?: string | undefined };
  readonly event:
    | Extract<CallEvent, { type: 'answer' | 'status' }>
    | { readonly type: 'terminate'; readonly termination: Omit<Termination, 'id'> };
}

/**
 * Finds the call by the provider's id, by ours, or, where the provider leaves ours out, as the one call to this user that has no
 * name yet: the provider allows a number only one call with a user at a time.
 */
export function matchOutbound(
  calls: Iterable<Call>,
  { numberId, providerCallId, opaque, user }: OutboundNews,
): Call | undefined {
  const mine = [...calls].filter(
    (call) => call.direction === 'outbound' && call.numberId === numberId,
  );
  const named = mine.find((call) => call.providerCallId === providerCallId);
  if (named) return named;
  if (opaque !== null) return mine.find(({ id }) => id === opaque);
  return mine.find(
    (call) =>
      call.providerCallId === null &&
      (call.state === 'dialling' || call.state === 'ending') &&
      ((user.phone !== undefined && call.caller?.phone === user.phone) ||
        (user.bsuid !== undefined && call.caller?.bsuid === user.bsuid)),
  );
}
