// Reads Ogg Opus files of one stream with one or two channels. Pure; never throws, and takes time and memory in proportion to
// the file at most.
import { DURATION_S_MAX, failure, tooLong, type AudioFailure } from './audio-failure.ts';
import {
  CAPTURE_PATTERN,
  CRC_AT,
  FLAG_CONTINUED,
  FLAG_FIRST,
  joined,
  PAGE_HEADER_BYTES,
  pageChecksum,
  SEGMENT_BYTES_MAX,
  SEGMENTS_AT,
  SEQUENCE_AT,
  SERIAL_AT,
  textAt,
} from './ogg-page.ts';
import { packetSamples, RATE_HZ } from './opus-packet.ts';

/** What an encoder adds at the ends does not count as longer: less than one packet of 120 ms. */
const ADDED_SAMPLES_MAX = 5_760;

/** Spec: RFC 7845 section 5.1. */
export interface OpusHead {
  readonly channels: 1 | 2;
  /** Samples at 48 kHz that a player leaves out at the beginning. */
  readonly preSkip: number;
  /** In 1/256 dB. */
  readonly gain: number;
}

export interface OggOpus {
  readonly ok: true;
  readonly head: OpusHead;
  /** Opus packets in order, at least one; parts of the file where they are whole there. */
  readonly packets: readonly Uint8Array[];
  /** How long they play together, at 48 kHz. */
  readonly samples: number;
}

export function readOggOpus(bytes: Uint8Array): OggOpus | AudioFailure {
  if (bytes.length === 0) return failure('empty', 'there is no file');
  const packets: Uint8Array[] = [];
  let head: OpusHead | undefined;
  let samples = 0;
  let number = 0;
  for (const packet of packetsOf(bytes)) {
    if (!(packet instanceof Uint8Array)) return packet;
    number += 1;
    if (number === 1) {
      const read = readHead(packet);
      if ('ok' in read) return read;
      head = read;
    } else if (number === 2) {
      if (textAt(packet, 0, 8) !== 'OpusTags') return failure('not-opus', 'no comment header');
    } else {
      const plays = packetSamples(packet);
      if (plays === 0) return failure('not-opus', `audio packet ${number - 2} is no Opus`);
      samples += plays;
      if (samples > DURATION_S_MAX * RATE_HZ + ADDED_SAMPLES_MAX) return tooLong();
      packets.push(packet);
    }
  }
  if (!head || packets.length === 0) return failure('empty', 'there is no audio in the file');
  return { ok: true, head, packets, samples };
}

function readHead(packet: Uint8Array): OpusHead | AudioFailure {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  // Spec: RFC 7845 section 5.1, readers accept every minor version of major version 0.
  if (packet.length < 19 || textAt(packet, 0, 8) !== 'OpusHead' || view.getUint8(8) >> 4 !== 0)
    return failure('not-opus', 'the stream is of another codec than Opus');
  const channels = view.getUint8(9);
  if (view.getUint8(18) !== 0 || (channels !== 1 && channels !== 2))
    return failure('too-many-channels', 'one or two channels are taken');
  return { channels, preSkip: view.getUint16(10, true), gain: view.getInt16(16, true) };
}

/** A packet ends with the first segment shorter than 255 bytes. Ends with a failure if there is one. */
function* packetsOf(bytes: Uint8Array): Generator<Uint8Array | AudioFailure> {
  let partial: Uint8Array[] = [];
  let serial = 0;
  for (let at = 0, number = 0; at < bytes.length; number++) {
    const page = readPage(bytes, at, number);
    if ('ok' in page) return yield page;
    if (number === 0) serial = page.serial;
    const where = `page ${number + 1}`;
    const isFirst = (page.flags & FLAG_FIRST) !== 0;
    if (page.serial !== serial || isFirst !== (number === 0))
      return yield failure('bad-order', `${where} belongs to another stream`);
    if (page.sequence !== number) return yield failure('bad-order', `${where} is out of order`);
    if (((page.flags & FLAG_CONTINUED) !== 0) !== partial.length > 0)
      return yield failure('bad-order', `${where} does not go on where the page before ended`);
    let from = page.start;
    for (const length of page.segments) {
      partial.push(bytes.subarray(from, from + length));
      from += length;
      if (length === SEGMENT_BYTES_MAX) continue;
      yield partial.length === 1 ? bytes.subarray(from - length, from) : joined(partial);
      partial = [];
    }
    at = page.end;
  }
  if (partial.length > 0) yield failure('truncated', 'the file ends within a packet');
}

interface Page {
  readonly flags: number;
  readonly serial: number;
  readonly sequence: number;
  readonly segments: Uint8Array;
  /** Where its body starts and ends in the file. */
  readonly start: number;
  readonly end: number;
}

function readPage(bytes: Uint8Array, at: number, number: number): Page | AudioFailure {
  const where = `page ${number + 1}`;
  const pattern = textAt(bytes, at, CAPTURE_PATTERN.length);
  if (!CAPTURE_PATTERN.startsWith(pattern)) return failure('not-ogg', `${where} is no Ogg page`);
  const tableAt = at + PAGE_HEADER_BYTES;
  const start = tableAt + (bytes[at + SEGMENTS_AT] ?? 0);
  const segments = bytes.subarray(tableAt, start);
  const end = segments.reduce((sum, length) => sum + length, start);
  if (tableAt > bytes.length || end > bytes.length)
    return failure('truncated', `${where} is cut off`);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, PAGE_HEADER_BYTES);
  if (view.getUint8(4) !== 0) return failure('not-ogg', `${where} is of a later version of Ogg`);
  if (view.getUint32(CRC_AT, true) !== pageChecksum(bytes, at, end))
    return failure('bad-checksum', `the checksum of ${where} is wrong`);
  return {
    flags: view.getUint8(5),
    serial: view.getUint32(SERIAL_AT, true),
    sequence: view.getUint32(SEQUENCE_AT, true),
    segments,
    start,
    end,
  };
}
