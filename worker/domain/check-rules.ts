// What is wrong with a rule set as a whole. Each finding names where it is, as the path of a member, and what was expected. Pure.
import { refusalOfAddress } from './outside-address.ts';
import { referencesOf, type Path, type Reference } from './rule-references.ts';
import { typeOf, type Match, type RuleSet, type Step } from './rules.ts';

/** What a rule set may refer to. */
export interface Known {
  readonly numbers: ReadonlySet<string>;
  /** Ids of their members. */
  readonly teams: ReadonlyMap<string, readonly string[]>;
  /** Their skills. */
  readonly agents: ReadonlyMap<string, readonly string[]>;
  readonly prompts: ReadonlySet<string>;
  /** The deployment keeps audio. */
  readonly canRecord: boolean;
  /** Endpoints may be on this machine. */
  readonly isLoopbackAllowed: boolean;
  /** The deployment has a secret to sign questions with. */
  readonly canAsk: boolean;
}

export interface RuleFinding {
  /** Such as `rules.3.steps.0.ring.team`. */
  readonly path: string;
  readonly message: string;
}

/** Whatever follows these is never reached. */
const FINAL = new Set(['voicemail', 'reject', 'goto']);

const EXPECTED: Readonly<Record<Reference['kind'], string>> = {
  number: 'the id of a number',
  team: 'a team',
  agent: 'the id of an agent',
  prompt: 'the id of a prompt',
};

/** The schedule that a number's own hours are. */
export const NUMBER_HOURS = 'number';

/** @returns nothing for a set that may be used */
export function checkRules(set: RuleSet, known: Known): RuleFinding[] {
  const checker = new Checker(set, known);
  checker.check();
  return checker.findings.map(({ path, message }) => ({ path: path.join('.'), message }));
}

class Checker {
  readonly findings: { path: Path; message: string }[] = [];
  readonly #set: RuleSet;
  readonly #known: Known;
  readonly #used = {
    flows: new Set<string>(),
    schedules: new Set<string>(),
    lists: new Set<string>(),
  };

  constructor(set: RuleSet, known: Known) {
    this.#set = set;
    this.#known = known;
  }

  check(): void {
    const { rules, flows, otherwise } = this.#set;
    this.#references();
    for (const [index, rule] of rules.entries()) {
      this.#match(['rules', index, 'match'], rule.match);
      this.#steps(['rules', index, 'steps'], rule.steps);
    }
    for (const [name, steps] of Object.entries(flows)) this.#steps(['flows', name], steps);
    this.#steps(['otherwise'], otherwise);
    this.#unreachableRules();
    this.#unused();
    this.#loops();
  }

  #find(path: Path, message: string): void {
    this.findings.push({ path, message });
  }

  #knows(path: Path, what: string, among: { has: (name: string) => boolean }, name: string): void {
    if (!among.has(name)) this.#find(path, `Expected ${what}; there is no ${name}`);
  }

  #references(): void {
    const { numbers, teams, agents, prompts } = this.#known;
    const among = { number: numbers, team: teams, agent: agents, prompt: prompts };
    for (const { kind, id, path } of referencesOf(this.#set))
      this.#knows(path, EXPECTED[kind], among[kind], id);
  }

  #match(path: Path, { caller, hours }: Match): void {
    if (caller?.list !== undefined) {
      this.#used.lists.add(caller.list);
      this.#knows(
        [...path, 'caller', 'list'],
        'a list of the set',
        keysOf(this.#set.lists),
        caller.list,
      );
    }
    if (hours && hours.schedule !== NUMBER_HOURS) {
      this.#used.schedules.add(hours.schedule);
      const names = keysOf(this.#set.schedules);
      this.#knows(
        [...path, 'hours', 'schedule'],
        `a schedule of the set, or ${NUMBER_HOURS}`,
        names,
        hours.schedule,
      );
    }
  }

  #steps(path: Path, steps: readonly Step[]): void {
    for (const [index, step] of steps.entries()) {
      const at = [...path, index];
      this.#step(at, step);
      if (index > 0 && FINAL.has(typeOf(steps[index - 1] ?? step)))
        this.#find(
          at,
          `Expected a step that is reached; ${typeOf(steps[index - 1] ?? step)} before it is the end`,
        );
    }
  }

  #step(path: Path, step: Step): void {
    if ('ring' in step) {
      const { team, agents = [], skills } = step.ring;
      const rung = team === undefined ? agents : (this.#known.teams.get(team) ?? []);
      this.#skills([...path, 'ring', 'skills'], skills, rung);
    } else if ('queue' in step) {
      const { team, skills } = step.queue;
      this.#skills([...path, 'queue', 'skills'], skills, this.#known.teams.get(team) ?? []);
    } else if ('voicemail' in step) {
      if (!this.#known.canRecord)
        this.#find([...path, 'voicemail'], 'Expected a deployment with an R2 bucket `AUDIO`');
    } else if ('menu' in step) {
      const keys = Object.entries(step.menu.keys);
      if (keys.length === 0) this.#find([...path, 'menu', 'keys'], 'Expected at least one key');
      for (const [key, steps] of keys) this.#steps([...path, 'menu', 'keys', key], steps);
    } else if ('ask' in step) {
      const expected = refusalOfAddress(step.ask.url, this.#known.isLoopbackAllowed);
      if (expected !== null) this.#find([...path, 'ask', 'url'], `Expected ${expected}`);
      if (!this.#known.canAsk)
        this.#find([...path, 'ask'], 'Expected a deployment with the setting `ASK_SECRET`');
    } else if ('goto' in step) {
      this.#used.flows.add(step.goto);
      this.#knows([...path, 'goto'], 'a flow of the set', keysOf(this.#set.flows), step.goto);
    }
  }

  #skills(path: Path, skills: readonly string[], among: readonly string[]): void {
    if (skills.length === 0) return;
    const hasThem = (id: string): boolean =>
      skills.every((skill) => this.#known.agents.get(id)?.includes(skill));
    if (!among.some(hasThem))
      this.#find(path, `Expected skills that one of those who are rung has: ${skills.join(', ')}`);
  }

  /** A rule that takes every call leaves none to those after it. */
  #unreachableRules(): void {
    const { rules } = this.#set;
    const all = rules.findIndex(({ match }) => Object.keys(match).length === 0);
    if (all < 0) return;
    for (let index = all + 1; index < rules.length; index++)
      this.#find(
        ['rules', index],
        `Expected a rule that is reached; rules.${all} takes every call`,
      );
  }

  #unused(): void {
    for (const part of ['flows', 'schedules', 'lists'] as const)
      for (const name of Object.keys(this.#set[part]))
        if (!this.#used[part].has(name))
          this.#find([part, name], 'Expected to be used somewhere in the set');
  }

  /** Every flow must have a way out: to somebody who may answer, to an end, or past its last step. */
  #loops(): void {
    const { flows } = this.#set;
    const leaving = new Set<string>();
    const leaves = (steps: readonly Step[]): boolean => {
      const last = steps.at(-1);
      return (
        steps.some(isWayOut) ||
        steps.some(hasWayOutByKey) ||
        !last ||
        !('goto' in last) ||
        leaving.has(last.goto)
      );
    };
    const isWayOut = (step: Step): boolean =>
      ['ring', 'ai', 'queue', 'voicemail', 'ask', 'reject'].includes(typeOf(step));
    const hasWayOutByKey = (step: Step): boolean =>
      'menu' in step && Object.values(step.menu.keys).some((steps) => leaves(steps));
    for (let before = -1; leaving.size > before;) {
      before = leaving.size;
      for (const [name, steps] of Object.entries(flows)) if (leaves(steps)) leaving.add(name);
    }
    for (const [name, steps] of Object.entries(flows)) {
      if (leaving.has(name)) continue;
      const menu = steps.findIndex((step) => 'menu' in step);
      if (menu >= 0)
        this.#find(
          ['flows', name, menu, 'menu'],
          'Expected a menu with a way out; every key leads back',
        );
      else this.#find(['flows', name], 'Expected a flow that ends; it goes round for ever');
    }
  }
}

const keysOf = (record: Readonly<Record<string, unknown>>) => ({
  has: (name: string) => Object.hasOwn(record, name),
});
