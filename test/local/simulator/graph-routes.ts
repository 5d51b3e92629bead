// Meta's Graph API: the endpoints of a business number, with Meta's checks and errors.
import { Hono, type Context } from 'hono';
import { assetRoutes } from './asset-routes.ts';
import { answerCallAction } from './call-actions.ts';
import { errorBody, GraphError, invalidParameter, invalidToken } from './graph-error.ts';
import { parseObject } from './json-body.ts';
import {
  answered,
  queryPermission,
  readSettings,
  userOfQuery,
  writeSettings,
} from './number-actions.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';

/** A path below one number, whatever the version. */
const below = (path: string) => `/:version{v\\d+\\.\\d+}/:number/${path}`;

/** `/{version}/{phone-number-id}/...` and what else a client asks the Graph API. */
export function graphRoutes(platform: Platform): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof GraphError)
      return c.json(errorBody(error), { status: error.status as 400 });
    throw error;
  });
  app.get(below('settings'), (c) => {
    const number = numberOf(platform, c);
    const withCredentials = c.req.query('include_sip_credentials') === 'true';
    return answered(platform, number, 'settings', () =>
      readSettings(platform, number, withCredentials),
    );
  });
  app.post(below('settings'), async (c) => {
    const number = numberOf(platform, c);
    const text = await c.req.text();
    return answered(platform, number, 'settings', () => writeSettings(platform, number, text));
  });
  app.get(below('call_permissions'), (c) => {
    const number = numberOf(platform, c);
    const { user_wa_id: phone, recipient } = c.req.query();
    return answered(platform, number, 'call_permissions', () =>
      queryPermission(platform, number, userOfQuery(platform, phone, recipient)),
    );
  });
  app.post(below('messages'), async (c) => {
    const number = numberOf(platform, c);
    const text = await c.req.text();
    return answered(platform, number, 'messages', () =>
      platform.messages.send(number, parseObject(text)),
    );
  });
  app.post(below('calls'), async (c) => {
    const number = numberOf(platform, c);
    return answerCallAction(platform, number, await c.req.text());
  });
  app.route('/', assetRoutes(platform));
  return app;
}

/** @throws GraphError 190 or 100. A number of 360dialog is not reachable here, as in production */
function numberOf(platform: Platform, c: Context): SimulatedNumber {
  const id = c.req.param('number') ?? '';
  const number = platform.numbers.byId(id);
  const token = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
  const isKnown = platform.numbers
    .list()
    .some(({ options, isMeta }) => isMeta && options.secret === token);
  if (!isKnown) throw invalidToken();
  if (!number?.isMeta || number.options.secret !== token) {
    throw invalidParameter(`Object with ID '${id}' does not exist`);
  }
  if (!number.traits.token_is_valid) throw invalidToken('Session has expired');
  return number;
}
