// A provider, a LiveKit and relays as far as the worker can see them, for tests inside workerd.
import type { D1Migration } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { vi } from 'vitest';
import { PROTOCOL_VERSION, type FrameFromRelay, type FrameToRelay } from '../../relay/protocol.ts';
import type { Env } from '../../worker/env.ts';

export interface TestEnv extends Env {
  readonly TEST_MIGRATIONS: D1Migration[];
}

export const testEnv = env as unknown as TestEnv;
export const ADMIN_KEY = 'admin-key-0123456789';
export const APP_SECRET = 'app-secret';
export const ASK_SECRET = `whsec_${btoa('a secret of thirty-two bytes 012')}`;
const BASE = 'https://roomline.test';

let counter = 0;
/** A string that no other test uses. */
export const unique = (prefix: string): string => `${prefix}${Date.now()}${++counter}`;

export const request = (path: string, init: RequestInit = {}): Promise<Response> =>
  (exports as unknown as { default: Fetcher }).default.fetch(`${BASE}${path}`, init);

export const api = async <T>(
  method: string,
  path: string,
  body?: unknown,
  key: string = ADMIN_KEY,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: T }> => {
  const response = await request(path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
};

export async function signature(body: string, secret = APP_SECRET): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, [
    'sign',
  ]);
  const mac = await crypto.subtle.sign('HMAC', key, encoder.encode(body));
  const hex = [...new Uint8Array(mac)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `sha256=${hex.join('')}`;
}

export async function postWebhook(payload: unknown): Promise<Response> {
  const body = JSON.stringify(payload);
  return request('/webhooks/whatsapp', {
    method: 'POST',
    headers: { 'x-hub-signature-256': await signature(body) },
    body,
  });
}

interface CallFields {
  readonly id: string;
  readonly phoneNumberId: string;
  readonly from?: string;
  readonly timestampS?: number;
}

const envelope = (phoneNumberId: string, call: object, contacts: object[] = []) => ({
  object: 'whatsapp_business_account',
  entry: [
    {
      id: '100000000000001',
      changes: [
        {
          field: 'calls',
          value: {
            messaging_product: 'whatsapp',
            metadata: { display_phone_number: '15550109999', phone_number_id: phoneNumberId },
            contacts,
            calls: [call],
          },
        },
      ],
    },
  ],
});

const nowS = (): number => Math.floor(Date.now() / 1000);

export const connectWebhook = ({
  id,
  phoneNumberId,
  from = '351910000001',
  timestampS,
}: CallFields) =>
  envelope(
    phoneNumberId,
    {
      id,
      from,
      to: '15550109999',
      event: 'connect',
      timestamp: String(timestampS ?? nowS()),
      direction: 'USER_INITIATED',
      session: { sdp_type: 'offer', sdp: `v=0\r\no=- ${id}\r\n` },
    },
    [{ profile: { name: 'Ana' }, wa_id: from }],
  );

/** What the provider says about a call that a business started. */
export function outboundWebhook(news: {
  phoneNumberId: string;
  wacid: string;
  to: string;
  opaque: string | null;
  answer?: string;
  status?: string;
  terminate?: object;
}): unknown {
  const { phoneNumberId, wacid, to, opaque, answer, status, terminate } = news;
  const about = {
    id: wacid,
    timestamp: String(nowS()),
    ...(opaque === null ? {} : { biz_opaque_callback_data: opaque }),
  };
  const direction = 'BUSINESS_INITIATED';
  if (status !== undefined) {
    const item = { ...about, type: 'call', status, recipient_id: to };
    const webhook = envelope(phoneNumberId, {});
    const value = webhook.entry[0]?.changes[0]?.value;
    return {
      ...webhook,
      entry: [
        {
          id: '1',
          changes: [{ field: 'calls', value: { ...value, calls: undefined, statuses: [item] } }],
        },
      ],
    };
  }
  const call =
    answer === undefined
      ? { ...about, to, event: 'terminate', direction, status: 'COMPLETED', ...terminate }
      : { ...about, to, event: 'connect', direction, session: { sdp_type: 'answer', sdp: answer } };
  return envelope(phoneNumberId, call);
}

export const terminateWebhook = (
  { id, phoneNumberId, from = '351910000001' }: CallFields,
  more: object = {},
) =>
  envelope(phoneNumberId, {
    id,
    from,
    event: 'terminate',
    direction: 'USER_INITIATED',
    timestamp: String(nowS()),
    status: 'COMPLETED',
    ...more,
  });

/** Requests that the worker sent out, newest last, and how they are answered. */
export class Outside {
  readonly graph: {
    action: string;
    call_id: string;
    to?: string;
    session?: { sdp_type: string; sdp: string };
  }[] = [];
  /** WhatsApp messages. */
  readonly messages: { to?: string; type: string; text?: { body: string } }[] = [];
  readonly rooms: { method: string; body: Record<string, unknown> }[] = [];
  /** What the endpoint `https://rules.test` of a user was asked, newest last, and what it answers: 204 when nothing is left. */
  readonly asked: { headers: Record<string, string>; body: string }[] = [];
  readonly endpointAnswers: (() => Response)[] = [];
  /** AI agents that were sent for, by room, each with whoever came of it. */
  readonly dispatches: Record<
    string,
    { id: string; agentName: string; metadata: string; identity: string }[]
  > = {};
  /** Who is in which room, each with a microphone track. */
  readonly participants: Record<string, string[]> = {};
  /** Answers of the provider per action, used up in order; 200 success afterwards. */
  readonly answers: Partial<Record<string, (() => Response | Promise<Response>)[]>> = {};

  /** Answers everything that the worker sends out from here on, until `vi.restoreAllMocks`. */
  static open(): Outside {
    return new Outside();
  }

  private constructor() {
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const sent = new Request(input, init);
      const url = new URL(sent.url);
      const body = await sent.text();
      if (url.pathname.startsWith('/twirp/')) {
        const method = url.pathname.split('/').at(-1) ?? '';
        const call = { method, body: JSON.parse(body) as Record<string, unknown> };
        this.rooms.push(call);
        if (method.endsWith('Dispatch')) return Response.json(this.#dispatch(method, call.body));
        if (method !== 'ListParticipants') return Response.json({});
        const identities = this.participants[String(call.body.room)] ?? [];
        const tracks = [{ source: 'MICROPHONE' }];
        return Response.json({
          participants: identities.map((identity) => ({ identity, tracks })),
        });
      }
      if (url.hostname === 'rules.test') {
        this.asked.push({ headers: Object.fromEntries(sent.headers), body });
        return this.endpointAnswers.shift()?.() ?? new Response(null, { status: 204 });
      }
      if (url.pathname.endsWith('/messages')) {
        this.messages.push(JSON.parse(body) as (typeof this.messages)[number]);
        return Response.json({ messaging_product: 'whatsapp', messages: [{ id: 'wamid.1' }] });
      }
      if (sent.method === 'GET') return Response.json({}, { status: 404 });
      const action = JSON.parse(body) as (typeof this.graph)[number];
      this.graph.push(action);
      const answer = this.answers[action.action]?.shift();
      return answer ? answer() : Response.json({ messaging_product: 'whatsapp', success: true });
    });
  }

  #dispatch(method: string, body: Record<string, unknown>): object {
    const { room, agentName, metadata = '', dispatchId } = body as Record<string, string>;
    const known = (this.dispatches[room ?? ''] ??= []);
    if (method === 'ListDispatch') {
      const agentDispatches = known.map(({ identity, ...dispatch }) => ({
        ...dispatch,
        state: { jobs: [{ state: { participantIdentity: identity } }] },
      }));
      return { agentDispatches };
    }
    if (method === 'DeleteDispatch') {
      this.dispatches[room ?? ''] = known.filter(({ id }) => id !== dispatchId);
      return {};
    }
    const id = unique('AD_');
    known.push({ id, agentName: agentName ?? '', metadata, identity: `agent-${id}` });
    return { id };
  }

  graphActions(callId: string): string[] {
    return this.graph.filter(({ call_id }) => call_id === callId).map(({ action }) => action);
  }
}

/** Waits until `probe` returns something; polls, because the other side has no event to wait for. */
export async function until<T>(
  what: string,
  probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A relay that says what it is told to say. */
export class FakeRelay {
  readonly id: string;
  readonly frames: FrameToRelay[] = [];
  /** Answers every offer at once. */
  answersWith: string | undefined;
  /** Code with which the worker closed the connection. */
  closedWith: number | undefined;
  #socket: WebSocket;
  #seq = 0;
  #pong: string | undefined;
  #pongs = 0;

  private constructor(id: string, socket: WebSocket) {
    this.id = id;
    this.#socket = socket;
    socket.accept();
    socket.addEventListener('message', ({ data }) => {
      if (data === this.#pong) this.#pongs += 1;
      else this.#take(JSON.parse(String(data)) as FrameToRelay);
    });
    socket.addEventListener('close', ({ code }) => {
      this.closedWith = code;
    });
  }

  #take(frame: FrameToRelay): void {
    this.frames.push(frame);
    if (frame.type === 'call.answer' && this.answersWith !== undefined) {
      this.say(frame.call_id, { type: 'answered', sdp: this.answersWith });
    }
  }

  static async register(): Promise<{ id: string; secret: string }> {
    const { body } = await api<{ id: string; secret: string }>('POST', '/v1/relays', {
      id: unique('relay-'),
    });
    return body;
  }

  static async connect(
    credentials: { id: string; secret: string },
    hello: {
      instance?: string;
      protocol?: number;
      calls?: string[];
      capacity?: number;
      draining?: boolean;
      accepts?: boolean;
    } = {},
  ): Promise<FakeRelay> {
    const response = await request(`/v1/relays/${credentials.id}/connect`, {
      headers: { upgrade: 'websocket', authorization: `Bearer ${credentials.secret}` },
    });
    if (!response.webSocket) throw new Error(`no WebSocket: ${response.status}`);
    const relay = new FakeRelay(credentials.id, response.webSocket);
    relay.send({
      type: 'hello',
      relay_id: credentials.id,
      instance: hello.instance ?? 'instance-1',
      protocol: hello.protocol ?? PROTOCOL_VERSION - 1,
      capacity: hello.capacity ?? 50,
      draining: hello.draining ?? false,
      accepts: hello.accepts ?? true,
      calls: hello.calls ?? [],
    });
    await until('welcome', () => relay.last('welcome'));
    return relay;
  }

  send(frame: FrameFromRelay): void {
    this.#socket.send(JSON.stringify(frame));
  }

  /** A sign of life; resolves when it was answered. */
  async ping(ping: string, pong: string): Promise<void> {
    this.#pong = pong;
    const before = this.#pongs;
    this.#socket.send(ping);
    await until('the answer to the ping', () => this.#pongs > before);
  }

  /** Sends an event with the next number. */
  say(callId: string, event: { type: string; [key: string]: unknown }): number {
    this.#seq += 1;
    const frame = { seq: this.#seq, at_ms: Date.now(), call_id: callId, ...event };
    this.send(frame as unknown as FrameFromRelay);
    return this.#seq;
  }

  last<T extends FrameToRelay['type']>(
    type: T,
    callId?: string,
  ): Extract<FrameToRelay, { type: T }> | undefined {
    return this.frames.findLast(
      (frame): frame is Extract<FrameToRelay, { type: T }> =>
        frame.type === type &&
        (callId === undefined || ('call_id' in frame && frame.call_id === callId)),
    );
  }

  close(): void {
    this.#socket.close(1000);
  }
}
