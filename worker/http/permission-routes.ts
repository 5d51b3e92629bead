// `/v1/contacts/:id/permission`: whether a contact may be called from a number, and asking them for it.
import { createRoute, z } from '@hono/zod-openapi';
import type { NumberId } from '../domain/ids.ts';
import { askPermission } from '../handlers/ask-permission.ts';
import { readPermission } from '../handlers/read-permission.ts';
import type { Services } from '../services.ts';
import { findContact } from './contact-routes.ts';
import { askProblem, permissionView, viewOfPermission } from './permission-view.ts';
import { invalidField, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const id = z.object({ id: z.string().min(1).max(64) });
const numberId = z.string().min(1).max(64).openapi({ description: 'The number that would call' });

const show = createRoute({
  method: 'get',
  path: '/contacts/{id}/permission',
  tags: ['contacts'],
  summary: 'May this contact be called, or asked for permission?',
  description:
    'Asks the provider at most once a minute and adds what webhooks and calls have told since. When the provider does not answer, ' +
    'what is known is returned and `stale` says why.',
  security: bearer,
  request: { params: id, query: z.object({ number_id: numberId }) },
  responses: {
    200: json('What is known', permissionView),
    ...refusals,
    404: problemContent('There is no such contact'),
  },
});

const ask = createRoute({
  method: 'post',
  path: '/contacts/{id}/permission-request',
  tags: ['contacts'],
  summary: 'Ask a contact for permission to call them',
  description:
    'Sent free-form while the contact has written or called within 24 h, by the named template otherwise. The provider allows one ' +
    'request in 24 h and two in 7 days.',
  security: bearer,
  request: {
    params: id,
    ...body(
      z
        .object({
          number_id: numberId,
          text: z
            .string()
            .trim()
            .min(1, 'a text of 1 to 1024 characters')
            .max(1024, 'a text of 1 to 1024 characters')
            .optional()
            .openapi({ example: 'May we call you about your order?' }),
          template: z
            .object({
              name: z.string().regex(/^[a-z0-9_]{1,512}$/, 'small letters, digits, underscores'),
              language: z.string().regex(/^[A-Za-z_]{2,10}$/, 'a language code such as pt_PT'),
              parameters: z
                .array(z.string().min(1).max(1024))
                .max(20)
                .default([])
                .openapi({ description: 'Of its body, in order' }),
            })
            .optional()
            .openapi({ description: 'Used when free-form is over, or when there is no `text`' }),
        })
        .openapi('PermissionRequest'),
    ),
  },
  responses: {
    201: json(
      'The request was sent',
      z.object({
        message_id: z.string().openapi({ description: 'What the answer refers to' }),
        form: z.enum(['text', 'template']),
        permission: permissionView,
      }),
    ),
    ...refusals,
    404: problemContent('There is no such contact'),
    409: problemContent('Not now (`reason`, `retry_at`), or a template is needed (`window_until`)'),
    422: problemContent('The provider refused it (`provider_code`, `remedy`)'),
    502: problemContent('The provider did not answer, or cannot be used now'),
  },
});

export function permissionRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(show, async (c) => {
    const number = c.req.valid('query').number_id as NumberId;
    const contact = await findContact(services, c.req.valid('param').id, c.var.principal);
    const known = await readPermission(services, number, contact);
    if (!known) throw invalidField('number_id', 'the id of a registered number');
    const key = { numberId: number, contactId: contact.id };
    return c.json(viewOfPermission(key, known, services.now()), 200);
  });
  app.openapi(ask, async (c) => {
    const { number_id, text, template } = c.req.valid('json');
    const number = number_id as NumberId;
    const contact = await findContact(services, c.req.valid('param').id, c.var.principal);
    const asked = await askPermission(services, number, contact.id, { text, template });
    if (asked.result !== 'sent') throw askProblem(asked);
    const key = { numberId: number, contactId: contact.id };
    const known = { ledger: asked.ledger, stale: null };
    const permission = viewOfPermission(key, known, services.now());
    return c.json({ message_id: asked.messageId, form: asked.form, permission }, 201);
  });
  return app;
}
