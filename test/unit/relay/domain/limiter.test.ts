import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { FRAME_SAMPLES, MIX_RATE_HZ } from '../../../../relay/domain/codec.ts';
import { BLOCK_SAMPLES, Limiter, PEAK_MAX } from '../../../../relay/domain/limiter.ts';

/** Runs a whole signal through a limiter, frame by frame. */
function limited(signal: Float32Array): Float32Array {
  const limiter = new Limiter();
  const out = new Float32Array(signal.length - (signal.length % FRAME_SAMPLES));
  for (let at = 0; at < out.length; at += FRAME_SAMPLES) {
    const window = new Float32Array(FRAME_SAMPLES + BLOCK_SAMPLES);
    window.set(signal.subarray(at, at + window.length));
    limiter.apply(window);
    out.set(window.subarray(0, FRAME_SAMPLES), at);
  }
  return out;
}

const sines = (seconds: number, ...parts: [hz: number, amplitude: number][]): Float32Array =>
  Float32Array.from({ length: seconds * MIX_RATE_HZ }, (_, index) =>
    parts.reduce(
      (sum, [hz, amplitude]) =>
        sum + amplitude * Math.sin((2 * Math.PI * hz * index) / MIX_RATE_HZ),
      0,
    ),
  );

it('leaves what fits as it is, to the last bit', () => {
  const signal = sines(1, [300, 0.5], [1_100, 0.4]);
  expect(limited(signal)).toEqual(signal.subarray(0, limited(signal).length));
});

it('never lets more than the peak through, whatever comes', () => {
  const loudness = fc.array(fc.double({ min: 0, max: 20, noNaN: true }), {
    minLength: 4,
    maxLength: 40,
  });
  fc.assert(
    fc.property(loudness, fc.integer({ min: 1, max: 400 }), (levels, length) => {
      const signal = Float32Array.from(
        { length: 10 * FRAME_SAMPLES },
        (_, index) => (levels[Math.floor(index / length) % levels.length] ?? 0) * Math.sin(index),
      );
      expect(Math.max(...limited(signal).map(Math.abs))).toBeLessThanOrEqual(1.0001 * PEAK_MAX);
    }),
    { numRuns: 200 },
  );
});

it('turns a loud sum down without bending it: no other tones appear', () => {
  const signal = sines(2, [440, 0.9], [620, 0.9]);
  const out = limited(signal).subarray(MIX_RATE_HZ);
  const amplitude = (hz: number) => {
    let [sine, cosine] = [0, 0];
    for (const [index, sample] of out.entries()) {
      sine += sample * Math.sin((2 * Math.PI * hz * index) / MIX_RATE_HZ);
      cosine += sample * Math.cos((2 * Math.PI * hz * index) / MIX_RATE_HZ);
    }
    return (2 * Math.hypot(sine, cosine)) / out.length;
  };
  expect(amplitude(440)).toBeGreaterThan(0.4);
  expect(amplitude(620) / amplitude(440)).toBeCloseTo(1, 1);
  // What a clipped sum of the two would show: the third-order products.
  for (const hz of [2 * 440 - 620, 2 * 620 - 440, 3 * 440])
    expect(20 * Math.log10(amplitude(hz) / amplitude(440))).toBeLessThan(-25);
});

it('comes back within a second of the last peak, and not at once', () => {
  const loud = sines(0.5, [440, 1.9]);
  const soft = sines(2, [440, 0.3]);
  const signal = new Float32Array(loud.length + soft.length);
  signal.set(loud);
  signal.set(soft, loud.length);
  const out = limited(signal);
  const peakAt = (seconds: number) =>
    Math.max(...out.subarray(seconds * MIX_RATE_HZ, seconds * MIX_RATE_HZ + 160).map(Math.abs));
  expect(peakAt(0.51)).toBeLessThan(0.2);
  expect(peakAt(0.6)).toBeGreaterThan(0.2);
  expect(peakAt(1.5)).toBeGreaterThan(0.29);
});
