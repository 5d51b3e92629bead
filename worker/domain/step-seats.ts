// Decisions about what becomes of a seat: a colleague who is rung takes it or not, a party comes, leaves, or stays away. Pure.
import type { Call, Claim } from './call.ts';
import { after, without, type Answer, type Change } from './change.ts';
import type { Desk } from './desk.ts';
import type { Tried } from './flow.ts';
import type { AgentId } from './ids.ts';
import { consultedIn, heirOf, partyOf, type Asked, type Party } from './people.ts';
import {
  admitted,
  expelled,
  graceMs,
  passedOn,
  permit,
  removal,
  withParty,
  withPeople,
} from './seats.ts';
import { changed } from './step-flow.ts';
import { endRings, ringNext } from './step-search.ts';
import { toTransfer } from './step-transfer.ts';

/** How long a colleague who has taken a seat may take to come, in ms. */
const COLLEAGUE_JOIN_MS = 10_000;

// ---- rings -----------------------------------------------------------------------------------------------------------------

/** @returns undefined when no colleague is rung by that, so that it is a claim of the call */
export function onSeatClaim(call: Call, claim: Claim, nowMs: number): Answer | undefined {
  const { asked } = call.people;
  const isRung = asked?.search.rung.some(({ agentId }) => agentId === claim.agentId);
  if (!asked || !isRung || call.state !== 'active') return undefined;
  const { identity, agentId, agentName: name } = claim;
  const party: Party = {
    identity,
    agentId,
    name,
    part: asked.part,
    mode: null,
    isThere: false,
    dueAtMs: nowMs + COLLEAGUE_JOIN_MS,
  };
  const seated = withPeople(withParty(admitted(call, identity), party), { asked: null });
  return {
    patch: changed(call, seated),
    entry: { type: 'colleague-coming', detail: { agent: agentId } },
  };
}

/** @returns undefined when they were not rung as a colleague */
export function onColleagueRingEnded(
  call: Call,
  agentId: AgentId,
  why: 'declined' | 'gone',
  desk: Desk,
  nowMs: number,
): Answer | undefined {
  const { asked } = call.people;
  if (!asked?.search.rung.some((ring) => ring.agentId === agentId)) return undefined;
  return askNext(call, asked, [{ agentId, why }], desk, nowMs);
}

function askNext(
  call: Call,
  asked: Asked,
  ended: readonly Tried[],
  desk: Desk,
  nowMs: number,
): Change {
  const rest = endRings(asked.search, ended);
  const search = ringNext(call, rest, desk, nowMs);
  if (search.rung.length === 0) return givenUp(call, asked.part, ended[0]?.why ?? 'unanswered');
  const rung = search.rung.filter((ring) => !rest.rung.includes(ring));
  return {
    patch: changed(call, withPeople(call, { asked: { ...asked, search } })),
    entry: {
      type: 'colleague-rung',
      detail: { agents: rung.map(({ agentId }) => agentId).join(' '), after: ended[0]?.why ?? '' },
    },
  };
}

/** Nobody comes. A caller who was put on hold for it stays there, until the agent takes them back. */
function givenUp(call: Call, part: Asked['part'], why: string): Change {
  const alone = withPeople(call, { asked: null });
  if (part === 'added') {
    return { patch: changed(call, alone), entry: { type: 'invitation-failed', detail: { why } } };
  }
  return {
    patch: changed(call, { ...alone, audio: { ...call.audio, isHeld: true } }),
    entry: { type: 'consultation-failed', detail: { why } },
  };
}

// ---- coming and going ------------------------------------------------------------------------------------------------------

/** @returns undefined for whoever has no seat of ours */
export function onPartyJoined(call: Call, identity: string, nowMs: number): Answer | undefined {
  const party = partyOf(call, identity);
  // Tokens outlive a seat: whoever was shown out and comes back is shown out again.
  if (!party && call.excluded.includes(identity)) {
    const entry = { type: 'participant-joined', detail: { identity } } as const;
    return { entry, add: [removal(identity, nowMs)] };
  }
  if (!party) return undefined;
  const there: Party = { ...party, isThere: true, dueAtMs: null };
  return {
    patch: changed(call, withParty(call, there)),
    entry: { type: 'party-joined', detail: { identity, part: party.part } },
    // The token may be from before the last change of what they may do.
    add: party.part === 'supervisor' ? [permit(there, nowMs)] : [],
  };
}

/** The call once a party has left the room; they may come back for a while. */
export function withPartyAway(
  call: Call,
  identity: string,
  why: 'left' | 'lost' | 'removed',
  nowMs: number,
): Call {
  const party = partyOf(call, identity);
  if (!party) return call;
  return withParty(call, { ...party, isThere: false, dueAtMs: nowMs + graceMs(why) });
}

/** One who was waited for has had their time. */
export function onPartyTimer(call: Call, desk: Desk, nowMs: number): Change {
  const late = call.people.parties.find(({ dueAtMs }) => dueAtMs !== null && dueAtMs <= nowMs);
  if (late) return onStayedAway(call, late, nowMs);
  const { asked } = call.people;
  if (asked && asked.search.untilMs <= nowMs) return givenUp(call, asked.part, 'unanswered');
  const ended = (asked?.search.rung ?? [])
    .filter(({ atMs }) => atMs + (asked?.search.eachMs ?? 0) <= nowMs)
    .map(({ agentId }): Tried => ({ agentId, why: 'unanswered' }));
  if (asked && ended.length > 0) return askNext(call, asked, ended, desk, nowMs);
  // Whoever was waited for is not waited for any more.
  return { patch: changed(call, withPeople(call, {})), entry: { type: 'retrying' } };
}

function onStayedAway(call: Call, party: Party, nowMs: number): Change {
  const { identity, part } = party;
  const add = [removal(identity, nowMs)];
  const alone = expelled(call, identity);
  if (part === 'consulted') {
    return { ...after(changed(call, alone), givenUp(alone, part, 'away')), add };
  }
  const patch = changed(call, alone);
  return { patch, entry: { type: 'party-gone', detail: { identity, part } }, add };
}

// ---- whoever has the call is gone ------------------------------------------------------------------------------------------

/** @returns null when nobody is there who could get the call */
export function onAgentGone(call: Call, desk: Desk, nowMs: number): Change | null {
  const colleague = consultedIn(call);
  const { asked } = call.people;
  if (colleague?.isThere) return passes(call, colleague, nowMs);
  if (colleague) {
    // They are on their way: whoever has left has that much more time to return.
    const graceLeft = (colleague.dueAtMs ?? nowMs) + 1;
    const timers = { ...without(call.timers, 'graceLost'), graceLeft };
    return { patch: { timers }, entry: { type: 'agent-left', detail: { waiting: true } } };
  }
  if (asked?.part === 'consulted') {
    const ringing = toTransfer(call, asked, desk);
    const agents = asked.search.rung.map(({ agentId }) => agentId).join(' ');
    return {
      patch: changed(call, ringing),
      entry: { type: 'transferring', detail: { to: agents, by: call.claim?.agentId ?? '' } },
    };
  }
  return null;
}

/** The agent who has the call has not come back; somebody else speaks with the caller. */
export function onHeirTimer(call: Call, nowMs: number): Change {
  const heir = heirOf(call);
  if (heir) return passes(call, heir, nowMs);
  return { patch: { timers: without(call.timers, 'heir') }, entry: { type: 'agent-left' } };
}

const passes = (call: Call, party: Party, nowMs: number): Change => ({
  patch: changed(call, passedOn(call, party, nowMs)),
  entry: {
    type: 'passed-on',
    detail: { from: call.claim?.agentId ?? '', to: party.agentId },
  },
  add: call.claim ? [removal(call.claim.identity, nowMs)] : [],
});
