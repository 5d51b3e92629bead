// The recordings that the worker does not have yet, in a folder that nobody else can read: one file a call, `<call id>.ogg`.
import { createReadStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { markLast } from '../domain/ogg-write.ts';
import { PAGE_BYTES_MAX, RecordingScan } from '../domain/recording-scan.ts';
import type { RecordingFile, RecordingFolder } from '../ports.ts';

const SUFFIX = '.ogg';

/** The longest page and what is left of the one before fit in several times. */
const READ_BYTES = 4 * PAGE_BYTES_MAX;

/** The folder of one process of a relay, by the id under which it speaks. */
export const recordingsOf = (root: string, relayId: string): string => join(root, `of-${relayId}`);

/**
 * Gives the first process of a relay what processes have left that are not started any more, because there are fewer of them, or
 * more than one instead of one.
 *
 * @param relayId as registered, without the number of a process
 * @param processes how many are about to start
 * @returns how many recordings have changed hands
 */
export async function adoptRecordings(
  root: string,
  relayId: string,
  processes: number,
): Promise<number> {
  const ids = Array.from({ length: processes }, (_, index) => `${relayId}.${index + 1}`);
  const own = new Set((processes === 1 ? [relayId] : ids).map((id) => recordingsOf(root, id)));
  const [heir = ''] = own;
  let adopted = 0;
  for (const name of (await readdir(root).catch(unlessMissing)) ?? []) {
    const folder = join(root, name);
    const number = name.slice(`of-${relayId}`.length);
    if (!name.startsWith(`of-${relayId}`) || !/^(\.\d+)?$/.test(number) || own.has(folder))
      continue;
    await mkdir(heir, { recursive: true, mode: 0o700 });
    for (const file of await readdir(folder)) {
      await rename(join(folder, file), join(heir, file));
      adopted += 1;
    }
    await rmdir(folder);
  }
  return adopted;
}

/** @param path is made when the first recording begins */
export function createRecordingFolder(path: string): RecordingFolder {
  // Ids come from outside the process: none of them may lead out of the folder.
  const fileOf = (callId: string) => join(path, `${encodeURIComponent(callId)}${SUFFIX}`);
  return {
    create: async (callId) => {
      await mkdir(path, { recursive: true, mode: 0o700 });
      return recordingFile(await open(fileOf(callId), 'ax', 0o600));
    },
    list: async () => {
      const names = await readdir(path).catch(unlessMissing);
      return (names ?? [])
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => decodeURIComponent(name.slice(0, -SUFFIX.length)));
    },
    changedAtMs: async (callId) => (await stat(fileOf(callId)).catch(unlessMissing))?.mtimeMs,
    examine: async (callId) => {
      const file = await open(fileOf(callId), 'r+').catch(unlessMissing);
      if (!file) return undefined;
      try {
        return await examine(file);
      } finally {
        await file.close();
      }
    },
    read: (callId) => createReadStream(fileOf(callId)),
    remove: (callId) => rm(fileOf(callId), { force: true }),
  };
}

const recordingFile = (file: FileHandle): RecordingFile => ({
  append: async (pages) => {
    await file.appendFile(pages);
    await file.datasync();
  },
  close: () => file.close(),
});

/** Reads a file to its end; one that was broken off ends with its last whole page from then on. */
async function examine(file: FileHandle) {
  const hash = createHash('sha256');
  const scan = new RecordingScan((body) => hash.update(body));
  const bytes = new Uint8Array(READ_BYTES);
  for (let filled = 0, isRest = false; !isRest;) {
    const { bytesRead } = await file.read(bytes, filled, READ_BYTES - filled);
    isRest = bytesRead === 0;
    filled += bytesRead;
    const used = scan.read(bytes.subarray(0, filled), isRest);
    bytes.copyWithin(0, used, filled);
    filled -= used;
    // What cannot be read in so many bytes never will be.
    if (filled === READ_BYTES) break;
  }
  if (!scan.hasAudio) return undefined;
  if (!scan.isEnded) {
    const last = new Uint8Array(scan.bytes - scan.lastPageAt);
    await file.read(last, 0, last.length, scan.lastPageAt);
    markLast(last);
    await file.write(last, 0, last.length, scan.lastPageAt);
  }
  await file.truncate(scan.bytes);
  await file.datasync();
  return { bytes: scan.bytes, durationMs: scan.durationMs, sha256: hash.digest('hex') };
}

function unlessMissing(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
}
