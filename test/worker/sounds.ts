// Sound files and R2 as tests of the worker use them.
import { testEnv } from './support.ts';

/** Names of everything in the audio bucket, in order. */
export async function audioKeys(): Promise<string[]> {
  const { objects } = await bucket().list();
  return objects.map(({ key }) => key).toSorted();
}

export function bucket(): R2Bucket {
  if (!testEnv.AUDIO) throw new Error('the test has no bucket');
  return testEnv.AUDIO;
}

/** The audio bucket with some of its methods replaced; the worker uses no others than these. */
export function bucketThat(
  changes: Partial<Pick<R2Bucket, 'put' | 'get' | 'head' | 'delete'>>,
): R2Bucket {
  const real = bucket();
  const methods: Pick<R2Bucket, 'put' | 'get' | 'head' | 'delete'> = {
    put: real.put.bind(real),
    get: real.get.bind(real),
    head: real.head.bind(real),
    delete: real.delete.bind(real),
    ...changes,
  };
  return methods as R2Bucket;
}

/** A WAV file of 16 bit and one channel with these samples of -1 to 1. */
export function wavOf(samples: readonly number[], rateHz = 8_000): Uint8Array {
  const bytes = new Uint8Array(44 + samples.length * 2);
  const view = new DataView(bytes.buffer);
  const write = (at: number, text: string) =>
    new TextEncoder().encode(text).forEach((byte, index) => view.setUint8(at + index, byte));
  write(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  write(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, 'data');
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((value, index) => view.setInt16(44 + index * 2, value * 0x7fff, true));
  return bytes;
}

/** Samples of a sine. */
export const sine = (hz: number, rateHz: number, count: number, amplitude = 0.5): number[] =>
  Array.from({ length: count }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rateHz));

/** The amplitude of a sine of this frequency in the samples. */
export function amplitudeOf(hz: number, rateHz: number, samples: ArrayLike<number>): number {
  let [real, imaginary] = [0, 0];
  for (let i = 0; i < samples.length; i++) {
    const turn = (2 * Math.PI * hz * i) / rateHz;
    real += (samples[i] ?? 0) * Math.cos(turn);
    imaginary += (samples[i] ?? 0) * Math.sin(turn);
  }
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}
