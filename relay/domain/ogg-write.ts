// Writes Ogg Opus files of two voices: pages of a second, each finished with its checksum. Pure: the caller stores them.
import {
  checksum,
  CRC_AT,
  FLAG_FIRST,
  FLAG_LAST,
  PAGE_HEADER_BYTES,
  SEGMENT_BYTES_MAX,
} from './ogg.ts';
import { FRAME_TICKS } from './opus.ts';
import { PIECE_BYTES_MAX } from './recording-frames.ts';

/**
 * Samples at the start that a player leaves out: by so much libopus is behind what it encodes, 6.5 ms at 48 kHz.
 * Spec: RFC 7845 section 5.1.
 */
export const PRE_SKIP_TICKS = 312;

/** Packets of 20 ms on one page. Spec: RFC 7845 section 6, pages of at most a second. */
export const PAGE_PACKETS = 50;

/** One packet holds both voices. */
const PACKET_BYTES_MAX = 2 * PIECE_BYTES_MAX;
const PACKET_SEGMENTS_MAX = Math.floor(PACKET_BYTES_MAX / SEGMENT_BYTES_MAX) + 1;

const SEGMENTS_MAX = 255;

/** A second of two voices at 64 kbit/s, and one more packet; of what is coded with more, pages are shorter. */
const BODY_BYTES_MAX = 20_480;

/** The segment table has as many bytes as there are segments; the page starts wherever it then has to. */
const BODY_AT = PAGE_HEADER_BYTES + SEGMENTS_MAX;

/** Takes a finished page, whose bytes are reused afterwards; the packets on it start at `bodyAt`. */
export type OnPage = (page: Uint8Array, bodyAt: number) => void;

/**
 * A file of two channels that are coded apart. To write a packet: put it into `bytes` from `begin()` on, then say where it ends.
 */
export class OggWriter {
  readonly bytes = new Uint8Array(BODY_AT + BODY_BYTES_MAX);
  /** Packets so far. */
  packets = 0;
  readonly #onPage: OnPage;
  readonly #serial: number;
  readonly #segments = new Uint8Array(SEGMENTS_MAX);
  #segmentCount = 0;
  #at = BODY_AT;
  #packetsHere = 0;
  #pages = 0;

  /** @param serial 0 to 2^32 - 1, random: RFC 3533 section 6 */
  constructor(serial: number, onPage: OnPage) {
    this.#serial = serial;
    this.#onPage = onPage;
  }

  /** The headers, on pages of their own. Spec: RFC 7845 section 3. */
  writeHeaders(): void {
    this.#writeText('OpusHead');
    const { bytes } = this;
    // Spec: RFC 7845 section 5.1, version 1 and two channels. Family 1: left and right, from two streams, none of them stereo.
    const fields = [1, 2, PRE_SKIP_TICKS & 0xff, PRE_SKIP_TICKS >> 8, 0x80, 0xbb, 0, 0, 0, 0, 1];
    for (const value of [...fields, 2, 0, 0, 1]) bytes[this.#at++] = value;
    this.#endPacket();
    this.#flush(FLAG_FIRST);
    // Spec: RFC 7845 section 5.2, the name of the maker, and no comments.
    this.#writeText('OpusTags');
    this.#writeUint32(this.#at, VENDOR.length);
    this.#at += 4;
    this.#writeText(VENDOR);
    this.#writeUint32(this.#at, 0);
    this.#at += 4;
    this.#endPacket();
    this.#flush(0);
  }

  /** Makes room for one packet. @returns where in `bytes` it starts */
  begin(): number {
    const isFull =
      this.#packetsHere === PAGE_PACKETS ||
      this.#at + PACKET_BYTES_MAX > this.bytes.length ||
      this.#segmentCount + PACKET_SEGMENTS_MAX > SEGMENTS_MAX;
    // Not before there is another packet: the last page has to say that it is the last.
    if (isFull) this.#flush(0);
    return this.#at;
  }

  /** The packet that was begun ends here. It plays 20 ms. */
  end(at: number): void {
    const start = this.#at;
    this.#at = at;
    this.#endPacket(start);
    this.packets += 1;
    this.#packetsHere += 1;
  }

  /** Ends the file; there is at least one packet. */
  finish(): void {
    this.#flush(FLAG_LAST);
  }

  /** Spec: RFC 3533 section 6, as many full segments as fit, and a shorter one even if it is empty. */
  #endPacket(start = BODY_AT): void {
    let left = this.#at - start;
    for (; left >= SEGMENT_BYTES_MAX; left -= SEGMENT_BYTES_MAX)
      this.#segments[this.#segmentCount++] = SEGMENT_BYTES_MAX;
    this.#segments[this.#segmentCount++] = left;
  }

  #flush(flags: number): void {
    const { bytes } = this;
    const count = this.#segmentCount;
    const start = BODY_AT - count - PAGE_HEADER_BYTES;
    bytes.fill(0, start, BODY_AT);
    writeText(bytes, start, 'OggS');
    bytes[start + 5] = flags;
    // Spec: RFC 7845 section 4, what has been played at the end of the page at 48 kHz, pre-skip included.
    const granule = this.packets * FRAME_TICKS;
    this.#writeUint32(start + 6, granule % 0x1_0000_0000);
    this.#writeUint32(start + 10, Math.floor(granule / 0x1_0000_0000));
    this.#writeUint32(start + 14, this.#serial);
    this.#writeUint32(start + 18, this.#pages);
    bytes[start + 26] = count;
    for (let index = 0; index < count; index++)
      bytes[BODY_AT - count + index] = this.#segments[index] ?? 0;
    this.#writeUint32(start + CRC_AT, checksum(bytes, start, this.#at));
    this.#onPage(bytes.subarray(start, this.#at), BODY_AT - start);
    this.#pages += 1;
    this.#segmentCount = this.#packetsHere = 0;
    this.#at = BODY_AT;
  }

  #writeText(text: string): void {
    this.#at = writeText(this.bytes, this.#at, text);
  }

  #writeUint32(at: number, value: number): void {
    writeUint32(this.bytes, at, value);
  }
}

const VENDOR = 'Roomline';

/** Makes a whole page the last one of its file: it says so, and its checksum is made anew. */
export function markLast(page: Uint8Array): void {
  page[5] = (page[5] ?? 0) | FLAG_LAST;
  writeUint32(page, CRC_AT, checksum(page, 0, page.length));
}

/** @returns where it ends */
function writeText(into: Uint8Array, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) into[at + index] = text.charCodeAt(index);
  return at + text.length;
}

/** Ogg is little-endian. */
function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}
