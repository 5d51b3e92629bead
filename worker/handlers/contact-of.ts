// Which contact somebody is, the one that any of their identities belongs to or a new one, and how the provider is told whom we
// mean.
import type { FindCaller } from '../adapters/caller-reader-d1.ts';
import { keyedHashHex, type SealingKeys } from '../adapters/sealed-secret.ts';
import type { UserAddress } from '../adapters/provider.ts';
import type { ContactIdentity } from '../domain/contact.ts';
import type { ContactId } from '../domain/ids.ts';
import type { Contact } from '../ports.ts';

/** 96 bits of a hash: two people never share one. */
const ID_HEX_DIGITS = 24;

export interface ResolvedContact extends Contact {
  /** Not stored yet. */
  readonly isNew: boolean;
}

/** What finding a contact takes. */
export interface ContactSource {
  readonly config: { readonly TOKEN_ENCRYPTION_KEYS: SealingKeys };
  readonly callers: { readonly find: FindCaller };
}

/**
 * Finds the contact with these identities, or makes up a new one. Nothing is stored here.
 *
 * @param fallback what a contact without any identity is told apart by, such as the id of their one call
 */
export async function resolveContact(
  services: ContactSource,
  identities: readonly ContactIdentity[],
  name: string | null,
  fallback: string,
): Promise<ResolvedContact> {
  const known = await services.callers.find(identities);
  return contactOf(services.config, known?.id ?? null, identities, name, fallback);
}

/** The same for somebody who was looked for already. */
export async function contactOf(
  config: ContactSource['config'],
  known: ContactId | null,
  identities: readonly ContactIdentity[],
  name: string | null,
  fallback: string,
): Promise<ResolvedContact> {
  const id = known ?? (await newContactId(config, identities[0], fallback));
  return { id, name, identities, isNew: known === null };
}

/**
 * Two first contacts with one person at the same moment must make one contact, so the id follows from the identity. It is keyed,
 * because phone numbers are few enough to try them all.
 */
async function newContactId(
  config: { readonly TOKEN_ENCRYPTION_KEYS: SealingKeys },
  identity: ContactIdentity | undefined,
  fallback: string,
): Promise<ContactId> {
  const name = identity ? `${identity.kind}\n${identity.value}` : `call\n${fallback}`;
  const hash = await keyedHashHex(config.TOKEN_ENCRYPTION_KEYS, name);
  return hash.slice(0, ID_HEX_DIGITS) as ContactId;
}

/** How the provider is told whom we mean; both absent for somebody who cannot be addressed. */
export function addressOf(identities: readonly ContactIdentity[]): UserAddress {
  const value = (kind: ContactIdentity['kind']) =>
    identities.find((identity) => identity.kind === kind)?.value;
  return { phone: value('phone'), bsuid: value('bsuid') ?? value('parent_bsuid') };
}
