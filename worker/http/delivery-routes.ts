// `/v1/webhooks/:id/deliveries`: what was sent to an endpoint, what is on its way, and sending it once more.
import { createRoute, z } from '@hono/zod-openapi';
import { DELIVERY_STATUSES, statusOf, type Delivery } from '../adapters/delivery-store-d1.ts';
import { iso } from '../call-view.ts';
import { replayDelivery } from '../handlers/deliver-events.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';

import { pageOf, pageQuery } from './paging.ts';
import { invalidField, Problem, problemContent } from './problems.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';
import { endpointId, eventType, findEndpoint, noSuchEndpoint } from './webhook-endpoint-routes.ts';

const time = z.iso.datetime();
const deliveryView = z
  .object({
    id: z.string(),
    webhook_id: z.string().openapi({
      description: 'The header `webhook-id` of every attempt; numbers grow with the events',
      example: 'evt_4711',
    }),
    type: eventType,
    call_id: z.string(),
    status: z.enum(DELIVERY_STATUSES).openapi({ description: '`failed`: given up' }),
    attempts: z.int(),
    next_attempt_at: time.nullable().openapi({ description: 'Null unless it is `pending`' }),
    delivered_at: time.nullable(),
    last_status: z.int().nullable().openapi({
      description: 'HTTP status of the last attempt; null when there was no reply, or no attempt',
    }),
    last_error: z.string().nullable(),
    created_at: time,
  })
  .openapi('WebhookDelivery');

const list = createRoute({
  method: 'get',
  path: '/webhooks/{id}/deliveries',
  tags: ['webhooks'],
  summary: 'What was sent to an endpoint and what is on its way, newest event first',
  description: 'Kept for 30 days.',
  security: bearer,
  request: {
    params: endpointId,
    query: z.object({
      status: z
        .enum(DELIVERY_STATUSES, DELIVERY_STATUSES.join(', '))
        .optional()
        .openapi({ description: 'Only those; `failed`: given up' }),
      ...pageQuery,
    }),
  },
  responses: {
    200: json('A page of deliveries', pageOf(deliveryView)),
    ...refusals,
    404: noSuchEndpoint,
  },
});

const replay = createRoute({
  method: 'post',
  path: '/webhooks/deliveries/{id}/replay',
  tags: ['webhooks'],
  summary: 'Send an event once more',
  description:
    'Now, with the same `webhook-id`, whether it has arrived or was given up. What is still to be tried by schedule stays so.',
  security: bearer,
  request: {
    params: z.object({ id: z.string().regex(/^\d{1,15}$/, 'the `id` of a delivery') }),
  },
  responses: {
    200: json('What became of it', z.object({ is_delivered: z.boolean(), delivery: deliveryView })),
    ...refusals,
    404: problemContent('There is no such delivery'),
    409: problemContent('The endpoint is switched off'),
  },
});

export function deliveryRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const { status, limit, cursor } = c.req.valid('query');
    const { id } = await findEndpoint(services, c.req.valid('param').id);
    const beforeEventId = cursor === undefined ? undefined : eventIdOf(cursor);
    // One more than asked for tells whether there is another page.
    const rows = await services.deliveries.list(id, { status, beforeEventId }, limit + 1);
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return c.json({ data: page.map(view), next_cursor: last ? String(last.eventId) : null }, 200);
  });
  app.openapi(replay, async (c) => {
    requireAdmin(c.var.principal);
    const delivery = await findDelivery(services, Number(c.req.valid('param').id));
    const endpoint = await findEndpoint(services, delivery.endpointId);
    if (endpoint.disabledAtMs !== null) {
      throw new Problem('conflict', 'The endpoint is switched off: enable it first');
    }
    const isDelivered = await replayDelivery(services, endpoint, delivery);
    const after = await findDelivery(services, delivery.id);
    return c.json({ is_delivered: isDelivered, delivery: view(after) }, 200);
  });
  return app;
}

/** @throws Problem `not-found` */
async function findDelivery({ deliveries }: Services, id: number): Promise<Delivery> {
  const delivery = await deliveries.find(id);
  if (!delivery) throw new Problem('not-found', 'There is no delivery with this id');
  return delivery;
}

function eventIdOf(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw invalidField('cursor', '`next_cursor` of an earlier page');
  return Number(cursor);
}

const view = (delivery: Delivery): z.infer<typeof deliveryView> => ({
  id: String(delivery.id),
  webhook_id: `evt_${delivery.eventId}`,
  type: delivery.type,
  call_id: delivery.callId,
  status: statusOf(delivery),
  attempts: delivery.attempts,
  next_attempt_at:
    delivery.nextAtMs === null ? null : iso(Math.max(delivery.nextAtMs, delivery.createdAtMs)),
  delivered_at: delivery.deliveredAtMs === null ? null : iso(delivery.deliveredAtMs),
  last_status: delivery.lastStatus,
  last_error: delivery.lastError,
  created_at: iso(delivery.createdAtMs),
});
