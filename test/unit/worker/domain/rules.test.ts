import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRules, type Known } from '../../../../worker/domain/check-rules.ts';
import { route, type CallFacts } from '../../../../worker/domain/route.ts';
import { ruleSet, type RuleSet } from '../../../../worker/domain/rules.ts';

const NOW = Date.UTC(2026, 10, 23, 10);

const known: Known = {
  numbers: new Set(['lisbon', 'porto']),
  teams: new Map([
    ['sales', ['ana']],
    ['support', []],
  ]),
  agents: new Map([['ana', ['portuguese', 'refunds']]]),
  prompts: new Set(['welcome', 'sound:hold']),
  canRecord: false,
  isLoopbackAllowed: false,
  canAsk: false,
};

const call: CallFacts = {
  callId: 'c1',
  numberId: 'lisbon',
  phone: '351910000000',
  country: 'PT',
  tags: ['vip'],
  isReturning: true,
  payload: 'order-7',
  numberHours: null,
  availableTeams: new Set(['sales']),
};

const setOf = (change: object = {}): RuleSet =>
  ruleSet.parse({ rules: [], otherwise: [{ reject: {} }], ...change });

const ruleFor = (match: object, name = 'rule') => ({ name, match, steps: [{ reject: {} }] });

/** The paths and messages of what a set is refused for. */
function refusals(input: unknown): string[] {
  const parsed = ruleSet.safeParse(input);
  if (!parsed.success)
    return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return checkRules(parsed.data, known).map(({ path, message }) => `${path}: ${message}`);
}

describe('a rule set is refused', () => {
  const steps = (...of: object[]) => ({
    rules: [{ name: 'a', steps: of }],
    otherwise: [{ reject: {} }],
  });
  it.each([
    [
      'an unknown team',
      steps({ ring: { team: 'nobody' } }),
      'rules.0.steps.0.ring.team: Expected a team; there is no nobody',
    ],
    [
      'an unknown agent',
      steps({ ring: { agents: ['ana', 'bo'] } }),
      'rules.0.steps.0.ring.agents.1: Expected the id of an agent; there is no bo',
    ],
    [
      'an unknown prompt',
      steps({ play: { prompt: 'x' } }),
      'rules.0.steps.0.play.prompt: Expected the id of a prompt; there is no x',
    ],
    [
      'an unknown flow',
      steps({ goto: 'x' }),
      'rules.0.steps.0.goto: Expected a flow of the set; there is no x',
    ],
    [
      'a step behind an end',
      steps({ reject: {} }, { ring: { team: 'sales' } }),
      'rules.0.steps.1: Expected a step that is reached; reject before it is the end',
    ],
    [
      'two in one step',
      steps({ reject: {}, goto: 'x' }),
      'rules.0.steps.0: exactly one of ring, ai, menu, queue, play, voicemail, message, ask, reject, goto',
    ],
    ['a step of no kind', steps({ dance: {} }), 'rules.0.steps.0: Unrecognized key: "dance"'],
    ['no steps', steps(), 'rules.0.steps: at least one step'],
    [
      'seconds out of range',
      steps({ ring: { team: 'sales', seconds: 1 } }),
      'rules.0.steps.0.ring.seconds: 5 to 120 seconds',
    ],
    [
      'neither team nor agents',
      steps({ ring: {} }),
      'rules.0.steps.0.ring: one of `team`, `agents` and `everyone`',
    ],
    [
      'a menu without keys',
      steps({ menu: { prompt: 'welcome', keys: {} } }),
      'rules.0.steps.0.menu.keys: Expected at least one key',
    ],
    [
      'an error deep in a menu',
      steps({ menu: { prompt: 'welcome', keys: { '1': [{ queue: { team: 'x' } }] } } }),
      'rules.0.steps.0.menu.keys.1.0.queue.team: Expected a team; there is no x',
    ],
    [
      'a rule behind one that takes every call',
      { rules: [ruleFor({}), ruleFor({ percentage: 5 })], otherwise: [{ reject: {} }] },
      'rules.1: Expected a rule that is reached; rules.0 takes every call',
    ],
    [
      'a flow that nobody uses',
      { rules: [], flows: { lost: [{ reject: {} }] }, otherwise: [{ reject: {} }] },
      'flows.lost: Expected to be used somewhere in the set',
    ],
    [
      'an unknown schedule',
      { rules: [ruleFor({ hours: { schedule: 'x', is: 'open' } })], otherwise: [{ reject: {} }] },
      'rules.0.match.hours.schedule: Expected a schedule of the set, or number; there is no x',
    ],
    [
      'skills that nobody of the team has',
      steps({ ring: { team: 'sales', skills: ['refunds', 'greek'] } }),
      'rules.0.steps.0.ring.skills: Expected skills that one of those who are rung has: refunds, greek',
    ],
    [
      'skills where the team is empty',
      steps({ queue: { team: 'support', skills: ['refunds'] } }),
      'rules.0.steps.0.queue.skills: Expected skills that one of those who are rung has: refunds',
    ],
    [
      'a voicemail that nobody could keep',
      steps({ voicemail: {} }),
      'rules.0.steps.0.voicemail: Expected a deployment with an R2 bucket `AUDIO`',
    ],
    [
      'an endpoint in a local network',
      steps({ ask: { url: 'https://crm.internal/route' } }),
      'rules.0.steps.0.ask.url: Expected a name in the public DNS, not one of a local network',
    ],
    [
      'an endpoint that would not know who asks',
      steps({ ask: { url: 'https://rules.example.com/route' } }),
      'rules.0.steps.0.ask: Expected a deployment with the setting `ASK_SECRET`',
    ],
    [
      'a template that no provider has',
      steps({ message: { template: { name: 'We Missed You', language: 'Portuguese' } } }),
      'rules.0.steps.0.message.template.name: lower-case letters, digits and _',
    ],
    [
      'a loop',
      {
        rules: [],
        flows: { a: [{ play: { prompt: 'welcome' } }, { goto: 'b' }], b: [{ goto: 'a' }] },
        otherwise: [{ goto: 'a' }],
      },
      'flows.a: Expected a flow that ends; it goes round for ever',
    ],
    [
      'a menu without a way out',
      {
        rules: [],
        flows: {
          a: [{ menu: { prompt: 'welcome', keys: { '1': [{ goto: 'a' }] } } }, { goto: 'a' }],
        },
        otherwise: [{ goto: 'a' }],
      },
      'flows.a.0.menu: Expected a menu with a way out; every key leads back',
    ],
  ])('for %s', (_name, set, refusal) => {
    expect(refusals(set)).toContain(refusal);
  });

  it('with everything that is wrong at once', () => {
    const set = {
      rules: [{ name: 'a', steps: [{ ring: { team: 'x' } }, { play: { prompt: 'y' } }] }],
      otherwise: [{ goto: 'z' }],
    };
    expect(refusals(set)).toHaveLength(3);
  });

  it('for menus in menus in menus', () => {
    let steps: object[] = [{ reject: {} }];
    for (let depth = 0; depth < 7; depth++)
      steps = [{ menu: { prompt: 'welcome', keys: { '1': steps } } }];
    expect(refusals({ rules: [], otherwise: steps }).join()).toContain('menus nest too deep');
  });
});

it('a menu that repeats itself by a key is none without a way out', () => {
  const menu = {
    menu: {
      prompt: 'welcome',
      keys: { '1': [{ ring: { team: 'sales' } }], '9': [{ goto: 'main' }] },
    },
  };
  expect(
    refusals({
      rules: [],
      flows: { main: [menu, { goto: 'main' }] },
      otherwise: [{ goto: 'main' }],
    }),
  ).toEqual([]);
});

describe('a rule', () => {
  const schedules = {
    office: { timezone: 'Europe/Lisbon', weekly: [{ day: 'monday', open: '0900', close: '1800' }] },
  };
  const lists = { friends: ['351910000000'] };
  it.each([
    [{ numbers: ['lisbon'] }, { numbers: ['porto'] }, 'numbers: called was lisbon'],
    [
      { caller: { phones: ['351910000000'] } },
      { caller: { phones: ['351910000001'] } },
      'caller.phones: another phone, or none',
    ],
    [
      { caller: { countries: ['PT', 'ES'] } },
      { caller: { countries: ['BR'] } },
      'caller.countries: PT',
    ],
    [{ caller: { tag: 'vip' } }, { caller: { tag: 'new' } }, 'caller.tag: not tagged new'],
    [
      { caller: { returning: true } },
      { caller: { returning: false } },
      'caller.returning: spoke here before',
    ],
    [
      { payload: { equals: 'order-7' } },
      { payload: { equals: 'order' } },
      'payload: another one, or none',
    ],
    [
      { payload: { starts_with: 'order-' } },
      { payload: { starts_with: 'sale-' } },
      'payload: another one, or none',
    ],
    [
      { hours: { schedule: 'office', is: 'open' } },
      { hours: { schedule: 'office', is: 'closed' } },
      'hours: office is open',
    ],
    [
      { hours: { schedule: 'number', is: 'open' } },
      { hours: { schedule: 'number', is: 'closed' } },
      'hours: number is open',
    ],
    [
      { available: { team: 'sales' } },
      { available: { team: 'support' } },
      'available: nobody of support could take the call',
    ],
  ])('takes a call by %j and not by %j', (fits, fitsNot, why) => {
    const found = route(
      setOf({ rules: [ruleFor(fitsNot, 'no'), ruleFor(fits, 'yes')], schedules, lists }),
      call,
      NOW,
    );
    expect(found).toMatchObject({ index: 1, passedOver: [{ rule: 'no', why }] });
  });

  it('by a list takes who is on it', () => {
    const set = setOf({ rules: [ruleFor({ caller: { list: 'friends' } })], lists });
    expect(route(set, call, NOW).index).toBe(0);
    expect(route(set, { ...call, phone: '351910000001' }, NOW).index).toBeNull();
    expect(route(set, { ...call, phone: null }, NOW).index).toBeNull();
  });

  it('by percentage takes that share of many calls, and the same call always the same way', () => {
    const set = setOf({ rules: [ruleFor({ percentage: 30 })] });
    const takes = (id: number) => route(set, { ...call, callId: `call-${id}` }, NOW).index === 0;
    const taken = Array.from({ length: 10_000 }, (_, id) => takes(id)).filter(Boolean).length;
    expect(taken).toBeGreaterThan(2_800);
    expect(taken).toBeLessThan(3_200);
    expect(takes(7)).toBe(takes(7));
  });
});

it('every call finds its way by any set, the same each time, with a reason for each rule before', () => {
  const match = fc.record(
    {
      numbers: fc.uniqueArray(fc.constantFrom('lisbon', 'porto'), { minLength: 1 }),
      caller: fc.record(
        {
          returning: fc.boolean(),
          tag: fc.constantFrom('vip', 'new'),
          countries: fc.constant(['PT']),
        },
        { requiredKeys: [] },
      ),
      percentage: fc.integer({ min: 1, max: 99 }),
      payload: fc.record({ starts_with: fc.constantFrom('order', 'x') }),
      available: fc.record({ team: fc.constantFrom('sales', 'support'), is: fc.boolean() }),
      hours: fc.record({ schedule: fc.constant('number'), is: fc.constantFrom('open', 'closed') }),
    },
    { requiredKeys: [] },
  );
  const facts = fc.record({
    callId: fc.string(),
    phone: fc.constantFrom(null, '351910000000'),
    country: fc.constantFrom(null, 'PT'),
    tags: fc.subarray(['vip', 'new']),
    isReturning: fc.boolean(),
    payload: fc.constantFrom(null, 'order-1'),
  });
  fc.assert(
    fc.property(fc.array(match, { maxLength: 8 }), facts, (matches, change) => {
      const set = setOf({ rules: matches.map((one, index) => ruleFor(one, `r${index}`)) });
      const asked = { ...call, ...change };
      const found = route(set, asked, NOW);
      expect(found.passedOver).toHaveLength(found.index ?? set.rules.length);
      expect(found.steps).toBe(
        found.index === null ? set.otherwise : set.rules[found.index]?.steps,
      );
      expect(route(set, asked, NOW)).toEqual(found);
      // A rule is taken for itself: alone it takes the call as well, and whoever was passed over does not.
      for (const [index, one] of set.rules
        .slice(0, (found.index ?? matches.length) + 1)
        .entries()) {
        const alone = route({ ...set, rules: [one] }, asked, NOW);
        expect(alone.index === 0).toBe(index === found.index);
      }
    }),
  );
});
