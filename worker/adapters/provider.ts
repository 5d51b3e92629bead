// What carries calls to WhatsApp, as one interface: Meta itself, and 360dialog in front of Meta. One request per method; retrying
// is the domain's business.
import type { JobFailure, JobResult } from '../domain/job.ts';
import type { PermissionState } from '../domain/permission-state.ts';
import type { ProviderName } from '../ports.ts';

/**
 * Whom a request is about. The phone wins where both are known, as it does at Meta; an id without a phone goes into its own
 * field, because in the phone's field it would be dropped silently.
 */
export interface UserAddress {
  /** E.164 digits without plus. */
  readonly phone?: string | undefined;
  /** Business-scoped user id. */
  readonly bsuid?: string | undefined;
}

/** One action on a call. SDP goes to the provider byte for byte as it stands here. */
export type CallRequest =
  | {
      readonly action: 'connect';
      readonly user: UserAddress;
      readonly offerSdp: string;
      /** Comes back with the call's webhooks, at most 512 characters. */
      readonly opaque: string;
    }
  | {
      readonly action: 'pre_accept' | 'accept';
      readonly providerCallId: string;
      readonly answerSdp: string;
    }
  | { readonly action: 'reject' | 'terminate'; readonly providerCallId: string };

/** A reply of the provider, or why there is none. */
export type Reply<T> = { readonly ok: true; readonly value: T } | JobFailure;

/** With the provider's own time, where the reply tells it, in epoch ms, whole seconds. */
export type AnyReply = Reply<unknown> & { readonly serverAtMs?: number };

/** The provider's `calling` object, in its own spelling; `domain/calling.ts` reads it. */
export type CallingObject = Readonly<Record<string, unknown>>;

/** Never throws: whatever happens is a result. */
export interface Provider {
  readonly name: ProviderName;
  act(request: CallRequest): Promise<JobResult>;
  /** What may be done now about calling this user. */
  permission(user: UserAddress): Promise<Reply<PermissionState>>;
  /**
   * Sends one WhatsApp message.
   *
   * @param content the message without its addressee: `type` and the member of that name
   */
  sendMessage(user: UserAddress, content: MessageContent): Promise<Reply<SentMessage>>;
  readSettings(): Promise<Reply<CallingObject>>;
  /** @param calling only what is to change */
  writeSettings(calling: CallingObject): Promise<Reply<null>>;
  /** Any other read, for the doctor. `auth` replaces the number's own credentials. */
  get(path: string, auth?: string): Promise<AnyReply>;
  /** What Meta knows of the number's own token; `auth` as above. */
  inspectToken?(auth?: string): Promise<AnyReply>;
}

export type MessageContent = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface SentMessage {
  /** What replies to the message refer to. */
  readonly messageId: string;
  /** What the provider calls the addressee, where it says so. */
  readonly user: UserAddress;
}

/** Where a provider is reached and as whom. */
export interface ProviderAccess {
  /** Replaces the provider's own address. */
  readonly baseUrl: string | null;
  /** Version of the Graph API in request paths; Meta only. */
  readonly version: string;
  readonly phoneNumberId: string;
  /** Access token at Meta, API key at 360dialog. */
  readonly accessToken: string;
}
