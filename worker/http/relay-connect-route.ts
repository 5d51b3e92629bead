// `GET /v1/relays/:id/connect`: the WebSocket that each process of a relay opens. Relays have secrets of their own and no API key.
import { createRoute, z } from '@hono/zod-openapi';
import { relayOf } from '../domain/ids.ts';
import type { Services } from '../services.ts';
import type { KeyGuard } from './key-guard.ts';
import { Problem } from './problems.ts';
import { authenticateRelay, findRelay } from './relay-authentication.ts';
import { relayProcessId } from './relay-routes.ts';
import { newRoutes } from './routes.ts';

const connect = createRoute({
  method: 'get',
  path: '/relays/{id}/connect',
  hide: true,
  request: { params: z.object({ id: relayProcessId }) },
  responses: { 101: { description: 'WebSocket' } },
});

export function relayConnectRoute(services: Services, guard: KeyGuard) {
  const app = newRoutes();
  app.openapi(connect, async (c) => {
    const id = await authenticateRelay(services, guard, c, c.req.valid('param').id);
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new Problem('upgrade-required');
    const url = `https://switchboard/relay/${encodeURIComponent(id)}`;
    const response = await services.switchboard().fetch(new Request(url, c.req.raw));
    // It may have been revoked between the check and the connection, which the revocation then did not find.
    if (!(await findRelay(services, c, id))) await services.switchboard().revokeRelay(relayOf(id));
    return response;
  });
  return app;
}
