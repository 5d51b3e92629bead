// Opus by libopus as WebAssembly; `npm start` and deployment take the module out of its package (test/local/opus-wasm.ts).
import type { Codec } from '../domain/codec.ts';
import { FRAME_SAMPLES } from '../domain/codec.ts';
import opusModule from './opus.wasm';

/** Spec: opus_defines.h of libopus 1.6. */
const APPLICATION_AUDIO = 2049;
const BANDWIDTH_WIDEBAND = 1103;
const SET_BITRATE = 4002;
const SET_MAX_BANDWIDTH = 4004;
const SET_COMPLEXITY = 4010;
const SET_GAIN = 4034;

const RATE_HZ = 48_000;
/** Provider: what WhatsApp's SDP asks for, maxaveragebitrate=20000 and maxplaybackrate=16000. */
const BITS_PER_SECOND = 20_000;
const COMPLEXITY = 5;
/** Spec: RFC 6716 section 3.4 [R5], one packet plays at most 120 ms. */
const PACKET_SAMPLES_MAX = 5_760;
/** Spec: opus_encode, libopus 1.6: 4000 bytes are recommended as the most for one packet. */
const PACKET_BYTES_MAX = 4_000;
/** Spec: RFC 6716 section 3.4 [R2]: 48 frames of 1275 bytes and the bytes that say so. */
const READ_BYTES_MAX = 61_298;
const FLOAT_BYTES = 4;

interface LibOpus {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  malloc(bytes: number): number;
  oc_create_encoder(rateHz: number, channels: number, application: number, error: number): number;
  oc_encoder_ctl(encoder: number, request: number, value: number): number;
  oc_encoder_ctl_get_lookahead(encoder: number): number;
  oc_encode_float(encoder: number, pcm: number, samples: number, to: number, max: number): number;
  oc_create_decoder(rateHz: number, channels: number, error: number): number;
  oc_decoder_ctl(decoder: number, request: number, value: number): number;
  oc_decode_float(
    decoder: number,
    packet: number,
    bytes: number,
    pcm: number,
    samples: number,
    fec: number,
  ): number;
}

/**
 * A codec with 17 MB of memory of its own, which it gives back when it is forgotten.
 *
 * @throws Error when libopus refuses what it should not: a programming error, not bad input
 */
export function openOpus(): Codec {
  const lib = instantiate();
  const pcm = lib.malloc(PACKET_SAMPLES_MAX * FLOAT_BYTES);
  const packet = lib.malloc(READ_BYTES_MAX);
  const error = lib.malloc(4);
  const bytes = () => new Uint8Array(lib.memory.buffer);
  const samples = () => new Float32Array(lib.memory.buffer, pcm, PACKET_SAMPLES_MAX);
  return {
    encoder: () => {
      const encoder = made(lib.oc_create_encoder(RATE_HZ, 1, APPLICATION_AUDIO, error));
      check(lib.oc_encoder_ctl(encoder, SET_BITRATE, BITS_PER_SECOND));
      check(lib.oc_encoder_ctl(encoder, SET_MAX_BANDWIDTH, BANDWIDTH_WIDEBAND));
      check(lib.oc_encoder_ctl(encoder, SET_COMPLEXITY, COMPLEXITY));
      return {
        delaySamples: check(lib.oc_encoder_ctl_get_lookahead(encoder)),
        encode: (frame) => {
          samples().set(frame);
          const length = lib.oc_encode_float(encoder, pcm, FRAME_SAMPLES, packet, PACKET_BYTES_MAX);
          return bytes().slice(packet, packet + check(length));
        },
      };
    },
    decoder: (gain) => {
      const decoder = made(lib.oc_create_decoder(RATE_HZ, 1, error));
      check(lib.oc_decoder_ctl(decoder, SET_GAIN, gain));
      return {
        decode: (from) => {
          if (from.length > READ_BYTES_MAX) return null;
          bytes().set(from, packet);
          const { length } = from;
          const count = lib.oc_decode_float(decoder, packet, length, pcm, PACKET_SAMPLES_MAX, 0);
          return count > 0 ? samples().slice(0, count) : null;
        },
      };
    },
  };
}

/** Its imports are for growing memory, printing and exiting, of which none happens here. */
function instantiate(): LibOpus {
  const imports: Record<string, Record<string, () => never>> = {};
  for (const { module, name } of WebAssembly.Module.imports(opusModule)) {
    (imports[module] ??= {})[name] = () => {
      throw new Error(`libopus asks for ${name}`);
    };
  }
  const lib = new WebAssembly.Instance(opusModule, imports).exports as unknown as LibOpus;
  lib._initialize();
  return lib;
}

function made(pointer: number): number {
  if (pointer === 0) throw new Error('libopus has no memory left');
  return pointer;
}

function check(result: number): number {
  if (result < 0) throw new Error(`libopus: error ${result}`);
  return result;
}
