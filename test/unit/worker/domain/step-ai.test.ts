// AI agents in calls of users: sent for by a step or as members of a team, ready or not, gone.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOver, wanted, type Call } from '../../../../worker/domain/call.ts';
import { awaitedOf } from '../../../../worker/domain/flow.ts';
import type { Job } from '../../../../worker/domain/job.ts';
import { Floor, type FloorOptions, type MemberOptions } from './floor.ts';

const concierge = { ai: { name: 'concierge', metadata: '{"tone":"warm"}', seconds: 8 } };
const second = { ai: { name: 'second', seconds: 5 } };
const ringSales = { ring: { team: 'sales', seconds: 20 } };
const ana: MemberOptions = { id: 'ana' };
const bot: MemberOptions = { id: 'bot', ai: { name: 'sales-bot', metadata: 'm' } };

const NOT_SENT: FloorOptions = {
  replies: { 'room.dispatch': { ok: false, kind: 'refused', message: 'no' } },
};

/** An AI agent is heard, as the relay tells it. */
const ready = (floor: Floor, identity: string, aiName: string) =>
  floor.relay('c1', { type: 'relay.ready', identity, aiName });
const leaves = (floor: Floor, identity: string, why: 'left' | 'lost' | 'removed') =>
  floor.relay('c1', { type: 'relay.participant-left', identity, why });

/** What LiveKit was asked about AI agents, in order. */
function asked(floor: Floor): string[] {
  const text = (job: Job): string[] => {
    if (job.lane !== 'room') return [];
    if (job.action === 'dispatch') return [`send ${job.ai.name} ${job.ai.metadata}`.trim()];
    return job.action === 'undispatch' ? [`recall ${job.name}`] : [];
  };
  return floor.decisions.flatMap(({ decision }) => decision.jobs.flatMap(({ job }) => text(job)));
}

const stageOf = ({ flow }: Call) => flow?.stage?.kind ?? null;

describe('a step that names an AI agent', () => {
  it('sends for it, and answers the caller once it is heard', () => {
    const floor = new Floor([concierge, ringSales], [ana]);
    floor.ring('c1');
    expect(asked(floor)).toEqual(['send concierge {"tone":"warm"}']);
    expect(floor.call('c1').state).toBe('ringing');
    expect(wanted(floor.call('c1'))).toMatchObject({ open: false, audience: { ai: true } });
    ready(floor, 'agent-AJ1', 'concierge');
    expect(floor.call('c1')).toMatchObject({
      state: 'active',
      ai: { name: 'concierge', identity: 'agent-AJ1', agentId: null },
      heard: ['agent-AJ1'],
      timers: {},
    });
    expect(floor.call('c1').talkedAtMs).toBe(floor.nowMs);
    expect(wanted(floor.call('c1')).audience).toMatchObject({ named: ['agent-AJ1'], ai: false });
    expect(asked(floor)).toHaveLength(1);
  });

  it('falls through when it is not heard in time, and takes it back', () => {
    const floor = new Floor([concierge, ringSales], [ana]);
    floor.ring('c1');
    floor.pass(7_999);
    expect(stageOf(floor.call('c1'))).toBe('ai');
    floor.pass(1);
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(asked(floor).at(-1)).toBe('recall concierge');
    expect(wanted(floor.call('c1')).audience).toMatchObject({ named: [], ai: false });
    const before = floor.call('c1');
    ready(floor, 'agent-AJ1', 'concierge');
    expect(floor.call('c1')).toBe(before);
    const comes = (aiName: string) =>
      floor.relay('c1', { type: 'relay.participant-joined', identity: `agent-${aiName}`, aiName });
    const removed = () =>
      floor.decisions.flatMap(({ decision }) =>
        decision.jobs.flatMap(({ job }) => ('identity' in job ? job.identity : [])),
      );
    comes('helper');
    comes('concierge');
    expect(removed()).toEqual(['agent-concierge']);
  });

  it('falls through at once when LiveKit does not send it', () => {
    const floor = new Floor([concierge, ringSales], [ana], NOT_SENT);
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(floor.call('c1').outcome).toBeNull();
  });

  it('takes no other AI agent for it', () => {
    const floor = new Floor([concierge, second], []);
    floor.ring('c1');
    ready(floor, 'agent-AJ9', 'transcriber');
    ready(floor, 'agent-AJ8', '');
    expect(floor.call('c1')).toMatchObject({ state: 'ringing', ai: null, heard: [] });
    floor.pass(8_000);
    expect(asked(floor).slice(1)).toEqual(['recall concierge', 'send second']);
    ready(floor, 'agent-AJ1', 'concierge');
    expect(floor.call('c1').ai).toBeNull();
    ready(floor, 'agent-AJ2', 'second');
    expect(floor.call('c1').ai?.identity).toBe('agent-AJ2');
  });

  it('lets nobody claim the call', () => {
    const floor = new Floor([concierge, ringSales], [ana]);
    floor.ring('c1');
    floor.claim('c1', 'ana');
    expect(floor.call('c1')).toMatchObject({ state: 'ringing', claim: null });
    ready(floor, 'agent-AJ1', 'concierge');
    floor.claim('c1', 'ana');
    expect(floor.call('c1').claim).toBeNull();
  });

  it('has the caller of an answered call hear ring-back until it is heard', () => {
    const floor = new Floor(
      [{ queue: { team: 'sales', longest_wait_s: 10 } }, concierge, ringSales],
      [],
    );
    floor.ring('c1');
    floor.pass(10_000);
    expect(floor.call('c1')).toMatchObject({
      state: 'active',
      audio: { playing: { promptId: 'sound:ring-back', isLoop: true } },
    });
    ready(floor, 'agent-AJ1', 'concierge');
    expect(floor.call('c1').audio.playing).toBeNull();
    expect(floor.call('c1').talkedAtMs).toBe(floor.nowMs);
  });

  it('ends with the answer limit when nothing follows', () => {
    const floor = new Floor([ringSales, { ai: { name: 'concierge', seconds: 30 } }], [ana]);
    floor.ring('c1');
    floor.pass(26_000);
    expect(floor.call('c1').outcome?.reason).toBe('no-answer');
  });
});

describe('an AI agent that has the call', () => {
  const talking = (steps: readonly object[], members: readonly MemberOptions[] = []): Floor => {
    const floor = new Floor(steps, members);
    floor.ring('c1');
    ready(floor, 'agent-AJ1', 'concierge');
    return floor;
  };

  it('hangs up by leaving, whatever the rule has left', () => {
    const floor = talking([concierge, ringSales], [ana]);
    leaves(floor, 'agent-AJ1', 'left');
    expect(floor.call('c1').outcome).toMatchObject({ reason: 'agent-left', endedBy: 'agent' });
  });

  it('is waited for when its connection breaks, and then followed by the next step', () => {
    const floor = talking([concierge, ringSales], [ana]);
    leaves(floor, 'agent-AJ1', 'lost');
    floor.pass(4_999);
    expect(floor.call('c1')).toMatchObject({ state: 'active', ai: { identity: 'agent-AJ1' } });
    floor.pass(1);
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(floor.call('c1')).toMatchObject({
      ai: null,
      audio: { playing: { promptId: 'sound:ring-back' } },
    });
    expect(asked(floor).at(-1)).toBe('recall concierge');
    floor.take('c1', 'ana');
    expect(floor.call('c1')).toMatchObject({ state: 'active', heard: ['agent-ana'] });
  });

  it('goes on when it returns in time', () => {
    const floor = talking([concierge, ringSales], [ana]);
    leaves(floor, 'agent-AJ1', 'lost');
    floor.relay('c1', { type: 'relay.participant-joined', identity: 'agent-AJ1' });
    floor.pass(60_000);
    expect(floor.call('c1')).toMatchObject({ state: 'active', heard: ['agent-AJ1'] });
  });

  it('costs the call when it is lost and nobody is next', () => {
    const floor = talking([concierge]);
    leaves(floor, 'agent-AJ1', 'lost');
    floor.pass(14_999);
    expect(floor.call('c1').state).toBe('active');
    floor.pass(1);
    expect(floor.call('c1').outcome?.reason).toBe('agent-connection-lost');
  });

  it('is the only one that is heard', () => {
    const floor = talking([concierge]);
    ready(floor, 'agent-AJ2', 'concierge');
    expect(floor.call('c1')).toMatchObject({
      ai: { identity: 'agent-AJ1' },
      heard: ['agent-AJ1'],
    });
    expect(wanted(floor.call('c1')).audience.named).toEqual(['agent-AJ1']);
  });
});

describe('an AI agent in a team', () => {
  it('is sent for when it is rung, and takes the call by being heard', () => {
    const floor = new Floor([ringSales], [ana, bot]);
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['ana', 'bot']);
    expect(asked(floor)).toEqual(['send sales-bot m']);
    ready(floor, 'agent-AJ1', 'sales-bot');
    expect(floor.call('c1')).toMatchObject({ state: 'active', ai: { agentId: 'bot' } });
    expect(floor.rung('c1')).toEqual([]);
    floor.claim('c1', 'ana');
    expect(floor.call('c1').claim).toBeNull();
  });

  it('counts as busy with the call', () => {
    const floor = new Floor([ringSales], [bot]);
    floor.ring('c1');
    ready(floor, 'agent-AJ1', 'sales-bot');
    floor.ring('c2');
    expect(floor.call('c2').outcome?.reason).toBe('no-answer');
  });

  it('is taken back when a person was faster', () => {
    const floor = new Floor([ringSales], [ana, bot]);
    floor.ring('c1');
    floor.claim('c1', 'ana');
    expect(asked(floor)).toEqual(['send sales-bot m', 'recall sales-bot']);
    ready(floor, 'agent-AJ1', 'sales-bot');
    expect(floor.call('c1')).toMatchObject({ ai: null, claim: { agentId: 'ana' } });
    expect(wanted(floor.call('c1')).audience.ai).toBe(false);
  });

  it('is taken back when it is not heard for as long as each may ring', () => {
    const floor = new Floor(
      [{ queue: { team: 'sales', each_s: 10, strategy: 'round-robin' } }],
      [ana, { ...bot, rungAtMs: -1 }],
    );
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['bot']);
    floor.pass(10_000);
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(asked(floor)).toEqual(['send sales-bot m', 'recall sales-bot']);
  });

  it('is passed over when LiveKit does not send it', () => {
    const floor = new Floor([ringSales], [ana, bot], NOT_SENT);
    floor.ring('c1');
    expect(floor.rung('c1')).toEqual(['ana']);
  });
});

describe('an AI agent that hands over', () => {
  const asks = (floor: Floor, to: object = { kind: 'team', team: 'sales' }) =>
    floor.relay('c1', {
      type: 'relay.transfer-asked',
      identity: floor.call('c1').ai?.identity ?? 'agent-AJ1',
      to,
      summary: 'wants a quote',
    });
  const talking = (members: readonly MemberOptions[], rest: readonly object[] = []): Floor => {
    const floor = new Floor([concierge, ...rest], members);
    floor.ring('c1');
    ready(floor, 'agent-AJ1', 'concierge');
    return floor;
  };

  it('is heard until somebody else is, and not from then on', () => {
    const floor = talking([ana]);
    asks(floor);
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(floor.call('c1').people.summary).toBe('wants a quote');
    expect(wanted(floor.call('c1'))).toMatchObject({
      audience: { named: ['agent-AJ1'] },
      audio: { playing: null },
      transfer: 'ringing',
    });
    floor.claim('c1', 'ana');
    expect(wanted(floor.call('c1')).audience.named).toEqual(['agent-AJ1']);
    floor.relay('c1', { type: 'relay.ready', identity: 'agent-ana' });
    expect(floor.call('c1')).toMatchObject({ ai: null, heard: ['agent-ana'] });
    expect(wanted(floor.call('c1'))).toMatchObject({
      audience: { named: [], ai: false, excluded: ['agent-AJ1'] },
      transfer: null,
    });
    expect(asked(floor).at(-1)).toBe('recall concierge');
  });

  it('goes on with the caller when nobody takes the call', () => {
    const floor = talking([ana], [ringSales]);
    asks(floor);
    floor.pass(60_000);
    expect(floor.call('c1')).toMatchObject({ state: 'active', ai: { identity: 'agent-AJ1' } });
    expect(stageOf(floor.call('c1'))).toBeNull();
    expect(wanted(floor.call('c1')).transfer).toBe('failed');
    leaves(floor, 'agent-AJ1', 'lost');
    floor.pass(5_000);
    expect(floor.rung('c1')).toEqual(['ana']);
  });

  it('is told when nobody can be had, each time it asks', () => {
    const floor = talking([{ ...ana, duty: 'away' }]);
    for (let time = 0; time < 2; time++) {
      asks(floor);
      const { decision } = floor.decisions.at(-1) ?? {};
      expect(decision?.entry).toMatchObject({
        type: 'transfer-failed',
        detail: { why: 'nobody-available' },
      });
      expect(decision?.messages).toEqual(['want']);
      expect(wanted(floor.call('c1')).transfer).toBe('failed');
    }
  });

  it('may leave while somebody is rung: the caller hears ring-back', () => {
    const floor = talking([ana]);
    asks(floor);
    leaves(floor, 'agent-AJ1', 'left');
    expect(floor.call('c1')).toMatchObject({
      state: 'active',
      ai: null,
      audio: { playing: { promptId: 'sound:ring-back' } },
    });
    floor.take('c1', 'ana');
    expect(floor.call('c1')).toMatchObject({ heard: ['agent-ana'], audio: { playing: null } });
  });

  it('may hand over to another AI agent', () => {
    const floor = talking([]);
    asks(floor, { kind: 'ai', name: 'second', metadata: 'm' });
    expect(asked(floor).at(-1)).toBe('send second m');
    expect(wanted(floor.call('c1')).audience).toMatchObject({ named: ['agent-AJ1'], ai: true });
    ready(floor, 'agent-AJ2', 'second');
    expect(floor.call('c1')).toMatchObject({ ai: { name: 'second' }, heard: ['agent-AJ2'] });
    expect(wanted(floor.call('c1'))).toMatchObject({
      audience: { named: ['agent-AJ2'], ai: false },
      transfer: null,
    });
    expect(asked(floor).at(-1)).toBe('recall concierge');
  });

  it('is asked to by a key of the caller, where its step names one', () => {
    const handover = { key: '0', to: { team: 'sales' } };
    const floor = new Floor([{ ai: { name: 'concierge', handover } }, ringSales], [ana]);
    floor.ring('c1');
    ready(floor, 'agent-AJ1', 'concierge');
    floor.relay('c1', { type: 'relay.digit', digit: '1' });
    expect(floor.rung('c1')).toEqual([]);
    for (let time = 0; time < 2; time++) {
      floor.relay('c1', { type: 'relay.digit', digit: '0' });
      expect(floor.rung('c1')).toEqual(['ana']);
      floor.pass(30_000);
      expect(floor.call('c1')).toMatchObject({ ai: { identity: 'agent-AJ1' } });
    }
    floor.relay('c1', { type: 'relay.digit', digit: '0' });
    floor.take('c1', 'ana');
    expect(floor.call('c1')).toMatchObject({ ai: null, heard: ['agent-ana'] });
  });

  it('must have the call', () => {
    const floor = talking([ana]);
    const before = floor.call('c1');
    const to = { kind: 'team', team: 'sales' };
    floor.relay('c1', { type: 'relay.transfer-asked', identity: 'agent-AJ2', to, summary: null });
    expect(floor.call('c1')).toBe(before);
  });
});

describe('whatever happens', () => {
  let count = 0;
  const talker = (floor: Floor): string => floor.call('c1').ai?.identity ?? 'nobody';
  const actor = { kind: 'api', id: 'admin' } as const;
  const sales = { kind: 'team', team: 'sales' } as const;
  const other = { kind: 'ai', name: 'second', metadata: '' } as const;
  const anyMove = fc.oneof(
    fc
      .constantFrom('concierge', 'sales-bot', 'second', 'stranger', '')
      .map((name) => (floor: Floor) => ready(floor, `ai-${++count}`, name)),
    fc
      .constantFrom('left' as const, 'lost' as const, 'removed' as const)
      .map((why) => (floor: Floor) => leaves(floor, talker(floor), why)),
    fc
      .constantFrom('concierge', 'sales-bot', 'second')
      .map(
        (aiName) => (floor: Floor) =>
          floor.relay('c1', { type: 'relay.participant-joined', identity: talker(floor), aiName }),
      ),
    fc.constantFrom(sales, other).map((to) => (floor: Floor) => {
      const identity = talker(floor);
      floor.relay('c1', { type: 'relay.transfer-asked', identity, to, summary: null });
    }),
    fc
      .constantFrom(sales, other)
      .map(
        (to) => (floor: Floor) => floor.apply('c1', { type: 'transfer', to, summary: null, actor }),
      ),
    fc.integer({ min: 0, max: 12_000 }).map((ms) => (floor: Floor) => floor.pass(ms)),
    fc.constantFrom(
      (floor: Floor) => floor.claim('c1', 'ana'),
      (floor: Floor) => floor.take('c1', 'ana'),
      (floor: Floor) => floor.decline('c1', 'ana'),
      (floor: Floor) => leaves(floor, 'agent-ana', 'left'),
      (floor: Floor) => floor.offer(),
      (floor: Floor) => floor.relay('c1', { type: 'relay.digit', digit: '0' }),
      (floor: Floor) => floor.relay('c1', { type: 'relay.room-away' }),
      (floor: Floor) => floor.apply('c1', { type: 'audio', command: { action: 'hold' }, actor }),
      (floor: Floor) => floor.apply('c1', { type: 'relay.lost', instance: 'another' }),
    ),
  );
  const handover = { key: '0', to: { team: 'sales' } };
  const anyRule = fc.constantFrom<readonly object[]>(
    [concierge, ringSales, concierge, ringSales],
    [{ queue: { team: 'sales', longest_wait_s: 5 } }, { ai: { name: 'concierge', handover } }],
    [{ ai: { name: 'concierge', handover } }, second, ringSales],
  );
  const anyOptions = fc.constantFrom<FloorOptions>(
    {},
    NOT_SENT,
    { holds: ['room.dispatch', 'room.undispatch', 'room.remove'] },
    { holds: ['graph.accept'] },
  );

  it('one AI agent is heard at most, nobody stays behind who was sent for, and there is a way on', () => {
    fc.assert(
      fc.property(
        anyRule,
        anyOptions,
        fc.array(anyMove, { maxLength: 25 }),
        (rule, options, moves) => {
          const floor = new Floor(rule, [ana, bot], options);
          floor.ring('c1');
          for (const move of moves) {
            move(floor);
            if (isOver(floor.call('c1'))) return;
            judge(floor, options);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  function judge(floor: Floor, { holds }: FloorOptions): void {
    const call = floor.call('c1');
    const { timers, flow, heard, state } = call;
    if (flow?.stage && !call.claim) expect(timers.step).toBeDefined();
    if (state === 'active' && !flow?.stage && heard.length === 0)
      expect(timers.graceLeft ?? timers.graceLost).toBeDefined();
    const { audience } = wanted(call);
    expect(audience.named).toEqual(call.ai ? [call.ai.identity] : []);
    if (audience.ai) expect(awaitedOf(call.flow).length).toBeGreaterThan(0);
    if (call.claim) expect(audience.ai).toBe(false);
    // What waits for an earlier job was not asked yet.
    if (holds) return;
    const here = new Set<string>();
    for (const line of asked(floor)) {
      const [verb, name = ''] = line.split(' ');
      expect(here.has(name)).toBe(verb === 'recall');
      if (verb === 'send') here.add(name);
      else here.delete(name);
    }
    const known = [...awaitedOf(call.flow), ...(call.ai ? [call.ai] : [])].map(({ name }) => name);
    expect([...here].toSorted()).toEqual([...new Set(known)].toSorted());
  }
});
