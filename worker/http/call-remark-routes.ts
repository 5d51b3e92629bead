// `/v1/calls/:id/notes`, `/tags`, `/disposition`: what people write on a call, while it lasts and afterwards.
import { createRoute, z } from '@hono/zod-openapi';
import { callView } from '../call-view.ts';
import type { CallId } from '../domain/ids.ts';
import {
  DISPOSITION_CHARS_MAX,
  NOTE_CHARS_MAX,
  TAG_CHARS_MAX,
  TAGS_MAX,
} from '../domain/step-remark.ts';
import { remarkOn } from '../handlers/call-people.ts';
import type { Services } from '../services.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const params = z.object({ id: z.string().min(1).max(64) });
const responses = {
  200: json('The call as it is now', callView),
  ...refusals,
  404: problemContent('There is no such call'),
};
const text = (max: number) => z.string().trim().min(1, `1 to ${max} characters`).max(max);

const addNote = createRoute({
  method: 'post',
  path: '/calls/{id}/notes',
  tags: ['calls'],
  summary: 'Write a note on a call',
  description:
    'It stands in the timeline as `note`. All notes of a call together have room for 2,000 characters.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          text: text(NOTE_CHARS_MAX).openapi({ description: 'What is to be remembered' }),
        })
        .openapi('Note'),
    ),
  },
  responses: { ...responses, 409: problemContent('The notes of this call have no room for it') },
});

const setTags = createRoute({
  method: 'put',
  path: '/calls/{id}/tags',
  tags: ['calls'],
  summary: 'Set the tags of a call',
  description: 'The whole list: what is not named is gone.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          tags: z
            .array(text(TAG_CHARS_MAX))
            .max(TAGS_MAX)
            .openapi({ description: 'In your own words' }),
        })
        .openapi('CallTags'),
    ),
  },
  responses,
});

const setDisposition = createRoute({
  method: 'put',
  path: '/calls/{id}/disposition',
  tags: ['calls'],
  summary: 'Say what came of a call',
  description: 'In your own words, such as `sold` or `wrong number`; null takes it back.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          disposition: text(DISPOSITION_CHARS_MAX)
            .nullable()
            .openapi({ description: 'What came of the call' }),
        })
        .openapi('Disposition'),
    ),
  },
  responses,
});

export function callRemarkRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(addNote, async (c) => {
    const id = c.req.valid('param').id as CallId;
    const remark = { note: c.req.valid('json').text };
    return c.json(await remarkOn(services, id, c.var.principal, remark), 200);
  });
  app.openapi(setTags, async (c) => {
    const id = c.req.valid('param').id as CallId;
    return c.json(await remarkOn(services, id, c.var.principal, c.req.valid('json')), 200);
  });
  app.openapi(setDisposition, async (c) => {
    const id = c.req.valid('param').id as CallId;
    return c.json(await remarkOn(services, id, c.var.principal, c.req.valid('json')), 200);
  });
  return app;
}
