// Finds a livekit-server to run: the one on PATH, the cached one, the official release, or one built with Go.
// Only finds it; test/support/livekit-server.ts runs it.
import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { downloadRelease, releaseAsset, ReleaseError } from './livekit-release.ts';

/** The version that Roomline is tested against. */
export const LIVEKIT_VERSION = '1.13.5';

/** A failure that the person at the keyboard can do something about; shown without a stack. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/** A server that somebody else runs, taken from `LIVEKIT_URL`, `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`. */
export type ExternalLiveKit = { url: string; apiKey: string; apiSecret: string };

/** What finding depends on; tests replace parts of it. */
export type Finder = {
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  arch: string;
  log: (line: string) => void;
  /** True when this file exists and can be executed. */
  isExecutable: (path: string) => Promise<boolean>;
  download: (asset: string, target: string) => Promise<void>;
  build: (target: string, log: (line: string) => void) => Promise<void>;
};

const realFinder: Finder = {
  env: process.env,
  platform: process.platform,
  arch: process.arch,
  log: (line) => console.log(line),
  isExecutable: (path) =>
    access(path, constants.X_OK).then(
      () => true,
      () => false,
    ),
  download: (asset, target) => downloadRelease({ version: LIVEKIT_VERSION, asset, target }),
  build: buildWithGo,
};

/** The cache is the user's, not the checkout's, so that a fresh clone starts in seconds. */
export function cachedServerPath(finder: Pick<Finder, 'env' | 'platform'>): string {
  const { env, platform } = finder;
  const cache =
    env['XDG_CACHE_HOME'] ??
    (platform === 'win32' ? env['LOCALAPPDATA'] : undefined) ??
    join(env['HOME'] ?? homedir(), '.cache');
  const name = platform === 'win32' ? 'livekit-server.exe' : 'livekit-server';
  return join(cache, 'roomline', 'livekit-server', LIVEKIT_VERSION, name);
}

export type FoundServer = { path: string; source: 'path' | 'cache' | 'release' | 'go' };

/**
 * Finds a livekit-server executable, getting one if there is none yet. Repeating it is cheap: the cache answers.
 *
 * @throws SetupError with the remedies when none can be had
 */
export async function findLiveKitServer(overrides: Partial<Finder> = {}): Promise<FoundServer> {
  const finder = { ...realFinder, ...overrides };
  const onPath = await findOnPath(finder);
  if (onPath) return { path: onPath, source: 'path' };
  const target = cachedServerPath(finder);
  if (await finder.isExecutable(target)) return { path: target, source: 'cache' };
  await mkdir(dirname(target), { recursive: true });

  const asset = releaseAsset(LIVEKIT_VERSION, finder.platform, finder.arch);
  let whyNoRelease = `no release is published for ${finder.platform}-${finder.arch}`;
  if (asset) {
    finder.log(`livekit-server ${LIVEKIT_VERSION}: downloading the official release ...`);
    try {
      await finder.download(asset, target);
      return { path: target, source: 'release' };
    } catch (error) {
      if (!(error instanceof ReleaseError)) throw error;
      whyNoRelease = error.message;
    }
  }
  return buildInstead(finder, target, whyNoRelease);
}

async function buildInstead(
  finder: Finder,
  target: string,
  whyNoRelease: string,
): Promise<FoundServer> {
  finder.log(`livekit-server ${LIVEKIT_VERSION}: ${whyNoRelease}.`);
  try {
    await finder.build(target, finder.log);
    return { path: target, source: 'go' };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const brew = finder.platform === 'darwin' ? '`brew install livekit`, or ' : '';
    throw new SetupError(
      `No livekit-server: none on PATH, ${whyNoRelease}, and ${error.message}. ` +
        `Do one of these: ${brew}put livekit-server on PATH, install Go (https://go.dev/dl) so that it can be built, ` +
        `or name a running server with LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.`,
      { cause: error },
    );
  }
}

async function findOnPath(finder: Finder): Promise<string | undefined> {
  const name = finder.platform === 'win32' ? 'livekit-server.exe' : 'livekit-server';
  for (const folder of (finder.env['PATH'] ?? '').split(delimiter)) {
    if (folder && (await finder.isExecutable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

/** How often a build says that it is still at work, in ms: it prints nothing itself. */
const STILL_BUILDING_MS = 30_000;

async function buildWithGo(target: string, log: (line: string) => void): Promise<void> {
  await promisify(execFile)('go', ['version']).catch((error: unknown) => {
    throw new SetupError('Go is not installed', { cause: error });
  });
  log(`livekit-server ${LIVEKIT_VERSION}: building it with Go; once, two to four minutes ...`);
  const folder = await mkdtemp(join(dirname(target), 'build-'));
  const startedMs = Date.now();
  const stillBuilding = setInterval(() => {
    log(`  still building (${Math.round((Date.now() - startedMs) / 1000)} s) ...`);
  }, STILL_BUILDING_MS);
  try {
    await goInstall(folder);
    await rename(join(folder, process.platform === 'win32' ? 'server.exe' : 'server'), target);
    log(`livekit-server ${LIVEKIT_VERSION}: built in ${seconds(Date.now() - startedMs)}.`);
  } finally {
    clearInterval(stillBuilding);
    await rm(folder, { recursive: true, force: true });
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`;

async function goInstall(folder: string): Promise<void> {
  const command = `github.com/livekit/livekit-server/cmd/server@v${LIVEKIT_VERSION}`;
  const child = spawn('go', ['install', '-trimpath', '-ldflags', '-s -w', command], {
    env: { ...process.env, CGO_ENABLED: '0', GOBIN: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-2_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    const reason = stderr.trim().split('\n').at(-1) ?? '';
    throw new SetupError(`the Go build failed (${reason})`);
  }
}

/** How long a server named by `LIVEKIT_URL` may take to answer, in ms. */
const EXTERNAL_ANSWER_MS_MAX = 5_000;

/**
 * Reads the server that the environment names, and checks that it answers.
 *
 * @returns undefined when `LIVEKIT_URL` is not set
 * @throws SetupError when the key or secret is missing, or nothing answers there
 */
export async function externalLiveKit(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ExternalLiveKit | undefined> {
  const url = env['LIVEKIT_URL'];
  if (!url) return undefined;
  const apiKey = env['LIVEKIT_API_KEY'];
  const apiSecret = env['LIVEKIT_API_SECRET'];
  if (!apiKey || !apiSecret) {
    throw new SetupError(
      'LIVEKIT_URL is set, so LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be set, too.',
    );
  }
  const remedy = 'Start it, correct LIVEKIT_URL, or unset it to have one started here.';
  try {
    const probe = url.replace(/^ws/, 'http');
    const response = await fetch(probe, { signal: AbortSignal.timeout(EXTERNAL_ANSWER_MS_MAX) });
    if (!response.ok) throw new Error(`status ${response.status}`);
  } catch (error) {
    throw new SetupError(`No LiveKit server answers at LIVEKIT_URL=${url}. ${remedy}`, {
      cause: error,
    });
  }
  return { url, apiKey, apiSecret };
}
