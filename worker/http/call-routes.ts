// `/v1/calls`: the record of calls, and what people do to them.
import { createRoute, z } from '@hono/zod-openapi';
import { callView, iso } from '../call-view.ts';
import type { PageEnd } from '../adapters/call-reader-d1.ts';
import { CALL_STATES, type Target } from '../domain/call.ts';
import type { AgentId, CallId } from '../domain/ids.ts';
import { claimCall, endCall, joinCall } from '../handlers/command-call.ts';
import { startCall, type StartRequest } from '../handlers/start-call.ts';
import type { Agent, StoredEntry } from '../ports.ts';
import type { Services } from '../services.ts';
import type { Principal } from './authentication.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const shownState = z.enum(CALL_STATES).exclude(['tombstone']);
const id = z.object({ id: z.string().min(1).max(64) });

const entryView = z
  .object({
    at: z.iso.datetime(),
    type: z.string().openapi({ example: 'ringing' }),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .openapi('TimelineEntry');

const list = createRoute({
  method: 'get',
  path: '/calls',
  tags: ['calls'],
  summary: 'List calls, newest first',
  security: bearer,
  request: {
    query: z.object({
      state: z
        .string()
        .transform((value) => value.split(','))
        .pipe(z.array(shownState))
        .optional()
        .openapi({ type: 'string', description: 'One or more states, comma-separated' }),
      limit: z.coerce
        .number()
        .int()
        .min(1, `a whole number from 1 to ${PAGE_MAX}`)
        .max(PAGE_MAX, `a whole number from 1 to ${PAGE_MAX}`)
        .default(PAGE_DEFAULT),
      cursor: z
        .string()
        .max(200)
        .optional()
        .openapi({ description: '`next_cursor` of the page before' }),
    }),
  },
  responses: {
    200: json(
      'A page of calls',
      z.object({
        data: z.array(callView),
        next_cursor: z.string().nullable().openapi({ description: 'Null on the last page' }),
      }),
    ),
    ...refusals,
  },
});

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
      parameters: z.array(z.string().max(1024)).max(20).default([]),
    })
    .optional()
    .openapi({ description: 'An approved template with a permission request; works at any time' }),
  wait_seconds: z
    .int()
    .min(10, `10 to ${ASK_SECONDS_MAX}`)
    .max(ASK_SECONDS_MAX, `10 to ${ASK_SECONDS_MAX}`)
    .default(600),
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
            ai: z.strictObject({
              name: z.string().min(1).max(256),
              metadata: z.string().max(8_192).default(''),
            }),
          }),
          z.strictObject({ room: z.literal(true) }),
        ],
        'one of { agent_id }, { ai: { name, metadata? } }, { room: true }',
      )
      .openapi({ description: 'Whom the user is connected with' }),
    ring_seconds: z
      .int()
      .min(5, `5 to ${RING_SECONDS_MAX}`)
      .max(RING_SECONDS_MAX, `5 to ${RING_SECONDS_MAX}`)
      .default(45),
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

const seat = z
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
      callView.extend({ seat: seat.nullable() }).openapi('StartedCall'),
    ),
    ...refusals,
    409: problemContent(
      'Known to be forbidden (`reason`, `retry_at`), or there is a call with this user',
    ),
    422: problemContent('The Idempotency-Key belongs to another request'),
  },
});

const show = createRoute({
  method: 'get',
  path: '/calls/{id}',
  tags: ['calls'],
  summary: 'One call with its timeline',
  security: bearer,
  request: { params: id },
  responses: {
    200: json(
      'The call',
      callView.extend({ timeline: z.array(entryView) }).openapi('CallWithTimeline'),
    ),
    ...refusals,
    404: problemContent('There is no such call'),
  },
});

const claim = createRoute({
  method: 'post',
  path: '/calls/{id}/claim',
  tags: ['calls'],
  summary: 'Answer a ringing call',
  description:
    'One agent wins. Join the room with any LiveKit client and publish a microphone track; the caller is connected once you ' +
    'can hear and be heard. Repeating it as the winner gives a fresh token. With the admin key, name the agent in `agent_id`.',
  security: bearer,
  request: {
    params: id,
    query: z.object({
      agent_id: z.string().max(64).optional().openapi({ description: 'For the admin key only' }),
    }),
  },
  responses: {
    200: json('The call is yours', seat),
    ...refusals,
    404: problemContent('There is no such call'),
    409: problemContent(
      'Somebody else has it (`claimed_by`), it is over (`outcome`), or does not ring yet',
    ),
  },
});

const join = createRoute({
  method: 'post',
  path: '/calls/{id}/join',
  tags: ['calls'],
  summary: 'Join a call whose room is open to every agent',
  description: 'Calls that were placed with `connect: { room: true }`.',
  security: bearer,
  request: claim.request,
  responses: {
    200: json('A seat in the room', seat),
    ...refusals,
    404: problemContent('There is no such call'),
    409: problemContent('The call is over (`outcome`), or is answered by claiming it'),
  },
});

const end = createRoute({
  method: 'post',
  path: '/calls/{id}/end',
  tags: ['calls'],
  summary: 'Reject a ringing call, hang up a connected one',
  description:
    'Harmless when the call is over. An agent may end calls that ring or that they have.',
  security: bearer,
  request: { params: id },
  responses: {
    200: json('The call as it is now', callView),
    ...refusals,
    404: problemContent('There is no such call'),
  },
});

export function callRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(list, async (c) => {
    const { state, limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? undefined : parseCursor(cursor);
    const page = await services.calls.list({ states: state, after }, limit);
    return c.json({ data: page.calls, next_cursor: page.next && writeCursor(page.next) }, 200);
  });
  app.openapi(show, async (c) => {
    const found = await services.calls.find(c.req.valid('param').id as CallId);
    if (!found) throw new Problem('not-found', 'There is no call with this id');
    return c.json({ ...found.call, timeline: found.timeline.map(entry) }, 200);
  });
  app.openapi(claim, async (c) => {
    const agent = await agentOf(services, c.var.principal, c.req.valid('query').agent_id);
    return c.json(await claimCall(services, c.req.valid('param').id as CallId, agent), 200);
  });
  app.openapi(join, async (c) => {
    const agent = await agentOf(services, c.var.principal, c.req.valid('query').agent_id);
    return c.json(await joinCall(services, c.req.valid('param').id as CallId, agent), 200);
  });
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
      agent: principal.role === 'agent' ? principal.agent : null,
      idempotency: key === undefined ? null : { key, requestText: JSON.stringify(input) },
    });
    return c.json({ ...call, seat }, 201);
  });
  app.openapi(end, async (c) => {
    const { principal } = c.var;
    const agent = principal.role === 'agent' ? principal.agent : null;
    return c.json(await endCall(services, c.req.valid('param').id as CallId, agent), 200);
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

async function agentOf(
  services: Services,
  principal: Principal,
  agentId: string | undefined,
): Promise<Agent> {
  if (principal.role === 'agent') return principal.agent;
  const field = {
    field: 'agent_id',
    expected: 'the id of an agent, since the key is the admin key',
  };
  const agent = agentId === undefined ? null : await services.directory.findAgent(agentId);
  if (!agent) throw new Problem('invalid-request', field.expected, { errors: [field] });
  return agent;
}

const entry = ({ atMs, type, detail }: StoredEntry) => ({
  at: iso(atMs),
  type,
  ...(detail ? { detail: { ...detail } } : {}),
});

const writeCursor = (end: PageEnd): string => btoa(`${end.createdAtMs}:${end.id}`);

function parseCursor(cursor: string): PageEnd {
  const match = /^(\d{1,15}):(.{1,64})$/.exec(decode(cursor));
  if (!match) {
    const field = { field: 'cursor', expected: '`next_cursor` of an earlier page' };
    throw new Problem('invalid-request', field.expected, { errors: [field] });
  }
  return { createdAtMs: Number(match[1]), id: match[2] ?? '' };
}

function decode(cursor: string): string {
  try {
    return atob(cursor);
  } catch {
    return '';
  }
}
