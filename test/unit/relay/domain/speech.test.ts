import * as fc from 'fast-check';
import { createEncoder, type EncoderOptions } from 'libopus-wasm';
import { describe, expect, it } from 'vitest';
import { LEVEL_SILENT, LEVEL_SPEECH } from '../../../../relay/domain/opus.ts';
import { SpeechLevel, voiceFlag } from '../../../../relay/domain/speech.ts';

const RATE_HZ = 16_000;
const FRAME = RATE_HZ / 50;

/** A second of voice, gliding in pitch with four syllables, then a second of nothing, and so on. */
function voiceAt(seconds: number): number {
  if (seconds % 2 >= 1) return 0;
  const phase = 2 * Math.PI * (140 * seconds + 12 * (1 - Math.cos(Math.PI * seconds)));
  let sum = 0;
  for (let harmonic = 1; harmonic <= 8; harmonic++) sum += Math.sin(harmonic * phase) / harmonic;
  return 0.1 * (0.6 + 0.4 * Math.sin(8 * Math.PI * seconds)) * sum;
}

/** Steady noise of this level, the same at every run. */
function noise(dbfs: number): () => number {
  let seed = 1;
  const amplitude = 10 ** (dbfs / 20) * Math.sqrt(3);
  return () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return amplitude * ((seed / 0x7fff_ffff) * 2 - 1);
  };
}

/** Seconds of a signal as a phone codes it. */
async function coded(seconds: number, signal: (at: number) => number, options: EncoderOptions) {
  const encoder = await createEncoder({
    sampleRate: RATE_HZ,
    channels: 1,
    frameSize: FRAME,
    application: 2048,
    complexity: 5,
    maxBandwidth: 1103,
    ...options,
  });
  const packets: Uint8Array[] = [];
  const pcm = new Float32Array(FRAME);
  for (let frame = 0; frame < seconds * 50; frame++) {
    for (let index = 0; index < FRAME; index++) pcm[index] = signal(frame / 50 + index / RATE_HZ);
    packets.push(encoder.encodeFloat(pcm).slice());
  }
  encoder.free();
  return packets;
}

const ENCODERS: [name: string, options: EncoderOptions][] = [
  ['16 kbit/s', { bitrate: 16_000, vbr: true }],
  ['20 kbit/s', { bitrate: 20_000, vbr: true }],
  ['20 kbit/s with FEC', { bitrate: 20_000, vbr: true, fec: true, packetLossPercent: 20 }],
  ['20 kbit/s, all packets of one size', { bitrate: 20_000, vbr: false }],
  ['20 kbit/s with DTX', { bitrate: 20_000, vbr: true, dtx: true }],
  ['24 kbit/s', { bitrate: 24_000, vbr: true }],
];

/** How many of the packets from one time to another show as speech, 0 to 1. */
function share(packets: readonly Uint8Array[], from: number, to: number): number {
  const level = new SpeechLevel();
  const speaks = packets.map((packet) => level.level(packet, 0, packet.length) === LEVEL_SPEECH);
  const part = speaks.slice(from * 50, to * 50);
  return part.filter(Boolean).length / part.length;
}

describe.each(ENCODERS)('a phone that codes at %s', (_name, options) => {
  it('shows as speaking in speech and in no silence', async () => {
    const packets = await coded(8, voiceAt, options);
    for (const second of [2, 4, 6]) {
      expect(share(packets, second, second + 1)).toBeGreaterThan(0.9);
      expect(share(packets, second + 1.2, second + 2)).toBe(0);
    }
  });

  it('shows as speaking in speech above steady noise and not in the noise', async () => {
    const hiss = noise(-45);
    const packets = await coded(12, (at) => voiceAt(at) + hiss(), options);
    for (const second of [6, 8, 10]) {
      expect(share(packets, second, second + 1)).toBeGreaterThan(0.7);
      expect(share(packets, second + 1.2, second + 2)).toBeLessThan(0.2);
    }
  });
});

it('shows a stream of CELT as speaking by its sizes, and one of a constant rate never', () => {
  const packet = (bytes: number) => Uint8Array.of(0xb8, ...Array<number>(bytes - 1).fill(200));
  const constant = new SpeechLevel();
  for (let n = 0; n < 500; n++) expect(constant.level(packet(50), 0, 50)).toBe(LEVEL_SILENT);
  const changing = new SpeechLevel();
  const levels = Array.from({ length: 400 }, (_, n) => {
    const bytes = n % 100 < 50 ? 120 : 30;
    return changing.level(packet(bytes), 0, bytes);
  });
  expect(new Set(levels.slice(210, 245))).toEqual(new Set([LEVEL_SPEECH]));
  expect(new Set(levels.slice(260, 295))).toEqual(new Set([LEVEL_SILENT]));
});

it.each<[name: string, packet: number[], flag: boolean | undefined]>([
  ['one frame', [0x48, 0x80], true],
  ['one frame without speech', [0x48, 0x7f], false],
  ['two of one size', [0x49, 0x80, 0], true],
  ['two of two sizes', [0x4a, 1, 0x80, 0], true],
  ['two of two sizes, the first a long one', [0x4a, 252, 0, 0x80], true],
  ['one in a packet with padding', [0x4b, 0x41, 2, 0x80, 0, 0], true],
  ['one in a packet with much padding', [0x4b, 0x41, 255, 3, 0x80], true],
  ['three of their own sizes', [0x4b, 0x83, 1, 1, 0x80, 0, 0], true],
  ['none: DTX', [0x48], false],
  ['one of CELT below', [0x78, 0x80], true],
  ['one of CELT alone', [0xb8, 0x80], undefined],
])('reads the flag of %s', (_name, packet, flag) => {
  expect(voiceFlag(Uint8Array.from(packet), 0, packet.length)).toBe(flag);
});

it('reads nothing beyond the packet, whatever it holds', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(29), (bytes, length) => {
      const end = Math.min(length + 1, bytes.length);
      const cut = bytes.slice(0, end);
      expect(voiceFlag(bytes, 0, end)).toBe(voiceFlag(cut, 0, end));
    }),
  );
});
