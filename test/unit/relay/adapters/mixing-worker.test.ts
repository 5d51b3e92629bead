import { expect, it } from 'vitest';
import { startMixWorker } from '../../../../relay/adapters/mixing-worker.ts';
import { BatchReader, BatchWriter } from '../../../../relay/domain/mix-batch.ts';
import { until } from '../../../relay/support/until.ts';

/** A thread loads the codec first, which takes seconds on a machine that does other things. */
const START_MS_MAX = 30_000;

function started() {
  const answers: BatchReader[] = [];
  const ends: string[] = [];
  const thread = startMixWorker({
    onAnswer: (answer) => answers.push(new BatchReader(answer)),
    onDown: (detail) => ends.push(detail),
  });
  return { thread, answers, ends };
}

it(
  'answers each batch in order, also those from before it was ready',
  { timeout: START_MS_MAX },
  async () => {
    const { thread, answers, ends } = started();
    const writer = new BatchWriter();
    const bytes = Uint8Array.of(0xf8, 0xff, 0xfe);
    for (let number = 1; number <= 20; number++) {
      const packet = {
        sequence: number,
        timestamp: number * 960,
        ticks: 960,
        atMs: number * 20,
        bytes,
      };
      writer.toThread({ type: 'packet', call: 1, source: 1, packet });
      if (number === 5)
        writer.toThread({ type: 'start', call: 1, leader: undefined, sequence: 0, atMs: 0 });
      thread.post(writer.take(number, number * 20));
    }
    await until('all answers', () => answers.length === 20, START_MS_MAX);
    expect(answers.map(({ number }) => number)).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 1),
    );
    const types = answers.flatMap((answer) => [...answer.fromThread()].map(({ type }) => type));
    expect(types.filter((type) => type === 'packet').length).toBeGreaterThan(10);
    expect(types.filter((type) => type === 'level').length).toBeGreaterThan(15);
    thread.stop();
    expect(ends).toEqual([]);
  },
);

it('says that it ended, and why', { timeout: START_MS_MAX }, async () => {
  const { thread, ends } = started();
  // Nothing that the relay writes is that short.
  thread.post(new ArrayBuffer(1));
  const [end] = await until('the end', () => (ends.length > 0 ? ends : undefined), START_MS_MAX);
  expect(end).toContain('RangeError');
});
