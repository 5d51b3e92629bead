// A process that runs the worker in the real runtime on a fixed port, as `wrangler dev` does, but quietly, with its
// migrations applied, and without watching files unless asked to. Started by stack.ts; stops in order upon SIGTERM.
import { unstable_startWorker } from 'wrangler';
import { applyMigrations } from './migrations.ts';
import { setting } from './setting.ts';

const configPath = setting('WORKER_CONFIG');
const persistFolder = setting('WORKER_PERSIST');

const startedMs = Date.now();
const applied = await applyMigrations(configPath, persistFolder);
console.log(`${applied} migrations applied in ${Date.now() - startedMs} ms`);

const worker = await unstable_startWorker({
  config: configPath,
  envFiles: [setting('WORKER_SECRETS')],
  dev: {
    server: { hostname: '127.0.0.1', port: Number(setting('WORKER_PORT')) },
    inspector: false,
    persist: persistFolder,
    watch: setting('WORKER_WATCH') === '1',
    // `log` writes every line of the worker; else only warnings and errors.
    logLevel: process.env['WORKER_LOG_LEVEL'] === 'log' ? 'log' : 'warn',
    remote: false,
    ...(process.env['WORKER_OFFLINE'] === '1' ? { outboundService: onThisMachine } : {}),
  },
});

/** Lets requests of the worker go to this machine and nowhere else. Observed: wrangler 4.156 takes it; its types do not say so. */
async function onThisMachine(request: Request): Promise<Response> {
  const { hostname } = new URL(request.url);
  if (hostname !== '127.0.0.1') return new Response('out of reach', { status: 503 });
  const body = await request.arrayBuffer();
  const { method, headers } = request;
  return fetch(request.url, {
    method,
    headers,
    redirect: 'manual',
    ...(body.byteLength > 0 ? { body } : {}),
  });
}

let isStopping = false;
const stop = (): void => {
  if (isStopping) return;
  isStopping = true;
  void worker.dispose().then(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

await worker.ready;
console.log(`worker ready at ${String(await worker.url)} after ${Date.now() - startedMs} ms`);
