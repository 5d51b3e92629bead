// Meta's Cloud API itself: the phone number id stands in every path, the access token in the Authorization header.
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

export const META_BASE_URL = 'https://graph.facebook.com';

export function metaProvider(access: ProviderAccess): Provider {
  const root = versioned(access);
  const number = `${root}/${access.phoneNumberId}`;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const headers = bearer(access.accessToken);
  const get = (url: string): Promise<Reply<HttpReply>> => send({ method: 'GET', url, headers });
  const post = (path: string, body: unknown): Promise<Reply<HttpReply>> =>
    send({ method: 'POST', url: `${number}/${path}`, headers, body });
  const read = async (path: string, auth = access.accessToken): Promise<AnyReply> => {
    const reply = await send({ method: 'GET', url: `${root}/${path}`, headers: bearer(auth) });
    return reply.ok ? readAny(reply.value) : reply;
  };
  return {
    name: 'meta',
    async act(request) {
      if (request.action === 'connect' && !isAddressable(request.user)) return NOT_ADDRESSABLE;
      const reply = await post('calls', callBody(request));
      return reply.ok ? readAction(request.action, reply.value) : reply;
    },
    // Provider: User call permissions, read 2026-06: `user_wa_id` for a phone number, `recipient` for a user id.
    async permission(user) {
      if (!isAddressable(user)) return NOT_ADDRESSABLE;
      const query =
        user.phone === undefined
          ? `recipient=${encodeURIComponent(user.bsuid ?? '')}`
          : `user_wa_id=${encodeURIComponent(user.phone)}`;
      const reply = await get(`${number}/call_permissions?${query}`);
      return reply.ok ? readPermission(reply.value) : reply;
    },
    async sendMessage(user, content) {
      if (!isAddressable(user)) return NOT_ADDRESSABLE;
      const reply = await post('messages', messageBody(user, content));
      return reply.ok ? readSent(reply.value) : reply;
    },
    async readSettings() {
      const reply = await get(`${number}/settings`);
      return reply.ok ? readSettingsReply(reply.value) : reply;
    },
    async writeSettings(calling) {
      const reply = await post('settings', { calling });
      return reply.ok ? readWritten(reply.value) : reply;
    },
    get: read,
    inspectToken: (auth) =>
      read(`debug_token?input_token=${encodeURIComponent(access.accessToken)}`, auth),
  };
}

/** A base address may name a version of its own, such as that of a proxy. */
function versioned({ baseUrl, version }: ProviderAccess): string {
  const base = baseUrl ?? META_BASE_URL;
  return /\/v\d+\.\d+$/.test(base) ? base : `${base}/${version}`;
}
