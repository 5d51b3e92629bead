// Reads recordings as their specifications say, without any code of the relay's: RFC 3533, RFC 7845, RFC 6716 appendix B.
import { createHash } from 'node:crypto';

export type RecordingPage = {
  flags: number;
  granule: number;
  /** Packets that end on it. */
  packets: number;
  bytes: number;
};

export type ReadRecording = {
  pages: RecordingPage[];
  preSkip: number;
  vendor: string;
  /** Opus packets of 20 ms, one of each voice for every 20 ms. */
  left: Buffer[];
  right: Buffer[];
  /** Of the packets with audio, one after the other, as the relay tells it to the worker. */
  sha256: string;
  durationMs: number;
};

/** @throws Error when the file is anything but a whole, correct recording */
export function readRecording(file: Uint8Array): ReadRecording {
  const bytes = Buffer.from(file);
  const pages: RecordingPage[] = [];
  const packets: Buffer[] = [];
  let partial: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const count = bytes.readUInt8(at + 26);
    const table = bytes.subarray(at + 27, at + 27 + count);
    const end = at + 27 + count + table.reduce((sum, length) => sum + length, 0);
    const page = bytes.subarray(at, end);
    check(page.toString('latin1', 0, 4) === 'OggS' && page[4] === 0, 'a page begins with OggS');
    check(page.length === end - at, 'a page is whole');
    check(page.readUInt32LE(22) === crcOf(page), 'its checksum is right');
    check(page.readUInt32LE(18) === pages.length, 'pages are numbered');
    check(page.readUInt32LE(14) === bytes.readUInt32LE(14), 'there is one stream');
    check((page.readUInt8(5) & 1) === 0, 'no packet goes on from the page before');
    let packetsHere = 0;
    let from = 27 + count;
    for (const length of table) {
      partial.push(page.subarray(from, from + length));
      from += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(partial));
      partial = [];
      packetsHere += 1;
    }
    check(partial.length === 0, 'packets end with their page');
    const granule = Number(page.readBigUInt64LE(6));
    pages.push({ flags: page.readUInt8(5), granule, packets: packetsHere, bytes: page.length });
    at = end;
  }
  check(
    pages.every(({ flags }, n) => ((flags & 2) !== 0) === (n === 0)),
    'the first page says so',
  );
  check(
    pages.every(({ flags }, n) => ((flags & 4) !== 0) === (n === pages.length - 1)),
    'the last page says so',
  );
  const [head = Buffer.alloc(0), tags = Buffer.alloc(0), ...audio] = packets;
  check(pages[0]?.packets === 1 && pages[1]?.packets === 1, 'headers have pages of their own');
  check(
    head.toString('latin1', 0, 8) === 'OpusHead' && head.length === 23,
    'the first is OpusHead',
  );
  check(head[8] === 1 && head[9] === 2 && head.readUInt16LE(16) === 0, 'version, channels, gain');
  check(head.subarray(18).equals(Buffer.from([1, 2, 0, 0, 1])), 'two streams, none coupled');
  check(tags.toString('latin1', 0, 8) === 'OpusTags', 'the second is OpusTags');
  const vendorEnd = 12 + tags.readUInt32LE(8);
  check(tags.length === vendorEnd + 4 && tags.readUInt32LE(vendorEnd) === 0, 'tags are whole');
  let played = 0;
  for (const { granule, packets: here } of pages.slice(2)) {
    played += here * 960;
    check(granule === played && here > 0, 'pages say what has been played');
  }
  const voices = audio.map(splitPacket);
  const preSkip = head.readUInt16LE(10);
  return {
    pages,
    preSkip,
    vendor: tags.toString('utf8', 12, vendorEnd),
    left: voices.map(([left]) => left),
    right: voices.map(([, right]) => right),
    sha256: createHash('sha256').update(Buffer.concat(audio)).digest('hex'),
    durationMs: (played - preSkip) / 48,
  };
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(`not so: ${what}`);
}

/** RFC 3533 section 6: polynomial 0x04c11db7, not reflected, from zero. */
const CRC_OF_BYTE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  return crc;
});

/** The checksum's own bytes count as zeros. */
function crcOf(page: Buffer): number {
  let crc = 0;
  for (let at = 0; at < page.length; at++) {
    const byte = at >= 22 && at < 26 ? 0 : (page[at] ?? 0);
    crc = (crc << 8) ^ (CRC_OF_BYTE[(crc >>> 24) ^ byte] ?? 0);
  }
  return crc >>> 0;
}

/** The first stream's packet without its length, and the second stream's. Only codes that play 20 ms are known. */
function splitPacket(packet: Buffer): [Buffer, Buffer] {
  const toc = packet.readUInt8(0);
  let at = 1;
  let frames = 1;
  if ((toc & 3) === 3) frames = packet.readUInt8(at++) & 0x3f;
  else check((toc & 3) === 0, 'the first packet is of one frame, or says how many');
  const lengthsAt = at;
  let lastLengthAt = at;
  let sum = 0;
  for (let frame = 0; frame < frames; frame++) {
    lastLengthAt = at;
    const first = packet.readUInt8(at++);
    sum += first < 252 ? first : first + 4 * packet.readUInt8(at++);
  }
  check(at + sum < packet.length, 'a second packet follows');
  const left = Buffer.concat([
    packet.subarray(0, lengthsAt),
    packet.subarray(lengthsAt, lastLengthAt),
    packet.subarray(at, at + sum),
  ]);
  return [left, packet.subarray(at + sum)];
}
