import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FinishedRecording, RecordingFolder, UploadRecording } from '../../../relay/ports.ts';
import { AGE_MS_MAX, QUIET_MS, Recordings } from '../../../relay/recordings.ts';

const SHA = 'ab'.repeat(32);

beforeEach(() => vi.useFakeTimers({ now: 1_800_000_000_000 }));
afterEach(() => vi.useRealTimers());

type Stored = { changedAtMs: number; bytes: number };

/** A folder in memory, and a worker that does what `answer` says. */
function rig(files: Record<string, Partial<Stored>> = {}) {
  const stored = new Map<string, Stored>();
  for (const [callId, file] of Object.entries(files))
    stored.set(callId, { changedAtMs: Date.now() - QUIET_MS, bytes: 100, ...file });
  const events: string[] = [];
  const uploads: string[] = [];
  let answer: (callId: string) => Promise<'kept' | 'refused'> = async () => 'kept';
  const find = (callId: string): Stored => {
    const file = stored.get(callId);
    if (!file) throw new Error('ENOENT');
    return file;
  };
  const folder: RecordingFolder = {
    create: async (callId) => {
      const file = { changedAtMs: Date.now(), bytes: 0 };
      stored.set(callId, file);
      return {
        append: async (pages) => void (file.bytes += pages.length),
        close: async () => undefined,
      };
    },
    list: async () => [...stored.keys()],
    changedAtMs: async (callId) => stored.get(callId)?.changedAtMs,
    examine: async (callId) => {
      const { bytes } = find(callId);
      return bytes === 0 ? undefined : { bytes, durationMs: 1, sha256: SHA };
    },
    read: async function* (callId) {
      yield new Uint8Array(find(callId).bytes);
    },
    remove: async (callId) => void stored.delete(callId),
  };
  const upload: UploadRecording = (callId, recording: FinishedRecording) => {
    uploads.push(`${callId} ${recording.bytes}`);
    return answer(callId);
  };
  const log = (_fields: object, event: string) => void events.push(event);
  const recordings = new Recordings({
    folder,
    upload,
    clock: { nowMs: () => Date.now(), wallMs: () => Date.now() },
    log: { debug: log, info: log, warn: log, error: log },
    random: () => 0,
  });
  /** A call of a second that is recorded. */
  const record = (callId: string) => {
    const recorder = recordings.open(callId, () => undefined);
    const packet = Uint8Array.of(0x48, 1, 2, 3);
    recorder.want('on', Date.now());
    recorder.open(Date.now());
    recorder.heard(packet, 0, 4, 0, Date.now());
    recorder.close(Date.now() + 1_000);
  };
  return {
    recordings,
    stored,
    events,
    uploads,
    record,
    answers: (next: typeof answer) => (answer = next),
  };
}

const settled = () => vi.advanceTimersByTimeAsync(0);

it('a finished recording is brought, and then deleted here', async () => {
  const { recordings, stored, uploads, record } = rig();
  record('c1');
  expect(recordings.figures).toMatchObject({ active: 1, waiting: 0 });
  await settled();
  expect(uploads).toHaveLength(1);
  expect(stored.size).toBe(0);
  expect(recordings.figures).toMatchObject({ active: 0, waiting: 0, uploaded: 1, failed: 0 });
  expect(recordings.figures.writtenBytes).toBeGreaterThan(300);
});

it('one is brought at a time', async () => {
  const { uploads, record, answers } = rig();
  const answered = Promise.withResolvers<'kept'>();
  answers(() => answered.promise);
  record('c1');
  record('c2');
  await settled();
  expect(uploads).toHaveLength(1);
  answered.resolve('kept');
  await settled();
  expect(uploads).toHaveLength(2);
});

it('an upload that fails is tried again with growing pauses until it is taken', async () => {
  const { recordings, uploads, stored, record, answers } = rig();
  answers(() => Promise.reject(new Error('503')));
  record('c1');
  await settled();
  expect(uploads).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(uploads).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(999);
  expect(uploads).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(uploads).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(3600_000);
  const inAnHour = uploads.length;
  expect(inAnHour).toBeLessThan(40);
  expect(recordings.figures).toMatchObject({ waiting: 1, uploadFailures: inAnHour });
  expect(stored.size).toBe(1);
  answers(async () => 'kept');
  await vi.advanceTimersByTimeAsync(300_000);
  expect(recordings.figures).toMatchObject({ waiting: 0, uploaded: 1 });
});

it('one that fails does not keep others waiting', async () => {
  const { stored, record, answers } = rig();
  answers((callId) =>
    callId === 'c1' ? Promise.reject(new Error('503')) : Promise.resolve('kept'),
  );
  record('c1');
  record('c2');
  await settled();
  expect([...stored.keys()]).toEqual(['c1']);
});

it('one that somebody has deleted here is forgotten', async () => {
  const { recordings, stored, uploads, record, answers } = rig();
  answers(() => Promise.reject(new Error('503')));
  record('c1');
  await settled();
  stored.clear();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(uploads).toHaveLength(1);
  expect(recordings.figures.waiting).toBe(0);
});

it('one that nobody will ever take is deleted, and said', async () => {
  const { recordings, stored, events, record, answers } = rig();
  answers(async () => 'refused');
  record('c1');
  await settled();
  expect(stored.size).toBe(0);
  expect(events).toContain('recording.refused');
  expect(recordings.figures).toMatchObject({ refused: 1, uploaded: 0, waiting: 0 });
});

describe('what an earlier process has left', () => {
  it('is brought', async () => {
    const { recordings, uploads, stored } = rig({ c1: {}, c2: { bytes: 200 } });
    await recordings.start();
    await settled();
    expect(uploads).toEqual(['c1 100', 'c2 200']);
    expect(stored.size).toBe(0);
  });

  it('waits while something may still be written to it', async () => {
    const { recordings, uploads, stored } = rig({ c1: { changedAtMs: Date.now() } });
    await recordings.start();
    await vi.advanceTimersByTimeAsync(QUIET_MS - 1);
    stored.set('c1', { changedAtMs: Date.now(), bytes: 300 });
    await vi.advanceTimersByTimeAsync(QUIET_MS - 1);
    expect(uploads).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(uploads).toEqual(['c1 300']);
  });

  it('without sound is deleted', async () => {
    const { recordings, uploads, stored } = rig({ c1: { bytes: 0 } });
    await recordings.start();
    await settled();
    expect([uploads, stored.size]).toEqual([[], 0]);
  });

  it('too long ago is deleted without asking', async () => {
    const { recordings, uploads, stored } = rig({
      old: { changedAtMs: Date.now() - AGE_MS_MAX - 1 },
      young: { changedAtMs: Date.now() - AGE_MS_MAX + 60_000 },
    });
    await recordings.start();
    await settled();
    expect(uploads).toEqual(['young 100']);
    expect(stored.size).toBe(0);
    expect(recordings.figures.refused).toBe(1);
  });
});

describe('settling', () => {
  it('is over when everything is brought', async () => {
    const { recordings, stored, record } = rig();
    record('c1');
    await recordings.settle(new Promise(() => undefined));
    expect(stored.size).toBe(0);
    await recordings.settle(new Promise(() => undefined));
  });

  it('leaves what takes too long for the next start', async () => {
    const { recordings, stored, events, uploads, record, answers } = rig();
    answers(() => Promise.reject(new Error('503')));
    record('c1');
    const enough = Promise.withResolvers<void>();
    const settling = recordings.settle(enough.promise);
    await vi.advanceTimersByTimeAsync(600);
    enough.resolve();
    await settling;
    expect(events).toContain('recording.left-for-next-start');
    const before = uploads.length;
    await vi.advanceTimersByTimeAsync(3600_000);
    expect([uploads.length, stored.size]).toEqual([before, 1]);
  });
});
