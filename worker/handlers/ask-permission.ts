// Asks a contact for permission to call them: free-form while the window is open, by template otherwise.
import type { MessageContent, Provider } from '../adapters/provider.ts';
import type { AskWording } from '../domain/call.ts';
import type { ContactId, NumberId } from '../domain/ids.ts';
import type { JobFailure, JobResult } from '../domain/job.ts';
import type { AskRefusal, Ledger } from '../domain/permission-ledger.ts';
import { apply } from '../domain/permission.ts';
import { isWindowOpen, mayAsk, type Refusal } from '../domain/permission-questions.ts';
import type { Contact } from '../ports.ts';
import { addressOf } from './contact-of.ts';
import { readPermission, type PermissionDeps } from './read-permission.ts';
import { recordOutcome } from './receive-permission.ts';
import { openProvider } from './open-provider.ts';

/** A template of the provider, filled in. */
export interface Template {
  readonly name: string;
  /** Exactly as the template was made, such as `pt_PT`; another one is refused with 132001. */
  readonly language: string;
  /** Of the body, in order. */
  readonly parameters: readonly string[];
}

/** How the request may be worded; free text is preferred while it is possible. */
export interface Wording {
  readonly text?: string | undefined;
  readonly template?: Template | undefined;
}

export type AskResult =
  | {
      readonly result: 'sent';
      readonly messageId: string;
      readonly form: 'text' | 'template';
      readonly ledger: Ledger;
    }
  /** By what is known the provider would refuse, or it just did so. */
  | { readonly result: 'may-not-ask'; readonly refusal: Refusal<AskRefusal> }
  /** Free-form is over and no template was named. */
  | { readonly result: 'template-needed'; readonly windowUntilMs: number | null }
  | { readonly result: 'failed'; readonly failure: JobFailure }
  | { readonly result: 'no-number' | 'no-contact' };

/** Provider: the permanent permission makes a request pointless, Calling API troubleshooting, read 2026-06. */
const PERMANENT_EXISTS = 138017;

/**
 * Sends one permission request. Not safe to repeat: every request counts against the provider's limits.
 *
 * @throws only before anything was sent
 */
export async function askPermission(
  deps: PermissionDeps,
  numberId: NumberId,
  contactId: ContactId,
  wording: Wording,
): Promise<AskResult> {
  const provider = await openProvider(deps, numberId);
  if (!provider) return { result: 'no-number' };
  const contact = await deps.contacts.find(contactId);
  if (!contact) return { result: 'no-contact' };
  const ledger = await ledgerForAsking(deps, numberId, contact);
  const answer = mayAsk(ledger, deps.now());
  if (!answer.allowed) return { result: 'may-not-ask', refusal: answer };
  const chosen = chooseForm(wording, answer.form === 'text');
  if (!chosen) return { result: 'template-needed', windowUntilMs: ledger.windowUntilMs };
  return sendTo(deps, provider, numberId, contact, ledger, chosen);
}

/** Our own counting may be wrong, so the provider is asked before anybody is refused by it. */
async function ledgerForAsking(
  deps: PermissionDeps,
  numberId: NumberId,
  contact: Contact,
): Promise<Ledger> {
  const ledger = await deps.permissions.load(numberId, contact.id);
  if (mayAsk(ledger, deps.now()).allowed) return ledger;
  return (await readPermission(deps, numberId, contact))?.ledger ?? ledger;
}

interface Chosen {
  readonly form: 'text' | 'template';
  readonly content: MessageContent;
}

function chooseForm({ text, template }: Wording, isOpen: boolean): Chosen | null {
  if (isOpen && (text !== undefined || !template)) return { form: 'text', content: card(text) };
  return template ? { form: 'template', content: templateMessage(template) } : null;
}

/** Provider: interactive message `call_permission_request`, User call permissions, read 2026-06. Only its body can be worded. */
const card = (text: string | undefined): MessageContent => ({
  type: 'interactive',
  interactive: {
    type: 'call_permission_request',
    action: { name: 'call_permission_request' },
    ...(text === undefined ? {} : { body: { text } }),
  },
});

export const templateMessage = ({ name, language, parameters }: Template): MessageContent => ({
  type: 'template',
  template: {
    name,
    language: { code: language },
    ...(parameters.length === 0
      ? {}
      : {
          components: [
            { type: 'body', parameters: parameters.map((text) => ({ type: 'text', text })) },
          ],
        }),
  },
});

async function sendTo(
  deps: PermissionDeps,
  provider: Provider,
  numberId: NumberId,
  contact: Contact,
  ledger: Ledger,
  { form, content }: Chosen,
): Promise<AskResult> {
  const atMs = deps.now();
  const reply = await provider.sendMessage(addressOf(contact.identities), content);
  if (reply.ok) {
    const { messageId } = reply.value;
    const fact = { type: 'requested', atMs, messageId } as const;
    const after = await recordOutcome(deps, numberId, contact.id, fact).catch((error: unknown) => {
      // The user has the request all the same, and their answer finds the ledger by who they are.
      console.error('permission.request-not-recorded', { numberId, error: String(error) });
      return apply(ledger, fact, atMs);
    });
    return { result: 'sent', messageId, form, ledger: after };
  }
  if (reply.kind !== 'refused') return { result: 'failed', failure: reply };
  const { code, retryAtMs } = reply;
  const fact = { type: 'request-refused', atMs, code, retryAtMs } as const;
  const after = await recordOutcome(deps, numberId, contact.id, fact);
  const nowMs = deps.now();
  const refusal = mayAsk(after, nowMs);
  if (!refusal.allowed) return { result: 'may-not-ask', refusal };
  return form === 'text' && !isWindowOpen(after, nowMs)
    ? { result: 'template-needed', windowUntilMs: after.windowUntilMs }
    : { result: 'failed', failure: reply };
}

/** The same for a call that waits for the permission: what became of it, as the result of a job. */
export async function sendPermissionRequest(
  deps: PermissionDeps,
  numberId: NumberId,
  contactId: ContactId,
  wording: AskWording,
): Promise<JobResult> {
  const asked = await askPermission(
    deps,
    numberId,
    contactId,
    'template' in wording ? { template: wording.template } : { text: wording.text ?? undefined },
  );
  const refused = (message: string): JobFailure => ({ ok: false, kind: 'refused', message });
  switch (asked.result) {
    case 'sent':
      return { ok: true };
    case 'may-not-ask': {
      const { reason, retryAtMs } = asked.refusal;
      return {
        ...refused(`the contact may not be asked: ${reason}`),
        ...(reason === 'permanent-exists' ? { code: PERMANENT_EXISTS } : {}),
        ...(retryAtMs === null ? {} : { retryAtMs }),
      };
    }
    case 'template-needed':
      return refused('free-form messages are not possible now and no template was named');
    case 'failed':
      return asked.failure;
    case 'no-number':
      return refused('the number is not registered');
    case 'no-contact':
      return refused('there is no such contact');
  }
}
