// Runs the AI agent of test/sample-agent against a LiveKit server. It is a package of its own, whose packages are installed when
// they are needed.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../local/livekit-server.ts';
import { startChild, type Child } from '../local/processes.ts';
import type { LiveKit } from './livekit-server.ts';
import { setTimeout as delay } from 'node:timers/promises';

const FOLDER = join(import.meta.dirname, '../sample-agent');
/** Loading the framework takes seconds on a busy machine. */
const START_MS_MAX = 60_000;

const packagesOf = (file: string): Record<string, { version?: string; optional?: boolean }> => {
  try {
    const lock = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as {
      packages?: Record<string, { version?: string }>;
    };
    return lock.packages ?? {};
  } catch {
    return {};
  }
};

/** The packages that the lock file asks for are there. */
function isInstalled(): boolean {
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(
    ([path, { version, optional }]) =>
      path === '' || optional === true || installed[path]?.version === version,
  );
}

/**
 * Installs the sample agent's packages from npm, if they are not there. Nothing is built and no script of theirs runs: native
 * parts come as packages.
 *
 * @throws SetupError when that fails
 */
export async function installSampleAgent(log: (line: string) => void): Promise<void> {
  if (isInstalled()) return;
  log('Installing the packages of test/sample-agent ...');
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    npm.once('error', reject);
    npm.once('exit', resolve);
  });
  if (code !== 0)
    throw new SetupError(
      `npm ci in test/sample-agent failed with code ${String(code)} (see above): check the network and run the command again.`,
    );
}

/** @returns the agent, once LiveKit knows it by this name */
export async function startSampleAgent(
  { url, apiKey, apiSecret }: LiveKit,
  name: string,
  logFolder: string,
): Promise<Child> {
  const child = await startChild(
    {
      name: 'sample-agent',
      command: process.execPath,
      args: ['agent.ts'],
      cwd: FOLDER,
      env: {
        AGENT_NAME: name,
        LIVEKIT_URL: url,
        LIVEKIT_API_KEY: apiKey,
        LIVEKIT_API_SECRET: apiSecret,
      },
    },
    logFolder,
  );
  const registered = (async () => {
    while (!child.tail().split('\n').includes('registered')) await delay(50);
  })();
  const late = delay(START_MS_MAX, 'late', { ref: false });
  const outcome = await Promise.race([registered, child.exited, late]);
  if (outcome === undefined) return child;
  await child.stop();
  throw new Error(`the sample agent did not register (${outcome}):\n${child.tail()}`);
}
