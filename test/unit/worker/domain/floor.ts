// A contact centre without anything around it: calls, agents and a clock, every decision made by `step` with the desk that the
// Switchboard would make. Jobs succeed at once; relays do what they are told.
import type { Call } from '../../../../worker/domain/call.ts';
import type { CallEvent, Offer } from '../../../../worker/domain/call-event.ts';
import type { Decision } from '../../../../worker/domain/decision.ts';
import { agentsOf, deskFor } from '../../../../worker/domain/desk.ts';
import type {
  AgentId,
  CallId,
  ContactId,
  NumberId,
  RelayId,
} from '../../../../worker/domain/ids.ts';
import type { Refusal } from '../../../../worker/domain/people.ts';
import type { Member } from '../../../../worker/domain/roster.ts';
import { ruleSet, type RuleSet } from '../../../../worker/domain/rules.ts';
import type { JobResult } from '../../../../worker/domain/job.ts';
import { dueAtMs, step } from '../../../../worker/domain/step.ts';
import { NO_POLICY } from '../../../../worker/domain/step-inbound.ts';
import { NO_FACTS } from '../../../support/no-facts.ts';

export const START_MS = 1_790_000_000_000;

/** What of the calls does not go as usual. */
export interface FloorOptions {
  readonly flows?: Readonly<Record<string, readonly object[]>>;
  /** Jobs to which no reply comes, such as `graph.accept`. */
  readonly holds?: readonly string[];
  /** Replies of jobs that do not simply succeed. */
  readonly replies?: Readonly<Record<string, JobResult>>;
}

export type MemberOptions = Partial<Omit<Member, 'id'>> & { readonly id: string };

const placement = { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 };

export class Floor {
  nowMs = START_MS;
  readonly rules: RuleSet;
  readonly calls = new Map<CallId, Call>();
  readonly members = new Map<AgentId, Member>();
  /** Every decision that changed a call. */
  readonly decisions: { id: CallId; decision: Decision }[] = [];

  /** The most that a call kept of steps that stand in no rule set. */
  longestOwn: NonNullable<Call['flow']>['own'] = [];
  readonly #options: FloorOptions;

  constructor(
    steps: readonly object[],
    members: readonly MemberOptions[],
    options: FloorOptions = {},
  ) {
    this.#options = options;
    this.rules = ruleSet.parse({ rules: [], otherwise: steps, flows: options.flows ?? {} });
    for (const { id, ...options } of members) {
      const member: Member = {
        id: id as AgentId,
        name: id,
        teams: ['sales'],
        skills: [],
        capacity: 1,
        ai: null,
        duty: 'available',
        isConnected: true,
        restsUntilMs: 0,
        idleSinceMs: 0,
        rungAtMs: 0,
        ...options,
      };
      this.members.set(member.id, member);
    }
  }

  call(id: string): Call {
    const call = this.calls.get(id as CallId);
    if (!call) throw new Error(`there is no call ${id}`);
    return call;
  }

  /** Who is rung for a call now. */
  rung(id: string): string[] {
    const stage = this.call(id).flow?.stage;
    return stage?.kind === 'ring' || stage?.kind === 'queue'
      ? stage.search.rung.map(({ agentId }) => agentId)
      : [];
  }

  /** @returns why a command was refused */
  apply(id: string, event: CallEvent): Refusal | null {
    const callId = id as CallId;
    const before = this.calls.get(callId) ?? null;
    const others = [...this.calls.values()];
    const set = { rules: this.rules, version: 1 };
    const desk = deskFor(callId, others, [...this.members.values()], set, this.nowMs);
    const decision = step(before, event, this.nowMs, placement, desk);
    if (!decision.call || decision.call === before) return decision.refusal ?? null;
    this.calls.set(callId, decision.call);
    this.decisions.push({ id: callId, decision });
    for (const agentId of agentsOf(decision.call)) {
      if (!before || !agentsOf(before).includes(agentId))
        this.set(agentId, { rungAtMs: this.nowMs });
    }
    const own = decision.call.flow?.own ?? [];
    if (JSON.stringify(own).length > JSON.stringify(this.longestOwn).length) this.longestOwn = own;
    const { holds = [], replies = {} } = this.#options;
    for (const { id: jobId, job } of decision.jobs) {
      const name = `${job.lane}.${job.action}`;
      const result = replies[name] ?? { ok: true };
      if (!holds.includes(name)) this.apply(id, { type: 'job', jobId, result });
    }
    return null;
  }

  set(id: string, changed: Partial<Member>): void {
    const member = this.members.get(id as AgentId);
    if (member) this.members.set(member.id, { ...member, ...changed });
  }

  /** A user calls, and the relay answers the offer. */
  ring(id: string, more: Partial<Offer> = {}): void {
    const offer: Offer = {
      id: id as CallId,
      numberId: 'n1' as NumberId,
      displayPhoneNumber: '15550109999',
      providerCallId: `wacid.${id}`,
      caller: { contactId: `contact-${id}` as ContactId },
      payload: null,
      routing: NO_FACTS,
      policy: NO_POLICY,
      sdp: 'v=0',
      offeredAtMs: this.nowMs,
      answerLimitMs: 30_000,
      ...more,
    };
    this.apply(id, { type: 'offer', offer });
    this.relay(id, { type: 'relay.answered', sdp: 'answer' });
  }

  relay(id: string, event: { type: string } & Record<string, unknown>): void {
    const seq = (this.call(id).placement?.lastSeq ?? 0) + 1;
    this.apply(id, { ...event, seq } as unknown as CallEvent);
  }

  claim(id: string, agentId: string): void {
    const claim = {
      agentId: agentId as AgentId,
      agentName: agentId,
      identity: `agent-${agentId}`,
      atMs: this.nowMs,
    };
    this.apply(id, { type: 'claim', claim });
  }

  /** An agent takes a call and is heard. */
  take(id: string, agentId: string): void {
    this.claim(id, agentId);
    this.relay(id, { type: 'relay.ready', identity: `agent-${agentId}` });
  }

  /** Somebody comes into the room. */
  joins(id: string, identity: string): void {
    this.relay(id, { type: 'relay.participant-joined', identity });
  }

  leaves(id: string, identity: string, why: 'left' | 'lost' | 'removed' = 'left'): void {
    this.relay(id, { type: 'relay.participant-left', identity, why });
  }

  decline(id: string, agentId: string, why: 'declined' | 'gone' = 'declined'): void {
    this.apply(id, { type: 'ring-ended', agentId: agentId as AgentId, why });
  }

  hangUp(id: string): void {
    this.apply(id, { type: 'end', actor: { kind: 'api', id: 'admin' } });
  }

  /** Offers waiting calls to whoever is free, in an order that should not matter. */
  offer(ids: Iterable<string> = this.calls.keys()): void {
    for (const id of Array.from(ids)) this.apply(id, { type: 'people' });
  }

  /** Lets time pass, doing what is due at its time. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (let turns = 0; turns < 10_000; turns++) {
      const due = [...this.calls.values()].toSorted((one, other) => dueAtMs(one) - dueAtMs(other));
      const [first] = due;
      if (!first || dueAtMs(first) > end) break;
      this.nowMs = Math.max(this.nowMs, dueAtMs(first));
      this.apply(first.id, { type: 'tick' });
    }
    this.nowMs = end;
  }
}
