// 360dialog: Meta's requests under other paths. The API key stands for the number, so no path names it.
// Provider: 360dialog Messaging API, calling endpoints, read 2026-06.
import {
  callBody,
  isAddressable,
  messageBody,
  NOT_ADDRESSABLE,
  readAction,
  readAny,
  readPermission,
  readSent,
  readSettingsReply,
  readWritten,
  send,
  type HttpReply,
} from './graph.ts';
import type { AnyReply, Provider, ProviderAccess, Reply } from './provider.ts';

export const DIALOG_BASE_URL = 'https://waba-v2.360dialog.io';

export function dialogProvider(access: ProviderAccess): Provider {
  const root = access.baseUrl ?? DIALOG_BASE_URL;
  const request = (
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    key = access.accessToken,
  ): Promise<Reply<HttpReply>> =>
    send({
      method,
      url: `${root}/${path}`,
      headers: { 'd360-api-key': key },
      ...(body === undefined ? {} : { body }),
    });
  const read = async (path: string, key?: string): Promise<AnyReply> => {
    const reply = await request('GET', path, undefined, key);
    return reply.ok ? readAny(reply.value) : reply;
  };
  return {
    name: '360dialog',
    async act(asked) {
      if (asked.action === 'connect' && !isAddressable(asked.user)) return NOT_ADDRESSABLE;
      const reply = await request('POST', 'calling/calls', callBody(asked));
      return reply.ok ? readAction(asked.action, reply.value) : reply;
    },
    // The path takes the user's WhatsApp id; whether it takes a business-scoped user id as well is not documented.
    async permission(user) {
      if (!isAddressable(user)) return NOT_ADDRESSABLE;
      const id = encodeURIComponent(user.phone ?? user.bsuid ?? '');
      const reply = await request('GET', `calling/permissions/${id}`);
      return reply.ok ? readPermission(reply.value) : reply;
    },
    async sendMessage(user, content) {
      if (!isAddressable(user)) return NOT_ADDRESSABLE;
      const reply = await request('POST', 'messages', messageBody(user, content));
      return reply.ok ? readSent(reply.value) : reply;
    },
    async readSettings() {
      const reply = await request('GET', 'calling/settings');
      return reply.ok ? readSettingsReply(reply.value) : reply;
    },
    async writeSettings(calling) {
      const reply = await request('POST', 'calling/settings', { calling });
      return reply.ok ? readWritten(reply.value) : reply;
    },
    get: read,
  };
}
