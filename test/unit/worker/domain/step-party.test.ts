// What people do to each other in a connected call: who is rung, who is heard, and what comes of it when somebody leaves.
import { beforeEach, describe, expect, it } from 'vitest';
import { wanted } from '../../../../worker/domain/call.ts';
import { loads } from '../../../../worker/domain/desk.ts';
import type { AgentId } from '../../../../worker/domain/ids.ts';
import type { PartyCommand, Refusal, TransferTo } from '../../../../worker/domain/people.ts';
import { Floor } from './floor.ts';

const ring = { ring: { team: 'sales', seconds: 25, strategy: 'longest-idle' as const } };
const ana = 'agent-ana';
const bea = 'agent-bea';
const actor = { kind: 'agent', id: 'ana' } as const;
const toBea: TransferTo = { kind: 'agent', agentId: 'bea' as AgentId };
const toSales: TransferTo = { kind: 'team', team: 'sales' };

let floor: Floor;

/** A call that Ana has. */
function talking(...others: object[]): Floor {
  const made = new Floor([ring], [{ id: 'ana' }, { id: 'bea', idleSinceMs: 9 }, ...(others as [])]);
  made.ring('c1');
  made.take('c1', 'ana');
  made.joins('c1', ana);
  expect(made.call('c1')).toMatchObject({ state: 'active', heard: [ana] });
  return made;
}

beforeEach(() => {
  floor = talking();
});

const transfer = (to: TransferTo = toBea, summary: string | null = null): Refusal | null =>
  floor.apply('c1', { type: 'transfer', to, summary, actor });
const command = (what: PartyCommand): Refusal | null =>
  floor.apply('c1', { type: 'party', command: what, actor });
const supervise = (mode: 'monitor' | 'whisper' | 'barge') => {
  const who = { agentId: 'sue' as AgentId, agentName: 'Sue', identity: 'agent-sue', atMs: 0 };
  return command({ action: 'supervise', who, mode });
};
const consult = () => command({ action: 'consult', to: toBea as never });
const call = () => floor.call('c1');
const audience = () => wanted(call()).audience;
const hold = () => wanted(call()).audio.isHeld;
const sound = () => call().audio.playing?.promptId ?? null;
const last = () => floor.decisions.at(-1)?.decision.entry?.type;
const asked = () => call().people.asked?.search.rung.map(({ agentId }) => agentId) ?? [];
const removed = () =>
  floor.decisions.flatMap(({ decision }) =>
    decision.jobs.flatMap(({ job }) =>
      job.lane === 'room' && job.action === 'remove' ? [job.identity] : [],
    ),
  );

describe('a transfer', () => {
  it('silences the agent at once, plays ring-back, and rings the colleague', () => {
    expect(transfer(toBea, 'wants a refund')).toBeNull();
    expect(call()).toMatchObject({ state: 'active', claim: null, heard: [] });
    expect(audience()).toMatchObject({ named: [], excluded: [ana] });
    expect(removed()).toEqual([ana]);
    expect(sound()).toBe('sound:ring-back');
    expect(floor.rung('c1')).toEqual(['bea']);
    expect(call().people.summary).toBe('wants a refund');
  });

  it('is over once the colleague is heard', () => {
    transfer();
    floor.take('c1', 'bea');
    expect(call()).toMatchObject({ claim: { agentId: 'bea' }, heard: [bea] });
    expect(sound()).toBeNull();
    expect(call().flow?.stage).toBeNull();
    expect(loads([call()])).toEqual(new Map([['bea', 1]]));
  });

  it('comes back to the agent when nobody answers, who was kept for it', () => {
    transfer();
    expect(loads([call()]).get('ana' as AgentId)).toBe(1);
    floor.pass(30_000);
    expect(floor.rung('c1')).toEqual(['ana']);
    floor.take('c1', 'ana');
    expect(call()).toMatchObject({ claim: { agentId: 'ana' }, heard: [ana], excluded: [] });
  });

  it('ends the call when the agent does not answer either, and somebody should get back', () => {
    transfer();
    floor.pass(30_000);
    floor.pass(30_000);
    expect(call()).toMatchObject({ outcome: { reason: 'no-answer' }, followUp: 'missed' });
  });

  it('to a team rings the team without the agent', () => {
    transfer(toSales);
    expect(floor.rung('c1')).toEqual(['bea']);
    floor.decline('c1', 'bea');
    expect(floor.rung('c1')).toEqual(['ana']);
  });

  it('is taken back: the agent is rung at once', () => {
    transfer();
    expect(command({ action: 'cancel-transfer' })).toBeNull();
    expect(floor.rung('c1')).toEqual(['ana']);
    expect(command({ action: 'cancel-transfer' })).toBeNull();
    expect(floor.rung('c1')).toEqual(['ana']);
  });

  it('ends a hold', () => {
    floor.apply('c1', { type: 'audio', command: { action: 'hold' }, actor });
    transfer();
    floor.take('c1', 'bea');
    expect(hold()).toBe(false);
  });

  it('of an AI agent lets it speak until the colleague is heard', () => {
    floor = talking();
    floor.relay('c1', { type: 'relay.ready', identity: 'bot' });
    floor.relay('c1', { type: 'relay.participant-left', identity: ana, why: 'left' });
    transfer();
    expect(call().heard).toContain('bot');
    expect(sound()).toBeNull();
    floor.take('c1', 'bea');
    expect(call().heard).toEqual([bea]);
    expect(audience().excluded).toContain('bot');
    expect(removed()).toContain('bot');
  });

  it('of an AI agent that nobody takes leaves the caller with it', () => {
    floor.relay('c1', { type: 'relay.ready', identity: 'bot' });
    floor.relay('c1', { type: 'relay.participant-left', identity: ana, why: 'left' });
    transfer();
    floor.decline('c1', 'bea');
    floor.decline('c1', 'ana');
    expect(call()).toMatchObject({ state: 'active', outcome: null });
    expect(call().heard).toEqual(['bot']);
    expect(last()).toBe('transfer-failed');
  });

  it.each<[string, TransferTo, Refusal]>([
    ['to nobody', { kind: 'agent', agentId: 'eve' as AgentId }, { reason: 'no-such-agent' }],
    ['to oneself', { kind: 'agent', agentId: 'ana' as AgentId }, { reason: 'same-agent' }],
    ['to an unknown team', { kind: 'team', team: 'x' }, { reason: 'no-such-team' }],
  ])('%s is refused, and the call undisturbed', (_name, to, refusal) => {
    const before = call();
    expect(transfer(to)).toEqual(refusal);
    expect(call()).toBe(before);
  });

  it.each([
    [{ isConnected: false }, 'offline'],
    [{ duty: 'away' }, 'away'],
    [{ restsUntilMs: 9e15 }, 'wrap-up'],
  ] as const)('to somebody who is not there is refused: %j', (state, presence) => {
    floor.set('bea', state);
    const before = call();
    expect(transfer()).toEqual({ reason: 'not-available', presence });
    expect(transfer(toSales)).toEqual({ reason: 'nobody-available' });
    expect(call()).toBe(before);
  });

  it('is refused while somebody is looked for, and before anybody is connected', () => {
    transfer();
    const before = call();
    expect(transfer(toSales)).toEqual({ reason: 'under-way' });
    expect(call()).toBe(before);
    floor.ring('c2');
    const event = { type: 'transfer', to: toBea, summary: null, actor } as const;
    expect(floor.apply('c2', event)).toEqual({ reason: 'not-connected' });
  });
});

describe('a consultation', () => {
  /** Bea is in the room with Ana. */
  const together = () => {
    consult();
    floor.claim('c1', 'bea');
    floor.joins('c1', bea);
  };

  it('holds the caller and rings the colleague, who is not heard by the caller', () => {
    expect(consult()).toBeNull();
    expect(hold()).toBe(true);
    expect(asked()).toEqual(['bea']);
    floor.claim('c1', 'bea');
    expect(audience()).toMatchObject({ named: [], excluded: [bea] });
    floor.joins('c1', bea);
    floor.relay('c1', { type: 'relay.ready', identity: bea });
    expect(call().heard).toEqual([ana]);
    expect(hold()).toBe(true);
    expect(loads([call()]).get('bea' as AgentId)).toBe(1);
  });

  it('cannot be overheard by a caller who is taken off hold', () => {
    together();
    const before = call();
    const event = { type: 'audio', command: { action: 'unhold' }, actor } as const;
    expect(floor.apply('c1', event)).toEqual({ reason: 'consulting' });
    expect(call()).toBe(before);
  });

  it('removes AI agents first', () => {
    floor.relay('c1', { type: 'relay.ready', identity: 'bot' });
    consult();
    expect(call().heard).toEqual([ana]);
    expect(audience().excluded).toEqual(['bot']);
    expect(removed()).toEqual(['bot']);
  });

  it('becomes a talk of three', () => {
    together();
    expect(command({ action: 'merge' })).toBeNull();
    expect(hold()).toBe(false);
    expect(audience()).toMatchObject({ named: [bea], excluded: [] });
    floor.relay('c1', { type: 'relay.ready', identity: bea });
    expect(call().heard).toEqual([ana, bea]);
  });

  it('hands the call over', () => {
    together();
    expect(command({ action: 'complete' })).toBeNull();
    expect(call()).toMatchObject({ claim: { agentId: 'bea' }, heard: [bea] });
    expect(audience()).toMatchObject({ named: [bea], excluded: [ana] });
    expect(hold()).toBe(false);
    expect(removed()).toEqual([ana]);
  });

  it('is given up: the colleague leaves, and the caller is back', () => {
    together();
    expect(command({ action: 'cancel-consult' })).toBeNull();
    expect(hold()).toBe(false);
    expect(audience()).toMatchObject({ named: [], excluded: [bea] });
    expect(removed()).toEqual([bea]);
    floor.joins('c1', bea);
    expect(removed()).toEqual([bea, bea]);
  });

  it.each([
    ['does not answer', () => floor.pass(30_000)],
    ['declines', () => floor.decline('c1', 'bea')],
    [
      'does not come',
      () => {
        floor.claim('c1', 'bea');
        floor.pass(10_000);
      },
    ],
    [
      'leaves',
      () => {
        floor.claim('c1', 'bea');
        floor.joins('c1', bea);
        floor.leaves('c1', bea);
        floor.pass(5_000);
      },
    ],
  ])('whose colleague %s leaves the caller on hold, until the agent takes them back', (_, what) => {
    consult();
    what();
    expect(floor.decisions.map(({ decision }) => decision.entry?.type)).toContain(
      'consultation-failed',
    );
    expect(call().people).toMatchObject({ parties: [], asked: null });
    expect(hold()).toBe(true);
    floor.apply('c1', { type: 'audio', command: { action: 'unhold' }, actor });
    expect(hold()).toBe(false);
  });

  it('survives a page of the colleague that is loaded again', () => {
    together();
    floor.leaves('c1', bea);
    floor.pass(4_000);
    floor.joins('c1', bea);
    floor.pass(60_000);
    expect(call().people.parties).toMatchObject([{ identity: bea, isThere: true }]);
  });

  it('whose agent leaves gives the call to the colleague', () => {
    together();
    floor.leaves('c1', ana);
    expect(hold()).toBe(true);
    floor.pass(5_000);
    expect(call()).toMatchObject({ state: 'active', claim: { agentId: 'bea' }, heard: [bea] });
    expect(hold()).toBe(false);
  });

  it('whose agent leaves while the colleague is rung goes on as a transfer', () => {
    consult();
    floor.leaves('c1', ana);
    floor.pass(5_000);
    expect(call()).toMatchObject({ state: 'active', claim: null, people: { asked: null } });
    expect(floor.rung('c1')).toEqual(['bea']);
    expect(sound()).toBe('sound:ring-back');
    floor.take('c1', 'bea');
    expect(call()).toMatchObject({ claim: { agentId: 'bea' }, heard: [bea] });
  });

  it('whose agent leaves while the colleague is coming waits for the colleague', () => {
    consult();
    floor.claim('c1', 'bea');
    floor.leaves('c1', ana);
    floor.pass(6_000);
    floor.joins('c1', bea);
    floor.pass(20_000);
    expect(call()).toMatchObject({ state: 'active', claim: { agentId: 'bea' } });
  });

  it('is refused when there is nobody to consult, or nothing to end', () => {
    expect(command({ action: 'merge' })).toEqual({ reason: 'no-consultation' });
    expect(command({ action: 'cancel-consult' })).toEqual({ reason: 'no-consultation' });
    consult();
    expect(command({ action: 'complete' })).toEqual({ reason: 'not-there-yet' });
    expect(consult()).toEqual({ reason: 'under-way' });
    expect(transfer(toSales)).toEqual({ reason: 'consulting' });
  });

  it('ends with the call', () => {
    together();
    floor.hangUp('c1');
    expect(call().people).toMatchObject({ parties: [], asked: null });
  });
});

describe('a conference', () => {
  const added = () => {
    command({ action: 'invite', to: toBea as never });
    floor.claim('c1', 'bea');
    floor.joins('c1', bea);
    floor.relay('c1', { type: 'relay.ready', identity: bea });
  };

  it('adds somebody who is heard', () => {
    added();
    expect(audience()).toMatchObject({ named: [bea], excluded: [] });
    expect(call().heard).toEqual([ana, bea]);
    expect(hold()).toBe(false);
  });

  it('goes on without the agent who had the call', () => {
    added();
    floor.leaves('c1', ana);
    floor.pass(5_000);
    expect(call()).toMatchObject({ state: 'active', claim: { agentId: 'bea' }, heard: [bea] });
    floor.pass(60_000);
    expect(call().state).toBe('active');
    floor.leaves('c1', bea);
    floor.pass(5_000);
    expect(call().outcome?.reason).toBe('agent-left');
  });

  it('keeps the agent who comes back', () => {
    added();
    floor.leaves('c1', ana);
    floor.joins('c1', ana);
    floor.pass(60_000);
    expect(call()).toMatchObject({ claim: { agentId: 'ana' }, heard: [bea, ana] });
  });

  it('loses whoever is removed, and not whoever has the call', () => {
    added();
    expect(command({ action: 'remove', identity: ana })).toEqual({ reason: 'has-the-call' });
    expect(command({ action: 'remove', identity: 'eve' })).toEqual({ reason: 'not-in-call' });
    expect(command({ action: 'remove', identity: bea })).toBeNull();
    expect(call().heard).toEqual([ana]);
    expect(audience()).toMatchObject({ named: [], excluded: [bea] });
    expect(removed()).toEqual([bea]);
  });

  it('fails quietly when nobody comes', () => {
    command({ action: 'invite', to: toBea as never });
    floor.decline('c1', 'bea');
    expect(last()).toBe('invitation-failed');
    expect(hold()).toBe(false);
  });
});

describe('a supervisor', () => {
  const there = (mode: 'monitor' | 'whisper' | 'barge') => {
    supervise(mode);
    floor.joins('c1', 'agent-sue');
  };

  it.each(['monitor', 'whisper'] as const)('who is to %s is not heard', (mode) => {
    there(mode);
    floor.relay('c1', { type: 'relay.ready', identity: 'agent-sue' });
    expect(audience()).toMatchObject({ named: [], excluded: ['agent-sue'] });
    expect(call().heard).toEqual([ana]);
  });

  it('who barges in is heard, and no more once they whisper', () => {
    there('barge');
    floor.relay('c1', { type: 'relay.ready', identity: 'agent-sue' });
    expect(call().heard).toEqual([ana, 'agent-sue']);
    supervise('whisper');
    expect(call().heard).toEqual([ana]);
    expect(audience()).toMatchObject({ named: [], excluded: ['agent-sue'] });
  });

  it('is given rights only after the audience has changed', () => {
    there('monitor');
    supervise('whisper');
    const { decision } = floor.decisions.findLast(
      ({ decision: { entry } }) => entry?.type === 'supervising',
    ) as (typeof floor.decisions)[number];
    expect(decision.jobs.map(({ job }) => job)).toEqual([
      { lane: 'room', action: 'permit', identity: 'agent-sue', mode: 'whisper' },
    ]);
  });

  it('does not keep the call alone, unless they barge', () => {
    there('whisper');
    floor.leaves('c1', ana);
    floor.pass(5_000);
    expect(call().outcome?.reason).toBe('agent-left');
  });

  it('who barges gets the call that its agent has left', () => {
    there('barge');
    floor.relay('c1', { type: 'relay.ready', identity: 'agent-sue' });
    floor.leaves('c1', ana);
    floor.pass(5_000);
    expect(call()).toMatchObject({ state: 'active', claim: { agentId: 'sue' } });
  });

  it('is not busy', () => {
    there('monitor');
    expect(loads([call()]).get('sue' as AgentId)).toBeUndefined();
  });

  it('who does not come loses the seat; who only listens is never seen and keeps it', () => {
    supervise('whisper');
    floor.pass(20_000);
    expect(call().people.parties).toEqual([]);
    supervise('monitor');
    floor.pass(60_000);
    expect(call().people.parties).toHaveLength(1);
  });

  it('cannot be somebody who has a part in the call', () => {
    const who = { agentId: 'ana' as AgentId, agentName: 'Ana', identity: ana, atMs: 0 };
    expect(command({ action: 'supervise', who, mode: 'barge' })).toEqual({
      reason: 'already-there',
    });
  });
});
