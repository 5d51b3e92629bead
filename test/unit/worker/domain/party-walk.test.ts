// Whatever people do to each other in a call, in whatever order: who must not be heard is not, and no call is left over.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isOver, wanted, type Call } from '../../../../worker/domain/call.ts';
import { loads } from '../../../../worker/domain/desk.ts';
import type { AgentId } from '../../../../worker/domain/ids.ts';
import {
  isConsulting,
  partyOf,
  transferIn,
  type PartyCommand,
} from '../../../../worker/domain/people.ts';
import { Floor } from './floor.ts';

const NAMES = ['ana', 'bea', 'cem', 'sue'] as const;
const IDENTITIES = [...NAMES.map((name) => `agent-${name}`), 'bot'];
const actor = { kind: 'api', id: 'admin' } as const;

const name = fc.constantFrom(...NAMES);
const identity = fc.constantFrom(...IDENTITIES);
const colleague = fc.oneof(
  name.map((id) => ({ kind: 'agent' as const, agentId: id as AgentId })),
  fc.constant({ kind: 'team' as const, team: 'sales' }),
);
const command: fc.Arbitrary<PartyCommand> = fc.oneof(
  fc.record({
    action: fc.constantFrom('cancel-transfer', 'merge', 'complete', 'cancel-consult'),
  }) as fc.Arbitrary<PartyCommand>,
  fc.record({ action: fc.constantFrom('consult', 'consult', 'invite'), to: colleague }),
  fc.record({ action: fc.constant('remove'), identity }),
  fc.record({
    action: fc.constant('supervise'),
    who: name.map((id) => ({
      agentId: id as AgentId,
      agentName: id,
      identity: `agent-${id}`,
      atMs: 0,
    })),
    mode: fc.constantFrom('monitor', 'whisper', 'barge'),
  }),
);

type Act = (floor: Floor) => void;

/** What ends the call or breaks something in it, seldom enough for a walk to get somewhere. */
const trouble: fc.Arbitrary<Act> = fc.constantFrom<Act>(
  (floor) => floor.relay('c1', { type: 'relay.room-away' }),
  (floor) => floor.relay('c1', { type: 'relay.room-joined' }),
  (floor) => floor.apply('c1', { type: 'relay.silent', instance: 'i1' }),
  (floor) => floor.apply('c1', { type: 'relay.back' }),
  (floor) => floor.apply('c1', { type: 'relay.lost', instance: 'i1' }),
  (floor) => floor.relay('c1', { type: 'relay.ended', reason: 'media-failed', quality: null }),
  (floor) => floor.hangUp('c1'),
);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 12,
    arbitrary: command.map(
      (what): Act =>
        (floor) =>
          floor.apply('c1', { type: 'party', command: what, actor }),
    ),
  },
  {
    weight: 3,
    arbitrary: colleague.map(
      (to): Act =>
        (floor) =>
          floor.apply('c1', { type: 'transfer', to, summary: null, actor }),
    ),
  },
  {
    weight: 9,
    arbitrary: name.map(
      (id): Act =>
        (floor) =>
          floor.claim('c1', id),
    ),
  },
  {
    weight: 9,
    arbitrary: identity.map(
      (who): Act =>
        (floor) =>
          floor.joins('c1', who),
    ),
  },
  {
    weight: 9,
    arbitrary: identity.map(
      (who): Act =>
        (floor) =>
          floor.relay('c1', { type: 'relay.ready', identity: who }),
    ),
  },
  fc
    .record({
      who: identity,
      why: fc.constantFrom('left' as const, 'lost' as const, 'removed' as const),
    })
    .map(
      ({ who, why }): Act =>
        (floor) =>
          floor.leaves('c1', who, why),
    ),
  name.map(
    (id): Act =>
      (floor) =>
        floor.decline('c1', id),
  ),
  trouble,
  fc.boolean().map(
    (isHeld): Act =>
      (floor) =>
        floor.apply('c1', {
          type: 'audio',
          command: { action: isHeld ? 'hold' : 'unhold' },
          actor,
        }),
  ),
  {
    weight: 9,
    arbitrary: fc.constantFrom(100, 4_000, 9_000, 31_000).map(
      (ms): Act =>
        (floor) =>
          floor.pass(ms),
    ),
  },
);

/** What is wrong with who is heard; nothing for a call that keeps its word. */
function wrongs(call: Call): string[] {
  if (isOver(call)) return call.people.parties.length > 0 ? ['people after the end'] : [];
  const { audience, audio } = wanted(call);
  const silent = call.people.parties
    .filter(({ part, mode }) => part === 'consulted' || mode === 'monitor' || mode === 'whisper')
    .map((party) => party.identity);
  const from = transferIn(call)?.from?.identity;
  // Unless they are back: rung and on the way, or as a supervisor.
  const isBack = call.claim?.identity === from || partyOf(call, from ?? '') !== undefined;
  const gone = from === undefined || isBack ? [] : [from];
  const mustNot = [...silent, ...gone].filter(
    (who) =>
      !audience.excluded.includes(who) || audience.named.includes(who) || call.heard.includes(who),
  );
  const both = audience.named.filter((who) => audience.excluded.includes(who));
  const late = [
    call.people.asked,
    ...call.people.parties.filter(({ dueAtMs }) => dueAtMs !== null),
  ];
  return [
    ...mustNot.map((who) => `${who} can be heard`),
    ...both.map((who) => `${who} is named and excluded`),
    ...(isConsulting(call) && !audio.isHeld ? ['the caller overhears a consultation'] : []),
    ...(late.some(Boolean) && call.timers.party === undefined
      ? ['somebody is waited for for ever']
      : []),
  ];
}

it('nobody is heard who must not be, nobody is asked too much, and every call ends', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40, size: 'max' }), (acts) => {
      const floor = new Floor(
        [{ ring: { team: 'sales' } }],
        NAMES.map((id) => ({ id })),
      );
      floor.ring('c1');
      floor.take('c1', 'ana');
      floor.joins('c1', 'agent-ana');
      for (const each of acts) {
        each(floor);
        expect(wrongs(floor.call('c1'))).toEqual([]);
        for (const load of loads(floor.calls.values()).values()) expect(load).toBe(1);
      }
      for (const who of IDENTITIES) floor.leaves('c1', who);
      floor.pass(600_000);
      expect(isOver(floor.call('c1'))).toBe(true);
    }),
    { numRuns: 1_000, seed: 7 },
  );
});
