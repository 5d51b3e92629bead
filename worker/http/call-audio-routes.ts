// `/v1/calls/:id/hold`, `/play`, `/recording`: what a connected call sounds like.
import { createRoute, z } from '@hono/zod-openapi';
import { callView } from '../call-view.ts';
import type { CallId } from '../domain/ids.ts';
import {
  holdCall,
  playPrompt,
  RECORDING_ACTIONS,
  recordCall,
  stopPrompt,
} from '../handlers/steer-call.ts';
import type { Services } from '../services.ts';
import { problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

const params = z.object({ id: z.string().min(1).max(64) });
const noBucket = problemContent('This deployment has no R2 bucket `AUDIO`');

const responses = {
  200: json('The call as it is now', callView),
  ...refusals,
  404: problemContent('There is no such call'),
  409: problemContent(
    'The call is not connected, or it is over (`outcome`), or its relay has to be upgraded',
  ),
};

const notNow = problemContent(
  'The call is not connected, or it is over (`outcome`), or its recording is being announced, or its relay has to be upgraded',
);

const hold = createRoute({
  method: 'post',
  path: '/calls/{id}/hold',
  tags: ['calls'],
  summary: 'Put the caller on hold, or take them off it',
  description:
    'On hold the caller hears a hold sound and nobody, and nobody hears the caller. Repeating it is harmless. An agent may do so ' +
    'with calls that they have.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          on: z.boolean().openapi({ description: 'False takes the caller off hold' }),
        })
        .openapi('Hold'),
    ),
  },
  responses,
});

const play = createRoute({
  method: 'post',
  path: '/calls/{id}/play',
  tags: ['calls'],
  summary: 'Play a prompt to the caller',
  description:
    'From its beginning, instead of the room and of what was being played. The entry `played` of the timeline says when it is over, ' +
    'and whether it could be played. Every relay brings `sound:hold` and `sound:ring-back` along. What announces that the call is ' +
    'recorded is played to its end first.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          prompt_id: z.string().min(1).max(64),
          loop: z.boolean().default(false).openapi({ description: 'Until it is stopped' }),
        })
        .openapi('Play'),
    ),
  },
  responses: { ...responses, 409: notNow, 503: noBucket },
});

const stop = createRoute({
  method: 'post',
  path: '/calls/{id}/play/stop',
  tags: ['calls'],
  summary: 'Stop what is being played to the caller',
  security: bearer,
  request: { params },
  responses: { ...responses, 409: notNow },
});

const record = createRoute({
  method: 'post',
  path: '/calls/{id}/recording',
  tags: ['calls'],
  summary: 'Record the call, or pause or stop recording it',
  description:
    'A pause is silence in the recording, for what must not be kept, such as a card number; keys that the caller presses meanwhile ' +
    'are not kept either. Nothing is announced: play a prompt if the caller has to be told. Repeating it is harmless.',
  security: bearer,
  request: {
    params,
    ...body(
      z
        .strictObject({
          action: z
            .enum(RECORDING_ACTIONS)
            .openapi({ description: 'A pause is silence; `stop` ends the recording' }),
        })
        .openapi('RecordingAction'),
    ),
  },
  responses: {
    ...responses,
    409: problemContent(
      'The call is not connected, or it is over (`outcome`), or nothing is being recorded, or its relay has to be upgraded',
    ),
    503: noBucket,
  },
});

export function callAudioRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(hold, async (c) => {
    const id = c.req.valid('param').id as CallId;
    return c.json(await holdCall(services, id, c.var.principal, c.req.valid('json').on), 200);
  });
  app.openapi(play, async (c) => {
    const id = c.req.valid('param').id as CallId;
    const { prompt_id: promptId, loop } = c.req.valid('json');
    const what = { promptId, isLoop: loop };
    return c.json(await playPrompt(services, id, c.var.principal, what), 200);
  });
  app.openapi(stop, async (c) => {
    const id = c.req.valid('param').id as CallId;
    return c.json(await stopPrompt(services, id, c.var.principal), 200);
  });
  app.openapi(record, async (c) => {
    const id = c.req.valid('param').id as CallId;
    const { action } = c.req.valid('json');
    return c.json(await recordCall(services, id, c.var.principal, action), 200);
  });
  return app;
}
