// `/v1/contacts`: the people whom calls are made to and taken from.
import { createRoute, z } from '@hono/zod-openapi';
import type { StoredContact } from '../adapters/contact-store-d1.ts';
import { contactView, iso } from '../call-view.ts';
import { identitiesOf, isPhone } from '../domain/contact.ts';
import { addressOf, resolveContact } from '../handlers/contact-of.ts';
import { sightOf, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { pageOf, pageQuery } from './paging.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const TAGS_MAX = 50;

/** Of a user, with what people write between the digits. */
export const phone = z
  .string()
  .transform((value) => value.replaceAll(/[\s()+.-]/g, ''))
  .refine(isPhone, 'a phone number with its country code, at most 15 digits')
  .openapi({ type: 'string', example: '+351 910 000 001' });
const bsuid = z
  .string()
  .trim()
  .min(1, "the provider's id of a user, such as US.1234")
  .max(128, 'at most 128 characters')
  .refine((value) => !isPhone(value), "the provider's id of a user, not a phone number")
  .openapi({ type: 'string', example: 'US.13491208655302741918' });

export const contactRecord = contactView
  .extend({
    bsuid: z.string().nullable().openapi({
      description: "The provider's id of the user; what users without a known number are called by",
    }),
    tags: z.array(z.string()).openapi({ description: 'Rules may ask for them' }),
    created_at: z.iso.datetime(),
  })
  .openapi('ContactRecord');

const create = createRoute({
  method: 'post',
  path: '/contacts',
  tags: ['contacts'],
  summary: 'Add a contact, or find the one that exists',
  description:
    'Idempotent: whoever has the phone number or the id already is returned. Both spellings of Brazilian and Argentine mobile ' +
    'numbers are one contact.',
  security: bearer,
  request: body(
    z
      .object({
        phone: phone.optional(),
        bsuid: bsuid.optional(),
        name: z.string().trim().min(1, 'a name, 1 to 200 characters').max(200).optional(),
      })
      .refine((value) => value.phone !== undefined || value.bsuid !== undefined, {
        path: ['phone'],
        error: 'a phone number, or a `bsuid`',
      })
      .openapi('NewContact'),
  ),
  responses: {
    200: json('The contact existed', contactRecord),
    201: json('The contact is new', contactRecord),
    ...refusals,
  },
});

const list = createRoute({
  method: 'get',
  path: '/contacts',
  tags: ['contacts'],
  summary: 'Find contacts, or list all of them in the order of their ids',
  security: bearer,
  request: {
    query: z.object({
      phone: phone.optional(),
      bsuid: bsuid.optional(),
      ...pageQuery,
    }),
  },
  responses: {
    200: json('A page of contacts', pageOf(contactRecord)),
    ...refusals,
  },
});

const show = createRoute({
  method: 'get',
  path: '/contacts/{id}',
  tags: ['contacts'],
  summary: 'One contact',
  security: bearer,
  request: { params: z.object({ id: z.string().min(1).max(64) }) },
  responses: {
    200: json('The contact', contactRecord),
    ...refusals,
    404: problemContent('There is no such contact'),
  },
});

const change = createRoute({
  method: 'patch',
  path: '/contacts/{id}',
  tags: ['contacts'],
  summary: 'Tag a contact',
  description: 'All tags; those that are not named are gone. Rules ask for them by name.',
  security: bearer,
  request: {
    params: z.object({ id: z.string().min(1).max(64) }),
    ...body(
      z
        .strictObject({
          tags: z
            .array(z.string().trim().min(1, 'a tag, 1 to 64 characters').max(64))
            .max(TAGS_MAX)
            .openapi({ example: ['vip'] }),
        })
        .openapi('ChangedContact'),
    ),
  },
  responses: {
    200: json('The contact', contactRecord),
    ...refusals,
    404: problemContent('There is no such contact'),
  },
});

export function contactRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    const { name, ...known } = c.req.valid('json');
    const contact = await resolveContact(services, identitiesOf(known), name ?? null, '');
    await services.contacts.save(contact, services.now());
    const stored = await services.contacts.find(contact.id);
    if (!stored) throw new Error('a contact that was just saved is not there');
    const isSeen = await mayBeSeen(services, contact.id, c.var.principal);
    // Of somebody whose calls are not theirs they are told no more than they said.
    const shown = isSeen
      ? stored
      : { ...stored, name: name ?? null, identities: contact.identities, tags: [] };
    return contact.isNew ? c.json(view(shown), 201) : c.json(view(shown), 200);
  });
  app.openapi(list, async (c) => {
    const { limit, cursor, ...known } = c.req.valid('query');
    const [identity] = identitiesOf(known);
    const page = await services.contacts.list({ identity, after: cursor }, limit);
    const ids = page.contacts.map(({ id }) => id);
    const seen = await services.calls.contactsSeen(ids, sightOf(c.var.principal));
    const shown = page.contacts.filter(({ id }) => seen.has(id));
    return c.json({ data: shown.map(view), next_cursor: page.next }, 200);
  });
  app.openapi(show, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(view(await findContact(services, id, c.var.principal)), 200);
  });
  app.openapi(change, async (c) => {
    const { id } = c.req.valid('param');
    await findContact(services, id, c.var.principal);
    await services.contacts.setTags(id, c.req.valid('json').tags);
    return c.json(view(await findContact(services, id, c.var.principal)), 200);
  });
  return app;
}

/** @throws Problem `not-found`, also for a contact of whom whoever asks may see no call, while there are some */
export async function findContact(
  services: Services,
  id: string,
  principal: Principal,
): Promise<StoredContact> {
  const contact = await services.contacts.find(id);
  if (!contact || !(await mayBeSeen(services, id, principal)))
    throw new Problem('not-found', 'There is no contact with this id');
  return contact;
}

const mayBeSeen = async ({ calls }: Services, id: string, principal: Principal): Promise<boolean> =>
  (await calls.contactsSeen([id], sightOf(principal))).has(id);

function view(contact: StoredContact): z.infer<typeof contactRecord> {
  const address = addressOf(contact.identities);
  return {
    id: contact.id,
    name: contact.name,
    phone: address.phone ?? null,
    bsuid: address.bsuid ?? null,
    tags: [...contact.tags],
    created_at: iso(contact.createdAtMs),
  };
}
