// Which tones are in a piece of sound. Pure arithmetic.

/** A tone found in a window: frequency in Hz, level in dB relative to a full-scale sine. */
export type Tone = { readonly hz: number; readonly dbfs: number };

/** Samples of the transform; a shorter window is padded with zeros, which only refines the grid of frequencies. */
const FFT_SIZE = 2048;
/** Below this nothing counts as a tone: the noise of coded silence stays under it. */
const FLOOR_DBFS = -50;
/** A peak this far under the strongest one is leakage, coding noise or a harmonic, not a second tone. */
const WEAKER_BY_DB_MAX = 20;
/** Peaks nearer than this belong to one tone: the main lobe of a Hann window of 100 ms is 40 Hz wide. */
const APART_HZ_MIN = 45;

/** Loudness of a frame in dB relative to full scale; -100 stands for digital silence. */
export function loudnessDbfs(pcm: Int16Array): number {
  let sum = 0;
  for (const sample of pcm) sum += sample * sample;
  return Math.max(-100, 10 * Math.log10(sum / pcm.length / 32_767 ** 2 || 1e-10));
}

/**
 * Finds up to `count` tones, strongest first.
 *
 * @param pcm at most 2048 samples; 100 ms gives about 2 Hz of accuracy
 */
export function findTones(pcm: Int16Array, sampleRateHz: number, count = 3): Tone[] {
  const power = powerSpectrum(pcm);
  const gain = pcm.length / 4; // A full-scale sine under a Hann window peaks at a quarter of the window's length.
  const dbfsOf = (bin: number) => 10 * Math.log10((power[bin] ?? 0) / gain ** 2 || 1e-20);
  const peaks: Tone[] = [];
  for (let bin = 2; bin < FFT_SIZE / 2 - 1; bin++) {
    const [left, middle, right] = [power[bin - 1] ?? 0, power[bin] ?? 0, power[bin + 1] ?? 0];
    if (middle <= left || middle < right || dbfsOf(bin) < FLOOR_DBFS) continue;
    // The logarithm of a window's main lobe is close to a parabola: its top lies between the bins.
    const [a, b, c] = [Math.log(left || 1e-20), Math.log(middle), Math.log(right || 1e-20)];
    const shift = (0.5 * (a - c)) / (a - 2 * b + c);
    peaks.push({ hz: ((bin + shift) * sampleRateHz) / FFT_SIZE, dbfs: dbfsOf(bin) });
  }
  peaks.sort((one, other) => other.dbfs - one.dbfs);
  const found: Tone[] = [];
  for (const peak of peaks) {
    if (found.length === count || peak.dbfs < (found[0]?.dbfs ?? -200) - WEAKER_BY_DB_MAX) break;
    if (found.every((tone) => Math.abs(tone.hz - peak.hz) > APART_HZ_MIN)) found.push(peak);
  }
  return found;
}

/** Power per bin of the windowed samples, by the radix-2 transform. */
function powerSpectrum(pcm: Int16Array): Float64Array {
  const real = new Float64Array(FFT_SIZE);
  const imaginary = new Float64Array(FFT_SIZE);
  for (let i = 0; i < pcm.length; i++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (pcm.length - 1));
    real[reversed(i)] = ((pcm[i] ?? 0) / 32_767) * hann;
  }
  for (let size = 2; size <= FFT_SIZE; size *= 2) {
    for (let k = 0; k < size / 2; k++) {
      const angle = (-2 * Math.PI * k) / size;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let even = k; even < FFT_SIZE; even += size) {
        const odd = even + size / 2;
        const [re, im] = [real[odd] ?? 0, imaginary[odd] ?? 0];
        const [turnedRe, turnedIm] = [re * cos - im * sin, re * sin + im * cos];
        real[odd] = (real[even] ?? 0) - turnedRe;
        imaginary[odd] = (imaginary[even] ?? 0) - turnedIm;
        real[even] = (real[even] ?? 0) + turnedRe;
        imaginary[even] = (imaginary[even] ?? 0) + turnedIm;
      }
    }
  }
  return real.map((re, bin) => re * re + (imaginary[bin] ?? 0) ** 2);
}

function reversed(index: number): number {
  let result = 0;
  for (let bit = 1; bit < FFT_SIZE; bit *= 2) {
    result = result * 2 + (index & bit ? 1 : 0);
  }
  return result;
}
