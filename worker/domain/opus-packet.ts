// What the first bytes of an Opus packet tell. Pure.

/** Spec: RFC 7845 section 4, time in Ogg Opus counts samples of 48 kHz whatever was encoded. */
export const RATE_HZ = 48_000;

/** Spec: RFC 6716 section 3.4 [R5], one packet plays at most 120 ms. */
const PACKET_SAMPLES_MAX = 5_760;

/** Samples of one frame by the last bits of the configuration. Spec: RFC 6716 section 3.1, table 2. */
const SILK_SAMPLES = [480, 960, 1_920, 2_880] as const;

/**
 * How long a packet plays.
 *
 * @returns samples at 48 kHz, 120 to 5760; 0 for bytes that are no Opus packet
 */
export function packetSamples(packet: Uint8Array): number {
  const [toc, second] = packet;
  if (toc === undefined) return 0;
  const config = toc >> 3;
  let samples: number = SILK_SAMPLES[config & 3] ?? 0;
  if (config >= 16) samples = 120 << (config & 3);
  else if (config >= 12) samples = 480 << (config & 1);
  // Spec: RFC 6716 section 3.2, code 0 is one frame, codes 1 and 2 are two, code 3 says how many in the next byte.
  const code = toc & 3;
  const frames = code === 0 ? 1 : code === 3 ? (second ?? 0) & 0x3f : 2;
  return samples * frames <= PACKET_SAMPLES_MAX ? samples * frames : 0;
}

/** Spec: RFC 6716 section 3.1, bit `s`. */
export const isStereo = (packet: Uint8Array): boolean => ((packet[0] ?? 0) & 4) !== 0;
