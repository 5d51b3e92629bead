// `/v1/forwards`: webhook bodies on their way to somebody else, and those that were given up.
import { createRoute, z } from '@hono/zod-openapi';
import type { ForwardSummary } from '../adapters/forward-store-d1.ts';
import { iso } from '../call-view.ts';
import { retryForward } from '../handlers/forward-webhook.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { pageOf, pageQuery } from './paging.ts';
import { invalidField, Problem, problemContent } from './problems.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';
import { orNull } from '../or-null.ts';

const forwardView = z
  .object({
    id: z.string(),
    url: z.string(),
    body_bytes: z.int(),
    attempts: z.int(),
    is_dead: z.boolean().openapi({ description: 'Given up after 24 h; forgotten after 7 days' }),
    next_attempt_at: z.iso.datetime().nullable(),
    last_error: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('Forward');

const list = createRoute({
  method: 'get',
  path: '/forwards',
  tags: ['forwarding'],
  summary: 'Webhooks that were not passed on yet, newest first',
  security: bearer,
  request: {
    query: z.object({
      dead: z
        .enum(['true', 'false'], 'true for those given up, false for those still being tried')
        .optional()
        .openapi({ description: '`true`: those given up; `false`: those still being tried' }),
      ...pageQuery,
    }),
  },
  responses: {
    200: json('A page of webhooks', pageOf(forwardView)),
    ...refusals,
  },
});

const retry = createRoute({
  method: 'post',
  path: '/forwards/{id}/retry',
  tags: ['forwarding'],
  summary: 'Pass a webhook on now',
  security: bearer,
  request: {
    params: z.object({ id: z.string().regex(/^\d{1,15}$/, 'the `id` of a webhook') }),
  },
  responses: {
    200: json(
      'What became of it; `forward` is null once it was delivered',
      z.object({ is_delivered: z.boolean(), forward: orNull(forwardView) }),
    ),
    ...refusals,
    404: problemContent('There is no such webhook, or it was delivered meanwhile'),
  },
});

export function forwardRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const { dead, limit, cursor } = c.req.valid('query');
    const filter = {
      isDead: dead === undefined ? undefined : dead === 'true',
      beforeId: cursor === undefined ? undefined : idOf(cursor),
    };
    // One more than asked for tells whether there is another page.
    const rows = await services.forwards.list(filter, limit + 1);
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return c.json({ data: page.map(view), next_cursor: last ? String(last.id) : null }, 200);
  });
  app.openapi(retry, async (c) => {
    requireAdmin(c.var.principal);
    const id = Number(c.req.valid('param').id);
    if (!(await retryForward(services, id))) {
      throw new Problem('not-found', 'There is no webhook with this id left to pass on');
    }
    const left = await services.forwards.show(id);
    return c.json({ is_delivered: left === null, forward: left && view(left) }, 200);
  });
  return app;
}

function idOf(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw invalidField('cursor', '`next_cursor` of an earlier page');
  return Number(cursor);
}

const view = (forward: ForwardSummary): z.infer<typeof forwardView> => ({
  id: String(forward.id),
  url: forward.url,
  body_bytes: forward.bodyBytes,
  attempts: forward.attempts,
  is_dead: forward.nextAtMs === null,
  next_attempt_at: forward.nextAtMs === null ? null : iso(forward.nextAtMs),
  last_error: forward.lastError,
  created_at: iso(forward.createdAtMs),
});
