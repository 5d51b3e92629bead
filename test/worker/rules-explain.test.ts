// Which rule would take a call: with what is known of the caller and of agents, at any time, for rules that are not in force.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Colleague, newTeam, removeAgent, rule } from './routing-scene.ts';
import { api, Outside, testEnv, unique } from './support.ts';

interface Explained {
  version: number | null;
  rule: string | null;
  path: string;
  steps: object[];
  passed_over: { rule: string; why: string }[];
  facts: Record<string, unknown>;
}

let numberId = '';

const explain = <T = Explained>(question: object) =>
  api<T>('POST', '/v1/rules/explain', { number_id: numberId, ...question });

beforeAll(async () => {
  Outside.open();
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('68'),
    display_phone_number: '+351 21 000-0000',
    access_token: 'very-secret-token',
  });
  numberId = number.body.id;
});
afterAll(() => vi.restoreAllMocks());

const REJECT = [{ reject: {} }];

it('names the rule, its steps, and for each rule before the member that did not fit', async () => {
  const version = await rule(
    { name: 'gold', match: { caller: { tag: 'gold' } }, steps: REJECT },
    { name: 'Spain', match: { caller: { countries: ['ES'] } }, steps: REJECT },
    { name: 'orders', match: { payload: { starts_with: 'order-' } }, steps: REJECT },
    {
      name: 'Portugal',
      match: { caller: { countries: ['PT'] } },
      steps: [{ ring: { everyone: true } }],
    },
  );
  const { body } = await explain({ from: '+351 910 000 081', payload: 'sale-1' });
  expect(body).toMatchObject({
    version,
    rule: 'Portugal',
    path: 'rules.3.steps',
    steps: [{ ring: { everyone: true } }],
    passed_over: [
      { rule: 'gold', why: 'caller.tag: not tagged gold' },
      { rule: 'Spain', why: 'caller.countries: PT' },
      { rule: 'orders', why: 'payload: another one, or none' },
    ],
    facts: { phone: '351910000081', country: 'PT', tags: [], returning: false, payload: 'sale-1' },
  });
  expect((await explain({})).body).toMatchObject({
    rule: null,
    path: 'otherwise',
    facts: { phone: null, country: null },
  });
});

it('knows a contact', async () => {
  const { body: contact } = await api<{ id: string }>('POST', '/v1/contacts', {
    phone: '+351 910 000 082',
  });
  await api('PATCH', `/v1/contacts/${contact.id}`, { tags: ['gold'] });
  await rule({ name: 'gold', match: { caller: { tag: 'gold' } }, steps: REJECT });
  expect((await explain({ contact_id: contact.id })).body.rule).toBe('gold');
  expect((await explain({ from: '351910000082' })).body.rule).toBe('gold');
  expect((await explain({ from: '351910000083' })).body.rule).toBeNull();
});

it('knows who is at work, unless it is told', async () => {
  const agent = await Colleague.hire();
  const team = await newTeam([agent]);
  await rule({ name: 'staffed', match: { available: { team } }, steps: REJECT });
  expect((await explain({})).body.passed_over).toEqual([
    { rule: 'staffed', why: `available: nobody of ${team} could take the call` },
  ]);
  expect((await explain({ available_teams: [team] })).body.rule).toBe('staffed');
  await agent.listen();
  expect((await explain({})).body.rule).toBe('staffed');
  expect((await explain({ available_teams: [] })).body.rule).toBeNull();
  agent.leave();
  await agent.isShown('offline');
  await removeAgent(agent.id);
});

it('asks a draft, which is checked and not saved', async () => {
  const before = await api('GET', '/v1/rules');
  const draft = { rules: [{ name: 'draft', steps: REJECT }], otherwise: REJECT };
  expect((await explain({ rules: draft })).body).toMatchObject({ version: null, rule: 'draft' });
  const broken = { rules: [{ name: 'draft', steps: [{ goto: 'x' }] }], otherwise: [] };
  const malformed = await explain<{ errors: { path: string }[] }>({ rules: broken });
  expect([malformed.status, malformed.body.errors.map(({ path }) => path)]).toEqual([
    422,
    ['otherwise'],
  ]);
  const unsound = await explain<{ errors: { path: string }[] }>({
    rules: { ...broken, otherwise: REJECT },
  });
  expect([unsound.status, unsound.body.errors.map(({ path }) => path)]).toEqual([
    422,
    ['rules.0.steps.0.goto'],
  ]);
  expect(await api('GET', '/v1/rules')).toEqual(before);
});

it.each([
  [{ number_id: 'nope' }, 'number_id'],
  [{ contact_id: 'nope' }, 'contact_id'],
  [{ from: '351910000001', contact_id: 'x' }, 'from'],
  [{ at: 'tomorrow' }, 'at'],
])('refuses %j by field', async (question, field) => {
  const { status, body } = await explain<{ errors: { field: string }[] }>(question);
  expect([status, body.errors.map((error) => error.field)]).toEqual([400, [field]]);
});

describe('hours', () => {
  const week = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
  const every = (open: string, close: string) => week.map((day) => ({ day, open, close }));
  const isOpen = async (timezone: string, at: string, hours: object = {}) => {
    const office = { timezone, weekly: every('0900', '1800'), ...hours };
    const { status, body } = await explain({
      at,
      rules: {
        rules: [
          { name: 'open', match: { hours: { schedule: 'office', is: 'open' } }, steps: REJECT },
        ],
        schedules: { office },
        otherwise: REJECT,
      },
    });
    expect(status).toBe(200);
    return body.rule === 'open';
  };

  // Source: tz database 2026, both changes of each zone in 2026; Lord Howe changes by half an hour.
  it.each([
    [
      'Europe/Lisbon',
      '2026-03-28T09:00:00Z',
      '2026-03-29T08:00:00Z',
      '2026-10-24T08:00:00Z',
      '2026-10-25T09:00:00Z',
    ],
    [
      'America/New_York',
      '2026-03-07T14:00:00Z',
      '2026-03-08T13:00:00Z',
      '2026-10-31T13:00:00Z',
      '2026-11-01T14:00:00Z',
    ],
    [
      'Australia/Lord_Howe',
      '2026-10-02T22:30:00Z',
      '2026-10-03T22:00:00Z',
      '2026-04-03T22:00:00Z',
      '2026-04-04T22:30:00Z',
    ],
    [
      'America/Santiago',
      '2026-09-05T13:00:00Z',
      '2026-09-06T12:00:00Z',
      '2026-04-04T12:00:00Z',
      '2026-04-05T13:00:00Z',
    ],
  ])(
    'in %s open at nine on the days before and after both changes of the clock',
    async (zone, ...openings) => {
      for (const at of openings) {
        const before = new Date(Date.parse(at) - 60_000).toISOString();
        expect([at, await isOpen(zone, at), await isOpen(zone, before)]).toEqual([at, true, false]);
      }
    },
  );

  it('that lie in the hour which the clock leaves out, or shows twice', async () => {
    const night = { weekly: every('0130', '0230') };
    // Lisbon goes from 00:59 to 02:00 on 2026-03-29, and from 01:59 back to 01:00 on 2026-10-25.
    expect(await isOpen('Europe/Lisbon', '2026-03-29T00:59:00Z', night)).toBe(false);
    expect(await isOpen('Europe/Lisbon', '2026-03-29T01:00:00Z', night)).toBe(true);
    expect(await isOpen('Europe/Lisbon', '2026-03-29T01:30:00Z', night)).toBe(false);
    expect(await isOpen('Europe/Lisbon', '2026-10-25T00:30:00Z', night)).toBe(true);
    expect(await isOpen('Europe/Lisbon', '2026-10-25T01:00:00Z', night)).toBe(false);
    expect(await isOpen('Europe/Lisbon', '2026-10-25T01:30:00Z', night)).toBe(true);
  });

  it('of holidays replace those of the day', async () => {
    const holidays = [{ date: '2026-12-25', open: '1000', close: '1200' }];
    const at = (time: string) => isOpen('Europe/Lisbon', `2026-12-25T${time}:00Z`, { holidays });
    expect([await at('09:30'), await at('11:00'), await at('14:00')]).toEqual([false, true, false]);
    const closed = { closed: ['2026-12-25'] };
    expect(await isOpen('Europe/Lisbon', '2026-12-25T11:00:00Z', closed)).toBe(false);
    expect(await isOpen('Europe/Lisbon', '2026-12-26T11:00:00Z', closed)).toBe(true);
    expect(await isOpen('Asia/Tokyo', '2026-12-25T02:00:00Z', closed)).toBe(false);
    expect(await isOpen('Asia/Tokyo', '2026-12-26T02:00:00Z', closed)).toBe(true);
  });

  it('of the number itself hold for the schedule `number`', async () => {
    await rule({
      name: 'open',
      match: { hours: { schedule: 'number', is: 'open' } },
      steps: REJECT,
    });
    const store = (callHours: object) =>
      testEnv.DB.prepare('UPDATE numbers SET calling = ? WHERE id = ?')
        .bind(JSON.stringify({ status: 'ENABLED', call_hours: callHours }), numberId)
        .run();
    const nameAt = async (at: string) => (await explain({ at })).body.rule;
    // Around the clock without hours.
    expect(await nameAt('2026-03-29T03:00:00Z')).toBe('open');
    const hours = {
      status: 'ENABLED',
      timezone_id: 'Europe/Lisbon',
      weekly_operating_hours: [{ day_of_week: 'SUNDAY', open_time: '0900', close_time: '1800' }],
      holiday_schedule: [{ date: '2026-04-05', start_time: '0000', end_time: '0100' }],
    };
    await store(hours);
    expect(await nameAt('2026-03-29T07:59:00Z')).toBeNull();
    expect(await nameAt('2026-03-29T08:00:00Z')).toBe('open');
    expect(await nameAt('2026-10-25T08:59:00Z')).toBeNull();
    expect(await nameAt('2026-10-25T09:00:00Z')).toBe('open');
    expect(await nameAt('2026-04-05T10:00:00Z')).toBeNull();
    await store({ ...hours, status: 'DISABLED' });
    expect(await nameAt('2026-03-29T03:00:00Z')).toBe('open');
    // A zone that this runtime does not know must not stop calls.
    await store({ ...hours, timezone_id: 'Europe/Atlantis' });
    expect(await nameAt('2026-03-29T03:00:00Z')).toBe('open');
  });
});
