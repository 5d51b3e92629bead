// `/v1/prompts`: sounds that are played to callers.
import { createRoute, z } from '@hono/zod-openapi';
import { promptKey, type Prompt } from '../adapters/prompt-store-d1.ts';
import { iso } from '../call-view.ts';
import { AUDIO_REASONS, DURATION_S_MAX } from '../domain/audio-failure.ts';
import { PROMPT_BYTES_MAX, SOUND_TYPES, type SoundType } from '../domain/prompt-audio.ts';
import { addPrompt, deletePrompt } from '../handlers/keep-prompt.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { requireAudio } from './audio-bucket.ts';
import { audioContent, audioResponse } from './audio-response.ts';
import { limitBody } from './json-body.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';

const promptId = z.object({ id: z.string().min(1).max(64) });
const noSuchPrompt = problemContent('There is no such prompt');
const noBucket = problemContent('This deployment has no R2 bucket `AUDIO`');

const promptView = z
  .object({
    id: z.string(),
    name: z.string(),
    duration_ms: z.int(),
    bytes: z.int(),
    sha256: z.string().openapi({ description: 'Of the file, hex' }),
    created_at: z.iso.datetime(),
  })
  .openapi('Prompt');

const sound = { schema: { type: 'string' as const, format: 'binary' } };
const create = createRoute({
  method: 'post',
  path: '/prompts',
  tags: ['sound'],
  summary: 'Upload a sound',
  description:
    `Ogg Opus, or WAV with PCM or float samples; one or two channels, any rate, ${PROMPT_BYTES_MAX / 1024 / 1024} MiB and ` +
    `${DURATION_S_MAX / 60} minutes at most. It is converted to Ogg Opus of one channel in packets of 20 ms; a file that is that ` +
    "already is kept byte for byte. Converting takes more CPU time than Cloudflare's free plan gives a request.",
  security: bearer,
  middleware: limitBody(PROMPT_BYTES_MAX),
  request: {
    query: z.object({ name: z.string().trim().min(1, '1 to 200 characters').max(200) }),
    body: { required: true, content: { 'audio/ogg': sound, 'audio/wav': sound } },
  },
  responses: {
    201: json('The prompt can be played', promptView),
    ...refusals,
    400: problemContent(
      `A field is missing or malformed; or the audio cannot be used: \`reason\` is one of ${AUDIO_REASONS.join(', ')}`,
    ),
    413: problemContent('The file is too large'),
    415: problemContent('The file is neither `audio/ogg` nor `audio/wav`'),
    503: noBucket,
  },
});

const list = createRoute({
  method: 'get',
  path: '/prompts',
  tags: ['sound'],
  summary: 'List the prompts',
  security: bearer,
  responses: {
    200: json('All prompts, oldest first', z.object({ data: z.array(promptView) })),
    ...refusals,
    503: noBucket,
  },
});

const show = createRoute({
  method: 'get',
  path: '/prompts/{id}',
  tags: ['sound'],
  summary: 'One prompt',
  security: bearer,
  request: { params: promptId },
  responses: { 200: json('The prompt', promptView), ...refusals, 404: noSuchPrompt, 503: noBucket },
});

const listen = createRoute({
  method: 'get',
  path: '/prompts/{id}/audio',
  tags: ['sound'],
  summary: 'The sound of a prompt',
  security: bearer,
  request: { params: promptId },
  responses: {
    200: audioContent('Ogg Opus'),
    206: audioContent('The part that `Range` asks for'),
    304: { description: 'It is as `If-None-Match` says' },
    ...refusals,
    404: noSuchPrompt,
    416: problemContent('The file has no such part'),
    503: noBucket,
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/prompts/{id}',
  tags: ['sound'],
  summary: 'Delete a prompt',
  description: 'A call that plays it goes on playing it.',
  security: bearer,
  request: { params: promptId },
  responses: {
    204: { description: 'The prompt is deleted' },
    ...refusals,
    404: noSuchPrompt,
    409: problemContent('A number announces its recordings with it, or the rules use it at `path`'),
    503: noBucket,
  },
});

export function promptRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    requireAudio(services);
    const type = soundTypeOf(c.req.header('content-type'));
    const { name } = c.req.valid('query');
    const prompt = await addPrompt(services, name, type, await c.req.arrayBuffer());
    return c.json(view(prompt), 201);
  });
  app.openapi(list, async (c) => {
    requireAudio(services);
    const prompts = await services.prompts.list();
    return c.json({ data: prompts.map(view) }, 200);
  });
  app.openapi(show, async (c) => {
    requireAudio(services);
    return c.json(view(await promptOf(services, c.req.valid('param').id)), 200);
  });
  app.openapi(listen, async (c) => {
    const bucket = requireAudio(services);
    const prompt = await promptOf(services, c.req.valid('param').id);
    return audioResponse(c, bucket, promptFile(prompt));
  });
  app.openapi(remove, async (c) => {
    requireAdmin(c.var.principal);
    await deletePrompt(services, c.req.valid('param').id);
    return c.body(null, 204);
  });
  return app;
}

/** @throws Problem `not-found` */
export async function promptOf({ prompts }: Services, id: string): Promise<Prompt> {
  const prompt = await prompts.find(id);
  if (!prompt) throw new Problem('not-found', 'There is no prompt with this id');
  return prompt;
}

/** What a prompt sounds like never changes; another sound is another prompt. */
export const promptFile = ({ id, bytes, sha256 }: Prompt) => ({
  key: promptKey(id),
  bytes,
  etag: sha256,
  cacheControl: 'private, max-age=31536000, immutable',
});

function soundTypeOf(header: string | undefined): SoundType {
  const type = header?.split(';')[0]?.trim().toLowerCase();
  const found = SOUND_TYPES.find((known) => known === type);
  if (!found) {
    throw new Problem('wrong-media-type', `Expected Content-Type: ${SOUND_TYPES.join(' or ')}`);
  }
  return found;
}

const view = (prompt: Prompt): z.infer<typeof promptView> => ({
  id: prompt.id,
  name: prompt.name,
  duration_ms: prompt.durationMs,
  bytes: prompt.bytes,
  sha256: prompt.sha256,
  created_at: iso(prompt.createdAtMs),
});
