// Tones as test signals: made, and found again in what arrives. Pure.

/**
 * Makes a piece of a steady sine tone.
 *
 * @param fromSample position of the first sample since the tone began, so that pieces join without a click
 * @returns `samples` 16-bit values at a third of full scale: loud enough to be found, far from clipping when mixed
 */
export function tone(
  hz: number,
  samples: number,
  fromSample: number,
  sampleRateHz: number,
): Int16Array {
  const amplitude = 32_767 / 3;
  const radians = (2 * Math.PI * hz) / sampleRateHz;
  return Int16Array.from({ length: samples }, (_, i) =>
    Math.round(amplitude * Math.sin(radians * (fromSample + i))),
  );
}

/**
 * How much of a signal is this tone (Goertzel's algorithm).
 *
 * @returns its share of the energy: 1 for the pure tone, near 0 for silence, noise or another tone that is at least two
 * windows' worth of periods away
 */
export function toneShare(pcm: Int16Array, hz: number, sampleRateHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz);
  let [previous, beforePrevious, energy] = [0, 0, 0];
  for (const sample of pcm) {
    const current = sample + coefficient * previous - beforePrevious;
    beforePrevious = previous;
    previous = current;
    energy += sample * sample;
  }
  if (energy === 0) return 0;
  const power = previous ** 2 + beforePrevious ** 2 - coefficient * previous * beforePrevious;
  return (2 * power) / (pcm.length * energy);
}

/** Root mean square of 16-bit samples, 0 to 32767. */
export function loudness(pcm: Int16Array): number {
  let energy = 0;
  for (const sample of pcm) energy += sample * sample;
  return pcm.length === 0 ? 0 : Math.sqrt(energy / pcm.length);
}
