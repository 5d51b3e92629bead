// `/v1/audit`: who changed what.
import { createRoute, z } from '@hono/zod-openapi';
import type { StoredAuditEntry } from '../adapters/audit-store-d1.ts';
import { iso } from '../call-view.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { pageOf, pageQuery } from './paging.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';

const entryView = z
  .object({
    id: z.int(),
    at: z.iso.datetime(),
    actor: z.string().openapi({
      description: '`admin` for `ADMIN_API_KEY`, else the id of an agent or of a key of a program',
    }),
    action: z.string().openapi({ example: 'POST /v1/calls/:id/hold' }),
    target: z.string().nullable().openapi({ description: 'The id in the path' }),
    status: z.int().openapi({ description: 'HTTP status of the answer' }),
  })
  .openapi('AuditEntry');

const list = createRoute({
  method: 'get',
  path: '/audit',
  tags: ['set-up'],
  summary: 'Who changed what, newest first',
  description:
    'One entry for every request that was let in and is no `GET`, also for those that were refused then. What the request said ' +
    'is not kept. Entries are deleted after 400 days.',
  security: bearer,
  request: {
    query: z.object({
      target: z.string().min(1).max(64).optional().openapi({ description: 'An id of anything' }),
      actor: z.string().min(1).max(64).optional().openapi({ description: 'As in the entries' }),
      after: z.iso
        .datetime({ offset: true, error: 'a time such as 2026-07-01T00:00:00Z' })
        .transform((value) => Date.parse(value))
        .optional()
        .openapi({ type: 'string', format: 'date-time', description: 'Only from then on' }),
      ...pageQuery,
      cursor: z
        .string()
        .regex(/^\d{1,15}$/, '`next_cursor` of an earlier page')
        .transform(Number)
        .optional()
        .openapi({ type: 'string', description: '`next_cursor` of the page before' }),
    }),
  },
  responses: { 200: json('A page of entries', pageOf(entryView)), ...refusals },
});

export function auditRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const { target, actor, after, limit, cursor } = c.req.valid('query');
    const filter = { target, actor, afterMs: after, before: cursor };
    const page = await services.audit.list(filter, limit);
    const next = page.next === null ? null : String(page.next);
    return c.json({ data: page.entries.map(view), next_cursor: next }, 200);
  });
  return app;
}

const view = ({ id, atMs, actor, action, target, status }: StoredAuditEntry) => ({
  id,
  at: iso(atMs),
  actor,
  action,
  target,
  status,
});
