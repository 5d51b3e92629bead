// What reading and writing Ogg pages share. Spec: RFC 3533 section 6. Pure.

/** The segment table follows these bytes. */
export const PAGE_HEADER_BYTES = 27;
export const CAPTURE_PATTERN = 'OggS';
export const FLAG_CONTINUED = 0x01;
export const FLAG_FIRST = 0x02;
export const FLAG_LAST = 0x04;
export const GRANULE_AT = 6;
export const SERIAL_AT = 14;
export const SEQUENCE_AT = 18;
export const CRC_AT = 22;
export const SEGMENTS_AT = 26;

/** A segment this long goes on in the next one. */
export const SEGMENT_BYTES_MAX = 255;

/** The polynomial of the checksum, which starts at zero and is not reflected. */
const CRC_POLYNOMIAL = 0x04c1_1db7;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++)
    value = (value << 1) ^ ((value & 0x8000_0000) === 0 ? 0 : CRC_POLYNOMIAL);
  return value;
});

/** Of the page from `start` to `end`, whose own checksum counts as zeros. */
export function pageChecksum(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const isOwn = at >= start + CRC_AT && at < start + CRC_AT + 4;
    const byte = isOwn ? 0 : (bytes[at] ?? 0);
    value = (value << 8) ^ (CRC_TABLE[(value >>> 24) ^ byte] ?? 0);
  }
  return value >>> 0;
}

export const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
