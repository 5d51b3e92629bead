// `/v1/calls/:id/recording`: what was said in a call, for those who may hear it.
import { createRoute, z } from '@hono/zod-openapi';
import { agentIdentity, type CallId } from '../domain/ids.ts';
import { findCall } from '../handlers/command-call.ts';
import { deleteRecording } from '../handlers/keep-recording.ts';
import { hasRole, requireAdmin, requirePerson, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { requireAudio } from './audio-bucket.ts';
import { audioContent, audioResponse } from './audio-response.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, newRoutes, refusals } from './routes.ts';

const params = z.object({ id: z.string().min(1).max(64) });
const noSuchRecording = problemContent('There is no recording of this call, or no such call');
const noBucket = problemContent('This deployment has no R2 bucket `AUDIO`');

const listen = createRoute({
  method: 'get',
  path: '/calls/{id}/recording',
  tags: ['sound'],
  summary: 'The recording of a call',
  description:
    'Ogg Opus of two channels: the caller on the left, what the caller was sent on the right. An agent may hear calls that they ' +
    'had, and messages that were left in calls that they see.',
  security: bearer,
  request: { params },
  responses: {
    200: audioContent('Ogg Opus'),
    206: audioContent('The part that `Range` asks for'),
    304: { description: 'It is as `If-None-Match` says' },
    ...refusals,
    404: noSuchRecording,
    416: problemContent('The file has no such part'),
    503: noBucket,
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/calls/{id}/recording',
  tags: ['sound'],
  summary: 'Delete the recording of a call',
  security: bearer,
  request: { params },
  responses: {
    204: { description: 'The recording is deleted' },
    ...refusals,
    404: noSuchRecording,
    503: noBucket,
  },
});

export function recordingRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(listen, async (c) => {
    const { principal } = c.var;
    const bucket = requireAudio(services);
    const id = c.req.valid('param').id as CallId;
    await requireHeard(services, id, principal);
    const recording = await services.recordings.find(id, services.now());
    if (!recording) throw new Problem('not-found', 'There is no recording of this call');
    return audioResponse(c, bucket, {
      key: recording.r2Key,
      bytes: recording.bytes,
      etag: recording.sha256,
      // Once it is deleted it is not to be found anywhere.
      cacheControl: 'private, no-store',
    });
  });
  app.openapi(remove, async (c) => {
    requireAdmin(c.var.principal);
    await deleteRecording(services, c.req.valid('param').id as CallId);
    return c.body(null, 204);
  });
  return app;
}

/**
 * An agent hears calls that they claimed, or in whose room they were heard, and messages of callers; the others whatever call they
 * see.
 */
async function requireHeard(services: Services, id: CallId, principal: Principal): Promise<void> {
  if (hasRole(principal, 'supervisor') && principal.teams === null) return;
  const found = await findCall(services, id, principal);
  if (hasRole(principal, 'supervisor')) return;
  const agent = requirePerson(principal);
  const identity = agentIdentity(agent.id);
  const wasHeard = found.timeline.some(
    ({ type, detail }) => type === 'ready' && detail?.identity === identity,
  );
  // Whoever gets back to the caller needs it, and nobody else is heard in it.
  const isMessage = found.call.follow_up === 'voicemail' && found.call.talked_at === null;
  if (found.call.claimed_by?.agent_id !== agent.id && !wasHeard && !isMessage) {
    throw new Problem('forbidden', 'Agents may hear calls that they had');
  }
}
