// The subscribers of `GET /v1/events`: replay from a cursor, then everything as it happens.
import type { CallView } from '../call-view.ts';
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
  readonly agentId: string | null;
  /** Of what they showed; null for the operator's key. */
  readonly keyHash: string | null;
  /** Nothing is sent to them from then on, in epoch ms; null: no end is known. */
  readonly untilMs: number | null;
  readonly wantsQuality: boolean;
}

export class EventSockets {
  readonly #ctx: DurableObjectState;
  readonly #now: () => number;

  /** @param now epoch ms */
  constructor(ctx: DurableObjectState, now: () => number) {
    this.#ctx = ctx;
    this.#now = now;
  }

  /** Sends what came before and subscribes; nothing may be awaited between making `backlog` and this call. */
  accept(
    socket: WebSocket,
    { agentId, keyHash, untilMs, wantsQuality }: Subscriber,
    hello: object,
    backlog: readonly CallNotice[],
  ): void {
    this.#ctx.acceptWebSocket(socket, [
      TAG,
      ...(agentId === null ? [] : [agentTag(agentId)]),
      ...(keyHash === null ? [] : [keyTag(keyHash)]),
      ...(wantsQuality ? [QUALITY_TAG] : []),
    ]);
    socket.serializeAttachment({ kind: 'events', agentId, untilMs } satisfies Attachment);
    socket.send(JSON.stringify(hello));
    for (const notice of backlog) socket.send(JSON.stringify(noticeFor(agentId, notice)));
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
  agentOf(socket: WebSocket): string | null {
    if (!this.#ctx.getTags(socket).includes(TAG)) return null;
    return (socket.deserializeAttachment() as Attachment).agentId;
  }

  /** Somebody wants to be told how calls sound. */
  get isQualityWanted(): boolean {
    return this.#ctx.getWebSockets(QUALITY_TAG).length > 0;
  }

  publishQuality(notice: QualityNotice): void {
    const text = JSON.stringify(notice);
    this.#send(QUALITY_TAG, () => text);
  }

  publishPresence(notice: PresenceNotice): void {
    const text = JSON.stringify(notice);
    this.#send(TAG, () => text);
  }

  publish(notice: CallNotice): void {
    this.#send(TAG, ({ agentId }) => JSON.stringify(noticeFor(agentId, notice)));
  }

  /** Those whose key or session is over are told nothing more. */
  #send(tag: string, textFor: (subscriber: Attachment) => string): void {
    const nowMs = this.#now();
    for (const socket of this.#ctx.getWebSockets(tag)) {
      const subscriber = socket.deserializeAttachment() as Attachment;
      if (subscriber.untilMs !== null && subscriber.untilMs <= nowMs) {
        socket.close(CLOSE_POLICY, 'the key is not valid any more');
        continue;
      }
      try {
        socket.send(textFor(subscriber));
      } catch {
        // It closed meanwhile. `hello` and what is sent again after its cursor tell it everything when it is back.
      }
    }
  }
}

/** As in `Subscriber`. */
interface Attachment {
  readonly kind: 'events';
  readonly agentId: string | null;
  readonly untilMs: number | null;
}

/** A call rings for those who are rung; to others it is a call like any other. */
function noticeFor(agentId: string | null, notice: CallNotice): CallNotice {
  const { connect, ringing_for } = notice.call;
  const isMeant =
    ringing_for?.includes(agentId ?? '') ??
    (connect === null || !('agent_id' in connect) || connect.agent_id === agentId);
  const isForOther = agentId !== null && !isMeant;
  return notice.type === 'ring' && isForOther ? { ...notice, type: 'call' } : notice;
}
