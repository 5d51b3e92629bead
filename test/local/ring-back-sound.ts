// Makes relay/sounds/ring-back.ogg, what a caller hears while somebody else's phone rings. Run it after a change: the file is
// committed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loopFile, SAMPLE_RATE_HZ } from './loop-file.ts';

// Spec: ITU-T E.180/Q.35, ringing tone: 425 Hz, a tone of 0.67 to 1.5 s and a silence of 3 to 5 s. 1 s and 4 s are usual in Europe.
const RING_HZ = 425;
const TONE_S = 1;
const LOOP_S = 5;
/** Silence before the tone, so that nothing sounds where the ends of the loop meet. */
const START_S = 0.02;
/** In 16-bit units: 24 dB below full scale, softer than a voice. */
const AMPLITUDE = 2_000;
/** The tone comes and goes within this, so that it does not click. */
const EDGE_S = 0.02;

/** The file's bytes, the same on every machine. */
export const makeRingBackSound = (): Buffer => loopFile(loopSamples());

/** One turn of the loop: it begins and ends in silence. */
const loopSamples = (): Int16Array =>
  Int16Array.from({ length: LOOP_S * SAMPLE_RATE_HZ }, (_, index) => {
    const sinceS = index / SAMPLE_RATE_HZ - START_S;
    const edge = Math.min(1, sinceS / EDGE_S, (TONE_S - sinceS) / EDGE_S);
    return Math.round(AMPLITUDE * Math.max(0, edge) * Math.sin(2 * Math.PI * RING_HZ * sinceS));
  });

if (import.meta.main)
  writeFileSync(join(import.meta.dirname, '../../relay/sounds/ring-back.ogg'), makeRingBackSound());
