// Cases that are easily decided wrongly: found while every state was held against every event.
import { describe, expect, it } from 'vitest';
import type { Call, Placement } from '../../../../worker/domain/call.ts';
import type { Decision } from '../../../../worker/domain/decision.ts';
import { dueAtMs, step } from '../../../../worker/domain/step.ts';
import {
  away,
  callIn,
  claims,
  fails,
  hangUp,
  joins,
  mediaEnds,
  nameOf,
  OTHER_PLACE,
  permits,
  running,
  silent,
  terminates,
  tick,
  type Column,
  type Kind,
  type Move,
  type Way,
} from './transitions-calls.ts';

function there(state: Column, kind: Kind, way: Way = {}): { call: Call; nowMs: number } {
  const scene = callIn(state, kind, way);
  if (!scene?.call) throw new Error(`no call gets to ${state} that way`);
  return { call: scene.call, nowMs: scene.nowMs };
}

/** What a decision leaves, where there has to be one. */
function after(
  { call, nowMs }: { call: Call; nowMs: number },
  move: Move,
  free: Placement | null = OTHER_PLACE,
): Decision & { call: Call } {
  const decision = step(call, move(call), nowMs, free);
  if (!decision.call) throw new Error('no call');
  return { ...decision, call: decision.call };
}

const namesOf = ({ jobs }: Decision): string[] => jobs.map(nameOf);

describe('a dial that nobody confirmed', () => {
  it('is waited for no longer than any other when its relay ends the media', () => {
    const unsure: Way = {
      hold: ['graph.connect'],
      at: { dialling: [fails('graph.connect', 'unsure')] },
    };
    const dialling = there('dialling', 'agent', unsure);
    let { call } = after(dialling, mediaEnds('internal'));
    expect(call).toMatchObject({ state: 'ending', outcome: { reason: 'relay-failed' } });
    expect(call.timers.adopt).toBe(dialling.call.timers.adopt);
    while (call.state !== 'ended' && dueAtMs(call) !== Infinity) {
      call = after({ call, nowMs: dueAtMs(call) }, tick).call;
    }
    expect(call.state).toBe('ended');
  });
});

describe('a call that ends before it has begun', () => {
  it('makes no room when there is no relay for it', () => {
    const granted = after(there('asking', 'room'), permits(true), null);
    expect(granted.call).toMatchObject({ state: 'ended', outcome: { reason: 'no-relay' } });
    expect(namesOf(granted)).toEqual(['record.outcome']);
  });

  it('is not ended by the provider while it is not dialled', () => {
    for (const state of ['asking', 'ringing', 'claimed', 'offering'] as const) {
      const scene = there(state, 'agent');
      expect(after(scene, terminates()).call).toBe(scene.call);
    }
  });
});

describe('a relay that fails', () => {
  it.each([
    'closed',
    'internal',
    'no-capacity',
    'media-failed',
    'room-failed',
    'room-lost',
  ] as const)(
    'is followed by another one while the provider has not seen our SDP: %s',
    (reason) => {
      const answer = after(there('offered', 'inbound'), mediaEnds(reason));
      expect(answer).toMatchObject({ call: { placement: OTHER_PLACE }, messages: ['answer'] });
      const offer = after(there('offering', 'room'), mediaEnds(reason));
      expect(offer).toMatchObject({ call: { placement: OTHER_PLACE }, messages: ['offer'] });
    },
  );

  it('is not followed by another one where that would not help', () => {
    for (const reason of ['unusable-offer', 'room-deleted', 'removed-from-room'] as const) {
      const end = after(there('offered', 'inbound'), mediaEnds(reason));
      expect(end.call).toMatchObject({ state: 'ending', outcome: { reason } });
    }
  });

  it('takes its silence with it: the one that follows is not given up for it', () => {
    const unheard = there('offered', 'inbound', { last: [joins, silent] });
    expect(unheard.call.timers.control).toBeDefined();
    const moved = after({ ...unheard, nowMs: unheard.call.timers.relayAnswer ?? 0 }, tick).call;
    expect(moved).toMatchObject({ state: 'offered', placement: OTHER_PLACE });
    expect(Object.keys(moved.timers).toSorted()).toEqual(['answer', 'relayAnswer']);
    expect(moved.pending).toEqual([]);
  });
});

describe('a room', () => {
  it('that cannot be made again ends no call, for the relay may be back in it', () => {
    const scene = there('active', 'inbound', { last: [away] });
    const refused = after(scene, fails('room.create', 'refused')).call;
    expect(refused).toMatchObject({ state: 'active', outcome: null, pending: [] });
    expect(after({ ...scene, call: refused }, mediaEnds('room-lost')).call.outcome).toMatchObject({
      reason: 'room-lost',
    });
  });

  it('is deleted at once after the call, and nobody is removed from it any more', () => {
    const way: Way = {
      hold: ['room.remove'],
      at: { ringing: [claims(), tick] },
      endsFrom: 'ringing',
    };
    const ended = there('ended', 'inbound', { ...way, last: [mediaEnds('closed')] });
    expect(namesOf(after(ended, fails('room.remove', 'unavailable')))).toEqual(['room.delete']);
  });
});

describe('an agent who claims again', () => {
  it('is not removed from the room for the claim before', () => {
    const released: Way = {
      hold: ['room.remove'],
      at: { ringing: [claims(), tick, fails('room.remove', 'unavailable')] },
    };
    const ringing = there('ringing', 'inbound', released);
    expect(ringing.call.pending.map(nameOf)).toEqual(['room.remove']);
    const other = after(ringing, claims('a2')).call;
    expect(other.pending.map(nameOf)).toEqual(['room.remove']);
    expect(after(ringing, claims()).call.pending).toEqual([]);
  });
});

describe('an end', () => {
  it.each([
    ['graph.terminate', 'inbound', 'active'],
    ['graph.reject', 'inbound', 'ringing'],
    ['graph.terminate', 'agent', 'active'],
  ] as const)(
    'that the provider has confirmed is not asked for again: %s, %s',
    (job, kind, endsFrom) => {
      const ended = there('ended', kind, { endsFrom, endsBy: hangUp, last: [terminates()] });
      expect(running(ended.call, job)).toBeDefined();
      const { call } = after(ended, fails(job, 'unsure'));
      expect(call.pending.map(nameOf)).not.toContain(job);
    },
  );
});
