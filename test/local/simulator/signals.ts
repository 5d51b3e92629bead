// What a simulated phone plays. Every signal is a loop of ready-made Opus frames, so that a hundred phones cost no encoding.
import { FRAME_TICKS, OpusEncoder } from './opus.ts';

/**
 * A signal that repeats for ever.
 *
 * - `tone`: a sine of `hz` (whole hertz, 1 to 7000; WhatsApp audio is wideband) at `dbfs` (default -12)
 * - `tones`: several sines at once, each at -18 dBFS
 * - `beeps`: 100 ms of a sine, then 400 ms of silence, for measuring delays
 * - `speech`: a voice-like buzz whose pitch glides and whose loudness falls to nothing between syllables
 * - `silence`: coded silence, as a phone sends it while nobody talks
 */
export type Signal =
  | { readonly kind: 'tone'; readonly hz: number; readonly dbfs?: number }
  | { readonly kind: 'tones'; readonly hz: readonly number[] }
  | { readonly kind: 'beeps'; readonly hz: number }
  | { readonly kind: 'speech' }
  | { readonly kind: 'silence' };

/** A 440 Hz sine: what a phone plays unless told otherwise. */
export const DEFAULT_SIGNAL: Signal = { kind: 'tone', hz: 440 };

const SAMPLE_RATE_HZ = 48_000;
const FRAMES_PER_SECOND = SAMPLE_RATE_HZ / FRAME_TICKS;
const TURN = 2 * Math.PI;

const loops = new Map<string, readonly Buffer[]>();

/** The signal as Opus frames of 20 ms, to be sent one after the other and again from the start. Made once per signal. */
export function loopOf(signal: Signal): readonly Buffer[] {
  const key = JSON.stringify(signal);
  const known = loops.get(key);
  if (known) return known;
  const loop = encodeLoop(signal);
  loops.set(key, loop);
  return loop;
}

/** Encodes the period twice and keeps the second pass, so that the loop starts in the state in which it ends. */
function encodeLoop(signal: Signal): Buffer[] {
  const seconds = signal.kind === 'speech' ? 2 : 1;
  const frames = seconds * FRAMES_PER_SECOND;
  const encoder = new OpusEncoder();
  const encoded: Buffer[] = [];
  for (let frame = 0; frame < 2 * frames; frame++) {
    const pcm = new Int16Array(FRAME_TICKS);
    for (let i = 0; i < FRAME_TICKS; i++) {
      const at = ((frame % frames) * FRAME_TICKS + i) / SAMPLE_RATE_HZ;
      pcm[i] = Math.round(32_767 * sampleAt(signal, at));
    }
    encoded.push(encoder.encode(pcm));
  }
  encoder.close();
  return encoded.slice(frames);
}

/** The signal's value, -1 to 1, at a time in seconds. Each signal repeats after one second, speech after two. */
function sampleAt(signal: Signal, at: number): number {
  switch (signal.kind) {
    case 'silence':
      return 0;
    case 'tone':
      return amplitude(signal.dbfs ?? -12) * Math.sin(TURN * signal.hz * at);
    case 'tones':
      return signal.hz.reduce((sum, hz) => sum + amplitude(-18) * Math.sin(TURN * hz * at), 0);
    case 'beeps':
      return at % 0.5 < 0.1 ? amplitude(-12) * Math.sin(TURN * signal.hz * at) : 0;
    case 'speech':
      return speechAt(at);
    default:
      throw new RangeError(`no such signal: ${JSON.stringify(signal satisfies never)}`);
  }
}

function amplitude(dbfs: number): number {
  return 10 ** (dbfs / 20);
}

/** Six harmonics over a pitch of 100 to 180 Hz; four syllables a second. */
function speechAt(at: number): number {
  const phase = TURN * (140 * at + (40 / (TURN * 0.5)) * (1 - Math.cos(TURN * 0.5 * at)));
  let voice = 0;
  for (let harmonic = 1; harmonic <= 6; harmonic++) voice += Math.sin(harmonic * phase) / harmonic;
  const loudness = Math.max(0, Math.sin(TURN * 4 * at)) ** 0.5;
  return amplitude(-14) * loudness * voice;
}
