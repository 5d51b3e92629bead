// `/v1/agents`: the people who answer calls.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import type { AgentId } from '../domain/ids.ts';
import { ROLES } from '../domain/roster.ts';
import { INVITATION_MS } from '../domain/session.ts';
import { requireAdmin } from '../principal.ts';
import type { Agent } from '../ports.ts';
import type { Services } from '../services.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const id = z.object({ id: z.string().min(1).max(64) });
const noSuchAgent = problemContent('There is no such agent');
const EMAIL_TAKEN = 'Another agent has this e-mail address';
const emailTaken = problemContent(EMAIL_TAKEN);

const name = z.string().trim().min(1, 'a name, 1 to 100 characters').max(100);
const role = z.enum(ROLES, `one of ${ROLES.join(', ')}`);
const email = z
  .email('an e-mail address')
  .max(254)
  .transform((value) => value.toLowerCase())
  .openapi({
    type: 'string',
    format: 'email',
    description: 'How Cloudflare Access names them; without it they sign in by invitation',
  });

const newAgent = z
  .object({ name, role: role.default('agent'), email: email.nullable().default(null) })
  .openapi('NewAgent');
const changedAgent = z
  .strictObject({
    name: name.optional(),
    role: role.optional(),
    email: email.nullable().optional(),
  })
  .openapi('ChangedAgent');
const agentView = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    email: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
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
    409: emailTaken,
  },
});

const change = createRoute({
  method: 'patch',
  path: '/agents/{id}',
  tags: ['set-up'],
  summary: 'Change an agent',
  description: 'Another role holds from the next request on, and for open event streams at once.',
  security: bearer,
  request: { params: id, ...body(changedAgent) },
  responses: { 200: json('The agent', agentView), ...refusals, 404: noSuchAgent, 409: emailTaken },
});

const invite = createRoute({
  method: 'post',
  path: '/agents/{id}/invitation',
  tags: ['sign-in'],
  summary: 'Make a link with which an agent signs in',
  description:
    'It works once, for 72 h, and is shown this once; one that was made before works no more. Give it to nobody but the agent.',
  security: bearer,
  request: { params: id },
  responses: {
    201: json('The link', z.object({ url: z.url(), expires_at: z.iso.datetime() })),
    ...refusals,
    404: noSuchAgent,
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
    'The key is refused from now on, sessions end, and event streams are closed. Calls that the agent has go on; ' +
    '`POST /v1/calls/:id/end` ends them. Harmless when repeated.',
  security: bearer,
  request: { params: id },
  responses: { 204: { description: 'The agent is removed' }, ...refusals, 404: noSuchAgent },
});

export function agentRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const agent: Agent = {
      id: crypto.randomUUID() as AgentId,
      ...c.req.valid('json'),
      createdAtMs: services.now(),
    };
    const key = newSecret('rla');
    const isAdded = await services.directory.addAgent(agent, await sha256Hex(key));
    if (!isAdded) throw new Problem('conflict', EMAIL_TAKEN);
    return c.json({ ...view(agent), key }, 201);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const agent = await services.directory.changeAgent(id, c.req.valid('json'));
    if (!agent && (await services.directory.findAgent(id))) {
      throw new Problem('conflict', EMAIL_TAKEN);
    }
    if (!agent) throw new Problem('not-found', 'There is no agent with this id');
    await services.switchboard().peopleChanged();
    return c.json(view(agent), 200);
  });
  app.openapi(invite, async (c) => {
    requireAdmin(c.var.principal);
    const agent = await services.directory.findAgent(c.req.valid('param').id);
    if (!agent) throw new Problem('not-found', 'There is no agent with this id');
    const token = newSecret('rli');
    const createdAtMs = services.now();
    const expiresAtMs = createdAtMs + INVITATION_MS;
    const times = { createdAtMs, expiresAtMs };
    await services.sessions.invite(agent.id, await sha256Hex(token), times);
    const url = new URL('/', c.req.url);
    url.searchParams.set('invitation', token);
    return c.json({ url: url.href, expires_at: iso(expiresAtMs) }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const agents = await services.directory.agents();
    return c.json({ data: agents.map(view) }, 200);
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
    await services.sessions.endAll(id);
    await services.switchboard().revokeAgent(id as AgentId);
    return c.body(null, 204);
  });
  return app;
}

const view = ({ id, name, role, email, createdAtMs }: Agent): z.infer<typeof agentView> => ({
  id,
  name,
  role,
  email,
  created_at: iso(createdAtMs),
});
