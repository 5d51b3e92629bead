// Serves a fetch handler on node:http, and can cut a connection instead of answering.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { AddressInfo } from 'node:net';

/** Bytes of the largest request body; an SDP offer is 4 kB. */
const BODY_BYTES_MAX = 1_000_000;

const cut = new WeakSet<Response>();

/** A response that is never sent: the connection is closed without a byte, as by a timeout on the way back. */
export function cutConnection(): Response {
  const response = new Response(null);
  cut.add(response);
  return response;
}

/** A running server; `close` cuts open connections and settles when the port is free. */
export type Listening = { readonly url: string; close(): Promise<void> };

/** @param port 0 for any free one */
export async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  bind: string,
  port: number,
): Promise<Listening> {
  const server = createServer((incoming, outgoing) => {
    answer(fetch, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(port, bind);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return { url: `http://${bind}:${address.port}`, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

async function answer(
  fetch: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = await readBody(incoming);
  if (body === undefined) {
    outgoing.writeHead(413).end();
    return;
  }
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  const method = incoming.method ?? 'GET';
  const request = new Request(
    `http://${incoming.headers.host ?? 'localhost'}${incoming.url ?? '/'}`,
    {
      method,
      headers: Object.entries(incoming.headers).map(([name, value]): [string, string] => [
        name,
        String(value),
      ]),
      ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
      signal: gone.signal,
    },
  );
  const response = await fetch(request);
  if (cut.has(response)) {
    incoming.socket.destroy();
    return;
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  // A stream may have nothing to say for long; its reader must know at once that it is open.
  outgoing.flushHeaders();
  if (!response.body) outgoing.end();
  else {
    // A reader that leaves in the middle of a stream is no error of ours.
    const stream = Readable.fromWeb(response.body as NodeReadableStream<Uint8Array>);
    await pipeline(stream, outgoing).catch(() => {});
  }
}

async function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
