// `/v1/agents`: the people who answer calls.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import type { AgentId } from '../domain/ids.ts';
import { requireAdmin } from '../principal.ts';
import type { Agent } from '../ports.ts';
import type { Services } from '../services.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const id = z.object({ id: z.string().min(1).max(64) });
const noSuchAgent = problemContent('There is no such agent');

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

const changeKey = createRoute({
  method: 'post',
  path: '/agents/{id}/key',
  tags: ['set-up'],
  summary: 'Give an agent another key',
  description:
    'The key before is refused from now on, and event streams that were opened with it are closed. The new one is shown this ' +
    'once.',
  security: bearer,
  request: { params: id },
  responses: {
    200: json('The new key', z.object({ id: z.string(), key: z.string() })),
    ...refusals,
    404: noSuchAgent,
  },
});

const revoke = createRoute({
  method: 'delete',
  path: '/agents/{id}',
  tags: ['set-up'],
  summary: 'Remove an agent',
  description:
    'The key is refused from now on, and event streams are closed. Calls that the agent has go on; `POST /v1/calls/:id/end` ends ' +
    'them. Harmless when repeated.',
  security: bearer,
  request: { params: id },
  responses: { 204: { description: 'The agent is removed' }, ...refusals, 404: noSuchAgent },
});

export function agentRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { name } = c.req.valid('json');
    const agent: Agent = {
      id: crypto.randomUUID() as AgentId,
      name,
      role: 'agent',
      email: null,
      createdAtMs: services.now(),
    };
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
  app.openapi(changeKey, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const key = newSecret('rla');
    const isChanged = await services.directory.setAgentKey(id, await sha256Hex(key));
    if (!isChanged) throw new Problem('not-found', 'There is no agent with this id');
    await services.switchboard().revokeAgent(id as AgentId);
    return c.json({ id, key }, 200);
  });
  app.openapi(revoke, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const isRevoked = await services.directory.revokeAgent(id, services.now());
    if (!isRevoked) throw new Problem('not-found', 'There was never an agent with this id');
    await services.switchboard().revokeAgent(id as AgentId);
    return c.body(null, 204);
  });
  return app;
}
