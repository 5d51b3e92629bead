// Finding one frequency in a stretch of sound, by the Goertzel algorithm.

/**
 * How strong a sine of `hz` is in `pcm`.
 *
 * @param pcm 16-bit samples of one channel
 * @returns its amplitude in sample units, 0 to 32767
 */
export function amplitudeOf(pcm: Int16Array, hz: number, sampleRateHz: number): number {
  const turn = (2 * Math.PI * hz) / sampleRateHz;
  const factor = 2 * Math.cos(turn);
  let last = 0;
  let beforeLast = 0;
  for (const sample of pcm) [last, beforeLast] = [sample + factor * last - beforeLast, last];
  const power = last * last + beforeLast * beforeLast - factor * last * beforeLast;
  return (2 * Math.sqrt(Math.max(0, power))) / pcm.length;
}
