// The REST API: authentication, field errors, set-up, paging, documentation, the event stream.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CallView } from '../../worker/call-view.ts';
import {
  ADMIN_KEY,
  api,
  connectWebhook,
  Outside,
  postWebhook,
  request,
  testEnv,
  unique,
} from './support.ts';
import { ACCESS } from '../support/access.ts';

interface ProblemBody {
  type: string;
  errors?: { field: string; expected: string }[];
}

const number = (more: object = {}) => ({
  provider: 'meta',
  phone_number_id: unique('66'),
  display_phone_number: '+351 21 000-0000',
  access_token: 'very-secret-token',
  ...more,
});

beforeAll(() => void Outside.open());
afterAll(() => vi.restoreAllMocks());

describe('authentication', () => {
  it.each([
    '/v1/calls',
    '/v1/numbers',
    '/v1/relays',
    '/v1/agents',
    '/v1/events',
    '/v1/stats',
    '/v1/contacts',
    '/v1/rates',
    '/v1/usage',
  ])('%s needs a key', async (path) => {
    expect((await request(path)).status).toBe(401);
    const wrong = await request(path, { headers: { authorization: 'Bearer wrong' } });
    expect(wrong.status).toBe(401);
  });

  it('keeps set-up for the admin key', async () => {
    const { body: agent } = await api<{ key: string }>('POST', '/v1/agents', { name: 'Dora' });
    for (const path of ['/v1/numbers', '/v1/relays', '/v1/agents', '/v1/stats']) {
      expect((await api('GET', path, undefined, agent.key)).status).toBe(403);
    }
    expect((await api('GET', '/v1/calls', undefined, agent.key)).status).toBe(200);
  });

  it('lets a relay in with its own secret only', async () => {
    const { body } = await api<{ id: string; secret: string }>('POST', '/v1/relays', {
      id: unique('relay-'),
    });
    const connect = (secret: string) =>
      request(`/v1/relays/${body.id}/connect`, {
        headers: { upgrade: 'websocket', authorization: `Bearer ${secret}` },
      });
    expect((await connect(ADMIN_KEY)).status).toBe(401);
    expect((await connect('x')).status).toBe(401);
    expect((await connect(body.secret)).status).toBe(101);
  });
});

describe('numbers', () => {
  it('stores the access token encrypted and never shows it', async () => {
    const created = await api<{ id: string }>('POST', '/v1/numbers', number());
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ display_phone_number: '351210000000' });
    expect(JSON.stringify(created.body)).not.toContain('very-secret-token');
    const row = await testEnv.DB.prepare('SELECT * FROM numbers WHERE id = ?')
      .bind(created.body.id)
      .first();
    expect(JSON.stringify(row)).not.toContain('very-secret-token');
  });

  it('refuses a number that is registered already', async () => {
    const same = number();
    await api('POST', '/v1/numbers', same);
    expect((await api('POST', '/v1/numbers', same)).status).toBe(409);
  });

  it('names every wrong field and what was expected', async () => {
    const { status, body } = await api<ProblemBody>('POST', '/v1/numbers', {
      provider: 'other',
      phone_number_id: 'a b',
      display_phone_number: 'call me',
      access_token: ' ',
      api_base_url: 'ftp://x',
    });
    expect(status).toBe(400);
    expect(body.errors?.map(({ field }) => field).toSorted()).toEqual([
      'access_token',
      'api_base_url',
      'display_phone_number',
      'phone_number_id',
      'provider',
    ]);
  });

  it('says so when the body is not JSON', async () => {
    const response = await request('/v1/numbers', {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: '{',
    });
    expect(response.status).toBe(400);
    expect((await response.json<ProblemBody>()).type).toBe('urn:roomline:problem:not-json');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'text/html; charset=utf-8'])(
    'a body of the type %s is refused, whatever it is',
    async (type) => {
      const response = await request('/v1/agents', {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': type },
        body: '{"name":"Ana"}',
      });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({
        type: 'urn:roomline:problem:wrong-media-type',
      });
    },
  );
});

describe('calls', () => {
  it('are listed newest first, page by page, each once', async () => {
    const phoneNumberId = unique('88');
    await api('POST', '/v1/numbers', number({ phone_number_id: phoneNumberId }));
    const ids = Array.from({ length: 5 }, () => unique('wacid.'));
    for (const id of ids) await postWebhook(connectWebhook({ id, phoneNumberId }));
    const seen: (string | null)[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: { data: CallView[]; next_cursor: string | null } = (
        await api<{ data: CallView[]; next_cursor: string | null }>(
          'GET',
          `/v1/calls?limit=2${query}`,
        )
      ).body;
      seen.push(...page.data.map((call) => call.provider_call_id ?? ''));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids.toReversed());
  });

  it.each(['limit=0', 'limit=x', 'state=asleep', 'cursor=zzz'])(
    'refuse ?%s by field',
    async (query) => {
      const { status, body } = await api<ProblemBody>('GET', `/v1/calls?${query}`);
      expect(status).toBe(400);
      expect(body.errors?.[0]?.field).toMatch(new RegExp(`^${query.split('=')[0] ?? ''}`));
    },
  );

  it('that do not exist are 404', async () => {
    expect((await api('GET', '/v1/calls/nope')).status).toBe(404);
    expect((await api('POST', '/v1/calls/nope/end')).status).toBe(404);
    const { body } = await api<{ key: string }>('POST', '/v1/agents', { name: 'Eve' });
    expect((await api('POST', '/v1/calls/nope/claim', undefined, body.key)).status).toBe(404);
  });

  it('are claimed with the admin key for a named agent only', async () => {
    const { status, body } = await api<ProblemBody>('POST', '/v1/calls/nope/claim');
    expect([status, body.errors?.[0]?.field]).toEqual([400, 'agent_id']);
  });
});

describe('documentation', () => {
  it('describes every route of the API', async () => {
    const document = await (
      await request('/v1/openapi.json')
    ).json<{
      openapi: string;
      paths: Record<string, object>;
    }>();
    expect(document.openapi).toBe('3.1.0');
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    // Relays speak the protocol, and the document is not part of itself.
    const expected = Object.entries(ACCESS)
      .filter(([route, access]) => route.includes(' /v1/') && access !== 'relay')
      .map(([route]) => route.replaceAll(/:(\w+)/g, '{$1}'))
      .filter((route) => route !== 'GET /v1/openapi.json');
    expect(described.toSorted()).toEqual(expected.toSorted());
  });

  it('is readable at /docs', async () => {
    const response = await request('/docs');
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(await response.text()).toContain('/v1/openapi.json');
  });
});

describe('the event stream', () => {
  interface Frame {
    type: string;
    id?: number;
    cursor?: number;
    calls?: CallView[];
    call?: CallView;
  }

  async function subscribe(path = '/v1/events', headers: Record<string, string> = {}) {
    const response = await request(path, {
      headers: { upgrade: 'websocket', authorization: `Bearer ${ADMIN_KEY}`, ...headers },
    });
    const socket = response.webSocket;
    if (!socket) throw new Error(`no WebSocket: ${response.status}`);
    const frames: Frame[] = [];
    const waiting: (() => void)[] = [];
    socket.addEventListener('message', ({ data }) => {
      frames.push(JSON.parse(String(data)) as Frame);
      for (const wake of waiting.splice(0)) wake();
    });
    socket.accept();
    const frame = async (wanted: (frame: Frame) => boolean): Promise<Frame> => {
      for (;;) {
        const found = frames.find(wanted);
        if (found) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    };
    return { frames, frame, response };
  }

  it('is WebSocket only', async () => {
    expect((await api('GET', '/v1/events')).status).toBe(426);
  });

  it('takes the key of a browser as a subprotocol', async () => {
    const { response, frame } = await subscribe('/v1/events', {
      authorization: '',
      'sec-websocket-protocol': `roomline, bearer.${ADMIN_KEY}`,
    });
    expect(response.headers.get('sec-websocket-protocol')).toBe('roomline');
    await frame(({ type }) => type === 'hello');
  });

  it('says what happens and resumes from the last seen event', async () => {
    const phoneNumberId = unique('99');
    await api('POST', '/v1/numbers', number({ phone_number_id: phoneNumberId }));
    const live = await subscribe();
    const { cursor } = await live.frame(({ type }) => type === 'hello');
    const id = unique('wacid.');
    await postWebhook(connectWebhook({ id, phoneNumberId }));
    const isIt = ({ call }: Frame) => call?.provider_call_id === id && call.state === 'ended';
    const seen = await live.frame(isIt);

    const late = await subscribe(`/v1/events?after=${cursor}`);
    const replayed = await late.frame(isIt);
    expect(replayed.id).toBeLessThanOrEqual(seen.id ?? 0);
    const after = await subscribe(`/v1/events?after=${seen.id}`);
    await after.frame(({ type }) => type === 'hello');
    expect(after.frames.filter(isIt)).toEqual([]);
  });
});
