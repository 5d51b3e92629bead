import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checksumOf, downloadRelease, releaseAsset } from '../../local/livekit-release.ts';

const ASSET = 'livekit_1.2.3_linux_amd64.tar.gz';
const SCRIPT = '#!/bin/sh\necho livekit-server\n';

let folder: string;
let server: Server;
let releasesUrl: string;
/** What the release server has, by path. */
let files: Map<string, Buffer | string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomline-release-'));
  files = new Map();
  server = createServer((req, res) => {
    const file = files.get(req.url ?? '');
    res.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  releasesUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

/** Publishes an archive with the checksum that belongs to it. */
async function publish(): Promise<Buffer> {
  const source = join(folder, 'source');
  await mkdir(source);
  await writeFile(join(source, 'livekit-server'), SCRIPT);
  execFileSync('tar', ['-czf', ASSET, 'livekit-server'], { cwd: source });
  const archive = await readFile(join(source, ASSET));
  const hex = createHash('sha256').update(archive).digest('hex');
  files.set('/v1.2.3/checksums.txt', `${'0'.repeat(64)}  other.zip\n${hex}  ${ASSET}\n`);
  files.set(`/v1.2.3/${ASSET}`, archive);
  return archive;
}

const download = () =>
  downloadRelease({
    version: '1.2.3',
    asset: ASSET,
    target: join(folder, 'livekit-server'),
    releasesUrl,
  });

/** Nothing half done may stay behind, or the next run would take it for the server. */
const leftBehind = async () => (await readdir(folder)).filter((name) => name !== 'source');

it('unpacks a release that matches its checksum, executable', async () => {
  await publish();
  await download();
  expect(await readFile(join(folder, 'livekit-server'), 'utf8')).toBe(SCRIPT);
  expect((await stat(join(folder, 'livekit-server'))).mode & 0o111).toBe(0o111);
  expect(await leftBehind()).toEqual(['livekit-server']);
});

it('refuses a release with one byte changed', async () => {
  const archive = Buffer.from(await publish());
  archive[archive.length >> 1]! ^= 1;
  files.set(`/v1.2.3/${ASSET}`, archive);
  await expect(download()).rejects.toThrow(/SHA-256 .* but checksums\.txt says/);
  expect(await leftBehind()).toEqual([]);
});

it('refuses a release that the checksums do not list', async () => {
  await publish();
  files.set('/v1.2.3/checksums.txt', `${'0'.repeat(64)}  other.zip\n`);
  await expect(download()).rejects.toThrow(/does not list/);
});

it('refuses an archive without the server in it', async () => {
  files.set(`/v1.2.3/${ASSET}`, 'not an archive');
  const hex = createHash('sha256').update('not an archive').digest('hex');
  files.set('/v1.2.3/checksums.txt', `${hex}  ${ASSET}\n`);
  await expect(download()).rejects.toThrow(/could not be unpacked/);
  expect(await leftBehind()).toEqual([]);
});

it('says which address answered what when the release is not there', async () => {
  await expect(download()).rejects.toThrow(/checksums\.txt answered 404/);
});

it.each([
  ['linux', 'x64', 'livekit_1.13.5_linux_amd64.tar.gz'],
  ['linux', 'arm64', 'livekit_1.13.5_linux_arm64.tar.gz'],
  ['win32', 'x64', 'livekit_1.13.5_windows_amd64.zip'],
  ['darwin', 'arm64', undefined],
  ['freebsd', 'x64', undefined],
])('%s on %s has the release file %s', (platform, arch, asset) => {
  expect(releaseAsset('1.13.5', platform, arch)).toBe(asset);
});

it('reads a checksum list with binary marks and other files', () => {
  const hex = 'ab'.repeat(32);
  expect(checksumOf('b.zip', `${'00'.repeat(32)}  a.zip\n${hex} *b.zip\n`)).toBe(hex);
  expect(checksumOf('b.zip', `${hex}  xb.zip\nnot-hex  b.zip\n`)).toBeUndefined();
});
