// A business number as the API shows it.
import { z } from '@hono/zod-openapi';
import { iso } from '../call-view.ts';
import { PROVIDER_NAMES, type BusinessNumber } from '../ports.ts';

export const numberView = z
  .object({
    id: z.string(),
    provider: z.enum(PROVIDER_NAMES),
    phone_number_id: z.string(),
    display_phone_number: z.string(),
    api_base_url: z.string().nullable(),
    business_account_id: z.string().nullable(),
    app_id: z.string().nullable(),
    forward_url: z.string().nullable(),
    fallback_text: z.string().nullable(),
    recording: z.enum(['off', 'always']),
    recording_announcement: z.string().nullable(),
    recording_retention_days: z.int().nullable(),
    webhook_url: z.string().openapi({ description: 'Where the provider sends webhooks' }),
    webhook_at: z.iso.datetime().nullable().openapi({
      description: 'When a webhook for this number last came, to the minute',
    }),
    created_at: z.iso.datetime(),
  })
  .openapi('Number');

/** Where the provider of a number sends its webhooks, as seen from the request that asks. */
export function webhookUrl({ provider, id }: BusinessNumber, requestUrl: string): string {
  const path = provider === 'meta' ? '/webhooks/whatsapp' : `/webhooks/360dialog/${id}`;
  return new URL(path, requestUrl).href;
}

export const viewOfNumber = (
  number: BusinessNumber,
  requestUrl: string,
): z.infer<typeof numberView> => ({
  id: number.id,
  provider: number.provider,
  phone_number_id: number.phoneNumberId,
  display_phone_number: number.displayPhoneNumber,
  api_base_url: number.apiBaseUrl,
  business_account_id: number.businessAccountId,
  app_id: number.appId,
  forward_url: number.forwardUrl,
  fallback_text: number.fallbackText,
  recording: number.recording,
  recording_announcement: number.recordingAnnouncement,
  recording_retention_days: number.recordingRetentionDays,
  webhook_url: webhookUrl(number, requestUrl),
  webhook_at: number.webhookAtMs === null ? null : iso(number.webhookAtMs),
  created_at: iso(number.createdAtMs),
});
