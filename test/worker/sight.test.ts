// Who sees which calls and contacts: those of their teams, those that ring for them, those that they have or had.
import { drizzle } from 'drizzle-orm/d1';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCallReader } from '../../worker/adapters/call-reader-d1.ts';
import { createCallStore } from '../../worker/adapters/call-store-d1.ts';
import type { CallView } from '../../worker/call-view.ts';
import type { Call } from '../../worker/domain/call.ts';
import type { AgentId, CallId } from '../../worker/domain/ids.ts';
import { maySee, type Sight } from '../../worker/domain/sight.ts';
import {
  claimOf,
  newNumber,
  newPerson,
  newTeam,
  putCall,
  ringing,
  type Person,
} from './sight-scene.ts';
import { ADMIN_KEY, api, Outside, testEnv } from './support.ts';

const people: Record<string, Person> = {};
const calls: Record<string, CallId> = {};
const nameOf = (id: string): string =>
  Object.entries(calls).find(([, known]) => known === id)?.[0] ?? id;
const keyOf = (who: string): string => people[who]?.key ?? ADMIN_KEY;
const idOf = (who: string): AgentId => people[who]?.id ?? ('' as AgentId);

beforeAll(async () => {
  Outside.open();
  const number = await newNumber();
  const before = await newPerson('agent');
  calls.old = await putCall(number, '351910000100', {});
  // As long as there is no team everybody sees everything.
  expect((await api('GET', `/v1/calls/${calls.old}`, undefined, before.key)).status).toBe(200);

  await newTeam('sales');
  await newTeam('support');
  Object.assign(people, {
    sales: await newPerson('agent', 'sales'),
    both: await newPerson('agent', 'sales', 'support'),
    loner: await newPerson('agent'),
    'supervisor of sales': await newPerson('supervisor', 'sales'),
    'supervisor of all': await newPerson('supervisor'),
    'admin in sales': await newPerson('admin', 'sales'),
  });
  const put = async (name: string, fields: Partial<Call>) => {
    calls[name] = await putCall(number, `3519100002${Object.keys(calls).length}`, fields);
  };
  const loner = idOf('loner');
  await put('of sales', { teamId: 'sales' });
  await put('of support', { teamId: 'support' });
  await put('had by the loner', { hadBy: [loner] });
  await put('of support, had by the loner', { teamId: 'support', hadBy: [loner] });
  await put('rings for the loner', ringing({ rung: [{ agentId: loner, atMs: 1 }] }));
  await put('rings for sales', { ...ringing({ team: 'sales' }), teamId: 'sales' });
  await put('rings for everybody', ringing({ isForEverybody: true }));
  await put('the loner has', { ...ringing({}), state: 'claimed', claim: claimOf(loner) });
  await put('to the loner', { target: { kind: 'agent', agentId: loner }, direction: 'outbound' });
  await put('rang for the loner', {
    flow: ringing({ rung: [{ agentId: loner, atMs: 1 }] }).flow ?? null,
  });
});
afterAll(() => vi.restoreAllMocks());

const SEEN: Readonly<Record<string, readonly string[]>> = {
  sales: ['of sales', 'rings for sales', 'rings for everybody'],
  both: [
    'of sales',
    'of support',
    'of support, had by the loner',
    'rings for sales',
    'rings for everybody',
  ],
  loner: [
    'had by the loner',
    'of support, had by the loner',
    'rings for the loner',
    'rings for everybody',
    'the loner has',
    'to the loner',
  ],
  'supervisor of sales': ['of sales', 'rings for sales', 'rings for everybody'],
};
const everything = () => Object.keys(calls);
const seenBy = (who: string): readonly string[] => SEEN[who] ?? everything();
const EVERYBODY = [...Object.keys(SEEN), 'supervisor of all', 'admin in sales', 'operator'];

describe.each(EVERYBODY)('%s', (who) => {
  it('is listed these calls, page by page, newest first', async () => {
    const listed: string[] = [];
    let cursor = '';
    do {
      const page: { data: CallView[]; next_cursor: string | null } = (
        await api<{ data: CallView[]; next_cursor: string | null }>(
          'GET',
          `/v1/calls?limit=2${cursor}`,
          undefined,
          keyOf(who),
        )
      ).body;
      expect(page.data.length).toBeLessThanOrEqual(2);
      listed.push(...page.data.map(({ id }) => nameOf(id)));
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
    } while (cursor !== '');
    expect(listed).toEqual(
      everything()
        .filter((name) => seenBy(who).includes(name))
        .toReversed(),
    );
  });

  it('reaches these calls and nothing of the others, which are not there for them', async () => {
    for (const name of everything()) {
      const id = calls[name];
      const { status } = await api('GET', `/v1/calls/${id}`, undefined, keyOf(who));
      expect([name, status]).toEqual([name, seenBy(who).includes(name) ? 200 : 404]);
      if (status === 200) continue;
      const answers = await Promise.all([
        api('POST', `/v1/calls/${id}/claim`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/join`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/end`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/hold`, { on: true }, keyOf(who)),
        api('POST', `/v1/calls/${id}/play`, { prompt_id: 'sound:hold' }, keyOf(who)),
        api('POST', `/v1/calls/${id}/play/stop`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/recording`, { action: 'start' }, keyOf(who)),
        api('GET', `/v1/calls/${id}/recording`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/decline`, undefined, keyOf(who)),
        api('POST', `/v1/calls/${id}/follow-up`, { done: true }, keyOf(who)),
        api('POST', `/v1/calls/${id}/notes`, { text: 'x' }, keyOf(who)),
        api('PUT', `/v1/calls/${id}/tags`, { tags: ['x'] }, keyOf(who)),
        api('POST', `/v1/calls/${id}/transfer`, { to: { team: 'sales' } }, keyOf(who)),
        api('POST', `/v1/calls/${id}/consult`, { to: { team: 'sales' } }, keyOf(who)),
        api('DELETE', `/v1/calls/${id}/participants/agent-${idOf(who)}`, undefined, keyOf(who)),
      ]);
      expect([name, ...new Set(answers.map((answer) => answer.status))]).toEqual([name, 404]);
    }
  });

  it('reaches the contacts of these calls', async () => {
    const contactOf = async (name: string): Promise<string> => {
      const { body } = await api<CallView>('GET', `/v1/calls/${calls[name]}`);
      return body.contact?.id ?? '';
    };
    for (const name of everything()) {
      const id = await contactOf(name);
      const expected = seenBy(who).includes(name) ? 200 : 404;
      const { status } = await api('GET', `/v1/contacts/${id}`, undefined, keyOf(who));
      expect([name, status]).toEqual([name, expected]);
      const { body } = await api<{ data: { id: string }[] }>(
        'GET',
        '/v1/contacts?limit=200',
        undefined,
        keyOf(who),
      );
      expect(body.data.some((contact) => contact.id === id)).toBe(expected === 200);
    }
  });
});

it('whoever adds a contact of others learns nothing of them, and sees contacts without calls', async () => {
  const known = { phone: '+351910000777', name: 'Maria' };
  const { body: contact } = await api<{ id: string }>('POST', '/v1/contacts', known);
  const path = `/v1/contacts/${contact.id}`;
  expect((await api('GET', path, undefined, keyOf('loner'))).status).toBe(200);
  const id = await putCall(await newNumber(), '351910000777', { teamId: 'support' });
  await testEnv.DB.prepare('UPDATE calls SET contact_id = ? WHERE id = ?')
    .bind(contact.id, id)
    .run();
  expect((await api('GET', path, undefined, keyOf('loner'))).status).toBe(404);
  const again = await api('POST', '/v1/contacts', { phone: known.phone }, keyOf('loner'));
  expect(again.body).toMatchObject({ id: contact.id, name: null });
});

it('what is read of the record is what may be seen, whoever asks', async () => {
  const store = createCallStore(drizzle(testEnv.DB));
  const reader = createCallReader(drizzle(testEnv.DB), () => Date.now());
  const all = await Promise.all(everything().map((name) => store.find(calls[name] as CallId)));
  const agentId = fc.constantFrom<AgentId | null>(
    null,
    ...Object.values(people).map(({ id }) => id),
  );
  const teams = fc.option(fc.subarray(['sales', 'support', 'nobody', "'); --"]));
  await fc.assert(
    fc.asyncProperty(fc.record({ agentId, teams }), async (sight: Sight) => {
      const seen = all.filter((call): call is Call => call !== null && maySee(sight, call));
      const { calls: listed } = await reader.list({}, sight, 200);
      const ids = new Set(everything().map((name) => calls[name]));
      expect(
        listed
          .map(({ id }) => id)
          .filter((id) => ids.has(id as CallId))
          .toSorted(byText),
      ).toEqual(seen.map(({ id }) => id as string).toSorted(byText));
    }),
    { numRuns: 40, seed: 1 },
  );
});

const byText = (one: string, other: string): number => (one < other ? -1 : 1);
