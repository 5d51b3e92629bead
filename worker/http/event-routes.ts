// `GET /v1/events`: what happens, as it happens, over a WebSocket.
import { createRoute, z } from '@hono/zod-openapi';
import type { Services } from '../services.ts';
import { identifyAgain } from './authentication.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, newRoutes, refusals } from './routes.ts';

const events = createRoute({
  method: 'get',
  path: '/events',
  tags: ['calls'],
  summary: 'Subscribe to events (WebSocket)',
  description: [
    'JSON text frames. First `{ "type": "hello", "cursor", "agent_id", "calls", "agents" }` with every call in progress and the',
    'presence of every agent, then one frame per event:',
    '`{ "type": "ring" | "claim" | "call", "id", "at", "event", "call" }`. `ring`: you can claim the call; `claim`: somebody',
    'has it; `call`: anything else. `id` is the cursor: reconnect with `?after=<id>` to get what was missed (at most 500',
    'events; `call` then is the call as it is now). A recording comes minutes after its call: `recording-kept`; by then `contact` is',
    'not told any more. `{ "type": "presence", "id", "at", "agents" }` has the agents whose presence has changed, in the shape of',
    '`GET /v1/agents/presence`; it is not sent again, as `hello` tells all. With `?quality=true`, `{ "type": "quality", "at", "calls": [{ "id", "quality" }] }` tells every 5 s how',
    'connected calls sound so far, in the shape of the `quality` of a call; it has no cursor and is never sent again. Browsers pass the key as a subprotocol:',
    "`new WebSocket(url, ['roomline', 'bearer.' + key])`; where somebody has signed in, none is needed. You are told of calls that you",
    'may see, and once more of one that you see no longer. When teams, your role or settings change what you see, another `hello` says',
    'what there is now.',
  ].join(' '),
  security: bearer,
  request: {
    query: z.object({
      after: z
        .string()
        .regex(/^\d{1,15}$/, 'the `id` of an event')
        .optional()
        .openapi({
          description: '`id` of the last event that was seen: those after it come first',
        }),
      quality: z.literal('true').optional().openapi({
        description: 'Tell how connected calls sound, too',
      }),
    }),
  },
  responses: {
    101: { description: 'The connection speaks WebSocket from here on' },
    ...refusals,
    426: problemContent('The request is not a WebSocket upgrade'),
  },
});

export function eventRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(events, async (c) => {
    if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
      throw new Problem('upgrade-required');
    const { after, quality } = c.req.valid('query');
    const { agent, role, keyHash, untilMs } = c.var.principal;
    const query = new URLSearchParams({
      ...(after === undefined ? {} : { after }),
      ...(quality === undefined ? {} : { quality }),
      role,
      ...(agent ? { agent: agent.id } : {}),
      ...(keyHash === undefined ? {} : { key: keyHash }),
      ...(untilMs === undefined ? {} : { until: String(untilMs) }),
    });
    const url = `https://switchboard/events?${query.toString()}`;
    const response = await services.switchboard().fetch(new Request(url, c.req.raw));
    // It may have been revoked between the check and the connection, which the revocation then did not find.
    if (keyHash !== undefined && !(await identifyAgain(services, c))) {
      await services.switchboard().closeStreams(keyHash);
    }
    return response;
  });
  return app;
}
