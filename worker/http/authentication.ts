// Who is asking: the operator, a program or a person by a key in a header; a person by the session of their browser, or by what
// Cloudflare Access says of them. Keys are compared as hashes.
import type { Context, MiddlewareHandler } from 'hono';
import { ACCESS_HEADER } from '../adapters/access-tokens.ts';
import { matchesHash, sha256Hex } from '../adapters/sealed-secret.ts';
import { SECRET_CHARS_MAX } from '../config.ts';
import { sessionEndMs, USE_NOTED_MS } from '../domain/session.ts';
import { OPERATOR, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { Problem } from './problems.ts';
import { requireOwnPage, sessionTokenOf } from './session-cookie.ts';

export type AppEnv = {
  Variables: {
    principal: Principal;
    /** What the browser sent by itself, and any page could make it send; null for a key. */
    ambient: string | null;
  };
};

/** Begins the keys of programs; those of people begin with `rla`. */
export const PROGRAM_KEY_PREFIX = 'rlk';

/** Tokens of Access hold what the identity provider says of a person, in characters. */
const ACCESS_TOKEN_CHARS_MAX = 8_192;

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

/** Requires a valid key, session or token of Access, and tells the routes whose it is. */
export function authenticate(services: Services, guard: KeyGuard): MiddlewareHandler<AppEnv> {
  return async function authenticateRequest(c, next) {
    const shown = shownBy(services, c);
    if (!shown) {
      throw new Problem('unauthenticated', 'Expected `Authorization: Bearer <key>`, or a session');
    }
    const hash = await sha256Hex(shown.secret);
    const principal = await guard.check(sourceOf(c), hash, () => find(services, shown, hash));
    if (!principal) throw new Problem('unauthenticated', REFUSALS[shown.kind]);
    const isAmbient = shown.kind !== 'key';
    if (isAmbient) await requireOwnPage(c, shown.secret);
    c.set('principal', principal);
    c.set('ambient', isAmbient ? shown.secret : null);
    await next();
  };
}

/**
 * Whom a request that was let in belongs to now: what it showed may have been revoked meanwhile.
 *
 * @returns null when it would not be let in any more
 */
export async function identifyAgain(services: Services, c: Context): Promise<Principal | null> {
  const shown = shownBy(services, c);
  return shown && find(services, shown, await sha256Hex(shown.secret));
}

interface Shown {
  readonly kind: 'key' | 'session' | 'access';
  readonly secret: string;
}

const REFUSALS: Readonly<Record<Shown['kind'], string>> = {
  key: 'The key is not known, or not any more',
  session: 'The session is over: sign in again',
  access: 'The token of Cloudflare Access is not valid for this server',
};

/** What is shown in a header counts before what the browser sends by itself. */
function shownBy(services: Services, c: Context): Shown | null {
  const key = bearerOf(c);
  if (key !== null) return { kind: 'key', secret: key };
  if (c.req.header('authorization') !== undefined) return null;
  const token = sessionTokenOf(c);
  if (token !== null) return { kind: 'session', secret: token };
  const assertion = services.access && c.req.header(ACCESS_HEADER);
  const isToken = assertion && assertion.length <= ACCESS_TOKEN_CHARS_MAX;
  return isToken ? { kind: 'access', secret: assertion } : null;
}

function find(
  services: Services,
  { kind, secret }: Shown,
  hash: string,
): Promise<Principal | null> {
  switch (kind) {
    case 'key':
      return findKey(services, secret, hash);
    case 'session':
      return findSession(services, hash);
    case 'access':
      return findByAccess(services, secret, hash);
  }
}

async function findKey(services: Services, key: string, hash: string): Promise<Principal | null> {
  if (await matchesHash(key, await sha256Hex(services.config.ADMIN_API_KEY))) return OPERATOR;
  if (key.startsWith(`${PROGRAM_KEY_PREFIX}_`)) return findProgram(services, hash);
  const rights = await services.rights.byKey(hash);
  return rights && { ...rights, keyHash: hash };
}

async function findProgram(services: Services, hash: string): Promise<Principal | null> {
  const found = await services.rights.byApiKey(hash);
  if (!found) return null;
  const { rights, expiresAtMs, lastUsedAtMs } = found;
  const nowMs = services.now();
  if (expiresAtMs !== null && expiresAtMs <= nowMs) return null;
  if (nowMs - (lastUsedAtMs ?? 0) >= USE_NOTED_MS) {
    services.later(services.apiKeys.noteUse(rights.actor, nowMs));
  }
  return { ...rights, keyHash: hash, ...(expiresAtMs === null ? {} : { untilMs: expiresAtMs }) };
}

/** @param hash of the session's token */
export async function findSession(services: Services, hash: string): Promise<Principal | null> {
  const found = await services.rights.bySession(hash);
  const nowMs = services.now();
  if (!found || sessionEndMs(found.times) <= nowMs) return null;
  const isUseNoted = nowMs - found.times.lastUsedAtMs < USE_NOTED_MS;
  if (!isUseNoted) services.later(services.sessions.noteUse(hash, nowMs));
  const untilMs = sessionEndMs({ ...found.times, lastUsedAtMs: nowMs });
  return { ...found.rights, keyHash: hash, untilMs };
}

async function findByAccess(
  services: Services,
  token: string,
  hash: string,
): Promise<Principal | null> {
  const verdict = await services.access?.verify(token);
  if (verdict === undefined || verdict === 'invalid') return null;
  if (verdict === 'unknown') {
    throw new Problem('access-away', 'The keys of Cloudflare Access cannot be read', {}, 5);
  }
  const rights = verdict === 'nobody' ? null : await services.rights.byEmail(verdict.email);
  if (!rights || verdict === 'nobody') {
    throw new Problem('forbidden', 'No agent has the e-mail address that you signed in with');
  }
  return { ...rights, keyHash: hash, untilMs: verdict.expiresAtMs };
}
