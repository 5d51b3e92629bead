// Who is asking: the operator's key, an agent's key, or a relay's secret. Keys are compared as hashes.
import type { Context, MiddlewareHandler } from 'hono';
import { sha256Hex } from '../adapters/sealed-secret.ts';
import type { Services } from '../services.ts';
import type { Agent } from '../ports.ts';
import { Problem } from './problems.ts';

export type Principal =
  { readonly role: 'admin' } | { readonly role: 'agent'; readonly agent: Agent };

export type AppEnv = { Variables: { principal: Principal } };

/** Browsers cannot set headers on a WebSocket, so the key may come as the subprotocol `bearer.<key>` there. */
const SUBPROTOCOL_PREFIX = 'bearer.';

export function bearerOf(c: Context): string | null {
  const header = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '');
  if (header?.[1]) return header[1];
  const offered = (c.req.header('sec-websocket-protocol') ?? '').split(',');
  const carrier = offered
    .map((item) => item.trim())
    .find((item) => item.startsWith(SUBPROTOCOL_PREFIX));
  return carrier ? carrier.slice(SUBPROTOCOL_PREFIX.length) : null;
}

/** True when the secret hashes to `hashHex`; takes the same time wherever the two differ. */
export async function matchesHash(secret: string, hashHex: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const actual = encoder.encode(await sha256Hex(secret));
  const expected = encoder.encode(hashHex);
  return actual.length === expected.length && crypto.subtle.timingSafeEqual(actual, expected);
}

/** Requires a valid API key and tells the routes whose it is. */
export function authenticate(services: Services): MiddlewareHandler<AppEnv> {
  return async function authenticateRequest(c, next) {
    const key = bearerOf(c);
    if (key === null)
      throw new Problem('unauthenticated', 'Expected `Authorization: Bearer <key>`');
    c.set('principal', await principalOf(services, key));
    await next();
  };
}

async function principalOf(services: Services, key: string): Promise<Principal> {
  if (await matchesHash(key, await sha256Hex(services.config.ADMIN_API_KEY))) {
    return { role: 'admin' };
  }
  const agent = await services.directory.findAgentByKeyHash(await sha256Hex(key));
  if (!agent) throw new Problem('unauthenticated', 'The key is not known');
  return { role: 'agent', agent };
}

export function requireAdmin(principal: Principal): void {
  if (principal.role !== 'admin') throw new Problem('forbidden', 'Only the role admin may do that');
}
