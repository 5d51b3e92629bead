import { expect, it } from 'vitest';
import { parseCommand } from '../../../relay/command-line.ts';

it.each([
  [[], { processes: 1, isCheck: false }],
  [['--check-config'], { processes: 1, isCheck: true }],
  [['--processes', 'auto'], { processes: 6, isCheck: false }],
  [['--processes', '1'], { processes: 1, isCheck: false }],
  [['--processes=12', '--process=12'], { processes: 12, process: 12, isCheck: false }],
])('%j', (args, command) => {
  expect(parseCommand(args, 6)).toEqual({ ok: true, command });
});

it.each([
  [['--processes', '0'], '--processes'],
  [['--processes', '100'], '--processes'],
  [['--processes', '1.5'], '--processes'],
  [['--processes', 'all'], '--processes'],
  [['--processes'], '--processes'],
  [['--processes', '2', '--process', '3'], '--process'],
  [['--other'], '--other'],
  [['3'], '3'],
])('%j is refused by name', (args, name) => {
  const parsed = parseCommand(args, 6);
  if (parsed.ok) throw new Error('accepted');
  expect(parsed.problems.join()).toContain(name);
});
