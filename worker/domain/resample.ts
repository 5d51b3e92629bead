// Brings audio to 48 kHz with a windowed sinc, a piece at a time. Pure.
import { RATE_HZ } from './opus-packet.ts';

/** Zero crossings of the sinc on either side: what lies in the stop band is 70 dB down or more. */
const CROSSINGS = 16;
/** Share of the lower rate's band that passes; the rest is where the filter falls. */
const PASSED_SHARE = 0.92;
/**
 * Most positions between two samples for which there is a filter of its own. The usual rates need 640 at most (11.025 kHz); of
 * others the nearest is taken, which is 60 dB below the signal.
 */
const PHASES_MAX = 960;
/** Shape of the Kaiser window. */
const KAISER_BETA = 7;

export class Resampler {
  readonly #fromHz: number;
  readonly #phases: number;
  /** Samples on either side of a position that its value is made of. */
  readonly #reach: number;
  /** One filter for each phase, one after the other. */
  readonly #filters: Float32Array;
  /** What is still needed of the audio so far; begins at sample `#bufferAt` of it. */
  #buffer: Float32Array;
  #bufferAt: number;
  #taken = 0;
  #given = 0;

  /** @param fromHz 1 to 384000 */
  constructor(fromHz: number) {
    this.#fromHz = fromHz;
    const band = PASSED_SHARE * Math.min(1, RATE_HZ / fromHz);
    this.#phases = Math.min(RATE_HZ / divisor(RATE_HZ, fromHz), PHASES_MAX);
    this.#reach = Math.ceil(CROSSINGS / band);
    this.#filters = filtersOf(this.#phases, this.#reach, band);
    // Before the beginning there is silence.
    this.#bufferAt = -this.#reach;
    this.#buffer = new Float32Array(this.#reach);
  }

  /** @returns as much as can be said of the audio by now */
  push(samples: Float32Array): Float32Array {
    this.#append(samples);
    this.#taken += samples.length;
    const known = this.#taken - this.#reach - 1;
    return this.#give(Math.ceil((known * RATE_HZ) / this.#fromHz));
  }

  /** The rest; afterwards it lasts as long as what was pushed. */
  end(): Float32Array {
    this.#append(new Float32Array(this.#reach + 1));
    return this.#give(Math.ceil((this.#taken * RATE_HZ) / this.#fromHz));
  }

  #append(samples: Float32Array): void {
    const buffer = new Float32Array(this.#buffer.length + samples.length);
    buffer.set(this.#buffer);
    buffer.set(samples, this.#buffer.length);
    this.#buffer = buffer;
  }

  /** @param until samples of the result that are known with what there is */
  #give(until: number): Float32Array {
    const given = new Float32Array(Math.max(0, until - this.#given));
    const taps = 2 * this.#reach;
    for (let index = 0; index < given.length; index++) {
      const { whole, phase } = this.#positionOf(this.#given + index);
      const from = whole - this.#reach + 1 - this.#bufferAt;
      const filter = phase * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++)
        sum += (this.#buffer[from + tap] ?? 0) * (this.#filters[filter + tap] ?? 0);
      given[index] = sum;
    }
    this.#given += given.length;
    const needed = this.#positionOf(this.#given).whole - this.#reach;
    if (needed > this.#bufferAt) {
      this.#buffer = this.#buffer.slice(needed - this.#bufferAt);
      this.#bufferAt = needed;
    }
    return given;
  }

  /** Where a sample of the result lies in the source. Whole numbers throughout, so that nothing adds up. */
  #positionOf(index: number): { whole: number; phase: number } {
    const scaled = index * this.#fromHz;
    const whole = Math.floor(scaled / RATE_HZ);
    const phase = Math.round(((scaled % RATE_HZ) * this.#phases) / RATE_HZ);
    return phase === this.#phases ? { whole: whole + 1, phase: 0 } : { whole, phase };
  }
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

function filtersOf(phases: number, reach: number, band: number): Float32Array {
  const taps = 2 * reach;
  const filters = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    const filter = filters.subarray(phase * taps, (phase + 1) * taps);
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap - reach + 1 - phase / phases;
      filter[tap] = sinc(band * distance) * kaiser(distance / reach);
    }
    // What does not change stays as loud as it was.
    const sum = filter.reduce((total, value) => total + value, 0);
    for (let tap = 0; tap < taps; tap++) filter[tap] = (filter[tap] ?? 0) / sum;
  }
  return filters;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const kaiser = (x: number): number =>
  Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);

/** The modified Bessel function of order zero, by its series. */
function bessel(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-9; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
