// Requests to endpoints of users, signed as Standard Webhooks says, so that they know whose they are.
import { Webhook } from 'standardwebhooks';

/** What is sent once, or again: the id stays, the time is that of the attempt. */
export interface SignedMessage {
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** Each signs: the receiver looks for one that it knows. */
  readonly secrets: readonly string[];
  readonly atMs: number;
}

/** Spec: Standard Webhooks 1.0, "Webhook headers": signatures are separated by spaces. */
export const signatureHeaders = ({
  id,
  body,
  secrets,
  atMs,
}: SignedMessage): Record<string, string> => ({
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(atMs / 1000)),
  'webhook-signature': secrets
    .map((secret) => new Webhook(secret).sign(id, new Date(atMs), body))
    .join(' '),
});

/**
 * Sends a message once. Redirects are not followed: they could lead to where no address may.
 *
 * @param url has passed `refusalOfAddress`
 * @param timeoutMs for the whole of it, the reply's body included
 * @throws when no reply came in time
 */
export const postSigned = (
  url: string,
  message: SignedMessage,
  timeoutMs: number,
): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Roomline',
      ...signatureHeaders(message),
    },
    body: message.body,
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
  });

/**
 * How long a `Retry-After` header asks to wait. Spec: RFC 9110 section 10.2.3, seconds or a date.
 *
 * @returns ms, null when it says nothing that can be read
 */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

/** A new secret in the form that libraries of Standard Webhooks take: 32 random bytes. Spec: 24 to 64. */
export function newSigningSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}
