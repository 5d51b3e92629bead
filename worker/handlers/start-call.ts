// A call that the business starts: checks what is known beforehand, then lets the Switchboard dial. Nothing is stored of a
// request that is refused here.
import { sha256Hex } from '../adapters/sealed-secret.ts';
import { iso, type CallView } from '../call-view.ts';
import type { AskWording, CallPolicy, Target } from '../domain/call.ts';
import type { Dial } from '../domain/call-event.ts';
import { identitiesOf } from '../domain/contact.ts';
import { agentIdentity, type CallId, type NumberId } from '../domain/ids.ts';
import { mayCall } from '../domain/permission-questions.ts';
import { outboundRestriction } from '../domain/restriction.ts';
import { invalidField, Problem } from '../http/problems.ts';
import type { BusinessNumber, Contact } from '../ports.ts';
import { hasRole, sightOf, type Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { seatFor, type Seat } from './command-call.ts';
import { resolveContact } from './contact-of.ts';
import { isGrantedNow } from './read-permission.ts';
import { policyOf } from './policy-of.ts';

export interface StartRequest {
  readonly numberId: string;
  /** Exactly one of the three. */
  readonly to?: string | undefined;
  readonly recipient?: string | undefined;
  readonly contactId?: string | undefined;
  readonly target: Target;
  readonly ringMs: number;
  readonly ask: { readonly wording: AskWording; readonly waitMs: number } | null;
  readonly principal: Principal;
  readonly idempotency: { readonly key: string; readonly requestText: string } | null;
}

/** How many hex digits of a hash or of random bits name a call. */
const ID_HEX_DIGITS = 24;

/**
 * Starts a call.
 *
 * @returns the call, and a seat in its room when the agent who asks is the one to be connected
 * @throws Problem naming the field, or what forbids the call and until when
 */
export async function startCall(
  services: Services,
  request: StartRequest,
): Promise<{ call: CallView; seat: Seat | null }> {
  const number = await services.directory.findNumber(request.numberId as NumberId);
  if (!number) throw invalidField('number_id', 'the id of a registered number');
  const id = await idOf(services, request);
  const contact = await contactOf(services, request, id);
  await checkTarget(services, request);
  checkNumber(number, services.now());
  const ask = await checkPermission(services, number, contact, request.ask);
  const claim = claimOf(request, services.now());
  const policy = policyOf(services, number);
  const dial = dialOf(request, { id, number, contact, claim, ask, policy });
  const { call, conflict } = await services.switchboard().dial(dial, contact);
  if (!call) {
    throw new Problem('user-in-call', 'There is a call with this user already', {
      call_id: conflict?.id,
    });
  }
  const { agent } = request.principal;
  return { call, seat: claim && agent ? await seatFor(services, id, agent, 'agent') : null };
}

function dialOf(
  request: StartRequest,
  with_: {
    id: CallId;
    number: BusinessNumber;
    contact: Contact;
    claim: Dial['claim'];
    ask: Dial['ask'];
    policy: CallPolicy;
  },
): Dial {
  const { number, contact } = with_;
  const valueOf = (kind: string) => contact.identities.find((item) => item.kind === kind)?.value;
  const [phone, bsuid] = [valueOf('phone'), valueOf('bsuid') ?? valueOf('parent_bsuid')];
  return {
    id: with_.id,
    numberId: number.id,
    displayPhoneNumber: number.displayPhoneNumber,
    caller: {
      contactId: contact.id,
      ...(contact.name === null ? {} : { name: contact.name }),
      ...(phone === undefined ? {} : { phone }),
      ...(bsuid === undefined ? {} : { bsuid }),
    },
    target: request.target,
    ...(request.principal.agent ? { placedBy: request.principal.agent.id } : {}),
    claim: with_.claim,
    ringMs: request.ringMs,
    ask: with_.ask,
    policy: with_.policy,
  };
}

/** The same key of the same asker names the same call, so that repeating the request repeats nothing. */
async function idOf(services: Services, { principal, idempotency }: StartRequest): Promise<CallId> {
  if (!idempotency)
    return crypto.randomUUID().replaceAll('-', '').slice(0, ID_HEX_DIGITS) as CallId;
  const keyHash = await sha256Hex(`${principal.actor}\n${idempotency.key}`);
  const id = keyHash.slice(0, ID_HEX_DIGITS) as CallId;
  const requestHash = await sha256Hex(idempotency.requestText);
  const known = await services.idempotency.remember(keyHash, requestHash, id, services.now());
  if (known !== requestHash) {
    throw new Problem('idempotency-mismatch', 'This Idempotency-Key belongs to another request');
  }
  return id;
}

async function contactOf(
  services: Services,
  { to, recipient, contactId, principal }: StartRequest,
  id: CallId,
): Promise<Contact> {
  if (contactId !== undefined) {
    const contact = await services.contacts.find(contactId);
    const seen = await services.calls.contactsSeen([contactId], sightOf(principal));
    if (!contact || !seen.has(contactId)) throw invalidField('contact_id', 'the id of a contact');
    if (contact.identities.length === 0) {
      throw invalidField('contact_id', 'a contact with a phone number or user id');
    }
    return contact;
  }
  const identities = identitiesOf({ phone: to, bsuid: recipient });
  const contact = await resolveContact(services, identities, null, id);
  // Everything that is known of the contact, so that the provider can be given what it understands.
  return (await services.contacts.find(contact.id)) ?? contact;
}

async function checkTarget(services: Services, { target, principal }: StartRequest): Promise<void> {
  if (target.kind !== 'agent' || principal.agent?.id === target.agentId) return;
  if (!hasRole(principal, 'supervisor')) {
    throw new Problem('forbidden', 'Agents can connect nobody but themselves');
  }
  if (!(await services.directory.findAgent(target.agentId))) {
    throw invalidField('connect.agent_id', 'the id of an agent');
  }
}

function checkNumber(number: BusinessNumber, nowMs: number): void {
  const restriction = outboundRestriction(number.restrictions, nowMs);
  if (restriction) {
    const until = iso(restriction.untilMs);
    throw new Problem('outbound-restricted', `The provider restricts this number until ${until}`, {
      restriction: restriction.type,
      retry_at: until,
    });
  }
  if (number.calling?.status === 'DISABLED') {
    throw new Problem('calling-disabled', 'Calling is switched off for this number', {
      remedy: 'PATCH /v1/numbers/:id/calling { "enabled": true }',
    });
  }
}

/** @returns the request to send first, null when none is needed */
async function checkPermission(
  services: Services,
  number: BusinessNumber,
  contact: Contact,
  ask: Dial['ask'],
): Promise<Dial['ask']> {
  if (ask) return (await isGrantedNow(services, number, contact)) ? null : ask;
  const answer = mayCall(await services.permissions.load(number.id, contact.id), services.now());
  if (answer.allowed) return null;
  throw new Problem('call-forbidden', `The user cannot be called now: ${answer.reason}`, {
    reason: answer.reason,
    retry_at: answer.retryAtMs === null ? null : iso(answer.retryAtMs),
    contact_id: contact.id,
    remedy: 'GET /v1/contacts/:id/permission asks the provider again',
  });
}

/** An agent who asks to be connected is there already. */
function claimOf({ target, principal }: StartRequest, nowMs: number): Dial['claim'] {
  const { agent } = principal;
  if (target.kind !== 'agent' || agent?.id !== target.agentId) return null;
  const identity = agentIdentity(agent.id);
  return { agentId: agent.id, agentName: agent.name, identity, atMs: nowMs };
}
