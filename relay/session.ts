// One bridged call: the provider's leg, the room, and a pump each way between them. It does what it is told (`call.want`) and
// reports what happens; it decides nothing about the call.
import { AGENTS_ONLY } from './domain/audience.ts';
import type { NewEvent } from './outbox.ts';
import { REPORT_INTERVAL_MS } from './domain/rtcp.ts';
import { isRtcp } from './domain/rtp.ts';
import { describeFailure, parseOffer, type Offer } from './domain/sdp.ts';
import { SpeakerChoice } from './domain/speaker.ts';
import type { Clock, JoinRoom, Leg, Log, OpenLeg, RoomLink, Ticker } from './ports.ts';
import type { CallStats, CallWant, RelayEndReason } from './protocol.ts';
import { Pump } from './pump.ts';

/** Provider: "Calling: troubleshooting", the user's side ends a call that has no media 20 s after it was answered. */
export const CONNECT_MS_MAX = 20_000;

/** Provider: "Calling: troubleshooting", a call without media for 30 s is ended by the provider; its `terminate` may be lost. */
export const SILENCE_MS_MAX = 30_000;

/** The caller's packets are one source. */
const CALLER = 0;

export type SessionDeps = {
  readonly openLeg: OpenLeg;
  readonly joinRoom: JoinRoom;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly log: Log;
  /** Integer from 0 (inclusive) to `below`, unpredictable. */
  readonly random: (below: number) => number;
  /** Reports an event of a call; kept until the worker has it. */
  readonly emit: (event: NewEvent) => void;
  /** Reports that a wanted state is in force. */
  readonly emitIs: (callId: string, rev: number) => void;
};

export class Session {
  readonly callId: string;
  /** Resolves when leg and room are down. */
  readonly closed: Promise<void>;

  readonly #deps: SessionDeps;
  readonly #speaker = new SpeakerChoice();
  readonly #cname: string;
  #settleClosed: () => void = () => undefined;
  #state: 'preparing' | 'connecting' | 'up' | 'ended' = 'preparing';
  #wanted: CallWant | undefined;
  #rev = -1;
  #leg: Leg | undefined;
  #room: RoomLink | undefined;
  #isInRoom = false;
  #opusPayloadType = 0;
  #toCaller: Pump | undefined;
  #fromCaller: Pump | undefined;
  #isOpen = false;
  #heardAtMs = Infinity;
  #reportAtMs = Infinity;
  #connectTimer: NodeJS.Timeout | undefined;
  #stopTicking: () => void = () => undefined;

  constructor(callId: string, deps: SessionDeps) {
    this.callId = callId;
    this.#deps = deps;
    // Spec: RFC 3550 section 6.5.1, a name that is the same on both legs and says nothing about the user.
    this.#cname = deps.random(2 ** 47).toString(36);
    this.closed = new Promise((resolve) => (this.#settleClosed = resolve));
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Prepares the answer to the provider's offer and reports it, or ends the call as unusable. */
  async answer(sdp: string): Promise<void> {
    const parsed = parseOffer(sdp);
    if (!parsed.ok) {
      this.close('unusable-offer', describeFailure(parsed));
      return;
    }
    const ssrc = 1 + this.#deps.random(0xffff_fffe);
    this.#prepareToCaller(parsed.offer, ssrc);
    try {
      const leg = await this.#deps.openLeg(
        parsed.offer,
        { ssrc, cname: this.#cname },
        {
          onUp: () => this.#up(),
          onLost: (detail) =>
            this.close(this.#state === 'up' ? 'media-lost' : 'media-failed', detail),
          onPacket: (bytes) => this.#heard(bytes),
        },
      );
      if (this.isEnded) {
        leg.close();
        return;
      }
      this.#leg = leg;
      this.#stopTicking = this.#deps.ticker.add((nowMs) => this.#tick(nowMs));
      this.reportAnswer();
      this.#follow();
    } catch (error) {
      this.#deps.log.error({ err: error, call_id: this.callId }, 'call.answer-failed');
      this.close('media-failed', 'no local port or address for media');
    }
  }

  /** Reports the answer, again when it was asked for again. Nothing happens while it is still being prepared. */
  reportAnswer(): void {
    if (!this.#leg || this.isEnded) return;
    this.#deps.emit({ type: 'answered', call_id: this.callId, sdp: this.#leg.answer });
  }

  /** Takes over a wanted state that is newer than the one it has, and reports which one is in force. */
  want(wanted: CallWant): void {
    if (this.isEnded) return;
    if (wanted.rev > this.#rev) {
      this.#rev = wanted.rev;
      this.#wanted = wanted;
      this.#follow();
    }
    this.#deps.emitIs(this.callId, this.#rev);
  }

  /** Ends the call's media. The first reason wins; repeating it changes nothing. */
  close(reason: RelayEndReason, detail?: string): void {
    if (this.isEnded) return;
    const stats = this.#stats();
    this.#state = 'ended';
    clearTimeout(this.#connectTimer);
    this.#stopTicking();
    this.#deps.log.info({ call_id: this.callId, reason, detail, stats }, 'call.ended');
    this.#deps.emit({
      type: 'ended',
      call_id: this.callId,
      reason,
      ...(detail === undefined ? {} : { detail: detail.slice(0, 500) }),
      ...(stats === undefined ? {} : { stats }),
    });
    this.#leg?.close();
    void Promise.resolve(this.#room?.leave())
      .catch((error: unknown) =>
        this.#deps.log.warn({ err: error, call_id: this.callId }, 'call.leave-failed'),
      )
      .finally(() => this.#settleClosed());
  }

  /** Brings leg, room and path to the wanted state. */
  #follow(): void {
    if (this.isEnded || !this.#leg || !this.#wanted) return;
    const { connect, open, room, audience } = this.#wanted;
    if (connect && this.#state === 'preparing') this.#connect(this.#leg);
    if (this.#room) this.#room.setAudience(audience);
    else if (room) this.#join(room);
    if (open) this.#open();
  }

  #connect(leg: Leg): void {
    this.#state = 'connecting';
    this.#connectTimer = setTimeout(
      () => this.close('media-failed', 'not connected within 20 s'),
      CONNECT_MS_MAX,
    );
    leg.connect();
  }

  #up(): void {
    if (this.isEnded) return;
    clearTimeout(this.#connectTimer);
    this.#state = 'up';
    this.#emit('media-up');
    if (this.#wanted?.open) this.#open();
  }

  /** Opening is for good: the provider has no way back from an answered call. */
  #open(): void {
    if (this.#isOpen || this.#state !== 'up' || !this.#toCaller) return;
    this.#isOpen = true;
    const nowMs = this.#deps.clock.nowMs();
    this.#heardAtMs = nowMs;
    this.#reportAtMs = nowMs + REPORT_INTERVAL_MS / 2;
    this.#toCaller.countFrom(nowMs);
    this.#fromCaller?.countFrom(nowMs);
    this.#toCaller.open(nowMs);
    if (this.#isInRoom) this.#room?.setCallStatus('active');
    this.#deps.log.info({ call_id: this.callId }, 'call.opened');
  }

  #join(place: { url: string; token: string }): void {
    const { callId } = this;
    const { emit } = this.#deps;
    this.#room = this.#deps.joinRoom(
      { ...place, cname: this.#cname },
      this.#wanted?.audience ?? AGENTS_ONLY,
      {
        onJoined: () => this.#joined(),
        onParticipantJoined: (identity) =>
          emit({ type: 'participant-joined', call_id: callId, identity }),
        onParticipantLeft: (identity, why) =>
          emit({ type: 'participant-left', call_id: callId, identity, why }),
        onPublisherSkipped: (identity) =>
          emit({ type: 'publisher-skipped', call_id: callId, identity }),
        onReady: (identity) => emit({ type: 'ready', call_id: callId, identity }),
        onAudio: (source, bytes) => this.#said(source, bytes),
        onSpeaking: (source, isSpeaking) => this.#speaker.tell(source, isSpeaking),
        onSourceGone: (source) => this.#forget(source),
        onEnded: (reason, detail) => this.close(reason, detail),
      },
    );
  }

  #joined(): void {
    const room = this.#room;
    if (this.isEnded || !room) return;
    this.#isInRoom = true;
    const nowMs = this.#deps.clock.nowMs();
    this.#fromCaller = new Pump(
      { ...room.publication, cname: this.#cname },
      this.#randomStart(),
      (packet) => room.send(packet),
    );
    // The caller's track exists for others only once it carries packets: silence until the path opens.
    this.#fromCaller.open(nowMs);
    if (this.#isOpen) {
      this.#fromCaller.countFrom(nowMs);
      room.setCallStatus('active');
    }
    this.#emit('room-joined');
  }

  /** One packet of the provider's leg. */
  #heard(bytes: Uint8Array): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#heardAtMs = nowMs;
    const pump = this.#fromCaller;
    if (!this.#isOpen || !pump || isRtcp(bytes)) return;
    const view = pump.receive(bytes, 0);
    if (!view) return;
    if (view.payloadType === this.#opusPayloadType) pump.pass(CALLER, bytes, nowMs);
    else pump.skip(CALLER, nowMs);
  }

  /** One packet of somebody in the audience. */
  #said(source: number, bytes: Uint8Array): void {
    const pump = this.#toCaller;
    const room = this.#room;
    if (!pump || !room || this.isEnded || isRtcp(bytes)) return;
    const nowMs = this.#deps.clock.nowMs();
    const view = pump.receive(bytes, room.audioLevelId);
    // Packets without payload are probes of the server's.
    if (!view || view.payloadEnd === view.payloadStart) return;
    const size = view.payloadEnd - view.payloadStart;
    if (this.#speaker.hears(source, view.audioLevel, size, nowMs)) pump.pass(source, bytes, nowMs);
  }

  #forget(source: number): void {
    this.#speaker.remove(source);
    this.#toCaller?.forget(source);
  }

  #tick(nowMs: number): void {
    this.#toCaller?.tick(nowMs);
    this.#fromCaller?.tick(nowMs);
    if (!this.#isOpen) return;
    if (nowMs >= this.#reportAtMs) this.#report(nowMs);
    if (nowMs - this.#heardAtMs > SILENCE_MS_MAX)
      this.close('media-lost', 'nothing received for 30 s');
  }

  #report(nowMs: number): void {
    this.#reportAtMs = nowMs + REPORT_INTERVAL_MS;
    const wallMs = this.#deps.clock.wallMs();
    const toCaller = this.#toCaller?.report(nowMs, wallMs, this.#fromCaller?.quality.report());
    if (toCaller) this.#leg?.send(toCaller);
    // The server keeps its own account of what it sends us, packet by packet over the same machine or network.
    const toRoom = this.#fromCaller?.report(nowMs, wallMs, undefined);
    if (toRoom) this.#room?.send(toRoom);
  }

  #prepareToCaller(offer: Offer, ssrc: number): void {
    this.#opusPayloadType = offer.opusPayloadType;
    this.#toCaller = new Pump(
      { ssrc, payloadType: offer.opusPayloadType, audioLevelId: 0, cname: this.#cname },
      this.#randomStart(),
      (packet) => this.#leg?.send(packet),
    );
  }

  /** Spec: RFC 3550 section 5.1, both start at random. */
  #randomStart(): { sequence: number; timestamp: number } {
    return { sequence: this.#deps.random(0x1_0000), timestamp: this.#deps.random(0x1_0000_0000) };
  }

  #stats(): CallStats | undefined {
    if (this.#state !== 'up' || !this.#toCaller) return undefined;
    return {
      from_caller: this.#fromCaller?.stats() ?? NO_PACKETS,
      to_caller: this.#toCaller.stats(),
    };
  }

  #emit(type: 'media-up' | 'room-joined'): void {
    this.#deps.emit({ type, call_id: this.callId });
  }
}

const NO_PACKETS = { packets: 0, lost: 0, jitter_ms: 0, filled: 0 };
