// The cookie that keeps a browser signed in, and what shows that a request with it comes from a page of our own.
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { hmacHex, matchesHash, sha256Hex } from '../adapters/sealed-secret.ts';
import { isSafeUrl } from '../config.ts';
import { Problem } from './problems.ts';

const NAME = 'roomline_session';
export const CSRF_HEADER = 'x-csrf-token';

/**
 * Browsers take a name with this prefix only over https, for this host alone and the whole of it.
 * Spec: RFC 6265bis section 4.1.3.2.
 */
const prefixOf = (c: Context): 'host' | undefined => (isHttps(c) ? 'host' : undefined);
const isHttps = (c: Context): boolean => new URL(c.req.url).protocol === 'https:';

const ownOrigin = (c: Context): string => new URL(c.req.url).origin;

export const sessionTokenOf = (c: Context): string | null =>
  getCookie(c, NAME, prefixOf(c)) ?? null;

export function giveSession(c: Context, token: string, maxAgeMs: number): void {
  const prefix = prefixOf(c);
  setCookie(c, NAME, token, {
    ...(prefix ? { prefix } : {}),
    httpOnly: true,
    // Browsers keep no such cookie of a plain address, and on this machine there is no other.
    secure: isHttps(c) || !isSafeUrl(c.req.url),
    // Pages of others cannot even ask with it; the console is one page, which is loaded before it asks anything.
    sameSite: 'Strict',
    path: '/',
    maxAge: Math.floor(maxAgeMs / 1000),
  });
}

export function takeSession(c: Context): void {
  const prefix = prefixOf(c);
  deleteCookie(c, NAME, { ...(prefix ? { prefix } : {}), secure: isHttps(c), path: '/' });
}

/** What a page of our own can read and no other: made of the secret that the browser sends by itself, which cannot be told from it. */
export const csrfTokenOf = (secret: string): Promise<string> =>
  hmacHex(new TextEncoder().encode(secret), 'csrf');

/** @throws Problem `foreign-page` for a request that a browser says another page has made */
export function requireOwnOrigin(c: Context): void {
  const origin = c.req.header('origin');
  if (origin !== undefined && origin !== ownOrigin(c)) {
    throw new Problem('foreign-page', 'Pages of other origins have to show a key');
  }
}

/**
 * Browsers send cookies, and what Cloudflare Access makes of its own, with requests of any page. Those that change something
 * must show that their page could read the answer to `GET /v1/session`. Browsers always say which page opens a WebSocket.
 *
 * @param secret what the browser sent by itself
 * @throws Problem `foreign-page`
 */
export async function requireOwnPage(c: Context, secret: string): Promise<void> {
  requireOwnOrigin(c);
  if (c.req.header('upgrade') !== undefined) {
    if (c.req.header('origin') !== undefined) return;
    throw new Problem('foreign-page', 'Expected an `Origin`, as browsers send it, or a key');
  }
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return;
  const shown = c.req.header(CSRF_HEADER) ?? '';
  if (await matchesHash(shown, await sha256Hex(await csrfTokenOf(secret)))) return;
  throw new Problem('foreign-page', 'Expected `X-CSRF-Token` as `GET /v1/session` tells it');
}
