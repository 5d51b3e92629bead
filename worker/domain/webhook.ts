// Reads the provider's webhook bodies: JSON -> events in our own terms. Lenient, because fields come and go without notice;
// whatever is not understood becomes an `ignored` event with a reason to count. Pure.
import { z } from 'zod';
import type { ProviderEvent } from './provider-event.ts';
import { parseAccount, parseSettings } from './webhook-account.ts';
import { parseCalls } from './webhook-calls.ts';
import { parseMessages } from './webhook-messages.ts';

export type { CallerFields, IgnoredReason, ProviderEvent } from './provider-event.ts';

const field = z.string().min(1).max(1024);
/** Observed: payloads of `statuses` without the outer `object`, so only `entry` is asked for. */
const envelope = z.looseObject({
  entry: z.array(
    z.looseObject({
      id: z.coerce.string().max(64).optional().catch(undefined),
      time: z.coerce.number().optional().catch(undefined),
      changes: z.array(z.looseObject({ field, value: z.unknown().optional() })),
    }),
  ),
});

/**
 * Reads a whole webhook body.
 *
 * @param body parsed JSON whose signature has been checked
 * @returns every event in it, in the order of the body; never throws
 */
export function parseWebhook(body: unknown): ProviderEvent[] {
  return changesOf(body).flatMap(({ field, value, accountId }): ProviderEvent[] => {
    switch (field) {
      case 'calls':
        return parseCalls(value);
      case 'messages':
        return parseMessages(value);
      case 'account_settings_update':
        return parseSettings(value);
      case 'account_update':
        return parseAccount(value, accountId);
      case null:
        return [{ type: 'ignored', why: 'unknown-payload' }];
      default:
        return [{ type: 'ignored', why: 'other-field' }];
    }
  });
}

/** Provider: up to 1000 updates in one body, Graph API Webhooks, read 2026-11. */
export const UPDATES_MAX = 1_000;

/** How many calls, statuses, messages or other changes a body holds. */
export function countUpdates(body: unknown): number {
  // The longest list, because the contacts of a body stand beside its messages or calls.
  const countOf = ({ value }: Change): number => {
    const lists = [value, ...Object.values(Object(value) as object)];
    return Math.max(1, ...lists.map((list) => (Array.isArray(list) ? list.length : 0)));
  };
  return changesOf(body).reduce((sum, change) => sum + countOf(change), 0);
}

/** Business account ids of "0" stand in the provider's own samples and name nobody. */
const accountIdOf = (id: string | undefined): string | null => (id && id !== '0' ? id : null);

interface Change {
  /** Null for a body that is not a webhook. */
  readonly field: string | null;
  readonly value: unknown;
  readonly accountId: string | null;
}

function changesOf(body: unknown): Change[] {
  // Observed in the provider's documentation: one sample of `account_update` is an array at the top level.
  const parts = Array.isArray(body) && body.length > 0 ? body : [body];
  return parts.flatMap((part: unknown): Change[] => {
    const parsed = envelope.safeParse(part);
    if (!parsed.success) return [{ field: null, value: part, accountId: null }];
    return parsed.data.entry.flatMap(({ id, changes }) =>
      changes.map(({ field, value }) => ({ field, value, accountId: accountIdOf(id) })),
    );
  });
}

const named = z.looseObject({
  metadata: z.looseObject({ phone_number_id: z.coerce.string().min(1).max(64) }),
});
const namedInSettings = z.looseObject({
  phone_number_settings: z.looseObject({ phone_number_id: z.coerce.string().min(1).max(64) }),
});

/**
 * What a body holds that is not about calls. Messages, and everything about an account, concern whoever else uses the number;
 * of changes of the field `calls` the events themselves must tell.
 *
 * @param body parsed JSON whose signature has been checked
 * @returns `isCallsOnly` when every change has the field `calls`; ids of the numbers and business accounts that the body names,
 * each once
 */
export function describeWebhook(body: unknown): {
  isCallsOnly: boolean;
  phoneNumberIds: string[];
  accountIds: string[];
} {
  const changes = changesOf(body);
  const ids = changes.flatMap(({ value }) => {
    const byMetadata = named.safeParse(value);
    if (byMetadata.success) return byMetadata.data.metadata.phone_number_id;
    const bySettings = namedInSettings.safeParse(value);
    return bySettings.success ? bySettings.data.phone_number_settings.phone_number_id : [];
  });
  return {
    isCallsOnly: changes.every(({ field }) => field === 'calls'),
    phoneNumberIds: [...new Set(ids)],
    accountIds: [...new Set(changes.flatMap(({ accountId }) => accountId ?? []))],
  };
}
