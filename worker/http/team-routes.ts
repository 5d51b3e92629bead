// `/v1/teams`: agents who share calls.
import { createRoute, z } from '@hono/zod-openapi';
import type { Team } from '../adapters/team-store-d1.ts';
import { iso } from '../call-view.ts';
import { deleteTeam, setMembers } from '../handlers/change-team.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const WRAP_UP_S_MAX = 3_600;
const MEMBERS_MAX = 1_000;

const params = z.object({ id: z.string().min(1).max(64) });
const noSuchTeam = problemContent('There is no such team');

const name = z.string().trim().min(1, 'a name, 1 to 100 characters').max(100);
const wrapUp = z
  .int()
  .min(0, `0 to ${WRAP_UP_S_MAX}`)
  .max(WRAP_UP_S_MAX, `0 to ${WRAP_UP_S_MAX}`)
  .openapi({ description: 'How long a member is left alone after a call of the team, in s' });

const teamView = z
  .object({
    id: z.string(),
    name: z.string(),
    wrap_up_s: wrapUp,
    agent_ids: z.array(z.string()).openapi({ description: 'Its members' }),
    created_at: z.iso.datetime(),
  })
  .openapi('Team');

const create = createRoute({
  method: 'post',
  path: '/teams',
  tags: ['routing'],
  summary: 'Add a team',
  security: bearer,
  request: body(
    z
      .object({
        id: z
          .string()
          .regex(/^[\w-]{1,64}$/, 'letters, digits, _ and -, at most 64')
          .openapi({ description: 'What rules call it', example: 'sales' }),
        name,
        wrap_up_s: wrapUp.default(0),
      })
      .openapi('NewTeam'),
  ),
  responses: {
    201: json('The team', teamView),
    ...refusals,
    409: problemContent('There is a team with this id'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/teams',
  tags: ['routing'],
  summary: 'List the teams',
  security: bearer,
  responses: { 200: json('All teams', z.object({ data: z.array(teamView) })), ...refusals },
});

const show = createRoute({
  method: 'get',
  path: '/teams/{id}',
  tags: ['routing'],
  summary: 'One team',
  security: bearer,
  request: { params },
  responses: { 200: json('The team', teamView), ...refusals, 404: noSuchTeam },
});

const change = createRoute({
  method: 'patch',
  path: '/teams/{id}',
  tags: ['routing'],
  summary: 'Change a team',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({ name: name.optional(), wrap_up_s: wrapUp.optional() })
        .openapi('ChangedTeam'),
    ),
  },
  responses: { 200: json('The team', teamView), ...refusals, 404: noSuchTeam },
});

const members = createRoute({
  method: 'put',
  path: '/teams/{id}/members',
  tags: ['routing'],
  summary: 'Say who is in a team',
  description: 'The whole list: whoever is not named is out. An agent may be in several teams.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .object({
          agent_ids: z
            .array(z.string().min(1).max(64))
            .max(MEMBERS_MAX)
            .openapi({ description: 'All of its members from now on' }),
        })
        .openapi('TeamMembers'),
    ),
  },
  responses: { 200: json('The team', teamView), ...refusals, 404: noSuchTeam },
});

const remove = createRoute({
  method: 'delete',
  path: '/teams/{id}',
  tags: ['routing'],
  summary: 'Delete a team',
  security: bearer,
  request: { params },
  responses: {
    204: { description: 'The team is deleted' },
    ...refusals,
    404: noSuchTeam,
    409: problemContent('The rules use it; `path` says where'),
  },
});

export function teamRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const { id, name, wrap_up_s } = c.req.valid('json');
    const team = { id, name, wrapUpS: wrap_up_s, createdAtMs: services.now() };
    if (!(await services.teams.add(team)))
      throw new Problem('conflict', 'There is a team with this id');
    await services.switchboard().peopleChanged();
    return c.json(view({ ...team, agentIds: [] }), 201);
  });
  app.openapi(list, async (c) => {
    const teams = await services.teams.list();
    return c.json({ data: teams.map(view) }, 200);
  });
  app.openapi(show, async (c) => c.json(view(await find(services, c.req.valid('param').id)), 200));
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const { name, wrap_up_s } = c.req.valid('json');
    await services.teams.change(id, {
      ...(name === undefined ? {} : { name }),
      ...(wrap_up_s === undefined ? {} : { wrapUpS: wrap_up_s }),
    });
    await services.switchboard().peopleChanged();
    return c.json(view(await find(services, id)), 200);
  });
  app.openapi(members, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    await find(services, id);
    await setMembers(services, id, c.req.valid('json').agent_ids);
    return c.json(view(await find(services, id)), 200);
  });
  app.openapi(remove, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    await find(services, id);
    await deleteTeam(services, id);
    return c.body(null, 204);
  });
  return app;
}

/** @throws Problem `not-found` */
async function find(services: Services, id: string): Promise<Team> {
  const team = await services.teams.find(id);
  if (!team) throw new Problem('not-found', 'There is no team with this id');
  return team;
}

const view = (team: Team): z.infer<typeof teamView> => ({
  id: team.id,
  name: team.name,
  wrap_up_s: team.wrapUpS,
  agent_ids: [...team.agentIds],
  created_at: iso(team.createdAtMs),
});
