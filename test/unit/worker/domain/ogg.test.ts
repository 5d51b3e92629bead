import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AudioFailure } from '../../../../worker/domain/audio-failure.ts';
import { readOggOpus } from '../../../../worker/domain/ogg-read.ts';
import { writeOggOpus } from '../../../../worker/domain/ogg-write.ts';
import { head, ogg, packet, page } from './sounds.ts';

const contentOf = (bytes: Uint8Array) => {
  const read = readOggOpus(bytes);
  if (!read.ok) throw new Error(read.message);
  return { ...read, packets: read.packets.map((packet) => Buffer.from(packet)) };
};
const sizes = fc.array(fc.constantFrom(1, 20, 254, 255, 256, 509, 510, 1275), {
  minLength: 1,
  maxLength: 20,
});

it('gives back every packet, however it is cut into segments and pages', () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), (sizes, perPage) => {
      const packets = sizes.map((size, index) => packet(size, index));
      const read = contentOf(ogg(packets, perPage));
      expect(read.packets).toEqual(packets.map((packet) => Buffer.from(packet)));
      expect(read.samples).toBe(packets.length * 960);
    }),
  );
});

it('tells what a player has to know', () => {
  const { head: found } = contentOf(
    ogg([packet(9)], 255, head({ 9: 2, 10: 0x38, 11: 1, 16: 0, 17: 0xfe })),
  );
  expect(found).toEqual({ channels: 2, preSkip: 312, gain: -512 });
});

it.each<[toc: number, second: number, ms: number]>([
  [0x00, 0, 10],
  [0x18, 0, 60],
  [0x60, 0, 10],
  [0x68, 0, 20],
  [0x80, 0, 2.5],
  [0xf8, 0, 20],
  [0xf9, 0, 40],
  [0xfa, 0, 40],
  [0xfb, 6, 120],
])('a packet that begins with %i %i plays %i ms', (toc, second, ms) => {
  const bytes = Uint8Array.of(toc, second, 1, 2);
  expect(contentOf(ogg([bytes])).samples).toBe(ms * 48);
});

it('what is written reads as it was, with every page true to its checksum', () => {
  fc.assert(
    fc.property(sizes, fc.nat(1_000), (sizes, preSkip) => {
      const packets = sizes.map((size, index) => packet(size, index));
      const read = contentOf(writeOggOpus(packets, preSkip, 4_711));
      expect(read.head).toEqual({ channels: 1, preSkip, gain: 0 });
      expect(read.packets).toEqual(packets.map((packet) => Buffer.from(packet)));
    }),
  );
});

it('a written file says where its audio ends, and which page is the last', () => {
  const bytes = Buffer.from(
    writeOggOpus(
      Array.from({ length: 120 }, () => packet(300)),
      312,
      115_000,
    ),
  );
  const pages: { flags: number; granule: number; segments: number }[] = [];
  for (let at = 0; at >= 0; at = bytes.indexOf('OggS', at + 1)) {
    const granule = Number(bytes.readBigUInt64LE(at + 6));
    pages.push({ flags: bytes[at + 5] ?? 0, granule, segments: bytes[at + 26] ?? 0 });
  }
  expect(pages).toEqual([
    { flags: 2, granule: 0, segments: 1 },
    { flags: 0, granule: 0, segments: 1 },
    { flags: 0, granule: 48_000, segments: 100 },
    { flags: 0, granule: 96_000, segments: 100 },
    { flags: 4, granule: 115_312, segments: 40 },
  ]);
});

const whole = ogg([packet(40), packet(600), packet(40)], 2);

/** The first pages of a file. */
const cutAfterPage = (bytes: Buffer, pages: number): Buffer => {
  let end = 0;
  for (let count = 0; count < pages; count++) end = bytes.indexOf('OggS', end + 1);
  return bytes.subarray(0, end);
};
const withPage = (fields: Parameters<typeof page>[0]) =>
  Buffer.concat([ogg([packet(1)]), page(fields)]);
const corrupt = (at: number, value: number): Buffer => {
  const bytes = Buffer.from(whole);
  bytes[at] = value;
  return bytes;
};

it.each<[what: string, bytes: Uint8Array, reason: AudioFailure['reason'], message: string]>([
  ['an empty file', new Uint8Array(0), 'empty', 'no file'],
  ['something else', Buffer.from('ID3 not Ogg at all'), 'not-ogg', 'page 1 is no Ogg page'],
  ['something after the last page', Buffer.concat([whole, tagsOf('TAG')]), 'not-ogg', 'no Ogg'],
  ['a later version of Ogg', corrupt(4, 1), 'not-ogg', 'later version'],
  ['a file that is cut off', whole.subarray(0, -1), 'truncated', 'cut off'],
  ['a header that is cut off', whole.subarray(0, 20), 'truncated', 'page 1 is cut off'],
  ['a file that ends within a packet', cutAfterPage(whole, 3), 'truncated', 'within a packet'],
  ['a wrong byte', corrupt(whole.length - 1, 9), 'bad-checksum', 'checksum of page'],
  ['a lost page', withPage({ sequence: 4, segments: [packet(9)] }), 'bad-order', 'out of order'],
  [
    'a second stream',
    withPage({ serial: 8, sequence: 3, segments: [packet(9)] }),
    'bad-order',
    'page 4 belongs to another stream',
  ],
  [
    'a stream that begins again',
    withPage({ flags: 2, sequence: 3, segments: [packet(9)] }),
    'bad-order',
    'another stream',
  ],
  [
    'a page that goes on with nothing',
    withPage({ flags: 1, sequence: 3, segments: [packet(9)] }),
    'bad-order',
    'page 4 does not go on',
  ],
  [
    'another codec',
    ogg([packet(1)], 255, Buffer.from('\x01vorbis, and some more')),
    'not-opus',
    'another codec',
  ],
  ['a later version of Opus', ogg([packet(1)], 255, head({ 8: 16 })), 'not-opus', 'another codec'],
  ['surround sound', ogg([packet(1)], 255, head({ 9: 6, 18: 1 })), 'too-many-channels', 'two'],
  ['no channel', ogg([packet(1)], 255, head({ 9: 0 })), 'too-many-channels', 'one or two'],
  ['no comment header', page({ flags: 2, segments: [head(), packet(9)] }), 'not-opus', 'comment'],
  ['only headers', ogg([]), 'empty', 'no audio'],
  ['a packet of nothing', ogg([packet(1), new Uint8Array(0)]), 'not-opus', 'audio packet 2'],
  ['a packet of no frames', ogg([packet(1, 0, 3)]), 'not-opus', 'audio packet 1'],
  [
    'more than 120 ms in a packet',
    ogg([Uint8Array.of(0x1b, 3)]),
    'not-opus',
    'audio packet 1 is no Opus',
  ],
  [
    'more than 10 minutes',
    ogg(Array.from({ length: 5_002 }, () => Uint8Array.of(0x1b, 2))),
    'too-long',
    '10 minutes',
  ],
])('refuses %s', (_what, bytes, reason, message) => {
  expect(readOggOpus(bytes)).toEqual({
    ok: false,
    reason,
    message: expect.stringContaining(message),
  });
});

it('takes 10 minutes with what an encoder adds to them', () => {
  const packets = Array.from({ length: 5_001 }, () => Uint8Array.of(0x1b, 2));
  expect(contentOf(ogg(packets)).samples).toBe(600.12 * 48_000);
});

function tagsOf(text: string): Buffer {
  return Buffer.from(text.padEnd(128, ' '));
}

describe('whatever it is given', () => {
  const noise = fc.array(fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255) }), {
    maxLength: 4,
  });

  it('it names a failure or finds packets that play', () => {
    fc.assert(
      fc.property(noise, fc.nat(whole.length), (changes, length) => {
        const bytes = Buffer.from(whole.subarray(0, length));
        for (const { at, value } of changes) if (at < length) bytes[at] = value;
        const read = readOggOpus(bytes);
        if (read.ok) expect(read.packets.length).toBeGreaterThan(0);
        else expect(read.message).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });

  it('it reads no further than it must: a million empty packets are refused at the first', () => {
    const full = page({
      sequence: 2,
      segments: Array.from({ length: 255 }, () => Buffer.alloc(0)),
    });
    const pages = Array.from({ length: 4_000 }, () => full);
    const bytes = Buffer.concat([ogg([]), ...pages]);
    expect(readOggOpus(bytes)).toMatchObject({
      reason: 'not-opus',
      message: 'audio packet 1 is no Opus',
    });
  });
});
