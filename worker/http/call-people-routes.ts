// `/v1/calls/:id/transfer`, `/consult`, `/invite`, `/participants`, `/supervise`: who is in a connected call.
import { createRoute, z } from '@hono/zod-openapi';
import { callView } from '../call-view.ts';
import type { AgentId, CallId } from '../domain/ids.ts';
import { SUPERVISION_MODES, type Colleague, type TransferTo } from '../domain/people.ts';
import {
  cancelTransfer,
  command,
  removeParticipant,
  superviseCall,
  transferCall,
} from '../handlers/call-people.ts';
import type { Services } from '../services.ts';
import { agentOf } from './acting-agent.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';
import { orNull } from '../or-null.ts';
import { seatView } from './start-call-route.ts';

const params = z.object({ id: z.string().min(1).max(64) });
/** Longest summary, in characters: it is read while the phone rings. */
const SUMMARY_CHARS_MAX = 2_000;

const agentId = z.string().min(1).max(64);
const team = z
  .string()
  .regex(/^[\w-]{1,64}$/, 'the id of a team')
  .openapi({ description: 'Somebody of this team: whoever has been idle longest, then the next' });
const colleague = z
  .union(
    [z.strictObject({ agent_id: agentId }), z.strictObject({ team })],
    'one of { agent_id }, { team }',
  )
  .openapi('Colleague', { description: 'Whom to ask in' });
const newTransfer = z
  .strictObject({
    to: z
      .union(
        [
          z.strictObject({ agent_id: agentId }),
          z.strictObject({ team }),
          z.strictObject({
            ai: z
              .strictObject({
                name: z.string().min(1).max(128),
                metadata: z
                  .string()
                  .max(4_096)
                  .default('')
                  .openapi({ description: 'For the agent' }),
              })
              .openapi({ description: 'An AI agent that LiveKit dispatches' }),
          }),
        ],
        'one of { agent_id }, { team }, { ai: { name, metadata? } }',
      )
      .openapi({ description: 'Who is to have the call' }),
    summary: z.string().min(1).max(SUMMARY_CHARS_MAX).optional().openapi({
      description: 'Shown to those it rings for, before the caller is joined',
    }),
  })
  .openapi('Transfer');

const notNow = problemContent(
  'The call is not connected, or over (`outcome`); nobody is available (`presence`); or something else goes on (`reason`). The ' +
    'call is undisturbed',
);
const responses = {
  200: json('The call as it is now', callView),
  ...refusals,
  404: problemContent('There is no such call'),
  409: notNow,
};
const transfer = createRoute({
  method: 'post',
  path: '/calls/{id}/transfer',
  tags: ['calls'],
  summary: 'Hand a connected call over to an agent, a team or an AI agent',
  description:
    'The agent who has it is not heard from now on and is shown out of the room; the caller hears that somebody is rung. If ' +
    'nobody takes it within 30 s it rings for that agent again, and ends if they do not take it either. An AI agent goes on ' +
    'with the caller until somebody is there. An agent may hand over calls that they have.',
  security: bearer,
  request: { params, ...body(newTransfer) },
  responses,
});

const cancel = createRoute({
  method: 'post',
  path: '/calls/{id}/transfer/cancel',
  tags: ['calls'],
  summary: 'Take a transfer back that nobody has taken yet',
  description: 'With the key of the agent who had the call, `seat` is where to come back.',
  security: bearer,
  request: { params },
  responses: {
    ...responses,
    200: json(
      'The call as it is now',
      callView.extend({ seat: orNull(seatView) }).openapi('CancelledTransfer'),
    ),
  },
});

const consult = createRoute({
  method: 'post',
  path: '/calls/{id}/consult',
  tags: ['calls'],
  summary: 'Put the caller on hold and ask a colleague in',
  description:
    'The colleague is rung, claims like any call, and speaks with the agent in the same room; the caller hears the hold sound ' +
    'and nobody hears the caller. AI agents are shown out first. If the colleague does not come or leaves ' +
    '(`consultation-failed`), the caller stays on hold until `/hold` ends that. If the agent leaves, the colleague has the call.',
  security: bearer,
  request: { params, ...body(z.strictObject({ to: colleague }).openapi('Consultation')) },
  responses,
});

const consulted = (how: 'merge' | 'complete' | 'cancel', summary: string) =>
  createRoute({
    method: 'post',
    path: `/calls/{id}/consult/${how}`,
    tags: ['calls'],
    summary,
    security: bearer,
    request: { params },
    responses,
  });
const merge = consulted('merge', 'Take the caller off hold: all three talk');
const complete = consulted('complete', 'Leave the call to the colleague');
const cancelConsult = consulted('cancel', 'Show the colleague out and take the caller back');

const invite = createRoute({
  method: 'post',
  path: '/calls/{id}/invite',
  tags: ['calls'],
  summary: 'Add a colleague to the conversation',
  description: 'They are rung, claim like any call, and speak with everybody.',
  security: bearer,
  request: { params, ...body(colleague) },
  responses,
});

const remove = createRoute({
  method: 'delete',
  path: '/calls/{id}/participants/{identity}',
  tags: ['calls'],
  summary: 'Show somebody out of the call',
  description: 'Not whoever has the call. Everybody may leave by it themselves.',
  security: bearer,
  request: {
    params: params.extend({
      identity: z.string().min(1).max(256).openapi({ description: 'As LiveKit knows them' }),
    }),
  },
  responses: {
    ...responses,
    404: problemContent('There is no such call, or nobody like that in it'),
  },
});

const supervise = createRoute({
  method: 'post',
  path: '/calls/{id}/supervise',
  tags: ['calls'],
  summary: 'Listen to a call, whisper to its agents, or speak with everybody',
  description:
    'For supervisors and admins. `monitor` hears everybody and is seen by nobody; `whisper` is heard by agents and never by the ' +
    'caller; `barge` is heard by everybody. The same request with another mode changes it for somebody who is in the room. ' +
    'With the admin key, name the person in `agent_id`.',
  security: bearer,
  request: {
    params,
    query: z.object({
      agent_id: agentId.optional().openapi({ description: 'For the admin key only' }),
    }),
    ...body(
      z
        .strictObject({
          mode: z.enum(SUPERVISION_MODES).openapi({ description: 'Who hears the supervisor' }),
        })
        .openapi('Supervision'),
    ),
  },
  responses: {
    ...responses,
    200: json(
      'The call as it is now',
      callView.extend({ seat: seatView }).openapi('SupervisedCall'),
    ),
  },
});

export function callPeopleRoutes(services: Services) {
  const app = newRoutes();
  const idOf = (id: string) => id as CallId;
  app.openapi(transfer, async (c) => {
    const { to, summary = null } = c.req.valid('json');
    const id = idOf(c.req.valid('param').id);
    return c.json(await transferCall(services, id, c.var.principal, targetOf(to), summary), 200);
  });
  app.openapi(cancel, async (c) => {
    const id = idOf(c.req.valid('param').id);
    const { call, seat } = await cancelTransfer(services, id, c.var.principal);
    return c.json({ ...call, seat }, 200);
  });
  app.openapi(consult, async (c) => {
    const to = colleagueOf(c.req.valid('json').to);
    const id = idOf(c.req.valid('param').id);
    return c.json(await command(services, id, c.var.principal, { action: 'consult', to }), 200);
  });
  app.openapi(merge, async (c) => {
    const id = idOf(c.req.valid('param').id);
    return c.json(await command(services, id, c.var.principal, { action: 'merge' }), 200);
  });
  app.openapi(complete, async (c) => {
    const id = idOf(c.req.valid('param').id);
    return c.json(await command(services, id, c.var.principal, { action: 'complete' }), 200);
  });
  app.openapi(cancelConsult, async (c) => {
    const id = idOf(c.req.valid('param').id);
    return c.json(await command(services, id, c.var.principal, { action: 'cancel-consult' }), 200);
  });
  app.openapi(invite, async (c) => {
    const to = colleagueOf(c.req.valid('json'));
    const id = idOf(c.req.valid('param').id);
    return c.json(await command(services, id, c.var.principal, { action: 'invite', to }), 200);
  });
  app.openapi(remove, async (c) => {
    const { id, identity } = c.req.valid('param');
    return c.json(await removeParticipant(services, idOf(id), c.var.principal, identity), 200);
  });
  app.openapi(supervise, async (c) => {
    const { principal } = c.var;
    const supervisor = await agentOf(services, principal, c.req.valid('query').agent_id);
    const id = idOf(c.req.valid('param').id);
    const { mode } = c.req.valid('json');
    const { call, seat } = await superviseCall(services, id, principal, supervisor, mode);
    return c.json({ ...call, seat }, 200);
  });
  return app;
}

function colleagueOf(to: z.infer<typeof colleague>): Colleague {
  return 'team' in to
    ? { kind: 'team', team: to.team }
    : { kind: 'agent', agentId: to.agent_id as AgentId };
}

const targetOf = (to: z.infer<typeof newTransfer>['to']): TransferTo =>
  'ai' in to ? { kind: 'ai', ...to.ai } : colleagueOf(to);
