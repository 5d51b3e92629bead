// Answers an orchestrator's probes, alive and whether to send it calls, and a monitoring that reads the metrics.
import { createServer } from 'node:http';
import { Registry } from 'prom-client';

export type HealthSource = {
  /** Why no call should be sent here, `undefined` when ready. */
  unready: () => Promise<string | undefined>;
  /** Everything that is measured, in Prometheus' text format. */
  metricsText: () => Promise<string>;
};

/**
 * Serves `GET /healthz` (200 while the process runs), `GET /readyz` (200 while it takes calls, else 503 with the reason) and
 * `GET /metrics`.
 *
 * @returns function that stops it
 */
export async function serveHealth(
  place: { port: number; address: string },
  source: HealthSource,
): Promise<() => void> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain') => {
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    };
    const failed = (error: unknown) => answer(500, `${String(error)}\n`);
    switch (request.url) {
      case '/healthz':
        answer(200, 'ok\n');
        return;
      case '/readyz':
        source
          .unready()
          .then(
            (reason) => answer(reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`),
            failed,
          );
        return;
      case '/metrics':
        source
          .metricsText()
          .then((text) => answer(200, text, Registry.PROMETHEUS_CONTENT_TYPE), failed);
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
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
