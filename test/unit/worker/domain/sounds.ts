// Ogg and WAV files made by another reading of their specifications than the worker's.

export interface PageFields {
  readonly flags?: number;
  readonly serial?: number;
  readonly sequence?: number;
  readonly segments: readonly Uint8Array[];
}

/** A page as RFC 3533 section 6 draws it; the checksum is computed bit by bit, as appendix A does. */
export function page({ flags = 0, serial = 7, sequence = 0, segments }: PageFields): Buffer {
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

/** An identification header with some of its bytes changed. */
export const head = (change: Readonly<Record<number, number>> = {}): Buffer => {
  const bytes = Buffer.concat([Buffer.from('OpusHead'), Buffer.from([1, 1]), Buffer.alloc(9)]);
  for (const [at, value] of Object.entries(change)) bytes[Number(at)] = value;
  return bytes;
};
export const tags = Buffer.concat([Buffer.from('OpusTags'), Buffer.alloc(8)]);

/** An Opus packet of this size; `0x78` in front of it says 20 ms in one channel. */
export const packet = (bytes: number, fill = 7, toc = 0x78): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(fill);
  packet[0] = toc;
  return packet;
};

/** A packet in segments; one of a multiple of 255 bytes ends with an empty one. */
const laced = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.floor(bytes.length / 255) + 1 }, (_, index) =>
    bytes.subarray(index * 255, (index + 1) * 255),
  );

/** A file of these packets with `perPage` segments a page; packets go on over the ends of pages. */
export function ogg(packets: readonly Uint8Array[], perPage = 255, first = head()): Buffer {
  const pages = [
    page({ flags: 2, segments: [first] }),
    page({ sequence: 1, segments: laced(tags) }),
  ];
  const segments = packets.flatMap(laced);
  for (let from = 0; from < segments.length; from += perPage) {
    const isContinued = from > 0 && segments[from - 1]?.length === 255;
    const here = segments.slice(from, from + perPage);
    pages.push(page({ flags: isContinued ? 1 : 0, sequence: pages.length, segments: here }));
  }
  return Buffer.concat(pages);
}

export interface WavFields {
  readonly tag?: number;
  readonly bits?: number;
  readonly channels?: number;
  readonly rateHz?: number;
  /** Replaces the length of the data that stands in the file. */
  readonly dataLength?: number;
  /** Chunks between the format and the data. */
  readonly between?: Uint8Array;
  /** Whether the format is wrapped in the extensible one. */
  readonly isExtensible?: boolean;
}

/** @param values -1 to 1; of two channels left and right in turn */
export function wav(values: readonly number[], fields: WavFields = {}): Buffer {
  const { tag = 1, bits = 16, channels = 1, rateHz = 48_000, isExtensible = false } = fields;
  const data = Buffer.concat(values.map((value) => sample(value, tag, bits)));
  const format = Buffer.alloc(isExtensible ? 40 : 16);
  format.writeUInt16LE(isExtensible ? 0xfffe : tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rateHz, 4);
  format.writeUInt32LE((rateHz * channels * bits) / 8, 8);
  format.writeUInt16LE((channels * bits) / 8, 12);
  format.writeUInt16LE(bits, 14);
  if (isExtensible) format.writeUInt16LE(tag, 24);
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    chunk('fmt ', format),
    fields.between ?? Buffer.alloc(0),
    chunk('data', data, fields.dataLength),
  ]);
  return chunk('RIFF', body);
}

export function chunk(name: string, body: Uint8Array, length = body.length): Buffer {
  const header = Buffer.alloc(8);
  header.write(name);
  header.writeUInt32LE(length, 4);
  return Buffer.concat([header, body, Buffer.alloc(body.length % 2)]);
}

function sample(value: number, tag: number, bits: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(bits / 8));
  const whole = Math.max(-(2 ** (bits - 1)), Math.round(value * 2 ** (bits - 1)));
  const bounded = Math.min(2 ** (bits - 1) - 1, whole);
  if (tag === 3 && bits === 64) bytes.writeDoubleLE(value);
  else if (tag === 3 && bits === 32) bytes.writeFloatLE(value);
  else if (bits === 8) bytes.writeUInt8(bounded + 128);
  else bytes.writeIntLE(bounded, 0, bytes.length);
  return bytes;
}

/** Samples of a sine at this rate. */
export const sine = (hz: number, rateHz: number, count: number, amplitude = 0.5): number[] =>
  Array.from({ length: count }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rateHz));

/** How much of a frequency there is: the amplitude of a sine of it. */
export function amplitudeOf(hz: number, rateHz: number, samples: ArrayLike<number>): number {
  let [real, imaginary] = [0, 0];
  for (let i = 0; i < samples.length; i++) {
    const turn = (2 * Math.PI * hz * i) / rateHz;
    real += (samples[i] ?? 0) * Math.cos(turn);
    imaginary += (samples[i] ?? 0) * Math.sin(turn);
  }
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}
