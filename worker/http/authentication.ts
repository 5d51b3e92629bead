// Who is asking: the operator's key, an agent's key, or a relay's secret. Keys are compared as hashes.
import type { Context, MiddlewareHandler } from 'hono';
import { sha256Hex } from '../adapters/sealed-secret.ts';
import { SECRET_CHARS_MAX } from '../config.ts';
import { OPERATOR, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { Problem } from './problems.ts';

export type AppEnv = { Variables: { principal: Principal } };

/** Browsers cannot set headers on a WebSocket, so the key may come as the subprotocol `bearer.<key>` there. */
const SUBPROTOCOL_PREFIX = 'bearer.';

/** @returns null also for a key that is longer than any */
export function bearerOf(c: Context): string | null {
  const header = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '');
  const key = header?.[1] ?? subprotocolKey(c);
  return key === undefined || key.length > SECRET_CHARS_MAX ? null : key;
}

function subprotocolKey(c: Context): string | undefined {
  const offered = (c.req.header('sec-websocket-protocol') ?? '').split(',');
  return offered
    .map((item) => item.trim())
    .find((item) => item.startsWith(SUBPROTOCOL_PREFIX))
    ?.slice(SUBPROTOCOL_PREFIX.length);
}

/** True when the secret hashes to `hashHex`; takes the same time wherever the two differ. */
export async function matchesHash(secret: string, hashHex: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const actual = encoder.encode(await sha256Hex(secret));
  const expected = encoder.encode(hashHex);
  return actual.length === expected.length && crypto.subtle.timingSafeEqual(actual, expected);
}

/** Requires a valid API key and tells the routes whose it is. */
export function authenticate(services: Services, guard: KeyGuard): MiddlewareHandler<AppEnv> {
  return async function authenticateRequest(c, next) {
    const key = bearerOf(c);
    if (key === null)
      throw new Problem('unauthenticated', 'Expected `Authorization: Bearer <key>`');
    const keyHash = await sha256Hex(key);
    const principal = await guard.check(sourceOf(c), keyHash, () =>
      principalOf(services, key, keyHash),
    );
    if (!principal) throw new Problem('unauthenticated', 'The key is not known');
    c.set('principal', principal);
    await next();
  };
}

async function principalOf(
  services: Services,
  key: string,
  keyHash: string,
): Promise<Principal | null> {
  if (await matchesHash(key, await sha256Hex(services.config.ADMIN_API_KEY))) {
    return OPERATOR;
  }
  const agent = await services.directory.findAgentByKeyHash(keyHash);
  return agent && { role: agent.role, agent, teams: null, keyHash, actor: agent.id };
}
