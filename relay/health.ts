// Answers an orchestrator's probes, alive and whether to send it calls, and a monitoring that reads the metrics.
import { createServer } from 'node:http';
import type { Metrics } from './metrics.ts';

/**
 * Serves `GET /healthz` (200 while the process runs), `GET /readyz` (200 while it takes calls, else 503 with the reason) and
 * `GET /metrics`; the event loop is watched as long as somebody can read that.
 *
 * @param unready why no call should be sent here, `undefined` when ready
 * @returns function that stops it
 */
export async function serveHealth(
  place: { port: number; address: string },
  unready: () => string | undefined,
  metrics: Pick<Metrics, 'text' | 'contentType' | 'watchEventLoop'>,
): Promise<() => void> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain') => {
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    };
    switch (request.url) {
      case '/healthz':
        answer(200, 'ok\n');
        return;
      case '/readyz': {
        const reason = unready();
        answer(reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`);
        return;
      }
      case '/metrics':
        metrics.text().then(
          (text) => answer(200, text, metrics.contentType),
          (error: unknown) => answer(500, `${String(error)}\n`),
        );
        return;
      case undefined:
      default:
        answer(404, 'not found\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(place.port, place.address, resolve);
  });
  const stopWatching = metrics.watchEventLoop();
  return () => {
    stopWatching();
    server.close();
    server.closeAllConnections();
  };
}
