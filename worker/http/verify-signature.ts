// Signatures over raw webhook bytes.

const HEADER = /^(?:sha256=)?([0-9a-f]{64})$/i;

/**
 * Checks `X-Hub-Signature-256` of Meta or `x-360dialog-signature`. Provider: HMAC-SHA256 over the raw body with the app secret,
 * hex, prefixed `sha256=` (Meta, Webhooks getting started, read 2026-06); with the partner's secret, hex, with or without that
 * prefix (360dialog, webhook signature, read 2026-06).
 *
 * @param secrets all are accepted, so that a secret can be rotated
 * @param header undefined or malformed counts as not signed
 */
export async function isSignedBy(
  secrets: readonly string[],
  header: string | undefined,
  body: ArrayBuffer,
): Promise<boolean> {
  const hex = HEADER.exec(header ?? '')?.[1];
  if (!hex) return false;
  const signature = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  for (const secret of secrets) {
    const key = await crypto.subtle.importKey(
      'raw',
      new TextEncoder().encode(secret),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    );
    // Takes the same time wherever the two differ.
    if (await crypto.subtle.verify('HMAC', key, signature, body)) return true;
  }
  return false;
}
