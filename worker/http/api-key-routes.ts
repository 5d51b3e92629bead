// `/v1/api-keys`: keys of programs, each with a role of its own.
import { createRoute, z } from '@hono/zod-openapi';
import type { ApiKey } from '../adapters/api-key-store-d1.ts';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import { ROLES } from '../domain/roster.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { PROGRAM_KEY_PREFIX } from './authentication.ts';
import { invalidField, Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const time = z.iso.datetime();
const keyView = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    created_at: time,
    expires_at: time.nullable().openapi({ description: 'Refused from then on; null: never' }),
    last_used_at: time.nullable().openapi({ description: 'To the minute' }),
  })
  .openapi('ApiKey');

const create = createRoute({
  method: 'post',
  path: '/api-keys',
  tags: ['set-up'],
  summary: 'Make a key for a program',
  description:
    'It may do what its role may, and is nobody: it takes no calls. It sees the calls of all teams. The key is shown this once; ' +
    'only its hash is kept.',
  security: bearer,
  request: body(
    z
      .strictObject({
        name: z.string().trim().min(1, 'a name, 1 to 100 characters').max(100),
        role: z.enum(ROLES, `one of ${ROLES.join(', ')}`),
        expires_at: z.iso
          .datetime({ offset: true, error: 'a time such as 2027-01-01T00:00:00Z' })
          .transform((value) => Date.parse(value))
          .optional()
          .openapi({
            type: 'string',
            format: 'date-time',
            description: 'Refused from then on; never without',
          }),
      })
      .openapi('NewApiKey'),
  ),
  responses: {
    201: json('The key', keyView.extend({ key: z.string() }).openapi('CreatedApiKey')),
    ...refusals,
  },
});

const list = createRoute({
  method: 'get',
  path: '/api-keys',
  tags: ['set-up'],
  summary: 'List the keys of programs',
  security: bearer,
  responses: {
    200: json('Those that were not revoked', z.object({ data: z.array(keyView) })),
    ...refusals,
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/api-keys/{id}',
  tags: ['set-up'],
  summary: 'Revoke the key of a program',
  description:
    'It is refused from now on, and event streams that were opened with it are closed. Harmless when repeated.',
  security: bearer,
  request: { params: z.object({ id: z.string().min(1).max(64) }) },
  responses: {
    204: { description: 'The key is revoked' },
    ...refusals,
    404: problemContent('There is no such key'),
  },
});

export function apiKeyRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { name, role, expires_at: expiresAtMs = null } = c.req.valid('json');
    const createdAtMs = services.now();
    if (expiresAtMs !== null && expiresAtMs <= createdAtMs) {
      throw invalidField('expires_at', 'a time to come');
    }
    const id = crypto.randomUUID();
    const key = newSecret(PROGRAM_KEY_PREFIX);
    const stored = { id, name, role, createdAtMs, expiresAtMs };
    await services.apiKeys.add(stored, await sha256Hex(key));
    return c.json({ ...view({ ...stored, lastUsedAtMs: null }), key }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    return c.json({ data: (await services.apiKeys.list()).map(view) }, 200);
  });
  app.openapi(revoke, async (c) => {
    requireAdmin(c.var.principal);
    const keyHash = await services.apiKeys.revoke(c.req.valid('param').id, services.now());
    if (keyHash === null) throw new Problem('not-found', 'There was never a key with this id');
    await services.switchboard().closeStreams(keyHash);
    return c.body(null, 204);
  });
  return app;
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

const view = ({ id, name, role, createdAtMs, expiresAtMs, lastUsedAtMs }: ApiKey) => ({
  id,
  name,
  role,
  created_at: iso(createdAtMs),
  expires_at: isoOrNull(expiresAtMs),
  last_used_at: isoOrNull(lastUsedAtMs),
});
