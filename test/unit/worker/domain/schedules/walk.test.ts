import fc from 'fast-check';
import { expect, it } from 'vitest';
import { anyWalk } from './any-walk.ts';
import { walk } from './walk.ts';

it('whatever happens in whatever order, the machine keeps its word and comes to rest', () => {
  fc.assert(
    fc.property(anyWalk, (path) => {
      expect(walk(path)).toEqual([]);
    }),
    { numRuns: 1_500 },
  );
});
