// The seats of parties in the room of a call: given, taken, left, given up. Building blocks of decisions. Pure.
import type { Call, Claim } from './call.ts';
import { without, type NewJob } from './change.ts';
import type { PendingJob } from './job.ts';
import { isAudible, type Party, type People } from './people.ts';

/** A page reload looks like leaving and takes a few seconds. */
const GRACE_LEFT_MS = 5_000;
/** A broken connection may be a lift or a changing network. */
const GRACE_LOST_MS = 15_000;
/** How long LiveKit is asked to remove somebody, or to change what they may do. */
const ROOM_RETRY_MS = 30_000;

export const graceMs = (why: 'left' | 'lost' | 'removed'): number =>
  why === 'lost' ? GRACE_LOST_MS : GRACE_LEFT_MS;

/** The call with other people in it, and the time at which one of them is due. */
export function withPeople(call: Call, changed: Partial<People>): Call {
  const people = { ...call.people, ...changed };
  const rest = { ...call, people, timers: without(call.timers, 'party') };
  const dueAtMs = Math.min(
    ...people.parties.map((party) => party.dueAtMs ?? Infinity),
    ...(people.asked
      ? [
          people.asked.search.untilMs,
          ...people.asked.search.rung.map(({ atMs }) => atMs + (people.asked?.search.eachMs ?? 0)),
        ]
      : []),
  );
  return dueAtMs === Infinity ? rest : { ...rest, timers: { ...rest.timers, party: dueAtMs } };
}

/** The call with somebody as what they are in it by now. */
export function withParty(call: Call, party: Party): Call {
  const seated = withPeople(call, { parties: [...withoutParty(call, party.identity), party] });
  const heard = call.heard.filter((identity) => identity !== party.identity);
  return isAudible(party) ? seated : { ...seated, heard };
}

export const withoutParty = ({ people }: Call, identity: string): Party[] =>
  people.parties.filter((party) => party.identity !== identity);

/** Whoever is given a seat is let in, whatever was before. */
export const admitted = (call: Call, identity: string): Call => ({
  ...call,
  excluded: call.excluded.filter((other) => other !== identity),
  // Left over from an earlier seat of theirs.
  pending: call.pending.filter((job) => !isRemovalOf(identity, job)),
});

/** Such a removal is still to be started, or to be tried again. */
const isRemovalOf = (identity: string, { job, leaseUntilMs }: PendingJob): boolean =>
  job.lane === 'room' &&
  job.action === 'remove' &&
  job.identity === identity &&
  leaseUntilMs === null;

/** From now on nobody hears this participant; `removal` takes them out of the room. */
export const expelled = (call: Call, identity: string): Call => ({
  ...withPeople(call, { parties: withoutParty(call, identity) }),
  excluded: [...call.excluded.filter((other) => other !== identity), identity],
  heard: call.heard.filter((other) => other !== identity),
  ai: call.ai?.identity === identity ? null : call.ai,
});

export const removal = (identity: string, nowMs: number): NewJob => ({
  job: { lane: 'room', action: 'remove', identity },
  giveUpAtMs: nowMs + ROOM_RETRY_MS,
});

/** What LiveKit lets a supervisor do, as it is by now. */
export const permit = ({ identity, mode }: Party, nowMs: number): NewJob => ({
  job: { lane: 'room', action: 'permit', identity, mode: mode ?? 'monitor' },
  giveUpAtMs: nowMs + ROOM_RETRY_MS,
});

/** Nobody speaks with the caller any more, and nobody is looked for: whoever was the last may come back for a while. */
export function withGrace(
  before: Call,
  call: Call,
  why: 'left' | 'lost' | 'removed',
  nowMs: number,
): Call {
  const isLast = before.heard.length > 0 && call.heard.length === 0;
  if (!isLast || call.flow?.stage) return call;
  const timer = why === 'lost' ? 'graceLost' : 'graceLeft';
  return { ...call, timers: { ...call.timers, [timer]: nowMs + graceMs(why) } };
}

/** The call with a party who has it from now on; whoever had it is not heard any more. */
export function passedOn(call: Call, party: Party, nowMs: number): Call {
  const claim: Claim = {
    agentId: party.agentId,
    agentName: party.name,
    identity: party.identity,
    atMs: nowMs,
    isNamed: true,
  };
  const rest = call.claim ? expelled(call, call.claim.identity) : call;
  const others = rest.heard.filter((identity) => identity !== party.identity);
  const passed = withPeople(rest, { parties: withoutParty(rest, party.identity) });
  return {
    ...passed,
    claim,
    heard: [...others, party.identity],
    timers: without(passed.timers, 'graceLeft', 'graceLost', 'heir'),
  };
}
