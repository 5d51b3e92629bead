// The subscribers of `GET /v1/events`: replay from a cursor, then everything as it happens.
import type { CallView } from '../call-view.ts';

const TAG = 'events';

export type CallNotice = {
  readonly type: 'ring' | 'claim' | 'call';
  /** Cursor to resume after. */
  readonly id: number;
  readonly at: string;
  /** What happened, as in the call's timeline. */
  readonly event: string;
  readonly call: CallView;
};

export class EventSockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Sends what came before and subscribes; nothing may be awaited between making `backlog` and this call. */
  accept(socket: WebSocket, hello: object, backlog: readonly CallNotice[]): void {
    this.#ctx.acceptWebSocket(socket, [TAG]);
    socket.serializeAttachment({ kind: 'events' });
    socket.send(JSON.stringify(hello));
    for (const notice of backlog) socket.send(JSON.stringify(notice));
  }

  publish(notice: CallNotice): void {
    const sockets = this.#ctx.getWebSockets(TAG);
    if (sockets.length === 0) return;
    const text = JSON.stringify(notice);
    for (const socket of sockets) {
      try {
        socket.send(text);
      } catch {
        // It closed meanwhile; the client resumes from its cursor.
      }
    }
  }
}
