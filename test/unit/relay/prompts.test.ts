// The relay's prompts: what is asked of the worker for them, and how many are kept.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FetchPrompt } from '../../../relay/ports.ts';
import { Prompts } from '../../../relay/prompts.ts';
import { oggFile } from './support/ogg-file.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

/** A packet of 20 ms and one channel. */
const packet = (fill: number, bytes = 30): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(fill);
  packet[0] = 0xb8;
  return packet;
};
const file = (...packets: Uint8Array[]): Awaited<ReturnType<FetchPrompt>> => ({
  ok: true,
  file: oggFile(packets),
});
const failed = (mayHelpToRetry: boolean): Awaited<ReturnType<FetchPrompt>> => ({
  ok: false,
  message: 'the worker answers 503',
  mayHelpToRetry,
});

/** @param answer what each request is answered, by the prompt's id and how often it was asked for */
function rig(
  answer: (prompt: string, times: number) => ReturnType<FetchPrompt>,
  keptBytesMax?: number,
) {
  const asked: string[] = [];
  const prompts = new Prompts({
    fetchPrompt: (prompt) => {
      asked.push(prompt);
      return answer(prompt, asked.filter((other) => other === prompt).length);
    },
    ownSounds: new Map([['hold', [packet(9)]]]),
    ...(keptBytesMax === undefined ? {} : { keptBytesMax }),
  });
  return { prompts, asked };
}

it('fetches a prompt once, also for calls that ask at the same time', async () => {
  const { prompts, asked } = rig(async () => file(packet(1), packet(2)));
  const [one, other] = await Promise.all([prompts.load('p'), prompts.load('p')]);
  const later = await prompts.load('p');
  expect(asked).toEqual(['p']);
  for (const loaded of [one, other, later])
    expect(loaded).toMatchObject({ ok: true, sound: [packet(1), packet(2)] });
});

it('has sounds of its own, which nobody is asked for', async () => {
  const { prompts, asked } = rig(async () => file(packet(1)));
  expect(await prompts.load('sound:hold')).toEqual({ ok: true, sound: [packet(9)] });
  expect(await prompts.load('sound:constructor')).toMatchObject({ ok: false });
  expect(asked).toEqual([]);
});

describe('a worker that does not answer', () => {
  it('is asked three times', async () => {
    const { prompts, asked } = rig(async (_prompt, times) =>
      times < 3 ? failed(true) : file(packet(1)),
    );
    const loading = prompts.load('p');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await loading).toMatchObject({ ok: true });
    expect(asked).toHaveLength(3);
  });

  it('is asked no fourth time; the next call asks anew', async () => {
    const { prompts, asked } = rig(async () => failed(true));
    for (const times of [3, 6]) {
      const loading = prompts.load('p');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(await loading).toEqual({ ok: false, message: 'the worker answers 503' });
      expect(asked).toHaveLength(times);
    }
  });

  it('is not asked again when that cannot help', async () => {
    const { prompts, asked } = rig(async () => failed(false));
    expect(await prompts.load('p')).toMatchObject({ ok: false });
    expect(asked).toHaveLength(1);
  });
});

it.each([
  ['no Ogg', new Uint8Array(1_000), 'not an Ogg page'],
  ['cut off', oggFile([packet(1)]).subarray(0, -5), 'cut off'],
  ['no Opus', oggFile([new Uint8Array(0)]), 'is no Opus'],
  // Configuration 15 with two frames; the same with a stereo bit.
  [
    'of 40 ms',
    oggFile([packet(1), Uint8Array.of(0x79, 1)]),
    'packet 2 is not 20 ms of one channel',
  ],
  ['of two channels', oggFile([Uint8Array.of(0x7c, 1)]), 'packet 1 is not 20 ms of one channel'],
])('cannot read a file that is %s, and keeps nothing of it', async (_name, bytes, message) => {
  const { prompts, asked } = rig(async () => ({ ok: true, file: bytes }));
  for (const times of [1, 2]) {
    expect(await prompts.load('p')).toEqual({
      ok: false,
      message: expect.stringContaining(message),
    });
    expect(asked).toHaveLength(times);
  }
});

it('fetches eight at once, and the others in their turn', async () => {
  const answers: (() => void)[] = [];
  const { prompts, asked } = rig(
    (prompt) =>
      new Promise((resolve) => {
        answers.push(() => resolve(prompt === 'p0' ? failed(false) : file(packet(1))));
      }),
  );
  const ids = Array.from({ length: 10 }, (_, index) => `p${index}`);
  const loading = Promise.all(ids.map((id) => prompts.load(id)));
  await vi.waitFor(() => expect(asked).toHaveLength(8));
  answers[0]?.();
  await vi.waitFor(() => expect(asked).toHaveLength(9));
  // Those that come later are answered as well.
  await vi.waitFor(() => {
    for (const answer of answers) answer();
    expect(asked).toHaveLength(10);
  });
  for (const answer of answers) answer();
  const loaded = await loading;
  expect(loaded.map(({ ok }) => ok)).toEqual([false, ...Array<boolean>(9).fill(true)]);
  const again = prompts.load('p10');
  await vi.waitFor(() => expect(asked).toHaveLength(11));
  answers[10]?.();
  expect(await again).toMatchObject({ ok: true });
});

it('keeps what was used last while there is room, and reads a long file in steps', async () => {
  // A hundred packets of 500 bytes are 73 kB with what they cost besides: two prompts fit.
  const long = oggFile(Array.from({ length: 100 }, (_, index) => packet(index, 500)));
  const { prompts, asked } = rig(async () => ({ ok: true, file: long }), 150_000);
  for (const prompt of ['a', 'b', 'a', 'c', 'a', 'b']) {
    expect(await prompts.load(prompt)).toMatchObject({ ok: true });
  }
  expect(asked).toEqual(['a', 'b', 'c', 'b']);
});
