// One bridged call: the provider's leg, the room, and the bridge between them. It does what it is told (`call.want`) and
// reports what happens; it decides nothing about the call.
import { Bridge } from './bridge.ts';
import type { NewEvent } from './outbox.ts';
import { PlayOrder } from './play-order.ts';
import { answeredTypes, payloadTypes } from './domain/payload-types.ts';
import type { Sound } from './domain/player.ts';
import { describeFailure, parseAnswer, parseOffer } from './domain/sdp.ts';
import type {
  Leg,
  LegHandlers,
  LoadPrompt,
  MediaPath,
  OfferedLeg,
  OfferLeg,
  OpenLeg,
  OpenMixLine,
  OpenRecorder,
  RoomLink,
  Ticker,
  TransferState,
} from './ports.ts';
import { RoomStay, type RoomStayDeps } from './room-stay.ts';
import type { CallStats, CallWant, RelayEndReason } from './protocol.ts';

/** Provider: "Calling: troubleshooting", the user's side ends a call that has no media 20 s after it was answered. */
export const CONNECT_MS_MAX = 20_000;

/**
 * Provider: "Calling: troubleshooting", a call without media for 30 s is ended by the provider; its `terminate` may be lost. A
 * phone that still rings may send nothing at all, so this counts only once the path is open.
 */
export const SILENCE_MS_MAX = 30_000;

/** Each is a line in the record of the call, and an agent that asks more often than this is in a loop. */
const TRANSFERS_ASKED_MAX = 20;

/** Longest text for people that the protocol carries. */
const DETAIL_CHARS_MAX = 500;

export type SessionDeps = RoomStayDeps & {
  readonly openLeg: OpenLeg;
  readonly offerLeg: OfferLeg;
  readonly ticker: Ticker;
  /** What the caller hears on hold and while the room is away. */
  readonly holdSound: Sound;
  readonly loadPrompt: LoadPrompt;
  readonly openMixLine: OpenMixLine;
  readonly openRecorder: OpenRecorder;
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
  readonly #bridge: Bridge;
  readonly #playOrder: PlayOrder;
  #settleClosed: () => void = () => undefined;
  #state: 'preparing' | 'connecting' | 'up' | 'ended' = 'preparing';
  #wanted: CallWant | undefined;
  #rev = -1;
  #leg: Leg | undefined;
  /** The same leg while it waits for the provider's answer. */
  #unanswered: OfferedLeg | undefined;
  #isOffering = false;
  #stay: RoomStay | undefined;
  /** The present connection to the room; `undefined` while there is none. */
  #room: RoomLink | undefined;
  #transfersAsked = 0;
  /** What AI agents are told. */
  #transfer: TransferState = '';
  /** Who hears and can be heard, or was so when the room went away. */
  readonly #ready = new Set<string>();
  #connectTimer: NodeJS.Timeout | undefined;
  #stopTicking: () => void = () => undefined;

  constructor(callId: string, deps: SessionDeps) {
    this.callId = callId;
    this.#deps = deps;
    this.#bridge = new Bridge({
      clock: deps.clock,
      random: deps.random,
      send: (packet) => this.#leg?.send(packet),
      holdSound: deps.holdSound,
      openMixLine: deps.openMixLine,
      recorder: deps.openRecorder(callId, () =>
        deps.emit({ type: 'recording-failed', call_id: callId }),
      ),
      onKey: (digit) => deps.emit({ type: 'dtmf', call_id: callId, digit }),
    });
    this.#playOrder = new PlayOrder(callId, {
      ...deps,
      bridge: this.#bridge,
      onPlayed: (id, completed) => deps.emit({ type: 'played', call_id: callId, id, completed }),
    });
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
    this.#bridge.setPayloadTypes(payloadTypes(parsed.offer));
    await this.#prepare((handlers) =>
      this.#deps.openLeg(parsed.offer, this.#bridge.identity, handlers),
    );
  }

  /** Prepares our offer to the provider and reports it. */
  async offer(): Promise<void> {
    this.#isOffering = true;
    this.#bridge.expectPickup();
    await this.#prepare(
      async (handlers) =>
        (this.#unanswered = await this.#deps.offerLeg(this.#bridge.identity, handlers)),
    );
  }

  /**
   * Takes the provider's answer to our offer and connects, or ends the call as unusable. Only the first answer counts: it is
   * repeated after a reconnect.
   */
  applyAnswer(sdp: string): void {
    if (this.isEnded) return;
    const leg = this.#unanswered;
    if (!leg) {
      // Nobody can answer an offer that was not reported yet: this one belongs to another offer.
      if (this.#state === 'preparing') this.close('unusable-answer', 'there is no offer to answer');
      return;
    }
    const parsed = parseAnswer(sdp);
    if (!parsed.ok) {
      this.close('unusable-answer', describeFailure(parsed));
      return;
    }
    this.#unanswered = undefined;
    this.#bridge.setPayloadTypes(answeredTypes(parsed.answer));
    try {
      leg.setAnswer(parsed.answer);
    } catch (error) {
      this.#deps.log.error({ err: error, call_id: this.callId }, 'call.answer-refused');
      this.close('unusable-answer', 'refused by the WebRTC library');
      return;
    }
    this.#connect(leg);
  }

  /** Reports our SDP, again when it was asked for again. Nothing happens while it is still being prepared. */
  reportSdp(): void {
    if (!this.#leg || this.isEnded) return;
    const type = this.#isOffering ? 'offered' : 'answered';
    this.#deps.emit({ type, call_id: this.callId, sdp: this.#leg.sdp });
  }

  /** How both voices fare; `undefined` while the path is not open. */
  figures(): CallStats | undefined {
    return this.#bridge.isOpen ? this.#stats() : undefined;
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
    this.#playOrder.close();
    this.#bridge.close();
    this.#deps.log.info({ call_id: this.callId, reason, detail, stats }, 'call.ended');
    const report = () =>
      this.#deps.emit({
        type: 'ended',
        call_id: this.callId,
        reason,
        ...(detail === undefined ? {} : { detail: detail.slice(0, DETAIL_CHARS_MAX) }),
        ...(stats === undefined ? {} : { stats }),
      });
    // With this word the room is deleted; a join that is still under way would make it anew.
    const isEntering = reason === 'closed' && this.#stay?.isEntering === true;
    if (!isEntering) report();
    this.#leg?.close();
    void Promise.resolve(this.#stay?.leave())
      .catch((error: unknown) =>
        this.#deps.log.warn({ err: error, call_id: this.callId }, 'call.leave-failed'),
      )
      .finally(() => {
        if (isEntering) report();
        this.#settleClosed();
      });
  }

  /** Opens a leg and reports its SDP; then does what was wanted meanwhile. */
  async #prepare(open: (handlers: LegHandlers) => Promise<Leg>): Promise<void> {
    try {
      const leg = await open({
        onUp: (path) => this.#up(path),
        onLost: (detail) =>
          this.close(this.#state === 'up' ? 'media-lost' : 'media-failed', detail),
        onPacket: (bytes) => this.#bridge.heard(bytes),
      });
      if (this.isEnded) {
        leg.close();
        return;
      }
      this.#leg = leg;
      this.#stopTicking = this.#deps.ticker.add((nowMs) => this.#tick(nowMs));
      this.reportSdp();
      this.#follow();
    } catch (error) {
      this.#deps.log.error({ err: error, call_id: this.callId }, 'call.prepare-failed');
      this.close('media-failed', 'no local port or address for media');
    }
  }

  /** Brings leg, room and path to the wanted state. */
  #follow(): void {
    if (this.isEnded || !this.#leg || !this.#wanted) return;
    const { connect, open, room, audience, hold, playing, recording, transfer } = this.#wanted;
    this.#bridge.record(recording);
    // What we offered connects with the provider's answer.
    if (connect && !this.#isOffering) this.#connect(this.#leg);
    if (room) this.#stay ??= this.#enter();
    this.#stay?.want(room, audience);
    this.#bridge.setHeld(hold);
    this.#showTransfer(transfer ?? '');
    this.#playOrder.want(playing);
    if (open) this.#open();
  }

  #showTransfer(state: TransferState): void {
    if (state === this.#transfer) return;
    this.#transfer = state;
    this.#room?.setTransfer(state);
  }

  #connect(leg: Leg): void {
    if (this.#state !== 'preparing') return;
    this.#state = 'connecting';
    this.#connectTimer = setTimeout(
      () =>
        this.close(
          'media-failed',
          leg.isReachable ? 'handshake not done within 20 s' : 'not connected within 20 s',
        ),
      CONNECT_MS_MAX,
    );
    leg.connect();
  }

  #up(path: MediaPath | undefined): void {
    if (this.isEnded) return;
    clearTimeout(this.#connectTimer);
    this.#state = 'up';
    this.#deps.emit({ type: 'media-up', call_id: this.callId, ...(path ? { path } : {}) });
    if (this.#wanted?.open) this.#open();
  }

  /** Opening is for good: the provider has no way back from an answered call. */
  #open(): void {
    if (this.#bridge.isOpen || this.#state !== 'up') return;
    this.#bridge.open();
    this.#room?.setCallStatus('active');
    this.#deps.log.info({ call_id: this.callId }, 'call.opened');
  }

  #enter(): RoomStay {
    const call = { call_id: this.callId };
    const { emit } = this.#deps;
    const bridge = this.#bridge;
    return new RoomStay(this.callId, bridge.identity.cname, this.#deps, {
      onJoined: (room) => this.#joined(room),
      onAway: (detail) => this.#away(detail),
      onParticipantJoined: (identity, aiName) =>
        emit({ type: 'participant-joined', ...call, identity, ...named(aiName) }),
      onParticipantLeft: (identity, why) => {
        this.#ready.delete(identity);
        emit({ type: 'participant-left', ...call, identity, why });
      },
      onPublisherSkipped: (identity) => emit({ type: 'publisher-skipped', ...call, identity }),
      onReady: (identity, aiName) => {
        this.#ready.add(identity);
        bridge.endWait();
        bridge.expectOpening();
        emit({
          type: 'ready',
          ...call,
          identity,
          ...named(aiName),
        });
      },
      onCallerHeard: () => bridge.callerIsHeard(),
      onAudio: (source, bytes) => this.#said(source, bytes),
      onReport: (bytes) => bridge.roomReported(bytes),
      onSpeaking: (source, isSpeaking) => bridge.tell(source, isSpeaking),
      onSourceGone: (source) => bridge.forget(source),
      onKey: (digit) => bridge.press(digit),
      onTransferAsked: (identity, request) => {
        if (this.#transfersAsked >= TRANSFERS_ASKED_MAX) return false;
        this.#transfersAsked += 1;
        this.#showTransfer('asked');
        emit({ type: 'transfer-asked', ...call, identity, request });
        return true;
      },
      onEnded: (reason, detail) => this.close(reason, detail),
    });
  }

  #joined(room: RoomLink): void {
    if (this.isEnded) return;
    this.#room = room;
    this.#bridge.joined(room);
    // Whoever was heard before is waited for with the hold sound.
    if (this.#ready.size === 0) this.#bridge.endWait();
    if (this.#bridge.isOpen) room.setCallStatus('active');
    if (this.#transfer !== '') room.setTransfer(this.#transfer);
    this.#deps.emit({ type: 'room-joined', call_id: this.callId });
  }

  #away(detail: string): void {
    if (this.isEnded) return;
    this.#room = undefined;
    this.#bridge.away();
    this.#deps.emit({
      type: 'room-away',
      call_id: this.callId,
      detail: detail.slice(0, DETAIL_CHARS_MAX),
    });
  }

  #said(source: number, bytes: Uint8Array): void {
    const room = this.#room;
    if (room && !this.isEnded) this.#bridge.said(source, bytes, room.audioLevelId);
  }

  #tick(nowMs: number): void {
    this.#bridge.tick(nowMs);
    if (this.#bridge.silentMs(nowMs) > SILENCE_MS_MAX)
      this.close('media-lost', 'nothing received for 30 s');
  }

  #stats(): CallStats | undefined {
    return this.#state === 'up' ? this.#bridge.stats() : undefined;
  }
}

const named = (aiName: string | undefined) => (aiName === undefined ? {} : { ai_name: aiName });
