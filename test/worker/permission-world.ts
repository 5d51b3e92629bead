// A provider that answers permission queries and takes messages, for tests of permissions inside workerd.
import { vi } from 'vitest';
import { api, postWebhook, unique } from './support.ts';

interface SentMessage {
  readonly to?: string;
  readonly recipient?: string;
  readonly type: string;
  readonly template?: { readonly name: string; readonly components?: unknown };
  readonly interactive?: { readonly type: string; readonly body?: { readonly text: string } };
}

/** Requests that the worker sent to the provider, and how they are answered. */
export class PermissionProvider {
  readonly queries: string[] = [];
  readonly messages: SentMessage[] = [];
  /** Used up in order; afterwards there is no permission and everything may be asked. */
  readonly permissionReplies: (() => Response)[] = [];
  /** Used up in order; messages are taken afterwards. */
  readonly messageReplies: (() => Response)[] = [];

  constructor() {
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init);
      const url = new URL(request.url);
      if (url.pathname.startsWith('/twirp/')) return Response.json({});
      if (url.pathname.endsWith('/call_permissions')) {
        this.queries.push(url.search);
        return this.permissionReplies.shift()?.() ?? permissionReply();
      }
      if (!url.pathname.endsWith('/messages')) throw new Error(`not expected: ${request.url}`);
      this.messages.push(await request.json<SentMessage>());
      return this.messageReplies.shift()?.() ?? sentReply(unique('wamid.'));
    });
  }
}

export const permissionReply = (
  permission: object = { status: 'no_permission' },
  { canAsk = true, canCall = false, askLimits = [] as object[], callLimits = [] as object[] } = {},
): Response =>
  Response.json({
    messaging_product: 'whatsapp',
    permission,
    actions: [
      {
        action_name: 'send_call_permission_request',
        can_perform_action: canAsk,
        limits: askLimits,
      },
      { action_name: 'start_call', can_perform_action: canCall, limits: callLimits },
    ],
  });

export const sentReply = (id: string): Response =>
  Response.json({ messaging_product: 'whatsapp', contacts: [], messages: [{ id }] });

export const errorReply = (status: number, code: number, details = 'text'): Response =>
  Response.json({ error: { code, message: `(#${code})`, error_data: { details } } }, { status });

/** A registered number and a contact that nobody else uses. */
export async function newPair(): Promise<{
  phoneNumberId: string;
  numberId: string;
  phone: string;
  contactId: string;
}> {
  const phoneNumberId = unique('77');
  const phone = `351${unique('').slice(-12)}`;
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: '+351 21 000 0000',
    access_token: 'token',
  });
  const contact = await api<{ id: string }>('POST', '/v1/contacts', { phone });
  return { phoneNumberId, numberId: number.body.id, phone, contactId: contact.body.id };
}

const nowS = (): number => Math.floor(Date.now() / 1000);

/** Delivers one item of the field `messages`. */
export const postMessage = (
  { phoneNumberId, phone }: { phoneNumberId: string; phone: string },
  message: object,
): Promise<Response> =>
  postWebhook({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '100000000000001',
        changes: [
          {
            field: 'messages',
            value: {
              messaging_product: 'whatsapp',
              metadata: { display_phone_number: '15550109999', phone_number_id: phoneNumberId },
              contacts: [{ profile: { name: 'Ana' }, wa_id: phone }],
              messages: [{ from: phone, timestamp: String(nowS()), ...message }],
            },
          },
        ],
      },
    ],
  });

export const textMessage = () => ({ id: unique('wamid.'), type: 'text', text: { body: 'Hello' } });

export const permissionAnswer = (
  response: 'accept' | 'reject',
  more: { context?: string; is_permanent?: boolean; timestamp?: string; id?: string } = {},
) => ({
  id: more.id ?? unique('wamid.'),
  type: 'interactive',
  ...(more.timestamp === undefined ? {} : { timestamp: more.timestamp }),
  ...(more.context === undefined ? {} : { context: { from: '15550109999', id: more.context } }),
  interactive: {
    type: 'call_permission_reply',
    call_permission_reply: {
      response,
      response_source: 'user_action',
      ...(more.is_permanent === undefined ? {} : { is_permanent: more.is_permanent }),
      ...(response === 'accept' && !more.is_permanent
        ? { expiration_timestamp: String(nowS() + 604_800) }
        : {}),
    },
  },
});
