// Whom a transfer, a consultation or an invitation looks for, and why nobody can be had. Pure.
import type { Call } from './call.ts';
import type { Desk } from './desk.ts';
import type { Search } from './flow.ts';
import { presenceOf } from './roster.ts';
import type { Step } from './rules.ts';
import { talkersOf, type Colleague, type Refusal, type TransferTo } from './people.ts';
import { ringSearch } from './step-flow.ts';
import { ringNext } from './step-search.ts';

/** How long colleagues are rung in all, in s, and each of a team. */
const RING_S = 30;
const EACH_S = 15;

type RingStep = Extract<Step, { ring: unknown }>;

const ringOf = (to: Colleague): RingStep => ({
  ring: {
    ...(to.kind === 'agent' ? { agents: [to.agentId] } : { team: to.team }),
    strategy: to.kind === 'agent' ? 'all' : 'longest-idle',
    seconds: RING_S,
    each_s: EACH_S,
    skills: [],
  },
});

/** How long an AI agent may take to be heard, in s. */
const AI_S = 8;

/** The step that looks for whoever is to have the call. */
export const stepTo = (to: TransferTo): Step =>
  to.kind === 'ai' ? { ai: { name: to.name, metadata: to.metadata, seconds: AI_S } } : ringOf(to);

/** Whoever is rung at first for a colleague. */
export function searchFor(call: Call, to: Colleague, desk: Desk, nowMs: number): Search {
  const search = ringSearch(ringOf(to).ring, nowMs);
  return ringNext(call, search, desk, nowMs);
}

/** @returns null when somebody can be had; of an AI agent nobody knows that before it was sent for */
export function nobodyFor(call: Call, to: TransferTo, desk: Desk, nowMs: number): Refusal | null {
  if (to.kind === 'ai') return null;
  if (to.kind === 'team') {
    if (!desk.members.some(({ teams }) => teams.includes(to.team)))
      return { reason: 'no-such-team' };
    const isAnybodyRung = searchFor(call, to, desk, nowMs).rung.length > 0;
    return isAnybodyRung ? null : { reason: 'nobody-available' };
  }
  const member = desk.members.find(({ id }) => id === to.agentId);
  if (!member) return { reason: 'no-such-agent' };
  if (call.claim?.agentId === to.agentId) return { reason: 'same-agent' };
  if (talkersOf(call).includes(to.agentId)) return { reason: 'already-there' };
  if (searchFor(call, to, desk, nowMs).rung.length > 0) return null;
  const presence = presenceOf(member, 0, nowMs);
  // Free by themselves, so other calls keep them busy.
  return { reason: 'not-available', presence: presence === 'available' ? 'busy' : presence };
}

/** In words for the timeline. */
export const describeTo = (to: TransferTo): string => {
  switch (to.kind) {
    case 'agent':
      return to.agentId;
    case 'team':
      return `team ${to.team}`;
    case 'ai':
      return `ai ${to.name}`;
  }
};
