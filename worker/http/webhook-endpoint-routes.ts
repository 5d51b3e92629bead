// `/v1/webhooks`: endpoints of users that events are sent to.
import { createRoute, z } from '@hono/zod-openapi';
import { seal } from '../adapters/sealed-secret.ts';
import { newSigningSecret } from '../adapters/signed-request.ts';
import type { WebhookEndpoint } from '../adapters/webhook-store-d1.ts';
import { callView, iso } from '../call-view.ts';
import { ADDRESS_CHARS_MAX, refusalOfAddress } from '../domain/outside-address.ts';
import { PUBLIC_EVENTS, type PublicEvent } from '../domain/public-event.ts';
import { DISABLED_BECAUSE, PREVIOUS_SECRET_MS } from '../domain/webhook-delivery.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';

import { invalidField, Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

/** Each costs a row an event, and a request. */
const ENDPOINTS_MAX = 20;

export const endpointId = z.object({ id: z.string().min(1).max(64) });
export const noSuchEndpoint = problemContent('There is no such endpoint');

export const eventType = z.enum(Object.keys(PUBLIC_EVENTS) as [PublicEvent, ...PublicEvent[]]);
const meanings = Object.entries(PUBLIC_EVENTS).map(
  ([type, meaning]) => `- \`${type}\`: ${meaning}`,
);

const url = z.string().max(ADDRESS_CHARS_MAX).openapi({
  description: 'https://, a name in the public DNS, port 443',
  example: 'https://crm.example.com/roomline',
});
const events = z
  .array(eventType)
  .min(1, 'at least one type of events')
  .max(meanings.length)
  .nullable()
  .openapi({
    description: `Types that are sent there; null for all, also for those that come with later versions:\n${meanings.join('\n')}`,
  });

const time = z.iso.datetime();
const endpointView = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(eventType).nullable().openapi({ description: 'Null: all' }),
    enabled: z.boolean(),
    disabled_because: z.enum(DISABLED_BECAUSE).nullable().openapi({
      description:
        '`by-hand`; `failing`: every attempt failed for 5 days; `gone`: it answered 410. Null while it is enabled',
    }),
    disabled_at: time.nullable(),
    failing_since: time.nullable().openapi({
      description: 'Since when every attempt failed; null when the last one did not',
    }),
    previous_secret_until: time.nullable().openapi({
      description: 'Until then the secret before signs as well; null when none does',
    }),
    created_at: time,
  })
  .openapi('WebhookEndpoint');

const secret = z.string().openapi({
  description: 'For any library of Standard Webhooks',
  example: 'whsec_K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDNH/pI4E=',
});

const create = createRoute({
  method: 'post',
  path: '/webhooks',
  tags: ['webhooks'],
  summary: 'Have events sent to an endpoint',
  description:
    'From now on. Signed by the scheme of Standard Webhooks; the secret is shown this once. Any answer but 2xx within 10 s is a ' +
    'failure and is repeated after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 14 h.',
  security: bearer,
  request: body(
    z.strictObject({ url, events: events.default(null) }).openapi('NewWebhookEndpoint'),
  ),
  responses: {
    201: json('The endpoint and its secret', endpointView.extend({ secret })),
    ...refusals,
    409: problemContent(`There are ${ENDPOINTS_MAX} endpoints already`),
  },
});

const list = createRoute({
  method: 'get',
  path: '/webhooks',
  tags: ['webhooks'],
  summary: 'List the endpoints that events are sent to',
  security: bearer,
  responses: {
    200: json('All endpoints, oldest first', z.object({ data: z.array(endpointView) })),
    ...refusals,
  },
});

const show = createRoute({
  method: 'get',
  path: '/webhooks/{id}',
  tags: ['webhooks'],
  summary: 'One endpoint',
  security: bearer,
  request: { params: endpointId },
  responses: { 200: json('The endpoint', endpointView), ...refusals, 404: noSuchEndpoint },
});

const change = createRoute({
  method: 'patch',
  path: '/webhooks/{id}',
  tags: ['webhooks'],
  summary: 'Change an endpoint, switch it off or on',
  description:
    'Members that are left out stay as they are. An endpoint that is switched off gets nothing of what happens meanwhile, and what ' +
    'was on its way is given up; it can be replayed.',
  security: bearer,
  request: {
    params: endpointId,
    ...body(
      z
        .strictObject({
          url: url.optional(),
          events: events.optional(),
          enabled: z.boolean().optional().openapi({ description: 'False: nothing is sent there' }),
        })
        .openapi('WebhookEndpointPatch'),
    ),
  },
  responses: {
    200: json('The endpoint as it is now', endpointView),
    ...refusals,
    404: noSuchEndpoint,
  },
});

const changeSecret = createRoute({
  method: 'post',
  path: '/webhooks/{id}/secret',
  tags: ['webhooks'],
  summary: 'Give an endpoint another secret',
  description:
    'The secret before signs as well for 24 h; the one before that no more. The new one is shown this once.',
  security: bearer,
  request: { params: endpointId },
  responses: {
    200: json('The endpoint and its new secret', endpointView.extend({ secret })),
    ...refusals,
    404: noSuchEndpoint,
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/webhooks/{id}',
  tags: ['webhooks'],
  summary: 'Delete an endpoint with its deliveries',
  security: bearer,
  request: { params: endpointId },
  responses: { 204: { description: 'The endpoint is deleted' }, ...refusals, 404: noSuchEndpoint },
});

/** What endpoints are sent. */
const callEvent = z
  .object({
    type: eventType,
    timestamp: time.openapi({ description: 'When it happened' }),
    data: z.object({
      call: callView,
      detail: z
        .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
        .optional()
        .openapi({ description: 'As in the timeline of the call' }),
    }),
  })
  .openapi('CallEvent', {
    description: '`call` is as it was when the event was taken up, moments after it happened',
  });

export function webhookEndpointRoutes(services: Services) {
  const app = newRoutes();
  app.openAPIRegistry.registerWebhook({
    method: 'post',
    path: 'call-event',
    tags: ['webhooks'],
    summary: 'Something happened in a call',
    description:
      'What `POST /v1/webhooks` has sent to an endpoint, with the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`.',
    request: body(callEvent),
    responses: { 200: { description: 'Any 2xx: the event was taken' } },
  });
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const input = c.req.valid('json');
    checkUrl(services, input.url);
    if ((await services.webhooks.count()) >= ENDPOINTS_MAX) {
      throw new Problem('conflict', `There are ${ENDPOINTS_MAX} endpoints already: delete one`);
    }
    const id = crypto.randomUUID();
    const secret = newSigningSecret();
    const endpoint = await services.webhooks.add({
      id,
      url: input.url,
      events: distinct(input.events),
      secretSealed: await seal(services.config.TOKEN_ENCRYPTION_KEYS, id, secret),
      createdAtMs: services.now(),
    });
    await services.switchboard().endpointEnabled();
    return c.json({ ...view(services, endpoint), secret }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const endpoints = await services.webhooks.list();
    return c.json({ data: endpoints.map((endpoint) => view(services, endpoint)) }, 200);
  });
  app.openapi(show, async (c) => {
    requireAdmin(c.var.principal);
    return c.json(view(services, await findEndpoint(services, c.req.valid('param').id)), 200);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const { url, events, enabled } = c.req.valid('json');
    if (url !== undefined) checkUrl(services, url);
    await findEndpoint(services, id);
    await services.webhooks.change(id, {
      ...(url === undefined ? {} : { url }),
      ...(events === undefined ? {} : { events: distinct(events) }),
    });
    if (enabled === false) await services.webhooks.disable(id, 'by-hand', services.now());
    if (enabled === true) {
      await services.webhooks.enable(id);
      await services.switchboard().endpointEnabled();
    }
    return c.json(view(services, await findEndpoint(services, id)), 200);
  });
  app.openapi(changeSecret, async (c) => {
    requireAdmin(c.var.principal);
    const { id } = c.req.valid('param');
    const secret = newSigningSecret();
    const sealed = await seal(services.config.TOKEN_ENCRYPTION_KEYS, id, secret);
    const untilMs = services.now() + PREVIOUS_SECRET_MS;
    if (!(await services.webhooks.changeSecret(id, sealed, untilMs))) throw notThere();
    return c.json({ ...view(services, await findEndpoint(services, id)), secret }, 200);
  });
  app.openapi(remove, async (c) => {
    requireAdmin(c.var.principal);
    const isRemoved = await services.webhooks.remove(c.req.valid('param').id, services.now());
    if (!isRemoved) throw notThere();
    return c.body(null, 204);
  });
  return app;
}

const distinct = <T>(values: readonly T[] | null): T[] | null => values && [...new Set(values)];

const notThere = (): Problem => new Problem('not-found', 'There is no endpoint with this id');

/** @throws Problem `not-found` */
export async function findEndpoint({ webhooks }: Services, id: string): Promise<WebhookEndpoint> {
  const endpoint = await webhooks.find(id);
  if (!endpoint) throw notThere();
  return endpoint;
}

/** @throws Problem `invalid-request` */
function checkUrl({ config }: Services, text: string): void {
  const refusal = refusalOfAddress(text, config.ALLOW_LOOPBACK);
  if (refusal !== null) throw invalidField('url', refusal);
}

const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

function view({ now }: Services, endpoint: WebhookEndpoint): z.infer<typeof endpointView> {
  const { previousUntilMs } = endpoint;
  const isPreviousValid = previousUntilMs !== null && now() < previousUntilMs;
  return {
    id: endpoint.id,
    url: endpoint.url,
    events: endpoint.events && [...endpoint.events],
    enabled: endpoint.disabledAtMs === null,
    disabled_because: endpoint.disabledBecause,
    disabled_at: isoOrNull(endpoint.disabledAtMs),
    failing_since: isoOrNull(endpoint.failingSinceMs),
    previous_secret_until: isPreviousValid ? iso(previousUntilMs) : null,
    created_at: iso(endpoint.createdAtMs),
  };
}
