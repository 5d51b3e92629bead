// What the routes and use cases work with; made once per isolate in `index.ts`.
import type { DeliveryStore } from './adapters/delivery-store-d1.ts';
import type { AccessTokens } from './adapters/access-tokens.ts';
import type { ApiKeyStore } from './adapters/api-key-store-d1.ts';
import type { Directory } from './adapters/directory-d1.ts';
import type { CallerReader } from './adapters/caller-reader-d1.ts';
import type { AuditStore } from './adapters/audit-store-d1.ts';
import type { CallReader } from './adapters/call-reader-d1.ts';
import type { ContactStore } from './adapters/contact-store-d1.ts';
import type { IdempotencyStore } from './adapters/idempotency-d1.ts';
import type { FollowUpStore } from './adapters/follow-up-store-d1.ts';
import type { ForwardStore } from './adapters/forward-store-d1.ts';
import type { NumberStore } from './adapters/number-store-d1.ts';
import type { PromptStore } from './adapters/prompt-store-d1.ts';
import type { RecordingStore } from './adapters/recording-store-d1.ts';
import type { PermissionStore } from './adapters/permission-store-d1.ts';
import type { RuleStore } from './adapters/rule-store-d1.ts';
import type { TeamStore } from './adapters/team-store-d1.ts';
import type { RateStore } from './adapters/rate-store-d1.ts';
import type { RightsReader } from './adapters/rights-reader-d1.ts';
import type { SessionStore } from './adapters/session-store-d1.ts';
import type { SettingsStore } from './adapters/settings-store-d1.ts';
import type { UsageReader } from './adapters/usage-reader-d1.ts';
import type { WebhookStore } from './adapters/webhook-store-d1.ts';
import type { Config } from './config.ts';
import type { Codec } from './domain/codec.ts';
import type { Switchboard } from './switchboard.ts';

export interface Services {
  readonly config: Config;
  readonly directory: Directory;
  readonly rights: RightsReader;
  readonly sessions: SessionStore;
  readonly apiKeys: ApiKeyStore;
  readonly settings: SettingsStore;
  readonly audit: AuditStore;
  /** Null where no Access application stands before this worker. */
  readonly access: AccessTokens | null;
  readonly numbers: NumberStore;
  readonly forwards: ForwardStore;
  readonly calls: CallReader;
  readonly contacts: ContactStore;
  readonly followUps: FollowUpStore;
  readonly callers: CallerReader;
  readonly teams: TeamStore;
  readonly rules: RuleStore;
  readonly permissions: PermissionStore;
  readonly rates: RateStore;
  readonly usage: UsageReader;
  readonly idempotency: IdempotencyStore;
  readonly prompts: PromptStore;
  readonly recordings: RecordingStore;
  /** Endpoints of users that events are sent to, and what is sent there. */
  readonly webhooks: WebhookStore;
  readonly deliveries: DeliveryStore;
  /** Where audio is kept; null for a deployment without: it has no prompts and records nothing. */
  readonly audio: R2Bucket | null;
  readonly openCodec: () => Codec;
  /** The one Switchboard of this deployment. */
  readonly switchboard: () => DurableObjectStub<Switchboard>;
  readonly assets: Fetcher;
  readonly now: () => number;
  /** Lets work finish after the response was sent. */
  readonly later: (work: Promise<unknown>) => void;
}
