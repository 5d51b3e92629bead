// What the relay asks of the worker for the file of a prompt, by HTTP on loopback.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createFetchPrompt } from '../../../../relay/adapters/prompt-file.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A worker that answers as told. */
async function worker(answer: (response: ServerResponse) => void) {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(response);
  });
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { asked, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const fetcher = (url: string) => createFetchPrompt({ url, relayId: 'relay 1', secret: 'secret' });

it.each(['http://', 'ws://'])('asks under its own id with its secret, at %s', async (protocol) => {
  const { asked, host } = await worker((response) => response.end('a sound'));
  const fetched = await fetcher(`${protocol}${host}/base/`)('a/../b');
  expect(fetched).toEqual({ ok: true, file: Buffer.from('a sound') });
  expect(asked.map(({ method, url }) => [method, url])).toEqual([
    ['GET', '/base/v1/relays/relay%201/prompts/a%2F..%2Fb'],
  ]);
  expect(asked[0]?.headers.authorization).toBe('Bearer secret');
});

it.each([
  [500, true],
  [503, true],
  [429, true],
  [404, false],
  [401, false],
])('is answered %i: asking again may help: %s', async (status, mayHelpToRetry) => {
  const { host } = await worker((response) => response.writeHead(status).end('{}'));
  expect(await fetcher(`http://${host}`)('p')).toEqual({
    ok: false,
    message: `the worker answers ${status}`,
    mayHelpToRetry,
  });
});

it('brings its secret to nobody to whom it is sent on', async () => {
  const other = await worker((response) => response.end('a sound'));
  const { host } = await worker((response) =>
    response.writeHead(302, { location: `http://${other.host}/` }).end(),
  );
  expect(await fetcher(`http://${host}`)('p')).toMatchObject({ ok: false });
  expect(other.asked).toEqual([]);
});

it('reads no file above 10 MiB', async () => {
  const piece = Buffer.alloc(1024 * 1024);
  const { host } = await worker((response) => {
    for (let count = 0; count < 11; count++) response.write(piece);
    response.end();
  });
  expect(await fetcher(`http://${host}`)('p')).toEqual({
    ok: false,
    message: 'too large',
    mayHelpToRetry: false,
  });
});

it('says so when nobody is there, or the connection breaks', async () => {
  expect(await fetcher('http://127.0.0.1:1')('p')).toMatchObject({
    ok: false,
    mayHelpToRetry: true,
  });
  const { host } = await worker((response) => {
    response.writeHead(200, { 'content-length': 1_000 }).write('some');
    response.destroy();
  });
  expect(await fetcher(`http://${host}`)('p')).toMatchObject({ ok: false, mayHelpToRetry: true });
});
