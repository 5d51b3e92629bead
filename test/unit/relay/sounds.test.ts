import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSound } from '../../../relay/adapters/sounds.ts';
import { FRAME_TICKS, opusTicks } from '../../../relay/domain/opus.ts';
import { makeHoldSound } from '../../local/hold-sound.ts';
import { OpusDecoder } from '../../local/simulator/opus.ts';
import { findTones, loudnessDbfs } from '../../local/simulator/spectrum.ts';

const FILE = join(import.meta.dirname, '../../../relay/sounds/hold.ogg');
const packets = loadSound('hold');

/** Three turns of the loop as a phone hears them, one stretch of samples a packet. */
const heard = (() => {
  const decoder = new OpusDecoder();
  const turns = [...packets, ...packets, ...packets].map(
    (packet) => decoder.decode(Buffer.from(packet)) ?? new Int16Array(0),
  );
  decoder.close();
  return turns;
})();

describe('the hold sound', () => {
  it('is what its script makes', () => {
    expect(readFileSync(FILE).equals(makeHoldSound())).toBe(true);
  });

  it('is small, of 20 ms frames, at 16 to 24 kbit/s', () => {
    expect(readFileSync(FILE).length).toBeLessThan(30_000);
    expect(packets.filter((packet) => opusTicks(packet, 0, packet.length) !== FRAME_TICKS)).toEqual(
      [],
    );
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

  it('joins up with itself without a click', () => {
    const seam = packets.length;
    const around = Int16Array.from(heard.slice(seam - 2, seam + 1).flatMap((pcm) => [...pcm]));
    const steps = Array.from(around.subarray(1), (sample, index) =>
      Math.abs(sample - (around[index] ?? 0)),
    );
    // Of the sound itself, the steepest slope of its notes.
    const usual = Math.max(
      ...heard
        .slice(seam + 5, seam + 100)
        .flatMap((pcm) => Array.from(pcm.subarray(1), (s, i) => Math.abs(s - (pcm[i] ?? 0)))),
    );
    expect(Math.max(...steps)).toBeLessThan(usual);
    // Silence meets silence.
    for (const index of [seam - 1, seam]) {
      expect(loudnessDbfs((heard[index] ?? new Int16Array(1)).subarray(0, 240))).toBeLessThan(-45);
    }
  });
});
