// Workers in the real runtime, each on a database of its own, and what they are told about numbers and relays.
import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../local/ports.ts';
import { waitForHttp, type Child, type Supervisor } from '../local/processes.ts';
import type { BusinessNumber } from '../local/simulator/wire.ts';
import { RoomlineClient } from '../support/roomline-client.ts';
import { loadSecrets, writeWorkerSecrets, type StackSecrets } from '../support/stack-secrets.ts';
import type { OutsideReply, OutsideRequest, Report } from './ack-outside.ts';

export const ROOT = join(import.meta.dirname, '../..');
const READY_MS_MAX = 60_000;
const RELAY_ID = 'bench';

/** The number that every webhook of the benchmark is about. */
export const NUMBER: BusinessNumber = {
  phoneNumberId: '200000000000001',
  displayPhoneNumber: '15550109999',
  wabaId: '100000000000001',
};

/** A worker that runs. */
export type Host = { readonly url: string; readonly child: Child };
/** Roomline with a number and a relay, ready for calls. */
export type Product = Host & {
  readonly appSecret: string;
  readonly admin: RoomlineClient;
  readonly outside: Outside;
};

type HostSpec = {
  readonly name: string;
  /** A wrangler configuration with `migrations/` beside it. */
  readonly configPath: string;
  /** Database and secrets. */
  readonly stateFolder: string;
  readonly secrets: Readonly<Record<string, string>>;
};

/** Starts a worker and waits until it answers. */
export async function startHost(supervisor: Supervisor, spec: HostSpec): Promise<Host> {
  const { name, configPath, stateFolder, secrets } = spec;
  await mkdir(stateFolder, { recursive: true });
  const secretsPath = join(stateFolder, 'worker.env');
  await writeWorkerSecrets(secretsPath, secrets);
  const port = await freePorts();
  const url = `http://127.0.0.1:${port}`;
  const child = await supervisor.start({
    name,
    command: process.execPath,
    args: [join(ROOT, 'test/support/worker-host.ts')],
    cwd: ROOT,
    env: {
      // Provider: wrangler's environment variables. With them it sends nothing and asks nothing of the network.
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      // What wrangler shows to developers: it records every span of every request, which takes half of the CPU.
      X_LOCAL_OBSERVABILITY: 'false',
      X_LOCAL_EXPLORER: 'false',
      WORKER_CONFIG: configPath,
      WORKER_PERSIST: stateFolder,
      WORKER_SECRETS: secretsPath,
      WORKER_PORT: String(port),
      WORKER_WATCH: '0',
    },
  });
  await waitForHttp(child, `${url}/healthz`, READY_MS_MAX);
  return { url, child };
}

/** Starts the yardstick. */
export const startBaseline = (supervisor: Supervisor, stateFolder: string): Promise<Host> =>
  startHost(supervisor, {
    name: 'baseline',
    configPath: join(import.meta.dirname, 'baseline/wrangler.toml'),
    stateFolder,
    secrets: {},
  });

/**
 * Starts Roomline with the relay, the provider and the LiveKit of ack-outside.ts.
 *
 * @param configPath its own `wrangler.toml`, or one that differs from it
 * @param settings added to the worker's secrets
 */
export async function startProduct(
  supervisor: Supervisor,
  stateFolder: string,
  configPath = join(ROOT, 'wrangler.toml'),
  settings: Readonly<Record<string, string>> = {},
): Promise<Product> {
  const outside = new Outside();
  supervisor.add('outside', async () => outside.stop());
  const outsideUrl = await outside.url();
  const { META_ACCESS_TOKEN, ...secrets } = await loadSecrets(stateFolder);
  const host = await startHost(supervisor, {
    name: 'roomline',
    configPath,
    stateFolder,
    secrets: { ...secrets, LIVEKIT_URL: outsideUrl, ...settings },
  });
  const admin = new RoomlineClient(host.url, secrets.ADMIN_API_KEY);
  await register(admin, META_ACCESS_TOKEN, outsideUrl);
  const relay = await admin.createRelay(RELAY_ID);
  await outside.ask({ do: 'connect', url: host.url, ...relay });
  return { ...host, admin, outside, appSecret: secrets.META_APP_SECRET };
}

const register = (
  admin: RoomlineClient,
  accessToken: StackSecrets['META_ACCESS_TOKEN'],
  apiBaseUrl: string,
): Promise<void> =>
  admin.ensureNumber({
    provider: 'meta',
    phone_number_id: NUMBER.phoneNumberId,
    display_phone_number: NUMBER.displayPhoneNumber,
    access_token: accessToken,
    api_base_url: apiBaseUrl,
  });

/** The process of ack-outside.ts. */
export class Outside {
  readonly process: ChildProcess = fork(join(import.meta.dirname, 'ack-outside.ts'));

  /** The address of provider and LiveKit; to be asked for first. */
  async url(): Promise<string> {
    const reply = await this.#reply();
    if (!('port' in reply)) throw new Error('expected the port');
    return `http://127.0.0.1:${reply.port}`;
  }

  /** What needs no answer. */
  tell(report: Report): void {
    this.process.send(report);
  }

  /** One request at a time. */
  async ask(request: Exclude<OutsideRequest, Report>): Promise<void> {
    const replied = this.#reply();
    this.process.send(request);
    const reply = await replied;
    if ('error' in reply) throw new Error(reply.error);
  }

  #reply(): Promise<OutsideReply> {
    return new Promise((resolve) => {
      this.process.once('message', (message) => resolve(message as OutsideReply));
    });
  }

  stop(): void {
    this.process.disconnect();
  }
}

/** A worker's process and those that it has started, by what the benchmark calls them. */
export function processesOf(name: string, { child }: Host): Record<string, number> {
  const runtimes = childrenOf(child.pid);
  return Object.fromEntries(
    [child.pid, ...runtimes].map((pid, index) => [
      index === 0 ? `${name} host` : `${name} runtime ${index}`,
      pid,
    ]),
  );
}

/** Spec: proc(5), `task/<tid>/children`; all descendants, parents first. */
function childrenOf(pid: number): number[] {
  const direct = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );
  return direct.flatMap((child) => [child, ...childrenOf(child)]);
}
