// All of Roomline on this machine: livekit-server, the worker in its runtime, a relay, and the simulated WhatsApp, with a number
// and a relay registered through the public API. `npm start` and the end-to-end tests run this same code.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../local/ports.ts';
import { Supervisor, waitForHttp, type Child } from '../local/processes.ts';
import { SimulatorClient } from '../local/simulator/client.ts';
import { LIVEKIT_PORTS, startLiveKit, type LiveKit } from './livekit-server.ts';
import { RoomlineClient } from './roomline-client.ts';
import {
  loadCredentials,
  loadSecrets,
  saveCredentials,
  writeWorkerSecrets,
  type Credentials,
  type StackSecrets,
} from './stack-secrets.ts';

const ROOT = join(import.meta.dirname, '../..');

export type StackPorts = {
  worker: number;
  simulator: number;
  /** First of three. */
  livekit: number;
  relayHttp: number;
  /** A range such as `40000-40099`; each call takes one. */
  relayUdp: string;
};

export type StackOptions = {
  /** Database, secrets and logs; what is there already is used again. */
  stateFolder: string;
  ports: StackPorts;
  /** Restart the worker when its source changes. */
  isWatching?: boolean;
  /** Told what is being done, for people who wait. */
  onStep?: (step: string) => void;
};

/** The number that is registered, as the provider names it. */
export const NUMBER = { phoneNumberId: '106540352242922', displayPhoneNumber: '15550783881' };

const simulatorUrlOf = ({ ports }: StackOptions): string => `http://127.0.0.1:${ports.simulator}`;

/** The relay's own default; each call takes a port, so fewer ports mean fewer calls. */
const CAPACITY_MAX = 50;

function portsIn(range: string): number {
  const [first = 0, last = 0] = range.split('-').map(Number);
  return last - first + 1;
}

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

/** A running stack. Every part runs in a process of its own, so that tests can end and restart one at a time. */
export class Stack {
  readonly options: StackOptions;
  readonly supervisor: Supervisor;
  readonly livekit: LiveKit;
  readonly secrets: StackSecrets;
  readonly credentials: Credentials;
  /** The API with the administrator's key. */
  readonly admin: RoomlineClient;
  readonly simulator: SimulatorClient;
  readonly simulatorUrl: string;
  worker: Child;
  relay: Child;

  /** Use `startStack`. */
  constructor(parts: StackParts, worker: Child, relay: Child) {
    this.options = parts.options;
    this.supervisor = parts.supervisor;
    this.livekit = parts.livekit;
    this.secrets = parts.secrets;
    this.credentials = parts.credentials;
    this.admin = parts.admin;
    this.simulator = parts.simulator;
    this.simulatorUrl = simulatorUrlOf(parts.options);
    this.worker = worker;
    this.relay = relay;
  }

  /** Registers another agent and returns the API with that agent's key. */
  async agent(name: string): Promise<RoomlineClient> {
    return this.admin.as((await this.admin.createAgent(name)).key);
  }

  /** Starts the relay again, after it was stopped or killed. */
  async startRelay(): Promise<void> {
    this.relay = await startRelay(this.supervisor, this.options, this.credentials.relay);
  }

  /** Starts the worker again on its database, after it was stopped. */
  async startWorker(): Promise<void> {
    this.worker = await startWorker(this.supervisor, this.options);
  }

  /** Stops everything; nothing is left running. */
  async stop(): Promise<void> {
    await this.supervisor.stop();
  }
}

type StackParts = {
  options: StackOptions;
  supervisor: Supervisor;
  livekit: LiveKit;
  secrets: StackSecrets;
  credentials: Credentials;
  admin: RoomlineClient;
  simulator: SimulatorClient;
};

/**
 * Starts everything and waits until a call could come in.
 *
 * @param supervisor stops what was started, also when starting fails half way
 * @throws Error with the last lines of the part that did not start
 */
export async function startStack(
  options: StackOptions,
  supervisor = new Supervisor(join(options.stateFolder, 'logs')),
): Promise<Stack> {
  try {
    return await startParts(options, supervisor);
  } catch (error) {
    await supervisor.stop();
    throw error;
  }
}

async function startParts(options: StackOptions, supervisor: Supervisor): Promise<Stack> {
  const { ports, stateFolder, onStep = () => {} } = options;
  await mkdir(stateFolder, { recursive: true });
  const secrets = await loadSecrets(stateFolder);

  onStep('livekit-server');
  const livekit = await startLiveKit({
    port: ports.livekit,
    apiKey: secrets.LIVEKIT_API_KEY,
    apiSecret: secrets.LIVEKIT_API_SECRET,
    supervisor,
  });

  onStep('worker and simulator');
  const { META_ACCESS_TOKEN, ...workerSecrets } = secrets;
  await writeWorkerSecrets(join(stateFolder, 'worker.env'), {
    ...workerSecrets,
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
  });
  const [worker] = await Promise.all([
    startWorker(supervisor, options),
    startSimulator(supervisor, options, secrets),
  ]);
  const admin = new RoomlineClient(`http://127.0.0.1:${ports.worker}`, secrets.ADMIN_API_KEY);
  const simulatorUrl = simulatorUrlOf(options);

  onStep('relay');
  const credentials = await register(admin, stateFolder, simulatorUrl, META_ACCESS_TOKEN);
  const relay = await startRelay(supervisor, options, credentials.relay);
  const simulator = new SimulatorClient(simulatorUrl);
  const parts = { options, supervisor, livekit, secrets, credentials, admin, simulator };
  return new Stack(parts, worker, relay);
}

/** Registers the number, and once per database a relay and an agent. */
async function register(
  admin: RoomlineClient,
  stateFolder: string,
  simulatorUrl: string,
  accessToken: string,
): Promise<Credentials> {
  await admin.ensureNumber({
    provider: 'meta',
    phone_number_id: NUMBER.phoneNumberId,
    display_phone_number: NUMBER.displayPhoneNumber,
    access_token: accessToken,
    api_base_url: simulatorUrl,
  });
  const kept = await loadCredentials(stateFolder);
  if (kept) return kept;
  const { id, secret } = await admin.createRelay('relay-1');
  const agent = await admin.createAgent('Demo agent');
  const credentials = { relay: { id, secret }, agent: { key: agent.key } };
  await saveCredentials(stateFolder, credentials);
  return credentials;
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

async function startWorker(supervisor: Supervisor, options: StackOptions): Promise<Child> {
  const { ports, stateFolder, isWatching = false } = options;
  const child = await supervisor.start({
    name: 'worker',
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
    },
  });
  await waitForHttp(child, `http://127.0.0.1:${ports.worker}/healthz`, READY_MS_MAX);
  return child;
}

async function startSimulator(
  supervisor: Supervisor,
  options: StackOptions,
  secrets: StackSecrets,
): Promise<Child> {
  const { ports } = options;
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
      PHONE_NUMBER_ID: NUMBER.phoneNumberId,
      DISPLAY_PHONE_NUMBER: NUMBER.displayPhoneNumber,
    },
  });
  await waitForHttp(child, `http://127.0.0.1:${ports.simulator}/phone`, READY_MS_MAX);
  return child;
}

async function startRelay(
  supervisor: Supervisor,
  { ports }: StackOptions,
  relay: Credentials['relay'],
): Promise<Child> {
  const child = await supervisor.start({
    name: 'relay',
    command: process.execPath,
    args: [join(ROOT, 'relay/main.ts')],
    cwd: ROOT,
    env: {
      ROOMLINE_URL: `http://127.0.0.1:${ports.worker}`,
      RELAY_ID: relay.id,
      RELAY_SECRET: relay.secret,
      RELAY_UDP_PORTS: ports.relayUdp,
      RELAY_CAPACITY: String(Math.min(CAPACITY_MAX, portsIn(ports.relayUdp))),
      RELAY_BIND_ADDRESS: '127.0.0.1',
      RELAY_HTTP_PORT: String(ports.relayHttp),
    },
    // SIGTERM, and the first SIGINT, let it finish its calls.
    stopSignal: 'SIGINT',
    secondSignalAfterMs: 50,
  });
  await waitForHttp(child, `http://127.0.0.1:${ports.relayHttp}/readyz`, READY_MS_MAX);
  return child;
}
