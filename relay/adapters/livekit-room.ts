// A call's place in its LiveKit room: joins as the caller, publishes the caller's track, subscribes to whoever may be heard.
import {
  AddTrackRequest,
  AudioTrackFeature,
  DisconnectReason,
  LeaveRequest,
  LeaveRequest_Action,
  RequestResponse_Reason,
  SessionDescription,
  TrackSource,
  TrackType,
  type TrickleRequest,
  UpdateParticipantMetadata,
  type JoinResponse,
  type ParticipantInfo,
} from '@livekit/protocol';
import { randomInt, randomUUID } from 'node:crypto';
import type { Audience } from '../domain/audience.ts';
import { People, type PeopleChange } from '../domain/room-people.ts';
import type { JoinRoom, Log, RoomHandlers, RoomLink } from '../ports.ts';
import type { RelayEndReason } from '../protocol.ts';
import { Hearing } from './livekit-hearing.ts';
import { iceServerUrls, personUpdate, trickle } from './livekit-messages.ts';
import { AUDIO_LEVEL_ID, LiveKitPeer, OPUS_PAYLOAD_TYPE } from './livekit-peer.ts';
import { JoinRefused, LiveKitSignal, type SignalMessage } from './livekit-signal.ts';

export type LiveKitRoomOptions = {
  /** Replaces the server address that a call brings, for relays that reach the server by another way than clients. */
  readonly url: string | undefined;
  readonly bindAddress: string | undefined;
};

/** A server that cannot be reached is tried again for this long; the caller hears ringing meanwhile. */
const JOIN_RETRY_MS = 5_000;
const JOIN_RETRY_PAUSE_MS = 400;

/** From the first offer to a working connection; livekit-server's own limit for negotiating is 15 s. */
const CONNECT_MS_MAX = 10_000;

/** How long the server may take to say why it ended the media connection. */
const FAREWELL_MS_MAX = 1_000;

/** How long `leave` waits for the last messages to go out. */
const LEAVE_LINGER_MS = 100;

/** What the server's goodbye means for the call; any other is a lost connection. */
const END_REASONS: ReadonlyMap<DisconnectReason, RelayEndReason> = new Map([
  [DisconnectReason.ROOM_DELETED, 'room-deleted'],
  [DisconnectReason.ROOM_CLOSED, 'room-deleted'],
  [DisconnectReason.PARTICIPANT_REMOVED, 'removed-from-room'],
  [DisconnectReason.DUPLICATE_IDENTITY, 'removed-from-room'],
]);

/** Makes the function that joins one room per call. */
export const createJoinRoom =
  (options: LiveKitRoomOptions, log: Log): JoinRoom =>
  (place, audience, handlers) => {
    const room = new LiveKitRoom(place.cname, options.bindAddress, audience, handlers, log);
    void room.join(options.url ?? place.url, place.token);
    return room;
  };

class LiveKitRoom implements RoomLink {
  readonly publication = {
    ssrc: randomInt(1, 0xffff_ffff),
    payloadType: OPUS_PAYLOAD_TYPE,
    audioLevelId: AUDIO_LEVEL_ID,
  };
  readonly audioLevelId = AUDIO_LEVEL_ID;

  readonly #cname: string;
  readonly #bindAddress: string | undefined;
  readonly #handlers: RoomHandlers;
  readonly #log: Log;
  readonly #people = new People();
  readonly #hearing: Hearing;
  readonly #trackId = randomUUID();
  #trackSid = '';
  #ownSid = '';
  #signal: LiveKitSignal | undefined;
  #peer: LiveKitPeer | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isJoined = false;
  #isOver = false;

  constructor(
    cname: string,
    bindAddress: string | undefined,
    audience: Audience,
    handlers: RoomHandlers,
    log: Log,
  ) {
    this.#cname = cname;
    this.#bindAddress = bindAddress;
    this.#handlers = handlers;
    this.#log = log;
    this.#hearing = new Hearing(audience, {
      subscribe: (wanted, participantSid, trackSid) =>
        this.#signal?.send({
          case: 'subscription',
          value: {
            trackSids: [trackSid],
            subscribe: wanted,
            participantTracks: [{ participantSid, trackSids: [trackSid] }],
          },
        }),
      onSkipped: handlers.onPublisherSkipped,
      onReady: handlers.onReady,
      onAudio: handlers.onAudio,
      onSpeaking: handlers.onSpeaking,
      onSourceGone: handlers.onSourceGone,
    });
  }

  /** Tries until the server has let us in, refused us, or the time is over. */
  async join(url: string, token: string): Promise<void> {
    const giveUpAtMs = performance.now() + JOIN_RETRY_MS;
    while (!this.#isOver) {
      try {
        const { signal, join } = await LiveKitSignal.join(url, token, {
          onMessage: (message) => this.#safely(() => this.#receive(message)),
          onUnreadable: () => this.#log.warn({}, 'room.unreadable-message'),
          onClose: (detail) => this.#end('room-lost', detail),
        });
        if (this.#isOver) sayGoodbye(signal);
        else this.#safely(() => this.#enter(signal, join));
        return;
      } catch (error) {
        const status = error instanceof JoinRefused ? error.status : 0;
        const detail = error instanceof Error ? error.message : 'unknown';
        // A 4xx is about us: asking again gets the same answer.
        const isFinal = status >= 400 && status < 500;
        if (isFinal || performance.now() + JOIN_RETRY_PAUSE_MS > giveUpAtMs) {
          this.#end('room-failed', `join: ${detail}`);
          return;
        }
        this.#log.info({ status, detail }, 'room.join-retried');
        await new Promise((resolve) => setTimeout(resolve, JOIN_RETRY_PAUSE_MS));
      }
    }
  }

  setAudience(audience: Audience): void {
    this.#hearing.setAudience(audience, this.#people.all());
  }

  setCallStatus(status: 'active' | 'hangup'): void {
    this.#signal?.send({
      case: 'updateMetadata',
      value: new UpdateParticipantMetadata({ attributes: { 'sip.callStatus': status } }),
    });
  }

  send(bytes: Uint8Array): void {
    this.#peer?.send(bytes);
  }

  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.setCallStatus('hangup');
    if (this.#signal) {
      sayGoodbye(this.#signal);
      await new Promise((resolve) => setTimeout(resolve, LEAVE_LINGER_MS));
    }
    this.#disconnect();
  }

  #enter(signal: LiveKitSignal, join: JoinResponse): void {
    this.#signal = signal;
    this.#ownSid = join.participant?.sid ?? '';
    const peer = new LiveKitPeer(
      {
        ssrc: this.publication.ssrc,
        cname: this.#cname,
        trackId: this.#trackId,
        bindAddress: this.#bindAddress,
        iceServers: iceServerUrls(join),
      },
      {
        onOffer: (sdp, id) =>
          signal.send({ case: 'offer', value: new SessionDescription({ type: 'offer', sdp, id }) }),
        onCandidate: (candidate, mid) =>
          signal.send({ case: 'trickle', value: trickle(candidate, mid) }),
        onConnected: () => this.#connected(),
        onFailed: (detail) => this.#mediaFailed(detail),
        onAssigned: (mid, trackId) => this.#hearing.assign(mid, trackId, this.#people.all()),
        onPacket: (mid, bytes) => this.#hearing.packet(mid, bytes),
      },
      this.#log,
    );
    this.#peer = peer;
    this.#deadline = setTimeout(
      () => this.#end('room-failed', 'not connected in time'),
      CONNECT_MS_MAX,
    );
    signal.send({
      case: 'addTrack',
      value: new AddTrackRequest({
        cid: this.#trackId,
        name: join.participant?.identity ?? 'whatsapp',
        type: TrackType.AUDIO,
        source: TrackSource.MICROPHONE,
        // WhatsApp pauses badly with gaps: every 20 ms is sent, once.
        disableRed: true,
        audioFeatures: [AudioTrackFeature.TF_NO_DTX],
      }),
    });
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
    this.#deadline = setTimeout(
      () => this.#end(this.#isJoined ? 'room-lost' : 'room-failed', detail),
      FAREWELL_MS_MAX,
    );
  }

  #receive(message: SignalMessage): void {
    if (this.#isOver) return;
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- most messages concern clients that do more
    switch (message.case) {
      case 'answer':
        this.#peer?.answer(message.value.sdp, message.value.id, message.value.midToTrackId);
        return;
      case 'trickle':
        this.#takeCandidate(message.value);
        return;
      case 'mediaSectionsRequirement':
        this.#peer?.addSections(message.value.numAudios);
        return;
      case 'trackPublished':
        if (message.value.cid === this.#trackId) this.#trackSid = message.value.track?.sid ?? '';
        return;
      case 'trackSubscribed':
        if (message.value.trackSid === this.#trackSid)
          this.#hearing.callerIsHeard(this.#people.all());
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

  #takeCandidate(request: TrickleRequest): void {
    const init = JSON.parse(request.candidateInit) as { candidate?: string; sdpMid?: string };
    if (init.candidate) this.#peer?.addCandidate(init.candidate, init.sdpMid ?? '');
  }

  #applyPeople(updates: readonly ParticipantInfo[]): void {
    for (const info of updates) {
      if (info.sid === this.#ownSid) continue;
      for (const change of this.#people.apply(personUpdate(info))) this.#tell(change);
    }
    this.#hearing.review(this.#people.all());
  }

  #tell(change: PeopleChange): void {
    if (change.type === 'joined') {
      this.#handlers.onParticipantJoined(change.identity);
      return;
    }
    this.#hearing.gone(change.identity);
    this.#handlers.onParticipantLeft(change.identity, change.why);
  }

  #dismissed({ reason }: LeaveRequest): void {
    const fallback = this.#isJoined ? 'room-lost' : 'room-failed';
    this.#end(END_REASONS.get(reason) ?? fallback, `server said ${DisconnectReason[reason]}`);
  }

  #end(reason: RelayEndReason, detail: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#disconnect();
    this.#handlers.onEnded(reason, detail);
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
      this.#end(this.#isJoined ? 'room-lost' : 'room-failed', 'negotiation failed');
    }
  }
}

/** Agent frameworks end their session when the caller leaves with this reason, and wait for a return with others. */
function sayGoodbye(signal: LiveKitSignal): void {
  signal.send({
    case: 'leave',
    value: new LeaveRequest({
      reason: DisconnectReason.CLIENT_INITIATED,
      action: LeaveRequest_Action.DISCONNECT,
    }),
  });
  signal.close();
}
