// Contacts: one per person, however often and under whichever spelling they are added.
import { expect, it } from 'vitest';
import { api, unique } from './support.ts';

interface Contact {
  id: string;
  name: string | null;
  phone: string | null;
  bsuid: string | null;
}
interface ProblemBody {
  errors: { field: string }[];
}

const add = (fields: object) => api<Contact>('POST', '/v1/contacts', fields);
const newPhone = (): string => `351${unique('').slice(-12)}`;

it('are added once', async () => {
  const phone = newPhone();
  const created = await add({ phone: `+${phone.slice(0, 3)} ${phone.slice(3)}`, name: 'Ana' });
  expect([created.status, created.body.phone, created.body.name]).toEqual([201, phone, 'Ana']);
  const again = await add({ phone });
  expect([again.status, again.body]).toEqual([200, created.body]);
  expect((await api('GET', `/v1/contacts/${created.body.id}`)).body).toEqual(created.body);
});

it('are added once by two requests at the same time', async () => {
  const phone = newPhone();
  const added = await Promise.all([add({ phone }), add({ phone }), add({ phone })]);
  expect(new Set(added.map(({ body }) => body.id)).size).toBe(1);
});

it('have one spelling of a number that has two', async () => {
  const digits = unique('').slice(-7);
  const short = await add({ phone: `55118${digits}` });
  const long = await add({ phone: `551198${digits}` });
  expect([long.status, long.body.id]).toEqual([200, short.body.id]);
});

it('learn what else they are known by, and keep their name', async () => {
  const [phone, bsuid] = [newPhone(), unique('PT.')];
  const { body } = await add({ phone, name: 'Ana' });
  expect((await add({ phone, bsuid })).body).toMatchObject({ id: body.id, name: 'Ana', bsuid });
  expect((await add({ bsuid })).body).toMatchObject({ id: body.id, phone });
});

it('are found by phone and by id, and listed page by page', async () => {
  const [phone, bsuid] = [newPhone(), unique('PT.')];
  const { body: ana } = await add({ phone });
  const { body: rui } = await add({ bsuid });
  const find = async (query: string) =>
    (await api<{ data: Contact[] }>('GET', `/v1/contacts?${query}`)).body.data;
  expect(await find(`phone=${encodeURIComponent(`+${phone}`)}`)).toEqual([ana]);
  expect(await find(`bsuid=${bsuid}`)).toEqual([rui]);
  expect(await find(`phone=${newPhone()}`)).toEqual([]);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { data: Contact[]; next_cursor: string | null } = (
      await api<{ data: Contact[]; next_cursor: string | null }>(
        'GET',
        `/v1/contacts?limit=2&cursor=${cursor}`,
      )
    ).body;
    seen.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(expect.arrayContaining([ana.id, rui.id]));
});

it.each<[string, object, string]>([
  ['nothing to be known by', { name: 'Ana' }, 'phone'],
  ['letters in the number', { phone: 'call me' }, 'phone'],
  ['a number that is too long', { phone: '1234567890123456' }, 'phone'],
  ['a number for an id', { bsuid: '351910000001' }, 'bsuid'],
  ['an empty name', { phone: '351910000001', name: ' ' }, 'name'],
])('are refused with %s', async (_name, fields, field) => {
  const { status, body } = await api<ProblemBody>('POST', '/v1/contacts', fields);
  expect([status, body.errors[0]?.field]).toEqual([400, field]);
});

it('that do not exist are 404', async () => {
  expect((await api('GET', '/v1/contacts/nobody')).status).toBe(404);
});
