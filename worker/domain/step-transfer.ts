// Decisions about handing a call over: to a colleague, a team or an AI agent. Whoever hands it over is not heard from then on, and
// gets the call back if nobody takes it; an AI agent goes on with the caller until somebody has. Pure.
import type { Call } from './call.ts';
import type { Actor, CallEvent } from './call-event.ts';
import { after, refuse, without, type Answer, type Refused } from './change.ts';
import { describeTo, nobodyFor, stepTo } from './colleague.ts';
import type { Desk } from './desk.ts';
import { searchOf, withOwn, type Flow } from './flow.ts';
import { isConsulting, strangersIn, transferIn, type Asked, type TransferTo } from './people.ts';
import { expelled, removal, withPeople } from './seats.ts';
import { advance, changed, withSound } from './step-flow.ts';
import { withSearch } from './step-search.ts';

/** Of calls that no rule has taken: they stand before no step. */
const flowOf = ({ flow }: Call, { version }: Desk): Flow =>
  flow ?? { version, rule: null, frames: [], own: [], begun: 0, stage: null };

/** Who is heard as the AI agent of a call of the business, also where nobody has told its name. */
function aiOf(call: Call): Call['ai'] {
  const { ai, target } = call;
  const [identity] = strangersIn(call);
  const isUnnamed = ai === null && target?.kind === 'ai' && identity !== undefined;
  return isUnnamed ? { name: target.name, identity, agentId: null } : ai;
}

export function onTransfer(
  call: Call,
  { to, summary, actor }: Extract<CallEvent, { type: 'transfer' }>,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  if (call.state !== 'active') return refuse('not-connected');
  if (isBusy(call)) return refuse('under-way');
  if (isConsulting(call)) return refuse('consulting');
  const isOpen = call.target?.kind === 'room' || call.heard.length === 0;
  if (!call.claim && isOpen) return refuse('nobody-has-it');
  const nobody = nobodyFor(call, to, desk, nowMs);
  if (nobody) return { refused: nobody };
  const from = call.claim;
  const steps = [stepTo(to), ...(from ? [stepTo({ kind: 'agent', agentId: from.agentId })] : [])];
  const left = from ? expelled(call, from.identity) : call;
  const leaving: Call = {
    ...withPeople(left, { transfer: { from }, summary: summary ?? left.people.summary }),
    claim: null,
    ai: aiOf(call),
    // Should an AI agent get lost, the rule says who is next.
    flow: withOwn(flowOf(call, desk), steps, from !== null),
    audio: { ...call.audio, isHeld: false },
    timers: without(left.timers, 'graceLeft', 'graceLost', 'heir', 'join'),
  };
  const change = advance(leaving, desk, nowMs, null);
  return {
    ...after(changed(call, leaving), change),
    entry: {
      type: 'transferring',
      detail: { to: describeTo(to), by: actor.id, ...(summary === null ? {} : { summary }) },
    },
    add: [...(from ? [removal(from.identity, nowMs)] : []), ...(change.add ?? [])],
  };
}

/**
 * The AI agent that has the call wants somebody else to have it.
 *
 * @param by the AI agent's identity, or the caller who pressed a key
 */
export function onHandOver(
  call: Call,
  { to, summary }: { readonly to: TransferTo; readonly summary: string | null },
  by: string,
  desk: Desk,
  nowMs: number,
): Answer {
  const actor = { kind: 'agent', id: by } as const;
  const answer = onTransfer(call, { type: 'transfer', to, summary, actor }, desk, nowMs);
  if (!answer || !('refused' in answer)) return answer;
  const failed = transferIn(call) ? call : withPeople(call, { transfer: { from: null } });
  return {
    patch: changed(call, failed),
    entry: {
      type: 'transfer-failed',
      detail: { to: describeTo(to), by, why: answer.refused.reason },
    },
    // The agent waits for a word, also when it has heard the same one before.
    messages: ['want'],
  };
}

/** Somebody is looked for already, or has taken the call and is not heard yet. */
export const isBusy = ({ flow, timers }: Call): boolean =>
  (flow?.stage ?? null) !== null || timers.claim !== undefined;

/** Back to whoever handed the call over, who is rung next. */
export function onTransferCancel(
  call: Call,
  actor: Actor,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  const transfer = transferIn(call);
  const isLeftAlone = !transfer?.from && call.heard.length === 0;
  if (call.state !== 'active' || !transfer || isLeftAlone) return refuse('no-transfer');
  if (call.claim) return refuse('under-way');
  const back = transfer.from?.agentId;
  if (back !== undefined && searchOf(call.flow)?.agents.includes(back)) return null;
  const change = advance(call, desk, nowMs, 'cancelled');
  if (change.patch?.outcome) return change;
  return { ...change, entry: { type: 'transfer-cancelled', detail: { by: actor.id } } };
}

/**
 * Whoever consulted a colleague has left while the colleague was still rung: that hands the call over.
 *
 * @param to whom they had asked for
 */
export function toTransfer(call: Call, { search }: Asked, desk: Desk): Call {
  const to: TransferTo =
    search.team === null
      ? { kind: 'agent', agentId: search.agents[0] ?? ('' as never) }
      : { kind: 'team', team: search.team };
  const own = withOwn(flowOf(call, desk), [stepTo(to)], true);
  const frames = own.frames.map(({ path }) => ({ path, next: 1 }));
  const left = call.claim ? expelled(call, call.claim.identity) : call;
  const ringing: Call = {
    ...withPeople(left, { asked: null, transfer: { from: null } }),
    claim: null,
    flow: { ...own, frames, begun: own.begun + 1, stage: { kind: 'ring', search } },
  };
  const timers = {
    ...without(ringing.timers, 'graceLeft', 'graceLost', 'heir'),
    step: search.untilMs,
  };
  const timed = { ...ringing, timers };
  return withSound({ ...timed, ...withSearch(timed, search) });
}
