// Writes Ogg Opus files of one channel with 20 ms packets. Pure.
import { FRAME_SAMPLES } from './codec.ts';
import {
  CAPTURE_PATTERN,
  CRC_AT,
  FLAG_FIRST,
  FLAG_LAST,
  GRANULE_AT,
  joined,
  PAGE_HEADER_BYTES,
  pageChecksum,
  SEGMENT_BYTES_MAX,
  SEGMENTS_AT,
  SEQUENCE_AT,
  SERIAL_AT,
} from './ogg-page.ts';
import { RATE_HZ } from './opus-packet.ts';

/** Spec: RFC 7845 section 3, a page holds at most about a second. */
const PACKETS_PER_PAGE = 50;
/** Spec: RFC 3533 section 6, the segment table of a page. */
const SEGMENTS_MAX = 255;
/** A file has one stream, so its number tells nothing apart. */
const SERIAL = 1;
const VENDOR = 'Roomline';

/**
 * @param packets 20 ms each, at least one, 64 kB at most
 * @param preSkip samples at the beginning that a player leaves out, as the encoder delays the audio
 * @param samples of the audio itself; what the last packet plays beyond them is left out, too
 */
export function writeOggOpus(
  packets: readonly Uint8Array[],
  preSkip: number,
  samples: number,
): Uint8Array {
  const pages = [
    writePage(0, FLAG_FIRST, 0, [identification(preSkip)]),
    writePage(1, 0, 0, [comments()]),
  ];
  let done = 0;
  for (const group of groupsOf(packets)) {
    done += group.length;
    const isLast = done === packets.length;
    const granule = isLast ? preSkip + samples : done * FRAME_SAMPLES;
    pages.push(writePage(pages.length, isLast ? FLAG_LAST : 0, granule, group));
  }
  return joined(pages);
}

const segmentsOf = ({ length }: Uint8Array): number => Math.floor(length / SEGMENT_BYTES_MAX) + 1;

/** The packets of each page; none goes on over the end of one. */
function* groupsOf(packets: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let group: Uint8Array[] = [];
  let segments = 0;
  for (const packet of packets) {
    segments += segmentsOf(packet);
    if (group.length === PACKETS_PER_PAGE || segments > SEGMENTS_MAX) {
      yield group;
      group = [];
      segments = segmentsOf(packet);
    }
    group.push(packet);
  }
  yield group;
}

/** Spec: RFC 7845 section 5.1. */
function identification(preSkip: number): Uint8Array {
  const head = new Uint8Array(19);
  const view = new DataView(head.buffer);
  writeText(head, 0, 'OpusHead');
  view.setUint8(8, 1); // version
  view.setUint8(9, 1); // channels
  view.setUint16(10, preSkip, true);
  view.setUint32(12, RATE_HZ, true);
  return head;
}

/** Spec: RFC 7845 section 5.2: vendor, then no comments. */
function comments(): Uint8Array {
  const tags = new Uint8Array(8 + 4 + VENDOR.length + 4);
  writeText(tags, 0, 'OpusTags');
  new DataView(tags.buffer).setUint32(8, VENDOR.length, true);
  writeText(tags, 12, VENDOR);
  return tags;
}

/** Spec: RFC 3533 section 6. @param granule samples at 48 kHz up to the end of the last packet */
function writePage(
  sequence: number,
  flags: number,
  granule: number,
  packets: readonly Uint8Array[],
): Uint8Array {
  const table = packets.flatMap((packet) => [
    ...Array.from({ length: segmentsOf(packet) - 1 }, () => SEGMENT_BYTES_MAX),
    packet.length % SEGMENT_BYTES_MAX,
  ]);
  const page = joined([new Uint8Array(PAGE_HEADER_BYTES), Uint8Array.from(table), ...packets]);
  const view = new DataView(page.buffer);
  writeText(page, 0, CAPTURE_PATTERN);
  view.setUint8(5, flags);
  view.setBigUint64(GRANULE_AT, BigInt(granule), true);
  view.setUint32(SERIAL_AT, SERIAL, true);
  view.setUint32(SEQUENCE_AT, sequence, true);
  view.setUint8(SEGMENTS_AT, table.length);
  view.setUint32(CRC_AT, pageChecksum(page, 0, page.length), true);
  return page;
}

function writeText(bytes: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[at + index] = text.charCodeAt(index);
}
