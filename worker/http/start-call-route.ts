// `POST /v1/calls`: the business calls a user.
import { createRoute, z } from '@hono/zod-openapi';
import { callView } from '../call-view.ts';
import type { Target } from '../domain/call.ts';
import type { AgentId } from '../domain/ids.ts';
import { startCall, type StartRequest } from '../handlers/start-call.ts';
import type { Services } from '../services.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';
import { orNull } from '../or-null.ts';

const RING_SECONDS_MAX = 120;
const ASK_SECONDS_MAX = 24 * 3600;

const digits = z
  .string()
  .transform((value) => value.replaceAll(/[\s()+.-]/g, ''))
  .pipe(z.string().regex(/^\d{5,15}$/, 'a phone number with its country code, 5 to 15 digits'));

const wording = z.object({
  text: z.string().min(1).max(1024).optional().openapi({
    description: 'Shown with the request; only inside the 24 h window',
  }),
  template: z
    .object({
      name: z.string().min(1).max(512),
      language: z.string().min(2).max(20),
      parameters: z
        .array(z.string().max(1024))
        .max(20)
        .default([])
        .openapi({ description: 'Of its body, in order' }),
    })
    .optional()
    .openapi({ description: 'An approved template with a permission request; works at any time' }),
  wait_seconds: z
    .int()
    .min(10, `10 to ${ASK_SECONDS_MAX}`)
    .max(ASK_SECONDS_MAX, `10 to ${ASK_SECONDS_MAX}`)
    .default(600)
    .openapi({ description: "How long the user's answer is waited for" }),
});

const newCall = z
  .object({
    number_id: z.string().min(1).max(64),
    to: digits
      .optional()
      .openapi({ description: "The user's phone number", example: '+351910000001' }),
    recipient: z
      .string()
      .regex(/^[A-Z]{2}\.[\w.]{1,140}$/, 'a business-scoped user id such as PT.1349')
      .optional()
      .openapi({ description: "The user's business-scoped id" }),
    contact_id: z.string().max(64).optional(),
    connect: z
      .union(
        [
          z.strictObject({ agent_id: z.string().min(1).max(64) }),
          z.strictObject({
            ai: z
              .strictObject({
                name: z.string().min(1).max(256),
                metadata: z
                  .string()
                  .max(8_192)
                  .default('')
                  .openapi({ description: 'Handed to the agent with its job' }),
              })
              .openapi({ description: 'An agent that LiveKit dispatches' }),
          }),
          z.strictObject({
            room: z.literal(true).openapi({ description: 'Whoever is in the room' }),
          }),
        ],
        'one of { agent_id }, { ai: { name, metadata? } }, { room: true }',
      )
      .openapi({ description: 'Whom the user is connected with' }),
    ring_seconds: z
      .int()
      .min(5, `5 to ${RING_SECONDS_MAX}`)
      .max(RING_SECONDS_MAX, `5 to ${RING_SECONDS_MAX}`)
      .default(45)
      .openapi({ description: "How long the user's phone rings" }),
    ask: z.union([z.boolean(), wording]).default(false).openapi({
      description: 'Ask for permission first if there is none, and dial once it is granted',
    }),
  })
  .refine(
    ({ to, recipient, contact_id }) =>
      [to, recipient, contact_id].filter((value) => value !== undefined).length === 1,
    { path: ['to'], error: 'exactly one of `to`, `recipient` and `contact_id`' },
  )
  .openapi('NewCall');

export const seatView = z
  .object({
    call_id: z.string(),
    livekit_url: z.string(),
    token: z.string().openapi({ description: 'Valid for 2 minutes, to join this one room' }),
    room: z.string(),
    identity: z.string(),
  })
  .openapi('Seat');

const start = createRoute({
  method: 'post',
  path: '/calls',
  tags: ['calls'],
  summary: 'Call a user',
  description:
    'Needs the permission of the user. An agent is rung first and the user dialled once the agent is in the room; an AI agent ' +
    "is dispatched when the user's phone rings. With the key of the agent to be connected, `seat` is where to join.",
  security: bearer,
  request: {
    ...body(newCall),
    headers: z.object({
      'idempotency-key': z.string().min(1).max(255).optional().openapi({
        description: 'Repeating the request with the same key within 24 h repeats nothing',
      }),
    }),
  },
  responses: {
    201: json(
      'The call is under way',
      callView.extend({ seat: orNull(seatView) }).openapi('StartedCall'),
    ),
    ...refusals,
    409: problemContent(
      'Known to be forbidden (`reason`, `retry_at`), or there is a call with this user',
    ),
    422: problemContent('The Idempotency-Key belongs to another request'),
  },
});

export function startCallRoute(services: Services) {
  const app = newRoutes();
  app.openapi(start, async (c) => {
    const { principal } = c.var;
    const input = c.req.valid('json');
    const key = c.req.valid('header')['idempotency-key'];
    const { call, seat } = await startCall(services, {
      numberId: input.number_id,
      to: input.to,
      recipient: input.recipient,
      contactId: input.contact_id,
      target: targetOf(input.connect),
      ringMs: input.ring_seconds * 1000,
      ask: askOf(input.ask),
      principal,
      idempotency: key === undefined ? null : { key, requestText: JSON.stringify(input) },
    });
    return c.json({ ...call, seat }, 201);
  });
  return app;
}

function targetOf(connect: z.infer<typeof newCall>['connect']): Target {
  if ('agent_id' in connect) return { kind: 'agent', agentId: connect.agent_id as AgentId };
  return 'ai' in connect ? { kind: 'ai', ...connect.ai } : { kind: 'room' };
}

function askOf(ask: z.infer<typeof newCall>['ask']): StartRequest['ask'] {
  if (ask === false) return null;
  const { text, template, wait_seconds } = wording.parse(ask === true ? {} : ask);
  return { wording: template ? { template } : { text: text ?? null }, waitMs: wait_seconds * 1000 };
}
