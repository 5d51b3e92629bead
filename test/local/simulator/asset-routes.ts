// What a set-up check asks the Graph API about tokens, numbers and subscriptions.
//
// From the calling documentation: subscribed_apps and subscriptions with their parameters, and which fields must be
// subscribed. The shapes of the answers, debug_token and the fields of a number are those of the general Graph API.
import { Hono, type Context } from 'hono';
import { graphError, GraphError, invalidParameter, invalidToken } from './graph-error.ts';
import { safeParse } from './json-body.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';
import { verify } from './webhook-check.ts';

const versioned = (path: string) => `/:version{v\\d+\\.\\d+}/${path}`;
const APP_NAME = 'Simulated app';
const API_VERSION = 'v23.0';

export function assetRoutes(platform: Platform): Hono {
  const app = new Hono();
  app.get(versioned('debug_token'), (c) => {
    authorise(platform, c);
    return c.json({ data: tokenData(platform, c.req.query('input_token') ?? '') });
  });
  app.get(versioned(':id/subscribed_apps'), (c) => {
    const numbers = accountOf(platform, c);
    const isSubscribed = numbers.some(({ traits }) => traits.app_subscribed);
    return c.json({ data: isSubscribed ? [appData(platform, numbers[0])] : [] });
  });
  app.post(versioned(':id/subscribed_apps'), async (c) => {
    const numbers = accountOf(platform, c);
    const { override_callback_uri: url, verify_token: token } = await fieldsOf(c);
    if (url !== undefined) await checkAddress(url, token ?? '');
    for (const number of numbers) {
      number.traits = { ...number.traits, app_subscribed: true };
      number.webhook = url === undefined ? undefined : { url };
    }
    return c.json({ success: true });
  });
  app.delete(versioned(':id/subscribed_apps'), (c) => {
    for (const number of accountOf(platform, c)) {
      number.traits = { ...number.traits, app_subscribed: false };
    }
    return c.json({ success: true });
  });
  app.get(versioned(':id/phone_numbers'), (c) =>
    c.json({
      data: accountOf(platform, c).map((number) => pick(numberFields(platform, number), c)),
    }),
  );
  app.get(versioned(':id/subscriptions'), (c) => {
    checkApp(platform, c);
    return c.json({ data: subscriptionsOf(platform) });
  });
  app.post(versioned(':id/subscriptions'), async (c) => {
    checkApp(platform, c);
    const { object, callback_url: url, verify_token: token, fields } = await fieldsOf(c);
    if (object !== 'whatsapp_business_account') throw invalidParameter('object is not supported');
    if (url === undefined) throw invalidParameter('callback_url is required');
    await checkAddress(url, token ?? '');
    platform.app.webhookUrl = url;
    const names = (fields ?? '').split(',').filter((name) => name !== '');
    for (const number of platform.numbers.list()) {
      if (names.length > 0) number.traits = { ...number.traits, subscribed_fields: names };
    }
    return c.json({ success: true });
  });
  app.get(versioned(':id'), (c) => {
    authorise(platform, c);
    const id = c.req.param('id') ?? '';
    const number = platform.numbers.byId(id);
    if (!number?.isMeta) throw unknown(id);
    return c.json(pick(numberFields(platform, number), c));
  });
  return app;
}

const unknown = (id: string) => invalidParameter(`Object with ID '${id}' does not exist`);

function tokenOf(c: Context): string {
  const [, bearer] = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '') ?? [];
  return bearer ?? c.req.query('access_token') ?? '';
}

const appToken = ({ app }: Platform) => `${app.id}|${app.secret}`;

/** The app's token or that of any number. @throws GraphError 190 */
function authorise(platform: Platform, c: Context): void {
  const token = tokenOf(c);
  const numbers = platform.numbers.list().filter(({ isMeta }) => isMeta);
  const isKnown = numbers.some(({ options }) => options.secret === token);
  if (!isKnown && token !== appToken(platform)) throw invalidToken();
}

/** Provider: Graph API "Subscriptions": only with the app's own token, code 15 otherwise. */
function checkApp(platform: Platform, c: Context): void {
  authorise(platform, c);
  if (c.req.param('id') !== platform.app.id) throw unknown(c.req.param('id') ?? '');
  if (tokenOf(c) !== appToken(platform)) {
    throw new GraphError(400, 15, 'App token required', 'call this with the app access token');
  }
}

/** The numbers of the WABA in the path. */
function accountOf(platform: Platform, c: Context): SimulatedNumber[] {
  authorise(platform, c);
  const id = c.req.param('id') ?? '';
  const numbers = platform.numbers
    .list()
    .filter(({ identity, isMeta }) => isMeta && identity.wabaId === id);
  if (numbers.length === 0) throw unknown(id);
  if (!numbers.some(({ traits }) => traits.token_scopes.includes('whatsapp_business_management'))) {
    throw graphError(200, 'whatsapp_business_management is required');
  }
  return numbers;
}

/** Provider: "Webhooks", read 2026-06: an address is verified before it is taken. */
async function checkAddress(url: string, token: string): Promise<void> {
  const received = await verify(url, token).catch(() => undefined);
  if (!received?.verified) throw invalidParameter(`The callback URL could not be verified: ${url}`);
}

/** Parameters from the query, a form or a JSON body. */
async function fieldsOf(c: Context): Promise<Record<string, string>> {
  const text = await c.req.text();
  const body = safeParse(text) ?? Object.fromEntries(new URLSearchParams(text));
  const all = { ...c.req.query(), ...body };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value)]));
}

function tokenData(platform: Platform, token: string): object {
  const number = platform.numbers.list().find(({ options }) => options.secret === token);
  if (!number) {
    const error = { code: 190, message: 'Invalid OAuth access token.' };
    return { error, is_valid: false, scopes: [] };
  }
  const { token_is_valid: isValid, token_scopes: scopes, token_expires_at_s } = number.traits;
  return {
    app_id: platform.app.id,
    type: 'SYSTEM_USER',
    application: APP_NAME,
    data_access_expires_at: 0,
    expires_at: token_expires_at_s,
    is_valid: isValid,
    issued_at: 1_790_000_000,
    scopes,
    granular_scopes: scopes.map((scope) => ({ scope, target_ids: [number.identity.wabaId] })),
    user_id: '400000000000001',
  };
}

function appData({ app }: Platform, number: SimulatedNumber | undefined): object {
  return {
    whatsapp_business_api_data: {
      id: app.id,
      link: `https://www.facebook.com/games/?app_id=${app.id}`,
      name: APP_NAME,
    },
    ...(number?.webhook ? { override_callback_uri: number.webhook.url } : {}),
  };
}

function subscriptionsOf({ app, numbers }: Platform): object[] {
  const { subscribed_fields: fields } = numbers.default.traits;
  if (app.webhookUrl === undefined) return [];
  return [
    {
      object: 'whatsapp_business_account',
      callback_url: app.webhookUrl,
      active: true,
      fields: fields.map((name) => ({ name, version: API_VERSION })),
    },
  ];
}

/** Provider: "Phone number" node of the Cloud API. The limit has an older and a newer name; both are given. */
function numberFields({ app }: Platform, number: SimulatedNumber): object {
  const { identity, traits, webhook, calling } = number;
  const tier = tierOf(traits.messaging_limit);
  const sip = calling['sip'] as { status?: string } | undefined;
  return {
    verified_name: 'Simulated Business',
    code_verification_status: 'VERIFIED',
    display_phone_number: `+${identity.displayPhoneNumber}`,
    quality_rating: traits.quality_rating,
    platform_type: traits.platform_type,
    throughput: { level: 'STANDARD' },
    messaging_limit_tier: tier,
    whatsapp_business_manager_messaging_limit: tier,
    name_status: 'APPROVED',
    status: traits.number_status,
    account_mode: traits.sandbox ? 'SANDBOX' : 'LIVE',
    is_official_business_account: false,
    webhook_configuration: {
      ...(app.webhookUrl === undefined ? {} : { application: app.webhookUrl }),
      ...(webhook ? { phone_number: webhook.url } : {}),
    },
    health_status: {
      can_send_message: 'AVAILABLE',
      entities: [
        {
          entity_type: 'PHONE_NUMBER',
          id: identity.phoneNumberId,
          can_send_message: 'AVAILABLE',
          can_receive_call_sip: sip?.status === 'ENABLED' ? 'AVAILABLE' : 'BLOCKED',
        },
      ],
    },
    id: identity.phoneNumberId,
  };
}

function tierOf(limit: number): string {
  if (limit >= 1_000_000) return 'TIER_UNLIMITED';
  if (limit >= 100_000) return 'TIER_100K';
  if (limit >= 10_000) return 'TIER_10K';
  if (limit >= 2000) return 'TIER_2K';
  return limit >= 1000 ? 'TIER_1K' : 'TIER_250';
}

/** The fields asked for, always with the id; without `fields` a few. */
function pick(all: object, c: Context): object {
  const asked = c.req.query('fields') ?? 'verified_name,display_phone_number,quality_rating';
  const names = [...asked.split(','), 'id'];
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
