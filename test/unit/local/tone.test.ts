import { expect, it } from 'vitest';
import { loudness, tone, toneShare } from '../../support/tone.ts';

const RATE_HZ = 48_000;
const WINDOW = RATE_HZ / 25;

const noise = (amplitude: number): Int16Array => {
  // A fixed sequence (minimal standard generator), so that the test is the same every time.
  let state = 1;
  return Int16Array.from({ length: WINDOW }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.round((state / 2_147_483_647 - 0.5) * 2 * amplitude);
  });
};

it.each([440, 600, 1000])('%i Hz is found in itself and in nothing else', (hz) => {
  const pcm = tone(hz, WINDOW, 0, RATE_HZ);
  expect(toneShare(pcm, hz, RATE_HZ)).toBeGreaterThan(0.95);
  for (const other of [440, 600, 1000].filter((candidate) => candidate !== hz)) {
    expect(toneShare(pcm, other, RATE_HZ)).toBeLessThan(0.1);
  }
});

it('is not found in silence or noise', () => {
  expect(toneShare(new Int16Array(WINDOW), 1000, RATE_HZ)).toBe(0);
  expect(toneShare(noise(10_000), 1000, RATE_HZ)).toBeLessThan(0.1);
});

it('is found through noise of a third of its loudness', () => {
  const disturbed = tone(1000, WINDOW, 0, RATE_HZ);
  noise(3_600).forEach((sample, i) => (disturbed[i]! += sample));
  expect(toneShare(disturbed, 1000, RATE_HZ)).toBeGreaterThan(0.8);
});

it('continues without a click', () => {
  const whole = tone(440, 960, 0, RATE_HZ);
  const second = tone(440, 480, 480, RATE_HZ);
  expect(whole.slice(480)).toEqual(second);
});

it('measures loudness', () => {
  expect(loudness(new Int16Array(0))).toBe(0);
  expect(loudness(Int16Array.of(3, -3, 3, -3))).toBe(3);
});
