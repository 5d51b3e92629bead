// Whether the judge of the schedules can see: parts of the product are taken out, and it has to notice. The record is in memory,
// because what is judged here is the judge.
import { expect, it } from 'vitest';
import { playMany } from './many.ts';
import { createMemoryStore } from './memory-store.ts';
import type { Control } from './world.ts';

const SCHEDULES_MAX = 3_000;
const AT_ONCE = 20;

it.each<[control: Control, what: string, violation: string]>([
  ['no-fence', 'an outdated Switchboard writes over the other one', 'outcome-changed'],
  ['deaf-to-lost-relays', 'nobody hears of relays that are lost', 'caller-alone'],
  ['dials-twice', 'dials are repeated', 'dialled-twice'],
  ['silent-about-hold', 'relays are not told who is on hold', 'sounds-otherwise'],
  ['no-alarm', 'nobody wakes the Switchboard', 'stuck-call'],
])('%s: %s, and it is noticed', async (control, _what, violation) => {
  const kinds = new Set<string>();
  for (let seed = 1; seed < SCHEDULES_MAX && !kinds.has(violation); seed += AT_ONCE) {
    const { found } = await playMany(createMemoryStore(), seed, AT_ONCE, control);
    for (const { violations } of found) for (const { kind } of violations) kinds.add(kind);
  }
  expect([...kinds]).toContain(violation);
});
