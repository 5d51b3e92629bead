// The worker's configuration: read once from its bindings, every problem named at once, no value ever shown.
import { z } from 'zod';

const secretKeys = z.string().transform((value, ctx) => {
  const keys = value.split(',').map((item) => {
    const [id = '', encoded = ''] = item.trim().split(/:(.*)/s);
    return { id, bytes: bytesFromBase64(encoded) };
  });
  for (const key of keys) {
    if (!/^[\w-]{1,32}$/.test(key.id) || key.bytes?.length !== 32) {
      ctx.addIssue('expected `id:base64` of 32 bytes, comma-separated for rotation');
      return z.NEVER;
    }
  }
  return keys as { id: string; bytes: Uint8Array }[];
});

const relaySecrets = z
  .string()
  .optional()
  .transform((value, ctx) => {
    const entries = (value ?? '').split(',').filter((item) => item.trim() !== '');
    const pairs = entries.map((item) => item.trim().split('='));
    if (pairs.some((pair) => pair.length !== 2 || !/^[0-9a-f]{64}$/.test(pair[1] ?? ''))) {
      ctx.addIssue('expected `relay id=SHA-256 of its secret as 64 hex digits`, comma-separated');
      return z.NEVER;
    }
    return new Map(pairs as [string, string][]);
  });

/**
 * An address that may be sent requests with somebody's data: https, or plain http on this machine.
 *
 * @param text an absolute URL
 */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);

/** Longest key or secret that a request may show, in characters; our own have 47. */
export const SECRET_CHARS_MAX = 512;

/** Spec: Standard Webhooks 1.0, "Signature scheme": 24 to 64 bytes. */
const SIGNING_SECRET = /^whsec_(?=.{32,88}$)(?:[\w+/]{4})*(?:[\w+/]{4}|[\w+/]{3}=|[\w+/]{2}==)$/;

const variables = z.object({
  /** App secrets that sign the provider's webhooks; all are accepted, for rotation. */
  META_APP_SECRET: z
    .string()
    .min(1)
    .transform((value) => value.split(',').map((item) => item.trim()))
    // An empty key would accept what anybody can sign.
    .refine((secrets) => secrets.every((secret) => secret !== ''), 'expected no empty secret'),
  META_VERIFY_TOKEN: z.string().min(1).max(SECRET_CHARS_MAX),
  /** Key of the role `admin`. */
  ADMIN_API_KEY: z
    .string()
    .regex(/^\S{16,512}$/, `expected 16 to ${SECRET_CHARS_MAX} characters without spaces`),
  /** The first key encrypts, all decrypt. */
  TOKEN_ENCRYPTION_KEYS: secretKeys,
  RELAY_SECRETS: relaySecrets,
  LIVEKIT_URL: z.url({
    protocol: /^(wss?|https?)$/,
    error: 'expected a ws(s):// or http(s):// URL',
  }),
  LIVEKIT_API_KEY: z.string().min(1),
  LIVEKIT_API_SECRET: z.string().min(1),
  /** Version of the Graph API in request paths. */
  GRAPH_VERSION: z
    .string()
    .regex(/^v\d{2}\.\d$/, 'expected a version such as v25.0')
    .default('v25.0'),
  /** Where webhook bodies go that hold anything not ours, unless their number has an address of its own. Empty: nowhere. */
  DEFAULT_FORWARD_URL: z
    .string()
    .refine((value) => value === '' || isSafeUrl(value), 'expected an https:// URL')
    .transform((value) => (value === '' ? null : value))
    .optional(),
  /** Where the Switchboard should run: a Durable Object location hint, close to the D1 database. */
  LOCATION_HINT: z
    .enum(['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'])
    .optional(),
  /** Where people sign in before their requests come here, and the tag of that Access application. Empty: nowhere. */
  ACCESS_TEAM_DOMAIN: z
    .string()
    .regex(/^(|[a-z0-9-]+\.cloudflareaccess\.com)$/, 'expected <team>.cloudflareaccess.com')
    .default(''),
  ACCESS_AUD: z
    .string()
    .regex(/^[0-9a-f]{0,128}$/, 'expected the tag of the Access application, hex digits')
    .default(''),
  /** Signs the requests of `ask` steps. Comma-separated: all of them sign, for rotation. */
  ASK_SECRET: z
    .string()
    .default('')
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .refine(
      (secrets) => secrets.every((secret) => SIGNING_SECRET.test(secret)),
      'expected `whsec_` and the base64 of 24 to 64 random bytes, comma-separated for rotation',
    ),
  /** Endpoints of users may be plain http on this machine, for trying things out. */
  ALLOW_LOOPBACK: z
    .enum(['', '0', '1'], 'expected 1 or 0')
    .default('0')
    .transform((value) => value === '1'),
});

/** Every variable that the worker reads. */
export const settings = variables
  .refine(
    // A worker whose LiveKit is on this machine runs on it; one that was deployed could not reach it.
    ({ ALLOW_LOOPBACK, LIVEKIT_URL }) => !ALLOW_LOOPBACK || isLoopback(new URL(LIVEKIT_URL)),
    { path: ['ALLOW_LOOPBACK'], error: 'expected 0 unless LIVEKIT_URL is on this machine' },
  )
  // Tokens of every application of the team would do without the tag.
  .refine(
    ({ ACCESS_TEAM_DOMAIN, ACCESS_AUD }) => (ACCESS_TEAM_DOMAIN === '') === (ACCESS_AUD === ''),
    { path: ['ACCESS_AUD'], error: 'expected together with ACCESS_TEAM_DOMAIN' },
  );
export type Config = z.infer<typeof settings>;

/** Thrown when the worker cannot run as configured; the message names every problem and holds no value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws ConfigError naming every variable that is missing or malformed */
export function parseConfig(env: Record<string, unknown>): Config {
  const result = settings.safeParse(env);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return env[name] === undefined ? `${name} is not set` : `${name}: ${issue.message}`;
  });
  throw new ConfigError(`Roomline is not configured: ${problems.join('; ')}`);
}

function bytesFromBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}
