import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AudioFailure } from '../../../../worker/domain/audio-failure.ts';
import { readWav } from '../../../../worker/domain/wav.ts';
import { chunk, wav, type WavFields } from './sounds.ts';

const samplesOf = (bytes: Uint8Array): number[] => {
  const read = readWav(bytes);
  if (!read.ok) throw new Error(read.message);
  return [...read.read(0, read.samples)];
};

const VALUES = [0, 0.5, -0.5, -1, 0.25];

it.each<WavFields>([
  { bits: 8 },
  { bits: 16 },
  { bits: 24 },
  { bits: 32 },
  { tag: 3, bits: 32 },
  { tag: 3, bits: 64 },
  { bits: 24, isExtensible: true },
  { tag: 3, bits: 32, isExtensible: true },
])('reads every sample of %o', (fields) => {
  expect(samplesOf(wav(VALUES, fields))).toEqual(VALUES);
});

it('takes the mean of two channels', () => {
  expect(samplesOf(wav([0.5, 0.25, -1, 1, 0, 0.5], { channels: 2, tag: 3, bits: 32 }))).toEqual([
    0.375, 0, 0.25,
  ]);
});

it('holds floats to what can be played', () => {
  const values = [2, -3, Infinity, -Infinity, NaN, 1];
  expect(samplesOf(wav(values, { tag: 3, bits: 32 }))).toEqual([1, -1, 1, -1, 0, 1]);
});

it('reads a piece, and less at the end', () => {
  const read = readWav(wav(VALUES));
  if (!read.ok) throw new Error(read.message);
  expect([...read.read(1, 2)]).toEqual([0.5, -0.5]);
  expect([...read.read(4, 2)]).toEqual([0.25]);
  expect([...read.read(5, 2)]).toEqual([]);
});

it('passes over other chunks, also of odd length, and over what follows the audio', () => {
  const between = Buffer.concat([
    chunk('LIST', Buffer.from('odd')),
    chunk('fact', Buffer.alloc(4)),
  ]);
  const bytes = Buffer.concat([wav(VALUES, { between }), chunk('id3 ', Buffer.from('more'))]);
  expect(samplesOf(bytes)).toEqual(VALUES);
});

it('takes a length that nobody filled in for the rest of the file', () => {
  expect(samplesOf(wav(VALUES, { dataLength: 0xffff_ffff }))).toEqual(VALUES);
});

const whole = wav(VALUES);

it.each<[what: string, bytes: Uint8Array, reason: AudioFailure['reason'], message: string]>([
  ['an empty file', new Uint8Array(0), 'empty', 'no file'],
  ['something else', Buffer.from('OggS and so on, at length'), 'not-wav', 'no WAV'],
  ['an AVI', Buffer.from('RIFF\x04\x00\x00\x00AVI LIST'), 'not-wav', 'no WAV'],
  ['a file that is cut off', whole.subarray(0, -2), 'truncated', 'before its audio does'],
  ['a file of headers', whole.subarray(0, 36), 'truncated', 'no audio'],
  ['a format that is cut off', whole.subarray(0, 30), 'truncated', 'format is cut off'],
  ['no chunk at all', whole.subarray(0, 12), 'not-wav', 'no audio'],
  ['no sample', wav([]), 'empty', 'no audio'],
  ['half a sample', wav([0], { bits: 8, dataLength: 1, channels: 2 }), 'empty', 'no audio'],
  ['A-law', wav([0], { tag: 6, bits: 8 }), 'unsupported-wav', 'format 6 with 8 bit'],
  ['12 bit', wav([0], { bits: 12 }), 'unsupported-wav', 'format 1 with 12 bit'],
  ['float of 16 bit', wav([0], { tag: 3, bits: 16 }), 'unsupported-wav', 'format 3 with 16 bit'],
  ['surround sound', wav([0, 0], { channels: 6 }), 'too-many-channels', '6 channels'],
  ['no channel', wav([0], { channels: 0 }), 'too-many-channels', '0 channels'],
  ['a rate of nothing', wav([0], { rateHz: 0 }), 'unsupported-wav', '0 Hz'],
  [
    'the audio before its format',
    Buffer.concat([Buffer.from('RIFF\x10\x00\x00\x00WAVE'), chunk('data', Buffer.alloc(8))]),
    'not-wav',
    'before its format',
  ],
  [
    'more than 10 minutes',
    wav(
      Array.from({ length: 600_001 }, () => 0),
      { bits: 8, rateHz: 1_000 },
    ),
    'too-long',
    '10 minutes',
  ],
])('refuses %s', (_what, bytes, reason, message) => {
  expect(readWav(bytes)).toEqual({
    ok: false,
    reason,
    message: expect.stringContaining(message),
  });
});

it('refuses blocks that are not what the format says', () => {
  const bytes = Buffer.from(whole);
  bytes.writeUInt16LE(4, 32);
  expect(readWav(bytes)).toMatchObject({ reason: 'unsupported-wav' });
});

it('whatever it is given, names a failure or gives samples of -1 to 1', () => {
  const formats = fc.constantFrom<WavFields>(
    { bits: 8 },
    { bits: 24, channels: 2 },
    { tag: 3, bits: 32 },
    { tag: 3, bits: 64, isExtensible: true },
  );
  const noise = fc.array(fc.record({ at: fc.nat(90), value: fc.nat(255) }), { maxLength: 4 });
  fc.assert(
    fc.property(formats, noise, fc.nat(200), (fields, changes, length) => {
      const bytes = Buffer.from(wav([...VALUES, 1], fields).subarray(0, length));
      for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
      const read = readWav(bytes);
      const samples = read.ok ? read.read(0, read.samples) : new Float32Array();
      expect(samples).toHaveLength(read.ok ? read.samples : 0);
      expect(samples.every((value) => value >= -1 && value <= 1)).toBe(true);
      if (!read.ok) expect(read.message).not.toBe('');
    }),
    { numRuns: 1_000 },
  );
});
