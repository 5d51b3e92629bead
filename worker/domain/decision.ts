// What a decision on a call consists of. Pure.
import type { PendingJob } from './job.ts';
import type { Call } from './call.ts';
import type { Refusal } from './people.ts';

/** One line of the call's history, written with the decision it describes. */
export interface TimelineEntry {
  readonly type: TimelineType;
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

export type TimelineType =
  | 'offered'
  | 'terminated-before-offer'
  | 'relay-answered'
  | 'pre-accepted'
  | 'ringing'
  | 'media-up'
  | 'media-lost'
  | 'room-created'
  | 'room-joined'
  | 'room-away'
  | 'participant-joined'
  | 'participant-left'
  | 'publisher-skipped'
  | 'claimed'
  | 'claim-released'
  | 'ready'
  | 'agent-left'
  | 'agent-returned'
  | 'answered'
  | 'step'
  | 'rung'
  | 'ring-ended'
  | 'transferring'
  | 'transfer-cancelled'
  | 'transfer-failed'
  | 'consulting'
  | 'consultation-merged'
  | 'consultation-completed'
  | 'consultation-cancelled'
  | 'consultation-failed'
  | 'inviting'
  | 'invitation-failed'
  | 'colleague-rung'
  | 'colleague-coming'
  | 'party-joined'
  | 'party-gone'
  | 'party-removed'
  | 'passed-on'
  | 'supervising'
  | 'permissions-set'
  | 'note'
  | 'tagged'
  | 'disposition-set'
  | 'ending'
  | 'ended'
  | 'end-confirmed'
  | 'end-unconfirmed'
  | 'relay-closed'
  | 'placed-elsewhere'
  | 'control-lost'
  | 'control-checked'
  | 'control-back'
  | 'fallback-sent'
  | 'message-sent'
  | 'held'
  | 'taken-off-hold'
  | 'playing'
  | 'playing-stopped'
  | 'played'
  | 'digit'
  | 'recording-started'
  | 'recording-paused'
  | 'recording-resumed'
  | 'recording-stopped'
  | 'recording-failed'
  | 'announcement-failed'
  | 'recording-kept'
  | 'room-deleted'
  | 'room-clean-up'
  | 'agent-removed'
  | 'action-done'
  | 'action-failed'
  | 'retrying'
  | 'asking'
  | 'asked'
  | 'dial-requested'
  | 'agent-ready'
  | 'offer-made'
  | 'dialled'
  | 'dial-unsure'
  | 'answer-received'
  | 'alerting'
  | 'agent-dispatched'
  | 'found-late'
  | 'charged'
  | 'recorded';

/** Frames for the call's relay. They are not stored: `wanted` derives them again after a crash. */
export type RelayMessage = 'answer' | 'offer' | 'apply' | 'want' | 'close';

export interface Decision {
  /** The same object as before when the event changes nothing. */
  readonly call: Call | null;
  readonly entry: TimelineEntry | null;
  readonly messages: readonly RelayMessage[];
  /** Jobs to start once the decision is stored. */
  readonly jobs: readonly PendingJob[];
  /** Why a command was not carried out. */
  readonly refusal?: Refusal;
}
