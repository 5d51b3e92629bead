// `GET /v1/relays/:id/connect`: the WebSocket that each relay opens. Relays have secrets of their own and no API key.
import { createRoute, z } from '@hono/zod-openapi';
import { sha256Hex } from '../adapters/sealed-secret.ts';
import type { RelayId } from '../domain/ids.ts';
import type { Services } from '../services.ts';
import { bearerOf, matchesHash } from './authentication.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { Problem } from './problems.ts';
import { relayId } from './relay-routes.ts';
import { newRoutes } from './routes.ts';

const connect = createRoute({
  method: 'get',
  path: '/relays/{id}/connect',
  hide: true,
  request: { params: z.object({ id: relayId }) },
  responses: { 101: { description: 'WebSocket' } },
});

export function relayConnectRoute(services: Services, guard: KeyGuard) {
  const app = newRoutes();
  app.openapi(connect, async (c) => {
    const { id } = c.req.valid('param');
    const secret = bearerOf(c) ?? '';
    const find = () => findRelay(services, id, secret);
    const key = await sha256Hex(`${id}\n${secret}`);
    if (secret === '' || !(await guard.check(sourceOf(c), key, find))) {
      throw new Problem('unauthenticated', 'The relay or its secret is not known');
    }
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new Problem('upgrade-required');
    const url = `https://switchboard/relay/${encodeURIComponent(id)}`;
    const response = await services.switchboard().fetch(new Request(url, c.req.raw));
    // It may have been revoked between the check and the connection, which the revocation then did not find.
    if (!(await find())) await services.switchboard().revokeRelay(id as RelayId);
    return response;
  });
  return app;
}

/** The relay's id; null unless the secret is its own. */
async function findRelay(services: Services, id: string, secret: string): Promise<string | null> {
  const hash =
    services.config.RELAY_SECRETS.get(id) ?? (await services.directory.findRelaySecretHash(id));
  return hash !== null && (await matchesHash(secret, hash)) ? id : null;
}
