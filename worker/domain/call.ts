// What a call is. What can happen to it stands in `call-event.ts`, and `step.ts` decides; this file only names things. Pure.
//
// Glossary
//   provider      who carries the call to WhatsApp (Meta's Cloud API); its call id is the wacid
//   caller        the WhatsApp user, whichever side started the call; their audio reaches the room through the relay as
//                 participant `caller-<call id>`
//   inbound       the user calls the business; outbound: the business calls the user
//   target        whom an outbound call connects: an agent, an AI agent that LiveKit dispatches, or whoever is in the room
//   pickup        the user answers an outbound call; the provider's status ACCEPTED, and nothing else
//   agent         a person (or their client) who answers; participant `agent-<agent id>`
//   AI agent      a program that LiveKit dispatches into the room by its name; it takes a call by being ready
//   claim         an agent taking a ringing call; one winner
//   ready         the claimant can hear and be heard in the room; only then the provider is told to accept
//   open          the path to the provider carries audio, from the accepted answer on
//   grace         how long an agent who left may take to return before the call ends, or somebody else in it has it
import { awaitedOf, type Flow, type FollowUp } from './flow.ts';
import type { Dial } from './call-event.ts';
import type { AgentId, CallId, ContactId, NumberId, RelayId } from './ids.ts';
import type { Job, PendingJob } from './job.ts';
import type { Outcome } from './outcome.ts';
import { audienceOf, handOverOf, isConsulting, type People } from './people.ts';
import type { Remarks } from './step-remark.ts';

/**
 * `tombstone`: the provider said that a call ended which it has not announced yet. `offered`: the relay is asked for an answer.
 * `preparing`: the provider is being given it. `ringing`, `claimed`. `accepting`: the provider is being told to accept.
 * `active`: connected. `ending`: the outcome is fixed, the provider has not confirmed yet. `ended`.
 *
 * Outbound: `asking`: the user is asked for permission. `ringing`, `claimed`: the chosen agent, before anything is dialled.
 * `offering`: the relay is asked for an offer. `dialling`: the provider is asked to call, until the user picks up.
 */
export const CALL_STATES = [
  'tombstone',
  'asking',
  'offered',
  'preparing',
  'ringing',
  'claimed',
  'offering',
  'dialling',
  'accepting',
  'active',
  'ending',
  'ended',
] as const;
export type CallState = (typeof CALL_STATES)[number];

/**
 * `answer`: nobody has answered. `relayAnswer`: the relay owes an answer. `claim`: the claimant is not ready. `graceLeft`,
 * `graceLost`: the agent left, or their connection broke. `cleanUp`: the room is deleted even if the relay never said that it
 * left. `mediaLost`: the media broke off and the provider has not said why. `control`: nothing is heard of the relay, while LiveKit
 * still has the caller. `sweep`: the room is deleted a second time, because a reconnecting client can bring it back.
 *
 * Outbound: `ask`: the user has not granted permission. `ring`: the user does not pick up. `adopt`: nobody knows whether the
 * provider calls. `join`: the user picked up and whom they were to talk with is not there.
 *
 * `step`: the present step of the rule has had its time. `each`: somebody has rung for as long as each may.
 *
 * `party`: a colleague who is rung, or somebody who was given a seat, has had their time. `heir`: the agent who has the call has left,
 * and somebody else speaks with the caller.
 */
export type TimerName =
  | 'answer'
  | 'relayAnswer'
  | 'claim'
  | 'graceLeft'
  | 'graceLost'
  | 'cleanUp'
  | 'sweep'
  | 'mediaLost'
  | 'control'
  | 'ask'
  | 'ring'
  | 'adopt'
  | 'join'
  | 'step'
  | 'each'
  | 'party'
  | 'heir';

export interface Caller {
  readonly contactId: ContactId;
  readonly name?: string;
  /** E.164 digits; absent for users who hide their number. */
  readonly phone?: string;
  /** The provider's business-scoped user id; how a user without a known number is called. */
  readonly bsuid?: string;
  /** Who spoke with them last. */
  readonly lastAgentId?: AgentId;
}

/** Whom an outbound call connects with the user. */
export type Target =
  | { readonly kind: 'agent'; readonly agentId: AgentId }
  /** Dispatched by LiveKit once the user's phone rings. */
  | { readonly kind: 'ai'; readonly name: string; readonly metadata: string }
  /** Whoever is in the room is heard. */
  | { readonly kind: 'room' };

/** How the permission request is worded: free text, or a template that the provider has approved. */
export type AskWording =
  | { readonly text: string | null }
  | {
      readonly template: {
        readonly name: string;
        readonly language: string;
        readonly parameters: readonly string[];
      };
    };

/** What a finished outbound call costs. */
export interface Charge {
  /** From pickup, in steps of 6 s. */
  readonly billedS: number;
  /** Millionths of the currency's unit; absent without a rate. */
  readonly costMicros?: number;
  readonly currency?: string;
  /** Country prefix of the rate that priced it. */
  readonly ratePrefix?: string;
}

export interface Claim {
  readonly agentId: AgentId;
  readonly agentName: string;
  readonly identity: string;
  readonly atMs: number;
  /** They came as a colleague, so the caller hears them by name. */
  readonly isNamed?: true;
}

/** The AI agent that speaks with the caller. */
export interface AiSeat {
  readonly name: string;
  readonly identity: string;
  /** As a member of a team; null for one that a step or a request names. */
  readonly agentId: AgentId | null;
}

export interface Placement {
  readonly relayId: RelayId;
  /** The start of the relay process that holds the media; another instance does not have the call. */
  readonly instance: string;
  /** Highest event number of that relay that this call has applied. */
  readonly lastSeq: number;
  /** Counts the processes that were asked to take the call; absent for the first. */
  readonly attempt?: number;
}

/** What the call sounds like besides those who speak in it. */
export interface CallAudio {
  /** The caller hears the hold sound and is not heard. */
  readonly isHeld: boolean;
  /**
   * A prompt that the caller hears instead of the room. `id` tells plays of one call apart. `isAnnouncement`: it says that the call
   * is recorded, and is heard to its end; a call of before it was known has none.
   */
  readonly playing: {
    readonly id: number;
    readonly promptId: string;
    readonly isLoop: boolean;
    readonly isAnnouncement?: boolean;
  } | null;
  /** `paused`: the recording goes on with silence in both voices. */
  readonly recording: 'off' | 'on' | 'paused';
}

/** What the settings of the number mean for a call; fixed when it begins. */
export interface CallPolicy {
  /** There is a text for callers who could not be served. */
  readonly hasFallbackText: boolean;
  /** The provider's voicemail answers in time; it does so only if the call is not rejected. */
  readonly isLeftToVoicemail: boolean;
  /** There is a place to keep recordings in. Calls of before it was known have none. */
  readonly canRecord?: boolean;
  /** The call is recorded; `announcement`: the prompt that says so first. */
  readonly recording: { readonly announcement: string | null } | null;
}

export interface DirectionQuality {
  readonly packets: number;
  readonly lost: number;
  readonly jitter_ms: number;
  readonly filled: number;
  readonly first_audio_ms?: number | undefined;
  // What follows is known of relays from version 3 on.
  readonly duplicates?: number | undefined;
  readonly reordered?: number | undefined;
  readonly late?: number | undefined;
  readonly gaps?: number | undefined;
  readonly longest_gap?: number | undefined;
  /** 1 (bad) to 4.5. */
  readonly mos?: number | undefined;
  readonly receiver?:
    | {
        readonly packets: number;
        readonly lost: number;
        readonly jitter_ms: number;
        readonly rtt_ms?: number | undefined;
      }
    | undefined;
}

export interface CallQuality {
  readonly from_caller: DirectionQuality;
  readonly to_caller: DirectionQuality;
}

export interface Call {
  readonly id: CallId;
  /** Counts decisions; equals the sequence number of the call's latest timeline entry. */
  readonly version: number;
  readonly state: CallState;
  readonly direction: 'inbound' | 'outbound';
  readonly numberId: NumberId;
  /** Our number as people read it, E.164 digits. */
  readonly displayPhoneNumber: string;
  /** Null for an outbound call that the provider has not named yet. */
  readonly providerCallId: string | null;
  readonly caller: Caller | null;
  /** Null for inbound calls. */
  readonly target: Target | null;
  readonly ask: Dial['ask'];
  readonly ringMs: number;
  /** What the button or link that started the call carried. */
  readonly payload: string | null;
  readonly policy: CallPolicy;
  readonly audio: CallAudio;
  /** The provider's own time of the offer; for an outbound call when it was asked for. */
  readonly offeredAtMs: number;
  readonly createdAtMs: number;
  readonly ringingAtMs: number | null;
  readonly answeredAtMs: number | null;
  readonly endedAtMs: number | null;
  /** By then the caller is answered or the fallback runs; outbound: by then the agent is there. */
  readonly answerByMs: number;
  /** When the provider counts the call as picked up and as ended. */
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly charge: Charge | null;
  readonly placement: Placement | null;
  /** Both dropped when the call ends. */
  readonly offerSdp: string | null;
  readonly answerSdp: string | null;
  readonly isRoomCreated: boolean;
  readonly isRoomJoined: boolean;
  readonly isPreAccepted: boolean;
  readonly isMediaUp: boolean;
  /** Outbound: the user's phone rings. */
  readonly isAlerting: boolean;
  /** Identities that hear and are heard in the room. */
  readonly heard: readonly string[];
  readonly claim: Claim | null;
  readonly ai: AiSeat | null;
  /** Names of AI agents that were sent for and are not wanted any more. */
  readonly recalled: readonly string[];
  /** Agents who have or had it, were heard in it, or placed it: they may look at it ever after. */
  readonly hadBy: readonly AgentId[];
  /** Identities that are not to be heard: their claim was taken back, or they were removed. */
  readonly excluded: readonly string[];
  readonly people: People;
  readonly remarks: Remarks;
  /** Where it is among the steps of its rule; null for calls that no rule takes. */
  readonly flow: Flow | null;
  /** The team that it was last routed to. */
  readonly teamId: string | null;
  /** When somebody first spoke with the caller. */
  readonly talkedAtMs: number | null;
  readonly followUp: FollowUp | null;
  readonly outcome: Outcome | null;
  readonly quality: CallQuality | null;
  /** Its recording was brought. */
  readonly isRecordingKept: boolean;
  readonly timers: Readonly<Partial<Record<TimerName, number>>>;
  readonly pending: readonly PendingJob[];
  readonly nextJobId: number;
}

/** What the relay should be doing for this call. */
export const wanted = (
  call: Call,
): {
  connect: boolean;
  open: boolean;
  hasRoom: boolean;
  audience: { named: string[]; excluded: string[]; ai: boolean; everyone: boolean };
  audio: CallAudio;
  transfer: 'ringing' | 'failed' | null;
} => ({
  connect: call.isPreAccepted || call.state === 'active',
  open: call.state === 'active',
  // Agents greet when the user joins the room, so a ringing phone does not join it.
  hasRoom: call.isRoomCreated && (call.direction === 'inbound' || call.state === 'active'),
  audience: {
    ...audienceOf(call),
    ai: awaitedOf(call.flow).length > 0 || isAwaitingTarget(call),
    everyone: call.target?.kind === 'room',
  },
  audio: isConsulting(call) ? { ...call.audio, isHeld: true } : call.audio,
  transfer: handOverOf(call),
});

/** The AI agent of a call of the business is not known yet. */
export const isAwaitingTarget = ({ target, ai, flow }: Call): boolean =>
  target?.kind === 'ai' && ai === null && flow === null;

/** The call's media should exist at its relay. */
export const hasMedia = (call: Call): boolean => call.placement !== null && !isOver(call);

/** The call goes on, but nothing is heard of its relay. */
export const isControlLost = (call: Call): boolean => call.timers.control !== undefined;

/** Nothing that happens can change how this call ended. */
export const isOver = (call: Call): boolean =>
  call.state === 'tombstone' || call.state === 'ending' || call.state === 'ended';

/** Nothing remains to be done for this call, now or later. */
export const isSettled = (call: Call): boolean =>
  call.state === 'tombstone' ||
  (call.state === 'ended' && call.pending.length === 0 && Object.keys(call.timers).length === 0);

export const describeJob = (job: Job): string => `${job.lane}.${job.action}`;
