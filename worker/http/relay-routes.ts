// `/v1/relays`: registering and revoking relays, seeing which are connected.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import { relayOf, type RelayId } from '../domain/ids.ts';
import type { IceResult, RelayStatus } from '../ports.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

export const relayId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, '1 to 63 lower-case letters, digits and hyphens')
  .openapi({ example: 'relay-1' });

/** As which a relay connects: its id, or with several processes that of one of them. All show the relay's one secret. */
export const relayProcessId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}(\.[1-9]\d?)?$/);

const noSuchRelay = problemContent('There is no such relay');
const presetRelay = problemContent('The relay stands in RELAY_SECRETS: change it there');

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
    is_overloaded: z
      .boolean()
      .openapi({ description: 'None of its processes takes new calls for what its calls need' }),
    processes: z.int().openapi({ description: 'How many of its processes are connected' }),
    capacity: z.int().nullable().openapi({ description: 'Of all processes together' }),
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

const changeSecret = createRoute({
  method: 'post',
  path: '/relays/{id}/secret',
  tags: ['set-up'],
  summary: 'Give a relay another secret',
  description:
    'The secret before is refused from now on, and the connection of the relay is closed: its calls are lost, so take it out of ' +
    'service before. Start it again with the new secret, which is shown this once.',
  security: bearer,
  request: { params: z.object({ id: relayId }) },
  responses: {
    200: json('The new secret', z.object({ id: z.string(), secret: z.string() })),
    ...refusals,
    404: noSuchRelay,
    409: presetRelay,
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/relays/{id}',
  tags: ['set-up'],
  summary: 'Remove a relay',
  description:
    'Its secret is refused from now on, and its connection is closed: its calls are lost. Take it out of service before. Harmless ' +
    'when repeated.',
  security: bearer,
  request: { params: z.object({ id: relayId }) },
  responses: {
    204: { description: 'The relay is removed' },
    ...refusals,
    404: noSuchRelay,
    409: presetRelay,
  },
});

export function relayRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('json');
    const secret = newSecret('rls');
    const isPreset = services.config.RELAY_SECRETS.has(id);
    const isNew =
      !isPreset && (await services.directory.addRelay(id, await sha256Hex(secret), services.now()));
    if (!isNew) throw new Problem('conflict', 'A relay with this id is registered already');
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
      const processes = connected.filter((item) => relayOf(item.id) === id);
      const isConnected = processes.length > 0;
      return {
        id,
        is_connected: isConnected,
        is_draining: isConnected && processes.every(({ isDraining }) => isDraining),
        is_overloaded: isConnected && processes.every(({ isOverloaded }) => isOverloaded),
        processes: processes.length,
        capacity: isConnected ? sum(processes.map(({ capacity }) => capacity)) : null,
        calls: sum(processes.map(({ load }) => load)),
        last_ice: iceView(latestIce(processes)),
        created_at: iso(createdAtMs),
      };
    });
    return c.json({ data }, 200);
  });
  app.openapi(changeSecret, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    refusePreset(services, id);
    const secret = newSecret('rls');
    const isChanged = await services.directory.setRelaySecret(id, await sha256Hex(secret));
    if (!isChanged) throw new Problem('not-found', 'There is no relay with this id');
    await services.switchboard().revokeRelay(id as RelayId);
    return c.json({ id, secret }, 200);
  });
  app.openapi(revoke, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    refusePreset(services, id);
    const isRevoked = await services.directory.revokeRelay(id, services.now());
    if (!isRevoked) throw new Problem('not-found', 'There was never a relay with this id');
    await services.switchboard().revokeRelay(id as RelayId);
    return c.body(null, 204);
  });
  return app;
}

/** Deploying the worker with another RELAY_SECRETS closes every connection, so the change is as good as a revocation. */
function refusePreset({ config }: Services, id: string): void {
  if (config.RELAY_SECRETS.has(id)) {
    throw new Problem('conflict', 'The relay stands in RELAY_SECRETS: change it there and deploy');
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const latestIce = (processes: readonly RelayStatus[]): IceResult | null =>
  processes.flatMap(({ lastIce }) => lastIce ?? []).toSorted((a, b) => b.atMs - a.atMs)[0] ?? null;

const iceView = (ice: IceResult | null) =>
  ice && {
    at: iso(ice.atMs),
    is_connected: ice.isConnected,
    ...(ice.local === undefined ? {} : { local: ice.local }),
    ...(ice.localType === undefined ? {} : { local_type: ice.localType }),
    ...(ice.remote === undefined ? {} : { remote: ice.remote }),
  };
