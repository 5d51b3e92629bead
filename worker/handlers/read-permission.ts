// What is known about calling a contact, asked of the provider when the knowledge is not fresh.
import type { NumberId } from '../domain/ids.ts';
import type { JobFailure } from '../domain/job.ts';
import type { Ledger } from '../domain/permission-ledger.ts';
import { statusAt } from '../domain/permission-questions.ts';
import type { BusinessNumber, Contact } from '../ports.ts';
import type { Services } from '../services.ts';
import { addressOf } from './contact-of.ts';
import { openProvider } from './open-provider.ts';
import { recordOutcome } from './receive-permission.ts';

export type PermissionDeps = Pick<
  Services,
  'config' | 'directory' | 'contacts' | 'permissions' | 'now'
>;

export interface KnownPermission {
  readonly ledger: Ledger;
  /** Why the provider's word in it is older than it should be; null when it is not. */
  readonly stale: string | null;
}

/** An answer of the provider is used this long. */
const FRESH_MS = 60_000;
/**
 * Provider: the reference page allows 5 permission queries a second, the permissions page 100; read 2026-06. The lower one is kept,
 * per number and isolate; beyond it the provider answers 613 and the ledger is served as it is.
 */
const CHECKS_PER_SECOND = 5;

const recentChecks = new Map<NumberId, number[]>();

/**
 * The ledger of a number and a contact, at most a minute behind the provider. Never fails for the provider's sake: what is known
 * is returned with the reason why it could not be made fresh.
 *
 * @returns null when the number is not registered
 */
export async function readPermission(
  deps: PermissionDeps,
  numberId: NumberId,
  contact: Contact,
): Promise<KnownPermission | null> {
  const ledger = await deps.permissions.load(numberId, contact.id);
  const askedAtMs = deps.now();
  if (ledger.checkedAtMs !== null && askedAtMs - ledger.checkedAtMs < FRESH_MS) {
    return { ledger, stale: null };
  }
  const provider = await openProvider(deps, numberId);
  if (!provider) return null;
  if (!mayCheck(numberId, askedAtMs)) {
    return { ledger, stale: `more than ${CHECKS_PER_SECOND} checks a second` };
  }
  const reply = await provider.permission(addressOf(contact.identities));
  if (reply.ok) {
    const fact = { type: 'snapshot', atMs: askedAtMs, state: reply.value } as const;
    return { ledger: await recordOutcome(deps, numberId, contact.id, fact), stale: null };
  }
  // Observed: a number whose country has no outbound calls is refused here already, with 138013.
  const { code, retryAtMs } = reply;
  const fact = { type: 'dial-refused', atMs: askedAtMs, code, retryAtMs } as const;
  const isAboutCalls = reply.kind === 'refused' && code !== undefined;
  return {
    ledger: isAboutCalls ? await recordOutcome(deps, numberId, contact.id, fact) : ledger,
    stale: describe(reply),
  };
}

/** Whether the contact has given a permission that holds now, so that asking for one is needless. Stores a new contact. */
export async function isGrantedNow(
  deps: PermissionDeps,
  number: Pick<BusinessNumber, 'id'>,
  contact: Contact,
): Promise<boolean> {
  // A ledger belongs to a stored contact.
  await deps.contacts.save(contact, deps.now());
  const known = await readPermission(deps, number.id, contact);
  const status = known && statusAt(known.ledger, deps.now());
  return status === 'temporary' || status === 'permanent';
}

/** Takes one of this second's checks, if one is left. */
function mayCheck(numberId: NumberId, nowMs: number): boolean {
  const recent = (recentChecks.get(numberId) ?? []).filter((atMs) => atMs > nowMs - 1000);
  const isFree = recent.length < CHECKS_PER_SECOND;
  recentChecks.set(numberId, isFree ? [...recent, nowMs] : recent);
  return isFree;
}

const describe = ({ code, message }: JobFailure): string =>
  code === undefined ? message : `${code}: ${message}`;
