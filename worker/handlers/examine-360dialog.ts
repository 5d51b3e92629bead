// Checks that only 360dialog can answer: the API key, and where it sends webhooks.
import { z } from 'zod';
import { isTokenFailure } from '../adapters/graph.ts';
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import type { Checks, Patient } from './examine-number.ts';
import { said } from './examine-verdicts.ts';

export const dialogChecks = (patient: Patient): Checks => ({
  token: () => apiKey(patient),
  'messaging-limit': () =>
    cannotTell('360dialog does not tell it', 'Calling needs 2,000 a day: see the WhatsApp Manager'),
  'webhook-address': () => webhookAddress(patient),
});

async function apiKey({ provider }: Patient): Promise<Finding> {
  const settings = await provider.readSettings();
  if (settings.ok) return fine('360dialog takes the API key');
  return isTokenFailure(settings)
    ? problem(said(settings), 'Make a new API key in the 360dialog Hub and PATCH access_token')
    : cannotTell(said(settings), 'Try again later');
}

/** Provider: 360dialog, webhook configuration of a number, read 2026-06. */
const configured = z.looseObject({ url: z.string() });

async function webhookAddress({ provider, webhookUrl }: Patient): Promise<Finding> {
  const reply = await provider.get('v1/configs/webhook');
  if (!reply.ok) return cannotTell(said(reply), 'See the check `token`');
  const parsed = configured.safeParse(reply.value);
  const remedy = `POST /v1/configs/webhook { "url": "${webhookUrl}" } with the headers shown at registration`;
  if (!parsed.success || parsed.data.url === '') {
    return problem('No webhook address is configured for the number', remedy);
  }
  // One for the whole business account may stand above it, so another address is no proof of a mistake.
  return parsed.data.url === webhookUrl
    ? fine('Webhooks of the number come here')
    : cannotTell('Webhooks of the number go to another address', remedy);
}
