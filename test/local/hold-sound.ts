// Makes relay/sounds/hold.ogg, what a caller hears on hold and while the room is away. Run it after a change: the file is
// committed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loopFile, SAMPLE_RATE_HZ } from './loop-file.ts';

/** Three soft notes of a chord, then rest until the loop begins again: nothing sounds where its ends meet. */
const NOTES = [
  { atS: 0, hz: 523.25 },
  { atS: 0.5, hz: 659.25 },
  { atS: 1, hz: 783.99 },
] as const;
const LOOP_S = 4;
/** Of one note, in 16-bit units: 24 dB below full scale, softer than a voice. */
const AMPLITUDE = 2_000;
const ATTACK_S = 0.04;
const DECAY_PER_S = 2.5;
const OVERTONE_SHARE = 0.2;

/** The file's bytes, the same on every machine. */
export const makeHoldSound = (): Buffer => loopFile(loopSamples());

/** One turn of the loop; what a note still sounds at its end is less than one unit. */
function loopSamples(): Int16Array {
  return Int16Array.from({ length: LOOP_S * SAMPLE_RATE_HZ }, (_, index) => {
    let sum = 0;
    for (const { atS, hz } of NOTES) {
      const sinceS = index / SAMPLE_RATE_HZ - atS;
      if (sinceS < 0) continue;
      const turn = 2 * Math.PI * hz * sinceS;
      const loudness = Math.min(1, sinceS / ATTACK_S) * Math.exp(-DECAY_PER_S * sinceS);
      sum += loudness * (Math.sin(turn) + OVERTONE_SHARE * Math.sin(2 * turn));
    }
    return Math.round(AMPLITUDE * sum);
  });
}

if (import.meta.main)
  writeFileSync(join(import.meta.dirname, '../../relay/sounds/hold.ogg'), makeHoldSound());
