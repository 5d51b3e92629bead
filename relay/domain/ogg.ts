// Reads Ogg Opus files whose packets can be sent as they are: one stream of one or two channels. Pure.
import { opusTicks } from './opus.ts';
import type { Sound } from './player.ts';

/** Spec: RFC 3533 section 6, a page starts with these 27 bytes; the segment table follows. */
export const PAGE_HEADER_BYTES = 27;
const CAPTURE_PATTERN = 'OggS';
const FLAG_CONTINUED = 0x01;
export const FLAG_FIRST = 0x02;
export const FLAG_LAST = 0x04;
export const CRC_AT = 22;

/** Spec: RFC 3533 section 6, the polynomial of the checksum, which starts at zero and is not reflected. */
const CRC_POLYNOMIAL = 0x04c1_1db7;

/** A segment this long goes on in the next one. */
export const SEGMENT_BYTES_MAX = 255;

/** Longest sound in packets: 20 minutes of 20 ms. A packet costs memory beyond its bytes. */
export const PACKETS_MAX = 60_000;

export type OggFailure = { ok: false; message: string };
export type OggSound = { ok: true; packets: Sound };

export type OggPage = {
  readonly flags: number;
  readonly serial: number;
  readonly sequence: number;
  /** Samples that the file has played at the end of this page, pre-skip included. */
  readonly granule: number;
  readonly segments: Uint8Array;
  /** Where its body starts and ends in the file. */
  readonly start: number;
  readonly end: number;
};

/** Reads a file in one go; see `readOggOpusInSteps`. */
export function readOggOpus(bytes: Uint8Array): OggSound | OggFailure {
  const reading = readOggOpusInSteps(bytes);
  for (;;) {
    const step = reading.next();
    if (step.done) return step.value;
  }
}

/**
 * Reads a file. Stops after every page, at most 64 kB, so that whoever drives it can let others go first.
 *
 * What a player has to leave out (pre-skip at the start, padding at the end) is not: a receiver of RTP hears it as a few ms of
 * what the encoder made of silence.
 *
 * @returns its Opus packets in order, at least one; or what makes it unusable. Never throws.
 */
export function* readOggOpusInSteps(bytes: Uint8Array): Generator<void, OggSound | OggFailure> {
  const read = yield* readPackets(bytes);
  if (!read.ok) return read;
  const [head, tags, ...packets] = read.packets;
  const problem = head ? problemOfHead(head) : 'no packets';
  if (problem !== undefined) return failure(problem);
  if (!tags || textAt(tags, 0, 8) !== 'OpusTags') return failure('no comment header');
  if (packets.length === 0) return failure('no audio');
  const broken = packets.findIndex((packet) => opusTicks(packet, 0, packet.length) === 0);
  return broken < 0 ? { ok: true, packets } : failure(`audio packet ${broken + 1} is no Opus`);
}

/** Spec: RFC 7845 section 5.1. */
function problemOfHead(head: Uint8Array): string | undefined {
  const [version = 255, channels = 0] = head.subarray(8);
  if (head.length < 19 || textAt(head, 0, 8) !== 'OpusHead' || version >> 4 !== 0)
    return 'not Ogg Opus';
  if (head[18] !== 0 || channels < 1 || channels > 2) return 'more than two channels';
  if (head[16] !== 0 || head[17] !== 0) return 'an output gain that only a decoder could apply';
  return undefined;
}

/** Takes the pages apart. Spec: RFC 3533 section 6; a packet ends with the first segment shorter than 255 bytes. */
function* readPackets(
  bytes: Uint8Array,
): Generator<void, { ok: true; packets: Uint8Array[] } | OggFailure> {
  const packets: Uint8Array[] = [];
  let partial: Uint8Array[] = [];
  let serial = 0;
  for (let at = 0, number = 0; at < bytes.length; number++) {
    const page = readPage(bytes, at);
    if (typeof page === 'string') return failure(`page ${number + 1}: ${page}`);
    if (number === 0) serial = page.serial;
    if (page.serial !== serial || ((page.flags & FLAG_FIRST) !== 0) !== (number === 0))
      return failure(`page ${number + 1}: of another stream`);
    if (page.sequence !== number) return failure(`page ${number + 1}: out of order`);
    if (((page.flags & FLAG_CONTINUED) !== 0) !== partial.length > 0)
      return failure(`page ${number + 1}: does not go on where the page before ended`);
    let from = page.start;
    for (const length of page.segments) {
      partial.push(bytes.subarray(from, from + length));
      from += length;
      if (length === SEGMENT_BYTES_MAX) continue;
      packets.push(joined(partial));
      partial = [];
    }
    if (packets.length > PACKETS_MAX) return failure('too long');
    at = page.end;
    yield;
  }
  return partial.length > 0 ? failure('ends within a packet') : { ok: true, packets };
}

/** The page that starts at `at`, or what is wrong with it. */
export function readPage(bytes: Uint8Array, at: number): OggPage | string {
  if (textAt(bytes, at, 4) !== CAPTURE_PATTERN || bytes[at + 4] !== 0) return 'not an Ogg page';
  const tableEnd = at + PAGE_HEADER_BYTES + (bytes[at + 26] ?? 0);
  const segments = bytes.subarray(at + PAGE_HEADER_BYTES, tableEnd);
  let end = tableEnd;
  for (const length of segments) end += length;
  if (end > bytes.length) return 'cut off';
  if (uint32(bytes, at + CRC_AT) !== checksum(bytes, at, end)) return 'checksum is wrong';
  return {
    flags: bytes[at + 5] ?? 0,
    granule: uint32(bytes, at + 6) + uint32(bytes, at + 10) * 0x1_0000_0000,
    serial: uint32(bytes, at + 14),
    sequence: uint32(bytes, at + 18),
    segments,
    start: tableEnd,
    end,
  };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++)
    value = (value << 1) ^ ((value & 0x8000_0000) === 0 ? 0 : CRC_POLYNOMIAL);
  return value;
});

/** Of a page, whose own checksum counts as zeros. */
export function checksum(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const isOwn = at >= start + CRC_AT && at < start + CRC_AT + 4;
    const byte = isOwn ? 0 : (bytes[at] ?? 0);
    value = (value << 8) ^ (CRC_TABLE[(value >>> 24) ^ byte] ?? 0);
  }
  return value >>> 0;
}

/** Ogg is little-endian. */
const uint32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>>
  0;

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const failure = (message: string): OggFailure => ({ ok: false, message });
