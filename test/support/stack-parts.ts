// The processes of a local stack, one function each, and the ports they share. stack.ts puts them together.
import { join } from 'node:path';
import { freePorts } from '../local/ports.ts';
import { waitForHttp, type Child, type Supervisor } from '../local/processes.ts';
import { LIVEKIT_PORTS } from './livekit-server.ts';
import type { Credentials, StackSecrets } from './stack-secrets.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Where everything listens, on the loopback interface. */
export type StackPorts = {
  worker: number;
  simulator: number;
  /** First of three. */
  livekit: number;
  relayHttp: number;
  /** A range such as `40000-40099`; each call takes one. */
  relayUdp: string;
};

/** How a stack differs from another. */
export type StackOptions = {
  /** Database, secrets and logs; what is there already is used again. */
  stateFolder: string;
  ports: StackPorts;
  /** Restart the worker when its source changes. */
  isWatching?: boolean;
  /** Let requests of the worker reach nothing but this machine. */
  isOffline?: boolean;
  /** Told what is being done, for people who wait. */
  onStep?: (step: string) => void;
};

/**
 * The number that is registered, as the provider names it. Each simulator has one of its own: a database that is used again
 * with the simulator on another port gets another number instead of one that points nowhere.
 */
export const numberOf = ({ simulator }: StackPorts) => ({
  phoneNumberId: `1065403522${simulator}`,
  displayPhoneNumber: '15550783881',
});

/** Graph endpoints, control API and phone page. */
export const simulatorUrlOf = ({ ports }: StackOptions): string =>
  `http://127.0.0.1:${ports.simulator}`;

/** The relay's own default; each call takes a port, so fewer ports mean fewer calls. */
const CAPACITY_MAX = 50;

function portsIn(range: string): number {
  const [first = 0, last = 0] = range.split('-').map(Number);
  return last - first + 1;
}

/** Where one relay of a stack runs. */
export type RelayPlace = {
  /** Names its log. */
  name: string;
  /** How it reaches the worker. */
  workerUrl: string;
  httpPort: number;
  /** A range such as `40000-40099`. */
  udpPorts: string;
  /** Calls at once, in each of its processes. */
  capacity: number;
  /** One unless given. */
  processes?: number;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
};

/** Where relays of a stack keep recordings that the worker does not have yet. */
export const recordingsFolder = (stateFolder: string): string => join(stateFolder, 'recordings');

/** The place of the relay that every stack has. */
export const firstRelayPlace = ({
  ports: { worker, relayHttp, relayUdp },
  stateFolder,
}: StackOptions): RelayPlace => ({
  name: 'relay',
  workerUrl: `http://127.0.0.1:${worker}`,
  httpPort: relayHttp,
  udpPorts: relayUdp,
  capacity: Math.min(CAPACITY_MAX, portsIn(relayUdp)),
  env: { RELAY_RECORDINGS_DIR: recordingsFolder(stateFolder) },
});

const UDP_PORTS_OF_TESTS = 64;
const READY_MS_MAX = 60_000;

/** Ports for a stack that nobody needs to find again: free ones, side by side. */
export async function freeStackPorts(): Promise<StackPorts> {
  const first = await freePorts(3 + LIVEKIT_PORTS + UDP_PORTS_OF_TESTS);
  const udp = first + 3 + LIVEKIT_PORTS;
  return {
    worker: first,
    simulator: first + 1,
    relayHttp: first + 2,
    livekit: first + 3,
    relayUdp: `${udp}-${udp + UDP_PORTS_OF_TESTS - 1}`,
  };
}

// Provider: wrangler's environment variables. With them it sends nothing and asks nothing of the network.
const QUIET_RUNTIME = {
  CI: '1',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_WRITE_LOGS: 'false',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** Starts the worker on its database, with pending migrations applied, and waits until it answers. */
export async function startWorker(supervisor: Supervisor, options: StackOptions): Promise<Child> {
  const { ports, stateFolder, isWatching = false, isOffline = false } = options;
  const child = await supervisor.start({
    name: 'worker',
    isPatient: true,
    command: process.execPath,
    args: [join(import.meta.dirname, 'worker-host.ts')],
    cwd: ROOT,
    env: {
      ...QUIET_RUNTIME,
      WORKER_CONFIG: join(ROOT, 'wrangler.toml'),
      WORKER_PERSIST: join(stateFolder, 'worker'),
      WORKER_SECRETS: join(stateFolder, 'worker.env'),
      WORKER_PORT: String(ports.worker),
      WORKER_WATCH: isWatching ? '1' : '0',
      WORKER_OFFLINE: isOffline ? '1' : '0',
    },
  });
  await waitForHttp(child, `http://127.0.0.1:${ports.worker}/healthz`, READY_MS_MAX);
  return child;
}

/** Starts the simulated WhatsApp and waits until it answers. */
export async function startSimulator(
  supervisor: Supervisor,
  options: StackOptions,
  secrets: StackSecrets,
): Promise<Child> {
  const { ports } = options;
  const number = numberOf(ports);
  const child = await supervisor.start({
    name: 'simulator',
    command: process.execPath,
    args: [join(ROOT, 'test/local/simulator/main.ts')],
    cwd: ROOT,
    env: {
      SIMULATOR_PORT: String(ports.simulator),
      WEBHOOK_URL: `http://127.0.0.1:${ports.worker}/webhooks/whatsapp`,
      META_APP_SECRET: secrets.META_APP_SECRET,
      META_VERIFY_TOKEN: secrets.META_VERIFY_TOKEN,
      META_ACCESS_TOKEN: secrets.META_ACCESS_TOKEN,
      PHONE_NUMBER_ID: number.phoneNumberId,
      DISPLAY_PHONE_NUMBER: number.displayPhoneNumber,
    },
  });
  await waitForHttp(child, `http://127.0.0.1:${ports.simulator}/phone`, READY_MS_MAX);
  return child;
}

/** Starts a relay and waits until the worker has welcomed it. */
export async function startRelay(
  supervisor: Supervisor,
  { name, workerUrl, httpPort, udpPorts, capacity, processes = 1, env = {} }: RelayPlace,
  relay: Credentials['relay'],
): Promise<Child> {
  const child = await supervisor.start({
    name,
    command: process.execPath,
    args: [join(ROOT, 'relay/main.ts'), '--processes', String(processes)],
    cwd: ROOT,
    env: {
      ROOMLINE_URL: workerUrl,
      RELAY_ID: relay.id,
      RELAY_SECRET: relay.secret,
      RELAY_UDP_PORTS: udpPorts,
      RELAY_CAPACITY: String(capacity),
      // Everything shares this machine: its load would say nothing of the calls.
      RELAY_CPU_MAX: '100',
      RELAY_BIND_ADDRESS: '127.0.0.1',
      RELAY_HTTP_PORT: String(httpPort),
      ...env,
    },
    // SIGTERM, and the first SIGINT, let it finish its calls.
    stopSignal: 'SIGINT',
    secondSignalAfterMs: 50,
  });
  await waitForHttp(child, `http://127.0.0.1:${httpPort}/readyz`, READY_MS_MAX);
  return child;
}
