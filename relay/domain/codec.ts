// What mixing needs of Opus, as interfaces: the adapter implements them, tests bring their own.

/**
 * Sound is mixed at this rate. Provider: the SDP of WhatsApp asks for nothing above 16 kHz (maxplaybackrate, sprop-maxcapturerate),
 * and decoding and encoding at a third of 48 kHz cost about half.
 */
export const MIX_RATE_HZ = 16_000;

/** Samples of one 20 ms frame. */
export const FRAME_SAMPLES = MIX_RATE_HZ / 50;

/** RTP ticks per sample of the mix. */
export const TICKS_PER_SAMPLE = 48_000 / MIX_RATE_HZ;

/** Decodes one source to mono at `MIX_RATE_HZ`, 1 for full scale. */
export type Decoder = {
  /** @returns as many samples as the packet plays, or `undefined` when it cannot be decoded */
  decode: (packet: Uint8Array) => Float32Array | undefined;
  /**
   * Makes up what a lost packet held.
   *
   * @param samples how much, a multiple of 2.5 ms up to 120 ms
   * @param next the packet after the loss: its in-band FEC is used if it has any
   */
  conceal: (samples: number, next: Uint8Array | undefined) => Float32Array;
  /** Nothing may be called afterwards. */
  free: () => void;
};

/** Encodes one mix as WhatsApp wants it. */
export type Encoder = {
  /** By how many samples what comes out lags behind what went in. */
  readonly delaySamples: number;
  /**
   * @param pcm one frame, -1 to 1
   * @param isFirst the receiver's decoder knows nothing of the frames before: this one must not refer to them
   */
  encode: (pcm: Float32Array, isFirst: boolean) => Uint8Array;
  /** Nothing may be called afterwards. */
  free: () => void;
};

/** Makes codecs. Both return `undefined` when none is ready at this moment: ask again with the next frame. */
export type Codec = {
  decoder: () => Decoder | undefined;
  encoder: () => Encoder | undefined;
};
