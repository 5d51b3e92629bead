// Decisions about AI agents: they are sent for, take the call by being ready, and leave it. Who was sent for follows from the
// call (`awaitedOf`), so every way out of a step takes back whoever came too late. Pure.
import { isAwaitingTarget, isOver, type AiSeat, type Call } from './call.ts';
import type { CallEvent } from './call-event.ts';
import { dispatchJob, ending, without, type Answer, type Change, type NewJob } from './change.ts';
import { LOOKING, type Desk } from './desk.ts';
import { awaitedOf, nextStep, type Awaited } from './flow.ts';
import type { AgentId } from './ids.ts';
import { outcome } from './outcome.ts';
import type { TransferTo } from './people.ts';
import type { Step } from './rules.ts';
import { removal, withPeople } from './seats.ts';
import { advance, answered, changed, withoutStage, withSound } from './step-flow.ts';
import { onRingEnded } from './step-search.ts';
import { onHandOver } from './step-transfer.ts';

/** How long LiveKit is asked to take an AI agent back, in ms. Until then it is not heard, but may hear. */
const RECALL_MS = 10_000;
/** How long an AI agent whose connection broke may take to return, in ms, while the rule has somebody else for the caller. */
const RETURN_MS = 5_000;
/** The same while it has nobody: then the call would be over. */
const LAST_RETURN_MS = 15_000;

/**
 * Whom a decision sends for and whom it takes back.
 *
 * @returns nothing once the call is over: its room is deleted
 */
export function aiJobs(before: Call, call: Call, nowMs: number): NewJob[] {
  if (isOver(call)) return [];
  const had = namesOf(before);
  const has = namesOf(call);
  const giveUpAtMs = call.timers.each ?? call.timers.step ?? nowMs;
  const isNew = (ai: Awaited, index: number, all: readonly Awaited[]) =>
    !had.has(ai.name) && all.findIndex(({ name }) => name === ai.name) === index;
  return [
    ...[...had].filter((name) => !has.has(name)).map((name) => recall(name, nowMs)),
    ...awaitedOf(call.flow)
      .filter(isNew)
      .map((ai) => dispatchJob(ai, giveUpAtMs)),
  ];
}

/** Names of those whom the call does not want any more. */
export function recalledBy(before: Call, call: Call): readonly string[] {
  const has = namesOf(call);
  const gone = [...namesOf(before)].filter((name) => !has.has(name));
  if (gone.length === 0 && !call.recalled.some((name) => has.has(name))) return call.recalled;
  return [...new Set([...call.recalled, ...gone])].filter((name) => !has.has(name));
}

const namesOf = ({ flow, ai }: Call): Set<string> =>
  new Set([...awaitedOf(flow), ...(ai ? [ai] : [])].map(({ name }) => name));

const recall = (name: string, nowMs: number): NewJob => ({
  job: { lane: 'room', action: 'undispatch', name },
  giveUpAtMs: nowMs + RECALL_MS,
});

/** @returns null for anybody but an AI agent that comes after it was taken back: its token outlives the dispatch */
export function onAiJoined(
  call: Call,
  { identity, aiName = '' }: { readonly identity: string; readonly aiName?: string | undefined },
  nowMs: number,
): Answer {
  if (isOver(call) || aiName === '' || !call.recalled.includes(aiName)) return null;
  return {
    entry: { type: 'participant-joined', detail: { identity, late: true } },
    add: [removal(identity, nowMs)],
  };
}

/**
 * An AI agent hears and can be heard.
 *
 * @param name that it is registered by
 * @returns null when it was not sent for, or somebody else has the call already
 */
export function onAiReady(call: Call, identity: string, name: string, nowMs: number): Answer {
  const awaited = awaitedOf(call.flow).find((ai) => ai.name === name);
  if (!awaited || !LOOKING.has(call.state)) return null;
  const ai: AiSeat = { name, identity, agentId: awaited.agentId };
  // One that hands over to another.
  const others = call.heard.filter((other) => other !== identity && other !== call.ai?.identity);
  const there = withPeople({ ...call, ai, heard: [...others, identity] }, { transfer: null });
  const joined = withoutStage(there);
  const entry: Change['entry'] = { type: 'ready', detail: { identity, ai: name } };
  if (call.state === 'ringing') {
    const { call: accepting, add } = answered(joined);
    // An accept may carry the answer by itself, so a pre-accept that waits for a retry is no longer needed.
    return { patch: changed(call, accepting), entry, dropQueuedGraph: true, add };
  }
  const talkedAtMs = call.state === 'active' ? (call.talkedAtMs ?? nowMs) : call.talkedAtMs;
  return { patch: changed(call, withSound({ ...joined, talkedAtMs })), entry };
}

/** The AI agent of a call of the business takes it without any step. */
export const asTarget = (call: Call, identity: string, name: string | undefined): Partial<Call> =>
  isAwaitingTarget(call) && call.target?.kind === 'ai' && call.target.name === name
    ? { ai: { name, identity, agentId: null } }
    : {};

/** It asks for somebody else, who is rung while it goes on with the caller. */
export function onTransferAsked(
  call: Call,
  { identity, to, summary }: Extract<CallEvent, { type: 'relay.transfer-asked' }>,
  desk: Desk,
  nowMs: number,
): Answer {
  const hasCall = call.ai?.identity === identity;
  return hasCall ? onHandOver(call, { to, summary }, identity, desk, nowMs) : null;
}

/** @param ai the step by which the AI agent came */
export function onHandOverKey(
  call: Call,
  { handover }: Extract<Step, { ai: unknown }>['ai'],
  digit: string,
  desk: Desk,
  nowMs: number,
): Answer {
  if (!call.ai || handover?.key !== digit) return null;
  const { team, agent_id: agentId } = handover.to;
  const to: TransferTo =
    team === undefined ? { kind: 'agent', agentId: agentId as AgentId } : { kind: 'team', team };
  return onHandOver(call, { to, summary: null }, 'caller', desk, nowMs);
}

/** LiveKit does not send it: whoever is next need not wait for the time to be up. */
export function onNotSent(call: Call, name: string, desk: Desk, nowMs: number): Answer {
  const awaited = awaitedOf(call.flow).find((ai) => ai.name === name);
  if (!awaited) return null;
  if (awaited.agentId === null) return advance(call, desk, nowMs, 'could not be sent for');
  // Asking again would get the same answer.
  return onRingEnded(call, awaited.agentId, 'declined', desk, nowMs);
}

/** The AI agent that has the call is gone. On purpose, it hangs up; otherwise it may return. */
export function onAiLeft(
  call: Call,
  why: 'left' | 'lost' | 'removed',
  desk: Desk,
  nowMs: number,
): Change {
  const identity = call.ai?.identity ?? '';
  const heard = call.heard.filter((other) => other !== identity);
  const detail = { identity, why };
  const isReplaced = call.flow?.stage !== null && call.flow !== null;
  if (heard.length > 0 || isReplaced) {
    // Others speak with the caller, or somebody is on the way; until then the caller hears the sound of that.
    const rest = withSound({ ...call, ai: null, heard });
    return { patch: changed(call, rest), entry: { type: 'agent-left', detail } };
  }
  if (why === 'left') return ending({ ...call, heard }, outcome('agent-left', 'agent'), nowMs);
  const graceMs = isSomebodyNext(call, desk) ? RETURN_MS : LAST_RETURN_MS;
  return {
    patch: { heard, timers: { ...call.timers, graceLost: nowMs + graceMs } },
    entry: { type: 'agent-left', detail },
  };
}

const isSomebodyNext = ({ flow }: Call, desk: Desk): boolean =>
  flow !== null && nextStep(desk.rules, flow) !== null;

/** An AI agent has not come back: its failure does not cost the call where the rule says who is next. */
export function onAiLost(call: Call, desk: Desk, nowMs: number): Answer {
  if (!call.ai || !isSomebodyNext(call, desk)) return null;
  const left = { ...call, ai: null, timers: without(call.timers, 'graceLost') };
  const change = advance(left, desk, nowMs, 'the AI agent is lost');
  return { ...change, patch: { ...changed(call, left), ...change.patch } };
}
