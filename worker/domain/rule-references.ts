// What a rule set refers to outside of itself: numbers, teams, agents, prompts. Pure.
import type { Match, RuleSet, Step } from './rules.ts';

/** Where something is in a rule set, such as `['rules', 3, 'steps', 0, 'ring', 'team']`. */
export type Path = readonly (string | number)[];

export interface Reference {
  readonly kind: 'number' | 'team' | 'agent' | 'prompt';
  readonly id: string;
  readonly path: Path;
}

/** Every reference of the set, in the order in which they stand there. */
export function referencesOf({ rules, flows, otherwise }: RuleSet): Reference[] {
  return [
    ...rules.flatMap(({ match, steps }, index) => [
      ...matchReferences(['rules', index, 'match'], match),
      ...stepsReferences(['rules', index, 'steps'], steps),
    ]),
    ...Object.entries(flows).flatMap(([name, steps]) => stepsReferences(['flows', name], steps)),
    ...stepsReferences(['otherwise'], otherwise),
  ];
}

/** The first place where a set refers to this; null when it does not. */
export function placeOf(set: RuleSet, kind: Reference['kind'], id: string): string | null {
  const found = referencesOf(set).find((one) => one.kind === kind && one.id === id);
  return found ? found.path.join('.') : null;
}

function matchReferences(path: Path, { numbers = [], available }: Match): Reference[] {
  return [
    ...numbers.map((id, index): Reference => ({
      kind: 'number',
      id,
      path: [...path, 'numbers', index],
    })),
    ...(available ? [team([...path, 'available', 'team'], available.team)] : []),
  ];
}

const stepsReferences = (path: Path, steps: readonly Step[]): Reference[] =>
  steps.flatMap((step, index) => stepReferences([...path, index], step));

function stepReferences(path: Path, step: Step): Reference[] {
  if ('ring' in step) {
    const { team: name, agents = [] } = step.ring;
    return [
      ...(name === undefined ? [] : [team([...path, 'ring', 'team'], name)]),
      ...agents.map((id, index): Reference => ({
        kind: 'agent',
        id,
        path: [...path, 'ring', 'agents', index],
      })),
    ];
  }
  if ('queue' in step)
    return [
      team([...path, 'queue', 'team'], step.queue.team),
      ...prompt([...path, 'queue', 'music'], step.queue.music),
      ...prompt([...path, 'queue', 'callback_prompt'], step.queue.callback_prompt),
    ];
  if ('ai' in step) {
    const { team: name, agent_id: id } = step.ai.handover?.to ?? {};
    const at = [...path, 'ai', 'handover', 'to'];
    return [
      ...(name === undefined ? [] : [team([...at, 'team'], name)]),
      ...(id === undefined ? [] : [{ kind: 'agent', id, path: [...at, 'agent_id'] } as const]),
    ];
  }
  if ('play' in step) return prompt([...path, 'play', 'prompt'], step.play.prompt);
  if ('voicemail' in step) return prompt([...path, 'voicemail', 'prompt'], step.voicemail.prompt);
  if ('menu' in step) {
    const { menu } = step;
    return [
      ...prompt([...path, 'menu', 'prompt'], menu.prompt),
      ...prompt([...path, 'menu', 'wrong_key_prompt'], menu.wrong_key_prompt),
      ...Object.entries(menu.keys).flatMap(([key, steps]) =>
        stepsReferences([...path, 'menu', 'keys', key], steps),
      ),
    ];
  }
  return [];
}

const team = (path: Path, id: string): Reference => ({ kind: 'team', id, path });

const prompt = (path: Path, id: string | undefined): Reference[] =>
  id === undefined ? [] : [{ kind: 'prompt', id, path }];
