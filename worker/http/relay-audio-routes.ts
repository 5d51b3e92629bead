// What relays fetch and bring under their own id, with their own secret: prompts, and the recordings of their calls.
import { createRoute, z } from '@hono/zod-openapi';
import type { CallId } from '../domain/ids.ts';
import { keepRecording } from '../handlers/keep-recording.ts';
import type { Services } from '../services.ts';
import { requireAudio } from './audio-bucket.ts';
import { audioResponse } from './audio-response.ts';
import type { KeyGuard } from './key-guard.ts';
import { invalidField, Problem } from './problems.ts';
import { promptFile, promptOf } from './prompt-routes.ts';
import { authenticateRelay } from './relay-authentication.ts';
import { relayProcessId } from './relay-routes.ts';
import { newRoutes } from './routes.ts';

/** Provider: largest request body on Cloudflare's free and Pro plans, Workers limits, read 2026-11. At 32 kbit/s 7 h. */
const RECORDING_BYTES_MAX = 100_000_000;
/** Longer than what the provider lets any call last. */
const DURATION_MS_MAX = 24 * 3600_000;

const prompt = createRoute({
  method: 'get',
  path: '/relays/{id}/prompts/{promptId}',
  hide: true,
  request: { params: z.object({ id: relayProcessId, promptId: z.string().min(1).max(64) }) },
  responses: { 200: { description: 'Ogg Opus' } },
});

const recording = createRoute({
  method: 'put',
  path: '/relays/{id}/recordings/{callId}',
  hide: true,
  request: { params: z.object({ id: relayProcessId, callId: z.string().min(1).max(64) }) },
  responses: { 200: { description: 'The recording is kept' } },
});

export function relayAudioRoutes(services: Services, guard: KeyGuard) {
  const app = newRoutes();
  app.openapi(prompt, async (c) => {
    const { id, promptId } = c.req.valid('param');
    await authenticateRelay(services, guard, c, id);
    const bucket = requireAudio(services);
    return audioResponse(c, bucket, promptFile(await promptOf(services, promptId)));
  });
  app.openapi(recording, async (c) => {
    const { id, callId } = c.req.valid('param');
    const relay = await authenticateRelay(services, guard, c, id);
    requireAudio(services);
    const fields = readHeaders((name) => c.req.header(name));
    if (fields.bytes > RECORDING_BYTES_MAX) {
      throw new Problem('too-large', `The limit is ${RECORDING_BYTES_MAX} bytes`);
    }
    const { body } = c.req.raw;
    if (!body) throw invalidField('content-length', 'the length of an Ogg Opus file');
    await keepRecording(services, { ...fields, callId: callId as CallId, relayId: relay }, body);
    return c.body(null, 200);
  });
  return app;
}

/** @throws Problem naming the header */
function readHeaders(header: (name: string) => string | undefined) {
  const length = header('content-length');
  // Without it R2 cannot take a body as it comes.
  if (length === undefined) throw new Problem('length-required', 'Expected Content-Length');
  if (header('content-type') !== 'audio/ogg') {
    throw new Problem('wrong-media-type', 'Expected Content-Type: audio/ogg');
  }
  const sha256 = header('x-roomline-audio-sha256') ?? '';
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalidField('x-roomline-audio-sha256', '64 lower-case hex digits');
  }
  return {
    bytes: wholeNumber('content-length', length, Number.MAX_SAFE_INTEGER),
    durationMs: wholeNumber(
      'x-roomline-duration-ms',
      header('x-roomline-duration-ms'),
      DURATION_MS_MAX,
    ),
    sha256,
  };
}

function wholeNumber(name: string, value: string | undefined, max: number): number {
  if (value === undefined || !/^\d{1,16}$/.test(value) || Number(value) > max) {
    throw invalidField(name, `a whole number of at most ${max}`);
  }
  return Number(value);
}
