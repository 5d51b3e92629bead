// Where a call is among its steps.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  into,
  listAt,
  nextStep,
  NO_RULES,
  pathOf,
  stepAt,
  STEPS_BEGUN_MAX,
  withOwn,
  type Flow,
} from '../../../../worker/domain/flow.ts';
import { ruleSet, type Step } from '../../../../worker/domain/rules.ts';

const play = (prompt: string) => ({ play: { prompt } });
const set = ruleSet.parse({
  rules: [
    {
      name: 'menu',
      steps: [
        play('welcome'),
        {
          menu: { prompt: 'choose', keys: { 1: [play('one'), { goto: 'end' }], 2: [play('two')] } },
        },
        play('after'),
      ],
    },
  ],
  flows: { end: [play('bye'), { reject: {} }], round: [{ goto: 'round' }] },
  otherwise: [{ goto: 'round' }],
});

const at = (path: string, next = 0): Flow => ({
  version: 1,
  rule: 'menu',
  frames: [{ path, next }],
  own: [],
  begun: 0,
  stage: null,
});

/** Every step from here on, as `play`s name themselves. */
function walk(flow: Flow): string[] {
  const seen: string[] = [];
  for (let next = nextStep(set, flow); next; next = nextStep(set, next.flow)) {
    seen.push('play' in next.step ? next.step.play.prompt : Object.keys(next.step).join());
  }
  return seen;
}

describe('the steps of a call', () => {
  it('follow each other', () => {
    expect(walk(at('rules.0.steps'))).toEqual(['welcome', 'menu', 'after']);
  });

  it('go into the way of a key and come back behind the menu', () => {
    const menu = at('rules.0.steps', 2);
    expect(pathOf(menu)).toBe('rules.0.steps.1');
    expect(walk(into(menu, `${pathOf(menu)}.menu.keys.2`))).toEqual(['two', 'after']);
  });

  it('do not come back from another flow', () => {
    const menu = at('rules.0.steps', 2);
    expect(walk(into(menu, `${pathOf(menu)}.menu.keys.1`))).toEqual(['one', 'bye', 'reject']);
  });

  it('end where they only go round', () => {
    expect(walk(at('otherwise'))).toEqual([]);
    expect(nextStep(set, { ...at('rules.0.steps'), begun: STEPS_BEGUN_MAX })).toBeNull();
  });

  it('that stand in no rule set come before those that follow, or in their place', () => {
    const steps = [play('own')] as Step[];
    const menu = at('rules.0.steps', 2);
    expect(walk(withOwn(menu, steps, false))).toEqual(['own', 'after']);
    expect(walk(withOwn(menu, steps, true))).toEqual(['own']);
    const twice = withOwn(withOwn(menu, steps, false), [play('again')] as Step[], false);
    expect(walk(twice)).toEqual(['again', 'own', 'after']);
  });

  it('are known by their place', () => {
    expect(stepAt(set, at('rules.0.steps'))).toBeNull();
    expect(stepAt(set, at('rules.0.steps', 1))).toEqual(play('welcome'));
    expect(stepAt(set, at('rules.0.steps', 9))).toBeNull();
  });
});

it.each([
  'rules.7.steps',
  'rules.0',
  'rules.0.name',
  'flows.constructor',
  'own.0',
  '__proto__',
  '',
])('there is no list at %j', (path) => expect(listAt(set, [], path)).toBeNull());

it('whatever a flow holds, its end is reached', () => {
  const anyPath = fc.oneof(
    fc.constantFrom('otherwise', 'rules.0.steps', 'flows.end', 'flows.round', 'own.0', 'x'),
    fc.string(),
  );
  const frames = fc.array(fc.record({ path: anyPath, next: fc.nat(5) }), { maxLength: 5 });
  fc.assert(
    fc.property(frames, (some) => {
      expect(walk({ ...at('otherwise'), frames: some }).length).toBeLessThanOrEqual(
        STEPS_BEGUN_MAX,
      );
    }),
  );
});

it('where no rules were saved, the rules are such as could be saved', () => {
  expect(ruleSet.parse(NO_RULES)).toEqual(NO_RULES);
});
