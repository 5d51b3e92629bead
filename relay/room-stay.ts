// A call's stay in its room, over every connection to it: joins, comes back when the connection breaks, and says what has
// changed meanwhile. What is sent and heard there is the bridge's business.
import type { Audience } from './domain/audience.ts';
import type {
  Clock,
  JoinRoom,
  LeftWhy,
  Log,
  RoomEnd,
  RoomHandlers,
  RoomLink,
  RoomPlace,
} from './ports.ts';
import type { RelayEndReason } from './protocol.ts';

/** A server that cannot be reached is tried again for this long when the call comes in; the caller hears ringing meanwhile. */
const JOIN_MS_MAX = 5_000;

/** How long a caller is kept on hold while we try to get back: a server is restarted within seconds, or not at all. */
export const REJOIN_MS_MAX = 10_000;

/** A connection that breaks again before this prolongs nothing: the limit of the absence before it goes on. */
const STEADY_MS = 3_000;

/** Pause between two attempts; up to half as much again at random, because all calls lose a server at the same moment. */
const PAUSE_MS = 300;

/** From the server's welcome to working media; livekit-server's own limit for negotiating is 15 s. */
const CONNECT_MS_MAX = 10_000;
/** The same when coming back, so that one attempt that hangs does not use up the time for others. */
const RECONNECT_MS_MAX = 4_000;

export type RoomStayDeps = {
  readonly joinRoom: JoinRoom;
  readonly clock: Clock;
  readonly log: Log;
  /** Integer from 0 (inclusive) to `below`, unpredictable. */
  readonly random: (below: number) => number;
};

/** What a stay tells. Nothing is told after `leave` or `onEnded`. */
export type StayHandlers = Omit<RoomHandlers, 'onJoined' | 'onEnded'> & {
  /** We are in the room and can send, for the first time or again. Who is missing since is told afterwards. */
  onJoined: (room: RoomLink) => void;
  /** The connection broke; `onJoined` or `onEnded` follows. */
  onAway: (detail: string) => void;
  /** The stay is over; said once. */
  onEnded: (reason: RelayEndReason, detail: string) => void;
};

export class RoomStay {
  readonly #deps: RoomStayDeps;
  readonly #callId: string;
  readonly #cname: string;
  readonly #handlers: StayHandlers;
  #place: RoomPlace | undefined;
  #audience: Audience | undefined;
  /** The present connection or the attempt at one. */
  #link: RoomLink | undefined;
  /** The room that we were in. */
  #origin: RoomLink['origin'] | undefined;
  #isIn = false;
  #hasBeenIn = false;
  #isOver = false;
  #joinedAtMs = 0;
  /** End of the first attempts, later of the latest absence. */
  #giveUpAtMs = -Infinity;
  #giveUp: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #lossDetail = '';
  #attemptDetail = 'no attempt';
  /** Participants that were told of and have not left since. */
  readonly #present = new Set<string>();
  readonly #skipped = new Set<string>();

  /** @param cname RFC 3550 name of the caller's stream */
  constructor(callId: string, cname: string, deps: RoomStayDeps, handlers: StayHandlers) {
    this.#callId = callId;
    this.#cname = cname;
    this.#deps = deps;
    this.#handlers = handlers;
  }

  /** Takes over whom to hear, and where to join when we are not in the room: at once, unless an attempt is under way. */
  want(place: RoomPlace | undefined, audience: Audience): void {
    if (this.#isOver) return;
    this.#audience = audience;
    this.#link?.setAudience(audience);
    if (!place || this.#isIn) return;
    if (!this.#place) this.#giveUpAtMs = this.#deps.clock.nowMs() + JOIN_MS_MAX;
    this.#place = place;
    if (!this.#link) this.#attempt();
  }

  /** An attempt to get in is under way. */
  get isEntering(): boolean {
    return this.#link !== undefined && !this.#isIn;
  }

  /** Leaves on purpose; resolves when the connection is down, or the attempt at one is over. */
  async leave(): Promise<void> {
    this.#stop();
    await this.#link?.leave();
  }

  #attempt(): void {
    clearTimeout(this.#pause);
    const { joinRoom } = this.#deps;
    if (!this.#place || !this.#audience) return;
    const here = new Set<string>();
    const connectMsMax = this.#hasBeenIn ? RECONNECT_MS_MAX : CONNECT_MS_MAX;
    const place = { ...this.#place, cname: this.#cname, connectMsMax };
    this.#link = joinRoom(place, this.#audience, {
      ...this.#handlers,
      onJoined: () => this.#joined(here),
      onParticipantJoined: (identity, aiName) => {
        here.add(identity);
        this.#came(identity, aiName);
      },
      onParticipantLeft: (identity, why) => {
        here.delete(identity);
        this.#went(identity, why);
      },
      onPublisherSkipped: (identity) => this.#skips(identity),
      onEnded: (end) => this.#ended(end),
    });
  }

  #joined(here: ReadonlySet<string>): void {
    if (!this.#link) return;
    if (this.#isAnother(this.#link.origin)) {
      void this.#link.leave();
      this.#finish('room-deleted', 'deleted while the connection was broken');
      return;
    }
    clearTimeout(this.#giveUp);
    if (!this.#hasBeenIn) this.#giveUpAtMs = -Infinity;
    this.#isIn = this.#hasBeenIn = true;
    this.#joinedAtMs = this.#deps.clock.nowMs();
    this.#handlers.onJoined(this.#link);
    for (const identity of this.#present) if (!here.has(identity)) this.#went(identity, 'lost');
  }

  /**
   * The same server has another room by this name: the one that we were in was deleted, and the word of it got lost. A server
   * that was restarted has an id of its own for every start.
   */
  #isAnother({ room, server }: RoomLink['origin']): boolean {
    const before = this.#origin;
    if (room === '' || server === '') return false;
    this.#origin = { room, server };
    return before !== undefined && before.server === server && before.room !== room;
  }

  #came(identity: string, aiName: string | undefined): void {
    if (this.#present.has(identity)) return;
    this.#present.add(identity);
    this.#handlers.onParticipantJoined(identity, aiName);
  }

  #went(identity: string, why: LeftWhy): void {
    this.#skipped.delete(identity);
    if (this.#present.delete(identity)) this.#handlers.onParticipantLeft(identity, why);
  }

  #skips(identity: string): void {
    if (this.#skipped.has(identity)) return;
    this.#skipped.add(identity);
    this.#handlers.onPublisherSkipped(identity);
  }

  #ended(end: RoomEnd): void {
    const { why, detail } = end;
    const nowMs = this.#deps.clock.nowMs();
    const wasIn = this.#isIn;
    const token = this.#link?.token;
    this.#isIn = false;
    this.#link = undefined;
    if (why === 'room-deleted' || why === 'removed-from-room') {
      this.#finish(why, detail);
    } else if (why === 'replaced' && (!this.#hasBeenIn || nowMs >= this.#giveUpAtMs)) {
      this.#finish('removed-from-room', detail);
    } else if (wasIn) {
      if (this.#place && token !== undefined) this.#place = { ...this.#place, token };
      this.#lose(end, nowMs);
    } else {
      this.#attemptDetail = detail;
      this.#failed(why, nowMs);
    }
  }

  /** An attempt came to nothing. */
  #failed(why: RoomEnd['why'], nowMs: number): void {
    const isFinal = !this.#hasBeenIn && why !== 'unreachable';
    if (isFinal || (!this.#hasBeenIn && nowMs + PAUSE_MS > this.#giveUpAtMs)) {
      this.#finish('room-failed', this.#attemptDetail);
      return;
    }
    // While we are away nothing is final: a token that is refused may be outdated, and another one is on its way.
    this.#deps.log.info(
      { call_id: this.#callId, why, detail: this.#attemptDetail },
      'room.retried',
    );
    this.#attemptLater();
  }

  #lose({ why, detail }: RoomEnd, nowMs: number): void {
    this.#lossDetail = detail;
    // An attempt of ours that we had given up may reach the server after the one that succeeded and replace it.
    const isSame = why === 'replaced' || nowMs - this.#joinedAtMs < STEADY_MS;
    const goesOn = isSame && this.#giveUpAtMs !== -Infinity;
    if (!goesOn) this.#giveUpAtMs = nowMs + REJOIN_MS_MAX;
    this.#giveUp = setTimeout(() => this.#giveIn(), this.#giveUpAtMs - nowMs);
    this.#deps.log.warn({ call_id: this.#callId, why, detail }, 'room.away');
    this.#handlers.onAway(detail);
    if (this.#isOver) return;
    if (goesOn) this.#attemptLater();
    else this.#attempt();
  }

  #attemptLater(): void {
    const pauseMs = PAUSE_MS + this.#deps.random(PAUSE_MS / 2);
    this.#pause = setTimeout(() => this.#attempt(), pauseMs);
  }

  #giveIn(): void {
    const seconds = REJOIN_MS_MAX / 1000;
    const why = `${this.#lossDetail}; not back within ${seconds} s: ${this.#attemptDetail}`;
    this.#finish('room-lost', why);
  }

  #finish(reason: RelayEndReason, detail: string): void {
    this.#stop();
    this.#handlers.onEnded(reason, detail);
  }

  #stop(): void {
    this.#isOver = true;
    clearTimeout(this.#pause);
    clearTimeout(this.#giveUp);
  }
}
