// Makes relay/sounds/hold.ogg, what a caller hears while the room is away. Run it after a change: the file is committed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OpusEncoder } from './simulator/opus.ts';

const SAMPLE_RATE_HZ = 48_000;
const FRAME_SAMPLES = 960;

/** Three soft notes of a chord, then rest until the loop begins again: nothing sounds where its ends meet. */
const NOTES = [
  { atS: 0, hz: 523.25 },
  { atS: 0.5, hz: 659.25 },
  { atS: 1, hz: 783.99 },
] as const;
const LOOP_S = 4;
/** Of one note, in 16-bit units: 24 dB below full scale, softer than a voice. */
const AMPLITUDE = 2_000;
const ATTACK_S = 0.04;
const DECAY_PER_S = 2.5;
const OVERTONE_SHARE = 0.2;

const BITRATE = 20_000;
/** Samples by which libopus delays what it encodes. Spec: opus_encoder_ctl, OPUS_GET_LOOKAHEAD, 6.5 ms at 48 kHz. */
const PRE_SKIP = 312;

/** Spec: RFC 7845 section 3, a page holds at most about a second. */
const PACKETS_PER_PAGE = 50;

const FLAG_FIRST = 2;
const FLAG_LAST = 4;
const SERIAL = 1;

/** The file's bytes, the same on every machine. */
export function makeHoldSound(): Buffer {
  const packets = encodeLoop(loopSamples());
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

/** One turn of the loop; what a note still sounds at its end is less than one unit. */
function loopSamples(): Int16Array {
  return Int16Array.from({ length: LOOP_S * SAMPLE_RATE_HZ }, (_, index) => {
    let sum = 0;
    for (const { atS, hz } of NOTES) {
      const sinceS = index / SAMPLE_RATE_HZ - atS;
      if (sinceS < 0) continue;
      const turn = 2 * Math.PI * hz * sinceS;
      const loudness = Math.min(1, sinceS / ATTACK_S) * Math.exp(-DECAY_PER_S * sinceS);
      sum += loudness * (Math.sin(turn) + OVERTONE_SHARE * Math.sin(2 * turn));
    }
    return Math.round(AMPLITUDE * sum);
  });
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

if (import.meta.main)
  writeFileSync(join(import.meta.dirname, '../../relay/sounds/hold.ogg'), makeHoldSound());
