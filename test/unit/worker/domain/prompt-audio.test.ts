// What becomes of a file that is to be played to callers. The codec here keeps what it is given; the real one is used inside the
// worker's own runtime.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../../../worker/domain/codec.ts';
import { readOggOpus } from '../../../../worker/domain/ogg-read.ts';
import { promptAudioOf, type SoundType } from '../../../../worker/domain/prompt-audio.ts';
import { Resampler } from '../../../../worker/domain/resample.ts';
import { amplitudeOf, head, ogg, packet, sine, wav } from './sounds.ts';

const DELAY = 312;

/** Encodes to packets that say nothing, and decodes to a ramp of which every sample can be told. */
function fakeCodec() {
  const heard: number[] = [];
  const gains: number[] = [];
  let decoded = 0;
  const codec: Codec = {
    encoder: () => ({
      delaySamples: DELAY,
      encode: (pcm) => {
        expect(pcm).toHaveLength(960);
        heard.push(...pcm);
        return packet(20);
      },
    }),
    decoder: (gain) => {
      gains.push(gain);
      return {
        decode: ([toc]) =>
          toc === 0x7c ? null : Float32Array.from({ length: 1_920 }, () => ++decoded),
      };
    },
  };
  return { heard, gains, open: () => codec };
}

function convert(file: Uint8Array, type: SoundType, open: () => Codec) {
  const work = promptAudioOf(file, type, open);
  for (let pauses = 0; ; pauses++) {
    const step = work.next();
    if (step.done) return { pauses, result: step.value };
  }
}
const noCodec = (): Codec => {
  throw new Error('nothing is to be converted');
};

describe('a file that can be sent as it is', () => {
  it('stays as it is', () => {
    const file = ogg([packet(40), packet(1_000), packet(3, 7, 0xf8)]);
    const { result } = convert(file, 'audio/ogg', noCodec);
    expect(result).toEqual({ ok: true, bytes: file, durationMs: 60 });
  });

  it.each([
    ['packets of 40 ms', ogg([packet(40), packet(40, 7, 0x79)])],
    ['packets of two channels', ogg([packet(40, 7, 0xfc)])],
    ['two channels by its header', ogg([packet(40)], 255, head({ 9: 2 }))],
    ['a gain', ogg([packet(40)], 255, head({ 16: 1 }))],
    ['packets too large for UDP', ogg([packet(1_001)])],
  ])('is none with %s', (_what, file) => {
    const { result } = convert(file, 'audio/ogg', fakeCodec().open);
    if (!result.ok) throw new Error(result.message);
    const read = readOggOpus(result.bytes);
    expect(read).toMatchObject({ ok: true, head: { channels: 1, preSkip: DELAY, gain: 0 } });
  });
});

describe('Ogg Opus that is converted', () => {
  const file = ogg(
    [1, 2, 3].map(() => packet(40, 7, 0x79)),
    255,
    head({ 10: 0x38, 11: 1, 16: 2 }),
  );

  it('loses what a player would leave out at the beginning, and keeps the rest in order', () => {
    const { heard, gains, open } = fakeCodec();
    const { result } = convert(file, 'audio/ogg', open);
    const samples = 3 * 1_920 - 312;
    expect(result).toMatchObject({ ok: true, durationMs: Math.round(samples / 48) });
    expect(heard.slice(0, samples)).toEqual(Array.from({ length: samples }, (_, i) => 313 + i));
    expect(gains).toEqual([2]);
  });

  it('is refused where the codec refuses it', () => {
    const broken = ogg([packet(40, 7, 0x79), packet(40, 7, 0x7c)]);
    const { result } = convert(broken, 'audio/ogg', fakeCodec().open);
    expect(result).toEqual({
      ok: false,
      reason: 'not-opus',
      message: 'audio packet 2 is no Opus',
    });
  });

  it('is refused when nothing is left of it', () => {
    const short = ogg([packet(40, 7, 0x79)], 255, head({ 10: 0xff, 11: 0xff }));
    const { result } = convert(short, 'audio/ogg', fakeCodec().open);
    expect(result).toMatchObject({ ok: false, reason: 'empty' });
  });
});

describe('a WAV file', () => {
  it('is encoded whole: the last sample comes out of the encoder, too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (count) => {
        const { heard, open } = fakeCodec();
        const values = Array.from({ length: count }, (_, i) => ((i % 200) - 100) / 128);
        const file = wav(values, { tag: 3, bits: 32 });
        const { result } = convert(file, 'audio/wav', open);
        expect(heard.slice(0, count)).toEqual(values);
        expect(heard.slice(count).every((value) => value === 0)).toBe(true);
        expect(heard.length).toBeGreaterThanOrEqual(count + DELAY);
        expect(heard.length).toBeLessThan(count + DELAY + 960);
        expect(result).toMatchObject({ ok: true, durationMs: Math.round(count / 48) });
      }),
    );
  });

  it('lets others go first after every 20 ms of it', () => {
    const file = wav(sine(440, 8_000, 8_000), { rateHz: 8_000 });
    expect(convert(file, 'audio/wav', fakeCodec().open).pauses).toBeGreaterThanOrEqual(50);
  });

  it('that is none is refused before a codec is made', () => {
    const { result } = convert(Buffer.from('no WAV'), 'audio/wav', noCodec);
    expect(result).toMatchObject({ ok: false, reason: 'not-wav' });
  });
});

describe.each([8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 96_000, 192_000, 384_000])(
  'audio of %i Hz',
  (rateHz) => {
    const resampled = (values: readonly number[], piece: number): number[] => {
      const resampler = new Resampler(rateHz);
      const out: number[] = [];
      for (let at = 0; at < values.length; at += piece)
        out.push(...resampler.push(Float32Array.from(values.slice(at, at + piece))));
      return [...out, ...resampler.end()];
    };

    it('lasts as long at 48 kHz, keeps its tones and gets no others', () => {
      const values = sine(1_000, rateHz, rateHz / 5);
      const out = resampled(values, 441);
      expect(out).toHaveLength(Math.ceil((values.length * 48_000) / rateHz));
      // Whole turns, away from the ends.
      const middle = out.slice(960, 960 + 7_200);
      expect(amplitudeOf(1_000, 48_000, middle)).toBeCloseTo(0.5, 3);
      const power = middle.reduce((sum, value) => sum + value * value, 0) / middle.length;
      expect(Math.sqrt(2 * power)).toBeCloseTo(0.5, 3);
    });

    it('comes out the same however it is cut', () => {
      const values = sine(700, rateHz, 3_000);
      expect(resampled(values, 17)).toEqual(resampled(values, 3_000));
    });
  },
);

it('what 48 kHz cannot hold is gone, and not heard as something else', () => {
  const resampler = new Resampler(192_000);
  const values = Float32Array.from(sine(30_000, 192_000, 19_200));
  const out = [...resampler.push(values), ...resampler.end()].slice(500, 4_000);
  expect(Math.max(...out.map(Math.abs))).toBeLessThan(0.001);
});
