// A browser in which somebody has signed in: its cookie, and what its page has read.
import { api, request } from './support.ts';

export const ORIGIN = 'https://roomline.test';

export interface SignedIn {
  readonly cookie: string;
  readonly csrfToken: string;
}

/** The link that an agent is given. */
export async function invite(agentId: string): Promise<string> {
  const { body } = await api<{ url: string }>('POST', `/v1/agents/${agentId}/invitation`);
  return new URL(body.url).searchParams.get('invitation') ?? '';
}

export const useInvitation = (
  invitation: string,
  headers: Record<string, string> = {},
): Promise<Response> =>
  request('/v1/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ invitation }),
  });

export const cookieOf = (response: Response): string =>
  response.headers.getSetCookie()[0]?.split(';')[0] ?? '';

export async function signIn(agentId: string): Promise<SignedIn> {
  const response = await useInvitation(await invite(agentId));
  const { csrf_token: csrfToken } = await response.json<{ csrf_token: string }>();
  return { cookie: cookieOf(response), csrfToken };
}

/** What the page of the console asks. */
export const ask = (
  { cookie, csrfToken }: SignedIn,
  method: string,
  path: string,
  body?: object,
): Promise<Response> =>
  request(path, {
    method,
    headers: {
      cookie,
      ...(method === 'GET' ? {} : { origin: ORIGIN, 'x-csrf-token': csrfToken }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** The code with which the server closed an open event stream; null while it is open. */
export async function openStream(
  headers: Record<string, string>,
  query = '',
): Promise<{ status: number; closed: () => number | null; frames: Record<string, unknown>[] }> {
  const { status, webSocket } = await request(`/v1/events${query}`, {
    headers: { upgrade: 'websocket', ...headers },
  });
  let code: number | null = null;
  const frames: Record<string, unknown>[] = [];
  webSocket?.addEventListener('close', (event) => {
    code = event.code;
  });
  webSocket?.addEventListener('message', ({ data }) => {
    frames.push(JSON.parse(String(data)) as Record<string, unknown>);
  });
  webSocket?.accept();
  return { status, closed: () => code, frames };
}
