// `/v1/agents`: the people who answer calls.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import type { AgentChange } from '../adapters/directory-d1.ts';
import type { Team } from '../adapters/team-store-d1.ts';
import { iso } from '../call-view.ts';
import type { AgentId } from '../domain/ids.ts';
import { ROLES } from '../domain/roster.ts';
import { INVITATION_MS } from '../domain/session.ts';
import { requireAdmin } from '../principal.ts';
import type { Agent } from '../ports.ts';
import type { Services } from '../services.ts';
import { invalidField, Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const id = z.object({ id: z.string().min(1).max(64) });
/** An AI agent runs on many machines. */
const CAPACITY_MAX = 1_000;
const noSuchAgent = problemContent('There is no such agent');
const isAi = problemContent('It is an AI agent');
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

const skills = z
  .array(z.string().trim().min(1, 'a name, 1 to 64 characters').max(64))
  .max(50)
  .openapi({ description: 'What rules may ask for', example: ['portuguese', 'refunds'] });
const capacity = z
  .int()
  .min(1, `1 to ${CAPACITY_MAX}`)
  .max(CAPACITY_MAX, `1 to ${CAPACITY_MAX}`)
  .openapi({ description: 'How many calls they have at once' });
const ai = z
  .object({ name: z.string().min(1).max(128), metadata: z.string().max(4_096).default('') })
  .openapi({
    description:
      'An AI agent as it is registered with LiveKit, and what it is told; a team can have it as a member',
  });

const newAgent = z
  .object({
    name,
    role: role.default('agent'),
    email: email.nullable().default(null),
    skills: skills.default([]),
    capacity: capacity.default(1),
    ai: ai.nullable().default(null),
  })
  .openapi('NewAgent');
const changedAgent = z
  .strictObject({
    name: name.optional(),
    role: role.optional(),
    email: email.nullable().optional(),
    skills: skills.optional(),
    capacity: capacity.optional(),
    ai: ai.nullable().optional(),
  })
  .openapi('ChangedAgent');
const agentView = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    email: z.string().nullable(),
    skills,
    capacity,
    ai: ai.nullable(),
    teams: z.array(z.string()).openapi({ description: 'Ids of their teams' }),
    created_at: z.iso.datetime(),
  })
  .openapi('Agent');

const create = createRoute({
  method: 'post',
  path: '/agents',
  tags: ['set-up'],
  summary: 'Add an agent',
  description:
    'The key is shown this once; only its hash is kept. An AI agent has none: LiveKit dispatches it.',
  security: bearer,
  request: body(newAgent),
  responses: {
    201: json('The agent and its key', agentView.extend({ key: z.string().nullable() })),
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
    409: isAi,
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
    409: isAi,
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
    requireOneKind(agent, agent);
    const key = newSecret('rla');
    const isAdded = await services.directory.addAgent(agent, await sha256Hex(key));
    if (!isAdded) throw new Problem('conflict', EMAIL_TAKEN);
    await services.switchboard().peopleChanged();
    return c.json({ ...view(agent, []), key: agent.ai ? null : key }, 201);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const changed = c.req.valid('json');
    const known = await services.directory.findAgent(id);
    if (!known) throw new Problem('not-found', 'There is no agent with this id');
    requireOneKind(known, changed);
    const agent = await services.directory.changeAgent(id, changed);
    if (!agent) throw new Problem('conflict', EMAIL_TAKEN);
    await services.switchboard().peopleChanged();
    return c.json(view(agent, await services.teams.list()), 200);
  });
  app.openapi(invite, async (c) => {
    requireAdmin(c.var.principal);
    const agent = await services.directory.findAgent(c.req.valid('param').id);
    if (!agent) throw new Problem('not-found', 'There is no agent with this id');
    requirePersonal(agent);
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
    const [agents, teams] = await Promise.all([services.directory.agents(), services.teams.list()]);
    return c.json({ data: agents.map((agent) => view(agent, teams)) }, 200);
  });
  app.openapi(changeKey, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const agent = await services.directory.findAgent(id);
    if (agent) requirePersonal(agent);
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
    await services.switchboard().peopleChanged();
    return c.body(null, 204);
  });
  return app;
}

/** What LiveKit dispatches stays that, signs in nowhere and may do no more than take calls. */
function requireOneKind({ ai }: Pick<Agent, 'ai'>, changed: AgentChange): void {
  if (changed.ai !== undefined && (changed.ai === null) !== (ai === null))
    throw invalidField(
      'ai',
      ai
        ? 'a name and metadata; a person is another agent'
        : 'null for a person; an AI agent is another agent',
    );
  if (!ai) return;
  if ((changed.role ?? 'agent') !== 'agent') throw invalidField('role', '`agent` for an AI agent');
  if ((changed.email ?? null) !== null) throw invalidField('email', 'null for an AI agent');
}

/** @throws Problem `conflict` for what LiveKit dispatches */
function requirePersonal({ ai }: Agent): void {
  if (ai) throw new Problem('conflict', 'An AI agent has no key and does not sign in');
}

const view = (agent: Agent, teams: readonly Team[]): z.infer<typeof agentView> => ({
  id: agent.id,
  name: agent.name,
  role: agent.role,
  email: agent.email,
  skills: [...agent.skills],
  capacity: agent.capacity,
  ai: agent.ai && { ...agent.ai },
  teams: teams.flatMap(({ id, agentIds }) => (agentIds.includes(agent.id) ? [id] : [])),
  created_at: iso(agent.createdAtMs),
});
