// Downloads the official release of livekit-server and checks it against the checksums published with it.
// Knows nothing of other ways to get the server; see livekit-server.ts for those.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where the releases are; tests point this at a server of their own. */
export const RELEASES_URL = 'https://github.com/livekit/livekit/releases/download';

/** How long the first answer may take, in ms. A machine without a way out must move on within seconds. */
const FIRST_ANSWER_MS_MAX = 5_000;
/** How long the whole archive (about 20 MB) may take, in ms. */
const DOWNLOAD_MS_MAX = 180_000;

/** Why a release could not be used; every one of them means "try the next way". */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError';
}

// Provider: names of the files of https://github.com/livekit/livekit/releases/tag/v1.13.5.
const ASSETS: Readonly<Record<string, string>> = {
  'linux-x64': 'linux_amd64.tar.gz',
  'linux-arm64': 'linux_arm64.tar.gz',
  'linux-arm': 'linux_armv7.tar.gz',
  'win32-x64': 'windows_amd64.zip',
  'win32-arm64': 'windows_arm64.zip',
};

/** Name of the release file for a platform, or undefined where none is published (macOS: use Homebrew). */
export function releaseAsset(version: string, platform: string, arch: string): string | undefined {
  const suffix = ASSETS[`${platform}-${arch}`];
  return suffix && `livekit_${version}_${suffix}`;
}

/** Finds the SHA-256 of one file in a `checksums.txt`: lines of `<hex>  <file name>`. */
export function checksumOf(asset: string, checksums: string): string | undefined {
  for (const line of checksums.split('\n')) {
    const [hex, name] = line.trim().split(/\s+\*?/);
    if (name === asset && hex && /^[0-9a-f]{64}$/i.test(hex)) return hex.toLowerCase();
  }
  return undefined;
}

async function get(url: string, timeoutMs: number): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new ReleaseError(`${new URL(url).host} is not reachable (${String(cause)})`, {
      cause: error,
    });
  }
  if (!response.ok) throw new ReleaseError(`${url} answered ${response.status}`);
  return response;
}

export type ReleaseRequest = {
  version: string;
  asset: string;
  /** Full path that the executable shall have; its folder exists. */
  target: string;
  releasesUrl?: string;
};

/**
 * Downloads, checks and unpacks one release file. The target appears only when complete, so that two runs at once, or one
 * that is interrupted, never leave half a file.
 *
 * @throws ReleaseError when it cannot be reached, is not listed, or does not match its checksum
 */
export async function downloadRelease(request: ReleaseRequest): Promise<void> {
  const { version, asset, target, releasesUrl = RELEASES_URL } = request;
  const base = `${releasesUrl}/v${version}`;
  const list = await (await get(`${base}/checksums.txt`, FIRST_ANSWER_MS_MAX)).text();
  const expected = checksumOf(asset, list);
  if (!expected) throw new ReleaseError(`${base}/checksums.txt does not list ${asset}`);

  const response = await get(`${base}/${asset}`, DOWNLOAD_MS_MAX);
  const archive = Buffer.from(
    await response.arrayBuffer().catch((error: unknown) => {
      throw new ReleaseError(`the download of ${asset} broke off`, { cause: error });
    }),
  );
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) {
    throw new ReleaseError(`${asset} has SHA-256 ${actual}, but checksums.txt says ${expected}`);
  }
  await unpack(archive, asset, target);
}

async function unpack(archive: Buffer, asset: string, target: string): Promise<void> {
  const folder = await mkdtemp(join(dirname(target), 'unpack-'));
  try {
    await writeFile(join(folder, asset), archive);
    // bsdtar, which is what `tar` is on Windows, reads zip files as well.
    await run('tar', ['-xf', asset], { cwd: folder });
    const binary = join(folder, asset.endsWith('.zip') ? 'livekit-server.exe' : 'livekit-server');
    await chmod(binary, 0o755);
    await rename(binary, target);
  } catch (error) {
    throw new ReleaseError(`${asset} could not be unpacked (${String(error)})`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
