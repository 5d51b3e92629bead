// Which rule would take a call, and why none before it: with what is known of the caller, and who is at work now.
import { identitiesOf, type ContactIdentity } from '../domain/contact.ts';
import type { NumberId } from '../domain/ids.ts';
import { route, type CallFacts, type Route } from '../domain/route.ts';
import type { RuleSet } from '../domain/rules.ts';
import { invalidField } from '../http/problems.ts';
import type { Services } from '../services.ts';
import { routingFacts } from './routing-facts.ts';
import { requireSound } from './save-rules.ts';

/** A call that there is not; what is null is unknown, or as it is now. */
export interface Supposed {
  readonly callId: string;
  readonly numberId: string;
  /** E.164 digits. */
  readonly phone: string | null;
  readonly contactId: string | null;
  readonly payload: string | null;
  readonly atMs: number;
  readonly availableTeams: readonly string[] | null;
  /** A set that is not in force. */
  readonly draft: RuleSet | null;
}

export interface Explained {
  /** Of the rules that were asked; null for a draft. */
  readonly version: number | null;
  readonly rules: RuleSet;
  readonly route: Route;
  readonly facts: CallFacts;
}

/** @throws Problem `invalid-rules` for a draft with errors; `invalid-request` for a number or a contact that there is not */
export async function explainRoute(services: Services, call: Supposed): Promise<Explained> {
  const { callId, numberId, payload, draft } = call;
  if (draft) await requireSound(services, draft);
  const [number, identities, inForce, availableTeams] = await Promise.all([
    services.numbers.find(numberId as NumberId),
    identitiesFor(services, call),
    draft ? { version: null, rules: draft } : services.rules.current(),
    call.availableTeams ?? teamsAtWork(services),
  ]);
  if (!number) throw invalidField('number_id', 'the id of a number');
  const known = await services.callers.find(identities);
  const phone = identities.find(({ kind }) => kind === 'phone')?.value ?? null;
  const facts: CallFacts = {
    callId,
    numberId,
    phone,
    payload,
    ...routingFacts(number, phone, known),
    availableTeams: new Set(availableTeams),
  };
  const { version, rules } = inForce;
  return { version, rules, route: route(rules, facts, call.atMs), facts };
}

async function identitiesFor(
  services: Services,
  { phone, contactId }: Supposed,
): Promise<readonly ContactIdentity[]> {
  if (contactId === null) return phone === null ? [] : identitiesOf({ phone });
  const contact = await services.contacts.find(contactId);
  if (!contact) throw invalidField('contact_id', 'the id of a contact');
  return contact.identities;
}

async function teamsAtWork(services: Services): Promise<string[]> {
  const presences = await services.switchboard().presences();
  return presences.flatMap(({ presence, teams }) => (presence === 'available' ? teams : []));
}
