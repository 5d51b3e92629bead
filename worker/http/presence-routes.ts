// `/v1/agents/.../presence`: who is at work.
import { createRoute, z } from '@hono/zod-openapi';
import { DUTIES, PRESENCES } from '../domain/roster.ts';
import type { PresenceView } from '../front-desk.ts';
import { presencesFor, setPresence } from '../handlers/set-presence.ts';
import { requirePerson, requireRole } from '../principal.ts';
import type { Services } from '../services.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const presenceView = z
  .object({
    agent_id: z.string(),
    name: z.string(),
    teams: z.array(z.string()).openapi({ description: 'Ids of their teams' }),
    is_ai: z.boolean(),
    presence: z.enum(PRESENCES).openapi({
      description:
        'Calls ring for those who are `available`. `offline`: no client of theirs listens to `GET /v1/events`; `wrap-up`: they ' +
        'finish the work of their last call',
    }),
    calls: z.int().openapi({ description: 'How many calls they have or are rung for' }),
  })
  .openapi('Presence');

const duty = body(
  z
    .object({
      status: z.enum(DUTIES, `one of ${DUTIES.join(', ')}`).openapi({
        description: '`available` ends after-call work, too; `away`: no call rings',
      }),
    })
    .openapi('NewPresence'),
);

const list = createRoute({
  method: 'get',
  path: '/agents/presence',
  tags: ['routing'],
  summary: 'Who is at work',
  description: 'Changes come as `presence` with `GET /v1/events`.',
  security: bearer,
  responses: {
    200: json('Everybody whom you may see', z.object({ data: z.array(presenceView) })),
    ...refusals,
  },
});

const setOwn = createRoute({
  method: 'put',
  path: '/agents/me/presence',
  tags: ['routing'],
  summary: 'Say that you are there, or away',
  security: bearer,
  request: duty,
  responses: { 200: json('Your presence', presenceView), ...refusals },
});

const set = createRoute({
  method: 'put',
  path: '/agents/{id}/presence',
  tags: ['routing'],
  summary: 'Say that an agent is there, or away',
  security: bearer,
  request: { params: z.object({ id: z.string().min(1).max(64) }), ...duty },
  responses: {
    200: json('Their presence', presenceView),
    ...refusals,
    404: problemContent('There is no such agent'),
  },
});

export function presenceRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    const presences = await presencesFor(services, c.var.principal);
    return c.json({ data: presences.map(view) }, 200);
  });
  app.openapi(setOwn, async (c) => {
    const { principal } = c.var;
    const { id } = requirePerson(principal);
    const { status } = c.req.valid('json');
    return c.json(view(await setPresence(services, principal, id, status)), 200);
  });
  app.openapi(set, async (c) => {
    const { principal } = c.var;
    requireRole(principal, 'supervisor');
    const { id } = c.req.valid('param');
    const { status } = c.req.valid('json');
    return c.json(view(await setPresence(services, principal, id, status)), 200);
  });
  return app;
}

const view = (presence: PresenceView): z.infer<typeof presenceView> => ({
  ...presence,
  teams: [...presence.teams],
});
