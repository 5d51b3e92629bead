// What the agent says and listens for: steady tones, so that it needs no model.

export const SAMPLE_RATE_HZ = 48_000;
const AMPLITUDE = 10_000;
/** Root mean square of 16-bit samples; below it nobody speaks. */
const LOUDNESS_MIN = 300;
/** A tone that comes by telephone keeps more than this share of its energy. */
const SHARE_MIN = 0.6;

/** @param from number of samples that were said before, so that pieces join without a click */
export const tone = (hz: number, samples: number, from: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, index) =>
    Math.round(AMPLITUDE * Math.sin((2 * Math.PI * hz * (from + index)) / SAMPLE_RATE_HZ)),
  );

/** Whether this is the tone and little else, by Goertzel's algorithm. 40 ms tell tones 25 Hz apart. */
export function isTone(pcm: Int16Array, hz: number): boolean {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE_HZ);
  let [last, beforeLast, energy] = [0, 0, 0];
  for (const sample of pcm) {
    [last, beforeLast] = [sample + coefficient * last - beforeLast, last];
    energy += sample * sample;
  }
  if (energy < pcm.length * LOUDNESS_MIN ** 2) return false;
  const power = last ** 2 + beforeLast ** 2 - coefficient * last * beforeLast;
  return (2 * power) / (pcm.length * energy) > SHARE_MIN;
}
