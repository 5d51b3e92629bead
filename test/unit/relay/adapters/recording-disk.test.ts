import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  adoptRecordings,
  createRecordingFolder,
  recordingsOf,
} from '../../../../relay/adapters/recording-disk.ts';
import { Recording } from '../../../../relay/domain/recording.ts';
import { readRecording } from '../../../support/recording-reader.ts';

const root = mkdtempSync(join(tmpdir(), 'roomline-recordings-'));
afterAll(() => rmSync(root, { recursive: true }));
const path = join(root, 'of-relay-1');
const folder = createRecordingFolder(path);

/** A recording of so many seconds, page by page. */
function pagesOf(seconds: number): Uint8Array[] {
  const pages: Uint8Array[] = [];
  const recording = new Recording(5, (page) => pages.push(page.slice()));
  recording.want('on', 0);
  recording.open(0);
  for (let atMs = 0; atMs < seconds * 1_000; atMs += 20) {
    const packet = Uint8Array.from({ length: 120 }, (_, n) => (n === 0 ? 0x48 : (n * atMs) & 0xff));
    recording.heard(packet, 0, 120, atMs * 48, atMs);
    recording.sent(packet, 0, 100, atMs * 48, atMs, atMs);
  }
  recording.close(seconds * 1_000);
  return pages;
}

const whole = Buffer.concat(pagesOf(30));

async function stored(callId: string, bytes: Uint8Array): Promise<string> {
  const file = await folder.create(callId);
  await file.append(bytes);
  await file.close();
  return join(path, `${callId}.ogg`);
}

describe('what processes have left that are not started any more', () => {
  const put = async (base: string, id: string, callId: string) => {
    const file = await createRecordingFolder(recordingsOf(base, id)).create(callId);
    await file.append(whole);
    await file.close();
  };
  it.each([
    ['fewer of them', 2, { 'relay.1': ['one', 'single', 'three'], 'relay.2': ['two'] }],
    ['one alone', 1, { relay: ['one', 'single', 'three', 'two'] }],
  ])('is brought by the first of %s', async (_name, processes, expected) => {
    const base = mkdtempSync(join(root, 'adopt-'));
    await put(base, 'relay', 'single');
    await put(base, 'relay.1', 'one');
    await put(base, 'relay.2', 'two');
    await put(base, 'relay.3', 'three');
    await put(base, 'relay-b', 'of another relay');
    expect(await adoptRecordings(base, 'relay', processes)).toBe(processes === 1 ? 3 : 2);
    for (const [id, calls] of Object.entries(expected)) {
      const listed = await createRecordingFolder(recordingsOf(base, id)).list();
      expect(new Set(listed)).toEqual(new Set(calls));
    }
    expect(await createRecordingFolder(recordingsOf(base, 'relay-b')).list()).toHaveLength(1);
  });

  it('is nothing where there is no folder', async () => {
    expect(await adoptRecordings(join(root, 'none'), 'relay', 4)).toBe(0);
  });
});

it('nobody else can read it', async () => {
  const file = await stored('private', whole);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it('is written in pieces and read as a whole', async () => {
  const file = await folder.create('pieces');
  for (const page of pagesOf(30)) await file.append(page);
  await file.close();
  const chunks: Uint8Array[] = [];
  for await (const chunk of folder.read('pieces')) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(whole)).toBe(true);
});

it('there is one recording of a call: a second one is refused and changes nothing', async () => {
  await stored('twice', whole);
  await expect(folder.create('twice')).rejects.toThrow('EEXIST');
  expect(await folder.examine('twice')).toMatchObject({ bytes: whole.length });
});

it('no call id leads out of the folder', async () => {
  for (const callId of ['../../out', '..', 'a/b', 'ä ö']) {
    await stored(callId, whole);
    expect(await folder.list()).toContain(callId);
    await folder.remove(callId);
    expect(await folder.list()).not.toContain(callId);
  }
});

it('a folder that is not there has no recordings', async () => {
  const none = createRecordingFolder(join(root, 'none'));
  expect(await none.list()).toEqual([]);
  expect(await none.examine('c1')).toBeUndefined();
  expect(await none.changedAtMs('c1')).toBeUndefined();
  await none.remove('c1');
});

describe('a look at a file', () => {
  it('tells of a whole one what was told when it was finished, and changes nothing', async () => {
    const file = await stored('whole', whole);
    const read = readRecording(whole);
    expect(await folder.examine('whole')).toEqual({
      bytes: whole.length,
      durationMs: Math.round(read.durationMs),
      sha256: read.sha256,
    });
    expect(readFileSync(file).equals(whole)).toBe(true);
  });

  it.each([
    ['between two pages', 0],
    ['within a header', -10],
    ['within a page', -4_000],
    ['with other bytes behind it', 3_000],
  ])('makes one whole that was broken off %s', async (name, change) => {
    const pages = pagesOf(30);
    const end = Buffer.concat(pages.slice(0, 20)).length;
    const bytes = Buffer.concat([
      whole.subarray(0, Math.min(end, end + change)),
      Buffer.alloc(Math.max(0, change), 0x4f),
    ]);
    const file = await stored(name, bytes);
    const recording = await folder.examine(name);
    const read = readRecording(readFileSync(join(path, `${encodeURIComponent(name)}.ogg`)));
    expect(read.left).toHaveLength((change < 0 ? 17 : 18) * 50);
    expect(recording).toMatchObject({
      sha256: read.sha256,
      durationMs: Math.round(read.durationMs),
    });
    expect(file).toContain(name);
    // Looked at again it is the same.
    expect(await folder.examine(name)).toEqual(recording);
  });

  it('finds no sound where there is none', async () => {
    const pages = pagesOf(1);
    await stored('headers', Buffer.concat(pages.slice(0, 2)));
    await stored('empty', Buffer.alloc(0));
    await stored('other', Buffer.alloc(300_000, 7));
    for (const name of ['headers', 'empty', 'other'])
      expect(await folder.examine(name)).toBeUndefined();
  });

  it('says when it was last written to', async () => {
    const file = await stored('changed', whole);
    writeFileSync(file, whole);
    expect(await folder.changedAtMs('changed')).toBe(statSync(file).mtimeMs);
  });
});
