// What the environment says about a local stack: which ports, which state folder. Also checks that the ports are free.
import { join } from 'node:path';
import { z } from 'zod';
import type { StackPorts } from '../support/stack-parts.ts';
import { SetupError } from './livekit-server.ts';
import { holderOfTcpPort, isTcpPortFree, isUdpPortFree } from './ports.ts';

const port = z.coerce.number().int().min(1024).max(65_530);
const schema = z.object({
  PORT: port.default(8787),
  SIMULATOR_PORT: port.default(8790),
  AGENT_PORT: port.default(8791),
  RELAY_HTTP_PORT: port.default(8792),
  LIVEKIT_PORT: port.default(7880),
  RELAY_UDP_PORTS: z
    .string()
    .regex(/^\d{4,5}-\d{4,5}$/, 'expected a range such as 40000-40099')
    .refine((range) => Number(range.split('-')[0]) <= Number(range.split('-')[1]), {
      error: 'expected the lower port first',
    })
    .default('40000-40099'),
});

export type Settings = { ports: StackPorts; agentPort: number; stateFolder: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws SetupError naming every variable that is wrong */
export function readSettings(env: Environment = process.env): Settings {
  // An empty variable counts as not set.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const result = schema.safeParse(given);
  if (!result.success) {
    const problems = result.error.issues.map(
      (issue) => `${String(issue.path[0])}: ${issue.message}`,
    );
    throw new SetupError(`Settings that cannot be used: ${problems.join('; ')}.`);
  }
  const { data } = result;
  return {
    ports: {
      worker: data.PORT,
      simulator: data.SIMULATOR_PORT,
      relayHttp: data.RELAY_HTTP_PORT,
      livekit: data.LIVEKIT_PORT,
      relayUdp: data.RELAY_UDP_PORTS,
    },
    agentPort: data.AGENT_PORT,
    // One folder per worker port, so that two copies side by side do not share a database.
    stateFolder: join(import.meta.dirname, '../../.state', String(data.PORT)),
  };
}

type Wanted = { port: number; use: string; variable: string; isUdp?: boolean };

/**
 * Makes sure that everything can listen before anything is started.
 *
 * @throws SetupError with one sentence per port in use: which one, who has it as far as can be known, what moves it
 */
export async function checkPorts(settings: Settings, isLiveKitExternal: boolean): Promise<void> {
  const { ports, agentPort } = settings;
  const livekit: Wanted[] = [
    { port: ports.livekit, use: 'livekit-server', variable: 'LIVEKIT_PORT' },
    { port: ports.livekit + 1, use: 'livekit-server (ICE over TCP)', variable: 'LIVEKIT_PORT' },
    { port: ports.livekit + 2, use: 'livekit-server', variable: 'LIVEKIT_PORT', isUdp: true },
  ];
  const wanted: Wanted[] = [
    { port: ports.worker, use: 'the worker', variable: 'PORT' },
    { port: ports.simulator, use: 'the simulator', variable: 'SIMULATOR_PORT' },
    { port: agentPort, use: 'the agent page', variable: 'AGENT_PORT' },
    { port: ports.relayHttp, use: "the relay's health page", variable: 'RELAY_HTTP_PORT' },
    ...(isLiveKitExternal ? [] : livekit),
  ];
  const problems = await Promise.all(wanted.map(problemWith));
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new SetupError(found.join('\n'));
}

async function problemWith({ port, use, variable, isUdp }: Wanted): Promise<string | undefined> {
  if (await (isUdp ? isUdpPortFree(port) : isTcpPortFree(port))) return undefined;
  const holder = isUdp ? undefined : await holderOfTcpPort(port);
  const by = holder ? ` by ${holder}` : '';
  const kind = isUdp ? 'UDP port' : 'Port';
  return `${kind} ${port} for ${use} is in use${by}: stop that, or choose another with ${variable}.`;
}
