// The relay's settings: environment variables in, one typed object out, or every problem at once.
import { isIP } from 'node:net';
import { z } from 'zod';

const url = (protocols: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be an address that starts with one of ${protocols.map((name) => `${name}//`).join(' ')}`,
  });

const ipAddress = z.string().refine((text) => isIP(text) !== 0, { error: 'must be an IP address' });

const integer = (min: number, max: number) =>
  z
    .string()
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    })
    .transform(Number);

const portRange = z
  .string()
  .refine(
    (text) => {
      const [first = 0, last = 0] = text.split('-').map(Number);
      return /^\d{1,5}-\d{1,5}$/.test(text) && first > 1024 && first <= last && last <= 65_535;
    },
    { error: 'must be FIRST-LAST, both from 1025 to 65535' },
  )
  .transform((text) => {
    const [first = 0, last = 0] = text.split('-').map(Number);
    return { first, last };
  });

/** Every variable the relay reads, with its default. */
export const environment = z.object({
  /** Address of the worker. */
  ROOMLINE_URL: url(['http:', 'https:', 'ws:', 'wss:']),
  /** Name that the relay was registered under at the worker. */
  RELAY_ID: z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 letters, digits, ".", "_" or "-"'),
  /** What the worker returned at registration. */
  RELAY_SECRET: z.string().min(16, 'must be at least 16 characters'),
  /** UDP ports for the provider's media, one per call; several processes share them evenly. */
  RELAY_UDP_PORTS: portRange.default({ first: 40_000, last: 40_999 }),
  /** Local address for media of both legs; every interface but loopback when absent. */
  RELAY_BIND_ADDRESS: ipAddress.optional(),
  /** Address at which the provider reaches our UDP ports; not needed behind NAT, because we send first. */
  RELAY_PUBLIC_ADDRESS: ipAddress.optional(),
  /** LiveKit server address to use instead of the one that the worker names. */
  RELAY_LIVEKIT_URL: url(['http:', 'https:', 'ws:', 'wss:']).optional(),
  /** Calls at once in each process; about 100 fit on one core. */
  RELAY_CAPACITY: integer(1, 10_000).default(50),
  /**
   * Folder for recordings until the worker has them; made when the first begins, readable by nobody else. Each relay uses a folder
   * of its own in there.
   */
  RELAY_RECORDINGS_DIR: z.string().default('recordings'),
  /** Percent of its cores' CPU from which on a process takes no new call, also when it has capacity left; 100: it always does. */
  RELAY_CPU_MAX: integer(1, 100).default(80),
  /** Port of `/healthz`, `/readyz` and `/metrics`; no HTTP when absent. */
  RELAY_HTTP_PORT: integer(1, 65_535).optional(),
  /** Address of that port. Loopback by default: probes of an orchestrator need 0.0.0.0. */
  RELAY_HTTP_ADDRESS: ipAddress.default('127.0.0.1'),
  /** Least severe log line that is written. */
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Config = z.infer<typeof environment>;

/** Variables whose values are never shown. */
const SECRETS: ReadonlySet<string> = new Set(['RELAY_SECRET']);

/**
 * Reads the settings. Empty variables count as absent, as container files often leave them.
 *
 * @param processes how many of them share the settings
 * @returns the settings, or one line per problem that names the variable and never its value
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  processes = 1,
): { ok: true; config: Config } | { ok: false; problems: string[] } {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const result = environment.safeParse(present);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, code, message, ...issue }) => {
      const name = String(path[0]);
      if (present[name] === undefined) return `${name}: is required`;
      return `${name}: ${code === 'invalid_value' && 'values' in issue ? `must be one of ${issue.values.join(', ')}` : message}`;
    });
    return { ok: false, problems };
  }
  const { RELAY_UDP_PORTS: ports, RELAY_CAPACITY: capacity } = result.data;
  if (portsEach(ports, processes) < capacity) {
    const each = processes === 1 ? '' : ` in each of ${processes} processes`;
    return {
      ok: false,
      problems: [
        `RELAY_UDP_PORTS: has fewer ports than RELAY_CAPACITY has calls${each}; every call takes one`,
      ],
    };
  }
  return { ok: true, config: result.data };
}

const portsEach = ({ first, last }: Config['RELAY_UDP_PORTS'], processes: number): number =>
  Math.floor((last - first + 1) / processes);

/**
 * The settings of one of several processes: an id and ports of its own. Their health is served by the process that started them.
 *
 * @param number from 1 to `processes`
 */
export function configOfProcess(config: Config, number: number, processes: number): Config {
  const { RELAY_HTTP_PORT: _shared, ...own } = config;
  const count = portsEach(config.RELAY_UDP_PORTS, processes);
  const first = config.RELAY_UDP_PORTS.first + (number - 1) * count;
  return {
    ...own,
    RELAY_ID: `${config.RELAY_ID}.${number}`,
    RELAY_UDP_PORTS: { first, last: first + count - 1 },
  };
}

/** The settings in force as `NAME=value` lines, secrets masked. */
export const describeConfig = (config: Config): string[] =>
  Object.keys(environment.shape).map((name) => {
    const value = config[name as keyof Config];
    if (value === undefined) return `${name}=`;
    if (SECRETS.has(name)) return `${name}=********`;
    return `${name}=${typeof value === 'object' ? `${value.first}-${value.last}` : value}`;
  });
