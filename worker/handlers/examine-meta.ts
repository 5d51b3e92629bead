// Checks that only Meta's own API can answer: the token, the messaging limit, what is subscribed.
import { z } from 'zod';
import { isTokenFailure } from '../adapters/graph.ts';
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import type { Checks, Patient } from './examine-number.ts';
import { graphVersion, said, SOON_DAYS } from './examine-verdicts.ts';

const DAY_MS = 24 * 3600_000;

export const metaChecks = (patient: Patient): Checks => ({
  token: () => token(patient),
  'graph-version': () =>
    graphVersion(patient.services.config.GRAPH_VERSION, patient.services.now()),
  'messaging-limit': () => messagingLimit(patient),
  'webhook-fields': () => webhookFields(patient),
  'account-subscription': () => accountSubscription(patient),
});

/** Provider: debug_token of the Graph API, read 2026-06. */
const inspected = z.looseObject({
  data: z.looseObject({
    is_valid: z.boolean(),
    expires_at: z.number().optional().catch(undefined),
    scopes: z.array(z.string()).optional().catch(undefined),
  }),
});

async function token({ provider, number, services }: Patient): Promise<Finding> {
  const settings = await provider.readSettings();
  if (!settings.ok && isTokenFailure(settings)) {
    return problem(said(settings), 'Make a new system user token and PATCH access_token');
  }
  const reply = await provider.inspectToken?.(appToken(number.appId, services));
  const parsed = reply?.ok ? inspected.safeParse(reply.value) : null;
  if (!parsed?.success) {
    return settings.ok
      ? fine('The provider takes the token; its scopes cannot be seen')
      : cannotTell(said(settings), 'Try again later');
  }
  return scopes(parsed.data.data, services.now());
}

/** Provider: permissions for calling, Calling API overview, read 2026-06. */
const SCOPES = ['whatsapp_business_messaging', 'whatsapp_business_management'];

function scopes(
  { is_valid, expires_at, scopes = [] }: z.infer<typeof inspected>['data'],
  nowMs: number,
): Finding {
  const renew = 'Make a new system user token and PATCH access_token';
  if (!is_valid) return problem('The token is not valid any more', renew);
  const missing = SCOPES.filter((scope) => !scopes.includes(scope));
  if (missing.length > 0) return problem(`The token lacks ${missing.join(' and ')}`, renew);
  // Zero stands for tokens that never expire.
  if (expires_at !== undefined && expires_at > 0) {
    const days = Math.floor((expires_at * 1000 - nowMs) / DAY_MS);
    const why = `The token expires in ${days} days`;
    return days < SOON_DAYS
      ? problem(why, 'Use a system user token that never expires')
      : fine(why);
  }
  return fine('The token is valid, does not expire and has both scopes');
}

/** Credentials of the app itself, with which it may be asked about itself. */
const appToken = (appId: string | null, { config }: Patient['services']): string | undefined =>
  appId === null ? undefined : `${appId}|${config.META_APP_SECRET[0] ?? ''}`;

const limited = z.looseObject({ whatsapp_business_manager_messaging_limit: z.string() });
/** Provider: calling can be enabled from a messaging limit of 2,000 a day on, Calling API settings, read 2026-07. */
const TOO_LOW = new Set(['TIER_50', 'TIER_250', 'TIER_1K']);

async function messagingLimit({ provider, number }: Patient): Promise<Finding> {
  const field = 'whatsapp_business_manager_messaging_limit';
  const reply = await provider.get(`${number.phoneNumberId}?fields=${field}`);
  if (!reply.ok) return cannotTell(said(reply), 'See the check `token`');
  const parsed = limited.safeParse(reply.value);
  if (!parsed.success) return cannotTell('The provider does not tell the messaging limit');
  const tier = parsed.data.whatsapp_business_manager_messaging_limit;
  return TOO_LOW.has(tier)
    ? problem(
        `The messaging limit is ${tier}; calling needs 2,000 a day`,
        'Raise the messaging limit in the WhatsApp Manager, for instance by verifying the business',
      )
    : fine(`The messaging limit is ${tier}`);
}

/** Provider: GET /{app-id}/subscriptions of the Graph API, read 2026-06. */
const subscriptions = z.looseObject({
  data: z.array(
    z.looseObject({
      object: z.string(),
      callback_url: z.string().optional().catch(undefined),
      active: z.boolean().optional().catch(undefined),
      fields: z.array(z.union([z.string(), z.looseObject({ name: z.string() })])),
    }),
  ),
});
/** Calls themselves; answers to permission requests come with the messages. */
const FIELDS = ['calls', 'messages'];

async function webhookFields({
  provider,
  number,
  services,
  webhookUrl,
}: Patient): Promise<Finding> {
  if (number.appId === null) {
    return cannotTell(
      'The app of the number is not known',
      'PATCH app_id with the id of the Meta app',
    );
  }
  const reply = await provider.get(
    `${number.appId}/subscriptions`,
    appToken(number.appId, services),
  );
  if (!reply.ok) {
    return cannotTell(
      said(reply),
      'Check app_id, and that META_APP_SECRET is the secret of that app',
    );
  }
  const parsed = subscriptions.safeParse(reply.value);
  const found = parsed.success
    ? parsed.data.data.find(({ object }) => object === 'whatsapp_business_account')
    : undefined;
  const remedy = `Subscribe ${webhookUrl} to calls and messages of the object whatsapp_business_account`;
  if (!found || found.active === false) return problem('The app has no active webhook', remedy);
  const names = found.fields.map((item) => (typeof item === 'string' ? item : item.name));
  const missing = FIELDS.filter((name) => !names.includes(name));
  if (missing.length > 0) return problem(`Not subscribed: ${missing.join(', ')}`, remedy);
  if (found.callback_url !== undefined && !isSameAddress(found.callback_url, webhookUrl)) {
    // The account or the number may override the app's address, and something in front may pass webhooks on.
    return cannotTell(
      `calls and messages are subscribed, but go to ${hostOf(found.callback_url)}`,
      remedy,
    );
  }
  return fine('calls and messages are subscribed');
}

const isSameAddress = (a: string, b: string): boolean =>
  URL.canParse(a) &&
  new URL(a).host === new URL(b).host &&
  new URL(a).pathname === new URL(b).pathname;
/** The path of somebody else's address may hold a secret. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'another address');

/** Provider: GET /{business-account-id}/subscribed_apps, read 2026-06. */
const subscribedApps = z.looseObject({
  data: z.array(
    z.looseObject({
      whatsapp_business_api_data: z
        .looseObject({ id: z.coerce.string() })
        .optional()
        .catch(undefined),
    }),
  ),
});

async function accountSubscription({ provider, number }: Patient): Promise<Finding> {
  const { businessAccountId, appId } = number;
  if (businessAccountId === null) {
    return cannotTell(
      'The business account of the number is not known',
      'PATCH business_account_id with the id of the WhatsApp Business Account',
    );
  }
  const reply = await provider.get(`${businessAccountId}/subscribed_apps`);
  if (!reply.ok) return cannotTell(said(reply), 'Check business_account_id; see the check `token`');
  const parsed = subscribedApps.safeParse(reply.value);
  if (!parsed.success) return cannotTell('The reply of the provider cannot be read');
  const ids = parsed.data.data.flatMap((item) => item.whatsapp_business_api_data?.id ?? []);
  const remedy = `POST /${businessAccountId}/subscribed_apps with the app's token`;
  if (ids.length === 0) return problem('No app is subscribed to the account', remedy);
  if (appId === null) {
    return cannotTell(
      `${ids.length} apps are subscribed; whether ours is among them is not known`,
      'PATCH app_id',
    );
  }
  return ids.includes(appId)
    ? fine('The app is subscribed to the account')
    : problem('The app is not subscribed to the account', remedy);
}
