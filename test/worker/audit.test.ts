// Who changed what: one entry for every request that is let in and is no mere look.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createApp } from '../../worker/app.ts';
import { sweepSignIn } from '../../worker/handlers/sweep-sign-in.ts';
import { ask, signIn } from './browser.ts';
import { ownServices } from './own-services.ts';
import { newPerson, type Person } from './sight-scene.ts';
import { ADMIN_KEY, api, Outside, unique, until } from './support.ts';

interface Entry {
  id: number;
  at: string;
  actor: string;
  action: string;
  target: string | null;
  status: number;
}
let person: Person;

beforeAll(async () => {
  Outside.open();
  person = await newPerson('supervisor');
});
afterAll(() => vi.restoreAllMocks());

const trail = async (query: string): Promise<Entry[]> =>
  (await api<{ data: Entry[] }>('GET', `/v1/audit?${query}`)).body.data;
const entryOf = (target: string): Promise<Entry> =>
  until('the entry', async () => (await trail(`target=${target}`))[0]);

it('names the route, what it was done to, who did it, and what was answered', async () => {
  const id = unique('no-call-');
  await api('POST', `/v1/calls/${id}/hold`, { on: true }, person.key);
  expect(await entryOf(id)).toMatchObject({
    actor: person.id,
    action: 'POST /v1/calls/:id/hold',
    target: id,
    status: 404,
  });
  const other = unique('no-agent-');
  await api('PATCH', `/v1/agents/${other}`, { name: 'Rui' });
  expect(await entryOf(other)).toMatchObject({ actor: 'admin', status: 404 });
});

it('has those that were refused, of programs and of browsers too', async () => {
  const { body: key } = await api<{ id: string; key: string }>('POST', '/v1/api-keys', {
    name: 'CRM',
    role: 'agent',
  });
  const id = unique('no-relay-');
  expect((await api('DELETE', `/v1/relays/${id}`, undefined, key.key)).status).toBe(403);
  expect(await entryOf(id)).toMatchObject({ actor: key.id, status: 403 });

  const browser = await signIn(person.id);
  const signedIn = await until('the entry', async () =>
    (await trail(`actor=${person.id}`)).find(({ action }) => action === 'POST /v1/session'),
  );
  expect(signedIn).toMatchObject({ status: 200, target: null });
  await ask(browser, 'DELETE', '/v1/session');
  await until('the entry', async () =>
    (await trail(`actor=${person.id}`)).find(({ action }) => action === 'DELETE /v1/session'),
  );
});

it('has no looks, nobody who was not let in, and nothing of what was said', async () => {
  const services = ownServices();
  const app = createApp(services);
  const before = (await trail('limit=1'))[0]?.id;
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  await app.request('/v1/calls', { headers });
  await app.request('/v1/calls/x/hold', { method: 'POST', body: '{"on":true}' });
  await services.settled();
  expect((await trail('limit=1'))[0]?.id).toBe(before);
  const secret = unique('a name of nobody ');
  await app.request('/v1/agents', {
    method: 'POST',
    headers,
    body: JSON.stringify({ name: secret }),
  });
  await services.settled();
  const all = await trail('limit=200');
  expect(all[0]).toMatchObject({ action: 'POST /v1/agents', status: 201 });
  expect(JSON.stringify(all)).not.toContain(secret);
});

it('is read page by page, newest first, from a time on, by admins', async () => {
  const target = unique('t');
  for (let i = 0; i < 5; i++) {
    await api('DELETE', `/v1/webhooks/${target}`);
    await until('the entry', async () => (await trail(`target=${target}`)).length === i + 1);
  }
  const pages: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { data: Entry[]; next_cursor: string | null } = (
      await api<{ data: Entry[]; next_cursor: string | null }>(
        'GET',
        `/v1/audit?target=${target}&limit=2${cursor && `&cursor=${cursor}`}`,
      )
    ).body;
    pages.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  expect(pages).toHaveLength(5);
  expect(pages).toEqual(pages.toSorted((one, other) => other - one));
  const later = new Date(Date.now() + 60_000).toISOString();
  expect(await trail(`target=${target}&after=${later}`)).toEqual([]);
  expect(await trail(`target=${target}&after=2020-01-01T00:00:00Z`)).toHaveLength(5);
  expect((await api('GET', '/v1/audit', undefined, person.key)).status).toBe(403);
  expect((await api('GET', '/v1/audit?cursor=x')).status).toBe(400);
});

it('is forgotten after 400 days, and sessions and invitations when they are over', async () => {
  const { id } = await newPerson('agent');
  await signIn(id);
  const services = ownServices();
  const DAY_MS = 86_400_000;
  await sweepSignIn({ ...services, now: () => Date.now() + 399 * DAY_MS });
  expect((await trail('limit=1')).length).toBe(1);
  await sweepSignIn({ ...services, now: () => Date.now() + 401 * DAY_MS });
  expect(await trail('limit=1')).toEqual([]);
});
