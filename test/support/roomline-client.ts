// Roomline's public API as a client sees it: plain HTTP and one WebSocket, with no code of the worker's.
import { WebSocket } from 'ws';
import { EventStream } from './event-stream.ts';

/** What went wrong with one request, with the problem document that came back (RFC 9457). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly problem: unknown;

  constructor(what: string, status: number, problem: unknown) {
    super(`${what} answered ${status}: ${JSON.stringify(problem)}`);
    this.status = status;
    this.problem = problem;
  }
}

export type Outcome = { result: string; reason: string; ended_by: string; detail?: string };
export type Direction = { packets: number; lost: number; filled: number; first_audio_ms?: number };
export type CallView = {
  id: string;
  state: string;
  direction: string;
  number_id: string;
  provider_call_id: string;
  room: string;
  contact: { id: string; name: string | null; phone: string | null } | null;
  claimed_by: { agent_id: string; name: string } | null;
  /** Where it is in its rule. */
  step: string | null;
  /** Ids of agents; null where every agent may take it. */
  ringing_for: string[] | null;
  waiting_since: string | null;
  /** When somebody first spoke with the caller. */
  talked_at: string | null;
  ai: { name: string; identity: string } | null;
  summary: string | null;
  created_at: string;
  ringing_at: string | null;
  answered_at: string | null;
  ended_at: string | null;
  outcome: Outcome | null;
  quality: { from_caller: Direction; to_caller: Direction } | null;
};
export type TimelineEntry = { at: string; type: string; detail?: Record<string, unknown> };
export type CallDetails = CallView & { timeline: TimelineEntry[] };
export type Claim = {
  call_id: string;
  livekit_url: string;
  token: string;
  room: string;
  identity: string;
};
export type NewNumber = {
  provider: 'meta' | '360dialog';
  phone_number_id: string;
  display_phone_number: string;
  access_token: string;
  api_base_url?: string;
};

const REQUEST_MS_MAX = 30_000;

/** The API with one key: the administrator's or an agent's. */
export class RoomlineClient {
  readonly baseUrl: string;
  readonly key: string;

  constructor(baseUrl: string, key: string) {
    this.baseUrl = baseUrl;
    this.key = key;
  }

  /** The same deployment with another key. */
  as(key: string): RoomlineClient {
    return new RoomlineClient(this.baseUrl, key);
  }

  /** @throws ApiError unless the status is 2xx */
  async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown = text === '' ? undefined : parseJson(text);
    if (!response.ok) throw new ApiError(`${method} ${path}`, response.status, parsed);
    return parsed as T;
  }

  /** Registers a number; one that is there already is left as it is. */
  async ensureNumber(number: NewNumber): Promise<void> {
    await this.request('POST', '/v1/numbers', number).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    });
  }

  createRelay(id: string): Promise<{ id: string; secret: string }> {
    return this.request('POST', '/v1/relays', { id });
  }

  createAgent(name: string): Promise<{ id: string; name: string; key: string }> {
    return this.request('POST', '/v1/agents', { name });
  }

  call(id: string): Promise<CallDetails> {
    return this.request('GET', `/v1/calls/${id}`);
  }

  claim(id: string): Promise<Claim> {
    return this.request('POST', `/v1/calls/${id}/claim`);
  }

  async end(id: string): Promise<void> {
    await this.request('POST', `/v1/calls/${id}/end`);
  }

  /**
   * Opens the stream of events and waits for its first frame.
   *
   * @param after resumes behind this event
   */
  async events(after?: number): Promise<EventStream> {
    const query = after === undefined ? '' : `?after=${after}`;
    const url = `${this.baseUrl.replace(/^http/, 'ws')}/v1/events${query}`;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${this.key}` } });
    return EventStream.open(socket);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
