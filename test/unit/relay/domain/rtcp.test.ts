import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  middleOf,
  readReports,
  writeSenderReport,
  type ReceptionReport,
} from '../../../../relay/domain/rtcp.ts';
import { isRtcp } from '../../../../relay/domain/rtp.ts';

const packetOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

/** What a compound packet tells. */
function read(bytes: Uint8Array) {
  const senders: { ssrc: number; middle: number }[] = [];
  const receptions: ReceptionReport[] = [];
  readReports(bytes, {
    onSender: (ssrc, middle) => senders.push({ ssrc, middle }),
    onReception: (report) => receptions.push(report),
  });
  return { senders, receptions };
}

const RECEPTION: ReceptionReport = {
  ssrc: 0x55667788,
  fractionLost: 64,
  cumulativeLost: 3,
  highestSequence: 0x1_0002,
  jitterTicks: 48,
  lastReport: 0xaabbccdd,
  sinceLastReport: 0x8000,
};

const written = (reception?: ReceptionReport) =>
  writeSenderReport({
    ssrc: 0x11223344,
    cname: 'abc',
    nowMs: 1_500,
    timestamp: 0xdeadbeef,
    packets: 7,
    octets: 700,
    reception,
  });

it('is told from RTP by its packet type', () => {
  expect(isRtcp(packetOf('80c80001'))).toBe(true);
  expect(isRtcp(packetOf('80ef0001'))).toBe(false);
  expect(isRtcp(packetOf('807e0001'))).toBe(false);
});

it('is written as a compound of sender report and name, each a whole number of words', () => {
  expect(Buffer.from(written(RECEPTION)).toString('hex')).toBe(
    [
      '81c8000c 11223344 83aa7e81 80000000 deadbeef 00000007 000002bc',
      '55667788 40000003 00010002 00000030 aabbccdd 00008000',
      '81ca0003 11223344 0103616263000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

it('is read as it was written', () => {
  const bytes = written(RECEPTION);
  expect(read(bytes)).toEqual({
    senders: [{ ssrc: 0x11223344, middle: 0x7e818000 }],
    receptions: [RECEPTION],
  });
  expect(middleOf(bytes)).toBe(0x7e818000);
  expect(read(written()).receptions).toEqual([]);
});

it('finds reports behind other packets, several in one, and with a negative count', () => {
  const block = (ssrc: string, lost: string) =>
    `${ssrc} ${lost} 00000001 00000002 00000003 00000004`;
  const bytes = packetOf(
    `80cb0001 00000001
     8fcd0003 00000001 00000002 00000003
     82c9000d 00000001 ${block('0000000a', 'ff000001')} ${block('0000000b', '00fffffe')}`,
  );
  expect(read(bytes).receptions).toMatchObject([
    { ssrc: 10, fractionLost: 255, cumulativeLost: 1 },
    { ssrc: 11, fractionLost: 0, cumulativeLost: -2, lastReport: 3, sinceLastReport: 4 },
  ]);
});

it.each([
  ['ends too soon', '81c9ffff 00000001'],
  ['is of another version', '41c90007 00000001'],
  ['says that it has more reports than fit', '9fc90001 00000001'],
])('reads nothing of a packet that %s', (_name, hex) => {
  expect(read(packetOf(`${hex} ${'00'.repeat(24)}`)).receptions).toEqual([]);
});

it('never throws nor loops, whatever arrives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      // The first byte of most random packets would end the reading at once.
      bytes[0] = 0x80 | ((bytes[0] ?? 0) & 0x3f);
      expect(read(bytes).receptions.length).toBeLessThanOrEqual(bytes.length / 24);
    }),
  );
});

it('never throws on a compound packet of which bytes have changed', () => {
  const change = fc.record({ at: fc.nat(75), to: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat(76), (changes, length) => {
      const bytes = written(RECEPTION);
      for (const { at, to } of changes) bytes[at] = to;
      const { receptions } = read(bytes.subarray(0, length));
      for (const reception of receptions)
        for (const value of Object.values(reception)) expect(Number.isInteger(value)).toBe(true);
    }),
  );
});
