import { describe, expect, it } from 'vitest';
import type { FinishedRecording, RecordingFile } from '../../../relay/ports.ts';
import { Recorder } from '../../../relay/recorder.ts';
import { readRecording } from '../../support/recording-reader.ts';

const nothing = () => undefined;

/** A recorder that writes into memory, or fails as it is told. */
function rig(
  append: (pages: Uint8Array) => Promise<void> = async () => undefined,
  beforeCreate: () => void = nothing,
) {
  const writes: Uint8Array[] = [];
  const events: string[] = [];
  let finish: (recording: FinishedRecording | 'nothing' | 'broken-off') => void = nothing;
  const finished = new Promise<FinishedRecording | 'nothing' | 'broken-off'>(
    (resolve) => (finish = resolve),
  );
  const file: RecordingFile = {
    append: async (pages) => {
      writes.push(pages.slice());
      await append(pages);
    },
    close: async () => void events.push('closed'),
  };
  const recorder = new Recorder('c1', {
    log: { debug: nothing, info: nothing, warn: nothing, error: (_f, event) => events.push(event) },
    random: () => 77,
    create: async () => {
      beforeCreate();
      events.push('created');
      return file;
    },
    onStarted: () => events.push('started'),
    onWritten: (bytes) => events.push(`written ${bytes}`),
    onBrokenOff: () => events.push('failed'),
    onFailed: () => events.push('told'),
    onFinished: (recording) => finish(recording),
  });
  /** A packet of 20 ms each way, `bytes` long, for every 20 ms from one time to another. */
  const talk = (fromMs: number, toMs: number, bytes = 60) => {
    for (let atMs = fromMs; atMs < toMs; atMs += 20) {
      const packet = new Uint8Array(bytes).fill(0x48);
      recorder.heard(packet, 0, bytes, atMs * 48, atMs);
      recorder.sent(packet, 0, bytes, atMs * 48, atMs, atMs);
      recorder.tick(atMs);
    }
  };
  return { recorder, writes, events, finished, talk };
}

const microtasks = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

it('does nothing until it is wanted to', async () => {
  const { recorder, events, talk } = rig();
  recorder.want('off', 0);
  recorder.want('paused', 0);
  recorder.open(0);
  talk(0, 30_000);
  recorder.close(30_000);
  recorder.want('on', 30_000);
  await microtasks();
  expect(events).toEqual([]);
});

it('what a called person says around the pickup is there when the opening is recorded, and only then', async () => {
  const [recorded, other] = [rig(), rig()];
  for (const { recorder, talk } of [recorded, other]) {
    for (let atMs = 0; atMs < 5_000; atMs += 20)
      recorder.heard(Uint8Array.of(0x48, 1, 2, 3), 0, 4, atMs * 48, atMs);
    if (recorder === recorded.recorder) recorder.want('on', 5_000);
    recorder.open(5_000);
    recorder.want('on', 5_020);
    talk(5_020, 6_000);
    recorder.close(6_000);
  }
  await Promise.all([recorded.finished, other.finished]);
  expect(readRecording(Buffer.concat(recorded.writes)).left).toHaveLength(100);
  expect(readRecording(Buffer.concat(other.writes)).left).toHaveLength(49);
});

it('writes every 10 s, once, and at the end what is left', async () => {
  const { recorder, writes, finished, talk } = rig();
  recorder.want('on', 0);
  recorder.open(0);
  talk(0, 35_000);
  recorder.close(35_000);
  recorder.close(36_000);
  const recording = await finished;
  expect(writes).toHaveLength(4);
  const read = readRecording(Buffer.concat(writes));
  expect(read.left).toHaveLength(35 * 50);
  expect(recording).toEqual({
    bytes: Buffer.concat(writes).length,
    durationMs: Math.round(read.durationMs),
    sha256: read.sha256,
  });
});

it('begins in the middle of a call', async () => {
  const { recorder, writes, finished, talk } = rig();
  recorder.open(0);
  talk(0, 5_000);
  recorder.want('on', 5_000);
  talk(5_000, 7_000);
  recorder.close(7_000);
  await finished;
  expect(readRecording(Buffer.concat(writes)).left).toHaveLength(100);
});

it('without a packet is no file', async () => {
  const { recorder, finished, events } = rig();
  recorder.want('on', 0);
  recorder.open(0);
  recorder.close(5_000);
  expect(await finished).toBe('nothing');
  expect(events).toEqual(['started']);
});

describe('when the disk fails', () => {
  it('it is told at once, and whenever recording is wanted anew', async () => {
    const { recorder, events, talk } = rig(() => Promise.reject(new Error('ENOSPC')));
    const told = () => events.filter((event) => event === 'told').length;
    recorder.want('on', 0);
    recorder.open(0);
    talk(0, 12_000);
    await microtasks();
    expect(told()).toBe(1);
    recorder.want('on', 13_000);
    recorder.want('off', 14_000);
    expect(told()).toBe(1);
    recorder.want('on', 15_000);
    expect(told()).toBe(2);
    expect(events.filter((event) => event === 'failed')).toHaveLength(1);
    recorder.close(16_000);
  });

  it('nothing more is written; what is there is to be looked at when the call is over', async () => {
    const { recorder, writes, events, finished, talk } = rig(async () => {
      if (writes.length > 1) throw new Error('ENOSPC');
    });
    recorder.want('on', 0);
    recorder.open(0);
    talk(0, 12_000);
    await microtasks();
    talk(12_000, 25_000);
    await microtasks();
    talk(25_000, 60_000);
    recorder.want('paused', 60_000);
    recorder.want('on', 61_000);
    recorder.close(70_000);
    expect(await finished).toBe('broken-off');
    expect(writes).toHaveLength(2);
    expect(events.filter((event) => event === 'failed')).toHaveLength(1);
    expect(events).toContain('recording.failed');
  });

  it('before there is a file, there is nothing to be looked at', async () => {
    const { recorder, writes, events, finished, talk } = rig(undefined, () => {
      throw new Error('EACCES');
    });
    recorder.want('on', 0);
    recorder.open(0);
    talk(0, 25_000);
    await microtasks();
    talk(25_000, 40_000);
    recorder.close(40_000);
    expect(await finished).toBe('nothing');
    expect(writes).toEqual([]);
    expect(events.filter((event) => event === 'failed')).toHaveLength(1);
  });

  it('by standing still, no more than some minutes are kept in memory', async () => {
    const { recorder, writes, events, talk } = rig(() => new Promise(nothing));
    recorder.want('on', 0);
    recorder.open(0);
    talk(0, 60_000, 600);
    await microtasks();
    expect(events).not.toContain('failed');
    talk(60_000, 120_000, 600);
    expect(events).toContain('failed');
    expect(writes).toHaveLength(1);
  });
});
