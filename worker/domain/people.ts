// Who is in a call besides the caller and the agent who has it, and whom the caller hears of them. Pure.
//
// Glossary
//   party      somebody who was given a seat in the room: a colleague, or a supervisor
//   consulted  a colleague with whom the agent speaks while the caller is on hold
//   added      a colleague who speaks with the caller, too
//   asked      a colleague is looked for: rung, and not there yet
import type { Call, Claim } from './call.ts';
import type { Rung, Search } from './flow.ts';
import { searchOf } from './flow.ts';
import type { AgentId } from './ids.ts';
import type { Presence } from './roster.ts';

/** `monitor`: hears everybody. `whisper`: is heard by agents as well. `barge`: by the caller, too. */
export const SUPERVISION_MODES = ['monitor', 'whisper', 'barge'] as const;
export type SupervisionMode = (typeof SUPERVISION_MODES)[number];

export interface Party {
  readonly identity: string;
  readonly agentId: AgentId;
  readonly name: string;
  readonly part: 'consulted' | 'added' | 'supervisor';
  /** Of supervisors. */
  readonly mode: SupervisionMode | null;
  /** The relay has seen them in the room. Whoever only listens is hidden there and never seen. */
  readonly isThere: boolean;
  /** Their seat is given up then, unless they are there, in epoch ms. */
  readonly dueAtMs: number | null;
}

/** A colleague is looked for. */
export interface Asked {
  readonly part: 'consulted' | 'added';
  readonly search: Search;
}

/** Somebody hands the call over, until somebody has taken it. */
export interface Transfer {
  /** Who had the call and gets it back if nobody takes it; null for an AI agent, and for an agent who has left. */
  readonly from: Claim | null;
}

export interface People {
  readonly parties: readonly Party[];
  readonly asked: Asked | null;
  readonly transfer: Transfer | null;
  /** What whoever handed the call over last says of it. */
  readonly summary: string | null;
}

export const NOBODY_ELSE: People = { parties: [], asked: null, transfer: null, summary: null };

/** A colleague, or somebody of a team. */
export type Colleague =
  | { readonly kind: 'agent'; readonly agentId: AgentId }
  | { readonly kind: 'team'; readonly team: string };

/** Who is to have the call. */
export type TransferTo =
  Colleague | { readonly kind: 'ai'; readonly name: string; readonly metadata: string };

/** What people do to each other in a connected call. */
export type PartyCommand =
  /** The transfer that is under way is taken back. */
  | { readonly action: 'cancel-transfer' }
  /** The caller is put on hold, and the colleague is rung. */
  | { readonly action: 'consult'; readonly to: Colleague }
  /** All three talk; the agent leaves; the colleague leaves. */
  | { readonly action: 'merge' | 'complete' | 'cancel-consult' }
  | { readonly action: 'invite'; readonly to: Colleague }
  | { readonly action: 'remove'; readonly identity: string }
  /** `who`: the supervisor, with the identity that they have in the room. */
  | { readonly action: 'supervise'; readonly who: Claim; readonly mode: SupervisionMode };

/** Why a command is not carried out; the call is undisturbed. */
export const REFUSAL_REASONS = [
  'not-connected',
  'nobody-has-it',
  'under-way',
  'consulting',
  'no-transfer',
  'no-consultation',
  'not-there-yet',
  'no-such-agent',
  'no-such-team',
  'same-agent',
  'already-there',
  'has-the-call',
  'not-in-call',
  'not-available',
  'nobody-available',
  'too-many',
  'too-many-notes',
] as const;
export interface Refusal {
  readonly reason: (typeof REFUSAL_REASONS)[number];
  /** Of an agent who is not available. */
  readonly presence?: Presence;
}

export const partyOf = ({ people }: Call, identity: string): Party | undefined =>
  people.parties.find((party) => party.identity === identity);

export const consultedIn = ({ people }: Call): Party | undefined =>
  people.parties.find(({ part }) => part === 'consulted');

/** An agent and a colleague speak about the caller, who is on hold for as long as that lasts. */
export const isConsulting = (call: Call): boolean =>
  call.people.asked?.part === 'consulted' || consultedIn(call) !== undefined;

/** The transfer that is under way; none once somebody speaks with the caller. */
export const transferIn = ({ flow, people }: Call): Transfer | null =>
  flow?.stage ? people.transfer : null;

/** What the AI agent that has the call is told of the transfer that it has asked for. */
export function handOverOf(call: Call): 'ringing' | 'failed' | null {
  if (!call.ai || !call.people.transfer) return null;
  return transferIn(call) ? 'ringing' : 'failed';
}

/** The caller hears them. */
export const isAudible = ({ part, mode }: Party): boolean =>
  part === 'added' || (part === 'supervisor' && mode === 'barge');

/** Whom the caller hears by name, and whom not whatever their role. */
export function audienceOf(call: Call): { named: string[]; excluded: string[] } {
  const { claim, ai, excluded, people } = call;
  const named = people.parties.filter(isAudible).map(({ identity }) => identity);
  const silent = people.parties
    .filter((party) => !isAudible(party))
    .map(({ identity }) => identity);
  return {
    // Once an AI agent has the call, no other is heard in its place.
    named: [...(ai ? [ai.identity] : []), ...(claim?.isNamed ? [claim.identity] : []), ...named],
    excluded: [...new Set([...excluded, ...silent])],
  };
}

/** Nobody hears this participant on the caller's side, and nothing that is still reported of them changes that. */
export const isSilenced = (call: Call, identity: string): boolean =>
  audienceOf(call).excluded.includes(identity);

/** Whoever is heard without a seat of ours: AI agents. */
export const strangersIn = ({ heard, claim, people }: Call): string[] =>
  heard.filter(
    (identity) =>
      identity !== claim?.identity && !people.parties.some((party) => party.identity === identity),
  );

/** Who gets the call when whoever has it is gone: whoever speaks with the caller, colleagues first. */
export const heirOf = ({ people, heard }: Call): Party | undefined =>
  people.parties
    .filter((party) => isAudible(party) && heard.includes(party.identity))
    .toSorted((one, other) => Number(one.part !== 'added') - Number(other.part !== 'added'))[0];

/** Everybody whose client rings for the call. */
export const ringsOf = ({ flow, people }: Call): readonly Rung[] => [
  ...(searchOf(flow)?.rung ?? []),
  ...(people.asked?.search.rung ?? []),
];

/** Agents who speak with somebody in the call, or get it back if nobody takes it. */
export function talkersOf(call: Call): AgentId[] {
  const colleagues = call.people.parties.filter(({ part }) => part !== 'supervisor');
  return [call.claim, call.ai, transferIn(call)?.from ?? null, ...colleagues].flatMap(
    (who) => who?.agentId ?? [],
  );
}

/** Has a part in the call already and is not rung for it, unless they are asked for by name. */
export const isTakingPart = (call: Call, { agents }: Search, agentId: AgentId): boolean =>
  !agents.includes(agentId) && talkersOf(call).includes(agentId);
