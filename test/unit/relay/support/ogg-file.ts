// An Ogg Opus file of given packets, by the drawings of RFC 3533 section 6 and RFC 7845 section 5.

type Page = { flags?: number; serial?: number; sequence?: number; segments: Uint8Array[] };

/** A page; the checksum is computed bit by bit, as RFC 3533 appendix A does. */
export function oggPage({ flags = 0, serial = 7, sequence = 0, segments }: Page): Buffer {
  const header = Buffer.alloc(27);
  header.write('OggS');
  header[5] = flags;
  header.writeUInt32LE(serial, 14);
  header.writeUInt32LE(sequence, 18);
  header[26] = segments.length;
  const bytes = Buffer.concat([header, Buffer.from(segments.map((s) => s.length)), ...segments]);
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c1_1db7 : 0);
  }
  bytes.writeUInt32LE(crc >>> 0, 22);
  return bytes;
}

/** Of one channel; bytes may be changed. */
export const opusHead = (change: Record<number, number> = {}): Buffer => {
  const bytes = Buffer.concat([Buffer.from('OpusHead'), Buffer.from([1, 1]), Buffer.alloc(9)]);
  for (const [at, value] of Object.entries(change)) bytes[Number(at)] = value;
  return bytes;
};

export const opusTags = Buffer.concat([Buffer.from('OpusTags'), Buffer.alloc(8)]);

/** A packet in segments; one of a multiple of 255 bytes ends with an empty one. */
export const laced = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.floor(bytes.length / 255) + 1 }, (_, index) =>
    bytes.subarray(index * 255, (index + 1) * 255),
  );

/** A file of these packets with `perPage` segments a page; packets go on over the ends of pages. */
export function oggFile(packets: readonly Uint8Array[], perPage = 255, first = opusHead()): Buffer {
  const pages = [
    oggPage({ flags: 2, segments: [first] }),
    oggPage({ sequence: 1, segments: laced(opusTags) }),
  ];
  const segments = packets.flatMap(laced);
  for (let from = 0; from < segments.length; from += perPage) {
    const isContinued = from > 0 && segments[from - 1]?.length === 255;
    const here = segments.slice(from, from + perPage);
    pages.push(oggPage({ flags: isContinued ? 1 : 0, sequence: pages.length, segments: here }));
  }
  return Buffer.concat(pages);
}
