// The worker's services on the real bindings of the test, with members replaced: another clock, other settings.
import { drizzle } from 'drizzle-orm/d1';
import { openAccess } from '../../worker/adapters/access-tokens.ts';
import { createApiKeyStore } from '../../worker/adapters/api-key-store-d1.ts';
import { createCallerReader } from '../../worker/adapters/caller-reader-d1.ts';
import { createAuditStore } from '../../worker/adapters/audit-store-d1.ts';
import { createCallReader } from '../../worker/adapters/call-reader-d1.ts';
import { createContactStore } from '../../worker/adapters/contact-store-d1.ts';
import { createDeliveryStore } from '../../worker/adapters/delivery-store-d1.ts';
import { createDirectory } from '../../worker/adapters/directory-d1.ts';
import { createFollowUpStore } from '../../worker/adapters/follow-up-store-d1.ts';
import { createForwardStore } from '../../worker/adapters/forward-store-d1.ts';
import { createIdempotencyStore } from '../../worker/adapters/idempotency-d1.ts';
import { createNumberStore } from '../../worker/adapters/number-store-d1.ts';
import { openOpus } from '../../worker/adapters/opus.ts';
import { createPermissionStore } from '../../worker/adapters/permission-store-d1.ts';
import { createPromptStore } from '../../worker/adapters/prompt-store-d1.ts';
import { createRateStore } from '../../worker/adapters/rate-store-d1.ts';
import { createRecordingStore } from '../../worker/adapters/recording-store-d1.ts';
import { createRightsReader } from '../../worker/adapters/rights-reader-d1.ts';
import { createSessionStore } from '../../worker/adapters/session-store-d1.ts';
import { createRuleStore } from '../../worker/adapters/rule-store-d1.ts';
import { createTeamStore } from '../../worker/adapters/team-store-d1.ts';
import { createSettingsStore } from '../../worker/adapters/settings-store-d1.ts';
import { createUsageReader } from '../../worker/adapters/usage-reader-d1.ts';
import { createWebhookStore } from '../../worker/adapters/webhook-store-d1.ts';
import { parseConfig } from '../../worker/config.ts';
import type { Services } from '../../worker/services.ts';
import { testEnv } from './support.ts';

/**
 * @param settings replace those of the test's bindings
 * @param replaced members that the test brings itself
 */
export function ownServices(
  settings: Record<string, string> = {},
  replaced: Partial<Services> = {},
): Services & { settled: () => Promise<void> } {
  const db = drizzle(testEnv.DB);
  const config = parseConfig({ ...testEnv, ...settings });
  const late: Promise<unknown>[] = [];
  return {
    config,
    directory: createDirectory(db),
    rights: createRightsReader(db),
    sessions: createSessionStore(db),
    apiKeys: createApiKeyStore(db),
    settings: createSettingsStore(db),
    audit: createAuditStore(db),
    access: openAccess(config, () => Date.now()),
    numbers: createNumberStore(db),
    forwards: createForwardStore(db),
    calls: createCallReader(db, () => Date.now()),
    contacts: createContactStore(db),
    followUps: createFollowUpStore(db),
    callers: createCallerReader(db),
    teams: createTeamStore(db),
    rules: createRuleStore(db),
    permissions: createPermissionStore(db),
    rates: createRateStore(db),
    usage: createUsageReader(db),
    idempotency: createIdempotencyStore(db),
    prompts: createPromptStore(db),
    recordings: createRecordingStore(db),
    webhooks: createWebhookStore(db),
    deliveries: createDeliveryStore(db),
    audio: testEnv.AUDIO ?? null,
    openCodec: openOpus,
    switchboard: () => testEnv.SWITCHBOARD.get(testEnv.SWITCHBOARD.idFromName('switchboard')),
    assets: testEnv.ASSETS,
    now: () => Date.now(),
    later: (work) => late.push(work),
    ...replaced,
    /** Waits for work that outlives its response. */
    settled: async () => {
      for (let work = late.shift(); work; work = late.shift()) await work;
    },
  };
}
