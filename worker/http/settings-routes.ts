// `/v1/settings`: what holds for the whole deployment and is changed while it runs.
import { createRoute, z } from '@hono/zod-openapi';
import { NUMBER_MASKINGS } from '../domain/masking.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const numberMasking = z.enum(NUMBER_MASKINGS, `one of ${NUMBER_MASKINGS.join(', ')}`).openapi({
  description:
    "Who is shown users' phone numbers as `***********0001` only, in answers, events and names; unless it is `none`, rooms do " +
    'not tell them at all. Webhooks to your own endpoints do',
});
const settingsView = z.object({ number_masking: numberMasking }).openapi('Settings');

const show = createRoute({
  method: 'get',
  path: '/settings',
  tags: ['set-up'],
  summary: 'The settings of the deployment',
  security: bearer,
  responses: { 200: json('The settings', settingsView), ...refusals },
});

const change = createRoute({
  method: 'patch',
  path: '/settings',
  tags: ['set-up'],
  summary: 'Change settings of the deployment',
  description: 'They hold at once, for open event streams too; in rooms from the next call on.',
  security: bearer,
  request: body(
    z.strictObject({ number_masking: numberMasking.optional() }).openapi('ChangedSettings'),
  ),
  responses: { 200: json('The settings', settingsView), ...refusals },
});

export function settingsRoutes(services: Services) {
  const app = newRoutes();
  const read = async (): Promise<z.infer<typeof settingsView>> => {
    const { numberMasking: number_masking } = await services.settings.read();
    return { number_masking };
  };
  app.openapi(show, async (c) => {
    requireAdmin(c.var.principal);
    return c.json(await read(), 200);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const { number_masking: masking } = c.req.valid('json');
    if (masking !== undefined) {
      await services.settings.setNumberMasking(masking);
      await services.switchboard().peopleChanged();
    }
    return c.json(await read(), 200);
  });
  return app;
}
