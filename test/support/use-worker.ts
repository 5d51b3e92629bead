// The worker alone in its real runtime, for tests that need no media: on a port and a database of its own, gone afterwards.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { freePorts } from '../local/ports.ts';
import { Supervisor, type Child } from '../local/processes.ts';
import { startWorker, type StackOptions } from './stack-parts.ts';
import { loadSecrets, writeWorkerSecrets, type StackSecrets } from './stack-secrets.ts';

/** A running worker. Provider and LiveKit are out of reach: nothing listens where it looks for them. */
export interface LoneWorker {
  readonly url: string;
  readonly adminKey: string;
  readonly secrets: StackSecrets;
  /** Stops it and starts it again on its database. */
  readonly restart: () => Promise<void>;
}

/**
 * @param isOffline its requests reach nothing but this machine
 * @throws Error with the last lines of the worker when it did not start
 */
export async function startLoneWorker(
  stateFolder: string,
  supervisor: Supervisor,
  { isOffline = false } = {},
): Promise<LoneWorker> {
  const port = await freePorts(1);
  const secrets = await loadSecrets(stateFolder);
  const { META_ACCESS_TOKEN: _, ...own } = secrets;
  await writeWorkerSecrets(join(stateFolder, 'worker.env'), {
    ...own,
    LIVEKIT_URL: 'ws://127.0.0.1:9',
    ALLOW_LOOPBACK: '1',
  });
  const ports = { worker: port, simulator: 9, livekit: 9, relayHttp: 9, relayUdp: '9-9' };
  const options: StackOptions = { stateFolder, ports, isOffline };
  let child: Child = await startWorker(supervisor, options);
  return {
    url: `http://127.0.0.1:${port}`,
    adminKey: secrets.ADMIN_API_KEY,
    secrets,
    restart: async () => {
      await child.stop();
      child = await startWorker(supervisor, options);
    },
  };
}

/**
 * Registers the hooks that start and stop a worker around the tests of this file.
 *
 * @returns gives the worker, from the first test on
 */
export function useWorker(name: string): () => LoneWorker {
  const folder = `../../.state/tests/${name}-${String(process.pid)}`;
  const stateFolder = join(import.meta.dirname, folder);
  const supervisor = new Supervisor(join(stateFolder, 'logs'));
  let worker: LoneWorker | undefined;

  beforeAll(async () => {
    worker = await startLoneWorker(stateFolder, supervisor);
  });
  afterAll(async () => {
    await supervisor.stop();
    await rm(stateFolder, { recursive: true, force: true });
  });

  return () => {
    if (!worker) throw new Error('the worker is there only while tests run');
    return worker;
  };
}
