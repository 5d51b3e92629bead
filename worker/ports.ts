// What the use cases need from outside, as interfaces. Adapters implement them; tests pass working fakes.
import type { Call } from './domain/call.ts';
import type { TimelineEntry } from './domain/decision.ts';
import type { ContactIdentity } from './domain/contact.ts';
import type { AgentId, CallId, ContactId, NumberId, RelayId } from './domain/ids.ts';
import type { Restriction } from './domain/restriction.ts';
import type { Role } from './domain/roster.ts';

export const PROVIDER_NAMES = ['meta', '360dialog'] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];

export interface BusinessNumber {
  readonly id: NumberId;
  readonly provider: ProviderName;
  readonly phoneNumberId: string;
  readonly displayPhoneNumber: string;
  readonly apiBaseUrl: string | null;
  readonly businessAccountId: string | null;
  readonly appId: string | null;
  /** Where webhook bodies go that hold anything not solely ours. */
  readonly forwardUrl: string | null;
  /** What a caller is sent whom Roomline could not serve. */
  readonly fallbackText: string | null;
  /** `always`: calls are recorded from the moment that they are connected. */
  readonly recording: 'off' | 'always';
  /** Id of the prompt that is played first where every call is recorded. */
  readonly recordingAnnouncement: string | null;
  /** How long recordings are kept, in days from the end of the call; null: for ever. */
  readonly recordingRetentionDays: number | null;
  /** The provider's calling settings as last read or reported, in its own spelling; null when never read. */
  readonly calling: Readonly<Record<string, unknown>> | null;
  /** As last reported; past ones may still stand here. `domain/restriction.ts` tells what holds. */
  readonly restrictions: readonly Restriction[];
  /** When a webhook for this number was last verified, to the minute. */
  readonly webhookAtMs: number | null;
  readonly createdAtMs: number;
}

export interface Agent {
  readonly id: AgentId;
  readonly name: string;
  readonly role: Role;
  /** How an identity provider names them, in lower case; null for whoever signs in otherwise, or not at all. */
  readonly email: string | null;
  /** What calls may ask for. */
  readonly skills: readonly string[];
  /** How many calls they have at once, 1 or more. */
  readonly capacity: number;
  /** An AI agent as LiveKit dispatches it; null for a person. */
  readonly ai: { readonly name: string; readonly metadata: string } | null;
  readonly createdAtMs: number;
}

export interface Contact {
  readonly id: ContactId;
  readonly name: string | null;
  readonly identities: readonly ContactIdentity[];
}

/** A stored timeline entry. */
export interface StoredEntry extends TimelineEntry {
  /** Orders the events of all calls; what subscribers resume from. */
  readonly cursor: number;
  readonly callId: CallId;
  readonly seq: number;
  readonly atMs: number;
}

/** Somebody else has decided on the call since it was read: read it again and decide again. */
export class OutdatedError extends Error {
  override readonly name = 'OutdatedError';
}

export interface CallStore {
  find(id: CallId): Promise<Call | null>;
  findByProviderCallId(numberId: NumberId, providerCallId: string): Promise<Call | null>;
  /** Every call for which something is left to do. */
  findLive(): Promise<Call[]>;
  /**
   * Stores one decision, all or nothing: the call, its timeline entry and, for a new call, the contact.
   *
   * @returns the stored entry
   * @throws OutdatedError when another writer has stored a decision with this version; any other error leaves it unknown whether
   * the decision was stored
   */
  commit(
    call: Call,
    entry: TimelineEntry,
    atMs: number,
    contact: Contact | null,
  ): Promise<StoredEntry>;
  /** Entries after `cursor` in order, at most `limit`. */
  entriesAfter(cursor: number, limit: number): Promise<StoredEntry[]>;
  /** Entries of one call after its decision `seq`, in order. */
  entriesOf(id: CallId, afterSeq: number): Promise<StoredEntry[]>;
  lastCursor(): Promise<number>;
  /** Forgets tombstones made before `beforeMs`, a bounded number at a time. */
  deleteTombstones(beforeMs: number): Promise<void>;
}

/** Times in epoch ms. Addresses are `address:port`. */
export interface IceResult {
  readonly atMs: number;
  readonly isConnected: boolean;
  readonly local?: string | undefined;
  /** `host`, or `prflx` and `srflx` behind a NAT. */
  readonly localType?: string | undefined;
  readonly remote?: string | undefined;
}

/** A connected relay. */
export interface RelayStatus {
  readonly id: string;
  readonly instance: string;
  readonly capacity: number;
  readonly isDraining: boolean;
  /** It takes no new calls, because those that it has use up its machine. */
  readonly isOverloaded: boolean;
  readonly lastIce: IceResult | null;
}

/** A relay process that may hold calls and is not connected. */
export interface Absence {
  readonly relayId: RelayId;
  readonly instance: string;
  /** The end of its connection was seen; otherwise it went silent, or was not there when the Switchboard started. */
  readonly isClosed: boolean;
  /** It may return until then, in epoch ms. */
  readonly dueAtMs: number;
}

/** Survives the loss of memory. */
export interface Absences {
  all(): Absence[];
  note(absence: Absence): void;
  forget(instance: string): void;
}
