import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKETS_MAX, readOggOpus, readOggOpusInSteps } from '../../../../relay/domain/ogg.ts';
import { oggFile as file, oggPage as page, opusHead as head } from '../support/ogg-file.ts';

/** An Opus packet of 20 ms (TOC 0x78) of this size. */
const packet = (bytes: number, fill = 7): Uint8Array => {
  const packet = new Uint8Array(bytes).fill(fill);
  packet[0] = 0x78;
  return packet;
};

const packetsOf = (bytes: Uint8Array) => {
  const read = readOggOpus(bytes);
  if (!read.ok) throw new Error(read.message);
  return read.packets.map((packet) => Buffer.from(packet));
};

it('gives back every packet, however it is cut into segments and pages', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(1, 20, 254, 255, 256, 509, 510, 1275), {
        minLength: 1,
        maxLength: 20,
      }),
      fc.integer({ min: 1, max: 9 }),
      (sizes, perPage) => {
        const packets = sizes.map((size, index) => packet(size, index));
        expect(packetsOf(file(packets, perPage))).toEqual(packets.map((p) => Buffer.from(p)));
      },
    ),
  );
});

it('takes two channels', () => {
  expect(packetsOf(file([packet(40)], 255, head({ 9: 2 })))).toHaveLength(1);
});

it('can be read page by page', () => {
  const reading = readOggOpusInSteps(file([packet(1), packet(2), packet(3)], 1));
  expect(Array.from(reading)).toHaveLength(5);
});

/** The first pages of a file. */
const cutAfterPage = (bytes: Buffer, pages: number): Buffer => {
  let end = 0;
  for (let count = 0; count < pages; count++) end = bytes.indexOf('OggS', end + 1);
  return bytes.subarray(0, end);
};

const whole = file([packet(40), packet(600), packet(40)], 2);

it.each<[what: string, bytes: Uint8Array, message: string]>([
  ['an empty file', new Uint8Array(0), 'no packets'],
  ['something else', Buffer.from('ID3 not Ogg at all'), 'page 1: not an Ogg page'],
  ['a file that is cut off', whole.subarray(0, -1), 'cut off'],
  [
    'a file that ends within a packet',
    cutAfterPage(file([packet(600)], 2), 3),
    'ends within a packet',
  ],
  ['a wrong byte', Buffer.from(whole).fill(9, whole.length - 2), 'checksum is wrong'],
  [
    'a lost page',
    Buffer.concat([file([packet(1)]), page({ sequence: 4, segments: [packet(9)] })]),
    'page 4: out of order',
  ],
  [
    'a second stream',
    Buffer.concat([file([packet(1)]), page({ serial: 8, sequence: 3, segments: [packet(9)] })]),
    'page 4: of another stream',
  ],
  [
    'a stream that begins again',
    Buffer.concat([file([packet(1)]), page({ flags: 2, sequence: 3, segments: [packet(9)] })]),
    'page 4: of another stream',
  ],
  [
    'a page that goes on with nothing',
    Buffer.concat([file([packet(1)]), page({ flags: 1, sequence: 3, segments: [packet(9)] })]),
    'page 4: does not go on',
  ],
  [
    'another codec',
    file([packet(1)], 255, Buffer.from('\x01vorbis, and some more')),
    'not Ogg Opus',
  ],
  ['a later version', file([packet(1)], 255, head({ 8: 16 })), 'not Ogg Opus'],
  ['surround sound', file([packet(1)], 255, head({ 9: 6, 18: 1 })), 'more than two channels'],
  ['a gain', file([packet(1)], 255, head({ 17: 1 })), 'output gain'],
  ['no comment header', page({ flags: 2, segments: [head()] }), 'no comment header'],
  ['no audio', file([]), 'no audio'],
  ['a sound of hours', file(Array.from({ length: PACKETS_MAX + 1 }, () => packet(1))), 'too long'],
  ['a packet that is no Opus', file([packet(1), new Uint8Array(0)]), 'audio packet 2 is no Opus'],
])('refuses %s', (_what, bytes, message) => {
  expect(readOggOpus(bytes)).toEqual({ ok: false, message: expect.stringContaining(message) });
});

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
});
