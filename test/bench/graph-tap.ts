// Stands between the worker and the simulated provider: counts the requests about each user, and makes chosen ones go wrong. The
// simulator's own faults know a call only once it was dialled.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * `reply-lost` and `reply-late` act; the others do nothing and say so: 500, 200 with `success: false`, 429, 401.
 */
export type TapFault =
  'reply-lost' | 'reply-late' | 'server-error' | 'success-false' | 'rate-limit' | 'token-expired';
/** The next requests of these actions about a user go wrong, each once. */
export type TapPlan = Partial<Record<'connect' | 'terminate', TapFault>>;
/** Requests about one user by what they asked for: an action of calls, or `permission`. */
export type Counts = Readonly<Record<string, number>>;

const LATE_MS = 700;

/** Provider: Graph API "Handle errors" and "Rate limits", read 2026-06. */
const REFUSALS: Record<
  Exclude<TapFault, 'reply-lost' | 'reply-late'>,
  readonly [status: number, body: object]
> = {
  'server-error': [500, { error: { code: 2, message: '(#2) Service temporarily unavailable' } }],
  'success-false': [200, { messaging_product: 'whatsapp', success: false }],
  'rate-limit': [429, { error: { code: 4, message: '(#4) Application request limit reached' } }],
  'token-expired': [401, { error: { code: 190, message: '(#190) Session has expired' } }],
};

type Asked = { user: string; action: string };

/** See the head of this file. */
export class GraphTap {
  readonly #server: Server;
  readonly #target: string;
  readonly #plans = new Map<string, TapPlan>();
  readonly #counts = new Map<string, Record<string, number>>();
  /** Whom a call is with; requests after the dial name only the call. */
  readonly #users = new Map<string, string>();

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((req, res) => {
      void this.#answer(req, res).catch(() => res.destroy());
    });
  }

  /** @param target address of the simulator */
  static async start(target: string): Promise<GraphTap> {
    const tap = new GraphTap(target);
    await new Promise<void>((resolve) => tap.#server.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Replaces what was planned for the user. */
  plan(user: string, plan: TapPlan): void {
    this.#plans.set(user, plan);
  }

  /** Requests about the user so far. */
  countsOf(user: string): Counts {
    return { ...this.#counts.get(user) };
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await textOf(req);
    const asked = this.#askedOf(req.url ?? '', body);
    if (asked) this.#count(asked);
    const fault = asked && this.#take(asked);
    if (fault && fault !== 'reply-lost' && fault !== 'reply-late') {
      const [status, refusal] = REFUSALS[fault];
      respond(res, status, JSON.stringify(refusal));
      return;
    }
    const reply = await this.#forward(req, body);
    if (asked?.action === 'connect') this.#name(asked.user, reply.text);
    if (fault === 'reply-lost') {
      res.destroy();
      return;
    }
    if (fault === 'reply-late') await delay(LATE_MS);
    respond(res, reply.status, reply.text);
  }

  async #forward(req: IncomingMessage, body: string): Promise<{ status: number; text: string }> {
    const kept = ['authorization', 'd360-api-key', 'content-type'];
    const headers = kept.flatMap((name) => {
      const value = req.headers[name];
      return typeof value === 'string' ? [[name, value] as [string, string]] : [];
    });
    const response = await fetch(this.#target + (req.url ?? ''), {
      method: req.method ?? 'GET',
      headers,
      ...(body === '' ? {} : { body }),
    });
    return { status: response.status, text: await response.text() };
  }

  #askedOf(path: string, body: string): Asked | undefined {
    const url = new URL(path, 'http://tap');
    const permission =
      url.searchParams.get('user_wa_id') ?? /\/permissions\/(\d+)$/.exec(url.pathname)?.[1];
    if (permission !== undefined && permission !== null) {
      return { user: permission, action: 'permission' };
    }
    if (!url.pathname.endsWith('/calls')) return undefined;
    const { action = '', to, call_id: wacid = '' } = JSON.parse(body) as Record<string, string>;
    const user = to ?? this.#users.get(wacid);
    return user === undefined ? undefined : { user, action };
  }

  #count({ user, action }: Asked): void {
    const counts = this.#counts.get(user) ?? {};
    counts[action] = (counts[action] ?? 0) + 1;
    this.#counts.set(user, counts);
  }

  #take({ user, action }: Asked): TapFault | undefined {
    if (action !== 'connect' && action !== 'terminate') return undefined;
    const plan = this.#plans.get(user);
    const fault = plan?.[action];
    if (plan) delete plan[action];
    return fault;
  }

  #name(user: string, reply: string): void {
    const { calls } = JSON.parse(reply) as { calls?: { id: string }[] };
    const wacid = calls?.[0]?.id;
    if (wacid !== undefined) this.#users.set(wacid, user);
  }
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function respond(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(text);
}
