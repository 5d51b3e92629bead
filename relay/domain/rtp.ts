// RTP packets: reading the header and writing one. No state, no allocation per packet.

/** Spec: RFC 3550 section 5.1. */
export const RTP_HEADER_BYTES = 12;

/** The header of one packet, filled in by `readRtp`; one object serves a whole stream. */
export type RtpView = {
  payloadType: number;
  marker: boolean;
  /** 0 to 65535. */
  sequence: number;
  /** 0 to 2^32 - 1, in ticks of the payload's clock. */
  timestamp: number;
  ssrc: number;
  /** The payload without padding is `bytes.subarray(payloadStart, payloadEnd)`; it may be empty. */
  payloadStart: number;
  payloadEnd: number;
  /** RFC 6464 level in -dBov, 0 (loudest) to 127; -1 when the packet does not carry one. */
  audioLevel: number;
};

/** A view to read into. */
export const emptyRtpView = (): RtpView => ({
  payloadType: 0,
  marker: false,
  sequence: 0,
  timestamp: 0,
  ssrc: 0,
  payloadStart: 0,
  payloadEnd: 0,
  audioLevel: -1,
});

/**
 * Tells RTCP from RTP where both share a port.
 * Spec: RFC 5761 section 4, RTCP packet types 64-95 modulo 128 are not used as RTP payload types.
 */
export const isRtcp = (bytes: Uint8Array): boolean => {
  const type = (bytes[1] ?? 0) & 0x7f;
  return type >= 64 && type <= 95;
};

/** Reads a number of 16 bits in network byte order at `at`; bytes beyond the end count as 0. */
export const readUint16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** The same of 32 bits, 0 to 2^32 - 1. */
export const readUint32 = (bytes: Uint8Array, at: number): number =>
  readUint16(bytes, at) * 0x10000 + readUint16(bytes, at + 2);

/**
 * Reads a packet's header.
 *
 * @param audioLevelId negotiated id of the RFC 6464 extension, 1 to 14; 0 when there is none
 * @returns false for bytes that are no RTP packet; `view` is then undefined
 */
export function readRtp(bytes: Uint8Array, audioLevelId: number, view: RtpView): boolean {
  const first = bytes[0] ?? 0;
  if (bytes.length < RTP_HEADER_BYTES || first >> 6 !== 2) return false;
  const second = bytes[1] ?? 0;
  view.marker = second >= 0x80;
  view.payloadType = second & 0x7f;
  view.sequence = readUint16(bytes, 2);
  view.timestamp = readUint32(bytes, 4);
  view.ssrc = readUint32(bytes, 8);
  view.audioLevel = -1;
  let at = RTP_HEADER_BYTES + 4 * (first & 0x0f);
  if ((first & 0x10) !== 0) {
    if (bytes.length < at + 4) return false;
    const end = at + 4 + 4 * readUint16(bytes, at + 2);
    if (bytes.length < end) return false;
    // Spec: RFC 8285 section 4.2, 0xBEDE marks the one-byte form.
    if (audioLevelId > 0 && readUint16(bytes, at) === 0xbede) {
      view.audioLevel = findAudioLevel(bytes, at + 4, end, audioLevelId);
    }
    at = end;
  }
  const padding = (first & 0x20) !== 0 ? (bytes[bytes.length - 1] ?? 0) : 0;
  view.payloadStart = at;
  view.payloadEnd = bytes.length - padding;
  return view.payloadEnd >= at;
}

/** Spec: RFC 8285 section 4.2 for the elements, RFC 6464 section 3 for the level in the low seven bits. */
function findAudioLevel(bytes: Uint8Array, start: number, end: number, id: number): number {
  for (let at = start; at < end;) {
    const head = bytes[at] ?? 0;
    if (head === 0) {
      at += 1;
      continue;
    }
    if (head >> 4 === 15) return -1;
    if (head >> 4 === id) return at + 1 < end ? (bytes[at + 1] ?? 0) & 0x7f : -1;
    at += 2 + (head & 0x0f);
  }
  return -1;
}

/** Bytes that `writeRtpHeader` needs in front of the payload when it writes an audio level. */
export const RTP_HEADER_WITH_LEVEL_BYTES = 20;

/**
 * Writes a header at the start of `into`; the payload follows at the returned offset.
 *
 * @param audioLevelId id of the RFC 6464 extension to write, 0 for none
 * @param audioLevel in -dBov, 0 to 127
 * @returns the header's length: 12 bytes, or 20 with an audio level
 */
export function writeRtpHeader(
  into: Uint8Array,
  payloadType: number,
  marker: boolean,
  sequence: number,
  timestamp: number,
  ssrc: number,
  audioLevelId: number,
  audioLevel: number,
): number {
  into[0] = audioLevelId > 0 ? 0x90 : 0x80;
  into[1] = (marker ? 0x80 : 0) | payloadType;
  into[2] = sequence >> 8;
  into[3] = sequence;
  writeUint32(into, 4, timestamp);
  writeUint32(into, 8, ssrc);
  if (audioLevelId === 0) return RTP_HEADER_BYTES;
  into[12] = 0xbe;
  into[13] = 0xde;
  into[14] = 0;
  into[15] = 1;
  into[16] = audioLevelId << 4;
  // Spec: RFC 6464 section 3, the top bit is the voice-activity flag; it stays clear because nothing was decoded.
  into[17] = audioLevel & 0x7f;
  into[18] = 0;
  into[19] = 0;
  return RTP_HEADER_WITH_LEVEL_BYTES;
}

/** Writes `value` (0 to 2^32 - 1) in network byte order at `at`. */
export function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
