import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSound, type SoundName } from '../../../relay/adapters/sounds.ts';
import { isPlain } from '../../../relay/domain/opus.ts';
import type { Sound } from '../../../relay/domain/player.ts';
import { makeHoldSound } from '../../local/hold-sound.ts';
import { makeRingBackSound } from '../../local/ring-back-sound.ts';
import { makeTone, TONES, type ToneName } from '../../local/tone-sounds.ts';
import { OpusDecoder } from '../../local/simulator/opus.ts';
import { findTones, loudnessDbfs } from '../../local/simulator/spectrum.ts';

const fileOf = (name: SoundName): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../relay/sounds/${name}.ogg`));

/** Three turns of a loop as a phone hears them, one stretch of samples a packet. */
function threeTurns(packets: Sound): Int16Array[] {
  const decoder = new OpusDecoder();
  const turns = [...packets, ...packets, ...packets].map(
    (packet) => decoder.decode(Buffer.from(packet)) ?? new Int16Array(0),
  );
  decoder.close();
  return turns;
}

const together = (frames: readonly Int16Array[]): Int16Array =>
  Int16Array.from(frames.flatMap((pcm) => [...pcm]));

/** The steepest step from one sample to the next. */
const steepest = (pcm: Int16Array): number =>
  pcm
    .subarray(1)
    .reduce((max, sample, index) => Math.max(max, Math.abs(sample - (pcm[index] ?? 0))), 0);

/** No click where a turn ends and the next begins: no step steeper than the sound's own, and silence meets silence. */
function expectSeamless(packets: Sound, heard: readonly Int16Array[]): void {
  const seam = packets.length;
  const usual = steepest(together(heard.slice(seam + 5, seam + 100)));
  expect(steepest(together(heard.slice(seam - 2, seam + 1)))).toBeLessThan(usual);
  for (const index of [seam - 1, seam]) {
    expect(loudnessDbfs((heard[index] ?? new Int16Array(1)).subarray(0, 240))).toBeLessThan(-45);
  }
}

const isPlainSound = (packets: Sound): boolean =>
  packets.every((packet) => isPlain(packet, 0, packet.length));

describe('the hold sound', () => {
  const packets = loadSound('hold');
  const heard = threeTurns(packets);

  it('is what its script makes', () => {
    expect(fileOf('hold').equals(makeHoldSound())).toBe(true);
  });

  it('is small, of 20 ms frames, at 16 to 24 kbit/s', () => {
    expect(fileOf('hold').length).toBeLessThan(30_000);
    expect(isPlainSound(packets)).toBe(true);
    const bytes = packets.reduce((sum, { length }) => sum + length, 0);
    const kbitPerS = (bytes * 8) / (packets.length * 20);
    expect(kbitPerS).toBeGreaterThan(16);
    expect(kbitPerS).toBeLessThan(24);
  });

  it('sounds at once and softly', () => {
    const levels = heard.slice(packets.length, 2 * packets.length).map(loudnessDbfs);
    expect(Math.max(...levels)).toBeLessThan(-20);
    expect(Math.max(...levels.slice(0, 10))).toBeGreaterThan(-30);
    const note = Int16Array.from(heard.slice(5, 7).flatMap((pcm) => [...pcm]));
    expect(findTones(note, OpusDecoder.sampleRateHz)[0]?.hz).toBeCloseTo(523, -1);
  });

  it('joins up with itself without a click', () => expectSeamless(packets, heard));
});

describe('the ring-back tone', () => {
  const packets = loadSound('ring-back');
  const heard = threeTurns(packets);
  /** Of the second turn. */
  const turn = heard.slice(packets.length, 2 * packets.length);

  it('is what its script makes', () => {
    expect(fileOf('ring-back').equals(makeRingBackSound())).toBe(true);
  });

  it('is small, of 20 ms frames', () => {
    expect(fileOf('ring-back').length).toBeLessThan(30_000);
    expect(isPlainSound(packets)).toBe(true);
  });

  it('is 1 s of 425 Hz and 4 s of silence, softly', () => {
    expect(packets).toHaveLength(250);
    const levels = turn.map(loudnessDbfs);
    // What the codec delays lies in the frame after the tone.
    expect(Math.min(...levels.slice(2, 51))).toBeGreaterThan(-32);
    expect(Math.max(...levels)).toBeLessThan(-20);
    expect(Math.max(...levels.slice(53))).toBeLessThan(-60);
    const [tone] = findTones(together(turn.slice(5, 7)), OpusDecoder.sampleRateHz);
    expect(Math.abs((tone?.hz ?? 0) - 425)).toBeLessThan(12);
  });

  it('joins up with itself without a click', () => expectSeamless(packets, heard));
});

describe.each(Object.keys(TONES) as ToneName[])('the tone %s', (name) => {
  const packets = loadSound(name);
  const heard = threeTurns(packets);

  it('is what its script makes', () => {
    expect(fileOf(name).equals(makeTone(name))).toBe(true);
  });

  it('is small, of 20 ms frames, as long as it says', () => {
    expect(fileOf(name).length).toBeLessThan(5_000);
    expect(isPlainSound(packets)).toBe(true);
    expect(packets).toHaveLength(Math.round(TONES[name].lengthS / 0.02));
  });

  it('has its tones when it says, softly', () => {
    for (const { atS, hz, lastsS } of TONES[name].tones) {
      const middle = Math.floor((atS + lastsS / 2) / 0.02);
      const pcm = together(heard.slice(middle, middle + 2));
      expect(Math.abs((findTones(pcm, OpusDecoder.sampleRateHz)[0]?.hz ?? 0) - hz)).toBeLessThan(
        15,
      );
      expect(loudnessDbfs(pcm)).toBeGreaterThan(-32);
      expect(loudnessDbfs(pcm)).toBeLessThan(-20);
    }
  });

  it('joins up with itself without a click', () => expectSeamless(packets, heard));
});
