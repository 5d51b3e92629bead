import { expect, it } from 'vitest';
import { loadOpus } from '../../../../relay/adapters/opus.ts';
import {
  FRAME_SAMPLES,
  MIX_RATE_HZ,
  type Decoder,
  type Encoder,
} from '../../../../relay/domain/codec.ts';
import { isPlain, isWidebandSilk } from '../../../../relay/domain/opus.ts';

const codec = await loadOpus();

function made<Item>(item: Item | undefined): Item {
  if (!item) throw new Error('none was ready');
  return item;
}

/** A frame of something like a voice: a gliding pitch with harmonics, four syllables a second. */
const voice = (frame: number): Float32Array =>
  Float32Array.from({ length: FRAME_SAMPLES }, (_, index) => {
    const at = frame / 50 + index / MIX_RATE_HZ;
    const phase = 2 * Math.PI * (140 * at + 12 * (1 - Math.cos(Math.PI * at)));
    let sum = 0;
    for (let harmonic = 1; harmonic <= 8; harmonic++) sum += Math.sin(harmonic * phase) / harmonic;
    return 0.15 * Math.max(0, Math.sin(8 * Math.PI * at)) ** 0.5 * sum;
  });

const encodeAll = (encoder: Encoder, frames: number): Uint8Array[] =>
  Array.from({ length: frames }, (_, frame) => encoder.encode(voice(frame), frame === 0));

/** Error against what the packet itself decodes to, in dB below it, over every tenth packet. */
function repairError(
  packets: readonly Uint8Array[],
  repair: (decoder: Decoder, at: number) => Float32Array,
): number {
  const [whole, broken] = [made(codec.decoder()), made(codec.decoder())];
  let [error, signal] = [0, 0];
  for (const [at, packet] of packets.slice(0, -1).entries()) {
    const wanted = whole.decode(packet) ?? new Float32Array(FRAME_SAMPLES);
    if (at % 10 !== 7) {
      broken.decode(packet);
      continue;
    }
    for (const [index, sample] of repair(broken, at).entries()) {
      error += (sample - (wanted[index] ?? 0)) ** 2;
      signal += (wanted[index] ?? 0) ** 2;
    }
  }
  whole.free();
  broken.free();
  return 10 * Math.log10(error / signal);
}

it('encodes what WhatsApp asks for: 20 ms, mono, wideband, 20 kbit/s at most on average', () => {
  const encoder = made(codec.encoder());
  const packets = encodeAll(encoder, 300);
  expect(packets.filter((packet) => !isPlain(packet, 0, packet.length))).toEqual([]);
  expect(packets.filter((packet) => !isWidebandSilk(packet, 0))).toEqual([]);
  const bytes = packets.reduce((sum, { length }) => sum + length, 0);
  expect((bytes * 8 * 50) / packets.length).toBeLessThan(20_000);
  encoder.free();
});

it('puts FEC into each packet, which repairs the one before better than guessing', () => {
  const encoder = made(codec.encoder());
  const packets = encodeAll(encoder, 300);
  const guessed = repairError(packets, (decoder) => decoder.conceal(FRAME_SAMPLES, undefined));
  const repaired = repairError(packets, (decoder, at) =>
    decoder.conceal(FRAME_SAMPLES, packets[at + 1]),
  );
  expect(repaired).toBeLessThan(guessed - 6);
  encoder.free();
});

it('sends silence as it is, without DTX', () => {
  const encoder = made(codec.encoder());
  for (let frame = 0; frame < 100; frame++)
    expect(encoder.encode(new Float32Array(FRAME_SAMPLES), false).length).toBeGreaterThan(2);
  encoder.free();
});

it('says of bytes that are no Opus that it cannot decode them, and goes on', () => {
  const encoder = made(codec.encoder());
  const decoder = made(codec.decoder());
  const [packet = new Uint8Array(0)] = encodeAll(encoder, 1);
  // Code 3 with a frame count of zero; two frames of odd length together.
  for (const bytes of [Uint8Array.of(0x4b, 0x00, 1), Uint8Array.of(0x49, 1, 2, 3, 4, 5)]) {
    expect(decoder.decode(bytes)).toBeUndefined();
    expect(decoder.conceal(FRAME_SAMPLES, bytes)).toHaveLength(FRAME_SAMPLES);
  }
  expect(decoder.decode(packet)).toHaveLength(FRAME_SAMPLES);
  decoder.free();
  encoder.free();
});

it('has another codec ready for each that is taken', async () => {
  const taken: (Decoder | undefined)[] = [];
  for (let count = 0; count < 100; count++) {
    taken.push(codec.decoder());
    await Promise.resolve();
    await Promise.resolve();
  }
  expect(taken).not.toContain(undefined);
  for (const decoder of taken) decoder?.free();
});
