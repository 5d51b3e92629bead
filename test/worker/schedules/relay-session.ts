// One call at a modelled relay: its leg to the provider, its place in the room. It does what it is told and reports what happens.
import type { CallWant, RelayEndReason, RelayEvent } from '../../../relay/protocol.ts';
import type { CallAudio } from '../../../worker/domain/call.ts';
import type { Random } from '../../bench/random.ts';
import type { MetaCall } from './meta.ts';
import type { LeaveReason, Member, Rooms } from './rooms.ts';
import type { Simulation } from './simulation.ts';
import { isAsDecided, Player } from './sound.ts';

type WithoutSequence<T> = T extends unknown ? Omit<T, 'seq' | 'at_ms'> : never;
export type NewEvent = WithoutSequence<RelayEvent>;

/** How long a relay tries to connect, and to get back into a room. */
const CONNECT_MS_MAX = 20_000;
const REJOIN_MS_MAX = 10_000;

export interface SessionDeps {
  readonly sim: Simulation;
  readonly random: Random;
  readonly rooms: Rooms;
  readonly instance: string;
  readonly metaOf: (callId: string) => MetaCall | undefined;
  /** As it was decided in this version of the call. */
  readonly soundOf: (callId: string, version: number) => CallAudio | undefined;
  readonly emit: (event: NewEvent) => void;
  readonly ended: (session: Session) => void;
  /** Somebody can hear the caller and be heard. */
  readonly ready: (callId: string) => void;
  /** The product asked for something that it must never ask for. */
  readonly violated: (kind: string, callId: string, detail: string) => void;
}

/** Every AI agent of a schedule is registered by this name. */
const AI_NAME = 'ai';
const isAi = (identity: string): boolean => identity.startsWith('ai-');

export class Session {
  readonly callId: string;
  readonly sdp: string;
  readonly isOffering: boolean;
  isOpen = false;
  readonly player: Player;
  #state: 'preparing' | 'prepared' | 'connecting' | 'up' | 'ended' = 'preparing';
  #want: CallWant | null = null;
  #hasAnswer: boolean;
  #member: Member | null = null;
  #isInRoom = false;
  /** Others in the room, as far as they were reported. */
  readonly #present = new Set<string>();
  readonly #ready = new Set<string>();
  readonly #skipped = new Set<string>();
  readonly #deps: SessionDeps;

  /** @param lateMs how much longer than usual it takes to prepare */
  constructor(callId: string, isOffering: boolean, lateMs: number, deps: SessionDeps) {
    this.callId = callId;
    this.isOffering = isOffering;
    this.#hasAnswer = !isOffering;
    this.sdp = `sdp of ${deps.instance} for ${callId}`;
    this.#deps = deps;
    this.player = new Player(deps.sim, deps.random, (id, completed) => {
      if (this.isEnded) return;
      deps.emit({ type: 'played', call_id: callId, id, completed });
    });
    deps.sim.after(2 + deps.random.below(30) + lateMs, () => {
      if (this.#state !== 'preparing') return;
      this.#state = 'prepared';
      this.report();
      this.#follow();
    });
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  report(): void {
    if (this.#state === 'preparing' || this.#state === 'ended') return;
    const type = this.isOffering ? 'offered' : 'answered';
    this.#deps.emit({ type, call_id: this.callId, sdp: this.sdp });
  }

  applyAnswer(): void {
    this.#hasAnswer = true;
    if (this.#state === 'prepared') this.#connect();
  }

  want(want: CallWant): void {
    if (this.#state === 'ended' || (this.#want && want.rev <= this.#want.rev)) return;
    const call = this.#deps.metaOf(this.callId);
    if (want.open && !call?.connectedAtMs) this.#violated('open-before-accept', want);
    if (want.room && call?.direction === 'outbound' && !call.connectedAtMs) {
      this.#violated('in-room-before-pickup', want);
    }
    const sound = this.#deps.soundOf(this.callId, want.rev);
    if (!sound || !isAsDecided(want, sound)) this.#violated('sound-not-as-decided', want);
    this.#want = want;
    this.player.want(want);
    this.#follow();
  }

  soundsLike(audio: CallAudio): boolean {
    return this.#want !== null && isAsDecided(this.#want, audio);
  }

  /** The caller presses a key; it is heard once the path is open. */
  press(digit: string): void {
    if (this.isUp && this.isOpen) this.#deps.emit({ type: 'dtmf', call_id: this.callId, digit });
  }

  /** People whom the caller hears, and who hear the caller. */
  heard(): Member[] {
    if (!this.#isInRoom || !this.#member) return [];
    return this.#deps.rooms
      .members(this.#room)
      .filter((member) => member.hasMicrophone && this.#isHeard(member.identity));
  }

  /** The provider has ended the call and with it the media. */
  legEnded(): void {
    if (this.#state !== 'up') return;
    // Consent is lost at once, or only the silence is noticed.
    const afterMs = this.#deps.random.below(4) === 0 ? 30_000 : 100 + this.#deps.random.below(900);
    this.#deps.sim.after(afterMs, () => this.close('media-lost'));
  }

  close(reason: RelayEndReason): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#leave('left');
    this.#deps.emit({ type: 'ended', call_id: this.callId, reason });
    this.#deps.ended(this);
  }

  /** The process is gone: nobody reports anything, LiveKit notices after a while. */
  vanish(): void {
    this.#state = 'ended';
    this.#deps.sim.after(1_000 + this.#deps.random.below(14_000), () => this.#leave('lost'));
  }

  // ---- the leg ---------------------------------------------------------------------------------------------------------------

  #follow(): void {
    if (!this.#want || this.#state === 'preparing' || this.#state === 'ended') return;
    if ((this.#want.connect || this.isOffering) && this.#hasAnswer) this.#connect();
    if (this.#want.room) this.#join();
    this.#listen();
    this.isOpen ||= this.#want.open && this.#state === 'up';
  }

  #connect(): void {
    if (this.#state !== 'prepared') return;
    this.#state = 'connecting';
    const { sim, random } = this.#deps;
    const untilMs = sim.nowMs + CONNECT_MS_MAX;
    const attempt = (): void => {
      if (this.#state !== 'connecting') return;
      const call = this.#deps.metaOf(this.callId);
      const isThere = call && call.phase !== 'over' && call.sdp === this.sdp;
      if (isThere) this.#connected();
      else if (sim.nowMs >= untilMs) this.close('media-failed');
      else sim.after(500, attempt);
    };
    sim.after(50 + random.below(300), attempt);
  }

  #connected(): void {
    this.#state = 'up';
    this.#deps.emit({ type: 'media-up', call_id: this.callId });
    this.isOpen ||= this.#want?.open === true;
  }

  // ---- the room --------------------------------------------------------------------------------------------------------------

  get #room(): string {
    return `call-${this.callId}`;
  }

  #join(): void {
    if (this.#member) return;
    const member: Member = {
      identity: `caller-${this.callId}`,
      hasMicrophone: true,
      onJoined: ({ identity }) => this.#came(identity),
      onPublished: () => this.#listen(),
      onLeft: ({ identity }, why) => this.#left(identity, why),
      onOut: (why) => this.#out(why),
    };
    this.#member = member;
    this.#enter(member);
  }

  #enter(member: Member): void {
    const { sim, random, rooms, emit } = this.#deps;
    sim.after(80 + random.below(200), () => {
      if (this.#state === 'ended' || this.#member !== member || this.#isInRoom) return;
      this.#isInRoom = true;
      rooms.join(this.#room, member);
      emit({ type: 'room-joined', call_id: this.callId });
      const others = rooms.members(this.#room).filter((other) => other !== member);
      for (const { identity } of others) this.#came(identity);
      for (const identity of this.#present) {
        if (!others.some((other) => other.identity === identity)) this.#left(identity, 'lost');
      }
      this.#listen();
    });
  }

  /** Reports everybody who can be heard now and could not before. */
  #listen(): void {
    for (const { identity, hasMicrophone } of this.#deps.rooms.members(this.#room)) {
      if (!hasMicrophone || !this.#isInRoom || identity === this.#member?.identity) continue;
      if (this.#isHeard(identity)) this.#becomeReady(identity);
      else if (!this.#skipped.has(identity)) {
        this.#skipped.add(identity);
        this.#deps.emit({ type: 'publisher-skipped', call_id: this.callId, identity });
      }
    }
  }

  #becomeReady(identity: string): void {
    if (this.#ready.has(identity)) return;
    this.#ready.add(identity);
    this.#deps.sim.after(30 + this.#deps.random.below(100), () => {
      if (this.#state === 'ended' || !this.heard().some((member) => member.identity === identity)) {
        this.#ready.delete(identity);
        return;
      }
      this.#deps.ready(this.callId);
      const name = this.#isHeardAsAi(identity) ? { ai_name: AI_NAME } : {};
      this.#deps.emit({ type: 'ready', call_id: this.callId, identity, ...name });
    });
  }

  #isHeard(identity: string): boolean {
    const audience = this.#want?.audience;
    if (!audience || audience.excluded.includes(identity)) return false;
    if (audience.everyone || audience.named.includes(identity)) return true;
    return identity.startsWith('agent-') || this.#isHeardAsAi(identity);
  }

  #isHeardAsAi(identity: string): boolean {
    const audience = this.#want?.audience;
    if (!audience?.ai || audience.everyone || audience.named.includes(identity)) return false;
    return isAi(identity);
  }

  #came(identity: string): void {
    if (this.#present.has(identity)) return;
    this.#present.add(identity);
    const name = isAi(identity) ? { ai_name: AI_NAME } : {};
    this.#deps.emit({ type: 'participant-joined', call_id: this.callId, identity, ...name });
  }

  #left(identity: string, why: LeaveReason): void {
    this.#present.delete(identity);
    this.#ready.delete(identity);
    if (this.#state === 'ended') return;
    this.#deps.emit({ type: 'participant-left', call_id: this.callId, identity, why });
  }

  #out(why: 'room-deleted' | 'removed' | 'server-restarted'): void {
    if (this.#state === 'ended') return;
    this.#isInRoom = false;
    if (why === 'room-deleted') return this.close('room-deleted');
    if (why === 'removed') return this.close('removed-from-room');
    this.#ready.clear();
    this.#deps.emit({ type: 'room-away', call_id: this.callId });
    const member = this.#member;
    const { sim, random } = this.#deps;
    sim.after(random.below(2_500), () => member && this.#enter(member));
    sim.after(REJOIN_MS_MAX, () => {
      if (!this.#isInRoom) this.close('room-lost');
    });
  }

  #leave(why: LeaveReason): void {
    if (this.#member && this.#isInRoom) this.#deps.rooms.leave(this.#room, this.#member, why);
    this.#isInRoom = false;
    this.#member = null;
  }

  #violated(kind: string, want: CallWant): void {
    this.#deps.violated(kind, this.callId, `call.want rev ${want.rev}`);
  }
}
