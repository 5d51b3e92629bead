// `/v1/calls`: the record of calls, and what people do to them.
import { createRoute, z } from '@hono/zod-openapi';
import { callDetailsView, callView, viewOfDetails } from '../call-view.ts';
import type { PageEnd } from '../adapters/call-reader-d1.ts';
import { CALL_STATES } from '../domain/call.ts';
import type { CallId } from '../domain/ids.ts';
import { claimCall, endCall, findCall, joinCall } from '../handlers/command-call.ts';
import { sightOf } from '../principal.ts';
import type { Services } from '../services.ts';
import { agentOf } from './acting-agent.ts';
import { pageOf, pageQuery } from './paging.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';
import { seatView } from './start-call-route.ts';

const shownState = z.enum(CALL_STATES).exclude(['tombstone']);
const id = z.object({ id: z.string().min(1).max(64) });

const list = createRoute({
  method: 'get',
  path: '/calls',
  tags: ['calls'],
  summary: 'List calls, newest first',
  security: bearer,
  request: {
    query: z.object({
      state: z
        .string()
        .transform((value) => value.split(','))
        .pipe(z.array(shownState))
        .optional()
        .openapi({ type: 'string', description: 'One or more states, comma-separated' }),
      follow_up: z
        .enum(['open', 'done'], 'open or done')
        .optional()
        .openapi({ description: '`open`: somebody should get back to the caller, and nobody has' }),
      team_id: z.string().min(1).max(64).optional(),
      agent_id: z.string().min(1).max(64).optional().openapi({ description: 'Who has or had it' }),
      ...pageQuery,
    }),
  },
  responses: {
    200: json('A page of calls', pageOf(callView)),
    ...refusals,
  },
});

const show = createRoute({
  method: 'get',
  path: '/calls/{id}',
  tags: ['calls'],
  summary: 'One call with its timeline, and why it ended as it did',
  security: bearer,
  request: { params: id },
  responses: {
    200: json('The call', callDetailsView),
    ...refusals,
    404: problemContent('There is no such call'),
  },
});

const claim = createRoute({
  method: 'post',
  path: '/calls/{id}/claim',
  tags: ['calls'],
  summary: 'Answer a ringing call',
  description:
    'One agent wins. Join the room with any LiveKit client and publish a microphone track; the caller is connected once you ' +
    'can hear and be heard. Repeating it as the winner gives a fresh token. With the key of no person, an admin names the agent in `agent_id`.',
  security: bearer,
  request: {
    params: id,
    query: z.object({
      agent_id: z.string().max(64).optional().openapi({ description: 'For the role admin only' }),
    }),
  },
  responses: {
    200: json('The call is yours', seatView),
    ...refusals,
    404: problemContent('There is no such call'),
    409: problemContent(
      'Somebody else has it (`claimed_by`), it is over (`outcome`), or does not ring, at least not for you; the `type` says which',
    ),
  },
});

const join = createRoute({
  method: 'post',
  path: '/calls/{id}/join',
  tags: ['calls'],
  summary: 'Join a call whose room is open to every agent',
  description: 'Calls that were placed with `connect: { room: true }`.',
  security: bearer,
  request: claim.request,
  responses: {
    200: json('A seat in the room', seatView),
    ...refusals,
    404: problemContent('There is no such call'),
    409: problemContent('The call is over (`outcome`), or is answered by claiming it'),
  },
});

const end = createRoute({
  method: 'post',
  path: '/calls/{id}/end',
  tags: ['calls'],
  summary: 'Reject a ringing call, hang up a connected one',
  description:
    'Harmless when the call is over. An agent may end calls that ring or that they have.',
  security: bearer,
  request: { params: id },
  responses: {
    200: json('The call as it is now', callView),
    ...refusals,
    404: problemContent('There is no such call'),
  },
});

export function callRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    const { state, follow_up, team_id, agent_id, limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    const filter = {
      states: state,
      followUp: follow_up,
      teamId: team_id,
      agentId: agent_id,
      after,
    };
    const page = await services.calls.list(filter, sightOf(c.var.principal), limit);
    return c.json({ data: page.calls, next_cursor: page.next && writeCursor(page.next) }, 200);
  });
  app.openapi(show, async (c) => {
    const found = await findCall(services, c.req.valid('param').id as CallId, c.var.principal);
    return c.json(viewOfDetails(found.call, found.timeline), 200);
  });
  app.openapi(claim, async (c) => {
    const agent = await agentOf(services, c.var.principal, c.req.valid('query').agent_id);
    const id = c.req.valid('param').id as CallId;
    return c.json(await claimCall(services, id, agent, c.var.principal), 200);
  });
  app.openapi(join, async (c) => {
    const agent = await agentOf(services, c.var.principal, c.req.valid('query').agent_id);
    const id = c.req.valid('param').id as CallId;
    return c.json(await joinCall(services, id, agent, c.var.principal), 200);
  });
  app.openapi(end, async (c) => {
    const id = c.req.valid('param').id as CallId;
    return c.json(await endCall(services, id, c.var.principal), 200);
  });
  return app;
}

const writeCursor = (end: PageEnd): string => btoa(`${end.createdAtMs}:${end.id}`);

function parseCursor(cursor: string): PageEnd {
  const match = /^(\d{1,15}):(.{1,64})$/.exec(decode(cursor));
  if (!match) {
    const field = { field: 'cursor', expected: '`next_cursor` of an earlier page' };
    throw new Problem('invalid-request', field.expected, { errors: [field] });
  }
  return { createdAtMs: Number(match[1]), id: match[2] ?? '' };
}

function decode(cursor: string): string {
  try {
    return atob(cursor);
  } catch {
    return '';
  }
}
