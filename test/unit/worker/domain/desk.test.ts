// What a decision knows of the other calls while some of their own decisions are being stored.
import { expect, it } from 'vitest';
import { deskFor, loads } from '../../../../worker/domain/desk.ts';
import { searchOf } from '../../../../worker/domain/flow.ts';
import { Floor } from './floor.ts';

it('an agent whose call is ending is free once the end is stored, not before', () => {
  const floor = new Floor([{ queue: { team: 'sales' } }], [{ id: 'ana' }]);
  floor.ring('c1');
  floor.take('c1', 'ana');
  const talking = floor.call('c1');
  floor.ring('c2');
  floor.hangUp('c1');
  const calls = [...floor.calls.values()];
  const [ana] = floor.members.values();
  const search = searchOf(floor.call('c2').flow);
  if (!ana || !search) throw new Error('nobody waits for Ana');
  const set = { rules: floor.rules, version: 1 };
  const desk = (replaced: (typeof talking)[]) =>
    deskFor(floor.call('c2').id, calls, [ana], set, floor.nowMs, replaced);
  expect(desk([talking]).isFreeFor(search, ana)).toBe(false);
  expect(desk([]).isFreeFor(search, ana)).toBe(true);
});

it('a call counts once for an agent, also while a decision on it is being stored', () => {
  const floor = new Floor([{ queue: { team: 'sales' } }], [{ id: 'ana', capacity: 2 }]);
  floor.ring('c1');
  const rung = floor.call('c1');
  floor.claim('c1', 'ana');
  expect([...loads([rung, floor.call('c1')]).values()]).toEqual([1]);
});
