import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createUpload } from '../../../../relay/adapters/upload.ts';

const RECORDING = { bytes: 300_000, durationMs: 61_000, sha256: 'ab'.repeat(32) };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Seen = { method?: string; url?: string; headers: IncomingHttpHeaders; bytes: number };

/** A server that reads everything, unless it is hasty, and answers. */
async function serverThat(
  status: number,
  { type = 'text/plain', body = '', isHasty = false } = {},
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    const one: Seen = { ...(method ? { method } : {}), ...(url ? { url } : {}), headers, bytes: 0 };
    seen.push(one);
    const answer = () => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    if (isHasty) answer();
    request.on('data', (chunk: Buffer) => (one.bytes += chunk.length));
    request.on('end', () => isHasty || answer());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function* bodyOf(bytes: number) {
  for (let left = bytes; left > 0; left -= 65_536) yield new Uint8Array(Math.min(left, 65_536));
}

const upload = (url: string) =>
  createUpload({ url, relayId: 'relay 1', secret: 'secret' })(
    'c/1',
    RECORDING,
    bodyOf(RECORDING.bytes),
  );

const problem = (status: number, code: string) =>
  serverThat(status, {
    type: 'application/problem+json',
    body: JSON.stringify({ type: `urn:roomline:problem:${code}`, status }),
  });

it('brings the bytes with what is said of them', async () => {
  const { url, seen } = await serverThat(200);
  expect(await upload(`${url.replace('http', 'ws')}/base/`)).toBe('kept');
  expect(seen).toMatchObject([
    {
      method: 'PUT',
      url: '/base/v1/relays/relay%201/recordings/c%2F1',
      bytes: RECORDING.bytes,
      headers: {
        authorization: 'Bearer secret',
        'content-type': 'audio/ogg',
        'content-length': '300000',
        'x-roomline-duration-ms': '61000',
        'x-roomline-audio-sha256': RECORDING.sha256,
      },
    },
  ]);
  expect(seen[0]?.headers['transfer-encoding']).toBeUndefined();
});

it.each([
  [404, 'not-found'],
  [409, 'conflict'],
])('the worker says for good that it does not take it: %i %s', async (status, code) => {
  expect(await upload((await problem(status, code)).url)).toBe('refused');
});

it.each([
  ['the secret is wrong', () => problem(401, 'unauthenticated')],
  ['there is no bucket', () => problem(503, 'not-configured')],
  ['the worker fails', () => serverThat(500)],
  [
    'somebody else has no such address',
    () => serverThat(404, { type: 'text/html', body: 'not found' }),
  ],
  [
    'the problem cannot be read',
    () => serverThat(409, { type: 'application/problem+json', body: 'x' }),
  ],
])('may be tried again: %s', async (_why, server) => {
  await expect(upload((await server()).url)).rejects.toThrow();
});

it('may be tried again: nobody is there', async () => {
  await expect(upload('http://127.0.0.1:9')).rejects.toThrow('ECONNREFUSED');
});

it('takes an answer that comes before the end of the body', async () => {
  const { url } = await serverThat(200, { isHasty: true });
  expect(await upload(url)).toBe('kept');
});

it('may be tried again: the file ends early', async () => {
  const { url } = await serverThat(200);
  const brings = createUpload({ url, relayId: 'r', secret: 's' })('c', RECORDING, bodyOf(100));
  await expect(brings).rejects.toThrow();
});
