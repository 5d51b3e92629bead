// All of Roomline on this machine: livekit-server, the worker in its runtime, a relay, and the simulated WhatsApp, with a number
// and a relay registered through the public API. `npm start` and the end-to-end tests run this same code.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Supervisor, type Child } from '../local/processes.ts';
import { SimulatorClient } from '../local/simulator/client.ts';
import { startLiveKit, type LiveKit } from './livekit-server.ts';
import { ApiError, RoomlineClient } from './roomline-client.ts';
import {
  firstRelayPlace,
  numberOf,
  simulatorUrlOf,
  startRelay,
  startSimulator,
  startWorker,
  type StackOptions,
} from './stack-parts.ts';
import {
  loadCredentials,
  loadSecrets,
  saveCredentials,
  writeWorkerSecrets,
  type Credentials,
  type StackSecrets,
} from './stack-secrets.ts';

export { freeStackPorts } from './stack-parts.ts';

/** A running stack. Every part runs in a process of its own, so that tests can end and restart one at a time. */
export class Stack {
  readonly options: StackOptions;
  readonly supervisor: Supervisor;
  livekit: LiveKit;
  readonly secrets: StackSecrets;
  readonly credentials: Credentials;
  /** The API with the administrator's key. */
  readonly admin: RoomlineClient;
  readonly simulator: SimulatorClient;
  readonly simulatorUrl: string;
  readonly number: { phoneNumberId: string; displayPhoneNumber: string };
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
    this.number = numberOf(parts.options.ports);
    this.worker = worker;
    this.relay = relay;
  }

  /** Registers another agent and returns the API with that agent's key. */
  async agent(name: string): Promise<RoomlineClient> {
    return this.admin.as((await this.admin.createAgent(name)).key);
  }

  /** Starts the relay again, after it was stopped or killed. */
  async startRelay(): Promise<void> {
    const place = firstRelayPlace(this.options);
    this.relay = await startRelay(this.supervisor, place, this.credentials.relay);
  }

  /**
   * Starts the worker again on its database, after it was stopped.
   *
   * @param change of its secrets, for this start
   */
  async startWorker(change: Readonly<Record<string, string>> = {}): Promise<void> {
    await writeSecrets(this.options, this.secrets, this.livekit, change);
    this.worker = await startWorker(this.supervisor, this.options);
  }

  /** Starts livekit-server again where it was, after it was stopped or killed; it has forgotten its rooms. */
  async startLiveKit(): Promise<void> {
    this.livekit = await startLiveKitOf(this.options, this.secrets, this.supervisor);
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
  const livekit = await startLiveKitOf(options, secrets, supervisor);

  onStep('worker and simulator');
  await writeSecrets(options, secrets, livekit);
  const [worker] = await Promise.all([
    startWorker(supervisor, options),
    startSimulator(supervisor, options, secrets),
  ]);
  const admin = new RoomlineClient(`http://127.0.0.1:${ports.worker}`, secrets.ADMIN_API_KEY);

  onStep('relay');
  const credentials = await register(admin, options, secrets.META_ACCESS_TOKEN);
  const relay = await startRelay(supervisor, firstRelayPlace(options), credentials.relay);
  const simulator = new SimulatorClient(simulatorUrlOf(options));
  const parts = { options, supervisor, livekit, secrets, credentials, admin, simulator };
  return new Stack(parts, worker, relay);
}

const startLiveKitOf = (
  { ports }: StackOptions,
  { LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret }: StackSecrets,
  supervisor: Supervisor,
): Promise<LiveKit> => startLiveKit({ port: ports.livekit, apiKey, apiSecret, supervisor });

/** Writes what the worker reads when it starts. The access token is the number's, which the API is told. */
function writeSecrets(
  { stateFolder }: StackOptions,
  { META_ACCESS_TOKEN: _ofTheNumber, ...secrets }: StackSecrets,
  livekit: LiveKit,
  change: Readonly<Record<string, string>> = {},
): Promise<void> {
  return writeWorkerSecrets(join(stateFolder, 'worker.env'), {
    ...secrets,
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    ALLOW_LOOPBACK: new URL(livekit.url).hostname === '127.0.0.1' ? '1' : '0',
    ...change,
  });
}

/** Registers the number, and once per database a relay and an agent. */
async function register(
  admin: RoomlineClient,
  options: StackOptions,
  accessToken: string,
): Promise<Credentials> {
  const { stateFolder, ports } = options;
  const { phoneNumberId, displayPhoneNumber } = numberOf(ports);
  await admin.ensureNumber({
    provider: 'meta',
    phone_number_id: phoneNumberId,
    display_phone_number: displayPhoneNumber,
    access_token: accessToken,
    api_base_url: simulatorUrlOf(options),
  });
  const kept = await loadCredentials(stateFolder);
  if (kept && (await isAccepted(admin.as(kept.agent.key)))) return kept;
  // A name of its own: an earlier start may have been interrupted before it kept the secret that is shown once.
  const { id, secret } = await admin.createRelay(`relay-${randomBytes(3).toString('hex')}`);
  const agent = await admin.createAgent('Demo agent');
  const credentials = { relay: { id, secret }, agent: { key: agent.key } };
  await saveCredentials(stateFolder, credentials);
  return credentials;
}

/** Whether the worker knows this key; it does not when its database was deleted. */
async function isAccepted(client: RoomlineClient): Promise<boolean> {
  try {
    await client.request('GET', '/v1/calls?limit=1');
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}
