// What random walks of the state machine are made of: any events, in any order.
import fc from 'fast-check';
import type { CallPolicy, Placement, Target } from '../../../../../worker/domain/call.ts';
import type {
  AudioCommand,
  CallEvent,
  Dial,
  MediaEndReason,
  Offer,
  Termination,
} from '../../../../../worker/domain/call-event.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../../worker/domain/ids.ts';
import type { JobResult } from '../../../../../worker/domain/job.ts';
import { NO_FACTS } from '../../../../support/no-facts.ts';

export const NOW = Date.UTC(2026, 9, 1);
/** One turn of a walk: what happens, how long after the one before, and where media could go then. */
export interface Turn {
  readonly event:
    CallEvent | { readonly type: 'reply'; readonly which: number; readonly result: JobResult };
  readonly waitMs: number;
  readonly free: Placement | null;
}

export interface Walk {
  readonly first: CallEvent;
  /** It goes the usual way first, up to where people talk. */
  readonly isConnected: boolean;
  readonly turns: readonly Turn[];
}

const base = {
  id: 'c1' as CallId,
  numberId: 'n1' as NumberId,
  displayPhoneNumber: '15550109999',
  caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
};
export const relay = (name: string): Placement => ({
  relayId: name as RelayId,
  instance: `${name}-1`,
  lastSeq: 0,
});
export const claimOf = (agent: string) => ({
  agentId: agent as AgentId,
  agentName: agent,
  identity: `agent-${agent}`,
  atMs: NOW,
});

const policy: fc.Arbitrary<CallPolicy> = fc.record({
  hasFallbackText: fc.boolean(),
  isLeftToVoicemail: fc.boolean(),
  recording: fc.constantFrom(null, { announcement: null }, { announcement: 'p1' }),
});
const offer: fc.Arbitrary<Offer> = fc.record({
  ...constants({
    ...base,
    providerCallId: 'w1',
    payload: null,
    routing: NO_FACTS,
    sdp: 'v=0',
    answerLimitMs: 30_000,
  }),
  policy,
  offeredAtMs: fc.constantFrom(NOW, NOW - 20_000, NOW - 40_000),
});
const target: fc.Arbitrary<Target> = fc.constantFrom<Target>(
  { kind: 'agent', agentId: 'a1' as AgentId },
  { kind: 'ai', name: 'ai', metadata: '' },
  { kind: 'room' },
);
const dial: fc.Arbitrary<Dial> = fc.record({
  ...constants({ ...base, ringMs: 30_000 }),
  target,
  claim: fc.constantFrom(null, claimOf('a1')),
  policy,
  ask: fc.constantFrom(null, null, { wording: { text: null }, waitMs: 60_000 }),
});
const termination: fc.Arbitrary<Termination> = fc.record({
  ...constants({ ...base, atMs: NOW }),
  providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
  wasPickedUp: fc.boolean(),
  error: fc.constantFrom(undefined, undefined, '138021: no media'),
});

const replies = fc.constantFrom<JobResult>(
  { ok: true },
  { ok: true, providerCallId: 'w1' },
  { ok: true, already: true },
  { ok: false, kind: 'refused', message: 'no', code: 138006 },
  { ok: false, kind: 'unavailable', message: 'busy', status: 429 },
  { ok: false, kind: 'unsure', message: 'no reply in time' },
);
const identity = fc.constantFrom('agent-a1', 'agent-a1', 'agent-a2', 'ai-1');
const seq = fc.integer({ min: 1, max: 60 });
const endReasons: MediaEndReason[] = [
  'closed',
  'no-capacity',
  'media-failed',
  'media-lost',
  'room-lost',
];

const command: fc.Arbitrary<AudioCommand> = fc.oneof(
  fc.record({
    action: fc.constantFrom(
      'hold',
      'unhold',
      'stop-playing',
      'record',
      'pause-recording',
      'resume-recording',
      'stop-recording',
    ),
  }),
  fc.record({
    action: fc.constant('play'),
    promptId: fc.constantFrom('p1', 'p2'),
    isLoop: fc.boolean(),
  }),
);

const event: fc.Arbitrary<Turn['event']> = fc.oneof(
  { weight: 12, arbitrary: reply() },
  fc.record({ type: fc.constant('terminate'), termination }),
  fc.record({ type: fc.constant('relay.answered'), seq, sdp: fc.constant('ours') }),
  fc.record({ type: fc.constant('relay.offered'), seq, sdp: fc.constant('ours') }),
  fc.record({
    type: fc.constantFrom('relay.media-up', 'relay.room-joined', 'relay.room-away'),
    seq,
  }),
  fc.record({ type: fc.constantFrom('relay.ready', 'relay.participant-joined'), seq, identity }),
  fc.record({
    type: fc.constant('relay.participant-left'),
    seq,
    identity,
    why: fc.constantFrom('left', 'lost', 'removed'),
  }),
  fc.record({
    type: fc.constant('relay.ended'),
    seq,
    reason: fc.constantFrom(...endReasons),
    quality: fc.constant(null),
  }),
  fc.record({
    type: fc.constantFrom('relay.lost', 'relay.silent'),
    instance: fc.constantFrom('r1-1', 'r2-1'),
  }),
  fc.constant<CallEvent>({ type: 'relay.back' }),
  fc.constantFrom('a1', 'a2').map((agent) => ({ type: 'claim' as const, claim: claimOf(agent) })),
  fc.boolean().map((isGranted) => ({ type: 'permission' as const, isGranted })),
  fc.record({
    type: fc.constant('answer'),
    providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
    sdp: fc.constant('theirs'),
  }),
  fc.record({
    type: fc.constant('status'),
    providerCallId: fc.constantFrom('w1', 'w1', 'w2'),
    status: fc.constantFrom('ringing', 'accepted', 'rejected'),
    atMs: fc.constant(NOW),
  }),
  fc.constant<CallEvent>({ type: 'end', actor: { kind: 'api', id: 'x' } }),
  command.map((audio) => ({
    type: 'audio' as const,
    command: audio,
    actor: { kind: 'api' as const, id: 'x' },
  })),
  fc.record({
    type: fc.constant('relay.played'),
    seq,
    playId: fc.nat(40),
    isComplete: fc.boolean(),
  }),
  fc.record({ type: fc.constant('relay.digit'), seq, digit: fc.constant('5') }),
  fc.record({ type: fc.constant('relay.recording-failed'), seq }),
  fc.constant<CallEvent>({
    type: 'recording',
    recording: { durationMs: 1, bytes: 1, sha256: 'a1', expiresAt: null },
  }),
  { weight: 3, arbitrary: fc.constant<CallEvent>({ type: 'tick' }) },
  offer.map((known) => ({ type: 'offer' as const, offer: known })),
);

export const anyWalk: fc.Arbitrary<Walk> = fc.record({
  first: fc.oneof(
    offer.map((announced) => ({ type: 'offer' as const, offer: announced })),
    dial.map((wanted) => ({ type: 'dial' as const, dial: wanted })),
    fc.record({ type: fc.constant('terminate'), termination }),
  ),
  isConnected: fc.boolean(),
  turns: fc.array(
    fc.record({
      event,
      waitMs: fc.oneof(fc.nat(400), fc.nat(400), fc.nat(9_000)),
      free: fc.constantFrom(null, relay('r1'), relay('r1'), relay('r2')),
    }),
    { maxLength: 50, size: 'max' },
  ),
});

function reply(): fc.Arbitrary<Turn['event']> {
  return fc.record({ type: fc.constant('reply'), which: fc.nat(3), result: replies });
}

function constants<T extends object>(values: T): { [K in keyof T]: fc.Arbitrary<T[K]> } {
  const entries = Object.entries(values).map(([key, value]) => [key, fc.constant(value)]);
  // One arbitrary for each member, which is what makes the cast sound.
  return Object.fromEntries(entries) as { [K in keyof T]: fc.Arbitrary<T[K]> };
}
