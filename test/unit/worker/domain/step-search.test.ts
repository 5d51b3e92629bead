// Who is rung, for which call, and what becomes of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOver } from '../../../../worker/domain/call.ts';
import { isAtWork, loads } from '../../../../worker/domain/desk.ts';
import type { AgentId } from '../../../../worker/domain/ids.ts';
import { presenceOf } from '../../../../worker/domain/roster.ts';
import { dueAtMs } from '../../../../worker/domain/step.ts';
import { Floor } from './floor.ts';

const ringSales = (more: object = {}) => ({ ring: { team: 'sales', seconds: 25, ...more } });
const queueSales = (more: object = {}) => ({ queue: { team: 'sales', ...more } });

describe('a ring', () => {
  it('of all rings everybody of the team who is free, and nobody else', () => {
    const floor = new Floor(
      [ringSales()],
      [
        { id: 'ana' },
        { id: 'bea', duty: 'away' },
        { id: 'cem', isConnected: false },
        { id: 'dan', teams: ['support'] },
        { id: 'eva', restsUntilMs: 9e15 },
        { id: 'fay' },
      ],
    );
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['ana', 'fay']);
  });

  it('asks for all skills', () => {
    const floor = new Floor(
      [ringSales({ skills: ['pt', 'vip'] })],
      [
        { id: 'ana', skills: ['pt'] },
        { id: 'bea', skills: ['vip', 'pt'] },
      ],
    );
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['bea']);
  });

  it.each([
    ['longest-idle', ['bea', 'cem', 'ana']],
    ['round-robin', ['cem', 'ana', 'bea']],
    ['sticky', ['ana', 'bea', 'cem']],
  ])('by %s rings one after the other, in that order', (strategy, order) => {
    const floor = new Floor(
      [queueSales({ strategy, longest_wait_s: 600 })],
      [
        { id: 'ana', idleSinceMs: 30, rungAtMs: 20 },
        { id: 'bea', idleSinceMs: 10, rungAtMs: 30 },
        { id: 'cem', idleSinceMs: 20, rungAtMs: 10 },
      ],
    );
    floor.ring('c1', {
      caller: { contactId: 'p' as never, lastAgentId: 'ana' as AgentId },
    });
    const seen: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const fresh = floor.rung('c1').filter((agentId) => !seen.includes(agentId));
      seen.push(...fresh);
      for (const agentId of floor.rung('c1')) floor.decline('c1', agentId);
    }
    expect(seen).toEqual(order);
  });

  it('rings one more at once after each that came to nothing', () => {
    const floor = new Floor(
      [queueSales({ each_s: 10 })],
      ['ana', 'bea', 'cem', 'dan', 'eva', 'fay'].map((id) => ({ id })),
    );
    floor.ring('c1');
    expect(floor.rung('c1')).toHaveLength(1);
    floor.pass(10_000);
    expect(floor.rung('c1')).toEqual(['bea', 'cem']);
    floor.pass(10_000);
    expect(floor.rung('c1')).toEqual(['dan', 'eva', 'fay']);
  });

  it('does not ring again whoever declined, and the others only when nobody is left', () => {
    const floor = new Floor([queueSales({ each_s: 10 })], [{ id: 'ana' }, { id: 'bea' }]);
    floor.ring('c1');
    floor.decline('c1', 'ana');
    expect(floor.rung('c1')).toEqual(['bea']);
    floor.pass(10_000);
    expect(floor.rung('c1')).toEqual(['bea']);
    floor.pass(60_000);
    expect(floor.rung('c1')).toEqual(['bea']);
  });

  it('is over at once when nobody is free, and when everybody has declined', () => {
    const floor = new Floor([ringSales(), { reject: {} }], [{ id: 'ana' }]);
    floor.set('ana', { duty: 'away' });
    floor.ring('c1');
    expect(floor.call('c1').outcome?.reason).toBe('rejected-by-rule');
    floor.set('ana', { duty: 'available' });
    floor.ring('c2');
    expect(floor.rung('c2')).toEqual(['ana']);
    floor.decline('c2', 'ana');
    expect(floor.call('c2').outcome?.reason).toBe('rejected-by-rule');
  });

  it('falls through to the next step after its time', () => {
    const floor = new Floor(
      [ringSales({ seconds: 10 }), queueSales({ strategy: 'all' })],
      [{ id: 'ana' }],
    );
    floor.ring('c1');
    floor.pass(9_999);
    expect(floor.call('c1')).toMatchObject({ state: 'ringing', flow: { stage: { kind: 'ring' } } });
    floor.pass(1);
    expect(floor.call('c1')).toMatchObject({ state: 'active', flow: { stage: { kind: 'queue' } } });
    expect(floor.rung('c1')).toEqual(['ana']);
  });
});

describe('the answer limit', () => {
  it('leaves what can be heard of the rule', () => {
    const floor = new Floor(
      [ringSales({ seconds: 60 }), ringSales({ seconds: 60 }), queueSales()],
      [{ id: 'ana' }],
    );
    floor.ring('c1');
    floor.pass(26_000);
    expect(floor.call('c1')).toMatchObject({ state: 'active', flow: { stage: { kind: 'queue' } } });
  });

  it('takes the call from somebody who is not heard yet', () => {
    const floor = new Floor([ringSales({ seconds: 60 }), queueSales()], [{ id: 'ana' }]);
    floor.ring('c1');
    floor.pass(25_000);
    floor.claim('c1', 'ana');
    floor.pass(1_000);
    expect(floor.call('c1')).toMatchObject({ state: 'active', claim: null });
    expect(floor.call('c1').excluded).toEqual(['agent-ana']);
  });

  it('ends a call of which nothing can be heard', () => {
    const floor = new Floor([ringSales({ seconds: 60 })], [{ id: 'ana' }]);
    floor.ring('c1');
    floor.pass(26_000);
    expect(floor.call('c1').outcome?.reason).toBe('no-answer');
    expect(floor.call('c1').followUp).toBe('missed');
  });
});

describe('a claim', () => {
  it('is for those who are rung; the first wins and the others stop ringing', () => {
    const floor = new Floor(
      [ringSales()],
      [{ id: 'ana' }, { id: 'bea' }, { id: 'cem', duty: 'away' }],
    );
    floor.ring('c1');
    floor.claim('c1', 'cem');
    expect(floor.call('c1').claim).toBeNull();
    floor.take('c1', 'bea');
    floor.take('c1', 'ana');
    expect(floor.call('c1')).toMatchObject({ state: 'active', claim: { agentId: 'bea' } });
    expect(floor.rung('c1')).toEqual([]);
    expect(floor.call('c1').talkedAtMs).toBe(floor.nowMs);
  });

  it('of a call that waits with music ends the music once the agent is heard', () => {
    const floor = new Floor([queueSales()], [{ id: 'ana' }]);
    floor.ring('c1');
    expect(floor.call('c1').audio.playing).toMatchObject({ promptId: 'sound:hold', isLoop: true });
    floor.claim('c1', 'ana');
    expect(floor.call('c1').audio.playing?.promptId).toBe('sound:hold');
    floor.relay('c1', { type: 'relay.ready', identity: 'agent-ana' });
    expect(floor.call('c1').audio.playing).toBeNull();
    expect(floor.call('c1').flow?.stage).toBeNull();
  });

  it('that comes to nothing gives the call to the next, and its step the time it had', () => {
    const floor = new Floor(
      [queueSales({ longest_wait_s: 60 }), { reject: {} }],
      [{ id: 'ana' }, { id: 'bea' }],
    );
    floor.ring('c1');
    floor.claim('c1', 'ana');
    floor.pass(5_000);
    expect(floor.call('c1')).toMatchObject({ state: 'active', claim: null });
    expect(floor.rung('c1')).toEqual(['bea', 'ana'].slice(0, 1));
    floor.decline('c1', 'bea');
    floor.pass(54_999);
    expect(floor.call('c1').outcome).toBeNull();
    floor.pass(1);
    expect(floor.call('c1').outcome?.reason).toBe('rejected-by-rule');
  });
});

describe('a queue', () => {
  it('gives an agent to the call that has waited longest, whichever is asked first', () => {
    const floor = new Floor([queueSales()], [{ id: 'ana', duty: 'away' }]);
    for (const id of ['c1', 'c2', 'c3']) {
      floor.ring(id);
      floor.pass(1_000);
    }
    floor.set('ana', { duty: 'available' });
    floor.offer(['c3', 'c2', 'c1']);
    expect(['c1', 'c2', 'c3'].map((id) => floor.rung(id))).toEqual([['ana'], [], []]);
  });

  it('puts a call of higher priority first', () => {
    const floor = new Floor(
      [{ ask: { url: 'https://example.com' } }, queueSales()],
      [{ id: 'ana', duty: 'away' }],
    );
    floor.rules.rules.push({
      name: 'vip',
      match: { numbers: ['vip'] },
      steps: [
        {
          queue: {
            team: 'sales',
            skills: [],
            strategy: 'all',
            each_s: 15,
            priority: 5,
            music: 'sound:hold',
            longest_wait_s: 300,
            length_max: 100,
          },
        },
      ],
    });
    floor.rules.otherwise.shift();
    floor.ring('c1');
    floor.pass(1_000);
    floor.ring('c2', { numberId: 'vip' as never });
    floor.set('ana', { duty: 'available' });
    floor.offer();
    expect([floor.rung('c1'), floor.rung('c2')]).toEqual([[], ['ana']]);
  });

  it('takes no more callers than it may', () => {
    const floor = new Floor([queueSales({ length_max: 2 }), { reject: {} }], []);
    for (const id of ['c1', 'c2', 'c3']) floor.ring(id);
    expect(floor.call('c2').outcome).toBeNull();
    expect(floor.call('c3').outcome?.reason).toBe('rejected-by-rule');
  });

  it('ends for a caller who hangs up, and rings nobody for them any more', () => {
    const floor = new Floor([queueSales()], [{ id: 'ana' }]);
    floor.ring('c1');
    floor.apply('c1', {
      type: 'terminate',
      termination: {
        id: 'c1' as never,
        numberId: 'n1' as never,
        displayPhoneNumber: '1',
        providerCallId: 'wacid.c1',
        atMs: floor.nowMs,
        wasPickedUp: true,
      },
    });
    expect(floor.call('c1').outcome?.reason).toBe('abandoned');
    expect(floor.call('c1').followUp).toBe('missed');
    expect(floor.rung('c1')).toEqual([]);
    floor.ring('c2');
    expect(floor.rung('c2')).toEqual(['ana']);
  });
});

const agents = ['ana', 'bea', 'cem', 'dan'];
const callIds = ['c1', 'c2', 'c3', 'c4', 'c5'];
const anyAgent = fc.constantFrom(...agents);
const anyCall = fc.constantFrom(...callIds);
const move = fc.oneof(
  fc.record({ do: fc.constant('ring' as const), call: anyCall }),
  fc.record({ do: fc.constant('take' as const), call: anyCall, agent: anyAgent }),
  fc.record({ do: fc.constant('claim' as const), call: anyCall, agent: anyAgent }),
  fc.record({ do: fc.constant('decline' as const), call: anyCall, agent: anyAgent }),
  fc.record({ do: fc.constant('gone' as const), agent: anyAgent }),
  fc.record({ do: fc.constant('back' as const), agent: anyAgent }),
  fc.record({ do: fc.constant('hang-up' as const), call: anyCall }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
  fc.record({ do: fc.constant('offer' as const), calls: fc.shuffledSubarray(callIds) }),
);
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

const anySteps = fc.array(
  fc.constantFrom(
    ringSales(),
    ringSales({ strategy: 'longest-idle', each_s: 5 }),
    queueSales({ each_s: 5, longest_wait_s: 60 }),
    queueSales({ strategy: 'all', longest_wait_s: 30 }),
    { ring: { everyone: true } },
    { ring: { agents: ['ana', 'dan'], strategy: 'round-robin' } },
  ),
  { minLength: 1, maxLength: 4 },
);

describe('whatever happens', () => {
  it('nobody has or is rung for more calls than they take, and nobody off duty is rung', () => {
    fc.assert(
      fc.property(anySteps, fc.array(move, { maxLength: 60 }), (steps, moves) => {
        const floor = new Floor(
          steps,
          agents.map((id) => ({ id, capacity: id === 'dan' ? 2 : 1 })),
        );
        for (const each of moves) {
          const before = new Map(floor.members);
          const had = new Map(callIds.map((id) => [id, rungOf(floor, id)]));
          play(floor, each);
          const open = steps.some((step) => 'ring' in step && 'everyone' in step.ring);
          for (const [agentId, count] of loads(floor.calls.values()))
            expect(open || count <= (floor.members.get(agentId)?.capacity ?? 0)).toBe(true);
          for (const id of callIds)
            for (const agentId of rungOf(floor, id)) {
              if (had.get(id)?.includes(agentId)) continue;
              const member = before.get(agentId as AgentId);
              expect(member && isAtWork(member, 0, floor.nowMs)).toBe(true);
            }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('no call is left without anything to come', () => {
    fc.assert(
      fc.property(anySteps, fc.array(move, { maxLength: 60 }), (steps, moves) => {
        const floor = new Floor(
          steps,
          agents.map((id) => ({ id })),
        );
        for (const each of moves) play(floor, each);
        for (const call of floor.calls.values()) {
          const isTalking = call.heard.length > 0;
          expect(isOver(call) || isTalking || dueAtMs(call) < Infinity).toBe(true);
        }
        floor.pass(3_600_000);
        for (const call of floor.calls.values())
          expect(isOver(call) || call.heard.length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

const rungOf = (floor: Floor, id: string): string[] =>
  floor.calls.has(id as never) ? floor.rung(id) : [];

function play(floor: Floor, each: Move): void {
  const has = 'call' in each && floor.calls.has(each.call as never);
  switch (each.do) {
    case 'ring':
      if (!has) floor.ring(each.call);
      return;
    case 'take':
      if (has) floor.take(each.call, each.agent);
      return;
    case 'claim':
      if (has) floor.claim(each.call, each.agent);
      return;
    case 'decline':
      if (has) floor.decline(each.call, each.agent);
      return;
    case 'gone':
      floor.set(each.agent, { isConnected: false });
      for (const id of floor.calls.keys()) floor.decline(id, each.agent, 'gone');
      return;
    case 'back':
      floor.set(each.agent, { isConnected: true });
      return;
    case 'hang-up':
      if (has) floor.hangUp(each.call);
      return;
    case 'pass':
      floor.pass(each.ms);
      return;
    case 'offer':
      floor.offer(each.calls.filter((id) => floor.calls.has(id as never)));
  }
}

it.each([
  [{}, 0, 'available'],
  [{}, 1, 'busy'],
  [{ restsUntilMs: 9e15 }, 0, 'wrap-up'],
  [{ duty: 'away' as const }, 1, 'away'],
  [{ isConnected: false }, 1, 'offline'],
])('presence of %o with %i calls: %s', (options, calls, presence) => {
  const floor = new Floor([ringSales()], [{ id: 'ana', ...options }]);
  const [member] = floor.members.values();
  expect(member && presenceOf(member, calls, floor.nowMs)).toBe(presence);
});
