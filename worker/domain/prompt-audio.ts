// Makes of a sound file what relays can send to callers as it is: Ogg Opus of one channel in packets of 20 ms. Pure.
import { failure, type AudioFailure } from './audio-failure.ts';
import { FRAME_SAMPLES, type Codec, type Encoder } from './codec.ts';
import { readOggOpus, type OggOpus } from './ogg-read.ts';
import { writeOggOpus } from './ogg-write.ts';
import { isStereo, packetSamples, RATE_HZ } from './opus-packet.ts';
import { Resampler } from './resample.ts';
import { readWav, type Wav } from './wav.ts';

/** Largest file that is taken. */
export const PROMPT_BYTES_MAX = 10 * 1024 * 1024;

/** A packet up to this size fits into one UDP packet on any way to the provider. */
const PACKET_BYTES_MAX = 1_000;

export const SOUND_TYPES = ['audio/ogg', 'audio/wav'] as const;
export type SoundType = (typeof SOUND_TYPES)[number];

export interface PromptAudio {
  readonly ok: true;
  readonly bytes: Uint8Array;
  readonly durationMs: number;
}

/**
 * Converts a file, unless it is as it should be already: then it stays as it is, byte for byte.
 *
 * Stops after every 20 ms of audio, so that whoever drives it can let others go first.
 *
 * @param openCodec called only if there is something to convert
 */
export function* promptAudioOf(
  file: Uint8Array,
  type: SoundType,
  openCodec: () => Codec,
): Generator<void, PromptAudio | AudioFailure> {
  if (type === 'audio/wav') {
    const wav = readWav(file);
    return wav.ok ? yield* encoded(openCodec().encoder(), samplesOfWav(wav)) : wav;
  }
  const ogg = readOggOpus(file);
  if (!ogg.ok) return ogg;
  if (isSendable(ogg)) return { ok: true, bytes: file, durationMs: msOf(ogg.samples) };
  const codec = openCodec();
  return yield* encoded(codec.encoder(), samplesOfOgg(ogg, codec));
}

const msOf = (samples: number): number => Math.round((samples * 1_000) / RATE_HZ);

const isSendable = ({ head, packets }: OggOpus): boolean =>
  head.channels === 1 &&
  head.gain === 0 &&
  packets.every(
    (packet) =>
      packetSamples(packet) === FRAME_SAMPLES &&
      !isStereo(packet) &&
      packet.length <= PACKET_BYTES_MAX,
  );

/** A piece of audio at 48 kHz. */
type Pieces = Generator<Float32Array, AudioFailure | undefined>;

function* samplesOfWav(wav: Wav): Pieces {
  // 20 ms of the source.
  const step = Math.ceil(wav.rateHz / 50);
  const resampler = wav.rateHz === RATE_HZ ? null : new Resampler(wav.rateHz);
  for (let at = 0; at < wav.samples; at += step) {
    const piece = wav.read(at, step);
    yield resampler ? resampler.push(piece) : piece;
  }
  if (resampler) yield resampler.end();
  return undefined;
}

function* samplesOfOgg({ head, packets }: OggOpus, codec: Codec): Pieces {
  const decoder = codec.decoder(head.gain);
  let skip = head.preSkip;
  for (const [index, packet] of packets.entries()) {
    const piece = decoder.decode(packet);
    if (!piece) return failure('not-opus', `audio packet ${index + 1} is no Opus`);
    yield piece.subarray(Math.min(skip, piece.length));
    skip = Math.max(0, skip - piece.length);
  }
  return undefined;
}

function* encoded(encoder: Encoder, pieces: Pieces): Generator<void, PromptAudio | AudioFailure> {
  const packets: Uint8Array[] = [];
  let samples = 0;
  const frame = new Float32Array(FRAME_SAMPLES);
  let filled = 0;
  const add = (piece: Float32Array): void => {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + FRAME_SAMPLES - filled);
      frame.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < FRAME_SAMPLES) return;
      packets.push(encoder.encode(frame));
      filled = 0;
    }
  };
  for (;;) {
    const next = pieces.next();
    if (next.done) {
      if (next.value) return next.value;
      break;
    }
    samples += next.value.length;
    add(next.value);
    yield;
  }
  if (samples === 0) return failure('empty', 'there is no audio in the file');
  // What the encoder still holds back comes out with the silence after the end.
  const missing = encoder.delaySamples + samples - packets.length * FRAME_SAMPLES - filled;
  add(new Float32Array(Math.max(0, missing)));
  if (filled > 0) add(new Float32Array(FRAME_SAMPLES - filled));
  const bytes = writeOggOpus(packets, encoder.delaySamples, samples);
  return { ok: true, bytes, durationMs: msOf(samples) };
}
