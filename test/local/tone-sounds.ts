// Makes the short tones in relay/sounds/ that steps of rules play where there is no prompt. Run it after a change: the files are
// committed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loopFile, SAMPLE_RATE_HZ } from './loop-file.ts';

interface Tone {
  readonly atS: number;
  readonly hz: number;
  readonly lastsS: number;
}

/** Each begins and ends in silence, so that it can be repeated; `lengthS` is a multiple of 20 ms. */
export const TONES = {
  /** Speak now. */
  beep: { lengthS: 0.5, tones: [{ atS: 0.04, hz: 1_200, lastsS: 0.36 }] },
  /** Press a key. */
  menu: {
    lengthS: 0.6,
    tones: [
      { atS: 0.04, hz: 880, lastsS: 0.16 },
      { atS: 0.32, hz: 880, lastsS: 0.16 },
    ],
  },
  /** Understood: a fifth up. */
  confirm: {
    lengthS: 0.6,
    tones: [
      { atS: 0.04, hz: 740, lastsS: 0.2 },
      { atS: 0.26, hz: 1_110, lastsS: 0.26 },
    ],
  },
  /** Not understood. */
  error: {
    lengthS: 0.6,
    tones: [
      { atS: 0.04, hz: 300, lastsS: 0.2 },
      { atS: 0.32, hz: 300, lastsS: 0.2 },
    ],
  },
  /** Spec: ITU-T E.180/Q.35, busy tone: tone and silence of equal length, 0.1 to 0.66 s each; 425 Hz and 0.5 s are usual in Europe. */
  busy: { lengthS: 1, tones: [{ atS: 0.04, hz: 425, lastsS: 0.5 }] },
} as const satisfies Record<string, { lengthS: number; tones: readonly Tone[] }>;

export type ToneName = keyof typeof TONES;

/** In 16-bit units: 22 dB below full scale, softer than a voice. */
const AMPLITUDE = 2_500;
/** A tone comes and goes within this, so that it does not click. */
const EDGE_S = 0.02;

/** The file's bytes, the same on every machine. */
export function makeTone(name: ToneName): Buffer {
  const { lengthS, tones } = TONES[name];
  const samples = Int16Array.from({ length: lengthS * SAMPLE_RATE_HZ }, (_, index) =>
    Math.round(tones.reduce((sum, tone) => sum + sampleOf(tone, index / SAMPLE_RATE_HZ), 0)),
  );
  return loopFile(samples);
}

function sampleOf({ atS, hz, lastsS }: Tone, timeS: number): number {
  const sinceS = timeS - atS;
  const edge = Math.min(1, sinceS / EDGE_S, (lastsS - sinceS) / EDGE_S);
  return AMPLITUDE * Math.max(0, edge) * Math.sin(2 * Math.PI * hz * sinceS);
}

if (import.meta.main)
  for (const name of Object.keys(TONES) as ToneName[])
    writeFileSync(join(import.meta.dirname, `../../relay/sounds/${name}.ogg`), makeTone(name));
