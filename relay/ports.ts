// What a session needs of the outside, as interfaces: adapters implement them, tests bring their own.
import type { Audience } from './domain/audience.ts';
import type { Arrival } from './domain/jitter-buffer.ts';
import type { MixHandlers } from './domain/mix-call.ts';
import type { Sound } from './domain/player.ts';
import type { Answer, Offer } from './domain/sdp.ts';
import type { CallWant, TransferRequest } from './protocol.ts';

/** Structured log: a static event name and fields. Personal data only under the field `pii`; never SDP or tokens. */
export type Log = {
  debug: (fields: Record<string, unknown>, event: string) => void;
  info: (fields: Record<string, unknown>, event: string) => void;
  warn: (fields: Record<string, unknown>, event: string) => void;
  error: (fields: Record<string, unknown>, event: string) => void;
};

export type Clock = {
  /** Monotonic, in ms with fractions, from an arbitrary start. */
  nowMs: () => number;
  /** Wall clock, in ms since 1970. */
  wallMs: () => number;
};

/** One timer for everybody who has something due every few milliseconds. */
export type Ticker = {
  /** Calls `tick` about every 10 ms until the returned function is called. */
  add: (tick: (nowMs: number) => void) => () => void;
};

/** What a leg tells. Nothing is told after `close`. */
export type LegHandlers = {
  /** ICE and DTLS are complete; said once. */
  onUp: (path: MediaPath | undefined) => void;
  /** The connection failed, was closed by the other side, or lost its consent; said once. */
  onLost: (detail: string) => void;
  /** One decrypted RTP or RTCP packet, owned by the receiver. */
  onPacket: (bytes: Uint8Array) => void;
};

/** The addresses that ICE chose, each `address:port`. */
export type MediaPath = { local: string; local_type: string; remote: string };

/** The connection to the provider. */
export type Leg = {
  /** Our answer or offer as it must go to the provider. */
  readonly sdp: string;
  /** A connectivity check was answered; what is missing then is the handshake. */
  readonly isReachable: boolean;
  /** Starts connectivity checks. Repeating it changes nothing. */
  connect: () => void;
  /** Encrypts and sends one RTP or RTCP packet; dropped while not up. The bytes may be reused afterwards. */
  send: (bytes: Uint8Array) => void;
  /** Harmless when repeated. */
  close: () => void;
};

/** A connection that we offered. */
export type OfferedLeg = Leg & {
  /**
   * Takes the provider's answer; `connect` may follow. To be called once.
   *
   * @throws Error when the WebRTC library refuses it
   */
  setAnswer: (answer: Answer) => void;
};

/** Header fields of what a leg sends. */
export type LegIdentity = { readonly ssrc: number; readonly cname: string };

/**
 * Prepares the answer to an offer and keeps its port bound.
 *
 * @throws Error when no local port or address can be had
 */
export type OpenLeg = (offer: Offer, identity: LegIdentity, handlers: LegHandlers) => Promise<Leg>;

/** The same for a call that we place: prepares our offer. */
export type OfferLeg = (identity: LegIdentity, handlers: LegHandlers) => Promise<OfferedLeg>;

/** Finds the sound of a prompt by its id, or says why it cannot be had or read. Never rejects. */
export type LoadPrompt = (
  prompt: string,
) => Promise<{ ok: true; sound: Sound } | { ok: false; message: string }>;

/** Asks the worker once for the file of a prompt. Never rejects. */
export type FetchPrompt = (
  prompt: string,
) => Promise<
  { ok: true; file: Uint8Array } | { ok: false; message: string; mayHelpToRetry: boolean }
>;

export type LeftWhy = 'left' | 'lost' | 'removed';

/** Of a transfer that an AI agent has asked for; empty when none is asked for. */
export type TransferState = '' | 'asked' | 'ringing' | 'failed';

/** What the room tells. Nothing is told after `leave` or `onEnded`. */
export type RoomHandlers = {
  /** We are in the room and can send. */
  onJoined: () => void;
  /** `aiName`: of an AI agent, as `domain/audience.ts` says. */
  onParticipantJoined: (identity: string, aiName?: string) => void;
  onParticipantLeft: (identity: string, why: LeftWhy) => void;
  /** Somebody who must not be heard publishes audio; said once per stay. */
  onPublisherSkipped: (identity: string) => void;
  /** Somebody in the audience hears and can be heard; `relay/protocol.ts` says when, and when there is an `aiName`. */
  onReady: (identity: string, aiName?: string) => void;
  /** One RTP packet of an audience track. `source` tells tracks apart and is never reused. */
  onAudio: (source: number, bytes: Uint8Array) => void;
  /** One RTCP packet about the caller's track. */
  onReport: (bytes: Uint8Array) => void;
  /** Somebody receives the caller's track; what it carried before, nobody has. */
  onCallerHeard: () => void;
  /** The server says whether the participant behind a source speaks. */
  onSpeaking: (source: number, isSpeaking: boolean) => void;
  /** Somebody in the audience presses a key, one of `KEYS`. */
  onKey: (digit: string) => void;
  /**
   * An AI agent that the caller hears wants somebody else to have the call.
   *
   * @returns false when that was asked for too often in this call
   */
  onTransferAsked: (identity: string, request: TransferRequest) => boolean;
  /** A track is no longer heard. */
  onSourceGone: (source: number) => void;
  /** The connection is over; said once, also when it never came about. */
  onEnded: (end: RoomEnd) => void;
};

/** How a connection to a room ended, or why it never came about. */
export type RoomEnd = {
  /**
   * Before we were in: `unreachable` (no server, or one in trouble), `refused` (not with this token), `failed` (let in, but no
   * media). Afterwards: `lost`. At any time: `replaced` (somebody else has joined as us), and what somebody did on purpose.
   */
  readonly why:
    | 'unreachable'
    | 'refused'
    | 'failed'
    | 'lost'
    | 'replaced'
    | 'room-deleted'
    | 'removed-from-room';
  /** For people. */
  readonly detail: string;
};

/** One connection to a room, as the caller. */
export type RoomLink = {
  /** Header fields that packets of the caller's track must carry. */
  readonly publication: {
    readonly ssrc: number;
    readonly payloadType: number;
    readonly audioLevelId: number;
  };
  /** RFC 6464 extension id of received packets. */
  readonly audioLevelId: number;
  /** The newest token that joins this room: the server renews it. */
  readonly token: string;
  /** Which room of which server this is, by the server's own ids; empty where they are not known. */
  readonly origin: { readonly room: string; readonly server: string };
  /** Applies at once. */
  setAudience: (audience: Audience) => void;
  /** Writes the attribute `sip.callStatus`. */
  setCallStatus: (status: 'active' | 'hangup') => void;
  /** Writes the attribute `roomline.transfer`. */
  setTransfer: (state: TransferState) => void;
  /** Tells everybody in the room of a key that the caller pressed, one of `KEYS`; dropped while not joined. */
  sendKey: (digit: string) => void;
  /** Sends one RTP or RTCP packet of the caller's track; dropped while not joined. The bytes may be reused afterwards. */
  send: (bytes: Uint8Array) => void;
  /** Leaves on purpose; resolves when the connection is down. Never rejects; harmless when repeated. */
  leave: () => Promise<void>;
};

/** Where a room is, and what lets us in. */
export type RoomPlace = { readonly url: string; readonly token: string };

/**
 * Tries once to join; success and failure come as events, later.
 *
 * @param place `connectMsMax`: from the server's welcome to working media; `cname`: name of the caller's stream
 */
export type JoinRoom = (
  place: RoomPlace & { readonly cname: string; readonly connectMsMax: number },
  audience: Audience,
  handlers: RoomHandlers,
) => RoomLink;

/** A thread that mixes. Nothing is told after `stop`. */
export type MixThread = {
  /** Hands over a batch of `domain/mix-batch.ts`, whose bytes may not be used any more. */
  post: (batch: ArrayBuffer) => void;
  /** Ends it at once, also when it hangs. */
  stop: () => void;
};

/** Starts a thread; what is posted before it is ready waits. */
export type StartMixThread = (handlers: {
  /** One answer to each batch, in order. */
  onAnswer: (answer: ArrayBuffer) => void;
  /** It ended without being told to; may be said more than once. */
  onDown: (detail: string) => void;
}) => MixThread;

/** One call's place on a mixing thread. Everything takes effect within 10 ms, in the order in which it was said. */
export type MixLine = {
  /** One packet of a source. */
  push: (source: number, packet: Arrival) => void;
  /** Nothing of this source is heard any more, from now on. */
  drop: (source: number) => void;
  /** The same for a source that sends nothing: what is mixed already may be heard. */
  release: (source: number) => void;
  /** Begins to mix; `MixCall.start` says what the parameters are. Without it the levels are told and nothing else. */
  start: (leader: number | undefined, sequence: number, atMs: number) => void;
  /** Ends the mix; `onStopped` follows. */
  stop: (source: number) => void;
  /** Nothing is told any more. Harmless when repeated. */
  close: () => void;
};

/** Gives a call a place on a thread, or `undefined` when there is none at this moment. */
export type OpenMixLine = (
  handlers: MixHandlers & {
    /** The thread is gone, and with it what it knew of the call; said once, nothing else follows. */
    onLost: () => void;
  },
) => MixLine | undefined;

/** Takes both voices of one call into its recording. Bytes that it is given must not change afterwards. */
export type CallRecorder = {
  want: (state: CallWant['recording'], nowMs: number) => void;
  /** The path is open. */
  open: (nowMs: number) => void;
  /** One packet of the caller's. */
  heard: (bytes: Uint8Array, start: number, end: number, timestamp: number, nowMs: number) => void;
  /** One packet that the caller is sent. @param dueMs its slot in the stream, on our clock */
  sent: (
    bytes: Uint8Array,
    start: number,
    end: number,
    timestamp: number,
    dueMs: number,
    nowMs: number,
  ) => void;
  /** Call it every second at least. */
  tick: (nowMs: number) => void;
  /** The call is over. Harmless when repeated. */
  close: (nowMs: number) => void;
};

/**
 * Gives a call its recorder, which does nothing until it is wanted to.
 *
 * @param onFailed the call is not recorded any further; said again whenever that is wanted anew
 */
export type OpenRecorder = (callId: string, onFailed: () => void) => CallRecorder;

/** What the worker is told of a finished recording. */
export type FinishedRecording = {
  readonly bytes: number;
  readonly durationMs: number;
  /** Hex; `relay/domain/recording-scan.ts` says of what. */
  readonly sha256: string;
};

/** A recording on its way to the disk. */
export type RecordingFile = {
  /** Appends whole pages; resolves when they are on the disk. One after the other. */
  append: (pages: Uint8Array) => Promise<void>;
  close: () => Promise<void>;
};

/** The recordings on the relay's disk, by call. */
export type RecordingFolder = {
  /** @throws Error when there is one of this call already */
  create: (callId: string) => Promise<RecordingFile>;
  list: () => Promise<string[]>;
  /** When something was last written to it, by the wall clock; `undefined` when it is not there. */
  changedAtMs: (callId: string) => Promise<number | undefined>;
  /**
   * Reads one, and makes it whole if it was broken off.
   *
   * @returns `undefined` when there is no sound in it
   */
  examine: (callId: string) => Promise<FinishedRecording | undefined>;
  read: (callId: string) => AsyncIterable<Uint8Array>;
  remove: (callId: string) => Promise<void>;
};

/**
 * Brings a recording to the worker.
 *
 * @returns `kept`, or why nobody will ever take it: `refused`
 * @throws Error when it may be tried again
 */
export type UploadRecording = (
  callId: string,
  recording: FinishedRecording,
  body: AsyncIterable<Uint8Array>,
) => Promise<'kept' | 'refused'>;
