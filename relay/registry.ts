// Who is live on this relay: hands the worker's frames to sessions, keeps the capacity, drains.
import type { FrameToRelay } from './protocol.ts';
import type { CallFigures } from './quality-reports.ts';
import { Session, type SessionDeps } from './session.ts';

export type RegistryDeps = SessionDeps & {
  /** Hears of every call that is taken. */
  readonly onTaken?: (callId: string) => void;
};

/** How many ended calls are remembered, so that a late frame does not bring one back to life. */
const ENDED_REMEMBERED = 1_000;

export class Registry {
  readonly capacity: number;
  readonly #deps: RegistryDeps;
  readonly #live = new Map<string, Session>();
  /** Ended, but not yet down. */
  readonly #closing = new Set<Session>();
  readonly #ended = new Set<string>();
  /** No new call is taken while this is true, because those that are here use up the machine. */
  isOverloaded = false;
  #isDraining = false;
  #onEmpty: (() => void) | undefined;

  constructor(capacity: number, deps: RegistryDeps) {
    this.capacity = capacity;
    this.#deps = {
      ...deps,
      emit: (event) => {
        deps.emit(event);
        if (event.type === 'ended') this.#remember(event.call_id);
      },
    };
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Calls whose media is held here. */
  liveCalls(): string[] {
    return [...this.#live.keys()];
  }

  /** The calls whose path is open, with their figures so far. */
  figures(): CallFigures[] {
    return [...this.#live].flatMap(([callId, session]) => {
      const stats = session.figures();
      return stats ? [{ callId, stats }] : [];
    });
  }

  /** Carries out one frame. Unknown calls are reported as ended, except to a close, which has nothing left to do. */
  handle(frame: FrameToRelay): void {
    switch (frame.type) {
      case 'call.answer':
        this.#take(frame.call_id, (session) => session.answer(frame.sdp));
        return;
      case 'call.offer':
        this.#take(frame.call_id, (session) => session.offer());
        return;
      case 'call.apply-answer':
        this.#find(frame.call_id)?.applyAnswer(frame.sdp);
        return;
      case 'call.want':
        this.#find(frame.call_id)?.want(frame);
        return;
      case 'call.close':
        this.#live.get(frame.call_id)?.close('closed');
        return;
      case 'welcome':
      case 'ack':
      case 'refused':
        return;
    }
  }

  /** Takes no new calls from here on; resolves when the last one is down. */
  drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#isEmpty()) return Promise.resolve();
    return new Promise((resolve) => (this.#onEmpty = resolve));
  }

  /** Ends every call. @param detail why, for people */
  closeAll(detail: string): void {
    for (const session of this.#live.values()) session.close('closed', detail);
  }

  /** Takes a new call; of one that it has, the SDP is reported again. */
  #take(callId: string, begin: (session: Session) => Promise<void>): void {
    const known = this.#live.get(callId);
    if (known) {
      known.reportSdp();
      return;
    }
    if (this.#ended.has(callId)) {
      this.#deps.log.info({ call_id: callId }, 'call.begun-after-end');
      return;
    }
    const detail = this.#whyNot();
    if (detail !== undefined) {
      this.#deps.emit({ type: 'ended', call_id: callId, reason: 'no-capacity', detail });
      return;
    }
    const session = new Session(callId, this.#deps);
    this.#live.set(callId, session);
    this.#deps.log.info({ call_id: callId, live: this.#live.size }, 'call.taken');
    this.#deps.onTaken?.(callId);
    begin(session).catch((error: unknown) => {
      this.#deps.log.error({ err: error, call_id: callId }, 'call.failed');
      session.close('internal');
    });
  }

  /** Why no new call is taken at this moment. */
  #whyNot(): string | undefined {
    if (this.#isDraining) return 'draining';
    if (this.isOverloaded) return 'overloaded';
    return this.#live.size >= this.capacity ? `all ${this.capacity} taken` : undefined;
  }

  /** A call that a frame speaks of; one that was never here is reported as ended. */
  #find(callId: string): Session | undefined {
    const session = this.#live.get(callId);
    // Of an ended one the report is on its way, or was acknowledged.
    if (!session && !this.#ended.has(callId)) {
      this.#deps.emit({
        type: 'ended',
        call_id: callId,
        reason: 'internal',
        detail: 'unknown call',
      });
    }
    return session;
  }

  #remember(callId: string): void {
    this.#ended.add(callId);
    const [oldest] = this.#ended;
    if (this.#ended.size > ENDED_REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
    const session = this.#live.get(callId);
    if (!session) return;
    this.#live.delete(callId);
    this.#closing.add(session);
    void session.closed.then(() => {
      this.#closing.delete(session);
      if (this.#isEmpty()) this.#onEmpty?.();
    });
  }

  #isEmpty(): boolean {
    return this.#live.size === 0 && this.#closing.size === 0;
  }
}
