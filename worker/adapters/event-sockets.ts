// The subscribers of `GET /v1/events`: replay from a cursor, then everything as it happens.
import type { CallView } from '../call-view.ts';
import type { Call } from '../domain/call.ts';
import type { AgentId } from '../domain/ids.ts';
import { maskJson } from '../domain/masking.ts';
import type { Role } from '../domain/roster.ts';
import { maySee, maySeeColleague, type View } from '../domain/sight.ts';
import type { PresenceView } from '../front-desk.ts';
import type { QualityView } from '../quality-view.ts';
import { CLOSE_POLICY } from './revoked-sockets.ts';

const TAG = 'events';
/** Those who asked to be told how calls sound. */
const QUALITY_TAG = 'events-quality';

/** Tag of the sockets of one agent. */
export const agentTag = (agentId: string): string => `${TAG}:${agentId}`;
/** Tag of the sockets that were opened with one key or session, by its hash. */
export const keyTag = (keyHash: string): string => `${TAG}-by:${keyHash}`;

export type CallNotice = {
  readonly type: 'ring' | 'claim' | 'call';
  /** Cursor to resume after. */
  readonly id: number;
  readonly at: string;
  /** What happened, as in the call's timeline. */
  readonly event: string;
  readonly call: CallView;
};

/** How calls sound at present: the latest is all that counts, so it has no cursor and is not replayed. */
export type QualityNotice = {
  readonly type: 'quality';
  readonly at: string;
  readonly calls: readonly { readonly id: string; readonly quality: QualityView }[];
};

/** Who answers calls, as far as that has changed; like `quality` it is not replayed. */
export type PresenceNotice = {
  readonly type: 'presence';
  /** The cursor so far, for clients that keep that of every frame. */
  readonly id: number;
  readonly at: string;
  readonly agents: readonly PresenceView[];
};

export interface Subscriber {
  /** Null for the operator and for programs. */
  readonly agentId: AgentId | null;
  readonly role: Role;
  /** Of what they showed; null for the operator's key. */
  readonly keyHash: string | null;
  /** Nothing is sent to them from then on, in epoch ms; null: no end is known. */
  readonly untilMs: number | null;
  readonly wantsQuality: boolean;
}

/** Something that happened to a call, which is shown to those who see the call as it is now, or saw it before. */
export interface News {
  readonly notice: CallNotice;
  readonly call: Call;
  readonly before: Call | null;
}

export interface EventSocketsDeps {
  /** Epoch ms. */
  readonly now: () => number;
  /** Null for somebody who is to be told nothing. */
  readonly viewOf: (subscriber: Pick<Subscriber, 'agentId' | 'role'>) => View | null;
}

export class EventSockets {
  readonly #ctx: DurableObjectState;
  readonly #deps: EventSocketsDeps;

  constructor(ctx: DurableObjectState, deps: EventSocketsDeps) {
    this.#ctx = ctx;
    this.#deps = deps;
  }

  /** Sends what came before and subscribes; nothing may be awaited between making `backlog` and this call. */
  accept(
    socket: WebSocket,
    { agentId, role, keyHash, untilMs, wantsQuality }: Subscriber,
    hello: Hello,
    backlog: readonly News[],
  ): void {
    this.#ctx.acceptWebSocket(socket, [
      TAG,
      ...(agentId === null ? [] : [agentTag(agentId)]),
      ...(keyHash === null ? [] : [keyTag(keyHash)]),
      ...(wantsQuality ? [QUALITY_TAG] : []),
    ]);
    const subscriber: Attachment = { kind: 'events', agentId, role, untilMs, shown: '' };
    socket.serializeAttachment(subscriber);
    this.#greet(socket, subscriber, hello);
    const view = this.#deps.viewOf(subscriber);
    for (const news of backlog) {
      const notice = view && noticeFor(agentId, view, news);
      if (notice) socket.send(JSON.stringify(notice));
    }
  }

  /** Says anew what is to whoever is shown something else now, and closes the connections of those who are shown nothing. */
  refresh(hello: Hello): void {
    for (const socket of this.#ctx.getWebSockets(TAG)) {
      const subscriber = socket.deserializeAttachment() as Attachment;
      const shown = fingerprint(this.#deps.viewOf(subscriber));
      if (shown !== subscriber.shown) this.#greet(socket, subscriber, hello);
    }
  }

  #greet(socket: WebSocket, subscriber: Attachment, hello: Hello): void {
    const view = this.#deps.viewOf(subscriber);
    if (!view) {
      socket.close(CLOSE_POLICY, 'the key is not valid any more');
      return;
    }
    socket.serializeAttachment({ ...subscriber, shown: fingerprint(view) } satisfies Attachment);
    try {
      const frame = hello(view, subscriber.agentId);
      socket.send(JSON.stringify(view.isMasked ? maskJson(frame) : frame));
    } catch {
      // It closed meanwhile.
    }
  }

  /** Closes the connection of a subscriber who sends something: nobody has anything to say here. Others are left alone. */
  refuseMessage(socket: WebSocket): void {
    if (this.#ctx.getTags(socket).includes(TAG)) {
      socket.close(CLOSE_POLICY, 'nothing is expected on this connection');
    }
  }

  /** Whether a client of this agent listens. */
  isConnected(agentId: string): boolean {
    return this.#ctx
      .getWebSockets(agentTag(agentId))
      .some((socket) => socket.readyState === WebSocket.OPEN);
  }

  /** The agent whose connection this is; null for those of operators and relays. */
  agentOf(socket: WebSocket): AgentId | null {
    if (!this.#ctx.getTags(socket).includes(TAG)) return null;
    return (socket.deserializeAttachment() as Attachment).agentId;
  }

  /** Somebody wants to be told how calls sound. */
  get isQualityWanted(): boolean {
    return this.#ctx.getWebSockets(QUALITY_TAG).length > 0;
  }

  publishQuality(notice: QualityNotice, callOf: (id: string) => Call | undefined): void {
    this.#send(QUALITY_TAG, (_agentId, { sight }) => {
      const calls = notice.calls.filter(({ id }) => {
        const call = callOf(id);
        return call !== undefined && maySee(sight, call);
      });
      return calls.length === 0 ? null : JSON.stringify({ ...notice, calls });
    });
  }

  publishPresence(notice: PresenceNotice): void {
    this.#send(TAG, (_agentId, { sight }) => {
      const agents = notice.agents.filter((agent) => maySeeColleague(sight, agent));
      return agents.length === 0 ? null : JSON.stringify({ ...notice, agents });
    });
  }

  publish(news: News): void {
    this.#send(TAG, (agentId, view) => {
      const notice = noticeFor(agentId, view, news);
      return notice && JSON.stringify(notice);
    });
  }

  /** Those whose key or session is over are told nothing more. */
  #send(tag: string, textFor: (agentId: AgentId | null, view: View) => string | null): void {
    const nowMs = this.#deps.now();
    for (const socket of this.#ctx.getWebSockets(tag)) {
      const subscriber = socket.deserializeAttachment() as Attachment;
      if (subscriber.untilMs !== null && subscriber.untilMs <= nowMs) {
        socket.close(CLOSE_POLICY, 'the key is not valid any more');
        continue;
      }
      const view = this.#deps.viewOf(subscriber);
      const text = view && textFor(subscriber.agentId, view);
      if (text === null) continue;
      try {
        socket.send(text);
      } catch {
        // It closed meanwhile. `hello` and what is sent again after its cursor tell it everything when it is back.
      }
    }
  }
}

/** What somebody is told first: all that there is now. */
export type Hello = (view: View, agentId: AgentId | null) => object;

/** As in `Subscriber`. */
interface Attachment extends Pick<Subscriber, 'agentId' | 'role' | 'untilMs'> {
  readonly kind: 'events';
  /** Of what they are shown, by which a change is seen. */
  readonly shown: string;
}

/** Short enough for an attachment, whatever the number of teams. */
const fingerprint = (view: View | null): string => JSON.stringify(view).slice(0, 1_000);

/** @returns null for a call that they neither see nor saw before */
function noticeFor(
  agentId: AgentId | null,
  { sight, isMasked }: View,
  { notice, call, before }: News,
): CallNotice | null {
  if (!maySee(sight, call) && !(before && maySee(sight, before))) return null;
  const shown = isMasked ? maskJson(notice) : notice;
  return notice.type === 'ring' && isForOthers(agentId, notice)
    ? { ...shown, type: 'call' }
    : shown;
}

/** A call rings for those who are rung; to others it is a call like any other. */
function isForOthers(agentId: AgentId | null, { call: { connect, ringing_for } }: CallNotice) {
  const isMeant =
    ringing_for?.includes(agentId ?? '') ??
    (connect === null || !('agent_id' in connect) || connect.agent_id === agentId);
  return agentId !== null && !isMeant;
}
