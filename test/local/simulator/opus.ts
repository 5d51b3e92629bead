// The Opus codec of the simulator: libopus as WebAssembly, driven through its low-level interface. The package's own class
// computes the addresses of its 16-bit buffers in the wrong unit, which damages memory once several codecs exist.
import { createRequire } from 'node:module';

/** Samples of one 20 ms frame at 48 kHz, which is also its step on the RTP clock. Spec: RFC 7587 section 4.1. */
export const FRAME_TICKS = 960;

type Handler = {
  _encode(pcm: number, pcmBytes: number, packet: number, samples: number): number;
  _decode(packet: number, packetBytes: number, pcm: number): number;
  _encoder_ctl(request: number, value: number): number;
  delete(): void;
};
type LibOpus = {
  readonly ready: Promise<unknown>;
  readonly HEAPU8: Uint8Array;
  readonly HEAPU16: Uint16Array;
  _malloc(bytes: number): number;
  OpusScriptHandler: new (sampleRateHz: number, channels: number, application: number) => Handler;
};

const load = createRequire(import.meta.url)(
  'opusscript/build/opusscript_native_wasm.js',
) as () => LibOpus;
const library = load();
await library.ready;

// Everything is synchronous, so one buffer of each kind serves all codecs. 5760 samples is the longest Opus frame at 48 kHz.
// Observed: the interface takes and gives PCM with every *byte* widened to a 16-bit element, low byte first.
const PACKET_BYTES_MAX = 4000;
const pcmAddress = library._malloc(5760 * 2 * 2);
const packetAddress = library._malloc(PACKET_BYTES_MAX);

const APPLICATION_VOIP = 2048;
// Spec: opus_defines.h of libopus 1.x: numbers of the encoder's settings.
const SET_BITRATE = 4002;
const SET_INBAND_FEC = 4012;

/** Encodes mono 48 kHz speech in 20 ms frames at 20 kbit/s, the rate that Meta's offer asks for. */
export class OpusEncoder {
  readonly #handler = new library.OpusScriptHandler(48_000, 1, APPLICATION_VOIP);

  constructor(bitrate = 20_000) {
    this.#handler._encoder_ctl(SET_BITRATE, bitrate);
    this.#handler._encoder_ctl(SET_INBAND_FEC, 1);
  }

  /** @param pcm 960 samples */
  encode(pcm: Int16Array): Buffer {
    library.HEAPU16.set(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength), pcmAddress / 2);
    const length = this.#handler._encode(pcmAddress, pcm.byteLength, packetAddress, pcm.length);
    if (length < 0) throw new Error(`Opus cannot encode this frame: error ${length}`);
    return Buffer.from(library.HEAPU8.subarray(packetAddress, packetAddress + length));
  }

  close(): void {
    this.#handler.delete();
  }
}

/** Decodes to mono at 16 kHz: WhatsApp's audio is wideband, and half the rate is a third of the work. */
export class OpusDecoder {
  static readonly sampleRateHz = 16_000;
  readonly #handler = new library.OpusScriptHandler(OpusDecoder.sampleRateHz, 1, APPLICATION_VOIP);

  /** @returns samples that own their memory, or undefined when the packet is not Opus */
  decode(packet: Buffer): Int16Array | undefined {
    if (packet.length === 0 || packet.length > PACKET_BYTES_MAX) return undefined;
    library.HEAPU8.set(packet, packetAddress);
    const samples = this.#handler._decode(packetAddress, packet.length, pcmAddress);
    if (samples < 0) return undefined;
    const bytes = library.HEAPU16.subarray(pcmAddress / 2, pcmAddress / 2 + samples * 2);
    return new Int16Array(Uint8Array.from(bytes).buffer);
  }

  close(): void {
    this.#handler.delete();
  }
}

/** Samples per frame at 48 kHz by the configuration number in the first byte. Spec: RFC 6716 section 3.1, table 2. */
const FRAME_SAMPLES = [480, 960, 1920, 2880] as const;

/**
 * How long a packet plays, in ms.
 *
 * @returns undefined for an empty packet or a frame count that the packet does not hold
 */
export function opusPacketMs(packet: Buffer): number | undefined {
  const toc = packet[0];
  if (toc === undefined) return undefined;
  const configuration = toc >> 3;
  const samples =
    configuration < 12
      ? (FRAME_SAMPLES[configuration & 3] ?? 0)
      : configuration < 16
        ? 480 << (configuration & 1)
        : 120 << (configuration & 3);
  const code = toc & 3;
  const frames = code === 0 ? 1 : code === 3 ? (packet[1] ?? -1) & 63 : 2;
  return packet.length < 2 && code === 3 ? undefined : (samples * frames) / 48;
}
