import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ReleaseError } from '../../local/livekit-release.ts';
import {
  cachedServerPath,
  externalLiveKit,
  findLiveKitServer,
  SetupError,
  type Finder,
} from '../../local/livekit-server.ts';

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'roomline-cache-'));
});
afterAll(() => rm(cache, { recursive: true }));

/** A machine where every way works except what a test takes away; `used` records what was tried. */
function machine(changes: Partial<Finder> = {}, executables: string[] = []) {
  const used: string[] = [];
  const finder: Finder = {
    env: { PATH: '/empty:/tools', XDG_CACHE_HOME: cache },
    platform: 'linux',
    arch: 'x64',
    log: () => {},
    isExecutable: async (path) => executables.includes(path),
    download: async (asset) => void used.push(`download ${asset}`),
    build: async () => void used.push('build'),
    ...changes,
  };
  return { finder, used };
}

const offline = async () => {
  throw new ReleaseError('github.com is not reachable');
};
const noGo = async () => {
  throw new SetupError('Go is not installed');
};

it('takes the server on PATH before anything else', async () => {
  const { finder, used } = machine({}, ['/tools/livekit-server']);
  expect(await findLiveKitServer(finder)).toEqual({
    path: '/tools/livekit-server',
    source: 'path',
  });
  expect(used).toEqual([]);
});

it('takes the cached copy before the network', async () => {
  const { finder, used } = machine();
  const cached = cachedServerPath(finder);
  const found = await findLiveKitServer({
    ...finder,
    isExecutable: async (path) => path === cached,
  });
  expect(found).toEqual({ path: cached, source: 'cache' });
  expect(used).toEqual([]);
});

it('downloads the release of this platform before building', async () => {
  const { finder, used } = machine({ arch: 'arm64' });
  expect((await findLiveKitServer(finder)).source).toBe('release');
  expect(used).toEqual(['download livekit_1.13.5_linux_arm64.tar.gz']);
});

it('builds with Go when no release can be reached', async () => {
  const { finder, used } = machine({ download: offline });
  expect((await findLiveKitServer(finder)).source).toBe('go');
  expect(used).toEqual(['build']);
});

it('builds at once where no release is published', async () => {
  const { finder, used } = machine({ platform: 'darwin', arch: 'arm64' });
  expect((await findLiveKitServer(finder)).source).toBe('go');
  expect(used).toEqual(['build']);
});

it('names every remedy when there is neither a release nor Go', async () => {
  const { finder } = machine({ download: offline, build: noGo });
  const failure = findLiveKitServer(finder);
  await expect(failure).rejects.toThrow(SetupError);
  await expect(failure).rejects.toThrow(/github\.com.*Go is not installed.*go\.dev.*LIVEKIT_URL/);
});

it('names the Homebrew formula on macOS', async () => {
  const { finder } = machine({ platform: 'darwin', build: noGo });
  await expect(findLiveKitServer(finder)).rejects.toThrow('brew install livekit');
});

it('does not hide a fault of its own behind the next way', async () => {
  const { finder, used } = machine({
    download: async () => {
      throw new TypeError('a bug');
    },
  });
  await expect(findLiveKitServer(finder)).rejects.toThrow('a bug');
  expect(used).toEqual([]);
});

it('uses no external server unless LIVEKIT_URL names one', async () => {
  expect(await externalLiveKit({})).toBeUndefined();
});

it('asks for the key of an external server', async () => {
  await expect(externalLiveKit({ LIVEKIT_URL: 'ws://127.0.0.1:1' })).rejects.toThrow(
    /LIVEKIT_API_KEY/,
  );
});

it('says that an external server does not answer', async () => {
  const env = { LIVEKIT_URL: 'ws://127.0.0.1:1', LIVEKIT_API_KEY: 'k', LIVEKIT_API_SECRET: 's' };
  await expect(externalLiveKit(env)).rejects.toThrow(/LIVEKIT_URL=ws:\/\/127\.0\.0\.1:1/);
});
