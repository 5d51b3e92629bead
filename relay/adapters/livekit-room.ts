// One connection to a LiveKit room: joins as the caller, publishes the caller's track, subscribes to whoever may be heard.
// Whether to join again when it breaks is decided elsewhere.
import {
  DisconnectReason,
  RequestResponse_Reason,
  type JoinResponse,
  type LeaveRequest,
  type ParticipantInfo,
  type RpcRequest,
} from '@livekit/protocol';
import { randomInt, randomUUID } from 'node:crypto';
import { aiNameOf, type Audience } from '../domain/audience.ts';
import { People, type PeopleChange, type Person } from '../domain/room-people.ts';
import type { JoinRoom, Log, RoomEnd, RoomHandlers, RoomLink, TransferState } from '../ports.ts';
import { Hearing } from './livekit-hearing.ts';
import {
  addTrackMessage,
  attributesMessage,
  candidateOf,
  endOf,
  goodbyeMessage,
  iceServerUrls,
  keyPacket,
  offerMessage,
  personUpdate,
  saidIn,
  subscriptionMessage,
  trickleMessage,
} from './livekit-messages.ts';
import { ASKED_TOO_OFTEN, readRpc, rpcAckPacket, rpcAnswerPacket } from './livekit-rpc.ts';
import { AUDIO_LEVEL_ID, LiveKitPeer, OPUS_PAYLOAD_TYPE } from './livekit-peer.ts';
import { JoinRefused, LiveKitSignal, type SignalMessage } from './livekit-signal.ts';

export type LiveKitRoomOptions = {
  /** Replaces the server address that a call brings, for relays that reach the server by another way than clients. */
  readonly url: string | undefined;
  readonly bindAddress: string | undefined;
};

/** How long the server may take to say why it ended the media connection. */
const FAREWELL_MS_MAX = 1_000;

/** How long `leave` waits for the last messages to go out. */
const LEAVE_LINGER_MS = 100;

/** Makes the function that joins one room per call. */
export const createJoinRoom =
  (options: LiveKitRoomOptions, log: Log): JoinRoom =>
  (place, audience, handlers) => {
    const room = new LiveKitRoom(place, options.bindAddress, audience, handlers, log);
    room.join(options.url ?? place.url);
    return room;
  };

class LiveKitRoom implements RoomLink {
  readonly publication = {
    ssrc: randomInt(1, 0xffff_ffff),
    payloadType: OPUS_PAYLOAD_TYPE,
    audioLevelId: AUDIO_LEVEL_ID,
  };
  readonly audioLevelId = AUDIO_LEVEL_ID;

  readonly #place: Parameters<JoinRoom>[0];
  readonly #bindAddress: string | undefined;
  readonly #handlers: RoomHandlers;
  readonly #log: Log;
  readonly #people = new People();
  readonly #hearing: Hearing;
  readonly #trackId = randomUUID();
  #trackSid = '';
  #origin = { room: '', server: '' };
  #ownIdentity = '';
  #signal: LiveKitSignal | undefined;
  #peer: LiveKitPeer | undefined;
  #deadline: NodeJS.Timeout | undefined;
  /** Resolves when the server has taken us in or has not. */
  #entered: Promise<void> = Promise.resolve();
  #isJoined = false;
  #isOver = false;

  constructor(
    place: Parameters<JoinRoom>[0],
    bindAddress: string | undefined,
    audience: Audience,
    handlers: RoomHandlers,
    log: Log,
  ) {
    this.#place = place;
    this.#bindAddress = bindAddress;
    this.#handlers = handlers;
    this.#log = log;
    this.#hearing = new Hearing(audience, {
      subscribe: (wanted, participantSid, trackSid) =>
        this.#signal?.send(subscriptionMessage(wanted, participantSid, trackSid)),
      onSkipped: handlers.onPublisherSkipped,
      onReady: handlers.onReady,
      onAudio: handlers.onAudio,
      onSpeaking: handlers.onSpeaking,
      onSourceGone: handlers.onSourceGone,
    });
  }

  get token(): string {
    return this.#signal?.token ?? this.#place.token;
  }

  get origin(): RoomLink['origin'] {
    return this.#origin;
  }

  join(url: string): void {
    this.#entered = this.#dial(url);
  }

  async #dial(url: string): Promise<void> {
    try {
      const { signal, join } = await LiveKitSignal.join(url, this.#place.token, {
        onMessage: (message) => this.#safely(() => this.#receive(message)),
        onUnreadable: () => this.#log.warn({}, 'room.unreadable-message'),
        onClose: (detail) => this.#break(detail),
      });
      if (this.#isOver) sayGoodbye(signal);
      else this.#safely(() => this.#enter(signal, join));
    } catch (error) {
      const status = error instanceof JoinRefused ? error.status : 0;
      const detail = error instanceof Error ? error.message : 'unknown';
      // A 4xx is about us or the room: asking again with the same token gets the same answer.
      const why = status >= 400 && status < 500 ? 'refused' : 'unreachable';
      this.#end({ why, detail: `join: ${detail}` });
    }
  }

  setAudience(audience: Audience): void {
    this.#hearing.setAudience(audience, this.#people.all());
  }

  setCallStatus(status: 'active' | 'hangup'): void {
    this.#signal?.send(attributesMessage({ 'sip.callStatus': status }));
  }

  setTransfer(state: TransferState): void {
    this.#signal?.send(attributesMessage({ 'roomline.transfer': state }));
  }

  send(bytes: Uint8Array): void {
    this.#peer?.send(bytes);
  }

  sendKey(digit: string): void {
    this.#peer?.sendData(keyPacket(digit));
  }

  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.setCallStatus('hangup');
    await this.#entered;
    if (this.#signal) {
      sayGoodbye(this.#signal);
      await new Promise((resolve) => setTimeout(resolve, LEAVE_LINGER_MS));
    }
    this.#disconnect();
  }

  #enter(signal: LiveKitSignal, join: JoinResponse): void {
    this.#signal = signal;
    this.#ownIdentity = join.participant?.identity ?? '';
    this.#origin = { room: join.room?.sid ?? '', server: join.serverInfo?.nodeId ?? '' };
    const peer = new LiveKitPeer(
      {
        ssrc: this.publication.ssrc,
        cname: this.#place.cname,
        trackId: this.#trackId,
        bindAddress: this.#bindAddress,
        iceServers: iceServerUrls(join),
      },
      {
        onOffer: (sdp, id) => signal.send(offerMessage(sdp, id)),
        onCandidate: (candidate, mid) => signal.send(trickleMessage(candidate, mid)),
        onConnected: () => this.#connected(),
        onFailed: (detail) => this.#mediaFailed(detail),
        onAssigned: (mid, trackId) => this.#hearing.assign(mid, trackId, this.#people.all()),
        onPacket: (mid, bytes) => this.#hearing.packet(mid, bytes),
        onData: (bytes) => this.#receiveData(bytes),
        onReport: this.#handlers.onReport,
      },
      this.#log,
    );
    this.#peer = peer;
    this.#deadline = setTimeout(
      () => this.#break('not connected in time'),
      this.#place.connectMsMax,
    );
    signal.send(addTrackMessage(this.#trackId, join.participant?.identity ?? 'whatsapp'));
    peer.offer();
    this.#applyPeople(join.otherParticipants);
    signal.start();
  }

  #connected(): void {
    clearTimeout(this.#deadline);
    this.#isJoined = true;
    this.#handlers.onJoined();
  }

  /** Observed: a server that dismisses us ends the media first and says why a few ms later. */
  #mediaFailed(detail: string): void {
    if (this.#isOver) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#break(detail), FAREWELL_MS_MAX);
  }

  #receive(message: SignalMessage): void {
    if (this.#isOver) return;
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- most messages concern clients that do more
    switch (message.case) {
      case 'answer':
        this.#peer?.answer(message.value.sdp, message.value.id, message.value.midToTrackId);
        return;
      case 'trickle':
        this.#peer?.addCandidate(...candidateOf(message.value));
        return;
      case 'mediaSectionsRequirement':
        this.#peer?.addSections(message.value.numAudios);
        return;
      case 'trackPublished':
        if (message.value.cid === this.#trackId) this.#trackSid = message.value.track?.sid ?? '';
        return;
      case 'trackSubscribed':
        if (message.value.trackSid !== this.#trackSid) return;
        this.#hearing.callerIsHeard(this.#people.all());
        this.#handlers.onCallerHeard();
        return;
      case 'speakersChanged':
        this.#hearing.setSpeakers(message.value.speakers);
        return;
      case 'update':
        this.#applyPeople(message.value.participants);
        return;
      case 'leave':
        this.#dismissed(message.value);
        return;
      case 'requestResponse':
        if (message.value.reason !== RequestResponse_Reason.OK) {
          this.#log.warn(
            { reason: message.value.reason, detail: message.value.message },
            'room.request-refused',
          );
        }
        return;
      default:
        this.#log.debug({ message: message.case }, 'room.message-ignored');
    }
  }

  #receiveData(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const said = saidIn(bytes);
    const person = said && this.#people.find(said.identity);
    if (!person) return;
    if (said.type === 'rpc') this.#answerRpc(person, said.request);
    else if (this.#hearing.admits(person)) this.#handlers.onKey(said.digit);
  }

  #answerRpc(person: Person, request: RpcRequest): void {
    const { identity } = person;
    this.#peer?.sendData(rpcAckPacket(identity, request.id));
    const answer = readRpc(request, person.isAi && this.#hearing.admits(person));
    const isTaken = !answer.ok || this.#handlers.onTransferAsked(identity, answer.request);
    const said = isTaken ? answer : ASKED_TOO_OFTEN;
    this.#peer?.sendData(rpcAnswerPacket(identity, request.id, said));
  }

  #applyPeople(updates: readonly ParticipantInfo[]): void {
    for (const info of updates) {
      // Our own, also of a connection before this one, whose end may still be on its way.
      if (info.identity === this.#ownIdentity) continue;
      for (const change of this.#people.apply(personUpdate(info))) this.#tell(change);
    }
    this.#hearing.review(this.#people.all());
  }

  #tell(change: PeopleChange): void {
    if (change.type === 'joined') {
      const person = this.#people.find(change.identity);
      this.#handlers.onParticipantJoined(change.identity, person && aiNameOf(person));
      return;
    }
    this.#hearing.gone(change.identity);
    this.#handlers.onParticipantLeft(change.identity, change.why);
  }

  #dismissed(leave: LeaveRequest): void {
    const detail = `server said ${DisconnectReason[leave.reason]}`;
    const why = endOf(leave);
    if (why) this.#end({ why, detail });
    else this.#break(detail);
  }

  /** The connection broke, or will not come about. */
  #break(detail: string): void {
    this.#end({ why: this.#isJoined ? 'lost' : 'failed', detail });
  }

  #end(end: RoomEnd): void {
    if (this.#isOver) return;
    this.#hearing.end();
    this.#isOver = true;
    this.#disconnect();
    this.#handlers.onEnded(end);
  }

  #disconnect(): void {
    clearTimeout(this.#deadline);
    this.#peer?.close();
    this.#signal?.close();
  }

  /** What the server sends must not be able to end the process. */
  #safely(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#log.error({ err: error }, 'room.failed');
      this.#break('negotiation failed');
    }
  }
}

function sayGoodbye(signal: LiveKitSignal): void {
  signal.send(goodbyeMessage());
  signal.close();
}
