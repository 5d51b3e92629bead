// Secrets at rest: AES-256-GCM with rotating keys, and hashes of keys that only ever need to be compared.

/** The first key encrypts, all decrypt. */
export type SealingKeys = readonly { readonly id: string; readonly bytes: Uint8Array }[];

/** Spec: NIST SP 800-38D section 8.2.2, a 96-bit random nonce. */
const NONCE_BYTES = 12;

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

const importKey = (bytes: Uint8Array): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', new Uint8Array(bytes), 'AES-GCM', false, ['encrypt', 'decrypt']);

/**
 * Encrypts a secret for storage.
 *
 * @param owner id of the row that it belongs to, bound to the result so that it opens nowhere else
 * @returns `<key id>:<base64 nonce>:<base64 ciphertext>`
 */
export async function seal(keys: SealingKeys, owner: string, secret: string): Promise<string> {
  const [key] = keys;
  if (!key) throw new Error('no sealing key');
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(owner) },
    await importKey(key.bytes),
    new TextEncoder().encode(secret),
  );
  return `${key.id}:${toBase64(iv)}:${toBase64(new Uint8Array(sealed))}`;
}

/**
 * Decrypts what `seal` made.
 *
 * @throws Error when the key is not configured any more, or the text was altered or belongs to another owner
 */
export async function unseal(keys: SealingKeys, owner: string, sealed: string): Promise<string> {
  const [keyId, iv = '', text = ''] = sealed.split(':');
  const key = keys.find(({ id }) => id === keyId);
  if (!key)
    throw new Error(
      'a stored secret was sealed with a key that TOKEN_ENCRYPTION_KEYS no longer holds',
    );
  const secret = await crypto.subtle.decrypt(
    { name: 'AES-GCM', iv: fromBase64(iv), additionalData: new TextEncoder().encode(owner) },
    await importKey(key.bytes),
    fromBase64(text),
  );
  return new TextDecoder().decode(secret);
}

const toHex = (buffer: ArrayBuffer): string =>
  [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** HMAC-SHA256 as lower-case hex: a hash that nobody without the key can try values against. */
export async function keyedHashHex(keys: SealingKeys, text: string): Promise<string> {
  const [first] = keys;
  if (!first) throw new Error('no key');
  return hmacHex(first.bytes, text);
}

/** The same with any key of high entropy, which cannot be told from it. */
export async function hmacHex(secret: Uint8Array, text: string): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', new Uint8Array(secret), algorithm, false, [
    'sign',
  ]);
  return toHex(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(text)));
}

/** SHA-256 as lower-case hex. Of secrets only for those of high entropy; they need no salt. */
export async function sha256Hex(content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return toHex(await crypto.subtle.digest('SHA-256', bytes));
}

/** True when the secret hashes to `hashHex`; takes the same time wherever the two differ. */
export async function matchesHash(secret: string, hashHex: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const actual = encoder.encode(await sha256Hex(secret));
  const expected = encoder.encode(hashHex);
  return actual.length === expected.length && crypto.subtle.timingSafeEqual(actual, expected);
}

/** A new key or secret with 256 random bits: the prefix, an underscore and 43 base64url characters. */
export function newSecret(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const text = toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  return `${prefix}_${text}`;
}
