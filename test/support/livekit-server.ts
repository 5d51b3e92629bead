// Runs a real livekit-server on the loopback interface, for tests and for `npm start`.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { externalLiveKit, findLiveKitServer } from '../local/livekit-server.ts';
import { freePorts } from '../local/ports.ts';
import { Supervisor, waitForHttp, type Child } from '../local/processes.ts';

export type LiveKit = {
  /** WebSocket address, `ws://127.0.0.1:<port>`. */
  url: string;
  apiKey: string;
  apiSecret: string;
  /** Where it came from, for people. */
  source: string;
  /** Absent when somebody else runs the server (`LIVEKIT_URL`). */
  child?: Child;
  /** Harmless when repeated, and when somebody else runs the server. */
  stop: () => Promise<void>;
};

export type LiveKitOptions = {
  /** First of three neighbouring ports: HTTP, ICE over TCP, ICE over UDP. Free ones are chosen without it. */
  port?: number;
  apiKey?: string;
  /** At least 32 characters; a random one without it. */
  apiSecret?: string;
  /** Stops the server together with other things; one of its own without it. */
  supervisor?: Supervisor;
};

/** How many neighbouring ports one server takes. */
export const LIVEKIT_PORTS = 3;
const READY_MS_MAX = 20_000;
const SECOND_SIGNAL_MS = 100;

/**
 * Configuration for one machine that talks to itself.
 *
 * Spec: livekit-server's config-sample.yaml. Without `node_ip` it asks public STUN servers for its address, and without
 * `enable_loopback_candidate` it skips the only interface wanted here. Keys that it does not know keep it from starting.
 */
const configuration = (port: number, apiKey: string, apiSecret: string): string =>
  JSON.stringify({
    port,
    bind_addresses: ['127.0.0.1'],
    rtc: {
      tcp_port: port + 1,
      udp_port: port + 2,
      node_ip: '127.0.0.1',
      use_external_ip: false,
      enable_loopback_candidate: true,
      ips: { includes: ['127.0.0.1/32'] },
    },
    // How often it looks who speaks, in ms; its default of 400 shows a speaker up to a second late.
    audio: { update_interval: 200 },
    keys: { [apiKey]: apiSecret },
    logging: { level: 'info' },
  });

/**
 * Starts a livekit-server of one's own, or uses the one that `LIVEKIT_URL` names.
 *
 * The first use on a machine may have to download or build the server, which takes minutes; `npm test` does that before any
 * test runs.
 */
export async function startLiveKit(options: LiveKitOptions = {}): Promise<LiveKit> {
  const external = await externalLiveKit();
  if (external) return { ...external, source: 'LIVEKIT_URL', stop: async () => {} };

  const found = await findLiveKitServer();
  const port = options.port ?? (await freePorts(LIVEKIT_PORTS));
  const apiKey = options.apiKey ?? 'devkey';
  const apiSecret = options.apiSecret ?? randomBytes(24).toString('hex');
  const logFolder = join(import.meta.dirname, '../../.state/logs', `livekit-${port}`);
  const supervisor = options.supervisor ?? new Supervisor(logFolder);
  const child = await supervisor.start({
    name: 'livekit',
    command: found.path,
    args: [],
    // By environment rather than by argument, so that the secret does not show in the process list.
    env: { LIVEKIT_CONFIG: configuration(port, apiKey, apiSecret) },
    // Observed: the first SIGTERM makes it wait for rooms to empty, the second ends it.
    secondSignalAfterMs: SECOND_SIGNAL_MS,
  });
  try {
    await waitForHttp(child, `http://127.0.0.1:${port}/`, READY_MS_MAX);
  } catch (error) {
    await child.stop();
    throw error;
  }
  const url = `ws://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await child.stop();
    if (!options.supervisor) await rm(logFolder, { recursive: true, force: true });
  };
  return { url, apiKey, apiSecret, source: found.path, child, stop };
}
