// Serves the sample agent page: static files, and livekit-client as its package ships it.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const livekitClient = (): string => {
  // The package's entry is its UMD build; the module build lies beside it.
  const entry = createRequire(import.meta.url).resolve('livekit-client');
  return join(entry, '../livekit-client.esm.mjs');
};

const FILES: Readonly<Record<string, { path: string; type: string }>> = {
  '/agent': { path: join(import.meta.dirname, 'index.html'), type: 'text/html' },
  '/agent/app.js': { path: join(import.meta.dirname, 'app.js'), type: 'text/javascript' },
  '/agent/livekit-client.js': { path: livekitClient(), type: 'text/javascript' },
};

export type AgentPage = { url: string; stop: () => Promise<void> };

/** Starts serving the page on the loopback interface; it talks to the API at `apiUrl`. */
export async function serveAgentPage(port: number, apiUrl: string): Promise<AgentPage> {
  const server = createServer((req, res) => {
    const file = FILES[new URL(req.url ?? '/', 'http://localhost').pathname];
    if (!file) {
      res.writeHead(404, { 'content-type': 'text/plain' }).end('The page is at /agent.\n');
      return;
    }
    readFile(file.path, 'utf8').then(
      (text) => {
        const headers = {
          'content-type': `${file.type}; charset=utf-8`,
          'cache-control': 'no-store',
        };
        res.writeHead(200, headers).end(text.replace('{{API}}', apiUrl));
      },
      () => res.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}/agent`, stop };
}
