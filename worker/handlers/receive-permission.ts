// What webhooks and calls teach about permissions, written into the ledger of the number and the contact.
import { identitiesOf } from '../domain/contact.ts';
import type { ContactId, NumberId } from '../domain/ids.ts';
import type { Ledger } from '../domain/permission-ledger.ts';
import { statusAt } from '../domain/permission-questions.ts';
import { apply, type Fact } from '../domain/permission.ts';
import type { CallerFields, ProviderEvent } from '../domain/webhook.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';
import { resolveContact } from './contact-of.ts';

type Deps = Pick<Services, 'config' | 'callers' | 'contacts' | 'permissions' | 'now'>;

/**
 * Takes over the user's answer to a permission request, or what the provider decided for them.
 *
 * @returns whom it is about and whether they may be called by what is known now; null when the reply names nobody
 * @throws when it could not be stored; the webhook must then not be acknowledged
 */
export async function applyPermissionReply(
  deps: Deps,
  number: BusinessNumber,
  event: Extract<ProviderEvent, { type: 'permission-reply' }>,
): Promise<{ contactId: ContactId; isGranted: boolean } | null> {
  const contactId = await storedContactId(deps, event.user);
  if (contactId === null) return null;
  const { atMs, messageId, contextId, isGranted, isPermanent, expiresAtMs, isAutomatic } = event;
  const reply = { atMs, messageId, contextId, isGranted, isPermanent, expiresAtMs, isAutomatic };
  const ledger = await recordOutcome(deps, number.id, contactId, { type: 'reply', ...reply });
  const status = statusAt(ledger, deps.now());
  return { contactId, isGranted: status === 'temporary' || status === 'permanent' };
}

/** The user wrote: free-form messages may be sent for a day. */
export async function applyMessage(
  deps: Deps,
  number: BusinessNumber,
  event: Extract<ProviderEvent, { type: 'message' }>,
): Promise<void> {
  const contactId = await storedContactId(deps, event.user);
  if (contactId === null) return;
  await recordOutcome(deps, number.id, contactId, { type: 'message', atMs: event.atMs });
}

/**
 * Takes over how a call went, or anything else that the ledger can learn from. Safe to repeat.
 *
 * @param contactId of a stored contact
 * @returns the ledger as it is now
 */
export async function recordOutcome(
  { permissions, now }: Pick<Services, 'permissions' | 'now'>,
  numberId: NumberId,
  contactId: ContactId,
  fact: Fact,
): Promise<Ledger> {
  const nowMs = now();
  return permissions.update(numberId, contactId, nowMs, (ledger) => apply(ledger, fact, nowMs));
}

async function storedContactId(deps: Deps, user: CallerFields): Promise<ContactId | null> {
  const identities = identitiesOf(user);
  if (identities.length === 0) return null;
  const contact = await resolveContact(deps, identities, user.name ?? null, '');
  if (contact.isNew) await deps.contacts.save(contact, deps.now());
  return contact.id;
}
