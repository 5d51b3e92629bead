// Which contact somebody is: the one that any of their identities belongs to, or a new one.
import type { Directory } from '../adapters/directory-d1.ts';
import { keyedHashHex, type SealingKeys } from '../adapters/sealed-secret.ts';
import type { ContactIdentity } from '../domain/contact.ts';
import type { ContactId } from '../domain/ids.ts';
import type { Contact } from '../ports.ts';

/** 96 bits of a hash: two people never share one. */
const ID_HEX_DIGITS = 24;

/**
 * Finds the contact with these identities, or makes up a new one. Nothing is stored here.
 *
 * @param fallback what a contact without any identity is told apart by, such as the id of their one call
 */
export async function resolveContact(
  services: {
    readonly config: { readonly TOKEN_ENCRYPTION_KEYS: SealingKeys };
    readonly directory: Pick<Directory, 'findContactId'>;
  },
  identities: readonly ContactIdentity[],
  name: string | null,
  fallback: string,
): Promise<Contact> {
  const known = await services.directory.findContactId(identities);
  const id = known ?? (await newContactId(services.config, identities[0], fallback));
  return { id, name, identities };
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
