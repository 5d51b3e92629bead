// Writes a sound that repeats as the Ogg Opus files in relay/sounds/ are: what is loud at the end of a turn meets its beginning.
import { OpusEncoder } from './simulator/opus.ts';

export const SAMPLE_RATE_HZ = 48_000;
const FRAME_SAMPLES = 960;

const BITRATE = 20_000;
/** Samples by which libopus delays what it encodes. Spec: opus_encoder_ctl, OPUS_GET_LOOKAHEAD, 6.5 ms at 48 kHz. */
const PRE_SKIP = 312;

/** Spec: RFC 7845 section 3, a page holds at most about a second. */
const PACKETS_PER_PAGE = 50;

const FLAG_FIRST = 2;
const FLAG_LAST = 4;
const SERIAL = 1;

/**
 * The file's bytes, the same on every machine.
 *
 * @param loop 16-bit samples of one turn, a multiple of 20 ms
 */
export function loopFile(loop: Int16Array): Buffer {
  const packets = encodeLoop(loop);
  const pages = [
    writePage(0, FLAG_FIRST, 0, [identificationHeader()]),
    writePage(1, 0, 0, [commentHeader()]),
  ];
  for (let from = 0; from < packets.length; from += PACKETS_PER_PAGE) {
    const to = Math.min(from + PACKETS_PER_PAGE, packets.length);
    const flags = to === packets.length ? FLAG_LAST : 0;
    pages.push(writePage(pages.length, flags, to * FRAME_SAMPLES, packets.slice(from, to)));
  }
  return Buffer.concat(pages);
}

/** The second of two turns in a row: the encoder enters it as it leaves it, so that it joins up with itself. */
function encodeLoop(loop: Int16Array): Buffer[] {
  const encoder = new OpusEncoder(BITRATE);
  const packets: Buffer[] = [];
  for (let at = 0; at < 2 * loop.length; at += FRAME_SAMPLES) {
    const from = at % loop.length;
    packets.push(encoder.encode(loop.slice(from, from + FRAME_SAMPLES)));
  }
  encoder.close();
  return packets.slice(packets.length / 2);
}

/** Spec: RFC 7845 section 5.1. */
function identificationHeader(): Buffer {
  const head = Buffer.alloc(19);
  head.write('OpusHead', 0, 'ascii');
  head.writeUInt8(1, 8); // version
  head.writeUInt8(1, 9); // channels
  head.writeUInt16LE(PRE_SKIP, 10);
  head.writeUInt32LE(SAMPLE_RATE_HZ, 12);
  return head;
}

/** Spec: RFC 7845 section 5.2: vendor, then no comments. */
function commentHeader(): Buffer {
  const vendor = Buffer.from('Roomline');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(vendor.length);
  return Buffer.concat([Buffer.from('OpusTags'), length, vendor, Buffer.alloc(4)]);
}

/**
 * Spec: RFC 3533 section 6.
 *
 * @param granule samples at 48 kHz up to the end of the last packet
 * @param packets each shorter than 255 bytes, so that each is one segment
 */
function writePage(sequence: number, flags: number, granule: number, packets: Buffer[]): Buffer {
  const header = Buffer.alloc(27);
  header.write('OggS', 0, 'ascii');
  header.writeUInt8(flags, 5);
  header.writeBigUInt64LE(BigInt(granule), 6);
  header.writeUInt32LE(SERIAL, 14);
  header.writeUInt32LE(sequence, 18);
  header.writeUInt8(packets.length, 26);
  const segments = Buffer.from(packets.map(({ length }) => length));
  const page = Buffer.concat([header, segments, ...packets]);
  page.writeUInt32LE(checksum(page), 22);
  return page;
}

function checksum(page: Buffer): number {
  let value = 0;
  for (const byte of page) {
    value ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c1_1db7 : 0);
  }
  return value >>> 0;
}
