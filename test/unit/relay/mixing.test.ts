import { describe, expect, it } from 'vitest';
import type { Codec } from '../../../relay/domain/codec.ts';
import { BatchReader, BatchWriter, type ToThread } from '../../../relay/domain/mix-batch.ts';
import { MixDesk } from '../../../relay/domain/mix-desk.ts';
import { BEHIND_MAX, CALLS_MAX, Mixing, RETRY_MS, UNANSWERED_MAX } from '../../../relay/mixing.ts';
import type { MixLine, OpenMixLine, StartMixThread } from '../../../relay/ports.ts';

type Handlers = Parameters<OpenMixLine>[0];
type Thread = {
  handlers: Parameters<StartMixThread>[0];
  batches: { number: number; nowMs: number; records: ToThread[] }[];
  isStopped: boolean;
  /** Answers the oldest batch that waits. */
  answer: (...records: Parameters<BatchWriter['fromThread']>[0][]) => void;
};

/** Threads that answer at once, or when a test says so. */
function rig(threadsMax = 1) {
  const threads: Thread[] = [];
  const logged: [Record<string, unknown>, string][] = [];
  const members = new Set<(nowMs: number) => void>();
  const state = { nowMs: 0, answers: true };
  const startThread: StartMixThread = (handlers) => {
    const writer = new BatchWriter();
    let answered = 0;
    const thread: Thread = {
      handlers,
      batches: [],
      isStopped: false,
      answer: (...records) => {
        answered += 1;
        for (const record of records) writer.fromThread(record);
        handlers.onAnswer(writer.take(answered, state.nowMs));
      },
    };
    threads.push(thread);
    return {
      post: (batch) => {
        const reader = new BatchReader(batch);
        thread.batches.push({
          number: reader.number,
          nowMs: reader.nowMs,
          records: [...reader.toThread()],
        });
        if (state.answers) thread.answer();
      },
      stop: () => (thread.isStopped = true),
    };
  };
  const nothing = () => undefined;
  const mixing = new Mixing({
    startThread,
    threadsMax,
    ticker: {
      add: (tick) => {
        members.add(tick);
        return () => members.delete(tick);
      },
    },
    clock: { nowMs: () => state.nowMs, wallMs: () => state.nowMs },
    log: {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (fields, event) => logged.push([fields, event]),
    },
  });
  return {
    mixing,
    threads,
    logged,
    members,
    state,
    tick: (count = 1) => {
      for (let index = 0; index < count; index++) {
        state.nowMs += 10;
        for (const member of members) member(state.nowMs);
      }
    },
  };
}

/** Records what it is told. */
function listener() {
  const told: string[] = [];
  const handlers: Handlers = {
    onPacket: (packet) => void told.push(`packet ${packet.join()}`),
    onLevel: (source, level) => told.push(`level ${source} ${level}`),
    onStopped: (source, sequence) => told.push(`stopped ${source} ${sequence}`),
    onLost: () => told.push('lost'),
  };
  return { told, handlers };
}

const opened = (mixing: Mixing, handlers = listener().handlers): MixLine => {
  const line = mixing.open(handlers);
  if (!line) throw new Error('no place');
  return line;
};

const arrival = { sequence: 1, timestamp: 2, ticks: 960, atMs: 3, bytes: Uint8Array.of(0x48, 1) };

describe('messages', () => {
  it('are one each way per tick, whatever is said in it and by how many calls', () => {
    const { mixing, threads, tick } = rig();
    const lines = Array.from({ length: 10 }, () => opened(mixing));
    for (const line of lines) for (let source = 1; source < 5; source++) line.push(source, arrival);
    lines[0]?.start(1, 7, 20);
    tick(3);
    const [thread] = threads;
    expect(thread?.batches.map(({ number, nowMs }) => [number, nowMs])).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
    expect(thread?.batches.map(({ records }) => records.length)).toEqual([41, 0, 0]);
  });

  it('cease with the last call, which is still told to the thread', () => {
    const { mixing, threads, members, tick } = rig();
    const [one, other] = [opened(mixing), opened(mixing)];
    one.close();
    tick();
    expect(members.size).toBe(1);
    other.close();
    other.close();
    tick();
    expect(members.size).toBe(0);
    expect(threads[0]?.batches.flatMap(({ records }) => records)).toEqual([
      { type: 'close', call: 1 },
      { type: 'close', call: 2 },
    ]);
    opened(mixing).push(1, arrival);
    tick();
    expect(threads[0]?.batches.at(-1)?.records).toMatchObject([{ type: 'packet', call: 3 }]);
  });

  it('reach the call that they are about, until it is closed', () => {
    const { mixing, threads, state, tick } = rig();
    state.answers = false;
    const [one, other] = [listener(), listener()];
    const line = opened(mixing, one.handlers);
    opened(mixing, other.handlers);
    tick(2);
    const bytes = Uint8Array.of(1, 2);
    threads[0]?.answer(
      { type: 'level', call: 1, source: 4, dbfs: -30 },
      { type: 'packet', call: 2, epoch: 0, bytes },
      { type: 'stopped', call: 1, source: 4, sequence: undefined },
    );
    line.close();
    threads[0]?.answer({ type: 'level', call: 1, source: 4, dbfs: -31 });
    expect(one.told).toEqual(['level 4 -30', 'stopped 4 undefined']);
    expect(other.told).toEqual(['packet 1,2']);
  });

  it('that were mixed before a source was dropped are not told, of that call', () => {
    const { mixing, threads, state, tick } = rig();
    state.answers = false;
    const [one, other] = [listener(), listener()];
    const line = opened(mixing, one.handlers);
    opened(mixing, other.handlers);
    line.drop(5);
    line.release(6);
    tick(2);
    const packet = { type: 'packet', bytes: Uint8Array.of(7) } as const;
    threads[0]?.answer({ ...packet, call: 1, epoch: 0 }, { ...packet, call: 2, epoch: 0 });
    const drops = threads[0]?.batches[0]?.records;
    expect(drops).toEqual([
      { type: 'drop', call: 1, source: 5, epoch: 1 },
      { type: 'drop', call: 1, source: 6, epoch: 1 },
    ]);
    threads[0]?.answer({ ...packet, call: 1, epoch: 1, bytes: Uint8Array.of(8) });
    expect(one.told).toEqual(['packet 8']);
    expect(other.told).toEqual(['packet 7']);
  });
});

describe('threads', () => {
  it('are started with the first call, and more when there are many calls', () => {
    const { mixing, threads } = rig(2);
    expect(threads).toHaveLength(0);
    for (let call = 0; call < 16; call++) opened(mixing);
    expect(threads).toHaveLength(1);
    for (let call = 16; call < 2 * CALLS_MAX; call++) opened(mixing);
    expect(threads).toHaveLength(2);
    expect(mixing.open(listener().handlers)).toBeUndefined();
  });

  it('that end are replaced; their calls are told once, and one line is logged', () => {
    const { mixing, threads, logged, state } = rig(2);
    const calls = Array.from({ length: 17 }, listener);
    for (const { handlers } of calls) opened(mixing, handlers);
    expect(threads).toHaveLength(2);
    threads[0]?.handlers.onDown('out of memory');
    threads[0]?.handlers.onDown('exited with 1');
    expect(calls.map(({ told }) => told.join())).toEqual([...Array(16).fill('lost'), '']);
    expect(logged).toEqual([[{ calls: 16, detail: 'out of memory' }, 'mixing.thread-lost']]);
    expect(threads[0]?.isStopped).toBe(true);
    for (let call = 0; call < 20; call++) opened(mixing);
    expect(threads).toHaveLength(2);
    state.nowMs += RETRY_MS;
    opened(mixing);
    expect(threads).toHaveLength(3);
  });

  it('that hang are ended, and calls of others go on', () => {
    const { mixing, threads, logged, state, tick } = rig(2);
    const calls = Array.from({ length: 17 }, listener);
    for (const { handlers } of calls) opened(mixing, handlers);
    tick();
    state.answers = false;
    for (let count = 0; count < UNANSWERED_MAX + 5; count++) {
      tick();
      threads[1]?.answer();
    }
    expect(threads.map(({ isStopped }) => isStopped)).toEqual([true, false]);
    expect(calls.filter(({ told }) => told.includes('lost'))).toHaveLength(16);
    expect(logged).toHaveLength(1);
    threads[0]?.answer({ type: 'level', call: 1, source: 1, dbfs: -3 });
    expect(calls[0]?.told).toEqual(['lost']);
  });

  it('do not hang while they answer at all, however long they took to start', () => {
    const { mixing, threads, logged, state, tick } = rig();
    state.answers = false;
    opened(mixing);
    tick(10 * UNANSWERED_MAX);
    // Three answers for each new batch: it catches up.
    for (let count = 0; count < 10 * UNANSWERED_MAX; count++) {
      threads[0]?.answer();
      if (count % 3 === 0) tick();
    }
    expect(logged).toEqual([]);
  });

  it('that fall further and further behind are ended', () => {
    const { mixing, threads, logged, state, tick } = rig();
    state.answers = false;
    opened(mixing);
    for (let count = 0; count < 2 * BEHIND_MAX && logged.length === 0; count++) {
      tick();
      if (count % 10 === 0) threads[0]?.answer();
    }
    expect(logged).toEqual([[{ calls: 1, detail: 'too late' }, 'mixing.thread-lost']]);
  });

  it('end with the process, without a word', () => {
    const { mixing, threads, logged, members } = rig();
    const call = listener();
    opened(mixing, call.handlers);
    mixing.stop();
    threads[0]?.handlers.onDown('exited with 1');
    expect(threads[0]?.isStopped).toBe(true);
    expect([call.told, logged, members.size]).toEqual([[], [], 0]);
    expect(mixing.open(call.handlers)).toBeUndefined();
  });
});

it('a thread frees what a call, a source and a mix have held', () => {
  const held = { decoders: 0, encoders: 0 };
  const codec: Codec = {
    decoder: () => {
      held.decoders += 1;
      return {
        decode: () => new Float32Array(320),
        conceal: (samples) => new Float32Array(samples),
        free: () => (held.decoders -= 1),
      };
    },
    encoder: () => {
      held.encoders += 1;
      return {
        delaySamples: 104,
        encode: () => new Uint8Array(3),
        free: () => (held.encoders -= 1),
      };
    },
  };
  const desk = new MixDesk(codec);
  const writer = new BatchWriter();
  let number = 0;
  const work = (...records: ToThread[]) => {
    number += 1;
    for (const record of records) writer.toThread(record);
    desk.work(writer.take(number, number * 20));
    return { ...held };
  };
  for (let call = 1; call <= 50; call++) {
    for (const source of [1, 2, 3]) work({ type: 'packet', call, source, packet: arrival });
    work({ type: 'start', call, leader: 1, sequence: 1, atMs: 0 });
    for (let ticks = 0; ticks < 10; ticks++) work();
    expect(held).toEqual({ decoders: 3, encoders: 1 });
    expect(work({ type: 'drop', call, source: 3, epoch: 0 })).toEqual({ decoders: 2, encoders: 1 });
    if (call % 2 === 0)
      expect(work({ type: 'stop', call, source: 1 })).toEqual({ decoders: 2, encoders: 0 });
    expect(work({ type: 'close', call })).toEqual({ decoders: 0, encoders: 0 });
  }
});
