// A business's webhook address for tests: it records what comes and answers as it is told.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** The parts of a webhook that tests look at. */
export type WebhookValue = {
  readonly metadata: { readonly phone_number_id: string };
  readonly contacts?: readonly object[];
  readonly calls: readonly Readonly<Record<string, unknown>>[];
  readonly errors?: readonly object[];
};
type Arrived = {
  readonly text: string;
  readonly signature: string;
  readonly headers: IncomingHttpHeaders;
  readonly atMs: number;
};

export class WebhookReceiver {
  readonly arrived: Arrived[] = [];
  /** Statuses of the next answers; 200 when empty. */
  readonly statuses: number[] = [];
  verifyToken = 'simulated-verify-token';
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'GET') {
        const isRight = url.searchParams.get('hub.verify_token') === this.verifyToken;
        response.writeHead(isRight ? 200 : 403).end(url.searchParams.get('hub.challenge'));
        return;
      }
      this.arrived.push({
        text: Buffer.concat(chunks).toString(),
        signature: String(request.headers['x-hub-signature-256']),
        headers: request.headers,
        atMs: performance.now(),
      });
      response.writeHead(this.statuses.shift() ?? 200).end();
    });
  });

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/webhooks/whatsapp`;
  }

  /** The value of every webhook so far, in order of arrival. */
  values(): WebhookValue[] {
    return this.arrived.map(({ text }) => JSON.parse(text).entry[0].changes[0].value);
  }

  /** All events so far, such as `['connect', 'terminate']`. */
  events(): string[] {
    return this.values().flatMap((value) => value.calls.map((call) => String(call['event'])));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
