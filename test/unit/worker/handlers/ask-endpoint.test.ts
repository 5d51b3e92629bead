// What an endpoint of a user is asked, and what is taken for an answer.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { askEndpoint } from '../../../../worker/handlers/ask-endpoint.ts';

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const OLD = secretOf(1);
const NEW = secretOf(2);
const NOW = Date.now();

let answer: (response: ServerResponse) => void;
const received: { headers: Record<string, string>; body: string }[] = [];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const headers = request.headers as Record<string, string>;
    received.push({ headers, body: Buffer.concat(chunks).toString() });
    answer(response);
  });
});
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => server.close());
afterEach(() => {
  received.length = 0;
  vi.restoreAllMocks();
});

interface Settings {
  readonly ALLOW_LOOPBACK?: boolean;
  readonly ASK_SECRET?: string[];
}

const ask = (settings: Settings = {}, address = url) =>
  askEndpoint(
    {
      config: { ALLOW_LOOPBACK: true, ASK_SECRET: [NEW, OLD], ...settings },
      known: async () => ({
        numbers: new Set(),
        teams: new Map([['sales', ['ana']]]),
        agents: new Map([['ana', []]]),
        prompts: new Set(['sound:menu']),
        canRecord: true,
        isLoopbackAllowed: false,
        canAsk: true,
      }),
      now: () => NOW,
    },
    { view: { id: 'c1' } as never, digits: '21' },
    { lane: 'endpoint', action: 'ask', url: address, data: { shop: 'porto' } },
  );

const json = (body: unknown) => (response: ServerResponse) =>
  void response.end(typeof body === 'string' ? body : JSON.stringify(body));

it('is told of the call, signed with every secret', async () => {
  answer = json({});
  await ask();
  const [{ headers, body } = { headers: {}, body: '' }] = received;
  for (const secret of [OLD, NEW])
    expect(new Webhook(secret).verify(body, headers)).toEqual({
      type: 'call.ask',
      timestamp: new Date(NOW).toISOString(),
      data: { call: { id: 'c1' }, digits: '21', data: { shop: 'porto' } },
    });
  expect(() => new Webhook(secretOf(3)).verify(body, headers)).toThrow();
});

describe('an answer', () => {
  it.each([
    ['204', (response: ServerResponse) => void response.writeHead(204).end(), { ok: true }],
    ['nothing in particular', json({}), { ok: true, steps: [] }],
    [
      'steps, with what they leave out',
      json({ steps: [{ voicemail: {} }] }),
      { ok: true, steps: [{ voicemail: { longest_s: 120 } }] },
    ],
    [
      'a flow of the rule set',
      json({ steps: [{ goto: 'support' }] }),
      { ok: true, steps: [{ goto: 'support' }] },
    ],
  ])('is taken: %s', async (_, given, expected) => {
    answer = given;
    expect(await ask()).toEqual(expected);
  });

  it.each([
    ['a refusal', (response: ServerResponse) => void response.writeHead(500).end('x'), 'HTTP 500'],
    [
      'a redirect, which is not followed',
      (response: ServerResponse) => void response.writeHead(307, { location: url }).end(),
      'HTTP 307',
    ],
    ['no JSON', json('{'), 'the answer, : Invalid input: expected object, received null'],
    ['a list', json([]), 'the answer, : Invalid input: expected object, received array'],
    ['members that nobody knows', json({ step: [] }), 'the answer, : Unrecognized key: "step"'],
    ['no steps at all', json({ steps: [] }), 'the answer, steps: at least one step'],
    [
      'a step that is none',
      json({ steps: [{ ring: {} }] }),
      'the answer, steps.0.ring: one of `team`, `agents` and `everyone`',
    ],
    [
      'a team that there is not',
      json({ steps: [{ queue: { team: 'nobody' } }] }),
      'the answer, steps.0.queue.team: Expected a team; there is no nobody',
    ],
    [
      'another endpoint on this machine',
      json({ steps: [{ ask: { url: 'http://127.0.0.1/' } }] }),
      'the answer, steps.0.ask.url: Expected an https:// address',
    ],
    [
      'more than is read',
      json({ steps: [{ message: { text: 'x'.repeat(65_536) } }] }),
      'more than 65536 bytes',
    ],
  ])('is refused, and says why: %s', async (_, given, message) => {
    answer = given;
    expect(await ask()).toMatchObject({ ok: false, kind: 'refused', message });
    expect(received).toHaveLength(1);
  });

  it('that breaks off is none', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    };
    expect(await ask()).toEqual({ ok: false, kind: 'unsure', message: 'not reached' });
  });

  it('that does not come in time is none', async () => {
    const fetched = vi
      .spyOn(globalThis, 'fetch')
      .mockRejectedValue(new DOMException('late', 'TimeoutError'));
    expect(await ask()).toEqual({ ok: false, kind: 'unsure', message: 'no answer within 2 s' });
    expect(fetched).toHaveBeenCalledOnce();
  });
});

it.each([
  ['plain http', {}, 'http://example.com/', /https/],
  ['an address of this machine, but for trying things out', { ALLOW_LOOPBACK: false }, '', /https/],
  ['an IP address', {}, 'https://10.0.0.1/', /public DNS/],
  ['without a secret', { ASK_SECRET: [] }, 'https://example.com/', /^ASK_SECRET is not set$/],
])('is not asked: %s', async (_, settings: Settings, address, message) => {
  const fetched = vi.spyOn(globalThis, 'fetch');
  expect(await ask(settings, address || url)).toEqual({
    ok: false,
    kind: 'refused',
    message: expect.stringMatching(message) as string,
  });
  expect(fetched).not.toHaveBeenCalled();
});
