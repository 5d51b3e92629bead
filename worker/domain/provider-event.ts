// What a provider reports, in our own terms. `webhook.ts` reads it from webhook bodies. Pure.

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
  | 'unregistered-number';
