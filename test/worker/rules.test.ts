// Routing rules through the API: what is saved, what is refused as a whole, and who overwrites whom.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ADMIN_KEY, api, Outside, request, testEnv, unique } from './support.ts';

interface Rules {
  version: number;
  rules: { rules: { name: string; match: object }[]; otherwise: object[] };
  saved_at: string | null;
  saved_by: string | null;
}
interface RulesProblem {
  type: string;
  version?: number;
  path?: string;
  errors?: { path: string; message: string }[];
}

const REJECT = [{ reject: {} }];
const setOf = (...rules: object[]) => ({ rules, otherwise: REJECT });
const ringing = (name: string, team: string) => ({ name, steps: [{ ring: { team } }] });

const put = <T = Rules>(rules: unknown, version?: number) =>
  api<T>('PUT', '/v1/rules', { rules, ...(version === undefined ? {} : { version }) });
const current = async () => (await api<Rules>('GET', '/v1/rules')).body;

/** Answers without a body. */
const send = (method: string, path: string, body?: unknown) =>
  request(path, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

let team = '';
let numberId = '';

beforeAll(async () => {
  Outside.open();
  const number = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('67'),
    display_phone_number: '+351 21 000-0000',
    access_token: 'very-secret-token',
  });
  numberId = number.body.id;
});
beforeEach(async () => {
  team = unique('team-');
  await api('POST', '/v1/teams', { id: team, name: 'Sales' });
});
afterAll(() => vi.restoreAllMocks());

describe('the rules', () => {
  it('ring every agent until a set is saved', async () => {
    expect(await current()).toMatchObject({
      version: 0,
      rules: { rules: [], otherwise: [{ ring: { everyone: true } }] },
      saved_at: null,
      saved_by: null,
    });
  });

  it('are saved as a whole, with their defaults, and every version stays', async () => {
    const first = await put(setOf(ringing('sales', team)));
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      rules: { rules: [{ name: 'sales', match: {}, steps: [{ ring: { team, seconds: 30 } }] }] },
      saved_by: 'admin',
    });
    expect(Date.parse(first.body.saved_at ?? '')).not.toBeNaN();
    const second = await put(setOf());
    expect(second.body.version).toBe(first.body.version + 1);
    expect(await current()).toEqual(second.body);
    const older = await api<Rules>('GET', `/v1/rules/${first.body.version}`);
    expect(older.body).toEqual(first.body);
    expect((await api('GET', '/v1/rules/999999')).status).toBe(404);
  });

  it('with phone numbers find them in any spelling that they have', async () => {
    const phones = ['551187654321', '351910000001'];
    const { body } = await put(setOf({ name: 'a', match: { caller: { phones } }, steps: REJECT }));
    expect(body.rules.rules[0]?.match).toEqual({
      caller: { phones: ['5511987654321', '351910000001'] },
    });
  });

  it('are not overwritten by whoever read an older version', async () => {
    const { version } = (await put(setOf())).body;
    const won = await put(setOf({ name: 'a', match: { percentage: 5 }, steps: REJECT }), version);
    expect(won.status).toBe(200);
    const lost = await put<RulesProblem>(setOf(), version);
    expect([lost.status, lost.body.type, lost.body.version]).toEqual([
      409,
      'urn:roomline:problem:rules-changed',
      version + 1,
    ]);
    expect(await current()).toEqual(won.body);
  });

  it('of two who save at the same moment are those of one', async () => {
    const { version } = await current();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        put(setOf({ name, match: { percentage: 5 }, steps: REJECT }), version),
      ),
    );
    const saved = all.filter(({ status }) => status === 200);
    expect(saved).toHaveLength(1);
    expect(await current()).toEqual(saved[0]?.body);
  });
});

describe('a set with any error', () => {
  const broken = () => ({
    rules: [
      { ...ringing('one', 'nobody'), match: { percentage: 50 } },
      { name: 'two', match: { numbers: [numberId, 'x'] }, steps: [{ play: { prompt: 'y' } }] },
      {
        name: 'three',
        match: { percentage: 50 },
        steps: [{ ask: { url: 'https://127.0.0.1/' } }, { goto: 'z' }],
      },
    ],
    otherwise: REJECT,
  });
  const paths = [
    'rules.0.steps.0.ring.team',
    'rules.1.match.numbers.1',
    'rules.1.steps.0.play.prompt',
    'rules.2.steps.0.ask.url',
    'rules.2.steps.1.goto',
  ];

  it.each(['PUT', 'POST'])(
    'is refused whole, with everything that is wrong (%s)',
    async (method) => {
      const before = await current();
      const path = method === 'PUT' ? '/v1/rules' : '/v1/rules/check';
      const { status, body } = await api<RulesProblem>(method, path, { rules: broken() });
      expect([status, body.type]).toEqual([422, 'urn:roomline:problem:invalid-rules']);
      expect(body.errors?.map((error) => error.path).toSorted()).toEqual(paths);
      expect(body.errors?.find((error) => error.path === paths[0])?.message).toBe(
        'Expected a team; there is no nobody',
      );
      expect(await current()).toEqual(before);
    },
  );

  it('is told where it is malformed, too', async () => {
    const before = await current();
    const malformed = { rules: [{ name: '', steps: [{ ring: {} }] }], otherwise: [] };
    const { status, body } = await put<RulesProblem>(malformed);
    expect([status, body.type]).toEqual([422, 'urn:roomline:problem:invalid-rules']);
    expect(body.errors?.map(({ path }) => path).toSorted()).toEqual([
      'otherwise',
      'rules.0.name',
      'rules.0.steps.0.ring',
    ]);
    expect(await current()).toEqual(before);
  });

  it('that is none at all is refused like any request', async () => {
    for (const body of [{}, { rules: 'x' }, { rules: setOf(), version: -1 }]) {
      const answer = await api<RulesProblem>('PUT', '/v1/rules', body);
      expect(answer.body.type).toBe('urn:roomline:problem:invalid-request');
    }
  });

  it('that is too long is refused', async () => {
    const rules = Array.from({ length: 1_000 }, (_, index) => ({
      name: `rule ${index}`,
      match: { percentage: 1 },
      steps: [1, 2, 3].map(() => ({ ring: { everyone: true } })),
    }));
    const { body } = await put<RulesProblem>(setOf(...rules));
    expect(body.errors).toEqual([
      { path: '', message: expect.stringContaining('256000') as string },
    ]);
  });
});

it('a sound set passes the check and is not saved', async () => {
  const before = await current();
  const response = await send('POST', '/v1/rules/check', { rules: setOf(ringing('a', team)) });
  expect(response.status).toBe(204);
  expect(await current()).toEqual(before);
});

describe('what the rules use', () => {
  it('cannot be deleted while they do: a team', async () => {
    await put(setOf({ name: 'a', match: { available: { team } }, steps: REJECT }));
    const refused = await send('DELETE', `/v1/teams/${team}`);
    expect([refused.status, (await refused.json<RulesProblem>()).path]).toEqual([
      409,
      'rules.0.match.available.team',
    ]);
    expect((await api('GET', `/v1/teams/${team}`)).status).toBe(200);
    await put(setOf());
    expect((await send('DELETE', `/v1/teams/${team}`)).status).toBe(204);
    expect((await api('GET', `/v1/teams/${team}`)).status).toBe(404);
  });

  it('cannot be deleted while they do: a prompt', async () => {
    const prompt = unique('prompt-');
    await testEnv.DB.prepare(
      `INSERT INTO prompts (id, name, duration_ms, bytes, sha256, created_at_ms, stored_at_ms)
        VALUES (?, 'welcome', 20, 1, '', 0, 0)`,
    )
      .bind(prompt)
      .run();
    const menu = { prompt: 'sound:hold', keys: { 1: [{ voicemail: { prompt } }] } };
    expect((await put(setOf({ name: 'a', steps: [{ menu }] }))).status).toBe(200);
    const refused = await send('DELETE', `/v1/prompts/${prompt}`);
    expect([refused.status, (await refused.json<RulesProblem>()).path]).toEqual([
      409,
      'rules.0.steps.0.menu.keys.1.0.voicemail.prompt',
    ]);
    await put(setOf());
    expect((await send('DELETE', `/v1/prompts/${prompt}`)).status).toBe(204);
  });

  it('is there whoever is faster, those who save or those who delete', async () => {
    for (let round = 0; round < 5; round++) {
      const raced = unique('team-');
      await api('POST', '/v1/teams', { id: raced, name: 'Raced' });
      const [saved, deleted] = await Promise.all([
        put(setOf(ringing('a', raced))),
        send('DELETE', `/v1/teams/${raced}`),
      ]);
      expect([
        [200, 409],
        [422, 204],
      ]).toContainEqual([saved.status, deleted.status]);
      await put(setOf());
    }
  });
});
