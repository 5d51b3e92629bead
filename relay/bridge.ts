// Both voices of a call: a pump each way between the provider's leg and the room, and what may flow when.
import { KeyReader } from './domain/dtmf.ts';
import type { PayloadTypes } from './domain/payload-types.ts';
import type { PlayPacket, Sound } from './domain/player.ts';
import { Playout, type Play } from './domain/playout.ts';
import { isRtcp } from './domain/rtp.ts';
import type { CallRecorder, Clock, LegIdentity, OpenMixLine, RoomLink } from './ports.ts';
import type { CallStats, CallWant } from './protocol.ts';
import { Pump } from './pump.ts';
import { Reporting } from './reporting.ts';
import { withMos } from './voice-rating.ts';
import { Voices } from './voices.ts';

/** The caller's packets are one source. */
const CALLER = 0;

/** What we play to the caller is one source; tracks of the room are numbered from 1. */
const PLAYED = 0;

/**
 * How long what the caller says waits for somebody in the room to receive it, in ms, and how much of it is kept meanwhile. People
 * subscribe 50 to 150 ms after the track has appeared, AI agents may take seconds to come; a room in which nobody does must not
 * make the caller late for whoever comes next.
 */
export const HELD_MS_MAX = 10_000;

/** How much is kept of what somebody says once the call is theirs, while the provider is told to open the path, in ms. */
const ANSWERING_MS_MAX = 5_000;

/** How much is kept of what is said when nobody knows yet whether it is meant for the other side, in ms. */
const EARLY_MS_MAX = 1_000;

/**
 * How long the caller hears nobody while a sound is fetched, in ms. It mostly takes a tenth of that, and what comes with it must
 * come first: an announcement. A worker that does not answer must not leave the caller in silence.
 */
export const PLAY_WAIT_MS_MAX = 1_000;

/** A connection that is back before this is a short silence; a sound that breaks off at once would be worse, in ms. */
const HOLD_AFTER_MS = 500;

export type BridgeDeps = {
  readonly clock: Clock;
  /** Integer from 0 (inclusive) to `below`, unpredictable. */
  readonly random: (below: number) => number;
  /** Sends one packet to the provider. The bytes are reused afterwards. */
  readonly send: (packet: Uint8Array) => void;
  /** What the caller hears on hold and while the room is away. */
  readonly holdSound: Sound;
  readonly openMixLine: OpenMixLine;
  readonly recorder: CallRecorder;
  /** The caller pressed a key, of `KEYS`. */
  readonly onKey: (digit: string) => void;
};

export class Bridge {
  /** Our one stream to the provider. */
  readonly identity: LegIdentity;
  readonly #deps: BridgeDeps;
  readonly #toCaller: Pump;
  readonly #voices: Voices;
  readonly #fromCaller: Pump;
  readonly #reporting: Reporting;
  readonly #playout: Playout;
  readonly #keys: KeyReader;
  #types: PayloadTypes = {
    opus: { sent: 0, received: [] },
    events: { sent: undefined, received: [] },
  };
  #room: RoomLink | undefined;
  #isOpen = false;
  #isJoined = false;
  #keepsEarly = false;
  #isCallerHeard = false;
  #heardAtMs = Infinity;
  #releaseAtMs = Infinity;

  constructor(deps: BridgeDeps) {
    this.#deps = deps;
    const { random } = deps;
    this.identity = {
      ssrc: 1 + random(0xffff_fffe),
      // Spec: RFC 3550 section 6.5.1, a name that is the same on both legs and says nothing about the user.
      cname: random(2 ** 47).toString(36),
    };
    // Spec: RFC 3550 section 5.1, both numbers start at random.
    const start = () => ({ sequence: random(0x1_0000), timestamp: random(0x1_0000_0000) });
    this.#toCaller = new Pump(start(), (packet) => deps.send(packet), deps.recorder.sent);
    this.#voices = new Voices(this.#toCaller, deps);
    this.#fromCaller = new Pump(start(), (packet) => this.#room?.send(packet));
    this.#toCaller.keep(EARLY_MS_MAX);
    this.#fromCaller.keep(EARLY_MS_MAX);
    this.#reporting = new Reporting({
      clock: deps.clock,
      toCaller: this.#toCaller,
      fromCaller: this.#fromCaller,
      caller: CALLER,
      sendToProvider: deps.send,
      sendToRoom: (report) => this.#room?.send(report),
    });
    this.#playout = new Playout(deps.holdSound);
    this.#keys = new KeyReader((digit) => this.#pressed(digit));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Takes over what was negotiated; before anything flows. */
  setPayloadTypes(types: PayloadTypes): void {
    this.#types = types;
  }

  /** Opens the path: from here on the provider is sent a stream without a gap. Repeating it changes nothing. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const nowMs = this.#deps.clock.nowMs();
    this.#heardAtMs = nowMs;
    this.#reporting.start(nowMs);
    this.#playout.endSilence(nowMs + PLAY_WAIT_MS_MAX);
    this.#toCaller.countFrom(nowMs);
    this.#fromCaller.countFrom(nowMs);
    this.#deps.recorder.open(nowMs);
    const { ssrc, cname } = this.identity;
    const { opus, events } = this.#types;
    this.#toCaller.start(
      { ssrc, cname, payloadType: opus.sent, eventType: events.sent, audioLevelId: 0 },
      nowMs,
    );
    this.#toCaller.open(nowMs);
    this.#fromCaller.keep(HELD_MS_MAX);
  }

  /** Somebody of the room has the call: what the room says from here on is meant for the caller. Repeating it changes nothing. */
  expectOpening(): void {
    this.#toCaller.keep(ANSWERING_MS_MAX);
  }

  /**
   * We are in the room, for the first time or again. The caller's track exists for others only once it carries packets: it carries silence until the path is
   * open and somebody receives it, and then, first of all, what the caller has said meanwhile.
   */
  joined(room: RoomLink): void {
    this.#room = room;
    this.#isJoined = true;
    const nowMs = this.#deps.clock.nowMs();
    this.#releaseAtMs = nowMs + HELD_MS_MAX;
    if (this.#isOpen) this.#fromCaller.keep(HELD_MS_MAX);
    this.#fromCaller.start({ ...room.publication, cname: this.identity.cname }, nowMs);
  }

  /**
   * The room is away: the caller hears the hold sound, and of what the caller says the last second is kept for when we are back.
   */
  away(): void {
    this.#room = undefined;
    this.#isJoined = this.#isCallerHeard = false;
    this.#fromCaller.stop();
    this.#fromCaller.keep(EARLY_MS_MAX);
    this.#playout.awaitRoom(this.#deps.clock.nowMs() + HOLD_AFTER_MS);
  }

  /** Somebody in the room can be heard again: it is not waited for any more. Harmless when it is not. */
  endWait(): void {
    this.#playout.endWait();
  }

  /**
   * On hold the caller hears the hold sound, and the room hears nothing of the caller, neither now nor later. Repeating it
   * changes nothing.
   */
  setHeld(isHeld: boolean): void {
    if (isHeld === this.#playout.isHeld) return;
    this.#playout.setHeld(isHeld);
    if (!isHeld) return;
    this.#fromCaller.forgetKept(this.#deps.clock.nowMs());
    this.#silenceRoom();
  }

  /** A sound to be played is on its way: what was played before is cut off, and nobody is heard for a moment. */
  awaitPlay(): void {
    // Before the opening there is all the time until then.
    this.#playout.awaitPrompt(Infinity);
    if (this.#isOpen) this.#playout.endSilence(this.#deps.clock.nowMs() + PLAY_WAIT_MS_MAX);
    this.#silenceRoom();
  }

  /**
   * Plays a sound to the caller instead of the room and of the one before, from the opening of the path on. The room hears the
   * caller meanwhile.
   */
  play(prompt: Play): void {
    this.#playout.setPrompt(prompt);
    this.#silenceRoom();
  }

  /** Cuts off what is being played. Harmless when there is nothing. */
  stopPlaying(): void {
    this.#playout.setPrompt(undefined);
  }

  /** Somebody in the room receives the caller's track. */
  callerIsHeard(): void {
    this.#isCallerHeard = true;
  }

  /** For a call that we place: the word of the pickup comes after the user's first words, so the last second before it is kept. */
  expectPickup(): void {
    this.#keepsEarly = true;
  }

  /** Whether both voices are recorded. */
  record(state: CallWant['recording']): void {
    this.#deps.recorder.want(state, this.#deps.clock.nowMs());
  }

  /** One packet of the provider's leg. */
  heard(bytes: Uint8Array): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#heardAtMs = nowMs;
    const pump = this.#fromCaller;
    if (isRtcp(bytes)) {
      this.#reporting.fromProvider(bytes, nowMs);
      return;
    }
    if (!(this.#isOpen || (this.#keepsEarly && !this.#isJoined))) return;
    const view = pump.receive(bytes, 0);
    if (!view) return;
    const { opus, events } = this.#types;
    if (!opus.received.includes(view.payloadType)) {
      pump.skip(CALLER, nowMs);
      if (this.#isOpen && events.received.includes(view.payloadType))
        this.#keys.packet(bytes, view, nowMs);
      return;
    }
    if (!pump.count(CALLER, nowMs)) return;
    const { payloadStart, payloadEnd, timestamp } = view;
    this.#deps.recorder.heard(bytes, payloadStart, payloadEnd, timestamp, nowMs);
    if (this.#playout.isHeld) pump.leaveOut(CALLER);
    else pump.pass(CALLER, bytes, nowMs);
  }

  /** One packet of somebody in the audience. */
  said(source: number, bytes: Uint8Array, audioLevelId: number): void {
    if (isRtcp(bytes)) return;
    const nowMs = this.#deps.clock.nowMs();
    const pump = this.#toCaller;
    const view = pump.receive(bytes, audioLevelId);
    if (!view) return;
    // Packets without payload are probes of the server's; they take numbers of the source.
    if (view.payloadEnd === view.payloadStart) pump.skip(source, nowMs);
    else if (!pump.count(source, nowMs)) return;
    else if (this.#playout.isInstead(nowMs)) {
      pump.leaveOut(source);
      this.endWait();
    } else if (this.#voices.said(source, bytes, view, nowMs)) this.endWait();
    // What is withheld is no loss at the phone.
    else pump.leaveOut(source);
  }

  /** Somebody in the audience presses a key. It reaches a caller who hears them; a caller who does not is spared it. */
  press(digit: string): void {
    if (this.#isOpen && !this.#playout.isInstead(this.#deps.clock.nowMs()))
      this.#toCaller.press(digit);
  }

  /** One RTCP packet of the room's about the caller's track. */
  roomReported(bytes: Uint8Array): void {
    this.#reporting.fromRoom(bytes, this.#deps.clock.nowMs());
  }

  /** The server says whether a source speaks. */
  tell(source: number, isSpeaking: boolean): void {
    this.#voices.tell(source, isSpeaking);
  }

  /** A source must not be heard any more. */
  forget(source: number): void {
    this.#voices.forget(source);
  }

  /** Call it every 10 ms or so. */
  tick(nowMs: number): void {
    if (this.#isJoined && (this.#isCallerHeard || nowMs >= this.#releaseAtMs))
      this.#fromCaller.open(nowMs);
    if (this.#isOpen) this.#playout.tick(nowMs, this.#play);
    this.#keys.tick(nowMs);
    if (!this.#playout.isInstead(nowMs)) this.#voices.tick(nowMs);
    this.#toCaller.tick(nowMs);
    this.#fromCaller.tick(nowMs);
    this.#deps.recorder.tick(nowMs);
    this.#reporting.tick(nowMs);
  }

  /** The call is over: frees what is shared with others. Nothing may be called afterwards but `stats`. */
  close(): void {
    this.#voices.close();
    this.#deps.recorder.close(this.#deps.clock.nowMs());
  }

  /** How long the open path has brought nothing of the provider's, in ms. */
  silentMs(nowMs: number): number {
    return this.#isOpen ? nowMs - this.#heardAtMs : 0;
  }

  stats(): CallStats {
    return withMos({ from_caller: this.#fromCaller.stats(), to_caller: this.#toCaller.stats() });
  }

  /** Nothing of the room is on its way to the caller any more. */
  #silenceRoom(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#voices.pause();
    this.#toCaller.clearKeys(nowMs);
    this.#toCaller.forgetKept(nowMs);
  }

  /** The room is told as well, unless the caller is on hold. */
  #pressed(digit: string): void {
    this.#deps.onKey(digit);
    if (!this.#playout.isHeld) this.#room?.sendKey(digit);
  }

  readonly #play: PlayPacket = (packet, sequence, nowMs) =>
    this.#toCaller.play(PLAYED, sequence, packet, nowMs);
}
