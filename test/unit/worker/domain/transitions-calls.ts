// Calls in every state, brought there by the real `step`: along the usual way of a call, or a variation of it.
import type {
  Call,
  CallPolicy,
  CallState,
  Placement,
  Target,
} from '../../../../worker/domain/call.ts';
import type {
  AudioCommand,
  CallEvent,
  Dial,
  MediaEndReason,
  Offer,
  Termination,
} from '../../../../worker/domain/call-event.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../worker/domain/ids.ts';
import type { Job, JobFailure, JobResult, PendingJob } from '../../../../worker/domain/job.ts';
import { dueAtMs, step } from '../../../../worker/domain/step.ts';
import { NO_FACTS } from '../../../support/no-facts.ts';
import type { Remark } from '../../../../worker/domain/step-remark.ts';

type NameOf<J> = J extends Job ? `${J['lane']}.${J['action']}` : never;
export type JobName = NameOf<Job>;
export const nameOf = ({ job }: PendingJob): JobName => `${job.lane}.${job.action}` as JobName;

export const NOW = 1_790_000_000_000;
export const BEA = 'agent-a1';
export const BOT = 'bot';
export const PLACE: Placement = { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 };
export const OTHER_PLACE: Placement = { relayId: 'r2' as RelayId, instance: 'i2', lastSeq: 0 };
const WACID = 'wacid.x';
export const CLAIM = { agentId: 'a1' as AgentId, agentName: 'Bea', identity: BEA, atMs: NOW };

const known = {
  id: 'c1' as CallId,
  numberId: 'n1' as NumberId,
  displayPhoneNumber: '15550109999',
  caller: { contactId: 'p1' as ContactId, phone: '351910000001' },
};
const policy: CallPolicy = { hasFallbackText: true, isLeftToVoicemail: false, recording: null };
const offer: Offer = {
  ...known,
  providerCallId: WACID,
  payload: null,
  routing: NO_FACTS,
  policy,
  sdp: 'offer',
  offeredAtMs: NOW,
  answerLimitMs: 30_000,
};

export const DIRECTIONS = ['inbound', 'outbound'] as const;
export type Direction = (typeof DIRECTIONS)[number];
/** `unknown`: nothing was heard of the call. */
export type Column = CallState | 'unknown';

/**
 * What kind of call it is: one of the user, without and with a voicemail that takes over; or one of the business: for an agent,
 * by that agent, for an AI agent, for a room.
 */
export const KINDS = ['inbound', 'voicemail', 'agent', 'own', 'ai', 'room'] as const;
export type Kind = (typeof KINDS)[number];

/** An event that depends on the call it happens to. */
export type Move = (call: Call | null) => CallEvent;

// ---- events ----------------------------------------------------------------------------------------------------------------

const targets: Record<Exclude<Kind, 'inbound' | 'voicemail'>, Target> = {
  agent: { kind: 'agent', agentId: CLAIM.agentId },
  own: { kind: 'agent', agentId: CLAIM.agentId },
  ai: { kind: 'ai', name: 'concierge', metadata: '' },
  room: { kind: 'room' },
};

/** A call of a number whose voicemail takes over. */
export const offersWithVoicemail = (): Move =>
  offers({ policy: { ...policy, isLeftToVoicemail: true } });

export const offers =
  (more: Partial<Offer> = {}): Move =>
  () => ({ type: 'offer', offer: { ...offer, ...more } });

export const dials =
  (kind: keyof typeof targets, more: Partial<Dial> = {}): Move =>
  () => ({
    type: 'dial',
    dial: {
      ...known,
      policy,
      target: targets[kind],
      claim: null,
      ringMs: 45_000,
      ask: null,
      ...more,
    },
  });
export const ASK: Dial['ask'] = { wording: { text: null }, waitMs: 60_000 };

export const terminates =
  (more: Partial<Termination> = {}): Move =>
  () => ({
    type: 'terminate',
    termination: { ...known, providerCallId: WACID, atMs: NOW, wasPickedUp: false, ...more },
  });

export const answers: Move = () => ({ type: 'answer', providerCallId: WACID, sdp: 'answer' });

export const says =
  (status: 'ringing' | 'accepted' | 'rejected'): Move =>
  () => ({ type: 'status', providerCallId: WACID, status, atMs: NOW });

type Unnumbered<T> = T extends { readonly seq: number } ? Omit<T, 'seq'> : never;
/** An event of the relay that the call has not seen yet. */
export const relay =
  (event: Unnumbered<CallEvent>): Move =>
  (call) => ({ ...event, seq: (call?.placement?.lastSeq ?? 0) + 1 });

export const ready = (identity: string, aiName?: string): Move =>
  relay({ type: 'relay.ready', identity, aiName });
export const leaves = (identity: string, why: 'left' | 'lost' | 'removed'): Move =>
  relay({ type: 'relay.participant-left', identity, why });
export const joins = relay({ type: 'relay.room-joined' });
export const away = relay({ type: 'relay.room-away' });
const heard = { packets: 500, lost: 0, jitter_ms: 1, filled: 0 };
export const mediaEnds = (reason: MediaEndReason): Move =>
  relay({ type: 'relay.ended', reason, quality: { from_caller: heard, to_caller: heard } });
export const lost: Move = (call) => ({ type: 'relay.lost', instance: instanceOf(call) });
export const silent: Move = (call) => ({ type: 'relay.silent', instance: instanceOf(call) });
const instanceOf = (call: Call | null): string => call?.placement?.instance ?? PLACE.instance;

export const claims =
  (agent = CLAIM.agentId as string): Move =>
  () => ({
    type: 'claim',
    claim: { ...CLAIM, agentId: agent as AgentId, identity: `agent-${agent}` },
  });
export const hangUp: Move = () => ({ type: 'end', actor: { kind: 'api', id: 'x' } });
export const permits =
  (isGranted: boolean): Move =>
  () => ({ type: 'permission', isGranted });
export const steers =
  (command: AudioCommand): Move =>
  () => ({ type: 'audio', command, actor: { kind: 'api', id: 'x' } });
export const PROMPT: AudioCommand = { action: 'play', promptId: 'p1', isLoop: false };
export const played =
  (isComplete: boolean): Move =>
  (call) => {
    const playId = call?.audio.playing?.id ?? 0;
    return relay({ type: 'relay.played', playId, isComplete })(call);
  };
export const brings: Move = () => ({
  type: 'recording',
  recording: { durationMs: 1, bytes: 1, sha256: 'a1', expiresAt: null },
});
export const remarks =
  (remark: Remark): Move =>
  () => ({ type: 'remark', remark, actor: { kind: 'api', id: 'x' } });
export const tick: Move = () => ({ type: 'tick' });

/** The job of this name that is under way. */
export const running = (call: Call | null, name: JobName): PendingJob | undefined =>
  call?.pending.find((entry) => entry.leaseUntilMs !== null && nameOf(entry) === name);

/** The reply to a job that is under way. */
export const replies =
  (name: JobName, result: JobResult = successOf(name)): Move =>
  (call) => ({ type: 'job', jobId: running(call, name)?.id ?? 0, result });

export const successOf = (name: JobName): JobResult =>
  name === 'graph.connect' ? { ok: true, providerCallId: WACID } : { ok: true };

export const failure = (kind: JobFailure['kind']): JobFailure => ({
  ok: false,
  kind,
  message: kind,
});
export const fails = (name: JobName, kind: JobFailure['kind']): Move =>
  replies(name, failure(kind));

// ---- calls -----------------------------------------------------------------------------------------------------------------

/** How a call comes into a state; what is not said is as usual. */
export interface Way {
  /** Settings of the number that are not as usual. */
  readonly policy?: Partial<CallPolicy>;
  /** What happens when the call gets to a state for the first time, before it goes on. */
  readonly at?: Partial<Record<CallState, readonly Move[]>>;
  /** Jobs to which no reply comes. */
  readonly hold?: readonly JobName[];
  /** The state in which the call is ended; `active` if nothing is said. */
  readonly endsFrom?: CallState;
  readonly endsBy?: Move;
  /** Once it is ended by us, only time passes until the end is final. */
  readonly isPatient?: boolean;
  /** What happens last; to jobs that this starts no reply comes. */
  readonly last?: readonly Move[];
}

/** A call, and the time that it took to get there. */
export interface Scene {
  readonly call: Call | null;
  readonly nowMs: number;
}

/** The usual way out of each state. */
const inboundWay: Partial<Record<CallState, readonly Move[]>> = {
  offered: [relay({ type: 'relay.answered', sdp: 'answer' })],
  preparing: [replies('graph.pre_accept')],
  ringing: [claims()],
  claimed: [ready(BEA)],
  accepting: [replies('graph.accept')],
};
const outboundWay: Partial<Record<CallState, readonly Move[]>> = {
  asking: [permits(true)],
  ringing: [claims()],
  claimed: [replies('room.await')],
  offering: [relay({ type: 'relay.offered', sdp: 'offer' })],
  dialling: [answers, says('ringing'), says('accepted')],
};
/** Jobs whose reply is a step of the usual way, or would end a state at once. */
const ON_THE_WAY: readonly JobName[] = [
  'graph.pre_accept',
  'graph.accept',
  'room.await',
  'graph.reject',
  'graph.terminate',
];

export const isInbound = (kind: Kind): boolean => kind === 'inbound' || kind === 'voicemail';

/** @returns undefined when this way does not lead to that state */
export function callIn(state: Column, kind: Kind, way: Way = {}): Scene | undefined {
  const player = new Player(way.hold ?? []);
  if (state === 'unknown') return player.scene;
  if (state === 'tombstone') player.apply(terminates());
  else player.apply(firstMove(kind, way.policy));
  if (state === 'ending' || state === 'ended') {
    player.walk(way.endsFrom ?? 'active', way.at ?? {});
    player.apply(way.endsBy ?? (state === 'ending' ? hangUp : terminates()));
    if (way.isPatient) player.wait();
  } else {
    player.walk(state, way.at ?? {});
  }
  for (const move of way.last ?? []) player.apply(move, false);
  const { call } = player.scene;
  const isThere = call?.state === state && (call.direction === 'inbound') === isInbound(kind);
  return isThere ? player.scene : undefined;
}

function firstMove(kind: Kind, more: Partial<CallPolicy> = {}): Move {
  const own = { ...policy, isLeftToVoicemail: kind === 'voicemail', ...more };
  if (kind === 'inbound' || kind === 'voicemail') return offers({ policy: own });
  return dials(kind, { ask: ASK, claim: kind === 'own' ? CLAIM : null, policy: own });
}

class Player {
  scene: Scene = { call: null, nowMs: NOW };
  readonly #hold: ReadonlySet<JobName>;

  constructor(hold: readonly JobName[]) {
    this.#hold = new Set([...ON_THE_WAY, ...hold]);
  }

  /** Goes the usual way until the call is in that state, or goes no further. */
  walk(to: CallState, at: NonNullable<Way['at']>): void {
    const seen = new Set<CallState>();
    for (;;) {
      const before = this.scene.call;
      if (!before) return;
      const { state, direction } = before;
      if (!seen.has(state)) {
        seen.add(state);
        // A user's call joins its room while it rings, a call of the business at the pickup.
        const joinsIn = direction === 'inbound' ? 'ringing' : 'active';
        if (state === joinsIn && before.isRoomCreated) this.apply(joins);
        for (const move of at[state] ?? []) this.apply(move);
        if (this.scene.call !== before) continue;
      }
      if (state === to) return;
      const on = (direction === 'inbound' ? inboundWay : outboundWay)[state] ?? [];
      for (const move of on) this.apply(move);
      if (this.scene.call === before) return;
    }
  }

  /** Lets time pass until the call is ended, or waits for nothing more. */
  wait(): void {
    const isWaiting = ({ call }: Scene): boolean =>
      call !== null && call.state !== 'ended' && dueAtMs(call) !== Infinity;
    while (isWaiting(this.scene)) this.apply(tick);
  }

  apply(move: Move, isReplied = true): void {
    const { call } = this.scene;
    const event = move(call);
    const dueMs = event.type === 'tick' && call ? dueAtMs(call) : 0;
    const nowMs = Math.max(this.scene.nowMs, dueMs);
    const decision = step(call, event, nowMs, PLACE);
    this.scene = { call: decision.call, nowMs };
    if (!isReplied) return;
    for (const job of decision.jobs) {
      if (!this.#hold.has(nameOf(job))) this.apply(replies(nameOf(job)));
    }
  }
}
