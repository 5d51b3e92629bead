// `/v1/relays`: registering relays, seeing which are connected, and the WebSocket that each of them opens.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import type { IceResult } from '../ports.ts';
import type { Services } from '../services.ts';
import { authenticate, bearerOf, matchesHash, requireAdmin } from './authentication.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const relayId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, '1 to 63 lower-case letters, digits and hyphens')
  .openapi({ example: 'relay-1' });

const create = createRoute({
  method: 'post',
  path: '/relays',
  tags: ['set-up'],
  summary: 'Register a relay',
  description: 'The secret is shown this once; only its hash is kept.',
  security: bearer,
  request: body(z.object({ id: relayId }).openapi('NewRelay')),
  responses: {
    201: json('The relay may connect', z.object({ id: z.string(), secret: z.string() })),
    ...refusals,
    409: problemContent('The id is taken'),
  },
});

const relayView = z
  .object({
    id: z.string(),
    is_connected: z.boolean(),
    is_draining: z.boolean(),
    capacity: z.int().nullable(),
    calls: z.int(),
    last_ice: z
      .object({
        at: z.iso.datetime(),
        is_connected: z.boolean(),
        local: z.string().optional(),
        local_type: z.string().optional(),
        remote: z.string().optional(),
      })
      .nullable()
      .openapi({ description: 'How the media of the latest call got through' }),
    created_at: z.iso.datetime(),
  })
  .openapi('Relay');

const list = createRoute({
  method: 'get',
  path: '/relays',
  tags: ['set-up'],
  summary: 'List the relays and what they carry',
  security: bearer,
  responses: { 200: json('All relays', z.object({ data: z.array(relayView) })), ...refusals },
});

const connect = createRoute({
  method: 'get',
  path: '/relays/{id}/connect',
  hide: true,
  request: { params: z.object({ id: relayId }) },
  responses: { 101: { description: 'WebSocket' } },
});

export function relayRoutes(services: Services) {
  const app = newRoutes();
  // Relays have secrets of their own, so this route comes before the API keys are asked for.
  app.openapi(connect, async (c) => {
    const { id } = c.req.valid('param');
    const secret = bearerOf(c);
    if (secret === null || !(await isRelaySecret(services, id, secret))) {
      throw new Problem('unauthenticated', 'The relay or its secret is not known');
    }
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new Problem('upgrade-required');
    const url = `https://switchboard/relay/${encodeURIComponent(id)}`;
    return services.switchboard().fetch(new Request(url, c.req.raw));
  });
  app.use('/relays', authenticate(services));
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('json');
    const secret = newSecret('rls');
    const isPreset = services.config.RELAY_SECRETS.has(id);
    const isNew = await services.directory.addRelay(id, await sha256Hex(secret), services.now());
    if (isPreset || !isNew)
      throw new Problem('conflict', 'A relay with this id is registered already');
    return c.json({ id, secret }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const [known, connected] = await Promise.all([
      services.directory.relays(),
      services.switchboard().relays(),
    ]);
    const preset = [...services.config.RELAY_SECRETS.keys()].map((id) => ({ id, createdAtMs: 0 }));
    const data = [...preset, ...known].map(({ id, createdAtMs }) => {
      const relay = connected.find((item) => item.id === id);
      return {
        id,
        is_connected: relay !== undefined,
        is_draining: relay?.isDraining ?? false,
        capacity: relay?.capacity ?? null,
        calls: relay?.load ?? 0,
        last_ice: iceView(relay?.lastIce ?? null),
        created_at: iso(createdAtMs),
      };
    });
    return c.json({ data }, 200);
  });
  return app;
}

const iceView = (ice: IceResult | null) =>
  ice && {
    at: iso(ice.atMs),
    is_connected: ice.isConnected,
    ...(ice.local === undefined ? {} : { local: ice.local }),
    ...(ice.localType === undefined ? {} : { local_type: ice.localType }),
    ...(ice.remote === undefined ? {} : { remote: ice.remote }),
  };

async function isRelaySecret(services: Services, id: string, secret: string): Promise<boolean> {
  const hash =
    services.config.RELAY_SECRETS.get(id) ?? (await services.directory.findRelaySecretHash(id));
  return hash !== null && (await matchesHash(secret, hash));
}
