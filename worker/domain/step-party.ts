// Decisions about who else is in a connected call: a colleague who is consulted or added, supervisors, whoever is removed. What
// becomes of their seats as they come and go is in `step-seats.ts`. Pure.
import type { Call, Claim } from './call.ts';
import type { Actor } from './call-event.ts';
import type { TimelineType } from './decision.ts';
import { refuse, type Answer, type Change, type NewJob, type Refused } from './change.ts';
import { describeTo, nobodyFor, searchFor } from './colleague.ts';
import type { Desk } from './desk.ts';
import {
  consultedIn,
  isConsulting,
  partyOf,
  strangersIn,
  type Asked,
  type Colleague,
  type Party,
  type PartyCommand,
  type SupervisionMode,
} from './people.ts';
import {
  admitted,
  expelled,
  passedOn,
  permit,
  removal,
  withGrace,
  withParty,
  withPeople,
} from './seats.ts';
import { changed } from './step-flow.ts';
import { isBusy, onTransferCancel } from './step-transfer.ts';

/** Far above what a call needs; a relay is told of no more than 32. */
const SEATS_MAX = 20;
/** How long a supervisor may take to come, in ms: a browser asks for the microphone. */
const SUPERVISOR_JOIN_MS = 20_000;

export function onPartyCommand(
  call: Call,
  command: PartyCommand,
  actor: Actor,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  if (call.state !== 'active') return refuse('not-connected');
  switch (command.action) {
    case 'cancel-transfer':
      return onTransferCancel(call, actor, desk, nowMs);
    case 'consult':
      return onConsult(call, command.to, actor, desk, nowMs);
    case 'merge':
    case 'complete':
      return onConsulted(call, command.action, actor, nowMs);
    case 'cancel-consult':
      return onConsultCancel(call, actor, nowMs);
    case 'invite':
      return onInvite(call, command.to, actor, desk, nowMs);
    case 'remove':
      return onRemove(call, command.identity, actor, nowMs);
    case 'supervise':
      return onSupervise(call, command.who, command.mode, nowMs);
  }
}

function onConsult(
  call: Call,
  to: Colleague,
  actor: Actor,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  if (!call.claim || !call.heard.includes(call.claim.identity)) return refuse('nobody-has-it');
  // AI agents must not listen to what is said about the caller.
  const strangers = strangersIn(call);
  const alone = strangers.reduce(expelled, call);
  const asked = ask(alone, 'consulted', to, desk, nowMs);
  if ('refused' in asked) return asked;
  return {
    // Until now somebody may have held the caller by hand; the end of the consultation is to end that, too.
    patch: changed(call, { ...asked, audio: { ...call.audio, isHeld: false } }),
    entry: askingEntry('consulting', asked, to, actor),
    add: strangers.map((identity) => removal(identity, nowMs)),
  };
}

function onInvite(
  call: Call,
  to: Colleague,
  actor: Actor,
  desk: Desk,
  nowMs: number,
): Answer | Refused {
  const asked = ask(call, 'added', to, desk, nowMs);
  if ('refused' in asked) return asked;
  return { patch: changed(call, asked), entry: askingEntry('inviting', asked, to, actor) };
}

/** The call with a colleague being rung. */
function ask(
  call: Call,
  part: Asked['part'],
  to: Colleague,
  desk: Desk,
  nowMs: number,
): Call | Refused {
  if (isBusy(call) || call.people.asked) return refuse('under-way');
  if (isConsulting(call)) return refuse('consulting');
  if (isFull(call)) return refuse('too-many');
  const nobody = nobodyFor(call, to, desk, nowMs);
  if (nobody) return { refused: nobody };
  return withPeople(call, { asked: { part, search: searchFor(call, to, desk, nowMs) } });
}

const isFull = ({ people, excluded }: Call): boolean =>
  people.parties.length + excluded.length >= SEATS_MAX;

const askingEntry = (
  type: TimelineType,
  { people }: Call,
  to: Colleague,
  actor: Actor,
): Change['entry'] => {
  const agents = people.asked?.search.rung.map(({ agentId }) => agentId).join(' ') ?? '';
  return { type, detail: { to: describeTo(to), agents, by: actor.id } };
};

function onConsulted(
  call: Call,
  action: 'merge' | 'complete',
  actor: Actor,
  nowMs: number,
): Answer | Refused {
  const colleague = consultedIn(call);
  if (!colleague) return refuse(isConsulting(call) ? 'not-there-yet' : 'no-consultation');
  if (!colleague.isThere) return refuse('not-there-yet');
  const detail = { agent: colleague.agentId, by: actor.id };
  if (action === 'merge') {
    const merged = withParty(call, { ...colleague, part: 'added' });
    return { patch: changed(call, merged), entry: { type: 'consultation-merged', detail } };
  }
  return {
    patch: changed(call, passedOn(call, colleague, nowMs)),
    entry: { type: 'consultation-completed', detail },
    add: call.claim ? [removal(call.claim.identity, nowMs)] : [],
  };
}

function onConsultCancel(call: Call, actor: Actor, nowMs: number): Answer | Refused {
  if (!isConsulting(call)) return refuse('no-consultation');
  const colleague = consultedIn(call);
  const alone = withPeople(colleague ? expelled(call, colleague.identity) : call, { asked: null });
  return {
    patch: changed(call, alone),
    entry: { type: 'consultation-cancelled', detail: { by: actor.id } },
    add: colleague ? [removal(colleague.identity, nowMs)] : [],
  };
}

function onRemove(call: Call, identity: string, actor: Actor, nowMs: number): Answer | Refused {
  if (call.claim?.identity === identity) return refuse('has-the-call');
  const party = partyOf(call, identity);
  if (!party && !strangersIn(call).includes(identity)) return refuse('not-in-call');
  // Ending a consultation takes the caller back.
  if (party?.part === 'consulted') return onConsultCancel(call, actor, nowMs);
  const without = withGrace(call, expelled(call, identity), 'removed', nowMs);
  return {
    patch: changed(call, without),
    entry: { type: 'party-removed', detail: { identity, by: actor.id } },
    add: [removal(identity, nowMs)],
  };
}

function onSupervise(
  call: Call,
  { agentId, agentName, identity }: Claim,
  mode: SupervisionMode,
  nowMs: number,
): Answer | Refused {
  const known = partyOf(call, identity);
  if (call.claim?.identity === identity || (known && known.part !== 'supervisor')) {
    return refuse('already-there');
  }
  if (!known && isFull(call)) return refuse('too-many');
  const isComing = mode !== 'monitor' && !known?.isThere;
  const party: Party = {
    identity,
    agentId,
    name: agentName,
    part: 'supervisor',
    mode,
    isThere: known?.isThere ?? false,
    // Whoever only listens is hidden in the room, so nobody says when they come.
    dueAtMs: isComing ? nowMs + SUPERVISOR_JOIN_MS : null,
  };
  const next = withGrace(call, withParty(admitted(call, identity), party), 'left', nowMs);
  // A repeated request gets a new token, and changes nothing else.
  if (known?.mode === mode && !isComing) return null;
  const jobs: NewJob[] = known && known.mode !== mode ? [permit(party, nowMs)] : [];
  return {
    patch: changed(call, next),
    entry: { type: 'supervising', detail: { agent: agentId, mode } },
    add: jobs,
  };
}
