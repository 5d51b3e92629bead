// Those who listen to events, as the Switchboard deals with them: what they missed, what happens, who is at work.
import type { EventSockets, Hello, News, Subscriber } from './adapters/event-sockets.ts';
import type { CallBook } from './call-book.ts';
import { iso } from './call-view.ts';
import type { Courier } from './courier.ts';
import { isSettled, type Call } from './domain/call.ts';
import type { AgentId, CallId } from './domain/ids.ts';
import { publicEventOf } from './domain/public-event.ts';
import type { Role } from './domain/roster.ts';
import { maySee, maySeeColleague, type View } from './domain/sight.ts';
import type { FrontDesk, PresenceView } from './front-desk.ts';
import { notice, view } from './notices.ts';
import type { CallStore, StoredEntry } from './ports.ts';

/** Most events replayed to a subscriber; whoever was away longer reads `GET /v1/calls`. */
const REPLAY_MAX = 500;

export interface EventDeskDeps {
  readonly sockets: EventSockets;
  readonly book: CallBook;
  readonly store: Pick<CallStore, 'find' | 'lastCursor' | 'entriesAfter'>;
  readonly people: FrontDesk;
  readonly courier: Courier;
}

export class EventDesk {
  readonly #deps: EventDeskDeps;
  /** Calls as subscribers last heard of them: those who see one no more have to hear so. */
  readonly #told = new Map<CallId, Call>();
  #lastCursor = 0;

  constructor(deps: EventDeskDeps) {
    this.#deps = deps;
  }

  /** Sends a subscriber what they missed and everything from now on. */
  async subscribe(socket: WebSocket, query: URLSearchParams): Promise<void> {
    const after = query.get('after');
    const subscriber = subscriberOf(query);
    await this.#deps.book.load();
    // Somebody who was added a moment ago.
    if (!this.#deps.people.viewOf(subscriber)) this.#deps.people.forget();
    await this.#deps.people.prepare(null);
    let cursor = after === null ? await this.#deps.store.lastCursor() : Number(after);
    const missed: News[] = [];
    for (;;) {
      const entries = after === null ? [] : await this.#deps.store.entriesAfter(cursor, REPLAY_MAX);
      for (const entry of entries) {
        const call =
          this.#deps.book.get(entry.callId) ?? (await this.#deps.store.find(entry.callId));
        if (call && call.state !== 'tombstone') {
          missed.push({ notice: notice(call, entry), call, before: null });
        }
        cursor = entry.cursor;
      }
      // What was stored during these reads has to be read too; after this point nothing is awaited.
      const isComplete = entries.length < REPLAY_MAX && this.#lastCursor <= cursor;
      if (isComplete || after === null || missed.length >= REPLAY_MAX) break;
    }
    const hello: Hello = (view, agentId) =>
      this.#hello(Math.max(cursor, this.#lastCursor), view, agentId);
    this.#deps.sockets.accept(socket, subscriber, hello, missed);
    const { agentId } = subscriber;
    if (agentId !== null) void this.#deps.people.connectionChanged(agentId);
  }

  #hello(cursor: number, { sight }: View, agentId: AgentId | null): object {
    const calls = [...this.#deps.book.calls()].filter(
      (call) => call.state !== 'ended' && maySee(sight, call),
    );
    return {
      type: 'hello',
      cursor,
      agent_id: agentId,
      calls: calls.map(view),
      agents: this.#deps.people.presences().filter((agent) => maySeeColleague(sight, agent)),
    };
  }

  /** What subscribers may see has changed. */
  async refresh(): Promise<void> {
    await this.#knowCursor();
    this.#deps.sockets.refresh((view, agentId) => this.#hello(this.#lastCursor, view, agentId));
  }

  /** Lets subscribers know who is at work. */
  async presenceChanged(agents: readonly PresenceView[]): Promise<void> {
    await this.#knowCursor();
    const at = iso(Date.now());
    this.#deps.sockets.publishPresence({ type: 'presence', id: this.#lastCursor, at, agents });
  }

  /** It is not known any more after the memory was taken away; subscribers stayed. */
  async #knowCursor(): Promise<void> {
    if (this.#lastCursor > 0) return;
    const stored = await this.#deps.store.lastCursor().catch(() => 0);
    this.#lastCursor = Math.max(this.#lastCursor, stored);
  }

  /** A call came back from the record; subscribers know it. */
  knows(call: Call): void {
    this.#told.set(call.id, call);
  }

  /** Lets subscribers know of a stored decision. */
  tell(call: Call, entry: StoredEntry): void {
    this.#lastCursor = Math.max(this.#lastCursor, entry.cursor);
    const before = this.#told.get(call.id) ?? null;
    if (call.state !== 'tombstone')
      this.#deps.sockets.publish({ notice: notice(call, entry), call, before });
    if (isSettled(call)) this.#told.delete(call.id);
    else this.#told.set(call.id, call);
    if (publicEventOf(entry.type) !== null) this.#deps.courier.notify();
  }
}

/** The worker has authenticated whoever asks, and says in the query who it is. */
function subscriberOf(query: URLSearchParams): Subscriber {
  const until = query.get('until');
  return {
    agentId: query.get('agent') as AgentId | null,
    role: query.get('role') as Role,
    keyHash: query.get('key'),
    untilMs: until === null ? null : Number(until),
    wantsQuality: query.has('quality'),
  };
}
