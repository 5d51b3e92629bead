// What agents do about calls that they are not in: decline one that rings, get back to those who were missed.
import { createRoute, z } from '@hono/zod-openapi';
import { callView } from '../call-view.ts';
import type { CallId } from '../domain/ids.ts';
import { declineCall, findCall, requireSeen } from '../handlers/command-call.ts';
import type { Services } from '../services.ts';
import { agentOf } from './acting-agent.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const params = z.object({ id: z.string().min(1).max(64) });
const done = z
  .object({ done: z.boolean().openapi({ description: 'False: nobody has yet' }) })
  .openapi('FollowUp');
const noSuchCall = problemContent('There is no such call');

const decline = createRoute({
  method: 'post',
  path: '/calls/{id}/decline',
  tags: ['calls'],
  summary: 'Decline a call that rings for you',
  description:
    'It rings for the next one at once, and never for you again at this step. With a key that is of no person, name the agent in ' +
    '`agent_id`.',
  security: bearer,
  request: {
    params,
    query: z.object({
      agent_id: z.string().max(64).optional().openapi({ description: 'For the role admin only' }),
    }),
  },
  responses: {
    200: json('The call as it is now', callView),
    ...refusals,
    404: noSuchCall,
    409: problemContent('It does not ring for you, or is over (`outcome`)'),
  },
});

const followUp = createRoute({
  method: 'post',
  path: '/calls/{id}/follow-up',
  tags: ['calls'],
  summary: 'Say that somebody got back to the caller',
  description:
    'It goes from the list of `GET /v1/calls?follow_up=open`, or comes back with `done: false`.',
  security: bearer,
  request: { params, ...body(done) },
  responses: {
    200: json('The call', callView),
    ...refusals,
    404: noSuchCall,
    409: problemContent('Nobody needs to get back to this caller: `follow_up` is null'),
  },
});

export function callDeskRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(decline, async (c) => {
    const agent = await agentOf(services, c.var.principal, c.req.valid('query').agent_id);
    const id = c.req.valid('param').id as CallId;
    await requireSeen(services, id, c.var.principal);
    return c.json(await declineCall(services, id, agent), 200);
  });
  app.openapi(followUp, async (c) => {
    const id = c.req.valid('param').id as CallId;
    const { done } = c.req.valid('json');
    await findCall(services, id, c.var.principal);
    if (!(await services.followUps.set(id, done ? services.now() : null)))
      throw new Problem('conflict', 'Nobody needs to get back to this caller');
    return c.json((await findCall(services, id, c.var.principal)).call, 200);
  });
  return app;
}
