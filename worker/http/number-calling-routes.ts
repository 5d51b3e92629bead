// `/v1/numbers/:id/calling`: how the provider treats calls of a number. `/v1/numbers/:id/doctor`: whether calls can work at all.
import { createRoute, z } from '@hono/zod-openapi';
import { iso } from '../call-view.ts';
import { callingPatch } from '../domain/calling.ts';
import { hoursSchema } from '../domain/calling-hours.ts';
import { CHECK_NAMES } from '../domain/finding.ts';
import type { NumberId } from '../domain/ids.ts';
import { directionsOf } from '../domain/restriction.ts';
import { changeCalling, readCalling, type Calling } from '../handlers/calling-settings.ts';
import { examineNumber } from '../handlers/examine-number.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { noSuchNumber, numberId } from './number-routes.ts';
import { webhookUrl } from './number-view.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const callingView = z
  .object({
    enabled: z.boolean(),
    icon: z.enum(['shown', 'hidden']),
    countries: z.array(z.string()).openapi({ description: 'Who sees the icon; empty for all' }),
    callback_permission: z.boolean(),
    hours: hoursSchema.nullable().openapi({ description: 'Null: around the clock' }),
    sip: z.object({
      enabled: z.boolean(),
      servers: z.array(z.string()),
      explanation: z.string().nullable(),
    }),
    restrictions: z.array(
      z.object({
        type: z.string(),
        inbound: z.boolean(),
        outbound: z.boolean(),
        reason: z.string().nullable(),
        until: z.iso.datetime().nullable(),
      }),
    ),
  })
  .openapi('Calling');

const upstream = {
  502: problemContent('The provider refused or did not answer; `provider.code` is its error code'),
};

const show = createRoute({
  method: 'get',
  path: '/numbers/{id}/calling',
  tags: ['numbers'],
  summary: 'Calling settings of a number, as the provider has them now',
  security: bearer,
  request: { params: numberId },
  responses: { 200: json('Settings', callingView), ...refusals, 404: noSuchNumber, ...upstream },
});

const change = createRoute({
  method: 'patch',
  path: '/numbers/{id}/calling',
  tags: ['numbers'],
  summary: 'Change the calling settings of a number',
  description:
    'Members that are left out stay as they are. `hours` are replaced as a whole, holidays included; null opens around the ' +
    'clock. Phones may show changes up to 7 days late; the provider enforces them at once.',
  security: bearer,
  request: { params: numberId, ...body(callingPatch.openapi('CallingPatch')) },
  responses: {
    200: json('Settings as they are now', callingView),
    ...refusals,
    404: noSuchNumber,
    ...upstream,
  },
});

const doctor = createRoute({
  method: 'get',
  path: '/numbers/{id}/doctor',
  tags: ['numbers'],
  summary: 'Check everything that calls of a number need',
  security: bearer,
  request: { params: numberId },
  responses: {
    200: json(
      'What was found, one row a check',
      z
        .object({
          data: z.array(
            z.object({
              check: z.enum(CHECK_NAMES),
              status: z.enum(['ok', 'problem', 'cannot_tell']),
              why: z.string(),
              remedy: z.string().nullable(),
            }),
          ),
        })
        .openapi('Examination'),
    ),
    ...refusals,
    404: noSuchNumber,
  },
});

export function numberCallingRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(show, async (c) => {
    requireAdmin(c.var.principal);
    return c.json(view(await readCalling(services, c.req.valid('param').id as NumberId)), 200);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const id = c.req.valid('param').id as NumberId;
    return c.json(view(await changeCalling(services, id, c.req.valid('json'))), 200);
  });
  app.openapi(doctor, async (c) => {
    requireAdmin(c.var.principal);
    const id = c.req.valid('param').id as NumberId;
    const data = await examineNumber(services, id, (number) => webhookUrl(number, c.req.url));
    return c.json({ data }, 200);
  });
  return app;
}

const view = ({ view, restrictions }: Calling): z.infer<typeof callingView> => ({
  ...view,
  restrictions: restrictions.map(({ type, reason, until_ms }) => ({
    type,
    ...directionsOf(type),
    reason: reason ?? null,
    until: until_ms === undefined ? null : iso(until_ms),
  })),
});
