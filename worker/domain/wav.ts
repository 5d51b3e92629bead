// Reads WAV files: PCM of 8, 16, 24 and 32 bit, and float, one or two channels. Spec: Multimedia Programming Interface and Data
// Specifications 1.0 (RIFF, WAVE); WAVEFORMATEXTENSIBLE of Microsoft. Pure; never throws.
import { DURATION_S_MAX, failure, tooLong, type AudioFailure } from './audio-failure.ts';
import { textAt } from './ogg-page.ts';

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;
/** Where the sub-format begins in the extensible format; its first two bytes are one of the formats above. */
const SUB_FORMAT_AT = 24;

const RATE_HZ_MIN = 1_000;
const RATE_HZ_MAX = 384_000;

/** Programs that write to a pipe cannot go back to fill in the length, and write one that no file has. */
const LENGTH_UNKNOWN = 0x7fff_0000;

export interface Wav {
  readonly ok: true;
  readonly rateHz: number;
  /** Samples of each channel, at least one. */
  readonly samples: number;
  /** From `start`, `count` samples of -1 to 1, two channels as their mean; fewer at the end. */
  readonly read: (start: number, count: number) => Float32Array;
}

export function readWav(bytes: Uint8Array): Wav | AudioFailure {
  if (bytes.length === 0) return failure('empty', 'there is no file');
  if (textAt(bytes, 0, 4) !== 'RIFF' || textAt(bytes, 8, 4) !== 'WAVE')
    return failure('not-wav', 'the file is no WAV file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = textAt(bytes, at, 4);
    const length = view.getUint32(at + 4, true);
    const start = at + 8;
    if (name === 'fmt ') {
      const read = readFormat(bytes.subarray(start, start + length));
      if ('ok' in read) return read;
      format = read;
    }
    if (name === 'data') {
      if (!format) return failure('not-wav', 'the audio comes before its format');
      const end = length >= LENGTH_UNKNOWN ? bytes.length : start + length;
      if (end > bytes.length) return failure('truncated', 'the file ends before its audio does');
      return audioOf(format, new DataView(view.buffer, view.byteOffset + start, end - start));
    }
    // Chunks begin at even places.
    at = start + length + (length % 2);
  }
  return failure(format ? 'truncated' : 'not-wav', 'there is no audio in the file');
}

interface Format {
  readonly rateHz: number;
  readonly channels: 1 | 2;
  /** One sample, -1 to 1. */
  readonly sampleAt: (data: DataView, at: number) => number;
  readonly sampleBytes: number;
}

function readFormat(chunk: Uint8Array): Format | AudioFailure {
  if (chunk.length < 16) return failure('truncated', 'the format is cut off');
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let tag = view.getUint16(0, true);
  if (tag === FORMAT_EXTENSIBLE && chunk.length >= SUB_FORMAT_AT + 2)
    tag = view.getUint16(SUB_FORMAT_AT, true);
  const channels = view.getUint16(2, true);
  const rateHz = view.getUint32(4, true);
  const bits = view.getUint16(14, true);
  const sampleAt = READERS[`${tag}/${bits}`];
  if (!sampleAt) {
    const what = `format ${tag} with ${bits} bit`;
    return failure(
      'unsupported-wav',
      `${what}; taken are PCM of 8, 16, 24 and 32 bit and float of 32 and 64 bit`,
    );
  }
  if (channels !== 1 && channels !== 2)
    return failure('too-many-channels', `${channels} channels; one or two are taken`);
  if (rateHz < RATE_HZ_MIN || rateHz > RATE_HZ_MAX)
    return failure('unsupported-wav', `${rateHz} Hz; ${RATE_HZ_MIN} to ${RATE_HZ_MAX} are taken`);
  if (view.getUint16(12, true) !== (channels * bits) / 8)
    return failure('unsupported-wav', 'the length of its blocks does not fit the format');
  return { rateHz, channels, sampleAt, sampleBytes: bits / 8 };
}

/** A float may be anything. */
const bounded = (value: number): number => (value >= -1 ? Math.min(value, 1) : value < -1 ? -1 : 0);

const READERS: Readonly<Record<string, Format['sampleAt']>> = {
  // 8 bit is the only one without a sign.
  [`${FORMAT_PCM}/8`]: (data, at) => (data.getUint8(at) - 128) / 128,
  [`${FORMAT_PCM}/16`]: (data, at) => data.getInt16(at, true) / 0x8000,
  [`${FORMAT_PCM}/24`]: (data, at) =>
    (data.getInt16(at + 1, true) * 0x100 + data.getUint8(at)) / 0x80_0000,
  [`${FORMAT_PCM}/32`]: (data, at) => data.getInt32(at, true) / 0x8000_0000,
  [`${FORMAT_FLOAT}/32`]: (data, at) => bounded(data.getFloat32(at, true)),
  [`${FORMAT_FLOAT}/64`]: (data, at) => bounded(data.getFloat64(at, true)),
};

function audioOf(format: Format, data: DataView): Wav | AudioFailure {
  const { rateHz, channels, sampleAt, sampleBytes } = format;
  const blockBytes = channels * sampleBytes;
  const samples = Math.floor(data.byteLength / blockBytes);
  if (samples === 0) return failure('empty', 'there is no audio in the file');
  if (samples > DURATION_S_MAX * rateHz) return tooLong();
  const read = (start: number, count: number): Float32Array => {
    const mono = new Float32Array(Math.max(0, Math.min(count, samples - start)));
    for (let index = 0; index < mono.length; index++) {
      const at = (start + index) * blockBytes;
      const left = sampleAt(data, at);
      mono[index] = channels === 1 ? left : (left + sampleAt(data, at + sampleBytes)) / 2;
    }
    return mono;
  };
  return { ok: true, rateHz, samples, read };
}
