// Decisions about who is rung for a call that looks for somebody: the stages `ring` and `queue`. Pure.
import { isOver, type Call } from './call.ts';
import { without, type Answer, type Change } from './change.ts';
import { advance } from './step-flow.ts';
import { fits, isPassedOver, ringsAtOnce, type Desk } from './desk.ts';
import { searchOf, type Flow, type Rung, type Search, type Tried } from './flow.ts';
import type { AgentId } from './ids.ts';
import { isTakingPart } from './people.ts';
import type { Member } from './roster.ts';

/** The call with another search at its present stage. */
export function withSearch(call: Call, search: Search): Partial<Call> {
  const { flow } = call;
  const stage = flow?.stage;
  if (!flow || (stage?.kind !== 'ring' && stage?.kind !== 'queue')) return {};
  const next: Flow = { ...flow, stage: { ...stage, search } };
  return { flow: next, timers: timersWith(call.timers, search) };
}

/** The first ring that is over by itself; nobody's when everybody rings until the step is over. */
function timersWith(timers: Call['timers'], { rung, eachMs }: Search): Call['timers'] {
  const rest = without(timers, 'each');
  if (rung.length === 0) return rest;
  return { ...rest, each: Math.min(...rung.map(({ atMs }) => atMs + eachMs)) };
}

/** Rings for whoever is to be rung next; the same search when that is nobody. */
export function ringNext(call: Call, search: Search, desk: Desk, nowMs: number): Search {
  if (search.isForEverybody) return search;
  const room = ringsAtOnce(search) - search.rung.length;
  if (room <= 0) return search;
  const chosen = candidates(call, search, desk).slice(0, room);
  if (chosen.length === 0) return search;
  const rung: Rung[] = chosen.map(({ id, ai }) => ({
    agentId: id,
    atMs: nowMs,
    ...(ai ? { ai } : {}),
  }));
  return { ...search, rung: [...search.rung, ...rung] };
}

/** Whoever was not rung for the call yet; when there is nobody, those who did not answer. */
function candidates(call: Call, search: Search, desk: Desk): Member[] {
  const able = desk.members.filter(
    (member) =>
      fits(search, member) &&
      !isTakingPart(call, search, member.id) &&
      !isPassedOver(search, member.id) &&
      desk.isFreeFor(search, member),
  );
  const fresh = able.filter(({ id }) => !search.tried.some(({ agentId }) => agentId === id));
  return (fresh.length > 0 ? fresh : able).toSorted(order(call, search));
}

function order(call: Call, { strategy }: Search): (one: Member, other: Member) => number {
  const last = call.caller?.lastAgentId;
  const byId = (one: Member, other: Member) => (one.id < other.id ? -1 : 1);
  const byIdle = (one: Member, other: Member) =>
    one.idleSinceMs - other.idleSinceMs || byId(one, other);
  switch (strategy) {
    case 'all':
      return byId;
    case 'longest-idle':
      return byIdle;
    case 'round-robin':
      return (one, other) => one.rungAtMs - other.rungAtMs || byId(one, other);
    case 'sticky':
      return (one, other) =>
        Number(other.id === last) - Number(one.id === last) || byIdle(one, other);
  }
}

/** The call still looks for somebody. */
const isLooking = (call: Call): boolean => !isOver(call) && !call.claim;

/** Somebody may have become free. */
export function onPeople(call: Call, desk: Desk, nowMs: number): Answer {
  const search = searchOf(call.flow);
  if (!search || !isLooking(call)) return null;
  const next = ringNext(call, search, desk, nowMs);
  return next === search ? null : rings(call, search, next);
}

/** An agent does not want the call, has no client any more that could ring, or is an AI agent that cannot be sent for. */
export function onRingEnded(
  call: Call,
  agentId: AgentId,
  why: 'declined' | 'gone',
  desk: Desk,
  nowMs: number,
): Answer {
  const search = searchOf(call.flow);
  if (!search?.rung.some((ring) => ring.agentId === agentId) || !isLooking(call)) return null;
  return tryNext(call, search, [{ agentId, why }], desk, nowMs);
}

/** Some have rung for as long as each may. */
export function onEachTimer(call: Call, desk: Desk, nowMs: number): Change {
  const search = searchOf(call.flow);
  if (!search) return { patch: { timers: without(call.timers, 'each') }, entry: { type: 'rung' } };
  const ended = search.rung
    .filter(({ atMs }) => atMs + search.eachMs <= nowMs)
    .map(({ agentId }): Tried => ({ agentId, why: 'unanswered' }));
  return tryNext(call, search, ended, desk, nowMs);
}

function tryNext(
  call: Call,
  search: Search,
  ended: readonly Tried[],
  desk: Desk,
  nowMs: number,
): Change {
  const rest = endRings(search, ended);
  const next = ringNext(call, rest, desk, nowMs);
  const [first] = ended;
  if (isHopeless(call, next)) return advance(call, desk, nowMs, 'nobody is left to ring');
  const change = rings(call, rest, next);
  return {
    ...change,
    entry: {
      type: 'ring-ended',
      detail: {
        agents: ended.map(({ agentId }) => agentId).join(' '),
        why: first?.why ?? 'unanswered',
        ...(next.rung.length > rest.rung.length ? { rung: newAgents(rest, next) } : {}),
      },
    },
  };
}

/** In a queue the call waits for somebody to become free; a ring rings, or is over. */
export const isHopeless = (call: Call, { rung, isForEverybody }: Search): boolean =>
  call.flow?.stage?.kind === 'ring' && !isForEverybody && rung.length === 0;

/** A search without rings that came to nothing, which it remembers. */
export const endRings = (search: Search, ended: readonly Tried[]): Search => ({
  ...search,
  rung: search.rung.filter(({ agentId }) => !ended.some((end) => end.agentId === agentId)),
  tried: [
    ...search.tried.filter(({ agentId }) => !ended.some((end) => end.agentId === agentId)),
    ...ended,
  ],
});

const newAgents = (before: Search, after: Search): string =>
  after.rung
    .filter(({ agentId }) => !before.rung.some((ring) => ring.agentId === agentId))
    .map(({ agentId }) => agentId)
    .join(' ');

const rings = (call: Call, before: Search, after: Search): Change => ({
  patch: withSearch(call, after),
  entry: { type: 'rung', detail: { agents: newAgents(before, after) } },
});
