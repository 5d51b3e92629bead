// 360dialog's API over the same numbers: another header, other paths, no number id, Meta's bodies.
import { Hono, type Context } from 'hono';
import { answerCallAction, failure } from './call-actions.ts';
import { GraphError, invalidParameter } from './graph-error.ts';
import { asObject, asText, parseObject } from './json-body.ts';
import {
  answered,
  queryPermission,
  readSettings,
  userOfQuery,
  writeSettings,
} from './number-actions.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';

/** Nobody owns this key. */
class WrongKey extends Error {}

/** Mounted at `/360dialog`. Provider: 360dialog, API reference and "Calling", read 2026. */
export function dialogRoutes(platform: Platform): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof WrongKey) return c.json({ error: 'Invalid api key' }, 401);
    if (!(error instanceof GraphError)) throw error;
    const { status, body } = failure(numberOf(platform, c), error);
    return c.json(body, { status: status as 400 });
  });
  app.post('/calling/calls', async (c) => {
    const number = numberOf(platform, c);
    return answerCallAction(platform, number, await c.req.text());
  });
  app.get('/calling/permissions/:user', (c) => {
    const number = numberOf(platform, c);
    const id = c.req.param('user');
    // Whether production takes a business-scoped user id here is unknown; refusing it would be a guess as well.
    const isPhone = /^\+?\d+$/.test(id);
    return answered(platform, number, 'call_permissions', () => {
      const user = userOfQuery(platform, isPhone ? id : undefined, isPhone ? undefined : id);
      return queryPermission(platform, number, user);
    });
  });
  app.get('/calling/settings', (c) => {
    const number = numberOf(platform, c);
    return answered(platform, number, 'settings', () => readSettings(platform, number, true));
  });
  app.post('/calling/settings', async (c) => {
    const number = numberOf(platform, c);
    const text = await c.req.text();
    return answered(platform, number, 'settings', () => writeSettings(platform, number, text));
  });
  app.post('/messages', async (c) => {
    const number = numberOf(platform, c);
    const text = await c.req.text();
    return answered(platform, number, 'messages', () =>
      platform.messages.send(number, parseObject(text)),
    );
  });
  app.get('/v1/configs/webhook', (c) => c.json(numberOf(platform, c).webhook ?? { url: null }));
  app.post('/v1/configs/webhook', async (c) => {
    const number = numberOf(platform, c);
    number.webhook = parseWebhook(await c.req.text(), number);
    return c.json(number.webhook);
  });
  return app;
}

/** @throws WrongKey. Provider: 360dialog: one key is one number; 401 for a wrong one */
function numberOf(platform: Platform, c: Context): SimulatedNumber {
  const number = platform.numbers.byKey(c.req.header('d360-api-key') ?? '');
  if (!number) throw new WrongKey('no such key');
  return number;
}

function parseWebhook(text: string, { traits }: SimulatedNumber) {
  const body = parseObject(text);
  const url = asText(body['url'], 'url', 2000);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw invalidParameter('url is not valid');
  // Provider: 360dialog "Webhooks": no underscore in the host name, no explicit port.
  if (traits.strict_webhook_url && (parsed.port !== '' || parsed.hostname.includes('_'))) {
    throw invalidParameter('url must have no port and no underscore in its host name');
  }
  const headers = body['headers'] === undefined ? {} : asObject(body['headers'], 'headers');
  const entries = Object.entries(headers).map(([name, value]) => [name, String(value)] as const);
  return entries.length > 0 ? { url, headers: Object.fromEntries(entries) } : { url };
}
