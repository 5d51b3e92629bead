// Relays show a secret of their own; it opens what is under their own id and nothing else.
import type { Context } from 'hono';
import { matchesHash, sha256Hex } from '../adapters/sealed-secret.ts';
import { relayOf, type RelayId } from '../domain/ids.ts';
import type { Services } from '../services.ts';
import { bearerOf } from './authentication.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { Problem } from './problems.ts';

/**
 * @param id of a relay, or of one of its processes
 * @returns the same id
 * @throws Problem `unauthenticated`
 */
export async function authenticateRelay(
  services: Services,
  guard: KeyGuard,
  c: Context,
  id: string,
): Promise<RelayId> {
  const secret = bearerOf(c);
  const key = await sha256Hex(`${relayOf(id)}\n${secret ?? ''}`);
  const find = () => findRelay(services, c, id);
  const relayId = secret === null ? null : await guard.check(sourceOf(c), key, find);
  if (relayId === null)
    throw new Problem('unauthenticated', 'The relay or its secret is not known');
  return relayId;
}

/** The same id; null unless the request shows the secret of its relay. */
export async function findRelay(
  services: Services,
  c: Context,
  id: string,
): Promise<RelayId | null> {
  const secret = bearerOf(c);
  if (secret === null) return null;
  const relay = relayOf(id);
  const hash =
    services.config.RELAY_SECRETS.get(relay) ??
    (await services.directory.findRelaySecretHash(relay));
  return hash !== null && (await matchesHash(secret, hash)) ? (id as RelayId) : null;
}
