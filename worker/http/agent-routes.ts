// `/v1/agents`: the people who answer calls.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import type { AgentId } from '../domain/ids.ts';
import type { Services } from '../services.ts';
import { requireAdmin } from './authentication.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const newAgent = z
  .object({ name: z.string().trim().min(1, 'a name, 1 to 100 characters').max(100) })
  .openapi('NewAgent');
const agentView = z
  .object({ id: z.string(), name: z.string(), created_at: z.iso.datetime() })
  .openapi('Agent');

const create = createRoute({
  method: 'post',
  path: '/agents',
  tags: ['set-up'],
  summary: 'Add an agent',
  description: 'The key is shown this once; only its hash is kept.',
  security: bearer,
  request: body(newAgent),
  responses: {
    201: json('The agent and its key', agentView.extend({ key: z.string() })),
    ...refusals,
  },
});

const list = createRoute({
  method: 'get',
  path: '/agents',
  tags: ['set-up'],
  summary: 'List the agents',
  security: bearer,
  responses: { 200: json('All agents', z.object({ data: z.array(agentView) })), ...refusals },
});

export function agentRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { name } = c.req.valid('json');
    const agent = { id: crypto.randomUUID() as AgentId, name, createdAtMs: services.now() };
    const key = newSecret('rla');
    await services.directory.addAgent(agent, await sha256Hex(key));
    return c.json({ id: agent.id, name, created_at: iso(agent.createdAtMs), key }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const agents = await services.directory.agents();
    const data = agents.map(({ id, name, createdAtMs }) => ({
      id,
      name,
      created_at: iso(createdAtMs),
    }));
    return c.json({ data }, 200);
  });
  return app;
}
