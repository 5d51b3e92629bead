// Everything that can happen to a call: the rows of the tables in ARCHITECTURE.md. The compiler sees to it that no event, job,
// timer or end of the media is left out.
import type { Placement } from '../../../../worker/domain/call.ts';
import type {
  AudioCommand,
  CallEvent,
  MediaEndReason,
} from '../../../../worker/domain/call-event.ts';
import {
  answers,
  away,
  ASK,
  BEA,
  BOT,
  brings,
  CLAIM,
  claims,
  dials,
  fails,
  hangUp,
  joins,
  leaves,
  lost,
  mediaEnds,
  NOW,
  offers,
  offersWithVoicemail,
  permits,
  played,
  PROMPT,
  ready,
  relay,
  remarks,
  replies,
  says,
  silent,
  steers,
  terminates,
  tick,
  type Column,
  type Direction,
  type Kind,
  type Move,
  type Way,
} from './transitions-calls.ts';

/** A case of something that happens. What is not said is as usual: another relay has room, the agent is the target. */
export interface Case {
  /** What is special about it; empty for the plain case. */
  readonly label: string;
  /** Where only one direction knows it. */
  readonly only?: Direction;
  readonly kind?: Kind;
  /** How the call came into its state; null where it cannot be, or where the case makes no difference. */
  readonly way?: Way | ((state: Column) => Way | null) | undefined;
  readonly free?: Placement | null;
}
export interface EventCase extends Case {
  readonly move: Move;
  readonly nowMs?: number;
}

export const isEnd = (state: Column): boolean => state === 'ending' || state === 'ended';

export const onlyIn =
  (states: readonly Column[], way: Way = {}) =>
  (state: Column): Way | null =>
    states.includes(state) ? way : null;
/** Before the provider has our SDP. */
const unseen = onlyIn(['offered', 'offering']);

/** A call whose dial went unanswered, and of which no webhook has come. */
export const nameless = (state: Column, ...last: readonly Move[]): Way | null =>
  state === 'dialling' || isEnd(state)
    ? {
        hold: ['graph.connect'],
        at: { dialling: [fails('graph.connect', 'unsure')] },
        endsFrom: 'dialling',
        endsBy: hangUp,
        isPatient: state === 'ended',
        last,
      }
    : null;

/** The relay is not heard of while it is in the room. */
export const unheard: Way = { last: [joins, silent] };
const agentHeard: Way = { at: { active: [ready(BEA)] } };
const twoHeard = onlyIn(['accepting', 'active'], {
  at: { accepting: [ready('agent-a2')], active: [ready(BEA), ready('agent-a2')] },
});
const botHeard = onlyIn(['active'], { at: { active: [ready(BOT)] } });
const botHasCall = onlyIn(['active'], { at: { active: [ready(BOT, 'concierge')] } });
const botAmongOthers = onlyIn(['active'], {
  at: { active: [ready(BEA), ready(BOT, 'concierge')] },
});
export const inGrace = (why: 'left' | 'lost') =>
  onlyIn(['accepting', 'active'], { ...agentHeard, last: [leaves(BEA, why)] });

type Action = Exclude<AudioCommand['action'], 'play'>;
const after = (...actions: readonly Action[]): Way => ({
  last: actions.map((action) => steers({ action })),
});

/** Who is rung depends on people, not on states; `step-search.test.ts` and `step-party.test.ts` have those events. */
type PlainEvent = Exclude<
  CallEvent['type'],
  | 'job'
  | 'tick'
  | 'relay.ended'
  | 'people'
  | 'ring-ended'
  | 'transfer'
  | 'party'
  | 'relay.transfer-asked'
>;

export const EVENTS: Record<PlainEvent, readonly EventCase[]> = {
  offer: [
    { label: '', only: 'inbound', move: offers() },
    {
      label: 'no relay has room',
      only: 'inbound',
      way: onlyIn(['unknown']),
      move: offers(),
      free: null,
    },
    {
      label: 'no relay has room, there is a voicemail',
      only: 'inbound',
      way: onlyIn(['unknown']),
      move: offersWithVoicemail(),
      free: null,
    },
    {
      label: 'after the answer limit',
      only: 'inbound',
      way: onlyIn(['unknown']),
      move: offers(),
      nowMs: NOW + 26_000,
    },
  ],
  terminate: [
    { label: '', move: terminates() },
    { label: 'picked up', move: terminates({ wasPickedUp: true }) },
    { label: 'with an error', move: terminates({ error: '138021: x', errorCode: 138021 }) },
    {
      label: 'with error 138020',
      only: 'outbound',
      move: terminates({ error: '138020: x', errorCode: 138020 }),
    },
    {
      label: 'after our own end',
      only: 'outbound',
      way: onlyIn(['ended'], { endsBy: hangUp, last: [replies('graph.terminate')] }),
      move: terminates({ wasPickedUp: true }),
    },
  ],
  answer: [
    { label: '', move: answers },
    {
      label: 'after the pickup',
      way: onlyIn(['active'], { at: { dialling: [says('accepted')] } }),
      move: answers,
    },
    { label: 'of a call without a name', way: (state) => nameless(state), move: answers },
  ],
  status: [
    { label: '`ringing`', move: says('ringing') },
    { label: '`accepted`', move: says('accepted') },
    { label: '`rejected`', move: says('rejected') },
    {
      label: 'any, of a call without a name',
      way: (state) => nameless(state),
      move: says('ringing'),
    },
  ],
  dial: [
    { label: 'to ask first', kind: 'agent', move: dials('agent', { ask: ASK }) },
    { label: 'for an agent', kind: 'agent', move: dials('agent') },
    { label: 'for an agent, by that agent', kind: 'agent', move: dials('agent', { claim: CLAIM }) },
    { label: 'for an AI agent or a room', kind: 'room', move: dials('room') },
    { label: 'for one of those, no relay has room', kind: 'room', move: dials('room'), free: null },
  ],
  permission: [
    { label: 'granted', move: permits(true) },
    { label: 'granted, to that agent', kind: 'own', move: permits(true) },
    { label: 'granted, for an AI agent or a room', kind: 'room', move: permits(true) },
    {
      label: 'granted for one of those, no relay has room',
      kind: 'room',
      move: permits(true),
      free: null,
    },
    { label: 'declined', move: permits(false) },
  ],
  claim: [
    { label: 'by an agent it is for', move: claims() },
    { label: 'by another agent', only: 'outbound', move: claims('a2') },
  ],
  end: [{ label: '', move: hangUp }],
  audio: [
    { label: '`hold`', move: steers({ action: 'hold' }) },
    { label: '`unhold`, on hold', way: after('hold'), move: steers({ action: 'unhold' }) },
    { label: '`play`', move: steers(PROMPT) },
    {
      label: '`stop-playing`, while a prompt plays',
      way: { last: [steers(PROMPT)] },
      move: steers({ action: 'stop-playing' }),
    },
    { label: '`record`', move: steers({ action: 'record' }) },
    {
      label: '`pause-recording`, while it is recorded',
      way: after('record'),
      move: steers({ action: 'pause-recording' }),
    },
    {
      label: '`resume-recording`, in a pause',
      way: after('record', 'pause-recording'),
      move: steers({ action: 'resume-recording' }),
    },
    {
      label: '`stop-recording`, while it is recorded',
      way: after('record'),
      move: steers({ action: 'stop-recording' }),
    },
  ],
  recording: [{ label: '', move: brings }],
  remark: [
    { label: 'a note', move: remarks({ note: 'n' }) },
    { label: 'tags', move: remarks({ tags: ['t'] }) },
    { label: 'a disposition', move: remarks({ disposition: 'd' }) },
  ],
  'relay.answered': [{ label: '', move: relay({ type: 'relay.answered', sdp: 'answer' }) }],
  'relay.offered': [{ label: '', move: relay({ type: 'relay.offered', sdp: 'offer' }) }],
  'relay.media-up': [{ label: '', move: relay({ type: 'relay.media-up' }) }],
  'relay.room-joined': [{ label: '', way: { last: [away] }, move: joins }],
  'relay.room-away': [{ label: '', move: away }],
  'relay.participant-joined': [
    { label: '', move: relay({ type: 'relay.participant-joined', identity: 'guest' }) },
    {
      label: 'the agent, within the grace',
      way: inGrace('left'),
      move: relay({ type: 'relay.participant-joined', identity: BEA }),
    },
    {
      label: 'somebody whose claim was taken back',
      only: 'inbound',
      way: { at: { ringing: [claims('a2'), tick] } },
      move: relay({ type: 'relay.participant-joined', identity: 'agent-a2' }),
    },
  ],
  'relay.played': [
    { label: '', way: { last: [steers(PROMPT)] }, move: played(true) },
    {
      label: 'not to its end, of what announces the recording',
      way: { policy: { recording: { announcement: 'p1' } } },
      move: played(false),
    },
  ],
  'relay.recording-failed': [
    {
      label: '',
      way: { last: [steers({ action: 'record' })] },
      move: relay({ type: 'relay.recording-failed' }),
    },
  ],
  'relay.digit': [{ label: '', move: relay({ type: 'relay.digit', digit: '5' }) }],
  'relay.publisher-skipped': [
    { label: '', move: relay({ type: 'relay.publisher-skipped', identity: 'guest' }) },
  ],
  'relay.ready': [
    { label: 'the agent', move: ready(BEA) },
    { label: 'somebody else', move: ready('agent-a2') },
    { label: 'the AI agent', kind: 'ai', move: ready(BOT, 'concierge') },
    { label: 'another AI agent, before it', kind: 'ai', move: ready('bot-2', 'other') },
    {
      label: 'another AI agent, after it',
      kind: 'ai',
      way: botHasCall,
      move: ready('bot-2', 'other'),
    },
    { label: 'anybody, within the grace', way: inGrace('left'), move: ready('agent-a2') },
  ],
  'relay.participant-left': [
    { label: 'the agent', way: agentHeard, move: leaves(BEA, 'left') },
    { label: 'the agent, `removed`', way: agentHeard, move: leaves(BEA, 'removed') },
    { label: 'the agent, `lost`', way: agentHeard, move: leaves(BEA, 'lost') },
    { label: 'the agent, another one is heard', way: twoHeard, move: leaves(BEA, 'left') },
    { label: 'somebody who was not heard', move: leaves('guest', 'left') },
    { label: 'the AI agent', kind: 'ai', way: botHasCall, move: leaves(BOT, 'left') },
    { label: 'the AI agent, `removed`', kind: 'ai', way: botHasCall, move: leaves(BOT, 'removed') },
    { label: 'the AI agent, `lost`', kind: 'ai', way: botHasCall, move: leaves(BOT, 'lost') },
    {
      label: 'the AI agent, another one is heard',
      kind: 'ai',
      way: botAmongOthers,
      move: leaves(BOT, 'left'),
    },
    {
      label: 'the AI agent of an older relay',
      kind: 'ai',
      way: botHeard,
      move: leaves(BOT, 'left'),
    },
  ],
  'relay.lost': [
    { label: '', move: lost },
    { label: 'no other has room', way: unseen, move: lost, free: null },
  ],
  'relay.silent': [
    { label: 'in the room', way: { last: [joins] }, move: silent },
    { label: 'out of the room', way: { last: [away] }, move: silent },
    { label: 'out of the room, no other has room', way: unseen, move: silent, free: null },
  ],
  'relay.back': [{ label: '', way: unheard, move: () => ({ type: 'relay.back' }) }],
};

const mediaEnd = (reason: MediaEndReason): EventCase[] => [
  { label: `\`${reason}\``, move: mediaEnds(reason) },
  { label: `\`${reason}\`, no other has room`, way: unseen, move: mediaEnds(reason), free: null },
];

/** The cases of `relay.ended`. */
export const MEDIA_ENDS: Record<MediaEndReason, readonly EventCase[]> = {
  closed: mediaEnd('closed'),
  internal: [
    ...mediaEnd('internal'),
    {
      label: '`internal`, of a call without a name',
      only: 'outbound',
      way: (state) => nameless(state),
      move: mediaEnds('internal'),
    },
  ],
  'no-capacity': mediaEnd('no-capacity'),
  'media-failed': mediaEnd('media-failed'),
  'media-lost': mediaEnd('media-lost'),
  'unusable-offer': mediaEnd('unusable-offer'),
  'unusable-answer': mediaEnd('unusable-answer'),
  'room-failed': mediaEnd('room-failed'),
  'room-lost': mediaEnd('room-lost'),
  'room-deleted': mediaEnd('room-deleted'),
  'removed-from-room': mediaEnd('removed-from-room'),
};
