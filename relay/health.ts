// Answers an orchestrator's probes: alive, and whether to send it calls.
import { createServer } from 'node:http';

/**
 * Serves `GET /healthz` (200 while the process runs) and `GET /readyz` (200 while it takes calls, else 503 with the reason).
 *
 * @param unready why no call should be sent here, `undefined` when ready
 * @returns function that stops it
 */
export async function serveHealth(
  place: { port: number; address: string },
  unready: () => string | undefined,
): Promise<() => void> {
  const server = createServer((request, response) => {
    const reason = request.url === '/readyz' ? unready() : undefined;
    const isKnown = request.url === '/healthz' || request.url === '/readyz';
    response.writeHead(isKnown ? (reason === undefined ? 200 : 503) : 404, {
      'content-type': 'text/plain',
    });
    response.end(isKnown ? `${reason ?? 'ok'}\n` : 'not found\n');
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
