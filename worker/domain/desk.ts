// What a decision on one call knows of people and of the other calls: who could be rung for it. Pure.
import type { Call } from './call.ts';
import { NO_RULES, searchOf, type Search } from './flow.ts';
import type { AgentId, CallId } from './ids.ts';
import { ringsOf, talkersOf } from './people.ts';
import type { Member } from './roster.ts';
import type { RuleSet } from './rules.ts';

export interface Desk {
  /** Those of the call, or those in force for a call that is new. */
  readonly rules: RuleSet;
  readonly version: number;
  readonly members: readonly Member[];
  /** Whether somebody could be rung now, and no call that comes first waits for them. */
  readonly isFreeFor: (search: Search, member: Member) => boolean;
  /** Teams of which somebody could take a call at once. */
  readonly availableTeams: () => ReadonlySet<string>;
  /** How many other calls wait in the queue of a team. */
  readonly queueLength: (team: string) => number;
}

export const NOBODY: Desk = {
  rules: NO_RULES,
  version: 0,
  members: [],
  isFreeFor: () => false,
  availableTeams: () => new Set(),
  queueLength: () => 0,
};

/** Whoever fits a search, whether they are free or not. */
export const fits = (search: Search, member: Member): boolean =>
  (search.team === null ? search.agents.includes(member.id) : member.teams.includes(search.team)) &&
  search.skills.every((skill) => member.skills.includes(skill));

/** One is looked for at a time, and one more at once for each who did not take the call. */
export const ringsAtOnce = ({ strategy, tried }: Search): number =>
  strategy === 'all' ? Infinity : 1 + tried.length;

/** Agents who have a part in a call or are rung for it. */
export const agentsOf = (call: Call): AgentId[] => [
  // A call of the business rings for the agent whom it is to connect.
  ...(call.target?.kind === 'agent' && call.state === 'ringing' ? [call.target.agentId] : []),
  ...talkersOf(call),
  ...ringsOf(call).map(({ agentId }) => agentId),
];

/** How many calls each agent has or is rung for; of a call that is there twice either version counts. */
export function loads(calls: Iterable<Call>, except: CallId | null = null): Map<AgentId, number> {
  const found = new Map<AgentId, Set<CallId>>();
  for (const call of calls) {
    if (call.id === except || isDone(call)) continue;
    for (const agentId of agentsOf(call))
      found.set(agentId, (found.get(agentId) ?? new Set()).add(call.id));
  }
  return new Map([...found].map(([agentId, ids]) => [agentId, ids.size]));
}

const isDone = ({ state }: Call): boolean =>
  state === 'tombstone' || state === 'ending' || state === 'ended';

/** @returns below 0 when the call of `one` comes before that of `other` */
const compareSearches = (
  one: { readonly search: Search; readonly id: string },
  other: { readonly search: Search; readonly id: string },
): number =>
  other.search.priority - one.search.priority ||
  one.search.sinceMs - other.search.sinceMs ||
  (one.id < other.id ? -1 : 1);

/** States in which a call can be taken. */
export const LOOKING: ReadonlySet<Call['state']> = new Set(['ringing', 'accepting', 'active']);

/** Calls that look for somebody and have nobody yet, in the order in which they are served. */
export function waitingCalls(calls: Iterable<Call>): { id: CallId; search: Search }[] {
  const waiting: { id: CallId; search: Search }[] = [];
  for (const { id, state, claim, flow } of calls) {
    const search = searchOf(flow);
    const isWaiting = search && !claim && !search.isForEverybody;
    if (isWaiting && LOOKING.has(state)) waiting.push({ id, search });
  }
  return waiting.toSorted(compareSearches);
}

/** Calls that look for somebody of a team and have nobody yet. */
export interface Queue {
  readonly team: string;
  readonly calls: number;
  /** Since when the one waits that has waited longest, in epoch ms. */
  readonly sinceMs: number;
}

/** @returns one entry for each team that is waited for */
export function queuesOf(calls: Iterable<Call>): Queue[] {
  const queues = new Map<string, Queue>();
  for (const { search } of waitingCalls(calls)) {
    const { team, sinceMs } = search;
    if (team === null) continue;
    const queue = queues.get(team) ?? { team, calls: 0, sinceMs };
    queues.set(team, {
      team,
      calls: queue.calls + 1,
      sinceMs: Math.min(queue.sinceMs, sinceMs),
    });
  }
  return [...queues.values()].toSorted((one, other) => (one.team < other.team ? -1 : 1));
}

/** Whether a member could be rung at all. */
export const isAtWork = (member: Member, calls: number, nowMs: number): boolean =>
  member.isConnected &&
  member.duty === 'available' &&
  member.restsUntilMs <= nowMs &&
  calls < member.capacity;

/**
 * The desk as a decision on one call sees it.
 *
 * @param calls every live call, with decisions that are being stored
 * @param replaced the calls before those decisions
 */
export function deskFor(
  id: CallId,
  calls: readonly Call[],
  members: readonly Member[],
  { rules, version }: Pick<Desk, 'rules' | 'version'>,
  nowMs: number,
  replaced: readonly Call[] = [],
): Desk {
  let busy: Map<AgentId, number> | null = null;
  let others: { id: CallId; search: Search }[] | null = null;
  return {
    rules,
    version,
    members,
    isFreeFor(search, member) {
      // Whoever a decision sets free is free once it is stored.
      busy ??= loads([...calls, ...replaced], id);
      if (!isAtWork(member, busy.get(member.id) ?? 0, nowMs)) return false;
      others ??= waitingCalls(calls.filter((call) => call.id !== id));
      return !others.some(
        (other) =>
          compareSearches(other, { id, search }) < 0 &&
          other.search.rung.length < ringsAtOnce(other.search) &&
          fits(other.search, member) &&
          !isPassedOver(other.search, member.id),
      );
    },
    availableTeams: () => availableTeams(members, calls, nowMs),
    queueLength: (team) =>
      calls.filter(
        ({ id: other, flow, claim }) =>
          other !== id &&
          !claim &&
          flow?.stage?.kind === 'queue' &&
          flow.stage.search.team === team,
      ).length,
  };
}

/** Rings for it already, or does not want the call. */
export const isPassedOver = ({ rung, tried }: Search, agentId: AgentId): boolean =>
  rung.some((ring) => ring.agentId === agentId) ||
  tried.some((ring) => ring.agentId === agentId && ring.why === 'declined');

function availableTeams(
  members: readonly Member[],
  calls: Iterable<Call>,
  nowMs: number,
): Set<string> {
  const busy = loads(calls);
  return new Set(
    members
      .filter((member) => isAtWork(member, busy.get(member.id) ?? 0, nowMs))
      .flatMap(({ teams }) => teams),
  );
}
