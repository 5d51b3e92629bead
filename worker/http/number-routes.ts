// `/v1/numbers`: the business numbers.
import { createRoute, z } from '@hono/zod-openapi';
import { seal } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import type { NumberId } from '../domain/ids.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';
import { requireAdmin } from './authentication.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const numberView = z
  .object({
    id: z.string(),
    provider: z.enum(['meta']),
    phone_number_id: z.string(),
    display_phone_number: z.string(),
    api_base_url: z.string().nullable(),
    created_at: z.iso.datetime(),
  })
  .openapi('Number');

const newNumber = z
  .object({
    provider: z.enum(['meta']),
    phone_number_id: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'the phone number id of the provider, 1 to 64 letters and digits')
      .openapi({ example: '106540352242922' }),
    display_phone_number: z
      .string()
      .transform((value) => value.replaceAll(/[\s()+.-]/g, ''))
      .pipe(
        z.string().regex(/^\d{1,15}$/, 'a phone number with its country code, at most 15 digits'),
      )
      .openapi({ example: '+351 21 000 0000' }),
    access_token: z
      .string()
      .trim()
      .min(1, 'the access token with which the provider is called')
      .max(4096)
      .openapi({ description: 'Stored encrypted, never shown again' }),
    api_base_url: z
      .url({ protocol: /^https?$/, error: 'an http(s) URL' })
      .transform((value) => value.replace(/\/+$/, ''))
      .optional()
      .openapi({ description: "Replaces the provider's own address" }),
  })
  .openapi('NewNumber');

const create = createRoute({
  method: 'post',
  path: '/numbers',
  tags: ['set-up'],
  summary: 'Register a business number',
  security: bearer,
  request: body(newNumber),
  responses: {
    201: json('The number is registered', numberView),
    ...refusals,
    409: problemContent('A number with this `phone_number_id` is registered already'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/numbers',
  tags: ['set-up'],
  summary: 'List the business numbers',
  security: bearer,
  responses: { 200: json('All numbers', z.object({ data: z.array(numberView) })), ...refusals },
});

export function numberRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const input = c.req.valid('json');
    const number: BusinessNumber = {
      id: crypto.randomUUID() as NumberId,
      provider: input.provider,
      phoneNumberId: input.phone_number_id,
      displayPhoneNumber: input.display_phone_number,
      apiBaseUrl: input.api_base_url ?? null,
      createdAtMs: services.now(),
    };
    const sealed = await seal(services.config.TOKEN_ENCRYPTION_KEYS, number.id, input.access_token);
    if (!(await services.directory.addNumber(number, sealed))) {
      throw new Problem('conflict', 'A number with this `phone_number_id` is registered already');
    }
    return c.json(view(number), 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    return c.json({ data: (await services.directory.numbers()).map(view) }, 200);
  });
  return app;
}

const view = (number: BusinessNumber): z.infer<typeof numberView> => ({
  id: number.id,
  provider: number.provider,
  phone_number_id: number.phoneNumberId,
  display_phone_number: number.displayPhoneNumber,
  api_base_url: number.apiBaseUrl,
  created_at: iso(number.createdAtMs),
});
