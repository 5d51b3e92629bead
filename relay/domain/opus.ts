// What can be told of an Opus packet without decoding it: how long it plays and, roughly, whether somebody speaks in it.

/** Spec: RFC 7587 section 4.1, the RTP clock of Opus is 48 kHz whatever the coded bandwidth. */
export const OPUS_TICKS_PER_MS = 48;

/** The frame that WhatsApp demands, in ms. */
export const FRAME_MS = 20;

/** RTP ticks of that frame. */
export const FRAME_TICKS = FRAME_MS * OPUS_TICKS_PER_MS;

/** Spec: RFC 6716 section 3.4 [R5], one packet plays at most 120 ms. */
const PACKET_TICKS_MAX = 120 * OPUS_TICKS_PER_MS;

/**
 * One 20 ms frame of silence. Spec: RFC 6716 section 3.1, `F8` is CELT fullband, 20 ms, mono, one frame; `FF FE` is what the
 * reference encoder writes into it for digital silence.
 */
export const SILENCE_FRAME: Uint8Array = Uint8Array.of(0xf8, 0xff, 0xfe);

/** Frame length in RTP ticks by the five configuration bits. Spec: RFC 6716 section 3.1, table 2. */
const FRAME_TICKS_BY_CONFIG = Uint16Array.from({ length: 32 }, (_, config) => {
  const silk = [10, 20, 40, 60];
  const celt = [2.5, 5, 10, 20];
  if (config < 12) return (silk[config % 4] ?? 0) * OPUS_TICKS_PER_MS;
  if (config < 16) return (config % 2 === 0 ? 10 : 20) * OPUS_TICKS_PER_MS;
  return (celt[config % 4] ?? 0) * OPUS_TICKS_PER_MS;
});

/**
 * How long an Opus packet plays.
 *
 * @param bytes holds the packet from `start` (inclusive) to `end` (exclusive)
 * @returns RTP ticks of 1/48000 s, 120 to 5760; 0 for bytes that are no Opus packet
 */
export function opusTicks(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  const toc = bytes[start] ?? 0;
  const frameTicks = FRAME_TICKS_BY_CONFIG[toc >> 3] ?? 0;
  // Spec: RFC 6716 section 3.2, code 0 is one frame, codes 1 and 2 are two, code 3 says how many in the next byte.
  const code = toc & 3;
  let frames = 1;
  if (code === 1 || code === 2) frames = 2;
  if (code === 3) frames = end - start < 2 ? 0 : (bytes[start + 1] ?? 0) & 0x3f;
  const ticks = frames * frameTicks;
  return ticks <= PACKET_TICKS_MAX ? ticks : 0;
}

/**
 * Whether an Opus packet is what WhatsApp demands, so that it may pass as it is: 20 ms, mono.
 * Spec: RFC 6716 section 3.1, bit 2 of the first byte says stereo.
 */
export const isPlain = (bytes: Uint8Array, start: number, end: number): boolean =>
  opusTicks(bytes, start, end) === FRAME_TICKS && ((bytes[start] ?? 0) & 4) === 0;

/**
 * Whether SILK has coded an Opus packet at 16 kHz, alone or below CELT.
 * Spec: RFC 6716 section 3.1, table 2, configurations 8 to 15; what comes before is narrower, what comes after is CELT alone.
 */
export function isWidebandSilk(bytes: Uint8Array, start: number): boolean {
  const config = (bytes[start] ?? 0) >> 3;
  return config >= 8 && config < 16;
}

/** Level of the RTP audio-level extension that stands for silence, in -dBov. Spec: RFC 6464 section 3. */
export const LEVEL_SILENT = 127;

/** Level reported for a packet in which somebody seems to speak, in -dBov: well above LiveKit's default threshold of 35. */
export const LEVEL_SPEECH = 20;

/** Up to this size a 20 ms packet carries DTX or digital silence whatever the encoder, in bytes. */
const SILENT_BYTES_MAX = 8;

/** A packet this far above the floor, relative to the span between floor and peak, counts as speech. */
const SPEECH_SPAN_SHARE = 0.3;

/** Below this ratio of peak to floor the sizes say nothing (constant bit rate) and every packet counts as speech. */
const VARIABLE_RATE_RATIO_MIN = 1.4;

/** How fast floor and peak forget, per packet: about 2 s to lose half of an outlier. */
const FORGET_PER_PACKET = 0.007;

/**
 * Estimates whether somebody speaks from packet sizes alone: a variable-rate encoder spends two to five times the bytes on
 * speech that it spends on background noise. It is an estimate: loud steady noise counts as speech, and of a constant-rate
 * stream every packet does. Good enough to show a caller as speaking; never used to drop audio.
 */
export class LevelEstimate {
  #floorBytes = 0;
  #peakBytes = 0;

  /** The sizes have differed enough lately to tell anything. */
  get isTelling(): boolean {
    return this.#peakBytes >= this.#floorBytes * VARIABLE_RATE_RATIO_MIN;
  }

  /** Takes one packet of `bytes` payload bytes; returns its level in -dBov, 0 (loudest) to 127 (silent). */
  level(bytes: number): number {
    if (bytes <= SILENT_BYTES_MAX) return LEVEL_SILENT;
    if (this.#peakBytes === 0) this.#floorBytes = this.#peakBytes = bytes;
    this.#floorBytes += bytes < this.#floorBytes ? bytes - this.#floorBytes : this.#spread();
    this.#peakBytes += bytes > this.#peakBytes ? bytes - this.#peakBytes : -this.#spread();
    if (!this.isTelling) return LEVEL_SPEECH;
    const threshold = this.#floorBytes + (this.#peakBytes - this.#floorBytes) * SPEECH_SPAN_SHARE;
    return bytes >= threshold ? LEVEL_SPEECH : LEVEL_SILENT;
  }

  #spread(): number {
    return (this.#peakBytes - this.#floorBytes) * FORGET_PER_PACKET;
  }
}
