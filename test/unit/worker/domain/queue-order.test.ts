// Who waits is served by priority and then by how long they have waited: whichever call is asked first, whatever memory was lost.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isOver, type Call } from '../../../../worker/domain/call.ts';
import { ruleSet } from '../../../../worker/domain/rules.ts';
import { Floor } from './floor.ts';

const PRIORITIES = [0, 3, 9];
const { rules } = ruleSet.parse({
  rules: PRIORITIES.map((priority) => ({
    name: `priority ${priority}`,
    match: { numbers: [`n${priority}`] },
    steps: [{ queue: { team: 'sales', priority, longest_wait_s: 3_600, each_s: 60 } }],
  })),
  otherwise: [{ reject: {} }],
});

const anyMove = fc.oneof(
  { weight: 4, arbitrary: fc.record({ calls: fc.constantFrom(...PRIORITIES), ms: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ serves: fc.infiniteStream(fc.nat(1_000)) }) },
  { weight: 1, arbitrary: fc.constant({ forgets: true } as const) },
  { weight: 1, arbitrary: fc.record({ givesUp: fc.nat(20) }) },
);

/** Of a call in the queue, as the caller would say it. */
interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly sinceMs: number;
}

const first = (waiting: readonly Waiting[]): string | undefined =>
  waiting.toSorted(
    (one, other) =>
      other.priority - one.priority || one.sinceMs - other.sinceMs || (one.id < other.id ? -1 : 1),
  )[0]?.id;

it('the one who comes first is served first', () => {
  fc.assert(
    fc.property(fc.array(anyMove, { maxLength: 60 }), (moves) => {
      const floor = new Floor([{ reject: {} }], [{ id: 'ana', duty: 'away' }]);
      floor.rules.rules.push(...rules);
      let waiting: Waiting[] = [];
      let count = 0;
      for (const move of moves) {
        if ('calls' in move) {
          const id = `c${String(((count += 1) * 7) % 100)}-${count}`;
          floor.ring(id, { numberId: `n${move.calls}` as never });
          waiting.push({ id, priority: move.calls, sinceMs: floor.nowMs });
          floor.pass(move.ms);
        } else if ('serves' in move) {
          floor.set('ana', { duty: 'available' });
          floor.offer(shuffled([...floor.calls.keys()], move.serves));
          const rung = waiting.filter(({ id }) => floor.rung(id).length > 0).map(({ id }) => id);
          expect(rung).toEqual([first(waiting)].filter((id) => id !== undefined));
          for (const id of rung) {
            floor.take(id, 'ana');
            floor.set('ana', { duty: 'away' });
            floor.hangUp(id);
          }
          floor.set('ana', { duty: 'away' });
          waiting = waiting.filter(({ id }) => !rung.includes(id));
        } else if ('forgets' in move) {
          // What is left is what the record holds, in no order.
          const kept = JSON.parse(JSON.stringify([...floor.calls])) as [Call['id'], Call][];
          floor.calls.clear();
          for (const [id, call] of kept.toReversed()) floor.calls.set(id, call);
        } else {
          const gone = waiting[move.givesUp];
          if (gone) floor.hangUp(gone.id);
          waiting = waiting.filter((one) => one !== gone);
        }
        for (const { id } of waiting) expect(isOver(floor.call(id))).toBe(false);
      }
    }),
    { numRuns: 200 },
  );
});

function shuffled(ids: readonly string[], random: Iterator<number>): string[] {
  const weights = new Map(ids.map((id) => [id, Number(random.next().value)]));
  return ids.toSorted((one, other) => (weights.get(one) ?? 0) - (weights.get(other) ?? 0));
}
