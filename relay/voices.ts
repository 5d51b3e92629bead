// What of the room reaches the caller. One voice passes as it is. Several at once, or one in a form that WhatsApp does not take,
// are mixed on a thread of their own; while there is no place on one, whoever speaks passes.
//
//  - alone: at most one source sends anything. Nothing is decoded.
//  - listening: several send. A thread decodes them and tells how loud they are; one of them passes.
//  - mixing: several can be heard, and the thread sends their sum.
//  - stopping: one remains; the thread is about to say with which packet it goes on.
import type { Arrival } from './domain/jitter-buffer.ts';
import { MixChoice, TOGETHER_MS } from './domain/mix-choice.ts';
import { isPlain, opusTicks } from './domain/opus.ts';
import type { RtpView } from './domain/rtp.ts';
import { SpeakerChoice } from './domain/speaker.ts';
import type { Clock, MixLine, OpenMixLine } from './ports.ts';
import type { Pump } from './pump.ts';

/** The mix is one more source of the stream; tracks of the room are numbered from 1, and 0 is what we play. */
const MIXED = -2;

/** Packets up to this size are DTX or digital silence whatever the encoder, in bytes. */
const SILENT_BYTES_MAX = 8;

/** A source counts as sending for this long after a packet that may be more than silence, in ms. */
const SENDING_MS = 2_000;

/** Sources of one call that are decoded at once; whoever comes later waits until one of them sends nothing. */
const SOURCES_MAX = 8;

/** A source goes on passing from a packet that it sent at most this many packets ago: the delay of a mix and the start of a word. */
const KEPT_PACKETS_MAX = 16;

/** A mix is later than the source that passed before by at most this, in ms: jitter, the frame that it is ahead, a tick. */
const LATER_MS = 80;

/** From a mix to the one source that remains a pause is waited for, in which nothing can be heard of it, but no longer than this, in ms. */
const PAUSE_WAIT_MS = 3_000;

/** While there is no place to mix, one is asked for this often, in ms. */
const REOPEN_MS = 200;

export type VoicesDeps = {
  readonly clock: Clock;
  readonly openMixLine: OpenMixLine;
};

type Track = {
  sendingUntilMs: number;
  /** Until then it must not pass as it is. */
  oddUntilMs: number;
  /** The thread is told of it. */
  isTold: boolean;
  lastPassed: number;
  /** Its latest packets while there is a line. */
  readonly kept: Arrival[];
};

export class Voices {
  readonly #deps: VoicesDeps;
  readonly #pump: Pump;
  readonly #speaker = new SpeakerChoice();
  readonly #tracks = new Map<number, Track>();
  #choice = new MixChoice();
  #state: 'alone' | 'listening' | 'mixing' | 'stopping' = 'alone';
  #line: MixLine | undefined;
  #mixSequence = 0;
  #reopenAtMs = -Infinity;
  #mixingSinceMs = 0;
  /** When it turned out that only one source remains. */
  #aloneSinceMs: number | undefined;
  /** The source that passes while listening, and that passed last while mixing. */
  #passing: number | undefined;

  /** @param pump takes what the caller is to hear */
  constructor(pump: Pump, deps: VoicesDeps) {
    this.#pump = pump;
    this.#deps = deps;
  }

  /**
   * One packet of a source.
   *
   * @param view its header, as the pump has just read it; the payload is not empty
   * @returns whether the caller hears the source
   */
  said(source: number, bytes: Uint8Array, view: RtpView, nowMs: number): boolean {
    const { payloadStart: start, payloadEnd: end } = view;
    const track = this.#track(source);
    const isMore = end - start > SILENT_BYTES_MAX;
    const isOdd = !isPlain(bytes, start, end);
    if (isMore) track.sendingUntilMs = nowMs + SENDING_MS;
    if (isMore && isOdd) track.oddUntilMs = nowMs + SENDING_MS;
    const speaks = this.#speaker.hears(source, view.audioLevel, end - start, nowMs);
    if (isMore && isOdd && !this.#line) this.#review(nowMs);
    if (!this.#line) {
      // Silence in that form is not worth a mix: the stream has silence of its own.
      if (isOdd && !isMore) return false;
      if (speaks) this.#pass(source, track, bytes, view, nowMs);
      return speaks;
    }
    this.#push(source, track, bytes.subarray(start, end), view, nowMs);
    if (this.#state !== 'listening') return true;
    if (source !== this.#passing || isOdd) return false;
    this.#pass(source, track, bytes, view, nowMs);
    return true;
  }

  /** The server says whether a source speaks. */
  tell(source: number, isSpeaking: boolean): void {
    this.#speaker.tell(source, isSpeaking);
  }

  /** A source must not be heard any more, whatever of it is still on its way. */
  forget(source: number): void {
    this.#tracks.delete(source);
    this.#speaker.remove(source);
    this.#choice.remove(source);
    this.#pump.forget(source);
    this.#line?.drop(source);
    if (this.#passing === source) this.#passing = undefined;
    if (this.#tracks.size === 0) this.#leave();
  }

  /** Something else is heard from now on: what is on its way is dropped, and nothing is mixed until the next `said`. */
  pause(): void {
    this.#leave();
  }

  /** Call it every 10 ms or so, unless paused. */
  tick(nowMs: number): void {
    if (this.#line || this.#tracks.size > 1) this.#review(nowMs);
  }

  /** Gives the place on the thread back. */
  close(): void {
    this.#line?.close();
  }

  #track(source: number): Track {
    let track = this.#tracks.get(source);
    if (!track) {
      track = {
        sendingUntilMs: -Infinity,
        oddUntilMs: -Infinity,
        isTold: false,
        lastPassed: 0,
        kept: [],
      };
      this.#tracks.set(source, track);
    }
    return track;
  }

  #pass(source: number, track: Track, bytes: Uint8Array, view: RtpView, nowMs: number): void {
    track.lastPassed = view.sequence;
    this.#pump.pass(source, bytes, nowMs);
  }

  #push(source: number, track: Track, bytes: Uint8Array, view: RtpView, nowMs: number): void {
    const { sequence, timestamp } = view;
    const ticks = opusTicks(bytes, 0, bytes.length);
    if (ticks === 0 || !track.isTold) return;
    const packet = { sequence, timestamp, bytes, ticks, atMs: nowMs };
    track.kept.push(packet);
    if (track.kept.length > KEPT_PACKETS_MAX) track.kept.shift();
    this.#line?.push(source, packet);
  }

  /** Does what has become right by now. */
  #review(nowMs: number): void {
    if (!this.#pump.isLive) return;
    const sending = [...this.#tracks.values()].filter((track) => nowMs < track.sendingUntilMs);
    const isAlone = sending.length < 2 && !sending.some((track) => nowMs < track.oddUntilMs);
    switch (this.#state) {
      case 'alone':
        if (!isAlone && nowMs >= this.#reopenAtMs) this.#listen(nowMs);
        return;
      case 'listening':
        if (isAlone) this.#leave();
        else if (this.#needsMix(nowMs)) this.#mix(nowMs);
        break;
      case 'mixing':
        this.#endMix(nowMs);
        break;
      case 'stopping':
    }
    this.#admit(nowMs);
  }

  #listen(nowMs: number): void {
    this.#line = this.#deps.openMixLine({
      onPacket: (packet) => {
        // A packet that must not be heard any more is no loss, and another thread goes on where this one stopped.
        this.#mixSequence = (this.#mixSequence + 1) & 0xffff;
        this.#pump.play(MIXED, this.#mixSequence, packet, this.#deps.clock.nowMs());
      },
      onLevel: (source, level) => {
        // It may have been forgotten meanwhile.
        if (this.#tracks.has(source)) this.#choice.level(source, level, this.#deps.clock.nowMs());
      },
      onStopped: (source, sequence) => this.#stopped(source, sequence),
      onLost: () => this.#lost(),
    });
    this.#reopenAtMs = nowMs + REOPEN_MS;
    if (!this.#line) return;
    this.#state = 'listening';
    const heard = this.#speaker.heard;
    const track = heard === undefined ? undefined : this.#tracks.get(heard);
    this.#passing = track && heard;
    // Whoever passes has a place before all others: a mix must not leave them out.
    if (track) track.isTold = nowMs < track.sendingUntilMs;
    this.#admit(nowMs);
  }

  /** Tells the thread of sources that send, and no more of those that do not. */
  #admit(nowMs: number): void {
    let told = 0;
    for (const track of this.#tracks.values()) if (track.isTold) told += 1;
    for (const [source, track] of this.#tracks) {
      const isSending = nowMs < track.sendingUntilMs;
      if (track.isTold && !isSending) {
        track.isTold = false;
        this.#line?.release(source);
      } else if (!track.isTold && isSending && told < SOURCES_MAX) {
        track.isTold = true;
        told += 1;
      }
    }
  }

  /** Somebody can be heard whose packets do not pass. */
  #needsMix(nowMs: number): boolean {
    return this.#choice
      .audible(nowMs)
      .some((source) => source !== this.#passing || this.#isOdd(source, nowMs));
  }

  #isOdd(source: number, nowMs: number): boolean {
    return nowMs < (this.#tracks.get(source)?.oddUntilMs ?? -Infinity);
  }

  #mix(nowMs: number): void {
    this.#state = 'mixing';
    this.#mixingSinceMs = nowMs;
    this.#aloneSinceMs = undefined;
    const leader = this.#passing;
    const track = leader === undefined ? undefined : this.#tracks.get(leader);
    // A stream that is ahead of the clock waits for the mix until it is not.
    const atMs = nowMs + this.#pump.leadMs(nowMs);
    this.#line?.start(track?.isTold ? leader : undefined, track?.lastPassed ?? 0, atMs);
    this.#pump.expect(nowMs + LATER_MS);
  }

  #endMix(nowMs: number): void {
    if (nowMs - this.#mixingSinceMs < TOGETHER_MS) return;
    const [loudest, another] = this.#choice.audible(nowMs);
    const isAlone =
      another === undefined && !(loudest !== undefined && this.#isOdd(loudest, nowMs));
    this.#aloneSinceMs = isAlone ? (this.#aloneSinceMs ?? nowMs) : undefined;
    if (this.#aloneSinceMs === undefined) return;
    const waits = loudest !== undefined && this.#choice.isAudibleNow(loudest);
    if (waits && nowMs - this.#aloneSinceMs < PAUSE_WAIT_MS) return;
    const [anyone] = this.#tracks.keys();
    const next = loudest ?? this.#passing ?? anyone;
    if (next === undefined) return;
    this.#state = 'stopping';
    this.#line?.stop(next);
  }

  #stopped(source: number, sequence: number | undefined): void {
    this.#state = 'listening';
    const track = this.#tracks.get(source);
    this.#passing = track && source;
    if (!track || sequence === undefined) return;
    const nowMs = this.#deps.clock.nowMs();
    for (const packet of track.kept) {
      if (((packet.sequence - sequence) & 0xffff) >= 0x8000 || !isPlainPacket(packet)) continue;
      this.#pump.play(source, packet.sequence, packet.bytes, nowMs);
      track.lastPassed = packet.sequence;
    }
  }

  /** The thread is gone: the loudest source passes until there is another one. */
  #lost(): void {
    const nowMs = this.#deps.clock.nowMs();
    const [loudest] = this.#choice.audible(nowMs);
    this.#passing = loudest ?? this.#passing;
    this.#line = undefined;
    this.#reopenAtMs = nowMs + REOPEN_MS;
    this.#leave();
  }

  /** Back to one source, which passes. */
  #leave(): void {
    this.#line?.close();
    this.#line = undefined;
    this.#state = 'alone';
    this.#choice = new MixChoice();
    if (this.#passing !== undefined) this.#speaker.choose(this.#passing);
    this.#passing = undefined;
    for (const track of this.#tracks.values()) {
      track.isTold = false;
      track.kept.length = 0;
    }
  }
}

const isPlainPacket = ({ bytes }: Arrival): boolean => isPlain(bytes, 0, bytes.length);
