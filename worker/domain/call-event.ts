// What can happen to a call. Pure.
import type { Hours } from './calling-hours.ts';
import type { AgentId, CallId, NumberId } from './ids.ts';
import type { JobResult } from './job.ts';
import type { PartyCommand, TransferTo } from './people.ts';
import type { Remark } from './step-remark.ts';
import type { AskWording, Call, CallPolicy, Caller, Claim, Target } from './call.ts';

/** What rules ask about a caller besides the call itself. */
export interface RoutingFacts {
  /** ISO 3166-1 of the phone number; null when it is not known. */
  readonly country: string | null;
  readonly tags: readonly string[];
  readonly isReturning: boolean;
  /** Hours in which users may call the number; null: around the clock. */
  readonly numberHours: Hours | null;
}

/** What an outbound call is to be. */
export interface Dial {
  readonly id: CallId;
  readonly numberId: NumberId;
  readonly displayPhoneNumber: string;
  readonly caller: Caller;
  readonly target: Target;
  /** Absent when no person placed the call. */
  readonly placedBy?: AgentId;
  /** The agent who places the call is there already and needs no ring. */
  readonly claim: Claim | null;
  /** How long the user's phone may ring, in ms. */
  readonly ringMs: number;
  /** Ask for permission first and wait for it this long, in ms. */
  readonly ask: { readonly wording: AskWording; readonly waitMs: number } | null;
  readonly policy: CallPolicy;
}

/** What may be done to the audio of a connected call. */
export type AudioCommand =
  | { readonly action: 'hold' | 'unhold' | 'stop-playing' }
  | { readonly action: 'record' | 'pause-recording' | 'resume-recording' | 'stop-recording' }
  | { readonly action: 'play'; readonly promptId: string; readonly isLoop: boolean };

/** A recording that can be heard from now on. */
export interface KeptRecording {
  readonly durationMs: number;
  readonly bytes: number;
  /** Of its Opus packets, hex. */
  readonly sha256: string;
  /** ISO 8601; null: kept for ever. */
  readonly expiresAt: string | null;
}

/** What the provider announces with a new call. */
export interface Offer {
  readonly id: CallId;
  readonly numberId: NumberId;
  readonly displayPhoneNumber: string;
  readonly providerCallId: string;
  readonly caller: Caller;
  readonly payload: string | null;
  readonly policy: CallPolicy;
  readonly routing: RoutingFacts;
  readonly sdp: string;
  readonly offeredAtMs: number;
  /** The provider's own limit for answering, in ms from the offer. */
  readonly answerLimitMs: number;
}

/** Why a relay ended a call's media; `closed` when it was told to. */
export type MediaEndReason =
  | 'closed'
  | 'unusable-offer'
  | 'unusable-answer'
  | 'no-capacity'
  | 'media-failed'
  | 'media-lost'
  | 'room-failed'
  | 'room-deleted'
  | 'removed-from-room'
  | 'room-lost'
  | 'internal';

/** How the provider says that a call is over. */
export interface Termination {
  readonly id: CallId;
  readonly numberId: NumberId;
  readonly displayPhoneNumber: string;
  readonly providerCallId: string;
  readonly atMs: number;
  /** The provider counts the call as picked up. */
  readonly wasPickedUp: boolean;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly errorCode?: number | undefined;
  /** Code and text of the provider's error, when it reports one. */
  readonly error?: string | undefined;
}

/** Who asked: shown in the timeline. */
export interface Actor {
  readonly kind: 'agent' | 'api';
  readonly id: string;
}

type FromRelay<T> = T & { readonly seq: number };

export type CallEvent =
  | { readonly type: 'offer'; readonly offer: Offer }
  | { readonly type: 'terminate'; readonly termination: Termination }
  | FromRelay<{ readonly type: 'relay.answered'; readonly sdp: string }>
  | FromRelay<{ readonly type: 'relay.media-up' }>
  | FromRelay<{ readonly type: 'relay.room-joined' }>
  /** The relay has lost the room and tries to get back in. */
  | FromRelay<{ readonly type: 'relay.room-away'; readonly detail?: string | undefined }>
  | FromRelay<{
      readonly type: 'relay.participant-joined';
      readonly identity: string;
      /** Of an AI agent: the name that it is registered by, or empty. */
      readonly aiName?: string | undefined;
    }>
  | FromRelay<{
      readonly type: 'relay.ready';
      readonly identity: string;
      /** Of somebody who is heard as an AI agent and for no other reason: the name that it is registered by, or empty. */
      readonly aiName?: string | undefined;
    }>
  /** An AI agent wants somebody else to have the call. */
  | FromRelay<{
      readonly type: 'relay.transfer-asked';
      readonly identity: string;
      readonly to: TransferTo;
      readonly summary: string | null;
    }>
  | FromRelay<{
      readonly type: 'relay.participant-left';
      readonly identity: string;
      readonly why: 'left' | 'lost' | 'removed';
    }>
  | FromRelay<{ readonly type: 'relay.publisher-skipped'; readonly identity: string }>
  /** A prompt is over; `isComplete`: it was played to its end. */
  | FromRelay<{
      readonly type: 'relay.played';
      readonly playId: number;
      readonly isComplete: boolean;
    }>
  /** The relay cannot record the call any further. */
  | FromRelay<{ readonly type: 'relay.recording-failed' }>
  /** The caller pressed a key: `0` to `9`, `*`, `#`, `A` to `D`. */
  | FromRelay<{ readonly type: 'relay.digit'; readonly digit: string }>
  | FromRelay<{
      readonly type: 'relay.ended';
      readonly reason: MediaEndReason;
      readonly detail?: string | undefined;
      readonly quality: Call['quality'];
    }>
  /** The process that held the media is gone. */
  | { readonly type: 'relay.lost'; readonly instance: string }
  /** Nothing is heard of it; its media may be well. */
  | { readonly type: 'relay.silent'; readonly instance: string }
  | { readonly type: 'relay.back' }
  | { readonly type: 'claim'; readonly claim: Claim }
  /** Somebody may have become free. */
  | { readonly type: 'people' }
  | { readonly type: 'ring-ended'; readonly agentId: AgentId; readonly why: 'declined' | 'gone' }
  /** The call is to be somebody else's. `summary`: what whoever takes it is told first. */
  | {
      readonly type: 'transfer';
      readonly to: TransferTo;
      readonly summary: string | null;
      readonly actor: Actor;
    }
  | { readonly type: 'party'; readonly command: PartyCommand; readonly actor: Actor }
  | { readonly type: 'remark'; readonly remark: Remark; readonly actor: Actor }
  | { readonly type: 'dial'; readonly dial: Dial }
  | { readonly type: 'permission'; readonly isGranted: boolean }
  | { readonly type: 'answer'; readonly providerCallId: string; readonly sdp: string }
  | {
      readonly type: 'status';
      readonly providerCallId: string;
      readonly status: 'ringing' | 'accepted' | 'rejected';
      readonly atMs: number;
    }
  | FromRelay<{ readonly type: 'relay.offered'; readonly sdp: string }>
  | { readonly type: 'end'; readonly actor: Actor }
  | { readonly type: 'audio'; readonly command: AudioCommand; readonly actor: Actor }
  | { readonly type: 'recording'; readonly recording: KeptRecording }
  | { readonly type: 'job'; readonly jobId: number; readonly result: JobResult }
  /** Time has passed. */
  | { readonly type: 'tick' };
