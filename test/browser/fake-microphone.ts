// A voice for Chromium's fake microphone: a file that it plays over and over.
import { writeFile } from 'node:fs/promises';
import { tone } from '../support/tone.ts';

const SAMPLE_RATE_HZ = 48_000;
/** On and off as long as this, in ms. A steady tone would be taken for noise and suppressed by the browser. */
const BEEP_MS = 200;
const BEEPS = 10;

/** Writes beeps of `hz` as 16-bit mono WAV. */
export async function writeBeeps(path: string, hz: number): Promise<void> {
  const beepSamples = (SAMPLE_RATE_HZ * BEEP_MS) / 1000;
  const pcm = new Int16Array(2 * BEEPS * beepSamples);
  for (let beep = 0; beep < BEEPS; beep++) {
    pcm.set(tone(hz, beepSamples, 0, SAMPLE_RATE_HZ), 2 * beep * beepSamples);
  }
  await writeFile(path, Buffer.concat([wavHeader(pcm.byteLength), Buffer.from(pcm.buffer)]));
}

// Spec: RIFF WAVE, format chunk of 16 bytes, PCM.
function wavHeader(dataBytes: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  header.writeUInt32LE(SAMPLE_RATE_HZ * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
