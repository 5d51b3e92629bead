// Composition root of the worker: bindings -> configuration -> services -> app, once per isolate.
import { exports, waitUntil } from 'cloudflare:workers';
import { openAccess } from './adapters/access-tokens.ts';
import { createApiKeyStore } from './adapters/api-key-store-d1.ts';
import { createCallerReader } from './adapters/caller-reader-d1.ts';
import { createAuditStore } from './adapters/audit-store-d1.ts';
import { createCallReader } from './adapters/call-reader-d1.ts';
import { createIdempotencyStore } from './adapters/idempotency-d1.ts';
import { createContactStore } from './adapters/contact-store-d1.ts';
import { openDatabase } from './adapters/database.ts';
import { createDeliveryStore } from './adapters/delivery-store-d1.ts';
import { createDirectory } from './adapters/directory-d1.ts';
import { createFollowUpStore } from './adapters/follow-up-store-d1.ts';
import { createForwardStore } from './adapters/forward-store-d1.ts';
import { createNumberStore } from './adapters/number-store-d1.ts';
import { openOpus } from './adapters/opus.ts';
import { createPermissionStore } from './adapters/permission-store-d1.ts';
import { createPromptStore } from './adapters/prompt-store-d1.ts';
import { createRateStore } from './adapters/rate-store-d1.ts';
import { createRecordingStore } from './adapters/recording-store-d1.ts';
import { createRightsReader } from './adapters/rights-reader-d1.ts';
import { createSessionStore } from './adapters/session-store-d1.ts';
import { createRuleStore } from './adapters/rule-store-d1.ts';
import { createTeamStore } from './adapters/team-store-d1.ts';
import { createSettingsStore } from './adapters/settings-store-d1.ts';
import { createUsageReader } from './adapters/usage-reader-d1.ts';
import { createWebhookStore } from './adapters/webhook-store-d1.ts';
import { createApp } from './app.ts';
import { ConfigError, parseConfig } from './config.ts';
import type { Env } from './env.ts';
import { catchUpDeliveries } from './handlers/deliver-events.ts';
import { retryForwards } from './handlers/forward-webhook.ts';
import { sweepAudio } from './handlers/sweep-audio.ts';
import { sweepSignIn } from './handlers/sweep-sign-in.ts';
import { Problem, problemResponse } from './http/problems.ts';
import type { Outgoing } from './outgoing.ts';
import type { Services } from './services.ts';

export { Outgoing } from './outgoing.ts';
export { Switchboard } from './switchboard.ts';

/** Every call of a deployment goes through the one Switchboard of this name. */
const SWITCHBOARD_NAME = 'switchboard';

let app: ReturnType<typeof createApp> | null = null;

function servicesOf(env: Env): Services {
  const config = parseConfig({ ...env });
  const db = openDatabase(env.DB);
  const options = config.LOCATION_HINT ? { locationHint: config.LOCATION_HINT } : {};
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
    audio: env.AUDIO ?? null,
    openCodec: openOpus,
    switchboard: () => env.SWITCHBOARD.get(env.SWITCHBOARD.idFromName(SWITCHBOARD_NAME), options),
    assets: env.ASSETS,
    now: () => Date.now(),
    later: (work) => waitUntil(work),
  };
}

export default {
  async fetch(request, env, ctx) {
    try {
      app ??= createApp(servicesOf(env));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      console.error('worker.not-configured', { problem: error.message });
      return problemResponse(new Problem('not-configured', error.message));
    }
    return app.fetch(request, env, ctx);
  },

  /**
   * Every minute: webhook bodies that could not be passed on yet, audio whose time is over, events for endpoints of users,
   * sessions that are over.
   */
  async scheduled(_controller, env) {
    const services = servicesOf(env);
    const { Outgoing: outgoing } = exports as unknown as { Outgoing: Pick<Outgoing, 'sendEvents'> };
    const done = await Promise.allSettled([
      retryForwards(services),
      sweepAudio(services),
      catchUpDeliveries(services, (endpointId, turns) => outgoing.sendEvents(endpointId, turns)),
      sweepSignIn(services),
    ]);
    for (const result of done) if (result.status === 'rejected') throw result.reason;
  },
} satisfies ExportedHandler<Env>;
