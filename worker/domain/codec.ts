// What converting audio needs of an Opus codec, at 48 kHz in one channel.

/** Samples of one 20 ms frame. */
export const FRAME_SAMPLES = 960;

export interface Encoder {
  /** By how many samples the decoded audio lags behind what was encoded. */
  readonly delaySamples: number;
  /** @param pcm `FRAME_SAMPLES` samples from -1 to 1 */
  readonly encode: (pcm: Float32Array) => Uint8Array;
}

export interface Decoder {
  /** @returns samples from -1 to 1, two channels as their mean; null for what is no Opus */
  readonly decode: (packet: Uint8Array) => Float32Array | null;
}

/** One conversion's codec; its memory goes with it. */
export interface Codec {
  readonly encoder: () => Encoder;
  /** @param gain in 1/256 dB, applied to what is decoded. Spec: RFC 7845 section 5.1, output gain. */
  readonly decoder: (gain: number) => Decoder;
}
