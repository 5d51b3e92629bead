import { expect, it } from 'vitest';
import { graphVersionEnd } from '../../../../worker/domain/graph-version.ts';

it.each([
  ['v25.0', '2028-07-29'],
  ['v26.0', 'never'],
  ['v19.0', 'over'],
  ['v27.0', 'unknown'],
])('%s: %s', (version, end) => {
  expect(graphVersionEnd(version)).toBe(end);
});
