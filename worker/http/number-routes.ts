// `/v1/numbers`: registering business numbers and changing what is known of them.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, seal } from '../adapters/sealed-secret.ts';
import type { NumberChange } from '../adapters/number-store-d1.ts';
import { isSafeUrl } from '../config.ts';
import type { NumberId } from '../domain/ids.ts';
import { PROVIDER_NAMES, type BusinessNumber } from '../ports.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { requireAudio } from './audio-bucket.ts';
import { invalidField, Problem, problemContent } from './problems.ts';
import { numberView, viewOfNumber } from './number-view.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';

export const numberId = z.object({ id: z.string().min(1).max(64) });
export const noSuchNumber = problemContent('There is no such number');
const noBucket = problemContent(
  'Recording needs an R2 bucket `AUDIO`, which this deployment has not',
);

const safeUrl = (what: string) =>
  z
    .string()
    .max(2048)
    .refine(isSafeUrl, `${what}: an https:// URL, or http:// on this machine`)
    .openapi({ description: `https://; ${what}` });
const graphId = z.string().regex(/^\d{1,32}$/, 'an id of Meta, digits only');
const displayPhoneNumber = z
  .string()
  .transform((value) => value.replaceAll(/[\s()+.-]/g, ''))
  .pipe(z.string().regex(/^\d{1,15}$/, 'a phone number with its country code, at most 15 digits'))
  .openapi({ example: '+351 21 000 0000' });
const accessToken = z
  .string()
  .trim()
  .min(1, 'the access token or API key with which the provider is called')
  .max(4096)
  .openapi({
    description: 'Access token of Meta, API key of 360dialog. Stored encrypted, never shown again',
  });
const webhookSecret = z.string().min(16, 'at least 16 characters').max(512).openapi({
  description: '360dialog: the secret of `x-360dialog-signature`. Stored encrypted, never shown',
});
const apiBaseUrl = safeUrl("replaces the provider's own address").transform((value) =>
  value.replace(/\/+$/, ''),
);
const forwardUrl = safeUrl('where webhooks go that are not solely about our calls');

const fallbackText = z.string().trim().min(1, 'a text of 1 to 1024 characters').max(1024).openapi({
  description:
    'Sent to a caller whom Roomline could not serve: nobody answered, no relay, a lost connection',
  example: 'Sorry, we could not take your call. Write to us here, or call again.',
});

const RETENTION_DAYS_MAX = 3650;

const recording = z.enum(['off', 'always']).openapi({
  description: 'always: calls are recorded from the moment that they are connected',
});
const recordingAnnouncement = z.string().min(1, 'the id of a prompt').max(64).nullable().openapi({
  description: 'The prompt that is played first where every call is recorded',
});
const recordingRetentionDays = z
  .int()
  .min(1, `1 to ${RETENTION_DAYS_MAX} days`)
  .max(RETENTION_DAYS_MAX, `1 to ${RETENTION_DAYS_MAX} days`)
  .nullable()
  .openapi({
    description:
      'After so many days from the end of a call its recording is deleted; null: never. Recordings keep the time that they got',
  });

const newNumber = z
  .object({
    provider: z.enum(PROVIDER_NAMES),
    phone_number_id: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'the phone number id of the provider, 1 to 64 letters and digits')
      .openapi({ example: '106540352242922' }),
    display_phone_number: displayPhoneNumber,
    access_token: accessToken,
    webhook_secret: webhookSecret.optional(),
    api_base_url: apiBaseUrl
      .optional()
      .openapi({ description: "Replaces the provider's own address" }),
    business_account_id: graphId.optional(),
    app_id: graphId.optional(),
    forward_url: forwardUrl.optional(),
    fallback_text: fallbackText.optional(),
    recording: recording.default('off'),
    recording_announcement: recordingAnnouncement.default(null),
    recording_retention_days: recordingRetentionDays.default(null),
  })
  .openapi('NewNumber');

const numberPatch = z
  .strictObject({
    display_phone_number: displayPhoneNumber.optional(),
    access_token: accessToken.optional(),
    webhook_secret: webhookSecret.optional(),
    api_base_url: apiBaseUrl.nullable().optional(),
    business_account_id: graphId.nullable().optional(),
    app_id: graphId.nullable().optional(),
    forward_url: forwardUrl.nullable().optional(),
    fallback_text: fallbackText.nullable().optional(),
    recording: recording.optional(),
    recording_announcement: recordingAnnouncement.optional(),
    recording_retention_days: recordingRetentionDays.optional(),
  })
  .openapi('NumberPatch');

const created = numberView.extend({
  webhook_headers: z.record(z.string(), z.string()).optional().openapi({
    description: '360dialog without `webhook_secret`: the headers to configure there, shown once',
  }),
});

const create = createRoute({
  method: 'post',
  path: '/numbers',
  tags: ['set-up'],
  summary: 'Register a business number',
  description:
    'For 360dialog `access_token` is the API key. Enter `webhook_url` there, with `webhook_headers` or with the secret that ' +
    'signs webhooks in `webhook_secret`.',
  security: bearer,
  request: body(newNumber),
  responses: {
    201: json('The number is registered', created),
    ...refusals,
    409: problemContent('A number with this `phone_number_id` is registered already'),
    503: noBucket,
  },
});

const list = createRoute({
  method: 'get',
  path: '/numbers',
  tags: ['set-up'],
  summary: 'List the business numbers',
  security: bearer,
  responses: { 200: json('All numbers', z.object({ data: z.array(numberView) })), ...refusals },
});

const show = createRoute({
  method: 'get',
  path: '/numbers/{id}',
  tags: ['set-up'],
  summary: 'One business number',
  security: bearer,
  request: { params: numberId },
  responses: { 200: json('The number', numberView), ...refusals, 404: noSuchNumber },
});

const change = createRoute({
  method: 'patch',
  path: '/numbers/{id}',
  tags: ['set-up'],
  summary: 'Change a business number',
  description: 'Members that are left out stay as they are; null clears.',
  security: bearer,
  request: { params: numberId, ...body(numberPatch) },
  responses: {
    200: json('The number as it is now', numberView),
    ...refusals,
    404: noSuchNumber,
    503: noBucket,
  },
});

export function numberRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(create, async (c) => {
    requireAdmin(c.var.principal);
    const input = c.req.valid('json');
    await checkRecording(services, input);
    const wanted = numberOf(input, services.now());
    const isDialog = wanted.provider === '360dialog';
    const secret = isDialog ? (input.webhook_secret ?? newSecret('rlw')) : null;
    const number = await services.numbers.add(wanted, {
      accessTokenSealed: await sealToken(services, wanted.id, input.access_token),
      webhookSecretSealed: secret && (await sealWebhookSecret(services, wanted.id, secret)),
    });
    if (!number) {
      throw new Problem('conflict', 'A number with this `phone_number_id` is registered already');
    }
    const isGenerated = isDialog && input.webhook_secret === undefined;
    const headers = isGenerated ? { webhook_headers: { Authorization: `Bearer ${secret}` } } : {};
    return c.json({ ...viewOfNumber(number, c.req.url), ...headers }, 201);
  });
  app.openapi(list, async (c) => {
    requireAdmin(c.var.principal);
    const numbers = await services.directory.numbers();
    return c.json({ data: numbers.map((number) => viewOfNumber(number, c.req.url)) }, 200);
  });
  app.openapi(show, async (c) => {
    requireAdmin(c.var.principal);
    const number = await services.numbers.find(c.req.valid('param').id as NumberId);
    if (!number) throw new Problem('not-found', 'There is no number with this id');
    return c.json(viewOfNumber(number, c.req.url), 200);
  });
  app.openapi(change, async (c) => {
    requireAdmin(c.var.principal);
    const id = c.req.valid('param').id as NumberId;
    const input = c.req.valid('json');
    if (!(await services.numbers.find(id))) {
      throw new Problem('not-found', 'There is no number with this id');
    }
    await checkRecording(services, input);
    const number = await services.numbers.change(id, await changeOf(services, id, input));
    // Numbers are never deleted, so it is the prompt that has gone since it was looked at.
    if (!number) throw noSuchAnnouncement();
    return c.json(viewOfNumber(number, c.req.url), 200);
  });
  return app;
}

const noSuchAnnouncement = (): Problem =>
  invalidField('recording_announcement', 'the id of a prompt');

/** @throws Problem `not-configured` where nothing can be recorded, `invalid-request` for an announcement that is not there */
async function checkRecording(
  services: Services,
  input: Pick<z.infer<typeof numberPatch>, 'recording' | 'recording_announcement'>,
): Promise<void> {
  const { recording, recording_announcement: promptId } = input;
  if (recording === 'always' || typeof promptId === 'string') requireAudio(services);
  if (typeof promptId === 'string' && !(await services.prompts.find(promptId))) {
    throw noSuchAnnouncement();
  }
}

const sealToken = (services: Services, id: NumberId, token: string): Promise<string> =>
  seal(services.config.TOKEN_ENCRYPTION_KEYS, id, token);

/** The owner differs from that of the access token, so that neither opens in the other's place. */
export const webhookSecretOwner = (id: NumberId): string => `${id}:webhook`;
const sealWebhookSecret = (services: Services, id: NumberId, secret: string): Promise<string> =>
  seal(services.config.TOKEN_ENCRYPTION_KEYS, webhookSecretOwner(id), secret);

const numberOf = (input: z.infer<typeof newNumber>, nowMs: number): BusinessNumber => ({
  id: crypto.randomUUID() as NumberId,
  provider: input.provider,
  phoneNumberId: input.phone_number_id,
  displayPhoneNumber: input.display_phone_number,
  apiBaseUrl: input.api_base_url ?? null,
  businessAccountId: input.business_account_id ?? null,
  appId: input.app_id ?? null,
  forwardUrl: input.forward_url ?? null,
  fallbackText: input.fallback_text ?? null,
  recording: input.recording,
  recordingAnnouncement: input.recording_announcement,
  recordingRetentionDays: input.recording_retention_days,
  calling: null,
  restrictions: [],
  webhookAtMs: null,
  createdAtMs: nowMs,
});

async function changeOf(
  services: Services,
  id: NumberId,
  input: z.infer<typeof numberPatch>,
): Promise<NumberChange> {
  const { access_token: token, webhook_secret: secret } = input;
  const given = <K extends string, V>(key: K, value: V | undefined) =>
    value === undefined ? {} : ({ [key]: value } as Record<K, V>);
  return {
    ...given('displayPhoneNumber', input.display_phone_number),
    ...given('apiBaseUrl', input.api_base_url),
    ...given('businessAccountId', input.business_account_id),
    ...given('appId', input.app_id),
    ...given('forwardUrl', input.forward_url),
    ...given('fallbackText', input.fallback_text),
    ...given('recording', input.recording),
    ...given('recordingAnnouncement', input.recording_announcement),
    ...given('recordingRetentionDays', input.recording_retention_days),
    ...given('accessTokenSealed', token && (await sealToken(services, id, token))),
    ...given('webhookSecretSealed', secret && (await sealWebhookSecret(services, id, secret))),
  };
}
